"""Cells with input ports."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Key

from .._arguments import check_mapping, check_parameters
from .._check import own_state
from .._errors import listing, within
from .._node import AbstractHalvedNode, Add
from .._rule import check_drawn
from .._types import Drive, Tick, find
from ..neurons import AbstractNeuron
from ..ops import count_events
from ..synapses import AbstractEmitter, Delta, Receptor
from ._names import check_name
from ._tactics import after

Port = Receptor | Delta


class PopulationState(eqx.Module):
    """State of a `Population`: that of its `cell`, and those of its `receptors` and `emitters` by name."""

    cell: Any
    receptors: dict[str, Any]
    emitters: dict[str, Any]


class Population(AbstractHalvedNode):
    """Cells of one kind, the receptors that projections may target, and the emitters that they may read.

    **Arguments:**

    - `cell`: the neurons, such as `npt.neurons.LIF(3200)`.
    - `receptors`: input ports by name: an `npt.Receptor`, with a state for every neuron; or `npt.synapses.Delta()`, a
      jump of the voltage. In cells with compartments a port acts on the soma; or, given as a pair with a compartment
      (its number, or the name of a site that is one), on that, at its voltage.
    - `emitters`: messages that are made of the spikes, by name, such as those of synapses with short-term plasticity.

    The input of a step is the cells' own: a current, a `Drive` or `None`. The messages are `"spike"`, where the cells
    have a threshold, the voltage `"v"`, and the emitters; any other variable of the cells may be read as one too.

    **Raises:** `TypeError` or `ValueError` for something that isn't a cell, a receptor or an emitter, and for a name
    that can't be used in paths or means two things.

    !!! example

        ```python
        import neuropytree as npt
        receptor = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))
        population = npt.Population(npt.neurons.LIF(100), {"exc": receptor, "jump": npt.synapses.Delta()})
        ```
    """

    cell: AbstractNeuron
    receptors: dict[str, Receptor]
    emitters: dict[str, AbstractEmitter]
    places: tuple[tuple[str, int], ...] = eqx.field(static=True)
    jumps: frozenset[str] = eqx.field(static=True)

    def __init__(
        self,
        cell: AbstractNeuron,
        receptors: Mapping[str, Port | tuple[Port, str | int]] | None = None,
        emitters: Mapping[str, AbstractEmitter] | None = None,
    ):
        if not isinstance(cell, AbstractNeuron):
            raise TypeError(f"cell is a {type(cell).__name__}; expected neurons such as npt.neurons.LIF(100)")
        self.cell, self.receptors, places, jumps = cell, {}, {}, set()
        self.emitters = dict(check_mapping(emitters, "emitters", "emitters"))
        for name, entry in check_mapping(receptors, "receptors", "receptors").items():
            check_name(name, "receptor")
            if name in ("spike", "v", "count"):
                raise ValueError(
                    f"'{name}' is the name of a receptor and of a variable of the cells; rename the receptor"
                )
            port, where = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, 0)
            if isinstance(port, Delta):
                jumps.add(name)
            elif isinstance(port, Receptor):
                with within(name):
                    port.check(cell.shape)
                self.receptors[name] = port
            else:
                raise TypeError(
                    f"receptor '{name}' is a {type(port).__name__}; expected an npt.Receptor, or npt.synapses.Delta(), "
                    "or a pair of one and the compartment that it acts on"
                )
            places[name] = cell.place(where, f"receptor '{name}'")
        self.places, self.jumps = tuple(places.items()), frozenset(jumps)
        for name, emitter in self.emitters.items():
            check_name(name, "emitter")
            if not isinstance(emitter, AbstractEmitter):
                raise TypeError(f"emitter '{name}' is a {type(emitter).__name__}; expected an npt.synapses emitter")
            with within(name):
                check_parameters(emitter, cell.shape)
            if cell.threshold is None:
                raise ValueError(f"emitter '{name}' is made of spikes, but the cells have no threshold")
            if name in places or name in ("spike", "v"):
                what = "a receptor" if name in places else "a message of the cells"
                raise ValueError(f"'{name}' is the name of an emitter and of {what}; rename the emitter")

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.cell.size

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the neurons."""
        return self.cell.shape

    @property
    def ports(self) -> dict[str, int]:
        return {name: self.size for name, _ in self.places}

    @property
    def messages(self) -> dict[str, int]:
        spike = () if self.cell.threshold is None else ("spike",)
        return dict.fromkeys((*spike, "v", *self.emitters), self.size)

    @property
    def events(self) -> frozenset[str]:
        return frozenset(("spike", *self.emitters))

    @property
    def outputs(self) -> tuple[str, ...]:
        return next(iter(self.messages)), *self.emitters

    @property
    def early(self) -> frozenset[str]:
        return self.jumps

    @property
    def input_shape(self) -> tuple[int, ...] | list[tuple[int, ...]]:
        return self.cell.input_shape

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> PopulationState:
        check_drawn(self)
        cell = self.cell.init(dt=dt, key=key)
        shape, dtype = self.cell.shape, cell.v.dtype
        receptors, emitters = {}, {}
        for name, receptor in self.receptors.items():
            with within(name):
                receptor.check(shape)  # which may have been changed since it was made
                receptors[name] = receptor.init(shape, dtype)
        for name, emitter in self.emitters.items():
            with within(name):
                check_parameters(emitter, shape)
                emitters[name] = emitter.init(shape, dtype, dt=dt)
        return PopulationState(cell=cell, receptors=receptors, emitters=emitters)

    def move(self, state: PopulationState, input: ArrayLike | Drive | None, tick: Tick) -> PopulationState:
        """The cells moved over the step, driven by what their receptors have open; `cell` is no state yet."""
        self._check(state)
        received, places = self.cell.membrane.received, dict(self.places)
        drive = received(Drive.of(input, state.cell.v.dtype), self.cell.shape)
        for name in sorted(self.receptors):
            v, at = self.cell.voltage(state.cell, places[name]), places[name]
            with within(name), self._own(name, state):
                flow = self.receptors[name].drive(state.receptors[name], v, tick, self.cell.membrane.rate)
                drive = drive + received(flow, self.cell.shape, at)
        return PopulationState(self.cell.move(state.cell, drive, tick), state.receptors, state.emitters)

    def _check(self, state: Any) -> None:
        """**Raises:** `TypeError` or `ValueError` for what is no state of this population."""
        if not isinstance(state, PopulationState):
            raise TypeError(f"the state is {state!r}; expected what the population's init makes")
        for what, mine, theirs in (
            ("receptors", self.receptors, state.receptors),
            ("emitters", self.emitters, state.emitters),
        ):
            if mine.keys() != theirs.keys():
                raise ValueError(
                    f"the state has the {what} {listing(theirs)}; expected {listing(mine)}: make the state by this "
                    "population's init"
                )

    def _own(self, name: str, state: PopulationState) -> AbstractContextManager[None]:
        """Says if an error is the state's fault, of the receptor or emitter of that name."""
        shape, dtype = self.cell.shape, state.cell.v.dtype if hasattr(state.cell, "v") else jnp.result_type(float)
        if name in self.receptors:
            return own_state(state.receptors[name], lambda: self.receptors[name].init(shape, dtype))
        return own_state(state.emitters[name], lambda: self.emitters[name].init(shape, dtype, dt=1.0))

    def send(self, moved: PopulationState, tick: Tick) -> tuple[PopulationState, dict[str, Array]]:
        """The threshold, the reset, the emitters; and the receptors relax."""
        cell, spikes = self.cell.fire(moved.cell, tick)
        emitters, sent = {}, {}
        for name, emitter in self.emitters.items():
            with within(name), self._own(name, moved):
                made = emitter.step(moved.emitters[name], spikes, cell.v, tick.fold(name))
                emitters[name], sent[name] = _pair(made, moved.emitters[name], emitter)
        spikes, open_ = after(spikes, moved.receptors)
        receptors = {}
        for name, receptor in self.receptors.items():
            with within(name):
                receptors[name] = receptor.relax(open_[name], tick)
        messages = self._of_cells(cell, spikes) | sent
        return PopulationState(cell=cell, receptors=receptors, emitters=emitters), messages

    def deliver(self, state: PopulationState, port: str, add: Add, tick: Tick) -> PopulationState:
        del tick
        if port in self.jumps:
            cell = self.cell.jump(state.cell, add, dict(self.places)[port])
            return PopulationState(cell=cell, receptors=state.receptors, emitters=state.emitters)
        received = self.receptors[port].receive(state.receptors[port], add)
        return PopulationState(cell=state.cell, receptors=state.receptors | {port: received}, emitters=state.emitters)

    def silent(self, state: PopulationState) -> dict[str, Array]:
        none = {name: jnp.zeros_like(state.cell.v) for name in self.emitters}
        return self._of_cells(state.cell, self.cell.silent(state.cell)) | none

    def _of_cells(self, cell: Any, output: Array) -> dict[str, Array]:
        return ({} if self.cell.threshold is None else {"spike": output}) | {"v": cell.v}

    def read(self, path: str, state: PopulationState, output: Mapping[str, Array]) -> Array:
        if path in self.emitters:
            return output[path]
        if path == "count" and "spike" in self.messages:
            return count_events(output["spike"])
        head, _, rest = path.partition(".")
        for kind, parts in (("receptor", state.receptors), ("emitter", state.emitters)):
            if rest and head in parts:
                return find(parts[head], rest, who=f"{kind} '{head}'")
        if rest and head not in self.cell.parts:
            raise ValueError(f"'{path}': there is no receptor '{head}'; there are {listing(self.ports)}")
        return self.cell.read(path, state.cell, output.get("spike", state.cell.v))


def _pair(made: Any, old: Any, emitter: AbstractEmitter) -> tuple[Any, Array]:
    """What an emitter's step has made: a state and a message. **Raises:** `TypeError` if it is something else."""
    if isinstance(made, tuple) and len(made) == 2 and jax.tree.structure(made[0]) == jax.tree.structure(old):
        return made
    raise TypeError(
        f"{type(emitter).__name__}.step returns {eqx.tree_pformat(made)}; expected a state like "
        f"{eqx.tree_pformat(old)}, and what is sent"
    )
