"""A node that is stepped several times in a step of the network."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .._node import AbstractHalvedNode, AbstractNode, Add
from .._types import Tick


class Substeps(AbstractHalvedNode):
    r"""A node that makes `n` steps of $\Delta t / n$ in each step of the network.

    Its input is held over them. What arrives does so at the end of a step of the network. Of its messages, events are
    added up, so that a neuron that spikes twice in a step sends 2; of other messages the last counts.

    **Arguments:**

    - `node`: any node.
    - `n`: number of steps in one of the network.

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

    def __check_init__(self) -> None:
        if not isinstance(self.node, AbstractNode):
            raise TypeError(f"node is a {type(self.node).__name__}; expected an npt.Population or another node")
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"n is {self.n!r}; expected a positive whole number of steps")

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
    def early(self) -> frozenset[str]:
        return self.node.early if isinstance(self.node, AbstractHalvedNode) else frozenset()

    @property
    def input_shape(self) -> Any:
        return self.node.input_shape

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> Any:
        return self.node.init(dt=None if dt is None else dt / self.n, key=key)

    def move(self, state: Any, input: Any, tick: Tick) -> "_Moved":
        """All parts of the step but the second half of the last."""
        node = self.node
        assert isinstance(node, AbstractHalvedNode)  # it has early ports
        state, so_far = self._run(self.n - 1, state, input, tick)
        return _Moved(node.move(state, input, tick.part(self.n - 1, self.n)), so_far)

    def send(self, moved: "_Moved", tick: Tick) -> tuple[Any, dict[str, Array]]:
        node = self.node
        assert isinstance(node, AbstractHalvedNode)
        state, messages = node.send(moved.node, tick.part(self.n - 1, self.n))
        return state, self._added(moved.messages, messages)

    def advance(self, state: Any, input: Any, tick: Tick) -> tuple[Any, dict[str, Array]]:
        return self._run(self.n, state, input, tick)

    def _run(self, count: int, state: Any, input: Any, tick: Tick) -> tuple[Any, dict[str, Array]]:
        def part(carry: Any, j: Array) -> tuple[Any, None]:
            state, so_far = carry
            state, messages = self.node.advance(state, input, tick.part(j, self.n))
            return (state, self._added(so_far, messages)), None

        start = state, self.silent(state)
        return jax.lax.scan(part, start, jnp.arange(count, dtype=jnp.int32))[0]

    def _added(self, so_far: Mapping[str, Array], messages: Mapping[str, Array]) -> dict[str, Array]:
        def one(name: str) -> Array:
            message = messages[name]
            return so_far[name] + message.astype(so_far[name].dtype) if name in self.events else message

        return {name: one(name) for name in messages}

    def deliver(self, state: Any, port: str, add: Add, tick: Tick) -> Any:
        if isinstance(state, _Moved):
            return _Moved(self.node.deliver(state.node, port, add, tick), state.messages)
        return self.node.deliver(state, port, add, tick)

    def silent(self, state: Any) -> dict[str, Array]:
        def counted(name: str, x: Array) -> Array:  # of events there may be two
            return x.astype(jnp.result_type(float)) if name in self.events and x.dtype == bool else x

        return {name: counted(name, x) for name, x in self.node.silent(state).items()}

    def read(self, path: str, state: Any, output: Mapping[str, Array]) -> Array:
        return self.node.read(path, state, output)


class _Moved(NamedTuple):
    """The inner node before it sends, and the messages so far."""

    node: Any
    messages: Mapping[str, Array]
