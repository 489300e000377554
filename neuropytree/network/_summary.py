"""What a network is made of, and what happens in one of its steps, as text."""

from typing import TYPE_CHECKING

from ..delay import delay_steps

if TYPE_CHECKING:
    from ._network import Network


def summarise(net: "Network", dt: float | None) -> str:
    """The text of `Network.summary`."""
    lines = ["Network", "", "populations"]
    for name, population in net.populations.items():
        parts = ", ".join(
            f"{port} ({type(r.kinetics).__name__}, {type(r.output).__name__})"
            for port, r in population.receptors.items()
        )
        lines.append(
            f"  {name}: {population.size} x {type(population.cell.membrane).__name__}; receptors: {parts or 'none'}"
        )
    lines += ["", "projections"]
    total = 0
    for name, projection in sorted(net.projections.items()):
        connect = projection.connect
        edges, shape = connect.nnz, connect.weight.shape  # pyright: ignore[reportAttributeAccessIssue]
        total += edges
        kind = "weight per edge" if shape == (edges,) else "one weight" if shape == () else "weights made just in time"
        lines.append(
            f"  {name}: {projection.source} -> {projection.target}, {type(connect).__name__}, nnz {edges}, {kind}, "
            f"delay {_delay(projection.delay, dt)}"
        )
    lines += [f"  {total} edges in all", "", "shared"]
    for target in sorted({p.target for p in net.projections.values()}):
        users = sorted(name for name, p in net.projections.items() if p.target == target)
        lines.append(f"  receptor {target}: {', '.join(users)}")
    for source in sorted({p.source for p in net.projections.values()}):
        users = sorted(name for name, p in net.projections.items() if p.source == source)
        length = "" if dt is None else f", {net.buffer_lengths(dt)[source]} step(s) long"
        lines.append(f"  buffer of {source}{length}: read by {', '.join(users)}")
    lines += ["", "one step", *(f"  {n}. {what}" for n, what in enumerate(_schedule(net), 1))]
    return "\n".join(lines)


def _delay(delay: float | None, dt: float | None) -> str:
    steps = "" if dt is None else f" = {delay_steps(delay, dt)} step(s)"
    return "1 step" if delay is None else f"{delay} ms{steps}"


def _schedule(net: "Network") -> list[str]:
    sources = sorted({p.source for p in net.projections.values()})
    ports = [f"{name}.{port}" for name, population in net.populations.items() for port in population.receptors]
    arrivals = [f"{name} into {p.target}" for name, p in sorted(net.projections.items())]
    names = ", ".join(net.populations)
    return [
        f"read delayed spikes: {', '.join(sources) or 'none'}",
        f"receptors decay: {', '.join(ports) or 'none'}",
        f"arrivals are added: {'; '.join(arrivals) or 'none'}",
        f"drives from the old voltages: {names}",
        f"cells move, spike and reset: {names}",
        f"write spikes: {', '.join(sources) or 'none'}",
    ]
