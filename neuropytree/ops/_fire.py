"""Threshold, refractory hold and reset of point neurons."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._common import KERNEL_DTYPES, Impl
from ._ffi import make_function


def _reference(
    v: Array, left: Array, new: Array, v_th: Array, v_reset: Array, steps: Array, *, hard: bool, hold: bool, kind: str
) -> tuple[Array, Array, Array]:
    free = left <= 0 if hold else jnp.ones(v.shape, bool)
    u = jnp.where(free, new, v)
    fired = free & (u - v_th >= 0 if kind == "float" else u >= v_th)
    after = jnp.where(fired, jnp.broadcast_to(v_reset, u.shape) if hard else u - v_reset, u)
    left = jnp.where(fired, steps, jnp.maximum(left - 1, 0)) if hold else left
    return after, left, fired if kind == "bool" else fired.astype(v.dtype)


def _kernel(v: Any, *operands: Any, hard: bool, hold: bool, kind: str) -> str | None:
    dtype = KERNEL_DTYPES.get(v.dtype.name)
    if dtype is None or any(x.size not in (1, v.size) for x in operands):
        return None
    return "_".join(["npt_fire", dtype, "hard" if hard else "soft", *(["hold"] if hold else []), kind])


fire_p = make_function("npt_fire", reference=_reference, kernel=_kernel, in_place=2, by_item=False)


def fire(
    v: Float[Array, "*n"],
    left: Int[Array, "*n"] | None,
    new: Float[Array, "*n"],
    *,
    v_th: Float[Array, "..."],
    v_reset: Float[Array, "..."],
    steps: Int[Array, "..."] | None,
    hard: bool,
    boolean: bool,
    impl: Impl = "auto",
) -> tuple[Array, Array | None, Array]:
    """Voltages, steps left to hold and spikes, after a step that would take the free voltages from `v` to `new`.

    `v_reset` is what a hard reset sets, or a soft one subtracts. Without derivatives: a spike has none of its own. One
    pass over memory, `v` and `left` in place, where XLA would make one for each result and read everything again.
    """
    hold = left is not None
    none = jnp.zeros((1,) * v.ndim, jnp.int32)
    operands = [v, left if hold else none, new]
    for x in (v_th, v_reset, none if steps is None else steps):
        operands.append(jnp.reshape(x, (1,) * (v.ndim - x.ndim) + x.shape))
    kind = "bool" if boolean else "float"
    v, left, spike = fire_p.bind(*operands, hard=hard, hold=hold, kind=kind, batch=(), impl=impl)
    return v, left if hold else None, spike
