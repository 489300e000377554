"""What neurons without reset have in common: a step, and spikes where the voltage crosses a threshold."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Key

from .._types import Drive, Scalar, Spikes, Tick
from ..integrate import AbstractStepper
from ..ops import fence
from ._base import AbstractNeuron
from ._crossing import Crossing
from ._point import PointNeuronState
from ._refractory import Refractory


class WithoutReset(AbstractNeuron):
    """Neurons whose voltage goes on after a spike; within a refractory period, spikes don't count."""

    threshold: eqx.AbstractVar[Crossing]
    refractory: eqx.AbstractVar[Refractory | None]
    stepper: eqx.AbstractVar[AbstractStepper]

    @abc.abstractmethod
    def _fenced(self, y: Any) -> Any:
        """The membrane after the stepper, with its voltages made once: the state and the spikes use them."""

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> PointNeuronState:
        membrane = self.membrane.init(self.shape, key=key)
        return PointNeuronState(membrane, None if self.refractory is None else self.refractory.init(self.shape), dt)

    def silent(self, state: PointNeuronState) -> Spikes:
        """The output of a step in which nobody spikes."""
        return self.threshold.silent(state.v)

    def vector_field(self, t: Scalar, y: Any, u: Drive) -> Any:
        """The derivative of the whole membrane; `y` is `state.membrane` and `u` a `Drive`."""
        return self.membrane.vector_field(t, y, u)

    def step(
        self, state: PointNeuronState, input: ArrayLike | Drive | None, tick: Tick
    ) -> tuple[PointNeuronState, Spikes]:
        if state.v.shape != self.shape or (state.refractory is None) != (self.refractory is None):
            rests = "without" if state.refractory is None else "with"
            raise ValueError(
                f"the state is that of cells of shape {state.v.shape} {rests} a refractory time; make one by the init "
                f"of this {type(self).__name__}, of shape {self.shape}"
            )
        u, old = self.membrane.received(Drive.of(input, state.v.dtype), self.shape), state.membrane
        y = self.stepper.step(self.membrane, tick.t, old, u, tick.dt, tick.fold("membrane").stream)
        y = self._fenced(jax.tree.map(lambda new, old: jnp.broadcast_to(new, old.shape), y, old))
        left, spike = state.refractory, self.threshold(old.v, y.v)
        if left is not None and self.refractory is not None:
            (spike,) = fence(jnp.where(left <= 0, spike, self.threshold.silent(y.v)))
            left = self.refractory.advance(left, spike, tick.dt)
        return PointNeuronState(y, left, state.dt), spike
