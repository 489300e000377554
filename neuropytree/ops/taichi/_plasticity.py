"""Kernels that change the weights along the rows, or the columns, of the neurons that fired.

`trace` belongs to the neurons at the other end. A row's edges are those from `indptr[i]` on, and the weight of edge `e`
is at `e`; by columns it is at `order[e]`. Rows have no edge in common, so parts are ranges of them.
"""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import itertools

import taichi as ti

from ._common import (
    ANY,
    GROUP,
    INDEX,
    INDICES,
    REAL,
    WORDS,
    Kernel,
    Operand,
    array,
    bounds,
    kinds,
    next_group,
    share,
    width,
    within,
)
from ._csr import FIRST, NEAR
from ._fetch import AHEAD, ahead, fetch, gather, mark, none_gathered, room


def _body(real, size: int, view: bool):
    size_of_weight = width(real)

    @ti.func
    def body(
        weight: ANY,
        words: ANY,
        x: ANY,
        trace: ANY,
        indices: ANY,
        indptr: ANY,
        order: ANY,
        low,
        high,
        begin,
        budget,
        part,
        parts,
    ):
        n = indptr.shape[0] - 1
        count = (n + GROUP - 1) // GROUP - begin
        end = begin + share(count, part + 1, parts)
        group = next_group(words, size, begin + share(count, part, parts), end)
        done = 0
        rows = none_gathered()
        while group < end and (done < budget or parts > 1):
            limit = room(budget, done, 1, parts)
            group, count, edges = gather(rows, words, size, x, 0, indptr, group, 0, 0, n, end, limit)
            done += edges
            for k in range(-AHEAD, count):
                later = ahead(rows, count, k)
                if later >= 0:
                    fetch(indices, 4, indptr, later)
                    if ti.static(view):
                        fetch(order, 4, indptr, later)
                    else:
                        fetch(weight, size_of_weight, indptr, later)
                if ti.static(view):
                    # far apart, each in a line of its own
                    if weight.shape[0] > NEAR and -1 <= k and k + 1 < count:
                        first, last = bounds(indptr, rows[k + 1], indices.shape[0])
                        for e in range(first, ti.min(first + FIRST, last)):
                            mark(weight[order[e]])
                if k >= 0:
                    i = rows[k]
                    event = x[i]
                    first, last = bounds(indptr, i, indices.shape[0])
                    for e in range(first, last):
                        at = order[e] if ti.static(view) else e
                        if within(indices[e], trace.shape[0]) and (ti.static(not view) or within(at, weight.shape[0])):
                            t = trace[indices[e]]
                            w = weight[at] + (t if ti.static(size == 1) else event * t)
                            if w > high:  # NaN stays
                                w = high
                            if w < low:
                                w = low
                            weight[at] = w
        return ti.select(group < end, group, -1)

    return body


def _by_rows(body, real, event):
    reals, events = array(real), array(event)

    @ti.kernel
    def kernel(
        weight: reals,
        words: WORDS,
        x: events,
        trace: reals,
        indices: INDEX,
        indptr: INDEX,
        low: reals,
        high: reals,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            stop = body(
                weight, words, x, trace, indices, indptr, indptr, low[0], high[0], span[0], span[1], span[2], span[3]
            )
            span[4] = stop

    return kernel


def _by_columns(body, real, event):
    reals, events = array(real), array(event)

    @ti.kernel
    def kernel(
        weight: reals,
        words: WORDS,
        x: events,
        trace: reals,
        indices: INDEX,
        indptr: INDEX,
        order: INDEX,
        low: reals,
        high: reals,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            stop = body(
                weight, words, x, trace, indices, indptr, order, low[0], high[0], span[0], span[1], span[2], span[3]
            )
            span[4] = stop

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for (name, real), (side, make) in itertools.product(REAL.items(), (("pre", _by_rows), ("post", _by_columns))):
        values = Operand(name, 1)
        edges = (INDICES,) * (3 if side == "post" else 2)
        for kind, (event, size, operand) in kinds(name).items():
            kernel = make(_body(real, size, side == "post"), real, event)
            operands = (values, operand, values, *edges, values, values)
            kernels[f"npt_csr_on_{side}_{name}_{kind}"] = Kernel(kernel, operands, parts=4)
    return kernels


KERNELS = _kernels()
