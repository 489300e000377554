"""What was measured, as the documentation has it: files of figures in `docs/data`, and tables of them in a page.

A table is a function of its file, so that `python -m benchmarks docs` makes all of them again without measuring.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from . import _runner

DOCS = _runner.REPOSITORY / "docs"
DATA, PAGE = DOCS / "data", DOCS / "benchmarks.md"

#: The help of `--write`.
WRITE = "put the figures into docs/data, and their table into docs/benchmarks.md or a figure"

#: What every system of a network is measured by.
MEASURED = ("us_per_step", "least", "build_s", "compile_s", "peak_mb", "rate_hz", "simulated_ms")

Row = dict[str, str]


def read(name: str) -> list[Row]:
    """The rows of a file in `docs/data`."""
    with (DATA / f"{name}.tsv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a file in `docs/data`; the columns are those of the first row."""
    with (DATA / f"{name}.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, list(rows[0]), delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        writer.writeheader()
        writer.writerows(rows)


def record(benchmark: str, *, date: str, machine: str, rounds: str, versions: str) -> None:
    """Notes when, on what, how often and with what something was measured."""
    new = {"benchmark": benchmark, "date": date, "machine": machine, "rounds": rounds, "versions": versions}
    runs = {row["benchmark"]: row for row in read("runs")} | {benchmark: new}
    write("runs", list(runs.values()))


def today() -> str:
    """The date of a measurement that has just been made."""
    return datetime.date.today().isoformat()


def rounds(count: int) -> str:
    """How often something was measured."""
    return f"{count} round" + ("s" if count != 1 else "")


def under(benchmark: str) -> str:
    """The line below a table that says where it comes from."""
    run = next(row for row in read("runs") if row["benchmark"] == benchmark)
    versions = f" Versions: {run['versions']}." if run["versions"] else ""
    return f"{run['date']}; {run['machine']}; {run['rounds']}.{versions}"


def measured_rows(measured: Mapping[str, _runner.Measured]) -> list[dict[str, Any]]:
    """A row for each system that has results."""
    rows = []
    for name, one in measured.items():
        if one.results:
            values = {key: one.median(key) for key in MEASURED if key != "least"} | {"least": one.least("us_per_step")}
            rows.append({"system": name} | {key: f"{values[key]:.4g}" for key in MEASURED})
    return rows


def sizes_table(rows: Sequence[Row], *, base: str, typical: str) -> str:
    """Systems by size: the time of a step, in brackets as a multiple of that of `base`; and at one size what else."""
    sizes = list(dict.fromkeys(row["neurons"] for row in rows))
    by = {(row["system"], row["neurons"]): row for row in rows}
    systems = list(dict.fromkeys(row["system"] for row in rows))

    def steps(system: str, size: str) -> str:
        if (system, size) not in by:
            return "–"
        value, ours = (float(by[name, size]["us_per_step"]) for name in (system, base))
        return _runner.number(value) if system == base else f"{_runner.number(value)} ({value / ours:.1f})"

    def at_least_size(system: str) -> float:
        return float(by[system, sizes[0]]["us_per_step"]) if (system, sizes[0]) in by else float("inf")

    lines = []
    for system in sorted(systems, key=at_least_size):
        other = by.get((system, typical), {})
        lines.append(
            [_bold(system, base), *(steps(system, size) for size in sizes)]
            + [other.get(key, "–") for key in ("build_s", "compile_s", "peak_mb")]
        )
    head = ["system", *(f"{_thousands(size)} neurons" for size in sizes), "build s", "compile s", "peak MB"]
    return _runner.markdown(head, lines)


def systems_table(rows: Sequence[Row], *, base: str) -> str:
    """Systems at one size, the quickest first."""
    ours = next(float(row["us_per_step"]) for row in rows if row["system"] == base)
    lines = []
    for row in sorted(rows, key=lambda row: float(row["us_per_step"])):
        value = float(row["us_per_step"])
        rest = [row[key] for key in ("build_s", "compile_s", "peak_mb", "rate_hz")]
        lines.append([_bold(row["system"], base), _runner.number(value), f"{value / ours:.1f}", *rest])
    head = ["system", "µs/step", "times ours", "build s", "compile s", "peak MB", "rate Hz"]
    return _runner.markdown(head, lines)


def growth_line(rows: Sequence[Row]) -> str:
    """How the time of a neuron goes with their number."""
    each = [
        f"{float(row['us_per_step']) / int(row['neurons']) * 1e3:.1f} ns at {_thousands(row['neurons'])}"
        for row in rows
    ]
    return f"Ours alone, growing, takes for a neuron's step {', '.join(each)} neurons."


def overhead_table(rows: Sequence[Row]) -> str:
    """`Network` beside loops by hand."""
    lines = []
    for row in rows:
        hand, plain, gradients = (float(row[key]) for key in ("by_hand", "network", "network_gradients"))
        both = [f"{_runner.number(value)} ({value / hand:.2f})" for value in (plain, gradients)]
        lines.append([row["form"], _thousands(row["neurons"]), _runner.number(hand), *both])
    head = ["form", "neurons", "by hand", "Network, boolean spikes", "Network, spikes with gradients"]
    return _runner.markdown(head, lines)


def random_table(rows: Sequence[Row]) -> str:
    """Draws, ours and theirs."""
    lines, sizes = [], {row["numbers"] for row in rows}
    for row in rows:
        times = [float(row[who]) for who in ("neuropytree", "jax", "numpy")]
        theirs = [f"{x:.1f} ({x / times[0]:.1f})" for x in times[1:]]
        draw = row["draw"] + (f", {row['numbers']} in a step" if len(sizes) > 1 else "")
        lines.append([draw, f"{times[0]:.1f}", *theirs])
    return _runner.markdown(["draw", "npt.random", "jax.random", "NumPy"], lines)


def put(marker: str, run: str, *blocks: str) -> None:
    """Puts a table, and what else is said, into the page, and below it which run they come from."""
    _runner.write_between(PAGE, f"{marker} table", "\n\n".join([*blocks, under(run)]))


def _bold(system: str, base: str) -> str:
    return f"**{system}**" if system == base else system


def _thousands(number: str) -> str:
    """A number as it is read: 4000, but 40 000."""
    return number if len(number) < 5 else f"{int(number):,}".replace(",", "\N{NO-BREAK SPACE}")
