"""Threshold, refractory hold and reset of a population: the rule of a spike, stated once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._errors import listing
from ._common import KERNEL_DTYPES, Impl
from ._ffi import fence, make_function

Spikes = Float[Array, "..."] | Bool[Array, "..."]


class VoltageChange(eqx.Module):
    """What a spike does to the voltage.

    **Arguments:**

    - `amount`: in mV.
    - `hard`: whether `amount` is what the voltage is set to; else it is what is subtracted.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        change = npt.ops.VoltageChange(jnp.asarray(15.0), hard=False)
        change(jnp.array([-52.0, -49.0]), jnp.array([False, True]))  # [-52., -64.]
        ```
    """

    amount: Float[Array, "..."]
    hard: bool = eqx.field(static=True)

    def __call__(self, v: Float[Array, "..."], spike: Spikes) -> Float[Array, "..."]:
        """The voltages after the spikes."""
        if self.hard:
            return where_spike(spike, self.amount, v)
        return jnp.where(spike, v - self.amount, v) if spike.dtype == bool else v - self.amount * spike


class Fired(NamedTuple):
    """What `fire` returns.

    - `v`: voltages (mV).
    - `left`: steps that the refractory period of each neuron goes on, or `None`.
    - `spike`: the spikes.
    """

    v: Float[Array, "*n"]
    left: Int[Array, "*n"] | None
    spike: Spikes


class _Firing(eqx.Module):
    """What a spike depends on; see `fire`."""

    v: Array
    v_th: Array
    change: VoltageChange | None = None
    held: Array | None = None
    left: Array | None = None
    steps: Array | None = None
    below: Array | None = None
    surrogate: Callable[[Array], Array] | None = None
    detach: bool = eqx.field(static=True, default=False)


def fire(
    v: Float[Array, "*n"],
    v_th: Float[Array, "..."],
    change: VoltageChange | None = None,
    *,
    held: Float[Array, "*n"] | None = None,
    left: Int[Array, "*n"] | None = None,
    steps: Int[Array, "..."] | None = None,
    below: Spikes | None = None,
    surrogate: Callable[[Array], Array] | None = None,
    detach: bool = False,
    impl: Impl = "auto",
) -> Fired:
    r"""Where the neurons of a population spike, after a step that would take their free voltages to `v`.

    In this order, with $n$ for the steps `left` and $v_\mathrm{old}$ for the voltage `held`,

    $$v \leftarrow v_\mathrm{old} \text{ where } n > 0, \qquad s = [n \le 0]\,[v \ge v_\mathrm{th}], \qquad v
    \leftarrow \mathrm{change}(v) \text{ where } s = 1, \qquad n \leftarrow \text{steps where } s = 1,\text{ else }
    \max(n - 1, 0).$$

    One pass over memory where there is a kernel for it, in place.

    **Arguments:**

    - `v`: voltages after the step (mV).
    - `v_th`: threshold (mV), a number or one for each neuron.
    - `change`: what a spike does to the voltage; `None` is nothing.
    - `held`: the voltages that refractory neurons are held at; `None` holds none, and within the refractory period
      only spikes don't count.
    - `left`, `steps`: how many steps the refractory period of each neuron goes on, and lasts after a spike, int32.
      `None` for no refractoriness.
    - `below`: which voltages were below the threshold before the step, in the form of spikes. A spike is then where the
      voltage gets above it: $s$ times `below`. `None` asks for no crossing.
    - `surrogate`: the step function with the derivative that stands for a spike's; spikes are then 0 or 1 in the dtype
      of `v`. `None` makes them booleans.
    - `detach`: whether no gradient flows through the spike of the `change`.
    - `impl`: which implementation runs, as for `csr_matvec`.

    **Returns:** a `Fired`. All JAX transformations apply.

    **Raises:** `ValueError` for `left` without `steps` or the other way round, and for `held` without them.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        v = jnp.array([-52.0, -49.0])
        reset = npt.ops.VoltageChange(jnp.asarray(-65.0), hard=True)
        fired = npt.ops.fire(v, jnp.asarray(-50.0), reset)
        fired.v, fired.spike  # [-52., -65.], [False, True]
        ```
    """
    if (left is None) != (steps is None) or (left is None and held is not None):
        given = [name for name, x in (("held", held), ("left", left), ("steps", steps)) if x is not None]
        raise ValueError(f"fire got {listing(given)}; a refractory period needs 'left' and 'steps' both")
    operands = {"v": v, "v_th": v_th, "change": change, "held": held, "left": left, "steps": steps, "below": below}
    return _fired(_Firing(**operands, surrogate=surrogate, detach=detach), impl)


def where_spike(spike: Spikes, after: Float[Array, "..."], x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`after` where there is a spike, else `x`; for float spikes differentiable in them.

    **Arguments:**

    - `spike`: booleans, or floats that are 0 or 1.
    - `after`, `x`: a variable after a spike, and without one. Neither needs to be finite where it isn't chosen.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt
        npt.ops.where_spike(jnp.array([1.0, 0.0]), jnp.array([5.0, 6.0]), jnp.array([1.0, 2.0]))  # [5., 2.]
        ```
    """
    return jnp.where(spike, after, x) if spike.dtype == bool else _interpolate(x, after, spike)


