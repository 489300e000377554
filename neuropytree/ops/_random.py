"""Counter-based random numbers: a pure function of a seed and some whole numbers, the same bits here and in kernels.

What a kernel calls is in `neuropytree.ops.taichi`. Everything is integer arithmetic, which no compiler can round in
another way; products have 64 bits, whether JAX is set to such numbers or not.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, UInt

from .._stream import Origin, Stream
from .taichi._constants import LN2, LOG, MIX, MULTIPLIER, MULTIPLIERS, QUANTILE, ROUNDS, STEP, WEYL, WEYLS

Word = UInt[Array, "..."]
Seed = ArrayLike | Stream | Origin


def word(x: ArrayLike, name: str = "counter") -> Word:
    """A whole number as 32 bits: negative ones by their two's complement."""
    if isinstance(x, int | np.integer) and not isinstance(x, bool):
        if not -(2**31) <= x < 2**32:
            raise ValueError(f"{name} is {x}; expected a whole number of 32 bits, from -2^31 to 2^32 - 1")
        return jnp.asarray(np.uint32(int(x) % 2**32))
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} is {array.dtype.name}; expected integers")
    return array.astype(jnp.uint32)


def _u32(x: int) -> Array:
    return jnp.asarray(np.uint32(x))


def _shift(x: Word, by: int) -> Word:
    return x >> _u32(by)


def _product(a: Word, b: Word) -> tuple[Word, Word]:
    """The upper and the lower half of the product of two words."""
    with jax.enable_x64(True):
        product = a.astype(jnp.uint64) * b.astype(jnp.uint64)
        return (product >> np.uint64(32)).astype(jnp.uint32), product.astype(jnp.uint32)


def high_product(a: Word, b: Word) -> Word:
    """The upper half of the product of two words."""
    return _product(a, b)[0]


def philox(a: Word, b: Word, key: Word) -> tuple[Word, Word]:
    """Two words from two words and a key."""
    for r in range(ROUNDS):
        high, low = _product(a, _u32(MULTIPLIER))
        a, b = high ^ (key + _u32(r * WEYL % 2**32)) ^ b, low
    return a, b


def philox4(words: tuple[Word, Word, Word, Word], key: tuple[Word, Word]) -> tuple[Word, Word, Word, Word]:
    """Four words from four words and a key of two."""
    a, b, c, d = words
    for r in range(ROUNDS):
        (high, low), (other_high, other_low) = _product(a, _u32(MULTIPLIERS[0])), _product(c, _u32(MULTIPLIERS[1]))
        k, other_k = (one + _u32(r * step % 2**32) for one, step in zip(key, WEYLS, strict=True))
        a, b, c, d = other_high ^ b ^ k, other_low, high ^ d ^ other_k, low
    return a, b, c, d


def fold(first: Word, second: Word, counter: Word) -> tuple[Word, Word]:
    """Two words from two words and one more counter: that output of SplitMix64 from the state that the words are."""
    with jax.enable_x64(True):
        step, *mix = (np.uint64(high << 32 | low) for high, low in (STEP, *MIX))
        z = _joined(first, second) + (counter.astype(jnp.uint64) + np.uint64(1)) * step
        for by, factor in zip((30, 27), mix, strict=True):
            z = (z ^ (z >> np.uint64(by))) * factor
        z = z ^ (z >> np.uint64(31))
        return (z >> np.uint64(32)).astype(jnp.uint32), z.astype(jnp.uint32)


def _joined(first: Word, second: Word) -> Array:
    return (first.astype(jnp.uint64) << np.uint64(32)) | second.astype(jnp.uint64)


def two_words(key: Word) -> Word:
    """A key of two words; of a generator with longer keys, all of it is in them."""
    for n in range(2, key.shape[0], 2):
        more = philox4((key[n], key[n + 1], _u32(0), _u32(0)), (key[0], key[1]))
        key = key.at[:2].set(jnp.stack(more[:2]))
    return key[:2] if key.shape[0] > 2 else key


