"""A point neuron, composed of a membrane, a threshold, a reset, a refractory rule and a stepper."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Int, Key

from .._types import Drive, Scalar, Spikes, Tick, find
from ..integrate import AbstractStepper
from ..ops import fence
from ..ops._fire import fire
from ._base import AbstractNeuron, check_shapes, normalise_size
from ._membrane import AbstractMembrane
from ._spiking import AbstractReset, HardReset, Refractory, SoftReset, Threshold


class PointNeuronState(eqx.Module):
    """State of a `PointNeuron`.

    - `membrane`: the smooth variables, the voltage `v` (mV) among them.
    - `refractory`: steps that each voltage is still held for, int32; `None` without a refractory period.
    - `dt`: the step in ms that the state was made for, or `None` if it wasn't said.
    """

    membrane: Any
    refractory: Int[Array, "..."] | None
    dt: float | None = eqx.field(static=True)

    @property
    def v(self) -> Array:
        """The voltage (mV)."""
        return self.membrane.v


class PointNeuron(AbstractNeuron):
    """A population of point neurons, made of parts that combine freely.

    In a step the stepper moves the membrane, held voltages are put back, the threshold is read, spikes reset the
    membrane and start the refractory period. The output is the spike array.

    **Arguments:**

    - `size`: number of neurons, or their shape.
    - `membrane`: the smooth part.
    - `threshold`: where a spike is, and its gradient.
    - `reset`: what a spike does to the membrane; `None` leaves it alone.
    - `refractory`: absolute refractoriness, or `None`.
    - `stepper`: how the membrane is advanced.

    The input of a step is a current (see `LIF` for its unit), a `Drive`, or `None`.

    **Raises:** `ValueError` for a parameter whose shape doesn't fit `size`.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    membrane: AbstractMembrane
    threshold: Threshold
    reset: AbstractReset | None
    refractory: Refractory | None
    stepper: AbstractStepper

    def __init__(
        self,
        size: int | tuple[int, ...],
        *,
        membrane: AbstractMembrane,
        threshold: Threshold,
        reset: AbstractReset | None,
        refractory: Refractory | None,
        stepper: AbstractStepper,
    ):
        self.shape = normalise_size(size)
        self.membrane, self.threshold, self.reset = membrane, threshold, reset
        self.refractory, self.stepper = refractory, stepper

    def __check_init__(self) -> None:
        for part in (self.membrane, self.threshold, self.reset, self.refractory):
            check_shapes(part, self.shape)

    @property
    def parts(self) -> tuple[str, ...]:
        return ("membrane",)

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> PointNeuronState:
        membrane = self.membrane.init(self.shape, key=key)
        return PointNeuronState(membrane, None if self.refractory is None else self.refractory.init(self.shape), dt)

    def silent(self, state: PointNeuronState) -> Spikes:
        """The output of a step in which nobody spikes."""
        return self.threshold.silent(state.v)

    def vector_field(self, t: Scalar, y: Any, u: Any) -> Any:
        """The field of the membrane between spikes; `y` is `state.membrane` and `u` a `Drive`."""
        return self.membrane.vector_field(t, y, u)

    def step(
        self, state: PointNeuronState, input: ArrayLike | Drive | None, tick: Tick
    ) -> tuple[PointNeuronState, Spikes]:
        u = Drive.of(input, state.v.dtype)
        key = tick.fold("membrane").key
        y = self.stepper.step(self.membrane, tick.t, state.membrane, u, tick.dt, key)
        y = jax.tree.map(lambda new, old: jnp.broadcast_to(new, old.shape), y, state.membrane)
        discrete = self.threshold, self.reset, self.refractory
        y, left, spike = _discrete(discrete, y, state.v, state.refractory, tick.dt)
        return PointNeuronState(y, left, state.dt), spike

    def read(self, path: str, state: PointNeuronState, output: Spikes) -> Array:
        if path == "spike":
            return output
        return find(state, path, who=f"a {type(self.membrane).__name__} neuron", also=("spike",))


@eqx.filter_custom_jvp
def _discrete(parts: Any, y: Any, v_old: Array, left: Array | None, dt: Scalar) -> tuple[Any, Array | None, Spikes]:
    """The membrane, the steps left to hold and the spikes, after the stepper has moved a free membrane to `y`."""
    threshold, reset, refractory = parts
    if not isinstance(reset, HardReset | SoftReset):
        return _composed(parts, y, v_old, left, dt)
    v, left, spike = fire(
        v_old,
        left,
        y.v,
        v_th=threshold.v_th,
        v_reset=reset.v_reset if isinstance(reset, HardReset) else threshold.v_th - reset.v_reset,
        steps=None if left is None else refractory.steps(dt),
        hard=isinstance(reset, HardReset),
        boolean=threshold.surrogate is None,
    )
    return dataclasses.replace(y, v=v), left, spike


@_discrete.def_jvp
def _discrete_jvp(primals: Any, tangents: Any) -> Any:
    return eqx.filter_jvp(_composed, primals, tangents)


def _composed(parts: Any, y: Any, v_old: Array, left: Array | None, dt: Scalar) -> tuple[Any, Array | None, Spikes]:
    """`_discrete`, part by part: what it means, and what its derivatives are."""
    threshold, reset, refractory = parts
    # the voltage is used by three outputs and the spike by four: the fences make each once, in place
    if left is None:
        (v,) = fence(y.v)
        (spike,) = fence(threshold(v))
    else:
        free = left <= 0
        (v,) = fence(jnp.where(free, y.v, v_old))
        (spike,) = fence(jnp.where(free, threshold(v), threshold.silent(v)))
        left = refractory.advance(left, spike, dt)
    y = dataclasses.replace(y, v=v)
    return y if reset is None else reset(y, spike, threshold.v_th), left, spike
