"""The CSR operators: one body for each of the three operations, from which every variant is generated.

Rows are presynaptic neurons; `indices` holds the columns (postsynaptic neurons) of the edges, row after row, and row
`i` starts at `indptr[i]`. Edges beyond `indptr[-1]` are room in reserve and are never touched. Every kernel adds to
its output in place.

An event array (`x`, `y`, `p`, `q`: boolean or floating, zero meaning that nothing happened) comes as two views of one
buffer, 64-bit words and then elements: the words test many elements at a time.

The batched variants take floating arrays and events with a leading axis of rows, and last a vector
`maps = [B, d_out, m_out, d_a, m_a, d_b, m_b]`: item `b` of `B` uses row `(b // d) % m` of each. Several items may add
to the same row of the output.
"""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import itertools
from typing import Any, NamedTuple

import taichi as ti

REAL = {"f32": ti.f32, "f64": ti.f64}
BLOCK = 32  # elements tested at once; where there may be an event among them, eight at a time
ANY = ti.template()
INDEX = ti.types.ndarray(dtype=ti.i32, ndim=1)
WORDS = ti.types.ndarray(dtype=ti.u64, ndim=1)


class Operand(NamedTuple):
    """How the bridge sees an operand. One with `words` reaches the kernel twice: as 64-bit words, then as elements."""

    dtype: str
    rank: int
    words: bool = False


class Kernel(NamedTuple):
    """`operands` are in the order of the call; where the first stands, the kernel gets the output."""

    kernel: Any
    operands: tuple[Operand, ...]


def _array(dtype, batched: bool):
    return ti.types.ndarray(dtype=dtype, ndim=2 if batched else 1)