def stream_words(stream: Stream) -> tuple[Word, Word, Word, Word]:
    """Four words of 32 bits from which the numbers of a stream are made, different for any two steps and places of one
    key.

    With them as an operand, a kernel of your own draws what `npt.ops.counter_bits(stream, i)` gives: see
    `neuropytree.ops.taichi.element`.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        words = npt.ops.stream_words(tick.fold("noise").stream)
        ```
    """
    return _stream_words(stream.origin)


@functools.partial(jax.jit, inline=True)
def _stream_words(origin: Origin) -> tuple[Word, Word, Word, Word]:
    place, key = origin.place, two_words(origin.key)
    return philox4((place[0], place[1], word(origin.step), word(origin.part)), (key[0], key[1]))


def element(words: tuple[Word, Word, Word, Word], i: Word) -> tuple[Word, Word]:
    """The two words of element `i` of a stream."""
    a, b, c, d = words
    first, second = philox(i, jnp.broadcast_to(b, i.shape), jnp.broadcast_to(a, i.shape))
    return first ^ c, second ^ d


def _signed(x: Word) -> Array:
    return jax.lax.bitcast_convert_type(x, jnp.int32)


def _unsigned(x: Array) -> Word:
    return jax.lax.bitcast_convert_type(x, jnp.uint32)


def _polynomial(coefficients: tuple[int, ...] | list[Array], y: Array) -> Array:
    """In fixed point: the coefficients, highest first, with as many binary places as the result, `y` with 31."""
    with jax.enable_x64(True):
        first, *rest = (jnp.asarray(c, jnp.int32).astype(jnp.int64) for c in coefficients)
        value, y = jnp.broadcast_to(first, y.shape), y.astype(jnp.int64)
        for c in rest:
            # of 32 bits, as the compiler is told here: it then takes products of such numbers
            value = ((value.astype(jnp.int32).astype(jnp.int64) * y) >> np.int64(31)) + c
        return value.astype(jnp.int32)


def _rest_of_log(x: Word) -> Word:
    y = _signed((x << _u32(1)) ^ _u32(0x80000000))
    log = jnp.maximum(_polynomial(LOG, y), jnp.zeros((), jnp.int32))
    return _shift(_unsigned(log), 3)


def element_numbers(shape: tuple[int, ...], first: ArrayLike = 0) -> Word:
    """The numbers of the elements of an array, in C order, from `first` on: counters for `counter_bits`.

    !!! example

        ```python
        import neuropytree as npt
        x = npt.ops.counter_normal(42, npt.ops.element_numbers((3, 5)))
        ```
    """
    number = jnp.broadcast_to(word(first, "first"), shape)
    for axis, n in enumerate(shape):
        if n > 1:
            stride = _u32(math.prod(shape[axis + 1 :]) % 2**32)
            number = number + jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * stride
    return number


def uniform(first: Word, second: Word, dtype: Any) -> Array:
    """Uniform on [0, 1): as many of the first bits as the dtype can tell apart from 1, in float64 of both words."""
    if np.dtype(dtype) == np.float64:
        high, low = _shift(first, 5).astype(dtype), _shift(second, 6).astype(dtype)
        return (high * 2.0**26 + low) * 2.0**-53
    bits = jnp.finfo(dtype).nmant + 1
    return (_shift(first, 32 - bits).astype(jnp.float32) * 2.0**-bits).astype(dtype)


def exponential(x: Word, dtype: Any) -> Array:
    """Exponential with mean 1."""
    x = x | _u32(1)
    zeros = jax.lax.clz(x)
    log = zeros * _u32(LN2) + _rest_of_log(x << zeros)
    return _scaled(log, 27, dtype)


