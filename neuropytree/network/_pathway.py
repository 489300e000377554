"""Pathways: what joins two nodes once a network is built."""

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key

from .._errors import listing
from .._node import AbstractNode
from .._types import Spikes, Tick, find, variables
from ..connect import AbstractConnectivity


class NodeView(NamedTuple):
    """A node at the end of a step: `view["v"]` is its variable or message of that name, as a vector."""

    node: AbstractNode
    state: Any
    messages: Mapping[str, Array]

    def __getitem__(self, path: str) -> Array:
        return self.node.read(path, self.state, self.messages).reshape(-1)


class AbstractPathway(eqx.Module):
    """Connections from a message of one node to a port of another, as a `Network` has them.

    A pathway may have a state, such as weights that learn. In each step the network calls `carry` with the message that
    is due, and at the end of the step `learn`.

    Subclasses have at least these fields, the first three static:

    - `source`, `target`: as in `Projection`.
    - `delay`: in ms, or `None` for none.
    - `connect`: the connectivity, whose weight is where a state begins.

    !!! example

        ```python
        import equinox as eqx, jax.numpy as jnp, neuropytree as npt

        class Depressing(npt.AbstractPathway):
            '''Weights that lose a part of themselves at each event, and recover.'''

            connect: npt.connect.AbstractConnectivity
            source: str = eqx.field(static=True)
            target: str = eqx.field(static=True)
            delay: float | None = eqx.field(static=True, default=None)
            loss: float = 0.1
            tau: float = 200.0

            def init(self, *, dt=None, key=None):
                return {"weight": self.connect.weight}

            def carry(self, state, message, acc, tick):
                return eqx.tree_at(lambda c: c.weight, self.connect, state["weight"])(message, acc)

            def learn(self, state, pre, post, tick):
                w = state["weight"]
                used = self.connect.outer(pre, jnp.ones(self.connect.out_size))  # 1 at edges that carried an event
                return {"weight": w + tick.dt / self.tau * (self.connect.weight - w) - self.loss * used * w}
        ```
    """

    source: eqx.AbstractVar[str]
    target: eqx.AbstractVar[str]
    delay: eqx.AbstractVar[float | None]
    connect: eqx.AbstractVar[AbstractConnectivity]

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> Any:
        """The state for steps of `dt` ms; `None` without any."""
        del dt, key

    @abc.abstractmethod
    def carry(self, state: Any, message: Spikes, acc: Float[Array, " post"], tick: Tick) -> Float[Array, " post"]:
        """`acc` with what the message brings added: `message` has one value for each pre neuron, as it was sent
        `delay` ago."""

    def learn(self, state: Any, pre: Spikes, post: NodeView, tick: Tick) -> Any:
        """The state at the end of the step; `pre` is the message that has just been carried, and `post` the node that
        it arrived at."""
        del pre, post, tick
        return state

    def freeze(self, state: Any) -> "AbstractPathway":
        """The pathway that begins where `state` is: its variable `weight`, if there is one, is the weight of the
        connectivity."""
        found = variables(state)
        if "weight" not in found:
            return self
        return eqx.tree_at(lambda p: p.connect.weight, self, found["weight"])

    def read(self, path: str, state: Any, who: str) -> Array:
        """A variable of the state, or the weight of the connectivity, for recording; `who` is for messages."""
        found = variables(state)
        if path == "weight" and "weight" not in found:
            return self.connect.weight
        return find(state, path, who=who, also=() if "weight" in found else ("weight",))


class Pathway(AbstractPathway):
    """A pathway whose weights stay as they are: what becomes of a `Projection` in a network."""

    connect: AbstractConnectivity
    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    delay: float | None = eqx.field(static=True, default=None)

    def carry(self, state: Any, message: Spikes, acc: Float[Array, " post"], tick: Tick) -> Float[Array, " post"]:
        del state, tick
        if self.connect.weight.dtype == acc.dtype:
            return self.connect(message, acc)
        # weights keep their dtype, such as float32 beside states of float64: what they bring is as exact as they are
        return acc + self.connect(message).astype(acc.dtype)


def check_carried(name: str, got: Any, acc: Array) -> None:
    """**Raises:** `ValueError` for something else than `acc` with more in it."""
    if not eqx.is_array(got) or got.shape != acc.shape or got.dtype != acc.dtype:
        raise ValueError(
            f"what projection '{name}' carries is {_form(got)}; expected acc with something added, "
            f"{acc.dtype.name}{list(acc.shape)}"
        )


def check_pathway_state(name: str, got: Any, want: Any, whose: str) -> None:
    """**Raises:** `ValueError` for a state, `whose` maker the message names, that hasn't the form of `want`."""
    ours, theirs = (dict(jax.tree_util.tree_leaves_with_path(tree)) for tree in (want, got))
    for path in [*ours, *theirs]:
        mine, other = (_form(leaves[path]) if path in leaves else "missing" for leaves in (ours, theirs))
        if mine != other:
            where = jax.tree_util.keystr(path, simple=True, separator=".")
            raise ValueError(f"in the state of projection '{name}', '{where}' {whose} is {other}; expected {mine}")


def _form(x: Any) -> str:
    return f"{x.dtype.name}{list(x.shape)}" if hasattr(x, "dtype") and hasattr(x, "shape") else f"{x!r}"


def check_pathway(name: str, pathway: AbstractPathway) -> None:
    """**Raises:** `TypeError` for a user's pathway that hasn't got what a network needs of it."""
    if not isinstance(getattr(pathway, "connect", None), AbstractConnectivity):
        raise TypeError(
            f"projection '{name}' is a {type(pathway).__name__} whose connect is "
            f"{getattr(pathway, 'connect', None)!r}; expected a connectivity, such as npt.connect.AllToAll()(10, 20)"
        )
    missing = [field for field in ("source", "target", "delay") if not hasattr(pathway, field)]
    if missing:
        raise TypeError(f"projection '{name}' is a {type(pathway).__name__} without the fields {listing(missing)}")
