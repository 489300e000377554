"""The results as the documentation has them: a file with a row for each cell, and one table of what they say."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

from .. import _documents
from .._runner import markdown
from . import _report
from ._cells import OPERATIONS, SIZES, Cell
from ._contenders import CONTENDERS, OURS, OURS_ONE
from ._report import Results, Times

CELL = ("operation", "size", "active", "weights", "events")


def rows_of(results: Results) -> list[_documents.Row]:
    """A row for each cell: the least µs of each contender, `wrong`, or nothing where it wasn't timed."""
    rows = []
    for key, by in results.items():
        cell, found = Cell.from_key(key), _report.times(by)
        row = dict(zip(CELL, (cell.operation, cell.size, f"{cell.activity:g}", cell.weights, cell.events), strict=True))
        for name in CONTENDERS:
            wrong = any("wrong" in one for one in by.get(name, ()))
            row[name] = "wrong" if wrong else f"{found[name]:.4g}" if name in found else ""
        rows.append(row)
    return rows


def times_of(rows: Sequence[_documents.Row]) -> Times:
    """The least time of each contender that was timed, by cell."""
    return {
        Cell.from_key("/".join(row[key] for key in CELL)): {
            name: float(row[name]) for name in CONTENDERS if row[name] not in ("", "wrong")
        }
        for row in rows
    }


def overview(found: Times) -> str:
    """A row for each operation: the median and the least of best peer / ours at each size, and how many are won."""
    compared = _report.compare(found)
    sizes = [size for size in SIZES if any(cell.size == size for cell in found)]
    rows = []
    for operation in OPERATIONS:
        mine = {cell: one[0] for cell, one in compared.items() if cell.operation == operation}
        if mine:
            at = [[ratio for cell, ratio in mine.items() if cell.size == size] for size in sizes]
            texts = [f"{statistics.median(ratios):.1f} ({min(ratios):.2f})" if ratios else "–" for ratios in at]
            rows.append([f"`{operation}`", *texts, f"{sum(ratio > 1 for ratio in mine.values())} of {len(mine)}"])
    return markdown(["operation", *sizes, "faster in"], rows)


def said(found: Times) -> str:
    """What else the results say, in a few lines."""
    lines = [_report.empty(found), _report.against_cpp(found)]
    wanted = ("100k·1000", 0.1)
    threads = [
        by[OURS_ONE] / by[OURS]
        for cell, by in found.items()
        if (cell.size, cell.activity) == wanted and OURS in by and OURS_ONE in by
    ]
    if threads:
        at = f"{wanted[0]} and {_report.percent(wanted[1])}"
        lines.append(f"- All cores are {min(threads):.1f} to {max(threads):.1f} times as quick as one, at {at}.")
    compared = _report.compare(found)
    lost = defaultdict(list)
    for cell, (ratio, *_) in compared.items():
        if ratio <= 1:
            lost[cell.operation].append(ratio)
    if lost:
        each = [f"`{operation}` {len(ratios)} ({min(ratios):.2f})" for operation, ratios in lost.items()]
        lines.append(
            f"- Slower than the quickest peer in {sum(map(len, lost.values()))} of {len(compared)} cells "
            f"(in brackets the least of its speed): {', '.join(each)}."
        )
    return "\n".join(lines)
