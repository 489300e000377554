"""Cells with input ports."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
from jaxtyping import Array, ArrayLike, Key

from .._errors import listing
from .._types import AbstractDynamics, Drive, Output, Tick, find
from ..neurons import AbstractNeuron
from ..synapses import Receptor


class PopulationState(eqx.Module):
    """State of a `Population`: that of its `cell`, and that of each of its `receptors` by name."""

    cell: Any
    receptors: dict[str, Any]


class Population(AbstractDynamics):
    """Cells of one kind, and the receptors that projections may target.

    **Arguments:**

    - `cell`: the neurons, such as `npt.neurons.LIF(3200)`.
    - `receptors`: input ports by name, each with a state for every neuron. In cells with compartments a receptor acts
      on the soma; or, given as a pair with a compartment (its number, or the name of a site that is one), on that, at
      its voltage.

    The input of a step is the cells' own: a current, a `Drive` or `None`. The output is their spike array.

    **Raises:** `TypeError` or `ValueError` for something that isn't a cell or a receptor, or a name with a dot in it.

    !!! example

        ```python
        import neuropytree as npt
        receptor = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))
        population = npt.Population(npt.neurons.LIF(100), {"exc": receptor})
        ```
    """

    cell: AbstractNeuron
    receptors: dict[str, Receptor]
    places: tuple[tuple[str, int], ...] = eqx.field(static=True)

    def __init__(
        self,
        cell: AbstractNeuron,
        receptors: Mapping[str, Receptor | tuple[Receptor, str | int]] | None = None,
    ):
        if not isinstance(cell, AbstractNeuron):
            raise TypeError(f"cell is a {type(cell).__name__}; expected neurons such as npt.neurons.LIF(100)")
        self.cell, self.receptors, places = cell, {}, {}
        for name, entry in (receptors or {}).items():
            check_name(name, "receptor")
            receptor, where = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, 0)
            if not isinstance(receptor, Receptor):
                raise TypeError(
                    f"receptor '{name}' is a {type(receptor).__name__}; expected an npt.Receptor, or a pair of one and "
                    "the compartment that it acts on"
                )
            self.receptors[name], places[name] = receptor, cell.place(where, f"receptor '{name}'")
        self.places = tuple(places.items())

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.cell.size

    @property
    def input_shape(self) -> tuple[int, ...] | list[tuple[int, ...]]:
        return self.cell.input_shape

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> PopulationState:
        cell = self.cell.init(dt=dt, key=key)
        receptors = {name: r.init(self.cell.shape, cell.v.dtype) for name, r in self.receptors.items()}
        return PopulationState(cell, receptors)

    def decay(self, state: PopulationState, tick: Tick) -> PopulationState:
        """The first part of a step: every receptor decays."""
        receptors = {name: r.decay(state.receptors[name], tick) for name, r in self.receptors.items()}
        return PopulationState(state.cell, receptors)

    def advance(
        self, state: PopulationState, input: ArrayLike | Drive | None, tick: Tick
    ) -> tuple[PopulationState, Output]:
        """The last part of a step: drives from the old voltage, then the cells."""
        received, places = self.cell.membrane.received, dict(self.places)
        drive = received(Drive.of(input, state.cell.v.dtype), self.cell.shape)
        for name in sorted(self.receptors):
            v = self.cell.voltage(state.cell, places[name])
            drive = drive + received(
                self.receptors[name].drive(state.receptors[name], v), self.cell.shape, places[name]
            )
        cell, spikes = self.cell.step(state.cell, drive, tick)
        return PopulationState(cell, state.receptors), spikes

    def step(
        self, state: PopulationState, input: ArrayLike | Drive | None, tick: Tick
    ) -> tuple[PopulationState, Output]:
        """A step in which nothing arrives at the receptors."""
        return self.advance(self.decay(state, tick), input, tick)

    def read(self, path: str, state: PopulationState, output: Output) -> Array:
        head, _, rest = path.partition(".")
        if rest and head in self.receptors:
            return find(state.receptors[head], rest, who=f"receptor '{head}'")
        if rest and head not in self.cell.parts:
            raise ValueError(f"'{path}': there is no receptor '{head}'; there are {listing(self.receptors)}")
        return self.cell.read(path, state.cell, output)


def check_name(name: Any, what: str) -> None:
    """**Raises:** `ValueError` unless `name` can stand in a path."""
    if not isinstance(name, str) or not name or "." in name:
        raise ValueError(f"{what} name {name!r} can't be used in paths; expected a string without dots")
