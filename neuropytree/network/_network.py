"""Nodes joined by pathways, as one dynamics."""

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .._check import check_tick
from .._errors import check_key, listing, within
from .._node import AbstractHalvedNode, AbstractNode, Add, check_advanced
from .._rule import check_drawn
from .._time import as_dt
from .._types import AbstractDynamics, Tick, fold_key
from ..delay import History, Line, check_line, delay_steps
from ..init import draw
from ._build import Route, build_pathway, route_of
from ._names import check_node_names, check_projection_names
from ._pathway import AbstractPathway, NodeView, check_carried, check_pathway_state
from ._projection import Projection
from ._summary import summarise
from ._tactics import read_first


class NetworkState(eqx.Module):
    """State of a `Network`.

    - `nodes`: the state of each node, by name; of a population, a `PopulationState`.
    - `pathways`: the state of each pathway, by name; `None` for one without.
    - `lines`: the messages that are still to be read, by the name of the message.
    - `dt`: the step in ms that the state was made for; delays in it are counted in these steps.
    """

    nodes: dict[str, Any]
    pathways: dict[str, Any]
    lines: dict[str, Line]
    dt: float = eqx.field(static=True)


class Network(AbstractDynamics):
    """Nodes (populations, sources, layers) joined by projections.

    One step, in this order: (1) nodes move over the step, driven by what their receptors have open at its beginning;
    (2) jumps of voltages that are due at its end are added; (3) thresholds are read, cells reset; (4) emitters turn
    spikes into what they send; (5) messages are written to the lines; (6) receptors relax, and what is due at the end
    of the step arrives, projection by projection in the order of their names; (7) pathways learn. All projections onto
    a port share its state, and all that read a message share its line.

    **Arguments:**

    - `populations`: the nodes by name: each an `npt.Population`, or another `npt.AbstractNode`.
    - `projections`: by name: each an `npt.Projection`, which is built here; or an `npt.AbstractPathway` of your own.
    - `key`: for random connectivity and weights. Each projection draws from its own stream, given by its name: adding
      one changes no other.

    What is built are `net.nodes` and `net.pathways`.

    The input of a step is a dictionary with the input of any node, by its name, and with what arrives at any port from
    outside, by the name of the port: `{"E": 20.0, "E.exc": arrivals}`. The latter is in place at the end of the step.
    The output is a dictionary with the first message of each node by the node's name, and other events by theirs,
    `"E.stp"`.

    **Raises:** `TypeError` or `ValueError` for a name that can't be used, a source, target, message or port that isn't
    there, naming it and what there is; for a missing key; for sizes that don't match.

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

    nodes: dict[str, AbstractNode]
    pathways: dict[str, AbstractPathway]
    routes: tuple[tuple[str, Route], ...] = eqx.field(static=True)

    def __init__(
        self,
        populations: Mapping[str, AbstractNode],
        projections: Mapping[str, Projection | AbstractPathway] | None = None,
        *,
        key: Key[Array, ""] | None = None,
    ):
        for what, given in (("populations", populations), ("projections", projections)):
            if (given is not None or what == "populations") and not isinstance(given, Mapping):
                raise TypeError(f"{what} is a {type(given).__name__}; expected a dictionary by name")
        check_key(key)
        projections = projections or {}
        check_node_names(populations)
        check_projection_names(projections, populations)
        for name, node in populations.items():
            if not isinstance(node, AbstractNode):
                raise TypeError(
                    f"population '{name}' is a {type(node).__name__}; expected an npt.Population or another node"
                )
        nodes = {name: _with_parameters(name, node, key) for name, node in populations.items()}
        pathways, routes = {}, {}
        for name, projection in projections.items():
            routes[name] = route_of(name, projection, nodes)
            own = None if key is None else fold_key(key, name)
            pathways[name] = build_pathway(name, projection, routes[name], nodes, own)
        self.nodes, self.pathways, self.routes = nodes, pathways, tuple(sorted(routes.items()))

    @property
    def input_shape(self) -> dict[str, Any]:
        shapes: dict[str, Any] = {name: node.input_shape for name, node in self.nodes.items()}
        for name, node in self.nodes.items():
            shapes |= {f"{name}.{port}": (size,) for port, size in node.ports.items()}
        return shapes

    def init(
        self,
        *,
        dt: float | None = None,
        key: Key[Array, ""] | None = None,
        history: Mapping[str, History] | None = None,
    ) -> NetworkState:
        """The initial state: cells as they start, and on the lines what `history` says. Receptors are closed, but for
        what is due when the run begins: variables that are read as messages, and events of a history.

        **Arguments:**

        - `dt`: length of a step (ms).
        - `key`: for random initial values; each node and pathway draws from its own stream, given by its name.
        - `history`: what was sent before the run, by the name of the message (`"E"`, `"E.v"`): a number or an array, as
          if for ever; or a function of the time in ms, which is 0 or less. Without, no events, and variables with the
          values that they begin with.

        **Raises:** `ValueError` without `dt`, without a key where an initial value is random, and for a history of a
        message that nothing reads later than it is sent.
        """
        if dt is None:
            raise ValueError("Network.init needs dt (ms): delays are counted in steps")
        dt = as_dt(dt)

        def of(name: str) -> Key[Array, ""] | None:
            return None if key is None else fold_key(key, name)

        nodes, pathways = {}, {}
        for part, states in ((self.nodes, nodes), (self.pathways, pathways)):
            for name in part:
                with within(name):
                    states[name] = part[name].init(dt=dt, key=of(name))
        lengths = self.line_lengths(dt)
        if history is not None and not isinstance(history, Mapping):
            raise TypeError(f"history is a {type(history).__name__}; expected a dictionary by the name of the message")
        if unknown := [name for name in history or {} if self._line(name) not in lengths]:
            raise ValueError(
                f"history has {listing(unknown)}; the messages that are read later than they are sent are "
                f"{listing(lengths)}"
            )
        before = {self._line(name): x for name, x in (history or {}).items()}
        lines = {}
        for name, steps in lengths.items():
            node, _, message = name.partition(".")
            silent = self._message(node, message, nodes[node], self.nodes[node].silent(nodes[node]))
            with within(name):
                lines[name] = Line.filled(steps, silent, dt=dt, history=before.get(name))
        tick = Tick.at(0, dt=dt, key=key)
        nodes = self._begun(nodes, pathways, lines, before, dt, tick)
        return NetworkState(nodes=nodes, pathways=pathways, lines=lines, dt=dt)

    def _begun(
        self, nodes: Any, pathways: Any, lines: dict[str, Line], before: Any, dt: float, tick: Tick
    ) -> dict[str, Any]:
        """The nodes with what is due when the run begins: of variables, and of what has a history. Voltages begin where
        their cells say."""
        nodes, silent = dict(nodes), {name: node.silent(nodes[name]) for name, node in self.nodes.items()}
        for name, route in self.routes:
            node = self.nodes[route.to]
            jumps = isinstance(node, AbstractHalvedNode) and route.port in node.early
            if jumps or (route.line not in before and route.message in self.nodes[route.node].events):
                continue
            message = self._due(name, route, dt, nodes, silent, lines)
            add = self._carrier(name, pathways[name], message, tick)
            nodes[route.to] = node.deliver(nodes[route.to], route.port, add, tick.fold(route.to))
        return nodes

    def _message(self, node: str, message: str, state: Any, messages: Mapping[str, Array]) -> Array:
        """A message of a node, or a variable that is read as one; the first message, if it has no name."""
        return self.nodes[node].read(message or next(iter(self.nodes[node].messages)), state, messages)

    def _line(self, message: Any) -> str:
        """The name of the line of a message, `"E"` also for `"E.spike"`."""
        node, _, rest = str(message).partition(".")
        first = next(iter(self.nodes[node].messages), "") if node in self.nodes else ""
        return node if rest in ("", first) else f"{node}.{rest}"

    def line_lengths(self, dt: float) -> dict[str, int]:
        """For each message that is read later than it is sent, the longest delay in steps of `dt` ms."""
        lengths: dict[str, int] = {}
        for name, route in self.routes:
            try:
                steps = delay_steps(self.pathways[name].delay, dt)
            except ValueError as error:
                raise ValueError(f"projection '{name}': {error}") from None
            if steps > 0:
                lengths[route.line] = max(steps, lengths.get(route.line, 0))
        return lengths

    def step(
        self, state: NetworkState, input: Mapping[str, Any] | None, tick: Tick
    ) -> tuple[NetworkState, dict[str, Array]]:
        self._check(state)
        check_tick(state.dt, tick)
        given = self._given(input)
        nodes, messages, lines = self._advanced(state, given, tick)
        for name, line in lines.items():
            node, _, rest = name.partition(".")
            message = self._message(node, rest, nodes[node], messages[node])
            check_line(name, line, message)
            lines[name] = line.write(message)
        due = {name: self._due(name, route, state.dt, nodes, messages, lines) for name, route in self.routes}
        nodes = self._delivered(state, nodes, due, given, tick)
        pathways = {}
        for name, route in self.routes:
            view = NodeView(self.nodes[route.to], nodes[route.to], messages[route.to])
            with within(name):
                pathways[name] = self.pathways[name].learn(state.pathways[name], due[name], view, tick.fold(name))
            check_pathway_state(name, pathways[name], state.pathways[name], "after learn")
        new = NetworkState(nodes=nodes, pathways=pathways, lines=lines, dt=state.dt)
        return new, self._output(messages)

    def _check(self, state: NetworkState) -> None:
        """**Raises:** `TypeError` or `ValueError` for a state that isn't one of this network."""
        if not isinstance(state, NetworkState):
            raise TypeError(f"the state is a {type(state).__name__}; expected what net.init makes")
        for what, mine, theirs in (
            ("nodes", self.nodes, state.nodes),
            ("pathways", self.pathways, state.pathways),
        ):
            if mine.keys() != theirs.keys():
                raise ValueError(
                    f"the state has the {what} {listing(theirs)}, and the network {listing(mine)}: make the state by "
                    "this network's init"
                )
        for name, pathway in self.pathways.items():
            if state.pathways[name] is not None:
                make = functools.partial(pathway.init, dt=state.dt, key=jax.random.key(0))
                check_pathway_state(name, state.pathways[name], eqx.filter_eval_shape(make), "given to the network")

    def _given(self, input: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """**Raises:** `ValueError` or `TypeError` for an input of something that isn't there."""
        if input is None:
            return {}
        if not isinstance(input, Mapping):
            raise TypeError(f"the input is a {type(input).__name__}; expected a dictionary by node or port")
        known = self.input_shape
        if unknown := [name for name in input if name not in known]:
            raise ValueError(f"the input has {listing(unknown)}, but the network takes {listing(known)}")
        return {name: x for name, x in input.items() if x is not None}

    def _advanced(
        self, state: NetworkState, given: Mapping[str, Any], tick: Tick
    ) -> tuple[dict[str, Any], dict[str, Mapping[str, Array]], dict[str, Line]]:
        """Nodes and their messages after their own part of the step, and the lines that early ports have read."""
        nodes, messages, lines = {}, {}, dict(state.lines)
        for name, node in self.nodes.items():
            now = tick.fold(name)
            ways = [(n, r) for n, r in self.routes if r.to == name and self._is_early(n, r, state.dt)]
            early = node.early if isinstance(node, AbstractHalvedNode) else frozenset()
            outside = sorted(port for port in early if f"{name}.{port}" in given)
            if not isinstance(node, AbstractHalvedNode) or not (ways or outside):
                with within(name):
                    done = node.advance(state.nodes[name], given.get(name), now)
                nodes[name], messages[name] = check_advanced(name, node, done)
                continue
            with within(name):
                moved = node.move(state.nodes[name], given.get(name), now)
            for way, route in ways:
                line, steps = lines[route.line], delay_steps(self.pathways[way].delay, state.dt)
                lines[route.line], message = read_first(line, steps - 1)  # nothing of this step is on it yet
                add = self._carrier(way, state.pathways[way], message.reshape(-1), tick)
                moved = node.deliver(moved, route.port, add, now)
            for port in outside:
                moved = node.deliver(moved, port, _adder(given[f"{name}.{port}"]), now)
            with within(name):
                done = node.send(moved, now)
            nodes[name], messages[name] = check_advanced(name, node, done)
        return nodes, messages, lines

    def _is_early(self, name: str, route: Route, dt: float) -> bool:
        """Whether what a pathway carries arrives before its target sends."""
        node = self.nodes[route.to]
        early = isinstance(node, AbstractHalvedNode) and route.port in node.early
        return early and delay_steps(self.pathways[name].delay, dt) > 0

    def _due(self, name: str, route: Route, dt: float, nodes: Any, messages: Any, lines: dict[str, Line]) -> Array:
        """The message that a pathway carries at the end of the step, as a vector."""
        steps = delay_steps(self.pathways[name].delay, dt)
        if steps:
            return lines[route.line].read(steps).reshape(-1)
        return self._message(route.node, route.message, nodes[route.node], messages[route.node]).reshape(-1)

    def _delivered(
        self, state: NetworkState, nodes: dict[str, Any], due: dict[str, Array], given: Mapping[str, Any], tick: Tick
    ) -> dict[str, Any]:
        """The nodes after everything that arrives at the end of the step."""
        nodes = dict(nodes)
        for name, route in self.routes:
            if not self._is_early(name, route, state.dt):
                add = self._carrier(name, state.pathways[name], due[name], tick)
                nodes[route.to] = self.nodes[route.to].deliver(nodes[route.to], route.port, add, tick.fold(route.to))
        for name, node in self.nodes.items():
            early = node.early if isinstance(node, AbstractHalvedNode) else frozenset()
            for port in node.ports:
                if f"{name}.{port}" in given and port not in early:
                    add = _adder(given[f"{name}.{port}"])
                    nodes[name] = node.deliver(nodes[name], port, add, tick.fold(name))
        return nodes

    def _carrier(self, name: str, state: Any, message: Array, tick: Tick) -> Add:
        """What a pathway does to the variable at its port."""
        pathway, now = self.pathways[name], tick.fold(name)

        def add(acc: Array) -> Array:
            with within(name):
                got = pathway.carry(state, message, acc.reshape(-1), now)
            check_carried(name, got, acc.reshape(-1))
            return got.reshape(acc.shape)

        return add

    def _output(self, messages: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
        output = {}
        for name, node in self.nodes.items():
            for message in node.outputs:
                output[self._line(f"{name}.{message}")] = messages[name][message]
        return output

    def freeze(self, state: NetworkState) -> "Network":
        """The network whose weights are those that its pathways have learned in `state`.

        !!! example

            ```python
            import jax, neuropytree as npt
            net = npt.Network({"E": npt.Population(npt.neurons.LIF(10))})
            learned = net.freeze(net.init(dt=0.1))
            ```
        """
        self._check(state)
        frozen = {name: pathway.freeze(state.pathways[name]) for name, pathway in self.pathways.items()}
        return eqx.tree_at(lambda n: n.pathways, self, frozen)

    def read(self, path: str, state: NetworkState, output: dict[str, Array]) -> Array:
        for name, pathway in self.pathways.items():
            if path.startswith(name + "."):
                return pathway.read(path[len(name) + 1 :], state.pathways[name], f"projection '{name}'")
        head, _, rest = path.partition(".")
        if head == "lines":
            if self._line(rest) not in state.lines:
                raise ValueError(f"'{path}': there is no line of '{rest}'; there are {listing(state.lines)}")
            return state.lines[self._line(rest)].newest_first()
        if head not in self.nodes:
            raise ValueError(
                f"'{path}': there is no population '{head}'; there are {listing(self.nodes)}, and projections "
                f"{listing(self.pathways)}"
            )
        if not rest:
            raise ValueError(
                f"'{path}' names a population; name one of its variables, such as "
                f"'{path}.{next(iter(self.nodes[head].messages))}'"
            )
        sent = {name: output[self._line(f"{head}.{name}")] for name in self.nodes[head].outputs}
        return self.nodes[head].read(rest, state.nodes[head], sent)

    def summary(self, dt: float | None = None) -> str:
        """Prints, and returns, what the network is made of and the schedule of one step: sizes, edges, delays, and
        which ports and lines are shared.

        **Arguments:**

        - `dt`: in ms; with it, delays and lines are also given in steps.
        """
        text = summarise(self, dt)
        print(text)
        return text


def _adder(x: Any) -> Add:
    """What arrives from outside of the network."""

    def add(acc: Array) -> Array:
        arrived = jnp.asarray(x).astype(acc.dtype)
        return acc + (arrived if arrived.ndim in (0, acc.ndim) else arrived.reshape(acc.shape))

    return add


def _with_parameters(name: str, node: AbstractNode, key: Key[Array, ""] | None) -> AbstractNode:
    """The node with the parameters drawn that are rules, from a stream of its own."""
    with within(name):
        if key is None:
            check_drawn(node)
            return node
        return draw(node, key=fold_key(key, name))
