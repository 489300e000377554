"""Counter-based random numbers for kernels, the same bits as `neuropytree.ops.counter_bits` and its companions give.

A stream is a pair of words, `first, second = stream(seed, a, b)`; `fold(first, second, c)` is the pair of words of
counter `c` in it, and a stream of its own. A word becomes a number by `uniform`, `normal`, ... of `ti.f32`,
`ti.f64` or `float`. No state, no order: any number can be had at any time.
"""

# Taichi reads annotations as objects, which are no types; no `from __future__ import annotations` either.
# pyright: reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import taichi as ti
from taichi.lang.util import cook_dtype

from ._constants import LN2, LOG, MIX, MULTIPLIER, MULTIPLIERS, QUANTILE, ROUNDS, STEP, WEYL, WEYLS

ANY = ti.template()


@ti.func
def philox(a, b, key):
    """Two words from two words and a key."""
    x, y, k = ti.cast(a, ti.u32), ti.cast(b, ti.u32), ti.cast(key, ti.u32)
    for _ in ti.static(range(ROUNDS)):
        product = ti.cast(x, ti.u64) * ti.u64(MULTIPLIER)
        x = ti.cast(product >> ti.u64(32), ti.u32) ^ k ^ y
        y = ti.cast(product, ti.u32)
        k += ti.u32(WEYL)
    return x, y


@ti.func
def philox4(a, b, c, d, key0, key1):
    """Four words from four words and two of a key."""
    x0, x1, x2, x3 = ti.cast(a, ti.u32), ti.cast(b, ti.u32), ti.cast(c, ti.u32), ti.cast(d, ti.u32)
    k0, k1 = ti.cast(key0, ti.u32), ti.cast(key1, ti.u32)
    for _ in ti.static(range(ROUNDS)):
        first = ti.cast(x0, ti.u64) * ti.u64(MULTIPLIERS[0])
        second = ti.cast(x2, ti.u64) * ti.u64(MULTIPLIERS[1])
        x0 = ti.cast(second >> ti.u64(32), ti.u32) ^ x1 ^ k0
        x1 = ti.cast(second, ti.u32)
        x2 = ti.cast(first >> ti.u64(32), ti.u32) ^ x3 ^ k1
        x3 = ti.cast(first, ti.u32)
        k0 += ti.u32(WEYLS[0])
        k1 += ti.u32(WEYLS[1])
    return x0, x1, x2, x3


@ti.func
def element(s0, s1, s2, s3, i):
    """The pair of words of element `i` of a stream, of which the first four are what `npt.ops.stream_words` gives."""
    x, y = philox(i, s1, s0)
    return x ^ s2, y ^ s3


@ti.func
def stream(seed, a, b):
    """The pair of words of a seed and two counters."""
    return philox(a, b, seed)


@ti.func
def fold(first, second, counter):
    """The pair of words of one more counter: that output of SplitMix64 from the state that the words are."""
    state = (ti.cast(first, ti.u64) << ti.u64(32)) | ti.cast(second, ti.u64)
    z = state + (ti.cast(ti.cast(counter, ti.u32), ti.u64) + ti.u64(1)) * _constant(ti.static(STEP))
    z = (z ^ (z >> ti.u64(30))) * _constant(ti.static(MIX[0]))
    z = (z ^ (z >> ti.u64(27))) * _constant(ti.static(MIX[1]))
    z = z ^ (z >> ti.u64(31))
    return ti.cast(z >> ti.u64(32), ti.u32), ti.cast(z, ti.u32)


@ti.func
def _constant(halves: ANY):
    return (ti.u64(halves[0]) << ti.u64(32)) | ti.u64(halves[1])


@ti.func
def high_product(a, b):
    """The upper half of the product of two words."""
    return ti.cast((ti.cast(a, ti.u64) * ti.cast(b, ti.u64)) >> ti.u64(32), ti.u32)


