"""What every receptor kinetics can do."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from .._types import Scalar, Tick


class AbstractKinetics(eqx.Module):
    """Linear kinetics of a receptor: a decay, and one variable into which what arrives is added.

    Being linear, one copy serves all the synapses onto a neuron.
    """

    @abc.abstractmethod
    def init(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The state of closed channels."""

    @abc.abstractmethod
    def decay(self, state: Any, dt: Scalar) -> Any:
        """The state a step of `dt` ms later, with nothing arriving."""

    @abc.abstractmethod
    def receive(self, state: Any, add: Callable[[Array], Array]) -> Any:
        """The state after arrivals; `add` takes the variable that they enter and gives it back with them added."""

    @abc.abstractmethod
    def conductance(self, state: Any) -> Array:
        """What the receptor's output is driven by."""

    def step(self, state: Any, input: ArrayLike, tick: Tick) -> tuple[Any, Array]:
        """Decay, then add `input`; returns the state and the conductance."""
        state = self.receive(self.decay(state, tick.dt), lambda g: g + jnp.asarray(input).astype(g.dtype))
        return state, self.conductance(state)
