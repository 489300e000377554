"""Poisson and binomial numbers: inversion of the distribution function where the mean is small, else rejection.

The stream comes as the words of its key, the two words of its place, the numbers of the step and of the part of it;
`first` is the number of the first element. Items are elements; parts, ranges of them. What is drawn for an element
depends on its own number, never on how many there are. Probabilities are added up in the same order here and in
`neuropytree.ops._count_laws`; both begin with the same `start`, that of no event. Numbers are written `ti.f64(x)` where
that matters: a bare one is a constant, or a variable, of 32 bits.
"""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import taichi as ti

from ._common import ANY, INDEX, ROOM, Kernel, Operand, share
from ._constants import BTRS, EDGE, FEW, MOST, PTRS, SQUEEZE, STIRLING, TWO_PI
from ._random import element, fold, philox4

BLOCK = 256  # elements whose words are made together, by vector instructions
ENTRIES = 128  # of the table of counts, of which there are fewer than 100 for a mean below `FEW`
BUCKETS = 256  # of the words, by their first 8 bits
# Where in the memory behind the span they are
GUIDE, HIGH = ROOM, ROOM + BUCKETS
LOW = HIGH + ENTRIES
WORDS = LOW + ENTRIES
SECOND = WORDS + BLOCK

VECTOR = ti.types.ndarray(dtype=ti.u32, ndim=1)
REALS = ti.types.ndarray(dtype=ti.f64, ndim=1)


@ti.func
def _relative_entropy(x, mean):
    """`x log(x / mean) + mean - x`, without its cancellation."""
    t = (x - mean) / mean
    y = 1.0 + t
    log = ti.select(y == 1.0, t, ti.log(y) * (t / (y - 1.0)))
    return mean * ((1.0 + t) * log - t)


@ti.func
def _stirling(x):
    """What Stirling's formula lacks of the logarithm of the factorial; below 1e-9 wrong from 10 on."""
    s = 1.0 / (x * x)
    return (ti.f64(STIRLING[0]) - (ti.f64(STIRLING[1]) - ti.f64(STIRLING[2]) * s) * s) / x


def _law(law: str):
    """What depends on the law. `p` is the mean, or for each of `n` the probability."""

    @ti.func
    def valid(n, p):
        good = p >= 0.0 and p <= ti.f64(MOST)
        if ti.static(law == "binomial"):
            good = n >= 0.0 and p >= 0.0 and p <= 1.0
        return good

    @ti.func
    def mean(n, p):
        return p if ti.static(law == "poisson") else n * p

    @ti.func
    def odds(p):
        return p if ti.static(law == "poisson") else p / (1.0 - p)

    @ti.func
    def ratio(k, n, r):
        """The probability of `k` over that of one less, for odds `r`."""
        return r / k if ti.static(law == "poisson") else r * (n - (k - 1.0)) / k

    @ti.func
    def log(k, n, p):
        """The logarithm of the probability of `k`, for many."""
        value = -0.5 * ti.log(ti.f64(TWO_PI) * k) - _stirling(k) - _relative_entropy(k, mean(n, p))
        if ti.static(law == "binomial"):
            rest = n - k
            value += 0.5 * ti.log(n / rest) + _stirling(n) - _stirling(rest) - _relative_entropy(rest, n * (1.0 - p))
        return value

    @ti.func
    def hat(n, p):
        """Its two widths and its centre; what is under the law for sure; its height, over the mode of a binomial."""
        spread = ti.sqrt(p if ti.static(law == "poisson") else n * p * (1.0 - p))
        a, b, centre, sure, height = p, p, p, p, p
        if ti.static(law == "poisson"):
            b = ti.f64(PTRS[0]) + ti.f64(PTRS[1]) * spread
            a = ti.f64(PTRS[2]) + ti.f64(PTRS[3]) * b
            centre, sure = p + ti.f64(PTRS[4]), ti.f64(PTRS[5]) - ti.f64(PTRS[6]) / (b - ti.f64(PTRS[7]))
            height = ti.f64(PTRS[8]) + ti.f64(PTRS[9]) / (b - ti.f64(PTRS[10]))
        else:
            b = ti.f64(BTRS[0]) + ti.f64(BTRS[1]) * spread
            a = ti.f64(BTRS[2]) + ti.f64(BTRS[3]) * b + ti.f64(BTRS[4]) * p
            centre, sure = n * p + ti.f64(BTRS[5]), ti.f64(BTRS[6]) - ti.f64(BTRS[7]) / b
            height = (ti.f64(BTRS[8]) + ti.f64(BTRS[9]) / b) * spread
        return a, b, centre, sure, height

    return valid, mean, odds, ratio, log, hat


