"""Operators on a random matrix that is made anew in every call: one generator of edges, from which all are made.

`place = [seed, row_offset, column_offset, skip, columns]`: the first row and column of this matrix within the whole
one, whether row and column of equal number are never connected, and into how many columns vectors are divided (1 but
for products with matrices). `table` is that of `neuropytree.ops._counts`, and `pairs` the same as words of 64 bits.

Each row has a stream of words, and a block of columns three counters in it: of the two keys of its permutation, and of
the number of its connections. These are the columns to which the permutation takes the first so many. The number behind
the weight of edge `k` is word `k % 2` of counter `2**31 + 128 * block + k // 2`. Nothing follows from what was drawn
before, so edges are made by vector instructions, and put down in the memory behind the span, from where they are worked
through many at a time: memory is asked for all of them at once.
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
    ROOM,
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
from ._constants import SHUFFLES, TURN
from ._fetch import mark
from ._random import fold, normal, stream, uniform

HEADER = 2  # pairs of numbers
LAWS = ("constant", "uniform", "normal")
MANY = 256  # edges that are worked through together, once there are so many; there may be as many more, of one block
LANES = 8  # edges made together
NUMBERS = ROOM + 2 * MANY  # where in the span the words are, behind the weights
LONG = 2**20  # elements of a vector, beyond which the nearer caches have few of them
SETUP = 8  # edges whose time it takes to begin a block


@ti.func
def _count(pairs: ANY, table: ANY, word):
    """How many connections a word stands for."""
    bits = table[0]
    value = ti.cast(word >> ti.cast(32 - bits, ti.u32), ti.i32)
    pair = pairs[HEADER + value]  # one load of both, or the compiler makes a branch of the choice
    alias = ti.cast(ti.cast(pair >> ti.u64(32), ti.u32), ti.i32)
    return ti.select((word << ti.cast(bits, ti.u32)) < ti.cast(pair, ti.u32), table[1] + value, alias)


@ti.func
def _key(high, low):
    return (ti.cast(high, ti.u64) << ti.u64(32)) | ti.cast(low, ti.u64)


@ti.func
def _turned(key, by: ANY):
    """The lower half of the key rotated to the right."""
    word = ti.cast(key >> ti.u64(by), ti.u32)
    if ti.static(by != 0):
        word = ti.cast((key >> ti.u64(by)) | (key << ti.u64(64 - by)), ti.u32)
    return word


@ti.func
def _draw(span: ANY, held, s0, s1, pairs: ANY, table: ANY, block, to_column, forbidden):
    """Puts the columns of the edges in a block, in this matrix or beyond it, behind the `held` ones that are there;
    returns how many."""
    number = ti.cast(block, ti.u32) << ti.u32(2)
    f0, f1 = fold(s0, s1, number)
    g0, g1 = fold(s0, s1, number | ti.u32(1))
    word, _ = fold(s0, s1, number | ti.u32(2))
    factors, summands = _key(f0, f1), _key(g0, g1)
    count = _count(pairs, table, word)
    mask = (ti.u32(1) << ti.cast(table[2], ti.u32)) - ti.u32(1)
    half = ti.cast((table[2] + 1) // 2, ti.u32)
    first = ROOM + held
    for at in range(first, first + (count + LANES - 1) // LANES * LANES):
        x = ti.cast(at - first, ti.u32)
        for r in ti.static(range(SHUFFLES)):
            factor = _turned(factors, ti.static(r * TURN)) | ti.u32(1)
            x = (x * factor + _turned(summands, ti.static(r * TURN))) & mask
            x ^= x >> half
        position = ti.cast(x, ti.i32)
        span[at] = ti.select(position == forbidden, -1, to_column + position)
    return count


def _edges(visit, law: str, real, *, together: bool, scatters: bool = False):
    """Two functions. `row` makes the edges of row `i` in columns `low` to `high - 1`, and visits them; it returns what
    they took, in edges, and how many are still held. Those `flush` visits: there are none but where edges of different
    rows are worked through `together`, as rows of bool events can be. Where an edge `scatters`, to element `j` of a
    long output, memory is asked for that as soon as the edge is drawn."""

    @ti.func
    def number(word):
        z = ti.cast(0, real)
        if ti.static(law == "uniform"):
            z = ti.cast(uniform(word, word, ti.f32), real)
        elif ti.static(law == "normal"):
            z = normal(word, real)
        return z

    @ti.func
    def flush(total: ANY, out: ANY, a: ANY, b: ANY, place: ANY, span: ANY, i, event, low, high, held):
        inside = ti.cast(high - low, ti.u32)
        for k in range(held):
            j = span[ROOM + k]
            if ti.cast(j - low, ti.u32) < inside:
                word = ti.u32(0)
                if ti.static(law != "constant"):
                    word = ti.cast(span[NUMBERS + k], ti.u32)
                visit(total, out, a, b, place, i, j, event, number(word))

    @ti.func
    def draw_numbers(span: ANY, held, count, s0, s1, block):
        counter = ti.u32(0x80000000) | (ti.cast(block, ti.u32) << ti.u32(7))
        for pair in range((count + 1) // 2):
            v0, v1 = fold(s0, s1, counter + ti.cast(pair, ti.u32))
            span[NUMBERS + held + 2 * pair] = ti.cast(v0, ti.i32)
            span[NUMBERS + held + 2 * pair + 1] = ti.cast(v1, ti.i32)

    @ti.func
    def row(
        total: ANY, out: ANY, a: ANY, b: ANY, place: ANY, pairs: ANY, table: ANY, span: ANY, i, event, low, high, held
    ):
        number_of_row, bits = place[1] + i, table[2]
        s0, s1 = stream(place[0], number_of_row, 0)
        first, last = place[2] + low, place[2] + high
        done, holding = 0, held
        for block in range(first >> bits, ti.select(high > low, ((last - 1) >> bits) + 1, 0)):
            start = block << bits
            forbidden = ti.select(place[3] != 0, number_of_row - start, -1)
            count = _draw(span, holding, s0, s1, pairs, table, block, start - place[2], forbidden)
            if ti.static(scatters):
                if out.shape[0] > LONG:
                    for k in range(holding, holding + count):
                        mark(out[span[ROOM + k]])
            if ti.static(law != "constant"):
                draw_numbers(span, holding, count, s0, s1, block)
            done += count + SETUP
            holding += count
            if holding >= MANY:
                flush(total, out, a, b, place, span, i, event, low, high, holding)
                holding = 0
        if ti.static(not together):
            flush(total, out, a, b, place, span, i, event, low, high, holding)
            holding = 0
        return done, holding

    return row, flush


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
    together = size == 1  # what is added does not depend on the event

    @ti.func
    def visit(total: ANY, out: ANY, theta: ANY, x: ANY, place: ANY, i, j, event, z):
        w = weight(theta, z)
        out[j] += w if ti.static(size == 1) else w * event

    row, flush = _edges(visit, law, real, together=together, scatters=True)
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
            done, held, total = 0, 0, 0
            while group < end and (done < span[1] or span[3] > 1):
                for i in range(GROUP * group, ti.min(GROUP * (group + 1), n)):
                    event = x[i]
                    if not silent(event):
                        took, held = row(total, out, theta, x, place, pairs, table, span, i, event, low, high, held)
                        done += took
                group = next_group(words, size, group + 1, end)
            if ti.static(together):
                flush(total, out, theta, x, place, span, 0, 0, low, high, held)
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
    def visit(total: ANY, out: ANY, theta: ANY, x: ANY, place: ANY, i, j, event, z):
        w = weight(theta, z)
        columns = place[4]
        for c in range(columns):
            value = x[i * columns + c]
            out[j * columns + c] += ti.select(silent(value), ti.cast(0, real), w * value)

    row, _ = _edges(visit, law, real, together=False)
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
            done, total = 0, 0
            while i < n and (done < span[1] or span[3] > 1):
                c = 0
                while c < width and silent(x[i * width + c]):
                    c += 1
                if c < width:
                    took, held = row(total, out, theta, x, place, pairs, table, span, i, 0, low, high, 0)
                    done += width * took
                i += 1
            span[4] = ti.select(i < n, i, -1)

    return kernel


def _transposed(law: str, real, size: int):
    """`out[i, c] += w_ij * y[j, c]`. Items are rows, and parts, ranges of them."""
    weight = _weigher(law)

    @ti.func
    def visit(total: ANY, out: ANY, theta: ANY, y: ANY, place: ANY, i, j, event, z):
        w = weight(theta, z)
        columns = place[4]
        if columns == 1:
            total += ti.select(silent(y[j]), ti.cast(0, real), w * y[j])
        else:
            for c in range(columns):
                value = y[j * columns + c]
                out[i * columns + c] += ti.select(silent(value), ti.cast(0, real), w * value)

    row, _ = _edges(visit, law, real, together=False)
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
                total = ti.cast(0, real)
                took, held = row(total, out, theta, y, place, pairs, table, span, i, 0, 0, columns, 0)
                done += width * took
                if width == 1:
                    out[i] += total
                i += 1
            span[4] = ti.select(i < end, i, -1)

    return kernel


def _outer(law: str, real, size: int):
    """`out[k] += p[i, c] * q[j, c] * B_k` summed over all edges, with `B` the numbers behind a weight. Items are rows;
    parts, ranges of them, with outputs of their own."""

    @ti.func
    def visit(total: ANY, out: ANY, p: ANY, q: ANY, place: ANY, i, j, event, z):
        columns = place[4]
        value = ti.cast(0, real)
        for c in range(columns):
            pre, post = p[i * columns + c], q[j * columns + c]
            if not silent(pre) and not silent(post):
                value += pre * post
        total[0] += value * (1 - z) if ti.static(law == "uniform") else value
        if ti.static(law != "constant"):
            total[1] += value * z

    row, _ = _edges(visit, law, real, together=False)
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
            total = ti.Vector([0, 0], dt=real)
            while i < end and (done < span[1] or span[3] > 1):
                c = 0
                while c < width and silent(p[i * width + c]):
                    c += 1
                if c < width:
                    took, held = row(total, out, p, q, place, pairs, table, span, i, 0, 0, columns, 0)
                    done += width * took
                i += 1
            out[0] += total[0]
            if ti.static(law != "constant"):
                out[1] += total[1]
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
                _matvec(law, real, bytes_), (values, values, operand, *where), parts=1
            )
        kernels[f"npt_jit_mm_{name}_{law}"] = Kernel(_matmat(law, real), (values, values, values, *where), parts=1)
        kernels[f"npt_jit_tmv_{name}_{law}"] = Kernel(
            _transposed(law, real, size), (values, values, whole, *where), parts=4
        )
        kernels[f"npt_jit_outer_{name}_{law}"] = Kernel(
            _outer(law, real, size), (values, values, whole, *where), parts=1
        )
    return kernels


KERNELS = _kernels()
