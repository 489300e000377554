"""Poisson and binomial numbers of a stream, by exact methods."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int

from .._stream import Origin, Stream
from ._common import Impl, check_impl
from ._ffi import make_function
from ._random import Word, element, element_numbers, fold, philox4, two_words, word
from .taichi._constants import BTRS, EDGE, FEW, MARGIN, MOST, PTRS, SQUEEZE, STIRLING, TWO_PI

Parts = tuple[Array, Array, Array, Array, Array]  # of a hat: two widths, centre, what is under the law, height


def _prepared(*operands: Array, law: str, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """The operands with numbers in float64, and the probability of no event."""
    del shape
    *stream, n, p = operands
    n, p = n.astype(jnp.float64), p.astype(jnp.float64)
    log = -p if law == "poisson" else n * jnp.log1p(-_rarer(p))
    return *stream, n, p, jnp.exp(log) * MARGIN


def _rarer(p: Array) -> Array:
    return jnp.minimum(p, 1 - p)


def _reference(*operands: Array, law: str, shape: tuple[int, ...]) -> tuple[Array]:
    with jax.enable_x64(True):
        key, place, step, part, first, n, p, start = _prepared(*operands, law=law, shape=shape)
        words = philox4((place[0], place[1], step[0], part[0]), (key[0], key[1]))
        x, y = element(words, element_numbers(shape, first[0]))
        valid, rare = (p >= 0) & (p <= MOST), p
        if law == "binomial":
            valid, rare = (n >= 0) & (p >= 0) & (p <= 1), _rarer(p)
        few = valid & (_mean(n, rare, law) < FEW)
        # where a method isn't needed, it gets numbers with which it ends at once
        start, p_few = jnp.where(few, start, jnp.ones_like(start)), jnp.where(few, rare, jnp.zeros_like(rare))
        count = _search(x, y, n, p_few, start, law)
        many = valid & ~few
        usual = (jnp.full_like(n, 4 * FEW), jnp.full_like(p, FEW if law == "poisson" else 0.5))
        n_many, p_many = (jnp.where(many, a, b) for a, b in zip((n, rare), usual, strict=True))
        large = _reject(x, y, n_many, p_many, jnp.broadcast_to(many, shape), law)
        count = jnp.where(jnp.broadcast_to(few, shape), count, large)
        if law == "binomial":
            count = jnp.where(jnp.broadcast_to(p > 0.5, shape), n - count, count)
        return (jnp.where(jnp.broadcast_to(valid, shape), count, -jnp.ones_like(count)).astype(jnp.int32),)


def _mean(n: Array, p: Array, law: str) -> Array:
    return p if law == "poisson" else n * p


def _search(x: Word, y: Word, n: Array, p: Array, start: Array, law: str) -> Array:
    """Adds up probabilities until they exceed the number that the words are, of 53 bits."""
    u = (x.astype(jnp.float64) * 2.0**21 + (y >> np.uint32(11)).astype(jnp.float64)) * 2.0**-53
    odds = p if law == "poisson" else p / (1 - p)

    def more(carry: tuple[Array, Array, Array, Array]) -> Array:
        return jnp.any(u >= carry[2])

    def add(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        k, probability, total, count = carry
        ratio = odds / k if law == "poisson" else odds * (n - (k - 1)) / k
        probability = probability * ratio
        return k + 1, probability, total + probability, count + (u >= total).astype(u.dtype)

    return jax.lax.while_loop(more, add, (jnp.ones_like(start), start, start, jnp.zeros_like(u)))[3]


def _reject(x: Word, y: Word, n: Array, p: Array, wanted: Array, law: str) -> Array:
    """Tries numbers below a hat over the law until one lies below the law; 0 where nothing is wanted."""
    a, b, centre, sure, height = _hat(n, p, law)
    base = _log(jnp.floor((n + 1) * p), n, p, law) if law == "binomial" else jnp.zeros_like(p)

    def again(carry: tuple[Word, Array, Array]) -> tuple[Word, Array, Array]:
        attempt, looking, found = carry
        w0, w1 = fold(x, y, attempt)
        u, v = ((w.astype(jnp.float64) + 0.5) * 2.0**-32 for w in (w0, w1))
        u = u - 0.5
        near = 0.5 - jnp.abs(u)
        k = jnp.floor((2 * a / near + b) * u + centre)
        inside = k >= 1 if law == "poisson" else (k >= 1) & (k < n)
        surely = (near >= SQUEEZE) & (v <= sure)
        log = _log(jnp.where(inside, k, jnp.ones_like(k)), n, p, law)
        below = jnp.log(v * height / (a / (near * near) + b)) <= log - base
        taken = looking & (surely | (inside & ((near >= EDGE) | (v <= near)) & below))
        return attempt + np.uint32(1), looking & ~taken, jnp.where(taken, k, found)

    start = (jnp.zeros((), jnp.uint32), wanted, jnp.zeros_like(wanted, jnp.float64))
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), again, start)[2]


def _hat(n: Array, p: Array, law: str) -> Parts:
    """Of Hörmann's two algorithms, PTRS and BTRS."""
    if law == "poisson":
        c, spread = PTRS, jnp.sqrt(p)
        b = c[0] + c[1] * spread
        return c[2] + c[3] * b, b, p + c[4], c[5] - c[6] / (b - c[7]), c[8] + c[9] / (b - c[10])
    c, spread = BTRS, jnp.sqrt(n * p * (1 - p))
    b = c[0] + c[1] * spread
    return c[2] + c[3] * b + c[4] * p, b, n * p + c[5], c[6] - c[7] / b, (c[8] + c[9] / b) * spread


