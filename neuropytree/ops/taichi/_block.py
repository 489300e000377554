"""The operators on a matrix of blocks of one size (BSR), of which a dense matrix is the case of a single block.

`weight` holds the blocks one after the other, each row-major; `indices` their block columns, block row after block row;
the blocks of block row `r` start at `indptr[r]`; `dims` is the height and the width of a block. Every kernel adds to
its output in place. Event arrays come as two views of one buffer, as for the CSR kernels.
"""

# Taichi reads annotations as objects, which are no types.
# pyright: reportGeneralTypeIssues=false, reportInvalidTypeForm=false

# No `from __future__ import annotations` either.

import taichi as ti

from ._common import (
    BLOCK,
    INDEX,
    INDICES,
    REAL,
    WORDS,
    Kernel,
    Operand,
    array,
    bounds,
    kinds,
    maybe,
    share,
    silent,
    within,
)


def _matvec(real, event, size: int):
    """Rows of blocks added for each event; parts are ranges of columns."""

    values, events = array(real), array(event)

    @ti.kernel
    def kernel(
        out: values,
        weight: values,
        words: WORDS,
        x: events,
        indices: INDEX,
        indptr: INDEX,
        dims: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            height, width, columns, n, blocks = dims[0], dims[1], out.shape[0], x.shape[0], indices.shape[0]
            low, high = share(columns, span[2], span[3]), share(columns, span[2] + 1, span[3])
            end = (n + BLOCK - 1) // BLOCK
            block = span[0]
            done = 0
            while block < end and (done < span[1] or span[3] > 1):
                if maybe(words, size, BLOCK, block):
                    for group in range(block * (BLOCK // 8), (block + 1) * (BLOCK // 8)):
                        if maybe(words, size, 8, group):
                            for i in range(8 * group, ti.min(8 * group + 8, n)):
                                value = x[i]
                                if not silent(value):
                                    row = i // height
                                    first, last = bounds(indptr, row, blocks)
                                    done += (last - first) * width
                                    for b in range(first, last):
                                        if within(indices[b], columns // ti.max(width, 1)):
                                            column = indices[b] * width
                                            to_w = (b * height + i - row * height) * width - column
                                            for j in range(ti.max(low, column), ti.min(high, column + width)):
                                                w = weight[to_w + j]
                                                out[j] += w if ti.static(size == 1) else w * value
                block += 1
            span[4] = ti.select(block < end, block, -1)

    return kernel


def _transposed_matvec(real, event, size: int):
    """Rows of blocks against the events; items are rows, and parts ranges of them."""

    @ti.func
    def term(w, value):
        return ti.select(silent(value), ti.cast(0, real), w if ti.static(size == 1) else w * value)

    values, events = array(real), array(event)

    @ti.kernel
    def kernel(
        out: values,
        weight: values,
        words: WORDS,
        y: events,
        indices: INDEX,
        indptr: INDEX,
        dims: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            height, width, rows, blocks = dims[0], dims[1], out.shape[0], indices.shape[0]
            i = span[0] + share(rows - span[0], span[2], span[3])
            end = span[0] + share(rows - span[0], span[2] + 1, span[3])
            done = 0
            while i < end and (done < span[1] or span[3] > 1):
                row = i // height
                # sums of their own, so that they don't wait for each other
                s0 = ti.cast(0, real)
                s1 = ti.cast(0, real)
                s2 = ti.cast(0, real)
                s3 = ti.cast(0, real)
                first, end_of_row = bounds(indptr, row, blocks)
                for b in range(first, end_of_row):
                    there = within(indices[b], y.shape[0] // ti.max(width, 1))
                    column = ti.select(there, indices[b], 0) * width
                    to_w = (b * height + i - row * height) * width - column
                    last = ti.select(there, column + width, column)
                    j = column
                    while j < last:
                        # from a word on, eight at a time; nothing to be read where all of them are silent
                        if j % 8 == 0 and j + 8 <= last:
                            if ti.static(size > 1) or maybe(words, size, 8, j // 8):
                                for k in ti.static(range(2)):
                                    s0 += term(weight[to_w + j + 4 * k], y[j + 4 * k])
                                    s1 += term(weight[to_w + j + 4 * k + 1], y[j + 4 * k + 1])
                                    s2 += term(weight[to_w + j + 4 * k + 2], y[j + 4 * k + 2])
                                    s3 += term(weight[to_w + j + 4 * k + 3], y[j + 4 * k + 3])
                            j += 8
                        else:
                            s0 += term(weight[to_w + j], y[j])
                            j += 1
                out[i] += (s0 + s1) + (s2 + s3)
                done += (end_of_row - first) * width
                i += 1
            span[4] = ti.select(i < end, i, -1)

    return kernel


def _outer(real, event, size: int):
    """Adds `p[i] * q[j]` to the entries of the blocks, row by row of events. Parts are ranges of rows."""

    values, events = array(real), array(event)

    @ti.kernel
    def kernel(
        out: values,
        words: WORDS,
        p: events,
        q: values,
        indices: INDEX,
        indptr: INDEX,
        dims: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            height, width, n = dims[0], dims[1], p.shape[0]
            count = (n + BLOCK - 1) // BLOCK - span[0]
            block = span[0] + share(count, span[2], span[3])
            end = span[0] + share(count, span[2] + 1, span[3])
            done = 0
            while block < end and (done < span[1] or span[3] > 1):
                if maybe(words, size, BLOCK, block):
                    for group in range(block * (BLOCK // 8), (block + 1) * (BLOCK // 8)):
                        if maybe(words, size, 8, group):
                            for i in range(8 * group, ti.min(8 * group + 8, n)):
                                value = p[i]
                                if not silent(value):
                                    row = i // height
                                    first, last = bounds(indptr, row, indices.shape[0])
                                    done += (last - first) * width
                                    for b in range(first, last):
                                        if within(indices[b], q.shape[0] // ti.max(width, 1)):
                                            column = indices[b] * width
                                            to_out = (b * height + i - row * height) * width - column
                                            for j in range(column, column + width):
                                                product = q[j] if ti.static(size == 1) else q[j] * value
                                                out[to_out + j] += ti.select(silent(q[j]), ti.cast(0, real), product)
                block += 1
            span[4] = ti.select(block < end, block, -1)

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    edges = (INDICES,) * 3
    for name, real in REAL.items():
        values = Operand(name, 1)
        for kind, (event, size, operand) in kinds(name).items():
            for operation, make, parts in (("mv", _matvec, 1), ("tmv", _transposed_matvec, 4)):
                kernel = make(real, event, size)
                kernels[f"npt_block_{operation}_{name}_{kind}"] = Kernel(
                    kernel, (values, values, operand, *edges), parts=parts
                )
            kernels[f"npt_block_outer_{name}_{kind}"] = Kernel(
                _outer(real, event, size), (values, operand, values, *edges), parts=4
            )
    return kernels


KERNELS = _kernels()
