"""Tables of the results, and what they say against the targets."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from .._runner import markdown
from ._cells import OPERATIONS, Cell
from ._contenders import CONTENDERS, CPP, OURS, OURS_ONE

Result = dict
#: What the contenders said, by cell and contender, of all rounds.
Results = dict[str, dict[str, list[Result]]]
#: The least µs of each contender that was timed, by cell.
Times = dict[Cell, dict[str, float]]

#: The targets: µs of an empty call; times the C++ loop, plus µs; two threads against one; part of the cells won; the
#: least speed as a part of the best peer's.
EMPTY_US, CPP_TIMES, CPP_PLUS_US, THREADS_TIMES, WON, LEAST = 0.8, 1.3, 0.5, 1.6, 0.9, 0.8

TITLES = {
    "empty": "An empty call",
    "matvec": "Matrix–vector product",
    "transposed": "Transposed product",
    "transposed-csc": "Transposed product, with the connections also stored by columns",
    "transposed-once": "The same, with each weight stored once",
    "matmat": "Product with 64 columns",
    "gradient": "Gradient with respect to the weights",
    "outer": "Gradient of per-edge weights, added in place",
    "jit-matvec": "Just-in-time connections: matrix–vector product",
    "jit-transposed": "Just-in-time connections: transposed product",
}


def gather(records: Iterable[Result]) -> Results:
    """Sorts what was said: `{"cell": key, "contender": name, ...}`, any number for each."""
    found: Results = defaultdict(lambda: defaultdict(list))
    for record in records:
        found[record["cell"]][record["contender"]].append(record)
    return {cell: dict(by) for cell, by in found.items()}


def best(said: Sequence[Result]) -> float | None:
    """The least time over rounds, in µs; `None` where it wasn't timed."""
    return min((one["best"] for one in said if "best" in one), default=None)


def median(said: Sequence[Result]) -> float | None:
    """The median over rounds of the medians, in µs."""
    times = [one["median"] for one in said if "median" in one]
    return statistics.median(times) if times else None


def times(by: dict[str, list[Result]]) -> dict[str, float]:
    """The least time of each contender that was timed in a cell."""
    found = {name: best(said) for name, said in by.items()}
    return {name: value for name, value in found.items() if value is not None}


def best_peer(found: dict[str, float]) -> tuple[str, float] | None:
    """The quickest of those that we compare ourselves with, and its time."""
    peers = {name: value for name, value in found.items() if CONTENDERS[name].peer}
    return min(peers.items(), key=lambda one: one[1]) if peers else None


def number(value: float | None) -> str:
    """Microseconds in about three digits."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def percent(activity: float) -> str:
    """An activity as the tables have it."""
    return f"{activity * 100:g} %"


def in_words(cell: Cell) -> str:
    """A cell as a line of the lists has it."""
    what = f"{cell.operation} {cell.size}"
    active = "" if cell.operation == "empty" else f" at {percent(cell.activity)}"
    return f"{what}{active}, {cell.weights}, {cell.events}"


def table(results: Results, operation: str, size: str) -> str | None:
    """The table of an operation at a size: a row for each cell, a column for each contender that was timed in any."""
    cells = [cell for cell in map(Cell.from_key, results) if (cell.operation, cell.size) == (operation, size)]
    if not cells:
        return None
    timed = {name for cell in cells for name in times(results[cell.key])}
    columns = [name for name in CONTENDERS if name in timed]
    if not columns:
        return None
    one_thread = OURS_ONE in columns and CPP in columns
    head = ["weights, events, active", *(CONTENDERS[name].title for name in columns), "best peer / ours"]
    head += ["one thread / C++"] if one_thread else []
    rows = []
    for cell in cells:
        found = times(results[cell.key])
        quickest = min(found.values(), default=None)
        texts = []
        for name in columns:
            wrong = any("wrong" in one for one in results[cell.key].get(name, ()))
            text = "wrong" if wrong else number(found.get(name))
            texts.append(f"**{text}**" if found.get(name) == quickest and quickest is not None else text)
        peer = best_peer(found)
        ratio = f"{peer[1] / found[OURS]:.2f}" if peer and OURS in found else "–"
        row = [f"{cell.weights}, {cell.events}, {percent(cell.activity)}", *texts, ratio]
        if one_thread:
            both = OURS_ONE in found and CPP in found
            row.append(f"{found[OURS_ONE] / found[CPP]:.2f}" if both else "–")
        rows.append(row)
    return markdown(head, rows)


def tables(results: Results) -> list[str]:
    """All tables, each under its heading."""
    sizes = list(dict.fromkeys(Cell.from_key(key).size for key in results))
    texts = []
    for operation in OPERATIONS:
        for size in sizes:
            text = table(results, operation, size)
            if text is not None:
                texts.append(f"#### {TITLES[operation]}, {size}\n\n{text}")
    return texts


def _bullets(lines: Sequence[str], most: int = 40) -> str:
    shown = "\n".join(f"    - {line}" for line in lines[:most])
    return shown + (f"\n    - and {len(lines) - most} more" if len(lines) > most else "")


def _item(text: str, lines: Sequence[str]) -> str:
    return f"- {text}" + (":\n\n" + _bullets(lines) if lines else ".")


def summary(results: Results) -> str:
    """The targets, how far they are reached, and every cell where they aren't, the worst first."""
    found = {Cell.from_key(key): times(by) for key, by in results.items()}
    return "\n".join([empty(found), against_cpp(found), _threads(found), _against_peers(found)])