@jax.custom_jvp
def _interpolate(x: Array, after: Array, spike: Array) -> Array:
    """`x + (after - x) * spike` for spikes of 0 or 1, exact, and finite where `x` is not."""
    return jnp.where(spike > 0, after, x)


@_interpolate.defjvp
def _interpolate_jvp(primals: Any, tangents: Any) -> Any:
    x, after, spike = primals
    d_x, d_after, d_spike = tangents
    tangent = (1 - spike) * d_x + spike * d_after + (after - x) * d_spike
    return _interpolate(x, after, spike), jnp.broadcast_to(tangent, x.shape)


def _rule(f: _Firing) -> Fired:
    """The statement: what the kernels are held to, and what derivatives come from.

    A voltage that changes is used by three results and a spike by four: the fences make each once, in place.
    """
    v, left = f.v, f.left
    free = None if left is None else left <= 0
    if free is not None and f.held is not None:
        v = jnp.where(free, v, f.held)
    if f.change is not None or f.held is not None:
        (v,) = fence(v)
    spike = v >= f.v_th if f.surrogate is None else f.surrogate(v - f.v_th)
    if f.below is not None:
        spike = f.below & spike if f.surrogate is None else f.below * spike
    if free is not None:
        spike = jnp.where(free, spike, jnp.zeros_like(spike))
    if free is not None or f.change is not None:
        (spike,) = fence(spike)
    if left is not None and f.steps is not None:
        fired: Array = spike if spike.dtype == bool else spike > 0
        left = jnp.where(fired, f.steps, jnp.maximum(left - 1, 0))
    if f.change is not None:
        v = f.change(v, jax.lax.stop_gradient(spike) if f.detach else spike)
    return Fired(v, left, spike)


@eqx.filter_custom_jvp
def _fired(f: _Firing, impl: Impl) -> Fired:
    hold = f.held is not None
    if f.change is None or f.below is not None or hold != (f.left is not None):
        return _rule(f)
    amount, v_th = _ranked(f.change.amount, f.v), _ranked(f.v_th, f.v)
    static = {"hard": f.change.hard, "kind": "bool" if f.surrogate is None else "float", "batch": (), "impl": impl}
    if not hold:
        v, spike = _plain.bind(f.v, v_th, amount, **static)
        return Fired(v, None, spike)
    v, left, spike = _hold.bind(f.held, f.left, f.v, v_th, amount, _ranked(f.steps, f.v), **static)
    return Fired(v, left, spike)


@_fired.def_jvp
def _fired_jvp(primals: Any, tangents: Any) -> Any:
    (f, _), (d_f, _) = primals, tangents
    return eqx.filter_jvp(_rule, (f,), (d_f,))


def _ranked(x: Any, like: Array) -> Array:
    """`x` with as many axes as `like`."""
    return jnp.reshape(x, (1,) * (like.ndim - x.ndim) + x.shape)


def _heaviside(kind: str) -> Callable[[Array], Array] | None:
    return None if kind == "bool" else lambda x: (x >= 0).astype(x.dtype)


def _plain_reference(v: Array, v_th: Array, amount: Array, *, hard: bool, kind: str) -> tuple[Array, ...]:
    out = _rule(_Firing(v=v, v_th=v_th, change=VoltageChange(amount, hard), surrogate=_heaviside(kind)))
    return out.v, out.spike


def _hold_reference(
    held: Array, left: Array, v: Array, v_th: Array, amount: Array, steps: Array, *, hard: bool, kind: str
) -> tuple[Array, ...]:
    change, exact = VoltageChange(amount, hard), _heaviside(kind)
    out = _rule(_Firing(v=v, v_th=v_th, change=change, held=held, left=left, steps=steps, surrogate=exact))
    assert out.left is not None
    return out.v, out.left, out.spike


def _plain_kernel(v: Any, v_th: Any, amount: Any, *, hard: bool, kind: str) -> str | None:
    return _named("npt_fire", v, (v_th, amount), hard, kind)


def _hold_kernel(held: Any, left: Any, *operands: Any, hard: bool, kind: str) -> str | None:
    return _named("npt_fire_hold", held, operands, hard, kind)


def _named(name: str, v: Any, others: Any, hard: bool, kind: str) -> str | None:
    dtype = KERNEL_DTYPES.get(v.dtype.name)
    if dtype is None or any(x.size not in (1, v.size) for x in others):
        return None
    return f"{name}_{dtype}_{'hard' if hard else 'soft'}_{kind}"


_plain = make_function("npt_fire", reference=_plain_reference, kernel=_plain_kernel, in_place=1, by_item=False)
_hold = make_function("npt_fire_hold", reference=_hold_reference, kernel=_hold_kernel, in_place=2, by_item=False)