def _log(k: Array, n: Array, p: Array, law: str) -> Array:
    """The logarithm of the probability of `k`, by Stirling's formula."""
    value = -0.5 * jnp.log(TWO_PI * k) - _stirling(k) - _relative_entropy(k, _mean(n, p, law))
    if law == "binomial":
        rest = n - k
        correction = 0.5 * jnp.log(n / rest) + _stirling(n) - _stirling(rest)
        value = value + correction - _relative_entropy(rest, n * (1 - p))
    return value


def _stirling(x: Array) -> Array:
    s = 1 / (x * x)
    return (STIRLING[0] - (STIRLING[1] - STIRLING[2] * s) * s) / x


def _relative_entropy(x: Array, mean: Array) -> Array:
    t = (x - mean) / mean
    return mean * ((1 + t) * jnp.log1p(t) - t)


def _kernel(*operands: Any, law: str, shape: tuple[int, ...]) -> str | None:
    del operands
    return f"npt_{law}" if math.prod(shape) > 0 else None


_law_p = make_function("npt_count_law", reference=_reference, kernel=_kernel, prepare=_prepared, divisible=True)


def stream_poisson(
    stream: Stream | Origin, mean: ArrayLike, *, shape: tuple[int, ...], first: ArrayLike = 0, impl: Impl = "auto"
) -> Int[Array, "..."]:
    """Poisson numbers of a stream, beneath `npt.random.poisson`: int32, and -1 where `mean` is no mean.

    **Arguments:**

    - `stream`: of a step and a place.
    - `mean`: one number, or an array that broadcasts to `shape`; from 0 to 2^30.
    - `shape`: of the result.
    - `first`: number of the first element.
    - `impl`: `"auto"`, `"taichi"` or `"reference"`; the numbers are the same.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        counts = npt.ops.stream_poisson(tick.fold("input").stream, 1.6, shape=(5,))
        ```
    """
    mean = jnp.asarray(mean)
    return _drawn("poisson", stream, jnp.zeros((), mean.dtype), mean, shape, first, impl)


def stream_binomial(
    stream: Stream | Origin,
    n: ArrayLike,
    p: ArrayLike,
    *,
    shape: tuple[int, ...],
    first: ArrayLike = 0,
    impl: Impl = "auto",
) -> Int[Array, "..."]:
    """Binomial numbers of a stream, beneath `npt.random.binomial`: int32, and -1 where there is no such law.

    **Arguments:**

    - `stream`: of a step and a place.
    - `n`: how many, int32; one number, or an array that broadcasts to `shape`.
    - `p`: the probability of each; likewise.
    - `shape`: of the result.
    - `first`: number of the first element.
    - `impl`: `"auto"`, `"taichi"` or `"reference"`; the numbers are the same.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        counts = npt.ops.stream_binomial(tick.fold("input").stream, 100, 0.01, shape=(5,))
        ```
    """
    return _drawn("binomial", stream, jnp.asarray(n), jnp.asarray(p), shape, first, impl)


def _drawn(
    law: str, stream: Stream | Origin, n: Array, p: Array, shape: tuple[int, ...], first: ArrayLike, impl: Impl
) -> Int[Array, "..."]:
    check_impl(impl)
    if 0 in shape:
        return jnp.zeros(shape, jnp.int32)
    origin = stream.origin if isinstance(stream, Stream) else stream
    operands = [two_words(origin.key), jnp.asarray(origin.place)]
    operands += [word(w).reshape(1) for w in (origin.step, origin.part, first)]
    for x in (n, p):
        x = jax.lax.stop_gradient(x)
        operands.append(x.reshape((1,) * len(shape)) if x.size == 1 else jnp.broadcast_to(x, shape))
    return _law_p.bind(*operands, law=law, shape=shape, batch=(), impl=impl)[0]
