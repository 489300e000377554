"""What a node of a network is."""

import abc
import math
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ._errors import listing
from ._types import AbstractDynamics, State, Tick, find

Add = Callable[[Array], Array]


class AbstractNode(AbstractDynamics):
    """A dynamics with input ports and output messages, each by name, that a `Network` joins by projections.

    A population of neurons is one, a source of spikes, a layer of an artificial network. A network asks no more of it
    than what stands here:

    - `size`: number of its elements.
    - `ports`: number of elements of each port, by name: what a projection `"node.port"` delivers to.
    - `messages`: number of elements of each message, by name: what a projection from `"node.message"` reads. The first
      is meant where only the node is named.
    - `init`, `advance`, `deliver`, `silent`, and `read`, with which its variables are recorded.

    `step`, by which a node is run alone, is `advance`: its output is the messages.

    !!! example

        ```python
        import equinox as eqx, jax.numpy as jnp, neuropytree as npt

        class Running(npt.AbstractNode):
            '''The mean of what arrives, over `tau` ms.'''

            size: int = eqx.field(static=True)
            tau: float = 20.0

            @property
            def ports(self):
                return {"in": self.size}

            @property
            def messages(self):
                return {"mean": self.size}

            def init(self, *, dt=None, key=None):
                return {"mean": jnp.zeros(self.size), "arrived": jnp.zeros(self.size)}

            def advance(self, state, input, tick):
                mean = state["mean"] + tick.dt / self.tau * (state["arrived"] - state["mean"])
                return {"mean": mean, "arrived": jnp.zeros(self.size)}, {"mean": mean}

            def deliver(self, state, port, add, tick):
                return state | {"arrived": add(state["arrived"])}

            def silent(self, state):
                return {"mean": state["mean"]}
        ```
    """

    size: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def ports(self) -> Mapping[str, int]:
        """Number of elements of each input port."""

    @property
    @abc.abstractmethod
    def messages(self) -> Mapping[str, int]:
        """Number of elements of each output message; the first is meant where only the node is named."""

    @property
    def events(self) -> frozenset[str]:
        """Messages that are events: 0 where nothing is sent, and several of them add up."""
        return frozenset()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Messages that are part of a network's output. Others are variables of the state too, and read from there."""
        return tuple(self.messages)

    @abc.abstractmethod
    def advance(self, state: State, input: Any, tick: Tick) -> tuple[State, Mapping[str, Array]]:
        """The state one step on, before anything arrives at its ports, and the messages of the step."""

    @abc.abstractmethod
    def deliver(self, state: State, port: str, add: Add, tick: Tick) -> State:
        """The state after an arrival at a port; `add` takes an array of the port's shape and adds to it what arrives.
        A network calls it at the end of a step, once for each projection onto the port."""

    @abc.abstractmethod
    def silent(self, state: State) -> Mapping[str, Array]:
        """The messages of a step that leaves the state as it is: no events, and variables with the values they have."""

    def step(self, state: State, input: Any, tick: Tick) -> tuple[State, Mapping[str, Array]]:
        return self.advance(state, input, tick)

    def read(self, path: str, state: State, output: Mapping[str, Array]) -> Array:
        if path in output:
            return output[path]
        return find(state, path, who=f"a {type(self).__name__}", also=tuple(output))


class AbstractHalvedNode(AbstractNode):
    """A node with ports that take what arrives before it sends, such as jumps of a voltage that are due before the
    threshold is read.

    A step has two halves. Between `move` and `send` the network delivers to the `early` ports what is due at the end
    of the step and was sent in an earlier one; `deliver` therefore takes what `move` returns as well as a state.
    """

    @property
    @abc.abstractmethod
    def early(self) -> frozenset[str]:
        """The ports in question."""

    @abc.abstractmethod
    def move(self, state: State, input: Any, tick: Tick) -> Any:
        """The first half of a step: everything that doesn't depend on such arrivals."""

    @abc.abstractmethod
    def send(self, moved: Any, tick: Tick) -> tuple[State, Mapping[str, Array]]:
        """The second half: the state at the end of the step, and the messages."""

    def advance(self, state: State, input: Any, tick: Tick) -> tuple[State, Mapping[str, Array]]:
        return self.send(self.move(state, input, tick), tick)


def check_advanced(name: str, node: AbstractNode, done: Any) -> tuple[State, Mapping[str, Array]]:
    """What the node called `name` has made of a step.

    **Raises:** `TypeError` or `ValueError` unless it is a state, and the messages that it has declared.
    """
    if not isinstance(done, tuple) or len(done) != 2 or not isinstance(done[1], Mapping):
        raise TypeError(
            f"node '{name}', a {type(node).__name__}, makes {type(done).__name__} of a step; expected a pair of its "
            "state and a dictionary of its messages"
        )
    sizes = {message: math.prod(jnp.shape(x)) for message, x in done[1].items()}
    if sizes.keys() != node.messages.keys():
        raise ValueError(
            f"node '{name}', a {type(node).__name__}, sends {listing(sizes)}, and has declared {listing(node.messages)}"
        )
    for message, size in node.messages.items():
        if sizes[message] != size and jax.sharding.get_abstract_mesh().empty:  # inside `shard_map` it is a part
            raise ValueError(
                f"the message '{message}' of node '{name}' has {sizes[message]} elements, and {size} were declared"
            )
    return done
