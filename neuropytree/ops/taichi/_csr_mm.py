"""The CSR operators on matrices, many columns of events at once, and the transposed products over a CSC view.

A matrix of events or of results with `c` columns is a vector, entry `(i, k)` at `i * c + k`; what else there is, is as
in `_csr`. Where few columns of a row have an event, each of them goes along the edges alone; else all go at once, which
the compiler makes vector instructions of.

A CSC view of a matrix has the edges in the order of their columns: `rows`, from `starts[j]` on for column `j`, and
`order`, the position of each edge in CSR. With it the transposed product costs the edges of the columns with events;
where these are many, reading along the rows is quicker still.
"""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import itertools

import taichi as ti

from ._common import (
    ANY,
    INDEX,
    INDICES,
    PER_EDGE,
    REAL,
    WORDS,
    Kernel,
    Operand,
    array,
    bounds,
    kinds,
    masking,
    share,
    shared_weight,
    silent,
    within,
)
from ._csr import matvec, transposed_matvec

FEW = 4  # a row with events in fewer than one of so many columns is a sparse one
LANES = 8
# with more events than one of so many, a transposed product goes along the rows; earlier where each edge has a weight
# and these are too many for the cache, since those of a column lie far apart
MANY, MANY_FAR, CACHED = 4, 8, 1 << 21


@ti.func
def _count(x: ANY, first, last):
    n = 0
    for k in range(first, last):
        n += ti.select(silent(x[k]), 0, 1)
    return n


def _weight(homo: bool, view: bool):
    @ti.func
    def at(shared, weight: ANY, order: ANY, e):
        return shared if ti.static(homo) else weight[order[e] if ti.static(view) else e]

    return at


