"""What a network is made of, and what happens in one of its steps, as text."""

from typing import TYPE_CHECKING, Any

from .._node import AbstractHalvedNode
from ..delay import delay_steps
from ._pathway import Pathway
from ._population import Population

if TYPE_CHECKING:
    from ._network import Network


def summarise(net: "Network", dt: float | None) -> str:
    """The text of `Network.summary`."""
    lines = ["Network", "", "populations", *(f"  {name}: {_node(node)}" for name, node in net.nodes.items())]
    lines += ["", "projections"]
    total = 0
    for name, pathway in sorted(net.pathways.items()):
        edges, shape = pathway.connect.nnz, pathway.connect.weight.shape
        total += edges
        kind = "one weight" if shape == () else "weight per edge" if shape[:1] == (edges,) else f"weight {list(shape)}"
        law = "" if isinstance(pathway, Pathway) else f"{type(pathway).__name__}, "
        lines.append(
            f"  {name}: {pathway.source} -> {pathway.target}, {law}{type(pathway.connect).__name__}, nnz {edges}, "
            f"{kind}, {_delay(pathway.delay, dt)}"
        )
    lines += [f"  {total} edges in all", "", "shared"]
    routes = dict(net.routes)
    for port in sorted({f"{r.to}.{r.port}" for r in routes.values()}):
        users = sorted(name for name, r in routes.items() if f"{r.to}.{r.port}" == port)
        lines.append(f"  port {port}: {', '.join(users)}")
    for line, length in _lines(net, dt).items():
        readers = sorted(name for name, r in routes.items() if r.line == line and net.pathways[name].delay is not None)
        lines.append(f"  line of {line}{length}: read by {', '.join(readers)}")
    lines += ["", "one step", *(f"  {n}. {what}" for n, what in enumerate(_schedule(net, dt), 1))]
    return "\n".join(lines)


def _node(node: Any) -> str:
    if not isinstance(node, Population):
        return f"{node.size} x {type(node).__name__}; ports: {', '.join(node.ports) or 'none'}"
    parts = [f"{name} ({type(r.kinetics).__name__}, {type(r.output).__name__})" for name, r in node.receptors.items()]
    parts += [f"{name} (Delta)" for name in sorted(node.jumps)]
    emitters = "".join(f"; emitter {name} ({type(e).__name__})" for name, e in node.emitters.items())
    return f"{node.size} x {type(node.cell.membrane).__name__}; receptors: {', '.join(parts) or 'none'}{emitters}"


def _delay(delay: float | None, dt: float | None) -> str:
    if delay is None:
        return "no delay"
    return f"delay {delay:g} ms" + ("" if dt is None else f" = {delay_steps(delay, dt)} step(s)")


def _lines(net: "Network", dt: float | None) -> dict[str, str]:
    if dt is not None:
        return {line: f", {steps + 1} messages long" for line, steps in sorted(net.line_lengths(dt).items())}
    delayed = {route.line for name, route in net.routes if net.pathways[name].delay}
    return dict.fromkeys(sorted(delayed), "")


def _schedule(net: "Network", dt: float | None) -> list[str]:
    early, late = [], []
    for name, route in net.routes:
        node, delay = net.nodes[route.to], net.pathways[name].delay
        jumps = isinstance(node, AbstractHalvedNode) and route.port in node.early
        delayed = bool(delay) if dt is None else delay_steps(delay, dt) > 0
        (early if jumps and delayed else late).append(f"{name} into {route.to}.{route.port}")
    cells = [name for name, node in net.nodes.items() if isinstance(node, Population)]
    ports = [f"{name}.{port}" for name in cells for port in net.nodes[name].receptors]  # pyright: ignore
    emitters = [f"{name}.{emitter}" for name in cells for emitter in net.nodes[name].emitters]  # pyright: ignore
    learn = [name for name, pathway in sorted(net.pathways.items()) if not isinstance(pathway, Pathway)]
    return [
        f"nodes move, by what is open at the beginning of the step: {', '.join(net.nodes)}",
        f"jumps that are due at its end: {'; '.join(early) or 'none'}",
        f"thresholds and resets: {', '.join(cells) or 'none'}",
        f"emitters: {', '.join(emitters) or 'none'}",
        f"messages are written: {', '.join(_lines(net, dt)) or 'none'}",
        f"receptors relax: {', '.join(ports) or 'none'}; arrivals are added: {'; '.join(late) or 'none'}",
        f"pathways learn: {', '.join(learn) or 'none'}",
    ]
