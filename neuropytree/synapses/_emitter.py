"""Messages that a population makes of its spikes."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._arguments import check_parameters
from .._types import Spikes, Tick


class AbstractEmitter(eqx.Module):
    """An output of a population: what it sends in the place of its spikes, one state for each neuron.

    Every projection that reads it shares it. In a step it is called after the threshold: its state is first moved over
    the step, to the instant of the spikes, and then these act on it.

    The value that is sent is 0 wherever nothing is sent. So short-term depression and saturating synapses are events
    with a size, and arrive at an ordinary receptor.

    !!! example

        ```python
        import equinox as eqx, jax, jax.numpy as jnp, neuropytree as npt

        class Depression(npt.synapses.AbstractEmitter):
            u: float = 0.5
            tau: float = 100.0

            def init(self, shape, dtype, *, dt=None):
                return jnp.ones(shape, dtype)  # what is left

            def step(self, x, spikes, v, tick):
                x = x + (x - 1) * jnp.expm1(-tick.dt / self.tau)
                released = self.u * x * spikes.astype(x.dtype)
                return x - released, released

        population = npt.Population(npt.neurons.LIF(100), emitters={"std": Depression()})
        ```
    """

    def __check_init__(self) -> None:
        check_parameters(self)

    @abc.abstractmethod
    def init(self, shape: tuple[int, ...], dtype: Any, *, dt: float | None = None) -> Any:
        """The state of neurons of the given shape that have been silent for ever."""

    @abc.abstractmethod
    def step(self, state: Any, spikes: Spikes, v: Float[Array, "..."], tick: Tick) -> tuple[Any, Float[Array, "..."]]:
        """The state at the end of the step, and what is sent, one value for each neuron; `v` is the voltage (mV)."""
