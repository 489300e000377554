"""Operators on a random matrix that is made anew in every call: one generator of edges, from which all are made.

`place = [seed, row_offset, column_offset, skip, columns]`: the first row and column of this matrix within the whole
one, whether row and column of equal number are never connected, and into how many columns vectors are divided (1 but
for products with matrices). `table` is that of `neuropytree.ops._gaps`, and `pairs` the same as words of 64 bits.

Blocks of columns have streams of their own, and in a block the draws follow each other: draw `d` uses word `d % 2` of
counter `d // 2` where a gap takes one word, and counter `d` where it takes two. The number behind a weight comes from
the same counter with the highest bit set.
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
    any_event,
    array,
    kinds,
    left,
    next_group,
    share,
    silent,
)
from ._random import fold, normal, stream, uniform

HEADER = 2  # pairs of numbers
LAWS = ("constant", "uniform", "normal")


@ti.func
def _pick(pairs: ANY, first, bits, word):
    """The value that a word stands for in the table of `2**bits` pairs from `first` on."""
    value = ti.cast(word >> ti.cast(32 - bits, ti.u32), ti.i32)
    pair = pairs[
        first + value
    ]  # one load of both, or the compiler makes a branch of the choice, which nothing foresees
    alias = ti.cast(ti.cast(pair >> ti.u64(32), ti.u32), ti.i32)
    return ti.select((word << ti.cast(bits, ti.u32)) < ti.cast(pair, ti.u32), value, alias)


@ti.func
def _is_edge(ends, position, begin, inside, forbidden):
    return (ti.cast(position - begin, ti.u32) < inside) & (position != forbidden) & (not ends)


def _edges(visit, law: str, real):
    """Visits the edges of row `i` in columns `low` to `high - 1`, and returns about how many there were."""

    @ti.func
    def number(word):
        z = ti.cast(0, real)
        if ti.static(law == "uniform"):
            z = ti.cast(uniform(word, word, ti.f32), real)
        elif ti.static(law == "normal"):
            z = normal(word, real)
        return z

    @ti.func
    def row(out: ANY, a: ANY, b: ANY, place: ANY, pairs: ANY, table: ANY, i, event, low, high):
        high_bits, low_bits, block_bits = table[0], table[1], table[2]
        last_value = (1 << high_bits) - 1
        second = HEADER + (1 << high_bits)
        number_of_row = place[1] + i
        first, last = place[2] + low, place[2] + high
        done = 0
        for block in range(first >> block_bits, ti.select(high > low, ((last - 1) >> block_bits) + 1, 0)):
            start = block << block_bits
            s0, s1 = stream(place[0], number_of_row, block)
            limit = ti.min(1 << block_bits, last - start)
            begin = ti.max(first - start, 0)
            inside = ti.cast(ti.max(limit - begin, 0), ti.u32)
            forbidden = ti.select(place[3] != 0, number_of_row - start, -1)
            to_column = start - place[2]
            position = -1
            k = 0
            while position < limit - 1:
                w0, w1 = fold(s0, s1, k)
                v0, v1 = fold(s0, s1, ti.cast(k, ti.u32) | ti.u32(0x80000000))  # unused ones cost nothing
                digit = _pick(pairs, HEADER, high_bits, w0)
                rest = 0
                if low_bits != 0:
                    rest = _pick(pairs, second, low_bits, w1)
                ends = digit == last_value
                position += (digit << low_bits) + ti.select(ends, 0, 1 + rest)
                if _is_edge(ends, position, begin, inside, forbidden):
                    visit(out, a, b, place, i, to_column + position, event, number(v0))
                if low_bits == 0:
                    digit = _pick(pairs, HEADER, high_bits, w1)
                    ends = digit == last_value
                    position += digit + ti.select(ends, 0, 1)
                    if _is_edge(ends, position, begin, inside, forbidden):
                        visit(out, a, b, place, i, to_column + position, event, number(v1))
                k += 1
            done += k
        return 2 * done

    return row


def _weigher(law: str):
    @ti.func
    def weight(theta: ANY, z):
        if ti.static(law == "constant"):
            return theta[0]
        elif ti.static(law == "uniform"):
            return theta[0] * (1 - z) + theta[1] * z
        else:
            return theta[0] + theta[1] * z

    return weight


def _matvec(law: str, real, size: int):
    """`out[j] += w_ij * x[i]`. Items are groups of rows; parts, blocks of columns."""
    weight = _weigher(law)

    @ti.func
    def visit(out: ANY, theta: ANY, x: ANY, place: ANY, i, j, event, z):
        w = weight(theta, z)
        out[j] += w if ti.static(size == 1) else w * event

    row = _edges(visit, law, real)
    real_array, event_array = array(real), array(ti.u8 if size == 1 else real)

    @ti.kernel
    def kernel(
        out: real_array,
        theta: real_array,
        words: WORDS,
        x: event_array,
        place: INDEX,
        pairs: WORDS,
        table: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n, columns, bits = x.shape[0], out.shape[0], table[2]
            blocks = ((place[2] + columns - 1) >> bits) - (place[2] >> bits) + 1
            low = _boundary(place, bits, share(blocks, span[2], span[3]), blocks, columns)
            high = _boundary(place, bits, share(blocks, span[2] + 1, span[3]), blocks, columns)
            end = (n + GROUP - 1) // GROUP
            group = end
            if low < high:
                group = next_group(words, size, span[0], end)
            done = 0
            while group < end and (done < span[1] or span[3] > 1):
                for i in range(GROUP * group, ti.min(GROUP * (group + 1), n)):
                    event = x[i]
                    if not silent(event):
                        done += row(out, theta, x, place, pairs, table, i, event, low, high)
                group = next_group(words, size, group + 1, end)
            span[4] = ti.select(group < end, group, -1)

    return kernel


@ti.func
def _boundary(place: ANY, bits, block, blocks, columns):
    """The first column of the `block`-th of the blocks that this matrix touches."""
    start = (((place[2] >> bits) + ti.min(block, blocks - 1)) << bits) - place[2]
    return ti.select(block >= blocks, columns, ti.max(start, 0))


def _matmat(law: str, real):
    """`out[j, c] += w_ij * x[i, c]`. Items are rows; parts, blocks of columns."""
    weight = _weigher(law)

    @ti.func
    def visit(out: ANY, theta: ANY, x: ANY, place: ANY, i, j, event, z):
        w = weight(theta, z)
        columns = place[4]
        for c in range(columns):
            value = x[i * columns + c]
            if not silent(value):
                out[j * columns + c] += w * value

    row = _edges(visit, law, real)
    real_array = array(real)

    @ti.kernel
    def kernel(
        out: real_array, theta: real_array, x: real_array, place: INDEX, pairs: WORDS, table: INDEX, span: INDEX
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            width, bits = place[4], table[2]
            n, columns = x.shape[0] // width, out.shape[0] // width
            blocks = ((place[2] + columns - 1) >> bits) - (place[2] >> bits) + 1
            low = _boundary(place, bits, share(blocks, span[2], span[3]), blocks, columns)
            high = _boundary(place, bits, share(blocks, span[2] + 1, span[3]), blocks, columns)
            i = span[0]
            if high <= low:
                i = n
            done = 0
            while i < n and (done < span[1] or span[3] > 1):
                c = 0
                while c < width and silent(x[i * width + c]):
                    c += 1
                if c < width:
                    done += width * row(out, theta, x, place, pairs, table, i, 0, low, high)
                i += 1
            span[4] = ti.select(i < n, i, -1)

    return kernel


def _transposed(law: str, real, size: int):
    """`out[i, c] += w_ij * y[j, c]`. Items are rows, and parts, ranges of them."""
    weight = _weigher(law)

    @ti.func
    def visit(out: ANY, theta: ANY, y: ANY, place: ANY, i, j, event, z):
        w = weight(theta, z)
        columns = place[4]
        for c in range(columns):
            value = y[j * columns + c]
            if not silent(value):
                out[i * columns + c] += w * value

    row = _edges(visit, law, real)
    real_array = array(real)

    @ti.kernel
    def kernel(
        out: real_array,
        theta: real_array,
        words: WORDS,
        y: real_array,
        place: INDEX,
        pairs: WORDS,
        table: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            width = place[4]
            n, columns = out.shape[0] // width, y.shape[0] // width
            i = span[0] + share(n - span[0], span[2], span[3])
            end = span[0] + share(n - span[0], span[2] + 1, span[3])
            if span[3] == 1 and not any_event(words, size, 0, y.shape[0]):
                i = end
            done = 0
            while i < end and (done < span[1] or span[3] > 1):
                done += width * row(out, theta, y, place, pairs, table, i, 0, 0, columns)
                i += 1
            span[4] = ti.select(i < end, i, -1)

    return kernel


def _outer(law: str, real, size: int):
    """`out[k] += p[i, c] * q[j, c] * B_k` summed over all edges, with `B` the numbers behind a weight. Items are rows;
    parts, ranges of them, with outputs of their own."""

    @ti.func
    def visit(out: ANY, p: ANY, q: ANY, place: ANY, i, j, event, z):
        columns = place[4]
        total = ti.cast(0, real)
        for c in range(columns):
            pre, post = p[i * columns + c], q[j * columns + c]
            if not silent(pre) and not silent(post):
                total += pre * post
        out[0] += total * (1 - z) if ti.static(law == "uniform") else total
        if ti.static(law != "constant"):
            out[1] += total * z

    row = _edges(visit, law, real)
    real_array = array(real)

    @ti.kernel
    def kernel(
        out: real_array,
        p: real_array,
        q_words: WORDS,
        q: real_array,
        place: INDEX,
        pairs: WORDS,
        table: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            width = place[4]
            n, columns = p.shape[0] // width, q.shape[0] // width
            start = span[0] + share(n - span[0], span[2], span[3])
            end = span[0] + share(n - span[0], span[2] + 1, span[3])
            i = start
            if span[3] == 1 and not any_event(q_words, size, 0, q.shape[0]):
                i = end
            done = 0
            while i < end and (done < span[1] or span[3] > 1):
                c = 0
                while c < width and silent(p[i * width + c]):
                    c += 1
                if c < width:
                    done += width * row(out, p, q, place, pairs, table, i, 0, 0, columns)
                i += 1
            span[4] = ti.select(i < end, i, -1)
            span[5] = left(done, start, i, end)

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for (name, real), law in itertools.product(REAL.items(), LAWS):
        values, events = Operand(name, 1), kinds(name)
        whole, size = events["float"].operand, events["float"].size
        where = (INDICES, Operand("s32", 1, True))
        for kind, (_, bytes_, operand) in events.items():
            kernels[f"npt_jit_mv_{name}_{law}_{kind}"] = Kernel(
                _matvec(law, real, bytes_), (values, values, operand, *where), parts=2
            )
        kernels[f"npt_jit_mm_{name}_{law}"] = Kernel(_matmat(law, real), (values, values, values, *where), parts=2)
        kernels[f"npt_jit_tmv_{name}_{law}"] = Kernel(
            _transposed(law, real, size), (values, values, whole, *where), parts=4
        )
        kernels[f"npt_jit_outer_{name}_{law}"] = Kernel(
            _outer(law, real, size), (values, values, whole, *where), parts=1
        )
    return kernels


KERNELS = _kernels()
