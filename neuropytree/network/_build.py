"""From projections to pathways: ends are looked up, slices are put into the connectivity."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, Key

from .._errors import listing, within
from .._node import AbstractNode
from ..connect import embedded
from ._names import End, parse_end
from ._pathway import AbstractPathway, check_pathway
from ._projection import SOURCE_FORM, TARGET_FORM, Projection


class Route(NamedTuple):
    """Where a pathway leads: from `message` of `node` (empty for its first), which waits on `line`, to `port` of
    `to`."""

    node: str
    message: str
    line: str
    to: str
    port: str


def route_of(name: str, projection: Any, nodes: Mapping[str, AbstractNode]) -> Route:
    """The ends of a projection.

    **Raises:** `ValueError` or `TypeError` for ends that aren't there, naming what is.
    """
    if isinstance(projection, AbstractPathway):
        check_pathway(name, projection)
    elif not isinstance(projection, Projection):
        raise TypeError(
            f"projection '{name}' is a {type(projection).__name__}; expected an npt.Projection or an "
            "npt.AbstractPathway"
        )
    source = parse_end(projection.source, f"the source of projection '{name}'", SOURCE_FORM)
    target = parse_end(projection.target, f"the target of projection '{name}'", TARGET_FORM)
    for verb, end, text in (("comes from", source, projection.source), ("targets", target, projection.target)):
        if end.node not in nodes:
            raise ValueError(f"projection '{name}' {verb} '{text}', but the populations are {listing(nodes)}")
    ports = nodes[target.node].ports
    if target.name not in ports:
        raise ValueError(
            f"projection '{name}' targets '{projection.target}', but population '{target.node}' has receptors "
            f"{listing(ports)}"
        )
    node = nodes[source.node]
    if not node.messages:
        raise ValueError(f"projection '{name}' comes from '{source.node}', which sends nothing")
    message = "" if source.name == next(iter(node.messages)) else source.name
    if message and message not in node.messages:
        _check_variable(name, node, source)
    line = f"{source.node}.{message}" if message else source.node
    return Route(source.node, message, line, target.node, target.name)


def _check_variable(name: str, node: AbstractNode, source: End) -> None:
    """A variable may be read as a message, if it has one value for each element.

    **Raises:** `ValueError` otherwise.
    """

    def read(key: Any) -> Array:
        state = node.init(dt=1.0, key=key)
        return node.read(source.name, state, node.silent(state))

    try:
        shape = jax.eval_shape(read, jax.random.key(0)).shape
    except ValueError as error:
        raise ValueError(
            f"projection '{name}' comes from '{source.node}.{source.name}': {error}; its messages are "
            f"{listing(node.messages)}"
        ) from None
    if len(shape) == 0 or _count(shape) != node.size:
        raise ValueError(
            f"projection '{name}' comes from '{source.node}.{source.name}', which has shape {shape}; expected one "
            f"value for each of {node.size} elements"
        )


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def build_pathway(
    name: str,
    projection: Projection | AbstractPathway,
    route: Route,
    nodes: Mapping[str, AbstractNode],
    key: Key[Array, ""] | None,
) -> AbstractPathway:
    """The pathway of a projection, over all elements at both ends.

    **Raises:** `ValueError` naming the projection if a connectivity that is there already has other sizes.
    """
    source = parse_end(projection.source, "source", SOURCE_FORM)
    target = parse_end(projection.target, "target", TARGET_FORM)
    node = nodes[route.node]
    in_size = node.messages.get(route.message or next(iter(node.messages)), node.size)
    out_size = nodes[route.to].ports[route.port]
    rows, columns = source.places(in_size), target.places(out_size)
    for end, places in ((projection.source, rows), (projection.target, columns)):
        if len(places) == 0 and (in_size if places is rows else out_size) > 0:
            raise ValueError(f"projection '{name}': '{end}' has no elements")
    if isinstance(projection, Projection):
        with within(name):
            pathway = projection.build(len(rows), len(columns), key)
    else:
        pathway = projection
    connect = pathway.connect
    if (connect.in_size, connect.out_size) != (len(rows), len(columns)):
        raise ValueError(
            f"projection '{name}' has a connectivity from {connect.in_size} to {connect.out_size} neurons, but "
            f"'{projection.source}' has {len(rows)} and '{projection.target}' {len(columns)}"
        )
    if source.part is None and target.part is None:
        return pathway
    return eqx.tree_at(lambda p: p.connect, pathway, embedded(connect, rows, columns, in_size, out_size))
