"""An input port of a population."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from .._types import Drive, Spikes, Tick
from ..connect import AbstractConnectivity
from ..ops._common import Impl
from ._kinetics import AbstractKinetics
from ._outputs import AbstractOutput


class Receptor(eqx.Module):
    """An input port of a population: linear kinetics and an output, one state for each neuron.

    Every projection that names the port shares it. In a step: `decay`, then `receive` once for each projection, then
    `drive`.

    **Arguments:**

    - `kinetics`: how the conductance decays, and what arrivals are added to.
    - `output`: what the conductance does to the membrane.

    !!! example

        ```python
        import neuropytree as npt
        excitation = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))
        ```
    """

    kinetics: AbstractKinetics
    output: AbstractOutput

    def init(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The state with nothing open, for neurons of the given shape."""
        return self.kinetics.init(shape, dtype)

    def decay(self, state: Any, tick: Tick) -> Any:
        """The state one step on, before anything arrives."""
        return self.kinetics.decay(state, tick.dt)

    def receive(self, state: Any, connectivity: AbstractConnectivity, events: Spikes, *, impl: Impl = "auto") -> Any:
        """The state after `events` of the pre neurons have come through `connectivity`."""

        def add(g: Array) -> Array:
            return connectivity(events.reshape(-1), g.reshape(-1), impl=impl).reshape(g.shape)

        return self.kinetics.receive(state, add)

    def drive(self, state: Any, v: Float[Array, "..."]) -> Drive:
        """What flows into cells whose voltage at the beginning of the step is `v` (mV)."""
        return self.output(self.kinetics.conductance(state), v)