def _counts(law: str):
    valid, mean, odds, ratio, log, hat = _law(law)

    @ti.func
    def make_table(span: ANY, n, p, start):
        """For each number of events the word below which there are so many at most, 53 bits in two; and for each bucket
        of words where to begin to look."""
        probability, total, k, more, r = start, start, 0, True, odds(p)
        while more:
            bound = ti.cast(ti.ceil(total * ti.f64(2.0**53)), ti.i64)
            more = total < 1.0 and k < ENTRIES - 1
            span[HIGH + k] = ti.cast(ti.select(more, bound >> ti.i64(21), ti.i64(0xFFFFFFFF)), ti.i32)
            span[LOW + k] = ti.cast(ti.select(more, bound & ti.i64(0x1FFFFF), ti.i64(0x200000)), ti.i32)
            k += 1
            probability *= ratio(ti.cast(k, ti.f64), n, r)
            total += probability
        at = 0
        for bucket in range(BUCKETS):
            while ti.cast(span[HIGH + at], ti.u32) < ti.cast(bucket, ti.u32) << ti.u32(24):
                at += 1
            span[GUIDE + bucket] = at

    @ti.func
    def look_up(span: ANY, x, y):
        k = span[GUIDE + ti.cast(x >> ti.u32(24), ti.i32)]
        above = True
        while above:
            high = ti.cast(span[HIGH + k], ti.u32)
            above = x >= high
            if above:
                if x == high:
                    above = y >> ti.u32(11) >= ti.cast(span[LOW + k], ti.u32)
                k += ti.cast(above, ti.i32)
        return k

    @ti.func
    def search(x, y, n, p, start):
        word = ti.cast(x, ti.f64) * ti.f64(2.0**21) + ti.cast(y >> ti.u32(11), ti.f64)
        u, k = word * ti.f64(2.0**-53), ti.f64(0.0)
        probability, total, r = start, start, odds(p)
        while u >= total and k < ENTRIES:
            k += 1.0
            probability *= ratio(k, n, r)
            total += probability
        return k

    @ti.func
    def reject(x, y, n, p):
        a, b, centre, sure, height = hat(n, p)
        k, mode, attempt, looking = ti.f64(0.0), ti.f64(0.0), ti.u32(0), True
        while looking:
            w0, w1 = fold(x, y, attempt)
            u = (ti.cast(w0, ti.f64) + 0.5) * ti.f64(2.0**-32) - 0.5
            v = (ti.cast(w1, ti.f64) + 0.5) * ti.f64(2.0**-32)
            near = 0.5 - ti.abs(u)
            k = ti.floor((2.0 * a / near + b) * u + centre)
            inside = k >= 1.0
            if ti.static(law == "binomial"):
                inside = inside and k < n
            looking = near < ti.f64(SQUEEZE) or v > sure
            if looking and inside and (near >= ti.f64(EDGE) or v <= near):
                if ti.static(law == "binomial"):
                    if mode == 0.0:  # not known yet: most don't need it
                        mode = log(ti.floor((n + 1.0) * p), n, p)
                looking = ti.log(v * height / (a / (near * near) + b)) > log(k, n, p) - mode
            attempt += ti.u32(1)
        return k

    @ti.func
    def one(x, y, n, p, start):
        rare, count = p, ti.f64(-1.0)
        if ti.static(law == "binomial"):
            rare = ti.min(p, 1.0 - p)
        if valid(n, p):
            if mean(n, rare) < FEW:
                count = search(x, y, n, rare, start)
            else:
                count = reject(x, y, n, rare)
            if ti.static(law == "binomial"):
                count = ti.select(p > 0.5, n - count, count)
        return ti.cast(count, ti.i32)

    @ti.func
    def by_table(span: ANY, x, y, n, p):
        count = look_up(span, x, y)
        if ti.static(law == "binomial"):
            count = ti.select(p > 0.5, ti.cast(n, ti.i32) - count, count)
        return count

    @ti.kernel
    def kernel(
        key: VECTOR,
        place: VECTOR,
        step: VECTOR,
        part: VECTOR,
        first: VECTOR,
        n: REALS,
        p: REALS,
        start: REALS,
        out: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            size = out.shape[0]
            if span[3] == 1 and size - span[0] > span[1]:
                span[4] = span[0]
            else:
                span[4] = -1
                begin = span[0] + share(size - span[0], span[2], span[3])
                end = span[0] + share(size - span[0], span[2] + 1, span[3])
                s0, s1, s2, s3 = philox4(place[0], place[1], step[0], part[0], key[0], key[1])
                same = n.shape[0] == 1 and p.shape[0] == 1
                n0, p0 = n[0], p[0]
                rare = p0
                if ti.static(law == "binomial"):
                    rare = ti.min(p0, 1.0 - p0)
                table = same and valid(n0, p0) and mean(n0, rare) < FEW
                if table:
                    make_table(span, n0, rare, start[0])
                for block in range((end - begin + BLOCK - 1) // BLOCK):
                    at = begin + block * BLOCK
                    count = ti.min(BLOCK, end - at)
                    for e in range(count):
                        x, y = element(s0, s1, s2, s3, first[0] + ti.cast(at + e, ti.u32))
                        span[WORDS + e] = ti.cast(x, ti.i32)
                        span[SECOND + e] = ti.cast(y, ti.i32)
                    for e in range(count):
                        x, y = ti.cast(span[WORDS + e], ti.u32), ti.cast(span[SECOND + e], ti.u32)
                        if table:
                            out[at + e] = by_table(span, x, y, n0, p0)
                        else:
                            own_n = n[ti.select(n.shape[0] == 1, 0, at + e)]
                            own_p = p[ti.select(p.shape[0] == 1, 0, at + e)]
                            own_start = start[ti.select(start.shape[0] == 1, 0, at + e)]
                            out[at + e] = one(x, y, own_n, own_p, own_start)

    return kernel


def _kernels() -> dict[str, Kernel]:
    operands = (*(Operand("u32", 1),) * 5, *(Operand("f64", 1),) * 3)
    out = Operand("s32", 1)
    return {
        f"npt_{law}": Kernel(_counts(law), operands, in_place=0, outputs=(out,), parts=2)
        for law in ("poisson", "binomial")
    }


KERNELS = _kernels()