@ti.func
def polynomial(coefficients: ANY, y):
    """In fixed point: the coefficients, highest first, with as many binary places as the result, `y` with 31."""
    value = ti.i32(coefficients[0])
    for c in ti.static(coefficients[1:]):
        value = ti.cast((ti.cast(value, ti.i64) * ti.cast(y, ti.i64)) >> ti.i64(31), ti.i32) + ti.i32(c)
    return value


@ti.func
def leading_zeros(word):
    """Of a word that is not 0."""
    # the exponent of the word as a double, which is exact
    exponent = ti.bit_cast(ti.cast(word, ti.f64), ti.i64) >> ti.i64(52)
    return ti.u32(31) - ti.cast(exponent - ti.i64(1023), ti.u32)


@ti.func
def minus_log(word):
    """`-log(word / 2**32)` with 27 binary places, for a word that is not 0."""
    zeros = leading_zeros(word)
    return zeros * ti.u32(LN2) + _rest_of_log(word << zeros)


@ti.func
def _rest_of_log(word):
    """`minus_log` of a word whose first bit is set."""
    y = ti.bit_cast((word << ti.u32(1)) ^ ti.u32(0x80000000), ti.i32)
    return ti.cast(ti.max(polynomial(ti.static(LOG), y), 0) >> 3, ti.u32)


@ti.func
def uniform(first, second, dtype: ANY):
    """Uniform on [0, 1): 24 bits of the first word as f32, 53 bits of both as f64."""
    if ti.static(cook_dtype(dtype) != ti.f64):
        return ti.cast(ti.cast(first >> ti.u32(8), ti.i32), ti.f32) * ti.f32(2.0**-24)
    else:
        high = ti.cast(ti.cast(first >> ti.u32(5), ti.i32), ti.f64)
        low = ti.cast(ti.cast(second >> ti.u32(6), ti.i32), ti.f64)
        return (high * ti.f64(2.0**26) + low) * ti.f64(2.0**-53)


@ti.func
def exponential(word, dtype: ANY):
    """Exponential with mean 1."""
    return ti.cast(minus_log(word | ti.u32(1)), dtype) * ti.cast(2.0**-27, dtype)


def _quantile(middle, half, coefficients):
    """The factor of `x` in the normal quantile."""

    @ti.func
    def piece(w):
        y = ti.cast(w - ti.u32(middle << 27), ti.i32) * ti.i32(1 << (4 - half))
        return polynomial(ti.static(coefficients), y)

    return piece


_near, _middle, _far = (_quantile(*piece) for _, *piece in QUANTILE)


@ti.func
def normal(word, dtype: ANY):
    """Normal with mean 0 and variance 1."""
    # the tail probability is a / 2^33, with x = 1 - a / 2^32 and 1 - x^2 = (a / 2^32) (2 - a / 2^32)
    a = (word << ti.u32(1)) | ti.u32(1)
    x = ti.u32(0) - a
    high = a + high_product(a, x)
    low = a * x
    zeros = leading_zeros(high)
    leading = (high << zeros) | ((low >> ti.u32(1)) >> (ti.u32(31) - zeros))
    w = zeros * ti.u32(LN2) + _rest_of_log(leading)
    r = ti.i32(0)
    if w < ti.u32(QUANTILE[0][0] << 27):
        r = _near(w)
    elif w < ti.u32(QUANTILE[1][0] << 27):
        r = _middle(w)
    else:
        r = _far(w)
    z = ti.cast(ti.cast(high_product(x, ti.cast(r, ti.u32)), ti.i32), dtype) * ti.cast(2.0**-28, dtype)
    return ti.select((word >> ti.u32(31)) == 1, -z, z)


@ti.func
def bernoulli(word, p):
    """True with probability `p`, to a multiple of 2^-32."""
    scaled = ti.ceil(p * 4294967296.0)
    threshold = ti.cast(ti.cast(scaled, ti.i64), ti.u32)
    return (scaled >= 4294967296.0) or (scaled > 0 and word < threshold)


@ti.func
def integer(word, low, high):
    """Uniform on the integers from `low` to `high - 1`."""
    return low + ti.cast(high_product(word, ti.cast(high - low, ti.u32)), ti.i32)
