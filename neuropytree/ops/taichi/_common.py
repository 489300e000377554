"""What the kernels of every family share: how an operand is described, and how events are looked for."""


# No `from __future__ import annotations`: Taichi reads annotations as objects.

from typing import Any, NamedTuple

import taichi as ti

REAL = {"f32": ti.f32, "f64": ti.f64}
GROUP = 8  # elements tested at once where there may be an event among
BLOCK = 128  # elements, a loop that the compiler makes vector instructions of
ROOM = 16  # where in a span the memory begins that a kernel may write to, for itself
PER_EDGE = 16  # elements, one after the other in memory, that take the time of an edge
ANY = ti.template()
INDEX = ti.types.ndarray(dtype=ti.i32, ndim=1)
WORDS = ti.types.ndarray(dtype=ti.u64, ndim=1)


class Operand(NamedTuple):
    """How the bridge sees an operand. One with `words` reaches the kernel twice: as 64-bit words, then as elements."""

    dtype: str
    rank: int
    words: bool = False


class Kernel(NamedTuple):
    """A kernel and what it is called with, in this order: `operands`, of which it updates the first `in_place`, then
    `outputs`, memory that it writes, then, if `parts` is not 0, a span.

    A span is the six int32 `begin, budget, part, parts, stop, own`. With one part a kernel works from item `begin` on;
    if that is more than `budget` edges or elements, it leaves off and writes to `stop` the item to go on with. The
    bridge then calls it for each of `parts` parts per thread, which must write to disjoint memory. A kernel whose parts
    add to the same memory writes to `own` how many edges are left, by its estimate: each part then gets an output
    vector of its own in place of the first operand, and the bridge adds them up. From element `ROOM` on, a span has
    memory for the use of the kernel, of arbitrary content: `kRoom` in the bridge.
    """

    kernel: Any
    operands: tuple[Operand, ...]
    in_place: int = 1
    outputs: tuple[Operand, ...] = ()
    parts: int = 0


INDICES = Operand("s32", 1)


class Events(NamedTuple):
    """A kind of event: its element type in a kernel, the bytes of one, and how the bridge sees an array of them."""

    dtype: Any
    size: int
    operand: Operand


def kinds(name: str, *, rank: int = 1, words: bool = True) -> dict[str, Events]:
    """The kinds of events that go with a floating dtype, by the name that a kernel's name has for them."""
    return {
        "bool": Events(ti.u8, 1, Operand("pred", rank, words)),
        "float": Events(REAL[name], width(REAL[name]), Operand(name, rank, words)),
    }


def width(real: Any) -> int:
    """The bytes of a floating element."""
    return 4 if real is ti.f32 else 8


def array(dtype: Any, rank: int = 1) -> Any:
    return ti.types.ndarray(dtype=dtype, ndim=rank)


@ti.func
def get(x: ANY, row, i):
    if ti.static(len(x.shape) == 2):
        return x[row, i]
    else:
        return x[i]


@ti.func
def add(x: ANY, row, i, value):
    if ti.static(len(x.shape) == 2):
        x[row, i] += value
    else:
        x[i] += value


@ti.func
def within(j, n):
    """Whether there is an element `j` of `n`. Index arrays may hold anything: a connectivity can be changed after it
    was checked, or read from a damaged file."""
    return ti.cast(j, ti.u32) < ti.cast(n, ti.u32)


@ti.func
def bounds(indptr: ANY, row, edges):
    """Where the edges of a row begin and end, among so many."""
    return ti.min(ti.max(indptr[row], 0), edges), ti.min(ti.max(indptr[row + 1], 0), edges)


def shared_weight(real: Any, homo: bool) -> Any:
    """A function `(weight, row)`: the one weight of all edges, read once, for not every edge needs it; otherwise 0."""

    @ti.func
    def shared(weight: ANY, row):
        w = ti.cast(0, real)
        if ti.static(homo):
            w = get(weight, row, 0)
        return w

    return shared


@ti.func
def silent(event):
    return event == 0  # and not `!=`, which Taichi makes false for NaN


@ti.func
def maybe(words: ANY, size: ANY, span: ANY, part):
    """Whether any of the elements `span * part` to `span * part + span - 1` of a buffer may be an event. `size` is the
    bytes of an element, and `span` a multiple of eight."""
    count = ti.static(size * span // 8)
    bits = ti.u64(1)
    if (part + 1) * count <= words.shape[0]:
        bits = ti.u64(0)
        for k in range(count):
            bits |= words[part * count + k]
        if ti.static(size == 4):  # the sign does not count: -0.0 is no event
            bits &= ti.u64(0x7FFFFFFF7FFFFFFF)
        elif ti.static(size == 8):
            bits &= ti.u64(0x7FFFFFFFFFFFFFFF)
    return bits != 0


@ti.func
def next_group(words: ANY, size: ANY, group, end):
    """The first group from `group` on, before `end`, that may have an event; `end` or more if there is none."""
    found = group
    looking = found < end
    while looking:
        if found % (BLOCK // GROUP) == 0 and not maybe(words, size, BLOCK, found // (BLOCK // GROUP)):
            found += BLOCK // GROUP
        elif not maybe(words, size, GROUP, found):
            found += 1
        else:
            looking = False
        looking = looking and found < end
    return found


@ti.func
def any_event(words: ANY, size: ANY, first, n):
    """Whether any of the `n` elements from `first` on may be an event."""
    end = (first + n + GROUP - 1) // GROUP
    return next_group(words, size, first // GROUP, end) < end


@ti.func
def share(n, part, parts):
    """Where part `part` of `parts` nearly equal parts of `n` items begins."""
    return ti.cast(ti.cast(n, ti.i64) * part // parts, ti.i32)


@ti.func
def left(done, first, item, end):
    """How many edges are left at `item` of the items from `first` to `end`, if those before it, with `done` edges, are
    like the rest. At least one: none would say that parts write to disjoint memory."""
    estimate = ti.cast(done, ti.i64) * (end - item) // ti.max(item - first, 1)
    return ti.cast(ti.max(ti.min(estimate, 2**31 - 1), 1), ti.i32)


def masking(real: Any, size: int) -> Any:
    """A function `(w, event)`: their product, and 0 where there is no event, whatever `w`; without a branch."""
    integer = ti.i32 if real is ti.f32 else ti.i64

    @ti.func
    def masked(w, event):
        value = w
        if ti.static(size == 1):
            value = ti.bit_cast(ti.bit_cast(w, integer) & -ti.cast(event, integer), real)
        else:
            value = ti.select(silent(event), ti.cast(0, real), w * event)
        return value

    return masked
