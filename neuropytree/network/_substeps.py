"""A node that is stepped several times in a step of the network."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .._arguments import whole
from .._check import check_tick
from .._node import AbstractHalvedNode, AbstractNode, Add
from .._scan import settle
from .._time import as_dt
from .._types import Tick


class SubstepsState(eqx.Module):
    """State of `Substeps`: that of its `node`; `dt` is the step (ms) of the network that it was made for."""

    node: Any
    dt: float | None = eqx.field(static=True)


class Substeps(AbstractHalvedNode):
    r"""A node that makes `n` steps of $\Delta t / n$ in each step of the network.

    Its input is held over them. What arrives does so at the end of a step of the network. Of its messages, events are
    added up, so that a neuron that spikes twice in a step sends 2; of other messages the last counts.

    **Arguments:**

    - `node`: any node.
    - `n`: number of steps in one of the network. A node that goes by their numbers, such as `npt.sources.SpikeTimes`,
      can be used up to number $2^{31} - 1$.

    **Raises:** `TypeError` or `ValueError` for another thing, or a number that isn't whole and positive.

    !!! example

        ```python
        import neuropytree as npt
        fine = npt.Substeps(npt.Population(npt.neurons.HH(10)), 4)
        net = npt.Network({"fine": fine, "coarse": npt.Population(npt.neurons.LIF(10))})
        sol = npt.simulate(net, net.init(dt=0.1), {"fine": 10.0}, dt=0.1, duration=20.0, record=["fine.spike"])
        ```
    """

    node: AbstractNode
    n: int = eqx.field(static=True)

    def __init__(self, node: AbstractNode, n: int):
        if not isinstance(node, AbstractNode):
            raise TypeError(f"node is a {type(node).__name__}; expected an npt.Population or another node")
        self.node, self.n = node, whole(n, "n", least=1, of="steps")

    @property
    def size(self) -> int:
        return self.node.size

    @property
    def ports(self) -> Mapping[str, int]:
        return self.node.ports

    @property
    def messages(self) -> Mapping[str, int]:
        return self.node.messages

    @property
    def events(self) -> frozenset[str]:
        return self.node.events

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.node.outputs

    @property
    def early(self) -> frozenset[str]:
        return self.node.early if isinstance(self.node, AbstractHalvedNode) else frozenset()

    @property
    def input_shape(self) -> Any:
        return self.node.input_shape

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> SubstepsState:
        dt = None if dt is None else as_dt(dt)
        return SubstepsState(node=self.node.init(dt=None if dt is None else dt / self.n, key=key), dt=dt)

    def move(self, state: SubstepsState, input: Any, tick: Tick) -> "_Moved":
        """All parts of the step but the second half of the last."""
        node = self.node
        assert isinstance(node, AbstractHalvedNode)  # it has early ports
        state, so_far = self._run(self.n - 1, state, input, tick)
        return _Moved(node.move(state.node, input, tick.part(self.n - 1, self.n)), so_far, state.dt)

    def send(self, moved: "_Moved", tick: Tick) -> tuple[SubstepsState, dict[str, Array]]:
        node = self.node
        assert isinstance(node, AbstractHalvedNode)
        inner, messages = node.send(moved.node, tick.part(self.n - 1, self.n))
        return SubstepsState(node=inner, dt=moved.dt), self._added(moved.messages, messages)

    def advance(self, state: SubstepsState, input: Any, tick: Tick) -> tuple[SubstepsState, dict[str, Array]]:
        return self._run(self.n, state, input, tick)

    def _run(self, count: int, state: SubstepsState, input: Any, tick: Tick) -> tuple[SubstepsState, dict[str, Array]]:
        if state.dt is not None:
            check_tick(state.dt, tick)

        def part(carry: Any, j: Array) -> tuple[Any, None]:
            inner, so_far = carry
            inner, messages = self.node.advance(inner, input, tick.part(j, self.n))
            return (inner, self._added(so_far, messages)), None

        start = settle(lambda carry: part(carry, jnp.zeros((), jnp.int32))[0], (state.node, self.silent(state)))
        (inner, sent), _ = jax.lax.scan(part, start, jnp.arange(count, dtype=jnp.int32))
        return SubstepsState(node=inner, dt=state.dt), sent

    def _added(self, so_far: Mapping[str, Array], messages: Mapping[str, Array]) -> dict[str, Array]:
        def one(name: str) -> Array:
            message = messages[name]
            return so_far[name] + message.astype(so_far[name].dtype) if name in self.events else message

        return {name: one(name) for name in messages}

    def deliver(self, state: Any, port: str, add: Add, tick: Tick) -> Any:
        inner = self.node.deliver(state.node, port, add, tick)
        if isinstance(state, _Moved):
            return _Moved(inner, state.messages, state.dt)
        return SubstepsState(node=inner, dt=state.dt)

    def silent(self, state: SubstepsState) -> dict[str, Array]:
        def counted(name: str, x: Array) -> Array:  # of events there may be two
            return x.astype(jnp.result_type(float)) if name in self.events and x.dtype == bool else x

        return {name: counted(name, x) for name, x in self.node.silent(state.node).items()}

    def read(self, path: str, state: SubstepsState, output: Mapping[str, Array]) -> Array:
        return self.node.read(path, state.node, output)


class _Moved(NamedTuple):
    """The inner node before it sends, and the messages so far."""

    node: Any
    messages: Mapping[str, Array]
    dt: float | None