def normal(x: Word, dtype: Any) -> Array:
    """Normal with mean 0 and variance 1."""
    a = (x << _u32(1)) | _u32(1)
    centre = _u32(0) - a
    high, low = a + high_product(a, centre), a * centre
    zeros = jax.lax.clz(high)
    w = zeros * _u32(LN2) + _rest_of_log((high << zeros) | (_shift(low, 1) >> (_u32(31) - zeros)))
    near, middle = w < _u32(QUANTILE[0][0] << 27), w < _u32(QUANTILE[1][0] << 27)

    def pick(of: list[Array]) -> Array:
        return jnp.where(near, of[0], jnp.where(middle, of[1], of[2]))

    y = _signed(pick([(w - _u32(m << 27)) << _u32(4 - half) for _, m, half, _ in QUANTILE]))
    table = zip(*(coefficients for *_, coefficients in QUANTILE), strict=True)
    r = _polynomial([pick([jnp.asarray(c, jnp.int32) for c in column]) for column in table], y)
    z = _scaled(high_product(centre, _unsigned(r)), 28, dtype)
    return jnp.where(_shift(x, 31) == _u32(1), -z, z)


def _scaled(x: Word, places: int, dtype: Any) -> Array:
    real = jnp.float64 if np.dtype(dtype) == np.float64 else jnp.float32
    return (x.astype(real) * 2.0**-places).astype(dtype)


def _dtype(dtype: Any) -> Any:
    dtype = jnp.result_type(float) if dtype is None else jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"dtype is {dtype.name}; expected a floating one")
    return dtype


def counter_bits(seed: Seed, *counters: ArrayLike) -> tuple[Word, Word]:
    r"""Two independent random words of 32 bits, a pure function of a seed and some counters.

    The first two counters are enciphered by Philox-2x32 with seven rounds and the seed as key: for one seed, no two
    pairs of counters have the same words. The 64 bits that come out are the state of a SplitMix64 generator, from which
    a third counter `c` takes output number `c`, and so on. In a kernel, `stream(seed, a, b)` and then
    `fold(first, second, c)` of `neuropytree.ops.taichi` give the same bits, on every backend.

    With a `Stream` as seed, its key, step and place are enciphered first, by Philox-4x32 with the key as key, so for
    one key no two steps or places have the same 128 bits. Half of them are key and counter of Philox-2x32, which
    enciphers the first counter, and the other half is added to that, bit by bit. In a kernel that gets the four words
    of `npt.ops.stream_words(stream)`, this is `element(words, c)`.

    **Arguments:**

    - `seed`: a whole number of 32 bits, or an integer array, or a `Stream`.
    - `counters`: at least one, whole numbers or integer arrays (such as the number of a neuron and of a step); all
      broadcast against each other. Of arrays of 64 bits the lower half counts.

    **Returns:** two uint32 arrays.

    **Raises:** `ValueError` without counters or for a number that needs more than 32 bits; `TypeError` for one that
    isn't whole.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", doi:10.1145/2063384.2063405; Steele et
    al. 2014, "Fast splittable pseudorandom number generators", doi:10.1145/2660193.2660195.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        first, second = npt.ops.counter_bits(42, jnp.arange(5), 7)
        ```
    """
    return _drawn(_both, seed, counters)


def _drawn(finish: Callable[..., Any], seed: Seed, counters: tuple[ArrayLike, ...], dtype: Any = None) -> Any:
    """What `finish` makes of two words and a dtype, in one program where it is called outside of any."""
    if not counters:
        raise ValueError("counter_bits got a seed and no counters; expected at least one")
    numbers = tuple(word(x, "counter") for x in counters)
    seed = seed.origin if isinstance(seed, Stream) else seed
    return _made(finish, seed if isinstance(seed, Origin) else word(seed, "seed"), numbers, dtype)


@functools.partial(jax.jit, static_argnums=(0, 3), inline=True)
def _made(finish: Callable[..., Any], seed: Word | Origin, numbers: tuple[Word, ...], dtype: Any) -> Any:
    shapes = [x.shape for x in numbers]
    shape = jnp.broadcast_shapes(*shapes, () if isinstance(seed, Origin) else seed.shape)
    first, *rest = (jnp.broadcast_to(x, shape) for x in numbers)
    if isinstance(seed, Origin):
        words = element(_stream_words(seed), first)
    else:
        second, *rest = rest or [jnp.zeros(shape, jnp.uint32)]
        words = philox(first, second, jnp.broadcast_to(seed, shape))
    for x in rest:
        words = fold(*words, x)
    return finish(*words, dtype)


