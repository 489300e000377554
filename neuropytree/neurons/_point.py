"""A point neuron, composed of a membrane, a threshold, a reset, jumps, refractory rules and a stepper."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .._arguments import check_kind, fits
from .._errors import listing
from .._types import Drive, Scalar, Spikes, Tick, fields_of, find
from ..integrate import (
    AbstractField,
    AbstractFractionalStepper,
    AbstractStepper,
    ExponentialEuler,
    FractionalMemory,
    Linear,
)
from ..ops import fence
from ..ops._fire import fire
from ._base import AbstractNeuron, check_shapes, normalise_size
from ._membrane import AbstractMembrane
from ._refractory import Refractory, RelativeRefractory
from ._reset import AbstractJump, AbstractReset, where_spike
from ._threshold import AbstractThreshold


class PointNeuronState(eqx.Module):
    """State of a `PointNeuron`.

    - `membrane`: the smooth variables, the voltage `v` (mV) among them.
    - `refractory`: steps that each voltage is still held for, int32; `None` without an absolute refractory period.
    - `dt`: the step in ms that the state was made for, or `None` if it wasn't said.
    - `raised`: what spikes have raised the threshold by (mV); `None` without a relative refractory period.
    - `memory`: the past of the membrane; `None` unless the stepper is a fractional one.
    """

    membrane: Any
    refractory: Int[Array, "..."] | None
    dt: float | None = eqx.field(static=True)
    raised: Float[Array, "..."] | None = None
    memory: FractionalMemory | None = None

    @property
    def v(self) -> Array:
        """The voltage (mV)."""
        return self.membrane.v


class PointNeuron(AbstractNeuron):
    """A population of point neurons, made of parts that combine freely.

    In a step the stepper moves the membrane, held voltages are put back, the threshold is read, and spikes reset the
    voltage, make other variables jump, and start the refractory periods. The output is the spike array.

    **Arguments:**

    - `size`: number of neurons, or their shape.
    - `membrane`: the smooth part.
    - `threshold`: where a spike is, and its gradient. With `None` there are no spikes, and the output is the voltage.
    - `reset`: what a spike does to the voltage; `None` leaves it alone.
    - `jumps`: what a spike does to other variables of the membrane, by their names.
    - `refractory`: absolute refractoriness, or `None`.
    - `relative`: relative refractoriness, or `None`.
    - `stepper`: how the membrane is advanced; `ExponentialEuler()` unless given. With a fractional one, such as
      `CaputoL1`, the derivatives are of fractional order. Its memory goes on over spikes: a reset is a change of the
      voltage like any other.

    The input of a step is a current (see `LIF` for its unit), a `Drive`, or `None`.

    **Raises:** `ValueError` for a parameter whose shape doesn't fit `size`, and for parts that act on spikes without a
    threshold; by `init`, for a jump of a variable that the membrane hasn't got.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        cell = parts.PointNeuron(
            10,
            membrane=parts.LeakyMembrane(v_rest=-60.0, tau=20.0),
            threshold=parts.Threshold(-50.0, npt.surrogate.Sigmoid()),
            reset=parts.HardReset(-65.0, detach=True),
            relative=parts.RelativeRefractory(raise_by=10.0, tau=15.0),
        )
        ```
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    membrane: AbstractMembrane
    threshold: AbstractThreshold | None
    reset: AbstractReset | None
    jumps: dict[str, AbstractJump]
    refractory: Refractory | None
    relative: RelativeRefractory | None
    stepper: AbstractStepper | AbstractFractionalStepper

    def __init__(
        self,
        size: int | tuple[int, ...],
        *,
        membrane: AbstractMembrane,
        threshold: AbstractThreshold | None,
        reset: AbstractReset | None = None,
        jumps: Mapping[str, AbstractJump] | None = None,
        refractory: Refractory | None = None,
        relative: RelativeRefractory | None = None,
        stepper: AbstractStepper | AbstractFractionalStepper | None = None,
    ):
        self.shape = normalise_size(size)
        self.membrane, self.threshold, self.reset, self.jumps = membrane, threshold, reset, dict(jumps or {})
        self.refractory, self.relative = refractory, relative
        self.stepper = ExponentialEuler() if stepper is None else stepper

    def __check_init__(self) -> None:
        check_kind(self.membrane, AbstractMembrane, "membrane", optional=False)
        check_kind(self.threshold, AbstractThreshold, "threshold")
        check_kind(self.reset, AbstractReset, "reset")
        for name, jump in self.jumps.items():
            check_kind(jump, AbstractJump, f"the jump of '{name}'", optional=False)
        check_kind(self.refractory, Refractory, "refractory")
        check_kind(self.relative, RelativeRefractory, "relative")
        fractional = isinstance(self.stepper, AbstractFractionalStepper)
        if not fractional:
            check_kind(self.stepper, AbstractStepper, "stepper")
        on_spikes = {"reset": self.reset, "jumps": self.jumps, "refractory": self.refractory, "relative": self.relative}
        idle = [name for name, part in on_spikes.items() if part]
        if self.threshold is None and idle:
            raise ValueError(
                f"{listing(idle)} act on spikes, but threshold is None: give a threshold, or leave them out"
            )
        for part in (self.membrane, self.threshold, *on_spikes.values()):
            check_shapes(part, self.shape)
        if fractional:
            check_shapes(self.stepper, self.shape)
        _check_dtypes((self.membrane, self.threshold, *on_spikes.values()))

    @property
    def parts(self) -> tuple[str, ...]:
        return ("membrane",)

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> PointNeuronState:
        membrane = self.membrane.init(self.shape, key=key)
        unknown = set(self.jumps) - (set(fields_of(membrane)) - {"v"})
        if unknown:
            raise ValueError(
                f"jumps of {listing(unknown)}: other than the voltage, a {type(self.membrane).__name__} has "
                f"{listing(set(fields_of(membrane)) - {'v'})}"
            )
        missing = set(() if self.threshold is None else self.threshold.reads) - set(fields_of(membrane))
        if missing:
            raise ValueError(
                f"{type(self.threshold).__name__} reads {listing(missing)}, but the variables of "
                f"{type(self.membrane).__name__} are {listing(fields_of(membrane))}"
            )
        left = None if self.refractory is None else self.refractory.init(self.shape)
        raised = None if self.relative is None else self.relative.init(self.shape)
        memory = self.stepper.init(membrane) if isinstance(self.stepper, AbstractFractionalStepper) else None
        return PointNeuronState(membrane, left, dt, raised, memory)

    def silent(self, state: PointNeuronState) -> Spikes:
        """The output of a step in which nobody spikes."""
        return jnp.zeros_like(state.v) if self.threshold is None else self.threshold.silent(state.v)

    def vector_field(self, t: Scalar, y: Any, u: Any) -> Any:
        """The field of the membrane between spikes; `y` is `state.membrane` and `u` a `Drive`."""
        return self.membrane.vector_field(t, y, u)

    def step(
        self, state: PointNeuronState, input: ArrayLike | Drive | None, tick: Tick
    ) -> tuple[PointNeuronState, Spikes]:
        u = Drive.of(input, state.v.dtype)
        self._check(state, u)
        stream = tick.fold("membrane").stream
        raised = state.raised
        if self.relative is not None and raised is not None:
            raised = self.relative.decay(raised, tick.dt)
        field, memory = self._field(state, raised, tick.dt), None
        if isinstance(self.stepper, AbstractStepper):
            y = self.stepper.step(field, tick.t, state.membrane, u, tick.dt, stream)
        else:
            past: Any = state.memory
            y, memory = self.stepper.step(field, tick.t, state.membrane, u, tick.dt, past)
        y = jax.tree.map(lambda new, old: jnp.broadcast_to(new, old.shape), y, state.membrane)
        if self.threshold is None:
            return PointNeuronState(y, None, state.dt, memory=memory), y.v
        before = None
        if not self.threshold.memoryless:
            before = _raised(self.threshold.level(state.membrane), state.raised)
        discrete = self.threshold, self.reset, self.jumps, self.refractory, self.relative
        y, left, raised, spike = _discrete(discrete, y, state.v, before, state.refractory, raised, tick.dt)
        return PointNeuronState(y, left, state.dt, raised, memory), spike

    def _check(self, state: PointNeuronState, u: Drive) -> None:
        """**Raises:** `ValueError` for a state of another kind of cell, and for an input of another shape."""
        fractional = self.stepper if isinstance(self.stepper, AbstractFractionalStepper) else None
        for what, rule, value in (
            ("an absolute refractory period", self.refractory, state.refractory),
            ("a relative refractory period", self.relative, state.raised),
            ("a memory of the past", fractional, state.memory),
        ):
            if (rule is None) != (value is None):
                has, lacks = ("the state", "the cell") if rule is None else ("the cell", "the state")
                raise ValueError(f"{has} has {what}, and {lacks} has none: make the state by this cell's init")
        for part in (u.i, u.g):
            if part is not None and part.shape != () and not fits(part.shape, state.v.shape):
                raise ValueError(
                    f"the input has shape {part.shape}; expected () or {state.v.shape}, one number for each neuron"
                )

    def _field(self, state: PointNeuronState, raised: Array | None, dt: Scalar) -> AbstractField:
        """The membrane as the stepper is to see it."""
        alone = len(jax.tree.leaves(state.membrane)) == 1
        free = None if alone or state.refractory is None else state.refractory <= 0
        ceiling = None
        if self.membrane.runs_away and self.threshold is not None and self.threshold.memoryless:
            ceiling = jax.lax.stop_gradient(_raised(self.threshold.level(state.membrane), raised))
        if free is None and ceiling is None:
            return self.membrane
        return _Confined(self.membrane, state.v, free, ceiling, dt)

    def read(self, path: str, state: PointNeuronState, output: Spikes) -> Array:
        if path == "spike" and self.threshold is not None:
            return output
        also = () if self.threshold is None else ("spike",)
        return find(state, path, who=f"a {type(self.membrane).__name__} neuron", also=also)


_GROWTH = 1e10  # its product with a field of 1e15 mV/ms is still finite in float32


class _Confined(AbstractField):
    """A membrane that sees its voltage held where it is refractory, and never above the threshold.

    So the other variables follow a held voltage in every stage of a stepper; and a voltage that runs away to infinity
    in finite time neither overflows nor carries the other variables along, in a step that ends with a spike anyway.
    """

    membrane: AbstractMembrane
    held: Array
    free: Array | None
    ceiling: Array | None
    dt: Scalar

    def _seen(self, y: Any) -> Any:
        v = y.v
        if self.ceiling is not None:
            v = jnp.where(v < self.ceiling, v, self.ceiling)
        if self.free is not None:
            v = jnp.where(self.free, v, self.held)
        return dataclasses.replace(y, v=v)

    def vector_field(self, t: Scalar, y: Any, u: Any) -> Any:
        return self.membrane.vector_field(t, self._seen(y), u)

    def linear(self, t: Scalar, y: Any, u: Any) -> Any:
        declared = self.membrane.linear(t, self._seen(y), u)
        if self.ceiling is None:
            return declared
        if declared is None:
            declared = dataclasses.replace(y, **dict.fromkeys(fields_of(y)))
        return declared if declared.v is not None else dataclasses.replace(declared, v=self._linearised(t, y, u))

    def _linearised(self, t: Scalar, y: Any, u: Any) -> Linear:
        """The voltage linearised in itself, its slope bounded: a step that would grow it more than `_GROWTH`-fold ends
        with a spike in any case, and exp would overflow."""

        def own(v: Array) -> Array:
            return self.vector_field(t, dataclasses.replace(y, v=v), u).v

        value, slope = jax.jvp(own, (y.v,), (jnp.ones_like(y.v),))
        bound = jnp.asarray(math.log(_GROWTH) / self.dt, slope.dtype)
        slope = jnp.where(slope < bound, slope, bound)
        return Linear(slope, value - slope * y.v)

    def sequence(self) -> Any:
        return self.membrane.sequence()

    def diffusion(self, t: Scalar, y: Any, u: Any) -> Any:
        return self.membrane.diffusion(t, self._seen(y), u)


@eqx.filter_custom_jvp
def _discrete(
    parts: Any, y: Any, v_old: Array, before: Array | None, left: Array | None, raised: Array | None, dt: Scalar
) -> tuple[Any, Array | None, Array | None, Spikes]:
    """The membrane, the steps left to hold, the rise of the threshold and the spikes, after the stepper has moved a
    free membrane to `y`; `before` is the threshold at its begin, where spikes depend on it."""
    threshold, reset, _, refractory, _ = parts
    if reset is None or not threshold.memoryless:
        return _composed(parts, y, v_old, before, left, raised, dt)
    change = reset.voltage(y, threshold.base(y))
    v, left, spike = fire(
        v_old,
        left,
        y.v,
        v_th=_raised(threshold.level(y), raised),
        v_reset=change.amount,
        steps=None if left is None else refractory.steps(dt),
        hard=change.hard,
        boolean=threshold.surrogate is None,
    )
    return *_others(parts, dataclasses.replace(y, v=v), left, raised, spike), spike


@_discrete.def_jvp
def _discrete_jvp(primals: Any, tangents: Any) -> Any:
    return eqx.filter_jvp(_composed, primals, tangents)


def _composed(
    parts: Any, y: Any, v_old: Array, before: Array | None, left: Array | None, raised: Array | None, dt: Scalar
) -> tuple[Any, Array | None, Array | None, Spikes]:
    """`_discrete`, part by part: what it means, and what its derivatives are."""
    threshold, reset, _, refractory, _ = parts
    level = _raised(threshold.level(y), raised)
    before = level if before is None else before
    # the voltage is used by three outputs and the spike by four: the fences make each once, in place
    if left is None:
        (v,) = fence(y.v)
        (spike,) = fence(threshold.spikes(v_old, v, before, level))
    else:
        free = left <= 0
        (v,) = fence(jnp.where(free, y.v, v_old))
        (spike,) = fence(jnp.where(free, threshold.spikes(v_old, v, before, level), threshold.silent(v)))
        left = refractory.advance(left, spike, dt)
    if reset is not None:
        change = reset.voltage(dataclasses.replace(y, v=v), threshold.base(y))
        v = change(v, jax.lax.stop_gradient(spike) if reset.detach else spike)
    return *_others(parts, dataclasses.replace(y, v=v), left, raised, spike), spike


def _others(parts: Any, y: Any, left: Array | None, raised: Array | None, spike: Spikes) -> tuple[Any, Any, Any]:
    """What spikes do to all but the voltage."""
    _, _, jumps, _, relative = parts
    after = {name: where_spike(spike, jump(getattr(y, name)), getattr(y, name)) for name, jump in jumps.items()}
    return dataclasses.replace(y, **after), left, None if raised is None else relative.advance(raised, spike)


def _check_dtypes(parts: Any) -> None:
    """**Raises:** `TypeError` unless all parameters have one dtype; initial values are cast in any case."""
    first: tuple[str, Any] | None = None
    for path, leaf in jax.tree_util.tree_leaves_with_path(parts):
        name = jax.tree_util.keystr(path[-1:]).lstrip(".")
        if not eqx.is_inexact_array(leaf) or any("init" in jax.tree_util.keystr((key,)) for key in path):
            continue
        first = first or (name, leaf.dtype)
        if leaf.dtype != first[1]:
            raise TypeError(
                f"parameter '{name}' is {leaf.dtype}, and '{first[0]}' {first[1]}: give JAX arrays of one dtype, or "
                "numbers, which take the default"
            )


def _raised(level: Array, raised: Array | None) -> Array:
    return level if raised is None else level + raised
