"""Spikes of neurons that have no reset: the voltage crosses a threshold from below."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import check_kind, real
from .._types import Spikes
from ..surrogate import AbstractSurrogate
from ._threshold import AbstractThreshold


class Crossing(AbstractThreshold):
    r"""A neuron without reset spikes where its voltage crosses $v_\mathrm{th}$ from below within a step,

    $$s = [v_\mathrm{old} < v_\mathrm{th}]\,[v_\mathrm{new} \ge v_\mathrm{th}].$$

    The surrogate $g$ stands for the derivative of either bracket: $\partial s/\partial v_\mathrm{new} =
    g(v_\mathrm{new} - v_\mathrm{th})\,[v_\mathrm{old} < v_\mathrm{th}]$ and $\partial s/\partial v_\mathrm{old} =
    -g(v_\mathrm{old} - v_\mathrm{th})\,[v_\mathrm{new} \ge v_\mathrm{th}]$.

    **Arguments:**

    - `v_th`: threshold (mV).
    - `surrogate`: the derivative $g$; spikes are then 0 or 1 in the dtype of `v`. With `None` spikes are booleans,
      without gradient.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        crossing = npt.neurons.Crossing(0.0, npt.surrogate.Sigmoid())
        crossing(jnp.asarray([-1.0, 1.0]), jnp.asarray([1.0, 2.0]))  # [1., 0.]
        ```
    """

    memoryless = False
    v_th: Float[Array, "..."]
    surrogate: AbstractSurrogate | None

    def __init__(self, v_th: ArrayLike, surrogate: AbstractSurrogate | None):
        self.v_th, self.surrogate = real(v_th, "v_th", infinite=True), surrogate
        check_kind(surrogate, AbstractSurrogate, "surrogate")

    def __call__(self, old: Float[Array, "..."], new: Float[Array, "..."]) -> Spikes:
        return self.spikes(old, new, self.v_th, self.v_th)

    def level(self, y: Any) -> Float[Array, "..."]:
        del y
        return self.v_th

    def base(self, y: Any) -> Float[Array, "..."]:
        del y
        return self.v_th

    def spikes(self, old: Array, new: Array, before: Array, level: Array) -> Spikes:
        return _crosses(old, new, before, level, self.surrogate)


class MovingCrossing(AbstractThreshold):
    r"""A neuron without reset whose threshold moves spikes where its voltage gets above it within a step,

    $$s = [v_\mathrm{old} < v_\mathrm{th,old}]\,[v_\mathrm{new} \ge v_\mathrm{th,new}],$$

    whichever of them has moved. The derivatives are those of `Crossing`.

    **Arguments:**

    - `threshold`: the threshold that is crossed, whose surrogate is used.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.TracedMembrane(parts.LeakyMembrane(v_rest=-60.0, tau=20.0), tau_a=200.0)
        threshold = parts.MovingCrossing(parts.AdaptiveThreshold(-50.0, 1.6, None))
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, jumps={"a": parts.Jump(add=1.0)})
        ```
    """

    memoryless = False
    threshold: AbstractThreshold

    def __init__(self, threshold: AbstractThreshold):
        check_kind(threshold, AbstractThreshold, "threshold", optional=False)
        self.threshold = threshold

    @property
    def surrogate(self) -> AbstractSurrogate | None:
        return self.threshold.surrogate

    @property
    def reads(self) -> tuple[str, ...]:
        return self.threshold.reads

    def level(self, y: Any) -> Float[Array, "..."]:
        return self.threshold.level(y)

    def base(self, y: Any) -> Float[Array, "..."]:
        return self.threshold.base(y)

    def spikes(self, old: Array, new: Array, before: Array, level: Array) -> Spikes:
        return _crosses(old, new, before, level, self.surrogate)


def _crosses(old: Array, new: Array, before: Array, level: Array, surrogate: AbstractSurrogate | None) -> Spikes:
    if surrogate is None:
        return (old < before) & (new >= level)
    return _crossing(old - before, new - level, surrogate)


@eqx.filter_custom_jvp
def _crossing(old: Array, new: Array, surrogate: AbstractSurrogate) -> Array:
    del surrogate
    return ((old < 0) & (new >= 0)).astype(new.dtype)


@_crossing.def_jvp
def _crossing_jvp(primals: Any, tangents: Any) -> Any:
    old, new, surrogate = primals
    d_old, d_new, _ = tangents
    out = _crossing(old, new, surrogate)
    tangent = None
    if d_new is not None:
        tangent = jnp.where(old < 0, surrogate.derivative(new).astype(out.dtype), 0) * d_new
    if d_old is not None:
        below = jnp.where(new >= 0, surrogate.derivative(old).astype(out.dtype), 0) * d_old
        tangent = -below if tangent is None else tangent - below
    return out, tangent