def _both(first: Word, second: Word, dtype: None) -> tuple[Word, Word]:
    del dtype
    return first, second


def _normal(first: Word, second: Word, dtype: Any) -> Array:
    del second
    return normal(first, dtype)


def _exponential(first: Word, second: Word, dtype: Any) -> Array:
    del second
    return exponential(first, dtype)


def counter_uniform(seed: Seed, *counters: ArrayLike, dtype: Any = None) -> Float[Array, "..."]:
    """Uniform on [0, 1), from `counter_bits(seed, *counters)`: a multiple of 2^-24, of 2^-53 in float64, of 2^-11 in
    float16 and of 2^-8 in bfloat16.

    Arguments and errors as for `counter_bits`; `dtype` defaults to JAX's default float.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.counter_uniform(42, jnp.arange(5))
        ```
    """
    return _drawn(uniform, seed, counters, _dtype(dtype))


def counter_normal(seed: Seed, *counters: ArrayLike, dtype: Any = None) -> Float[Array, "..."]:
    """Normal with mean 0 and variance 1: the quantile of the first word of `counter_bits(seed, *counters)`.

    Correct to 2e-7; the largest absolute value is 6.34. Arguments and errors as for `counter_bits`; `dtype` defaults to
    JAX's default float.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.counter_normal(42, jnp.arange(5))
        ```
    """
    return _drawn(_normal, seed, counters, _dtype(dtype))


def counter_exponential(seed: Seed, *counters: ArrayLike, dtype: Any = None) -> Float[Array, "..."]:
    """Exponential with mean 1: minus the logarithm of the first word of `counter_bits(seed, *counters)` over 2^32.

    Correct to 2e-7; the largest value is 22.2. Arguments and errors as for `counter_bits`; `dtype` defaults to JAX's
    default float.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.counter_exponential(42, jnp.arange(5))
        ```
    """
    return _drawn(_exponential, seed, counters, _dtype(dtype))


def counter_bernoulli(p: ArrayLike, seed: Seed, *counters: ArrayLike) -> Bool[Array, "..."]:
    """True with probability `p`, rounded up to a multiple of 2^-32, from `counter_bits(seed, *counters)`.

    Arguments and errors as for `counter_bits`; `p` is a number or an array that broadcasts with the counters. Never
    true for `p` of 0 or less, always for 1 or more.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.counter_bernoulli(0.3, 42, jnp.arange(5))
        ```
    """
    x, _ = counter_bits(seed, *counters)
    p = jnp.asarray(p)
    p = p if jnp.issubdtype(p.dtype, jnp.floating) else p.astype(jnp.result_type(float))
    real = jnp.float64 if p.dtype == jnp.float64 else jnp.float32
    scaled = jnp.ceil(p.astype(real) * 2.0**32)
    sure = scaled >= 2.0**32
    threshold = jnp.where(sure, jnp.zeros_like(scaled), scaled).astype(jnp.uint32)
    x, threshold, sure = jnp.broadcast_arrays(x, threshold, sure)
    return sure | (x < threshold)


def counter_integers(low: ArrayLike, high: ArrayLike, seed: Seed, *counters: ArrayLike) -> Int[Array, "..."]:
    """Whole numbers from `low` to `high - 1`, int32, from `counter_bits(seed, *counters)`.

    No number is more likely than another by more than `(high - low) / 2^32` of it. Arguments and errors as for
    `counter_bits`; `low` and `high` are numbers or arrays that broadcast with the counters, at most 2^31 - 1.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.counter_integers(0, 6, 42, jnp.arange(5))
        ```
    """
    if isinstance(low, int | np.integer) and isinstance(high, int | np.integer) and not -(2**31) <= low < high < 2**31:
        raise ValueError(f"low is {low} and high {high}; expected -2^31 <= low < high < 2^31")
    x, _ = counter_bits(seed, *counters)
    x, low, high = jnp.broadcast_arrays(x, word(low, "low"), word(high, "high"))
    return _signed(low + high_product(x, high - low))