@ti.func
def _row(maps: ANY, which: ANY, item):
    return (item // maps[1 + 2 * which]) % maps[2 + 2 * which]


@ti.func
def _get(array: ANY, row, i):
    if ti.static(len(array.shape) == 2):
        return array[row, i]
    else:
        return array[i]


@ti.func
def _add(array: ANY, row, i, value):
    if ti.static(len(array.shape) == 2):
        array[row, i] += value
    else:
        array[i] += value


@ti.func
def _silent(event):
    return event == 0  # and not `!=`, which Taichi makes false for NaN


@ti.func
def _maybe(words: ANY, size: ANY, span: ANY, part):
    """Whether any of the elements `span * part` to `span * part + span - 1` of a buffer may be an event. `size` is the
    bytes of an element, and `span` a multiple of eight."""
    count = ti.static(size * span // 8)
    bits = ti.u64(1)
    if (part + 1) * count <= words.shape[0]:
        bits = ti.u64(0)
        for k in ti.static(range(count)):
            bits |= words[part * count + k]
        if ti.static(size == 4):  # the sign does not count: -0.0 is no event
            bits &= ti.u64(0x7FFFFFFF7FFFFFFF)
        elif ti.static(size == 8):
            bits &= ti.u64(0x7FFFFFFFFFFFFFFF)
    return bits != 0


@ti.func
def _any(words: ANY, size: ANY, first, n):
    """Whether any of the `n` elements from `first` on may be an event."""
    found = False
    block = first // BLOCK
    while block < (first + n + BLOCK - 1) // BLOCK and not found:
        found = _maybe(words, size, BLOCK, block)
        block += 1
    return found


def _matvec(real, homo: bool, size: int):
    """`out[j] += w_e * x[i]` over the edges `e` from `i` to `j`."""
    del real

    @ti.func
    def body(
        out: ANY,
        weight: ANY,
        words: ANY,
        x: ANY,
        indices: ANY,
        indptr: ANY,
        row,
        row_w,
        row_x,
    ):
        n = indptr.shape[0] - 1
        first = row_x * n
        for block in range(first // BLOCK, (first + n + BLOCK - 1) // BLOCK):
            if _maybe(words, size, BLOCK, block):
                for group in range(block * (BLOCK // 8), (block + 1) * (BLOCK // 8)):
                    if _maybe(words, size, 8, group):
                        for i in range(ti.max(8 * group - first, 0), ti.min(8 * group - first + 8, n)):
                            event = _get(x, row_x, i)
                            if not _silent(event):
                                for e in range(indptr[i], indptr[i + 1]):
                                    w = _get(weight, row_w, 0 if ti.static(homo) else e)
                                    _add(out, row, indices[e], w if ti.static(size == 1) else w * event)

    return body


def _transposed_matvec(real, homo: bool, size: int):
    """`out[i] += w_e * y[j]` over the edges `e` from `i` to `j`."""

    @ti.func
    def body(
        out: ANY,
        weight: ANY,
        words: ANY,
        y: ANY,
        indices: ANY,
        indptr: ANY,
        row,
        row_w,
        row_y,
    ):
        n = y.shape[ti.static(len(y.shape) - 1)]
        if _any(words, size, row_y * n, n):
            for i in range(indptr.shape[0] - 1):
                if ti.static(homo and size == 1):
                    count = 0
                    for e in range(indptr[i], indptr[i + 1]):
                        count += _get(y, row_y, indices[e])
                    if count != 0:  # no event times an infinite weight is nothing
                        w = _get(weight, row_w, 0)
                        _add(out, row, i, w * count)
                else:
                    total = ti.cast(0, real)
                    for e in range(indptr[i], indptr[i + 1]):
                        event = _get(y, row_y, indices[e])
                        w = _get(weight, row_w, 0 if ti.static(homo) else e)
                        if ti.static(size > 1):
                            w *= event
                        total += ti.select(_silent(event), 0, w)
                    _add(out, row, i, total)

    return body


def _outer(p_size: int, q_size: int):
    """`out[e] += p[i] * q[j]` for every edge `e` from `i` to `j`."""

    @ti.func
    def body(
        out: ANY,
        p_words: ANY,
        p: ANY,
        q_words: ANY,
        q: ANY,
        indices: ANY,
        indptr: ANY,
        row,
        row_p,
        row_q,
    ):
        n, n_q = indptr.shape[0] - 1, q.shape[ti.static(len(q.shape) - 1)]
        first = row_p * n
        if _any(q_words, q_size, row_q * n_q, n_q):
            for block in range(first // BLOCK, (first + n + BLOCK - 1) // BLOCK):
                if _maybe(p_words, p_size, BLOCK, block):
                    for group in range(block * (BLOCK // 8), (block + 1) * (BLOCK // 8)):
                        if _maybe(p_words, p_size, 8, group):
                            for i in range(ti.max(8 * group - first, 0), ti.min(8 * group - first + 8, n)):
                                pre = _get(p, row_p, i)
                                if not _silent(pre):
                                    for e in range(indptr[i], indptr[i + 1]):
                                        post = _get(q, row_q, indices[e])
                                        if not _silent(post):
                                            _add(out, row, e, pre * post)

    return body


def _linear(body, real, event, batched: bool):
    real_array, event_array = _array(real, batched), _array(event, batched)
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
        ):
            ti.loop_config(serialize=True)
            for b in range(maps[0]):
                body(out, weight, words, x, indices, indptr, _row(maps, 0, b), _row(maps, 1, b), _row(maps, 2, b))

    else:

        @ti.kernel
        def kernel(
            out: real_array,
            weight: real_array,
            words: WORDS,
            x: event_array,
            indices: INDEX,
            indptr: INDEX,
        ):
            ti.loop_config(serialize=True)
            for _ in range(1):
                body(out, weight, words, x, indices, indptr, 0, 0, 0)

    return kernel


def _sampled(body, real, p_event, q_event, batched: bool):
    real_array, p_array, q_array = _array(real, batched), _array(p_event, batched), _array(q_event, batched)
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
        ):
            ti.loop_config(serialize=True)
            for b in range(maps[0]):
                body(out, p_words, p, q_words, q, indices, indptr, _row(maps, 0, b), _row(maps, 1, b), _row(maps, 2, b))

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
        ):
            ti.loop_config(serialize=True)
            for _ in range(1):
                body(out, p_words, p, q_words, q, indices, indptr, 0, 0, 0)

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for (name, real), batched in itertools.product(REAL.items(), (False, True)):
        rank, suffix = 1 + batched, "_batched" * batched
        array = Operand(name, rank)
        edges = (Operand("s32", 1),) * (2 + batched)  # indices, indptr and, batched, the maps
        # Of each kind of event: the element type in a kernel, its bytes, and how the bridge sees it.
        kinds = {
            "bool": (ti.u8, 1, Operand("pred", rank, words=True)),
            "float": (real, 4 if real is ti.f32 else 8, Operand(name, rank, words=True)),
        }
        for operation, make in (("mv", _matvec), ("tmv", _transposed_matvec)):
            for weight, (kind, (event, size, operand)) in itertools.product(("homo", "edge"), kinds.items()):
                kernel = _linear(make(real, weight == "homo", size), real, event, batched)
                operands = (array, array, operand, *edges)
                kernels[f"npt_csr_{operation}_{name}_{weight}_{kind}{suffix}"] = Kernel(kernel, operands)
        for p, q in itertools.product(kinds, repeat=2):
            (p_event, p_size, p_operand), (q_event, q_size, q_operand) = kinds[p], kinds[q]
            kernel = _sampled(_outer(p_size, q_size), real, p_event, q_event, batched)
            kernels[f"npt_csr_outer_{name}_{p}_{q}{suffix}"] = Kernel(kernel, (array, p_operand, q_operand, *edges))
    return kernels


KERNELS = _kernels()