def empty(found: Times) -> str:
    """What an empty call takes."""
    values = [by[OURS] for cell, by in found.items() if cell.operation == "empty" and OURS in by]
    if not values:
        return "- An empty call: not measured."
    return f"- An empty call takes {number(min(values))} to {number(max(values))} µs (wanted: at most {EMPTY_US})."


def against_cpp(found: Times) -> str:
    """One thread of ours beside the C++ loop."""
    both = {cell: by for cell, by in found.items() if OURS_ONE in by and CPP in by}
    over = sorted(
        (
            (by[OURS_ONE] / by[CPP], cell)
            for cell, by in both.items()
            if by[OURS_ONE] > by[CPP] * CPP_TIMES + CPP_PLUS_US
        ),
        key=lambda one: -one[0],
    )
    text = (
        f"With one thread, at most {CPP_TIMES} times the C++ loop plus {CPP_PLUS_US} µs in {len(both) - len(over)} of "
        f"{len(both)} cells (wanted: all)"
    )
    lines = [
        f"{in_words(cell)}: {number(both[cell][OURS_ONE])} µs, {ratio:.2f} times the loop's {number(both[cell][CPP])}"
        for ratio, cell in over
    ]
    return _item(text, lines)


def _threads(found: Times) -> str:
    wanted = ("100k·1000", 0.1)
    lines = [
        f"{in_words(cell)}: {by[OURS_ONE] / by[OURS]:.2f}"
        for cell, by in found.items()
        if (cell.size, cell.activity) == wanted and OURS in by and OURS_ONE in by
    ]
    if not lines:
        return f"- All cores against one at {wanted[0]} and {percent(wanted[1])}: not measured."
    return _item(f"Speed with all cores as a multiple of that with one (wanted: {THREADS_TIMES})", lines)


def compare(found: Times) -> dict[Cell, tuple[float, str, float, float]]:
    """For each cell with a peer: how many times longer the best takes, its name, its time and ours."""
    compared = {}
    for cell, by in found.items():
        peer = best_peer(by)
        if peer is not None and OURS in by:
            compared[cell] = (peer[1] / by[OURS], peer[0], peer[1], by[OURS])
    return compared


def _against_peers(found: Times) -> str:
    compared = compare(found)
    lost = sorted(((cell, *values) for cell, values in compared.items() if values[0] <= 1), key=lambda one: one[1])
    won = len(compared) - len(lost)
    part = f" ({won / len(compared):.0%})" if compared else ""
    under = sum(one[1] < LEAST for one in lost)
    text = (
        f"Faster than every peer in {won} of {len(compared)} cells{part} (wanted: at least {WON:.0%}); slower than "
        f"{LEAST} of the best in {under} (wanted: none)"
    )
    lines = [
        f"{in_words(cell)}: {number(ours)} µs, {ratio:.2f} of the speed of {CONTENDERS[name].title} ({number(theirs)})"
        for cell, ratio, name, theirs, ours in lost
    ]
    return _item(text, lines)


def not_timed(results: Results) -> list[dict[str, str]]:
    """Who wasn't timed in how many cells, and why, but for what a contender simply hasn't."""
    reasons: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for key, by in results.items():
        for name, said in by.items():
            if best(said) is not None:
                continue
            for one in said[:1]:
                for kind in ("wrong", "failed", "skipped"):
                    if kind in one and not one[kind].endswith(NORMAL):
                        reasons[name, f"{kind}: {one[kind]}"].append(Cell.from_key(key))
    rows = []
    for (name, why), cells in reasons.items():
        where = ", ".join(dict.fromkeys(f"{cell.operation} {cell.size}" for cell in cells))
        rows.append({"contender": CONTENDERS[name].title, "cells": str(len(cells)), "where": where, "why": why})
    return rows


#: Ends of reasons that say nothing about a run: the contender is not meant for the cell.
NORMAL = (
    "no such operation",
    "only meant for dense float events",
    "only slower than not to",
    "no loop for connections made just in time",
)
