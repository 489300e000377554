"""Populations and projections as one dynamics."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Key

from .._errors import listing
from .._types import AbstractDynamics, Tick, fold_key
from ..connect import AbstractConnectivity
from ..delay import RingBuffer, delay_steps
from ..ops import fence
from ..ops._common import Impl, implementation
from ._population import Population, PopulationState, check_name
from ._projection import Projection
from ._summary import summarise


class NetworkState(eqx.Module):
    """State of a `Network`.

    - `populations`: a `PopulationState` by name.
    - `buffers`: for each population that is a source, the spikes that are still to be read.
    - `dt`: the step in ms that the state was made for; delays in it are counted in these steps.
    """

    populations: dict[str, PopulationState]
    buffers: dict[str, RingBuffer]
    dt: float = eqx.field(static=True)


class Network(AbstractDynamics):
    """Populations connected by projections.

    One step, in this order: delayed spikes are read; receptors decay; each projection, by name, adds what arrives to
    its receptor; drives are taken from the old voltages; the cells move and spike; the spikes are written to the
    buffers. All projections that target a receptor share its state, and all that read a source share its buffer.

    **Arguments:**

    - `populations`: by name.
    - `projections`: by name; their rules are applied here.
    - `key`: for random connectivity and weights. Each projection draws from its own stream, given by its name: adding
      one changes no other.
    - `impl`: which implementation of the sparse operators runs, as for `npt.ops.csr_matvec`.

    The input of a step is a dictionary with the input of any of the populations; the output a dictionary of their spike
    arrays.

    **Raises:** `ValueError` for a source, target or receptor that isn't there, naming it and what there is; for a
    missing key; for sizes that don't match.

    !!! example

        ```python
        import jax, neuropytree as npt
        receptor = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.CUBA())
        net = npt.Network(
            populations={"E": npt.Population(npt.neurons.LIF(100), {"exc": receptor})},
            projections={"E->E": npt.Projection("E", "E.exc", npt.connect.FixedProb(0.1), weight=0.5, delay=1.5)},
            key=jax.random.key(0),
        )
        state = net.init(dt=0.1)
        ```
    """

    populations: dict[str, Population]
    projections: dict[str, Projection]
    impl: Impl = eqx.field(static=True)

    def __init__(
        self,
        populations: Mapping[str, Population],
        projections: Mapping[str, Projection] | None = None,
        *,
        key: Key[Array, ""] | None = None,
        impl: Impl = "auto",
    ):
        implementation(impl)
        for name, population in populations.items():
            check_name(name, "population")
            if not isinstance(population, Population):
                raise TypeError(f"population '{name}' is a {type(population).__name__}; expected an npt.Population")
        built = {}
        for name, projection in (projections or {}).items():
            if not isinstance(projection, Projection):
                raise TypeError(f"projection '{name}' is a {type(projection).__name__}; expected an npt.Projection")
            _check_ends(name, projection, populations)
            sizes = populations[projection.source].size, populations[projection.target_population].size
            built[name] = projection.build(name, *sizes, None if key is None else fold_key(key, name))
        self.populations, self.projections, self.impl = dict(populations), built, impl

    @property
    def input_shape(self) -> dict[str, tuple[int, ...] | list[tuple[int, ...]]]:
        return {name: population.input_shape for name, population in self.populations.items()}

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> NetworkState:
        """The initial state for steps of `dt` ms: cells as they start, receptors closed, no spike under way.

        **Raises:** `ValueError` without `dt`, or without a key where an initial value is random.
        """
        if dt is None:
            raise ValueError("Network.init needs dt (ms): delays are counted in steps")
        populations = {
            name: population.init(dt=dt, key=None if key is None else fold_key(key, name))
            for name, population in self.populations.items()
        }
        buffers = {}
        for name, length in self.buffer_lengths(dt).items():
            silent = self.populations[name].cell.silent(populations[name].cell)
            buffers[name] = RingBuffer.zeros(length, silent.shape, silent.dtype)
        return NetworkState(populations, buffers, dt)

    def buffer_lengths(self, dt: float) -> dict[str, int]:
        """For each source, the longest delay that reads it, in steps of `dt` ms."""
        lengths: dict[str, int] = {}
        for projection in self.projections.values():
            steps = delay_steps(projection.delay, dt)
            lengths[projection.source] = max(steps, lengths.get(projection.source, 1))
        return lengths

    def step(
        self, state: NetworkState, input: Mapping[str, Any] | None, tick: Tick
    ) -> tuple[NetworkState, dict[str, Array]]:
        given = input or {}
        states = {name: p.decay(state.populations[name], tick) for name, p in self.populations.items()}
        for name in sorted(self.projections):
            projection = self.projections[name]
            events = state.buffers[projection.source].read(delay_steps(projection.delay, state.dt))
            states[projection.target_population] = self._receive(states, projection, events)
        states = self._arrived(states)
        spikes = {}
        for name, population in self.populations.items():
            states[name], spikes[name] = population.advance(states[name], given.get(name), tick.fold(name))
        buffers = {name: buffer.write(spikes[name]) for name, buffer in state.buffers.items()}
        return NetworkState(states, buffers, state.dt), spikes

    def _arrived(self, states: dict[str, PopulationState]) -> dict[str, PopulationState]:
        """The states, with every read of old spikes before any new spike: the buffers are then written in place."""
        leaves, structure = jax.tree.flatten({name: state.receptors for name, state in states.items()})
        receptors = jax.tree.unflatten(structure, fence(*leaves)) if leaves else {name: {} for name in states}
        return {name: PopulationState(state.cell, receptors[name]) for name, state in states.items()}

    def _receive(self, states: dict[str, PopulationState], projection: Projection, events: Array) -> PopulationState:
        connect, state = projection.connect, states[projection.target_population]
        assert isinstance(connect, AbstractConnectivity)  # made in __init__
        port = projection.target_receptor
        receptor = self.populations[projection.target_population].receptors[port]
        received = receptor.receive(state.receptors[port], connect, events, impl=self.impl)
        return PopulationState(state.cell, {**state.receptors, port: received})

    def read(self, path: str, state: NetworkState, output: dict[str, Array]) -> Array:
        for name, projection in self.projections.items():
            if path.startswith(name + "."):
                rest = path[len(name) + 1 :]
                if rest == "weight":
                    return projection.connect.weight  # pyright: ignore[reportAttributeAccessIssue]
                raise ValueError(f"'{path}' is not a variable of projection '{name}'; it has ['weight']")
        head, _, rest = path.partition(".")
        if head not in self.populations:
            raise ValueError(
                f"'{path}': there is no population '{head}'; there are {listing(self.populations)}, and projections "
                f"{listing(self.projections)}"
            )
        if not rest:
            raise ValueError(
                f"'{path}' names a population; name one of its variables, such as '{path}.spike' or '{path}.v'"
            )
        return self.populations[head].read(rest, state.populations[head], output[head])

    def summary(self, dt: float | None = None) -> str:
        """Prints, and returns, the schedule of one step with sizes, edges, and which receptors and buffers are shared.

        **Arguments:**

        - `dt`: in ms; with it, delays and buffers are also given in steps.
        """
        text = summarise(self, dt)
        print(text)
        return text


def _check_ends(name: str, projection: Projection, populations: Mapping[str, Population]) -> None:
    if projection.source not in populations:
        raise ValueError(
            f"projection '{name}' comes from '{projection.source}', but the populations are {listing(populations)}"
        )
    target, port = projection.target_population, projection.target_receptor
    if target not in populations:
        raise ValueError(
            f"projection '{name}' targets '{projection.target}', but the populations are {listing(populations)}"
        )
    if port not in populations[target].receptors:
        raise ValueError(
            f"projection '{name}' targets '{projection.target}', but population '{target}' has receptors "
            f"{listing(populations[target].receptors)}"
        )