def _scattered(real, homo: bool, size: int, view: bool):
    """`out[j, k] += w_e * x[i, k]` over the edges `e` from `i` to `j`. Items are rows; parts, ranges of columns `k`."""
    at, one, times = _weight(homo, view), shared_weight(real, homo), masking(real, size)

    @ti.func
    def there(order: ANY, e, weights):
        return within(order[e], weights) if ti.static(view and not homo) else True

    @ti.func
    def body(out: ANY, weight: ANY, x: ANY, indices: ANY, indptr: ANY, order: ANY, begin, budget, part, parts):
        n, edges = indptr.shape[0] - 1, indices.shape[0]
        c = x.shape[0] // ti.max(n, 1)
        targets, weights = out.shape[0] // ti.max(c, 1), weight.shape[0]
        low, high = share(c, part, parts), share(c, part + 1, parts)
        i, done, shared = begin, 0, one(weight, 0)
        while i < n and (done < budget or parts > 1):
            count = _count(x, i * c + low, i * c + high)
            start, stop = bounds(indptr, i, edges)
            if 0 < count * FEW and count * FEW < high - low:
                for k in range(low, high):
                    event = x[i * c + k]
                    if not silent(event):
                        for e in range(start, stop):
                            if within(indices[e], targets) and there(order, e, weights):
                                w = at(shared, weight, order, e)
                                out[indices[e] * c + k] += w if ti.static(size == 1) else w * event
                done += count * (stop - start)
            elif count > 0:
                for e in range(start, stop):
                    if within(indices[e], targets) and there(order, e, weights):
                        w, o = at(shared, weight, order, e), indices[e] * c
                        for k in range(low, high):
                            out[o + k] += times(w, x[i * c + k])
                done += (stop - start) * (1 + (high - low) // PER_EDGE)
            i += 1
        return ti.select(i < n, i, -1)

    return body


def _gathered(real, homo: bool, size: int):
    """`out[i, k] += w_e * y[j, k]` over the edges `e` from `i` to `j`. Items are rows; parts, ranges of them."""
    at, one, times = _weight(homo, False), shared_weight(real, homo), masking(real, size)

    @ti.func
    def body(out: ANY, weight: ANY, y: ANY, indices: ANY, indptr: ANY, begin, budget, part, parts):
        n, edges = indptr.shape[0] - 1, indices.shape[0]
        c = out.shape[0] // ti.max(n, 1)
        sources, shared = y.shape[0] // ti.max(c, 1), one(weight, 0)
        i = begin + share(n - begin, part, parts)
        end = begin + share(n - begin, part + 1, parts)
        first = indptr[i]
        while i < end and ((indptr[i] - first) * (1 + c // PER_EDGE) < budget or parts > 1):
            low, high = bounds(indptr, i, edges)
            for e in range(low, high):
                if within(indices[e], sources):
                    w, from_ = at(shared, weight, indices, e), indices[e] * c
                    for k in range(c):
                        out[i * c + k] += times(w, y[from_ + k])
            i += 1
        return ti.select(i < end, i, -1)

    return body


def _sampled(real, p_size: int):
    """`out[e] += sum_k p[i, k] * q[j, k]` for every edge `e` from `i` to `j`. Items are rows; parts, ranges of them."""

    by_p = masking(real, p_size)

    @ti.func
    def times(a, b):
        return ti.select(silent(b), ti.cast(0, real), by_p(ti.cast(b, real), a))

    @ti.func
    def body(out: ANY, p: ANY, q: ANY, indices: ANY, indptr: ANY, begin, budget, part, parts):
        n, edges = indptr.shape[0] - 1, indices.shape[0]
        c = p.shape[0] // ti.max(n, 1)
        targets = q.shape[0] // ti.max(c, 1)
        i = begin + share(n - begin, part, parts)
        end = begin + share(n - begin, part + 1, parts)
        done = 0
        while i < end and (done < budget or parts > 1):
            count = _count(p, i * c, i * c + c)
            low, high = bounds(indptr, i, edges)
            if 0 < count * FEW and count * FEW < c:
                for k in range(c):
                    if not silent(p[i * c + k]):
                        for e in range(low, high):
                            if within(indices[e], targets):
                                out[e] += times(p[i * c + k], q[indices[e] * c + k])
            elif count > 0:
                for e in range(low, high):
                    if within(indices[e], targets):
                        q_row = indices[e] * c
                        totals = ti.Vector([ti.cast(0, real)] * LANES)
                        for g in range(c // LANES):
                            for u in ti.static(range(LANES)):
                                totals[u] += times(p[i * c + g * LANES + u], q[q_row + g * LANES + u])
                        for k in range(c // LANES * LANES, c):
                            totals[0] += times(p[i * c + k], q[q_row + k])
                        out[e] += totals.sum()
            done += (high - low) * ti.select(count > 0, 1 + c // PER_EDGE, 0)
            i += 1
        return ti.select(i < end, i, -1)

    return body


def _plain(body, real, event, scattered: bool):
    vector, events = array(real), array(event)

    @ti.kernel
    def kernel(out: vector, weight: vector, x: events, indices: INDEX, indptr: INDEX, span: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            if ti.static(scattered):
                span[4] = body(out, weight, x, indices, indptr, indices, span[0], span[1], span[2], span[3])
            else:
                span[4] = body(out, weight, x, indices, indptr, span[0], span[1], span[2], span[3])

    return kernel


def _sampling(body, real, p_event, q_event):
    vector, p_array, q_array = array(real), array(p_event), array(q_event)

    @ti.kernel
    def kernel(out: vector, p: p_array, q: q_array, indices: INDEX, indptr: INDEX, span: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            span[4] = body(out, p, q, indices, indptr, span[0], span[1], span[2], span[3])

    return kernel


def _viewed(real, event, homo: bool, size: int):
    """Items of the scattered form are rows of `y`; parts, ranges of columns `k`. Of the other, rows; parts, ranges."""
    vector, events = array(real), array(event)
    scattered, gathered = _scattered(real, homo, size, True), _gathered(real, homo, size)

    @ti.kernel
    def kernel(
        out: vector,
        weight: vector,
        y: events,
        indices: INDEX,
        indptr: INDEX,
        rows: INDEX,
        starts: INDEX,
        order: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            if _count(y, 0, y.shape[0]) <= y.shape[0] // MANY:
                span[4] = scattered(out, weight, y, rows, starts, order, span[0], span[1], span[2], span[3])
            else:
                span[4] = gathered(out, weight, y, indices, indptr, span[0], span[1], span[2], span[3])

    return kernel


def _viewed_vector(real, event, homo: bool, size: int):
    """The same for vectors, of the forms that `_csr` has for them."""
    vector, events = array(real), array(event)
    scattered, gathered = matvec(real, homo, size, view=True), transposed_matvec(real, homo, size)

    @ti.kernel
    def kernel(
        out: vector,
        weight: vector,
        words: WORDS,
        y: events,
        indices: INDEX,
        indptr: INDEX,
        rows: INDEX,
        starts: INDEX,
        order: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            begin, budget, part, parts = span[0], span[1], span[2], span[3]
            if _count(y, 0, y.shape[0]) <= y.shape[0] // ti.select(weight.shape[0] > CACHED, MANY_FAR, MANY):
                stop, _done, own = scattered(
                    out, weight, words, y, rows, starts, order, begin, budget, part, parts, 0, 0, 0
                )
                span[4] = stop
                span[5] = own
            else:
                stop, _done, own = gathered(out, weight, words, y, indices, indptr, begin, budget, part, parts, 0, 0, 0)
                span[4] = stop
                span[5] = own

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for name, real in REAL.items():
        vector = Operand(name, 1)
        events = kinds(name, words=False)
        for weight, (kind, (event, size, operand)) in itertools.product(("homo", "edge"), events.items()):
            homo, suffix = weight == "homo", f"{name}_{weight}_{kind}"
            operands = (vector, vector, operand, INDICES, INDICES)
            viewed = (*operands, INDICES, INDICES, INDICES)
            scattered, gathered = _scattered(real, homo, size, False), _gathered(real, homo, size)
            kernels[f"npt_csr_mm_{suffix}"] = Kernel(_plain(scattered, real, event, True), operands, parts=1)
            kernels[f"npt_csr_tmm_{suffix}"] = Kernel(_plain(gathered, real, event, False), operands, parts=4)
            kernels[f"npt_csc_tmm_{suffix}"] = Kernel(_viewed(real, event, homo, size), viewed, parts=1)
            searched = (*viewed[:2], Operand(*operand[:2], words=True), *viewed[3:])
            kernels[f"npt_csc_tmv_{suffix}"] = Kernel(_viewed_vector(real, event, homo, size), searched, parts=1)
        for p, q in itertools.product(events, repeat=2):
            (p_event, p_size, p_operand), (q_event, _, q_operand) = events[p], events[q]
            kernel = _sampling(_sampled(real, p_size), real, p_event, q_event)
            operands = (vector, p_operand, q_operand, INDICES, INDICES)
            kernels[f"npt_csr_smm_{name}_{p}_{q}"] = Kernel(kernel, operands, parts=4)
    return kernels


KERNELS = _kernels()
