"""The CSR operators on vectors: one body for each operation, from which every variant is generated.

Rows are presynaptic neurons; `indices` holds the columns (postsynaptic neurons) of the edges, row after row ascending,
and row `i` starts at `indptr[i]`. Edges beyond `indptr[-1]` are room in reserve and are never touched. Every kernel
adds to its output in place.

An event array (`x`, `y`, `p`, `q`: boolean or floating, zero meaning that nothing happened) comes as two views of one
buffer, 64-bit words and then elements: the words test many elements at a time.

The batched variants take floating arrays and events with a leading axis of rows, and last a vector
`maps = [B, d_out, m_out, d_a, m_a, d_b, m_b]`: item `b` of `B` uses row `(b // d) % m` of each. Several items may add
to the same row of the output, and then belong to one part. Where all items add to one row (a sum over the batch), parts
are those of the kernel without a batch: if it writes to disjoint memory, every item is shared among all parts;
otherwise parts have outputs of their own, and take whole items.
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
    add,
    any_event,
    array,
    bounds,
    get,
    kinds,
    left,
    masking,
    next_group,
    share,
    shared_weight,
    silent,
    width,
    within,
)
from ._fetch import AHEAD, WHOLE, ahead, fetch, gather, mark, none_gathered, room

FAR = 4  # edges that take the time of one whose weight lies far from those before it
NEAR = 2**19  # weights that lie in the nearer caches
# Additions to a count are so quick that a comparison for each would show. Where what they read lies in the nearest
# cache, a stretch of indices is looked at first, which takes vector instructions
STRETCH, NEAREST = 256, 2**15
LATER, LANE = 128, 16  # of a long row, memory is asked for what comes so many edges later, a line at a time
FIRST = 32  # of such weights of a row, memory is asked for so many while the row before is worked through


@ti.func
def _row(maps: ANY, which: ANY, item):
    return (item // maps[1 + 2 * which]) % maps[2 + 2 * which]


@ti.func
def _shared(maps: ANY, item, row, part, parts, disjoint: ANY):
    """Which part of how many of an item, that adds to `row` of the output, is for part `part` of the batch; and whether
    any of it is."""
    first, of, mine = 0, 1, row % parts == part
    if maps[2] == 1:  # one row for all
        if ti.static(disjoint):
            first, of, mine = part, parts, True
        else:
            mine = item % parts == part
    return first, of, mine


def matvec(real, homo: bool, size: int, *, view: bool = False):
    """`out[j] += w_e * x[i]` over the edges `e` from `i` to `j`. Items are groups of rows; parts, ranges of them, with
    outputs of their own. With a `view`, the weight of edge `e` is at `order[e]`."""
    size_of_weight, one = width(real), shared_weight(real, homo)
    cost = FAR if view and not homo else 1

    @ti.func
    def ordered(
        out: ANY,
        weight: ANY,
        words: ANY,
        x: ANY,
        indices: ANY,
        indptr: ANY,
        order: ANY,
        begin,
        budget,
        part,
        parts,
        o,
        w_row,
        x_row,
    ):
        n = indptr.shape[0] - 1
        first = x_row * n
        start, groups = first // GROUP + begin, (first + n + GROUP - 1) // GROUP - first // GROUP - begin
        end = start + share(groups, part + 1, parts)
        group = next_group(words, size, start + share(groups, part, parts), end)
        weights, targets = weight.shape[ti.static(len(weight.shape) - 1)], out.shape[ti.static(len(out.shape) - 1)]
        far, all_edges = weights > NEAR, indices.shape[0]
        done = 0
        rows = none_gathered()
        shared = one(weight, w_row)
        while group < end and (done < budget or parts > 1):
            limit = room(budget, done, cost, parts)
            group, count, edges = gather(rows, words, size, x, x_row, indptr, group, first, 0, n, end, limit)
            done += edges * cost
            stretch = False  # of rows that follow each other: the processor knows where memory is needed next
            if ti.static(not view):
                stretch = count > 1 and rows[ti.max(count - 1, 0)] - rows[0] == count - 1
            if stretch:
                if ti.static(size == 1):
                    low, _ = bounds(indptr, rows[0], all_edges)
                    _, high = bounds(indptr, rows[ti.max(count - 1, 0)], all_edges)
                    for e in range(low, high):
                        if within(indices[e], targets):
                            add(out, o, indices[e], shared if ti.static(homo) else get(weight, w_row, e))
                else:
                    for i in range(rows[0], rows[0] + count):
                        event = get(x, x_row, i)
                        low, high = bounds(indptr, i, all_edges)
                        for e in range(low, high):
                            if within(indices[e], targets):
                                w = shared if ti.static(homo) else get(weight, w_row, e)
                                add(out, o, indices[e], w * event)
            else:
                for k in range(-AHEAD, count):
                    later = ahead(rows, count, k)
                    if later >= 0:
                        fetch(indices, 4, indptr, later)
                        if ti.static(not homo and view):
                            fetch(order, 4, indptr, later)
                        elif ti.static(not homo and len(weight.shape) == 1):
                            fetch(weight, size_of_weight, indptr, later)
                    if ti.static(not homo and view):
                        # far apart, each in a line of its own
                        if far and -1 <= k and k + 1 < count:
                            low, high = bounds(indptr, rows[k + 1], all_edges)
                            for e in range(low, ti.min(low + FIRST, high)):
                                mark(weight[order[e]])
                    if k >= 0:
                        i = rows[k]
                        event = get(x, x_row, i)
                        low, high = bounds(indptr, i, all_edges)
                        for e in range(low, high):
                            at = order[e] if ti.static(view and not homo) else e
                            if within(indices[e], targets) and (ti.static(homo or not view) or within(at, weights)):
                                w = shared if ti.static(homo) else get(weight, w_row, at)
                                add(out, o, indices[e], w if ti.static(size == 1) else w * event)
        return ti.select(group < end, group - first // GROUP, -1), done, left(done, start, group, end)

    if view:
        return ordered

    @ti.func
    def body(
        out: ANY,
        weight: ANY,
        words: ANY,
        x: ANY,
        indices: ANY,
        indptr: ANY,
        begin,
        budget,
        part,
        parts,
        o,
        w_row,
        x_row,
    ):
        return ordered(out, weight, words, x, indices, indptr, indptr, begin, budget, part, parts, o, w_row, x_row)

    return body


def transposed_matvec(real, homo: bool, size: int):
    """`out[i] += w_e * y[j]` over the edges `e` from `i` to `j`. Items are rows, and parts, ranges of them."""
    masked, counted = masking(real, size), homo and size == 1

    @ti.func
    def term(weight: ANY, y: ANY, e, j, w_row, y_row):
        event = get(y, y_row, j)
        value = ti.cast(0, ti.i32 if ti.static(counted) else real)
        if ti.static(counted):
            value = ti.cast(event, ti.i32)
        else:
            value = masked(get(weight, w_row, 0 if ti.static(homo) else e), event)
        return value

    @ti.func
    def body(
        out: ANY,
        weight: ANY,
        words: ANY,
        y: ANY,
        indices: ANY,
        indptr: ANY,
        begin,
        budget,
        part,
        parts,
        o,
        w_row,
        y_row,
    ):
        n, rows, edges = y.shape[ti.static(len(y.shape) - 1)], indptr.shape[0] - 1, indices.shape[0]
        i = begin + share(rows - begin, part, parts)
        end = begin + share(rows - begin, part + 1, parts)
        if n == 0 or (parts == 1 and not any_event(words, size, y_row * n, n)):
            i = end
        first = indptr[i]
        since, known = 0, 0  # between which edges the indices are known to be within
        while i < end and (indptr[i] - first < budget or parts > 1):
            low, high = bounds(indptr, i, edges)
            a = ti.cast(0, ti.i32 if ti.static(counted) else real)
            b, c, d = a, a, a
            if ti.static(counted):
                if (high > known or low < since) and n <= NEAREST:
                    since, known = low, ti.max(high, ti.min(low + STRETCH, edges))
                    largest = ti.cast(0, ti.u32)
                    for e in range(low, known):
                        largest = ti.max(largest, ti.cast(indices[e], ti.u32))
                    if not within(largest, n):
                        known = low
            if ti.static(counted) and high <= known and n <= NEAREST:
                for e in range(low, high):
                    a += ti.cast(get(y, y_row, indices[e]), ti.i32)
            else:
                for e in range(low, high):  # to four sums in turn, which don't wait for each other
                    changed = a
                    if within(indices[e], n):
                        changed += term(weight, y, e, indices[e], w_row, y_row)
                    a, b, c, d = b, c, d, changed
            total = (a + b) + (c + d)
            if ti.static(not counted):
                add(out, o, i, total)
            elif total != 0:  # no event times an infinite weight is nothing
                add(out, o, i, get(weight, w_row, 0) * total)
            i += 1
        return ti.select(i < end, i, -1), indptr[i] - first, 0

    return body


def _outer(real, p_size: int, q_size: int, *, total: bool = False):
    """`out[e] += p[i] * q[j]` for every edge `e` from `i` to `j`. Items are groups of rows; parts, ranges of them. With
    `total`, `out[0]` gets the sum over all edges, and parts have outputs of their own."""
    masked, size_of_out = masking(real, q_size), width(real)

    @ti.func
    def sampled(out: ANY, q: ANY, indices: ANY, low, high, o, q_row, pre):
        """The edges from `low` to `high`, of one row."""
        n_q = q.shape[ti.static(len(q.shape) - 1)]
        e = low
        if pre - pre == 0:  # finite, and 0 times it is 0
            while e + LATER < high:
                mark(indices[e + LATER])
                if ti.static(len(out.shape) == 1):
                    mark(out[e + LATER])
                for at in range(e, e + LANE):
                    if within(indices[at], n_q):
                        add(out, o, at, pre * ti.cast(get(q, q_row, indices[at]), real))
                e += LANE
            for at in range(e, high):
                if within(indices[at], n_q):
                    add(out, o, at, pre * ti.cast(get(q, q_row, indices[at]), real))
        else:
            for at in range(e, high):
                if within(indices[at], n_q):
                    add(out, o, at, masked(pre, get(q, q_row, indices[at])))

    @ti.func
    def summed(q: ANY, indices: ANY, low, high, q_row, pre):
        n_q = q.shape[ti.static(len(q.shape) - 1)]
        a, b, c, d = ti.cast(0, real), ti.cast(0, real), ti.cast(0, real), ti.cast(0, real)
        if pre - pre == 0:
            for e in range(low, high):  # in turn, so that they don't wait for each other
                changed = a
                if within(indices[e], n_q):
                    changed += ti.cast(get(q, q_row, indices[e]), real)
                a, b, c, d = b, c, d, changed
            a = pre * ((a + b) + (c + d))
        else:
            for e in range(low, high):
                if within(indices[e], n_q):
                    a += masked(pre, get(q, q_row, indices[e]))
        return a

    @ti.func
    def body(
        out: ANY,
        p_words: ANY,
        p: ANY,
        q_words: ANY,
        q: ANY,
        indices: ANY,
        indptr: ANY,
        begin,
        budget,
        part,
        parts,
        o,
        p_row,
        q_row,
    ):
        n, n_q = indptr.shape[0] - 1, q.shape[ti.static(len(q.shape) - 1)]
        # a part has the same rows of each item of a batch, wherever the rows of an item begin within a group
        first, groups = p_row * n, (n + GROUP - 1) // GROUP - begin
        low = GROUP * (begin + share(groups, part, parts))
        high = ti.min(GROUP * (begin + share(groups, part + 1, parts)), n)
        start, end = first // GROUP + begin, (first + high + GROUP - 1) // GROUP
        group = next_group(p_words, p_size, (first + low) // GROUP, end)
        if parts == 1 and not any_event(q_words, q_size, q_row * n_q, n_q):
            group = end
        all_rows = ti.cast(0, ti.f64)
        rows = none_gathered()
        done = 0
        while group < end and (done < budget or parts > 1):
            limit = room(budget, done, 1, parts)
            group, count, edges = gather(rows, p_words, p_size, p, p_row, indptr, group, first, low, high, end, limit)
            done += edges
            for k in range(-AHEAD, count):
                later = ahead(rows, count, k)
                if later >= 0:
                    fetch(indices, 4, indptr, later)
                    if ti.static(not total and len(out.shape) == 1):
                        fetch(out, size_of_out, indptr, later)
                if k >= 0:
                    i = rows[k]
                    pre = ti.cast(get(p, p_row, i), real)
                    edge, last = bounds(indptr, i, indices.shape[0])
                    if ti.static(total):
                        all_rows += ti.cast(summed(q, indices, edge, last, q_row, pre), ti.f64)
                    else:
                        sampled(out, q, indices, edge, last, o, q_row, pre)
        own = 0
        if ti.static(total):
            add(out, o, 0, ti.cast(all_rows, real))
            own = left(done, start, group, end)
        return ti.select(group < end, group - first // GROUP, -1), done, own

    return body


def _fresh_outer(real, p_event, q_event, q_size: int):
    """`out[e] = p[i] * q[j]`: what is written need not be zero before. Items are rows; parts, ranges of them."""
    masked = masking(real, q_size)
    p_array, q_array, real_array = array(p_event), array(q_event), array(real)

    @ti.func
    def product(pre, q: ANY, j):
        value = ti.cast(0, real)
        if within(j, q.shape[0]):
            if pre - pre == 0:  # finite, and 0 times it is 0
                value = pre * ti.cast(q[j], real)
            else:
                value = masked(pre, q[j])
        return value

    @ti.kernel
    def kernel(p: p_array, q: q_array, indices: INDEX, indptr: INDEX, out: real_array, span: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            rows, begin, part, parts, edges = indptr.shape[0] - 1, span[0], span[2], span[3], indices.shape[0]
            i = begin + share(rows - begin, part, parts)
            end = begin + share(rows - begin, part + 1, parts)
            first = indptr[i]
            if parts == 1 and begin == 0:
                falls = ti.cast(indptr[0] > 0, ti.i32)
                for row in range(rows):
                    falls += ti.cast(indptr[row] > indptr[row + 1], ti.i32)
                if falls != 0:  # rows cross, or leave gaps
                    for e in range(edges):
                        out[e] = ti.cast(0, real)
                    for row in range(rows):
                        if not silent(p[row]):
                            low, high = bounds(indptr, row, edges)
                            for e in range(low, high):
                                out[e] += product(ti.cast(p[row], real), q, indices[e])
                    i = end
            while i < end and (indptr[i] - first < span[1] or parts > 1):
                pre, next_row = ti.cast(p[i], real), i + 1
                low, high = bounds(indptr, i, edges)
                if silent(pre):
                    # silent rows are written together: there may be few edges in each
                    while next_row < end and silent(p[next_row]) and (indptr[next_row] - first < span[1] or parts > 1):
                        next_row += 1
                    high = bounds(indptr, next_row - 1, edges)[1]
                    for e in range(low, high):
                        out[e] = ti.cast(0, real)
                else:
                    for e in range(low, high):
                        out[e] = product(pre, q, indices[e])
                i = next_row
            if i == rows and part == parts - 1:
                for e in range(ti.max(indptr[rows], 0), edges):  # the room in reserve
                    out[e] = ti.cast(0, real)
            span[4] = ti.select(i < end, i, -1)
            span[5] = 0

    return kernel


def _linear(body, real, event, batched: bool, disjoint: bool):
    real_array, event_array = array(real, 1 + batched), array(event, 1 + batched)
    if batched:

        @ti.kernel
        def kernel(
            out: real_array,
            weight: real_array,
            words: WORDS,
            x: event_array,
            indices: INDEX,
            indptr: INDEX,
            maps: INDEX,
            span: INDEX,
        ):
            ti.loop_config(serialize=True)
            for _ in range(1):
                b, part, parts = span[0], span[2], span[3]
                done = 0
                while b < maps[0] and (done < span[1] or parts > 1):
                    o, w_row, x_row = _row(maps, 0, b), _row(maps, 1, b), _row(maps, 2, b)
                    first, of, mine = _shared(maps, b, o, part, parts, disjoint)
                    if mine:
                        _stop, more, _own = body(
                            out, weight, words, x, indices, indptr, 0, WHOLE, first, of, o, w_row, x_row
                        )
                        done += more
                    b += 1
                span[4] = ti.select(b < maps[0], b, -1)
                span[5] = 0
                if ti.static(not disjoint):
                    if maps[2] == 1:
                        span[5] = left(done, span[0], b, maps[0])

    else:

        @ti.kernel
        def kernel(
            out: real_array,
            weight: real_array,
            words: WORDS,
            x: event_array,
            indices: INDEX,
            indptr: INDEX,
            span: INDEX,
        ):
            ti.loop_config(serialize=True)
            for _ in range(1):
                stop, _done, own = body(
                    out, weight, words, x, indices, indptr, span[0], span[1], span[2], span[3], 0, 0, 0
                )
                span[4] = stop
                span[5] = own

    return kernel


def _sampled(body, real, p_event, q_event, batched: bool, disjoint: bool):
    real_array, p_array, q_array = array(real, 1 + batched), array(p_event, 1 + batched), array(q_event, 1 + batched)
    if batched:

        @ti.kernel
        def kernel(
            out: real_array,
            p_words: WORDS,
            p: p_array,
            q_words: WORDS,
            q: q_array,
            indices: INDEX,
            indptr: INDEX,
            maps: INDEX,
            span: INDEX,
        ):
            ti.loop_config(serialize=True)
            for _ in range(1):
                b, part, parts = span[0], span[2], span[3]
                done = 0
                while b < maps[0] and (done < span[1] or parts > 1):
                    o, p_row, q_row = _row(maps, 0, b), _row(maps, 1, b), _row(maps, 2, b)
                    first, of, mine = _shared(maps, b, o, part, parts, disjoint)
                    if mine:
                        _stop, more, _own = body(
                            out, p_words, p, q_words, q, indices, indptr, 0, WHOLE, first, of, o, p_row, q_row
                        )
                        done += more
                    b += 1
                span[4] = ti.select(b < maps[0], b, -1)
                span[5] = 0
                if ti.static(not disjoint):
                    if maps[2] == 1:
                        span[5] = left(done, span[0], b, maps[0])

    else:

        @ti.kernel
        def kernel(
            out: real_array,
            p_words: WORDS,
            p: p_array,
            q_words: WORDS,
            q: q_array,
            indices: INDEX,
            indptr: INDEX,
            span: INDEX,
        ):
            ti.loop_config(serialize=True)
            for _ in range(1):
                stop, _done, own = body(
                    out, p_words, p, q_words, q, indices, indptr, span[0], span[1], span[2], span[3], 0, 0, 0
                )
                span[4] = stop
                span[5] = own

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for (name, real), batched in itertools.product(REAL.items(), (False, True)):
        rank, suffix = 1 + batched, "_batched" * batched
        values = Operand(name, rank)
        edges = (INDICES,) * (2 + batched)  # indices, indptr and, batched, the maps
        events = kinds(name, rank=rank)
        for operation, make, parts in (("mv", matvec, 1), ("tmv", transposed_matvec, 4)):
            for weight, (kind, (event, size, operand)) in itertools.product(("homo", "edge"), events.items()):
                kernel = _linear(make(real, weight == "homo", size), real, event, batched, operation == "tmv")
                operands = (values, values, operand, *edges)
                kernels[f"npt_csr_{operation}_{name}_{weight}_{kind}{suffix}"] = Kernel(kernel, operands, parts=parts)
        for p, q in itertools.product(events, repeat=2):
            (p_event, p_size, p_operand), (q_event, q_size, q_operand) = events[p], events[q]
            kernel = _sampled(_outer(real, p_size, q_size), real, p_event, q_event, batched, True)
            operands = (values, p_operand, q_operand, *edges)
            kernels[f"npt_csr_outer_{name}_{p}_{q}{suffix}"] = Kernel(kernel, operands, parts=4)
            total = _sampled(_outer(real, p_size, q_size, total=True), real, p_event, q_event, batched, False)
            kernels[f"npt_csr_total_{name}_{p}_{q}{suffix}"] = Kernel(total, operands, parts=1)
            if not batched:
                fresh, plain = _fresh_outer(real, p_event, q_event, q_size), kinds(name, words=False)
                operands = (plain[p].operand, plain[q].operand, INDICES, INDICES)
                kernels[f"npt_csr_outer_{name}_{p}_{q}_fresh"] = Kernel(fresh, operands, 0, (values,), parts=4)
    return kernels


KERNELS = _kernels()
