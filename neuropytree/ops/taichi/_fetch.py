"""Rows with events, gathered before they are worked through, so that memory is asked for the edges of those to come.

The rows of few events lie far apart in memory: without this, a kernel waits for each in turn.
"""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

from typing import Any

import taichi as ti
from taichi._lib import core
from taichi.lang.expr import make_expr_group

from ._common import ANY, GROUP, get, next_group, silent
from ._compile import FETCH

ROWS = 64  # gathered at once
WHOLE = 2**31 - 1  # a budget that nothing exceeds
AHEAD = 8  # rows, of which memory has been asked for the edges
LINE = 64  # bytes that memory gives at once
LINES = 16  # asked for at most: the processor sees by itself how a longer row goes on


def mark(element: Any) -> None:
    """Asks memory for an element of an array. Taichi has no word for that: it's a call of a function that isn't there,
    of which `_compile.fetching` makes a prefetch."""
    builder = ti.lang.impl.get_runtime().compiling_callable.ast_builder()
    operands, results = make_expr_group([element]), make_expr_group([])
    builder.insert_external_func_call(FETCH, "", "", "", operands, results, core.DebugInfo())


@ti.func
def fetch(x: ANY, size: ANY, indptr: ANY, row):
    """Asks memory for the elements, of `size` bytes, that a vector has for the edges of a row."""
    first, last, each = indptr[row], indptr[row + 1], ti.static(LINE // size)
    for line in range(first // each, ti.min((last - 1) // each + 1, first // each + LINES)):
        mark(x[line * each])


@ti.func
def room(budget, done, cost, parts):
    """How many edges, of which each takes the time of `cost`, may still be worked through in a call with a budget."""
    edges = WHOLE
    if parts == 1 and budget < WHOLE:  # without a limit `done` may overflow
        edges = (budget - done - 1) // cost + 1
    return edges


@ti.func
def none_gathered():
    return ti.Vector([0] * ROWS, dt=ti.i32)


@ti.func
def gather(rows: ANY, words: ANY, size: ANY, x: ANY, x_row, indptr: ANY, group, first, low, high, end, room):
    """Puts the rows with events, of those from `low` to `high` in the groups from `group` on and before `end`, into
    `rows`, until that is full or they have `room` edges. Row 0 is element `first` of the groups. Returns the group to
    go on with, how many rows there are, and how many edges they have."""
    count, edges = 0, 0
    while group < end and count <= ROWS - GROUP and edges < room:
        for i in range(ti.max(GROUP * group - first, low), ti.min(GROUP * group - first + GROUP, high)):
            if not silent(get(x, x_row, i)):
                rows[count] = i
                count += 1
                edges += indptr[i + 1] - indptr[i]
        group = next_group(words, size, group + 1, end)
    return group, count, edges


@ti.func
def ahead(rows: ANY, count, k):
    """The row whose edges are to be asked for before the `k`-th is worked through, or -1: for rows that follow each
    other the processor knows."""
    row = -1
    if k + AHEAD < count:
        row = rows[k + AHEAD]
        if k + AHEAD > 0 and rows[ti.max(k + AHEAD - 1, 0)] == row - 1:
            row = -1
    return row
