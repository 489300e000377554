"""Just-in-time connectivity in plain JAX: the edges, and the three operations on them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from . import _random
from ._common import times
from ._counts import HEADER, counts
from ._ffi import Shape
from .taichi._constants import SHUFFLES, TURN

HIGHEST = 1 << 31
Word = tuple[Array, Array]  # 64 bits, as halves


def _pick(table: Array, bits: int, word: Array) -> Array:
    """How many connections a word stands for, in the table of `2**bits` numbers."""
    value = (word >> np.uint32(32 - bits)).astype(jnp.int32)
    entry = HEADER + np.int32(2) * value
    threshold = jax.lax.bitcast_convert_type(table[entry], jnp.uint32)
    return jnp.where(word << np.uint32(bits) < threshold, table[1] + value, table[entry + np.int32(1)])


def _turned(high: Array, low: Array, by: int) -> Array:
    """The lower half of a number of 64 bits, given as its halves, rotated to the right."""
    if by >= 32:
        high, low, by = low, high, by - 32
    return (low >> np.uint32(by)) | (high << np.uint32(32 - by)) if by else low


def _permuted(k: Array, factors: Word, summands: Word, bits: int) -> Array:
    """Where a permutation of `2**bits` columns takes column `k`. Each of its rounds is one: a product with an odd
    number, a sum, and a shift to the right, all modulo `2**bits`."""
    x, mask, half = _random.word(k), np.uint32(2**bits - 1), np.uint32((bits + 1) // 2)
    for r in range(SHUFFLES):
        factor, summand = (_turned(*key, r * TURN) for key in (factors, summands))
        x = (x * (factor | np.uint32(1)) + summand) & mask
        x = x ^ (x >> half)
    return x.astype(jnp.int32)


def edges(
    visit: Callable[..., Any], carry: Any, rows: int, cols: int, place: Array, table: Array, p: float, law: str
) -> Any:
    """Folds `visit(carry, j, there, z)` over the edges, one of each row and block of columns at a time: the columns
    `j`, whether there is such an edge, and the numbers `z` behind their weights, each of shape (rows, blocks)."""
    if rows == 0 or cols == 0:
        return carry
    table_bits, _, bits, _ = counts(p)
    blocks = (cols - 1) // 2**bits + 2  # as many as there can be when the first begins before this matrix
    row = jnp.broadcast_to((place[1] + jnp.arange(rows, dtype=jnp.int32))[:, None], (rows, blocks))
    block = jnp.broadcast_to(((place[2] >> bits) + jnp.arange(blocks, dtype=jnp.int32))[None], (rows, blocks))
    start = (block << bits) - place[2]  # of the block, in this matrix
    nothing = jnp.zeros_like(place[0])
    stream = _random.philox(_random.word(row), _random.word(nothing), _random.word(place[0]))
    first = _random.word(block) << np.uint32(2)
    factors, summands = _random.fold(*stream, first), _random.fold(*stream, first | np.uint32(1))
    count = _pick(table, table_bits, _random.fold(*stream, first | np.uint32(2))[0])
    forbidden = jnp.where(place[3] != 0, row - place[2] - start, jnp.full_like(row, -1))
    numbers = np.uint32(HIGHEST) | (_random.word(block) << np.uint32(7))

    def one(carry: Any, k: Array, word: Array) -> Any:
        position = _permuted(k, factors, summands, bits)
        j = start + position
        there = (k < count) & (j >= 0) & (j < np.int32(cols)) & (position != forbidden)
        return visit(carry, jnp.clip(j, 0, cols - 1), there, _number(law, word))

    def two(state: Any) -> Any:
        k, carry = state
        at = numbers | (_random.word(k) >> np.uint32(1))
        words = (at, at) if law == "constant" else _random.fold(*stream, at)
        return k + np.int32(2), one(one(carry, k, words[0]), k + np.int32(1), words[1])

    def more(state: Any) -> Array:
        return jnp.any(state[0] < count)

    # from the place: under shard_map the state is then of one kind from the beginning
    state = (nothing, jax.tree.map(lambda x: x + nothing.astype(x.dtype), carry))
    return jax.lax.while_loop(more, two, state)[1]


def _number(law: str, word: Array) -> Array:
    if law == "constant":
        return jnp.zeros(word.shape, jnp.float32)
    return (
        _random.uniform(word, word, jnp.float32) if law == "uniform" else _random.normal(word, jnp.result_type(float))
    )


def _basis(law: str, z: Array, dtype: Any) -> list[Array]:
    z = z.astype(dtype)
    one = jnp.ones_like(z)
    return {"constant": [one], "uniform": [one - z, z], "normal": [one, z]}[law]


def weights(law: str, weight: Array, z: Array) -> Array:
    """The weights with the batch dimensions of `weight`, and a last dimension of 1 for the columns of a matrix."""
    batch = (1,) * (weight.ndim - 1)
    basis = [b.reshape(*batch, *b.shape) for b in _basis(law, z, weight.dtype)]
    return sum((weight[..., k, None, None] * b for k, b in enumerate(basis)), jnp.zeros((), weight.dtype))[..., None]


def _fit(acc: Array, values: Array, ndim: int) -> Array:
    """Sums the batch dimensions that `acc`, with `ndim` dimensions of its own, has not."""
    batch = values.shape[: acc.ndim - ndim]
    summed = tuple(k for k, (have, got) in enumerate(zip(acc.shape, batch, strict=False)) if have < got)
    values = jnp.sum(values, axis=summed, keepdims=True) if summed else values
    return jnp.broadcast_to(values, (*acc.shape[: acc.ndim - ndim], *values.shape[len(batch) :]))


def _split(x: Array, columns: int) -> Array:
    return x.reshape(*x.shape[:-1], x.shape[-1] // columns, columns)


def _only(there: Array, values: Array) -> Array:
    there = there[..., None] if values.ndim > there.ndim else there
    return jnp.where(jnp.broadcast_to(there, values.shape), values, jnp.zeros_like(values))


def matvec_reference(
    acc: Array, weight: Array, x: Array, place: Array, table: Array, *, p: float, law: str, columns: int, batch: Shape
) -> Array:
    del batch
    out, x = _split(acc, columns), _split(x, columns)

    def visit(out: Array, j: Array, there: Array, z: Array) -> Array:
        values = _only(there, times(weights(law, weight, z), x[..., :, None, :]))
        return out.at[..., j, :].add(_fit(out, values, 2), mode="promise_in_bounds")

    return edges(visit, out, x.shape[-2], out.shape[-2], place, table, p, law).reshape(acc.shape)


def transposed_reference(
    acc: Array, weight: Array, y: Array, place: Array, table: Array, *, p: float, law: str, columns: int, batch: Shape
) -> Array:
    del batch
    out, y = _split(acc, columns), _split(y, columns)

    def visit(out: Array, j: Array, there: Array, z: Array) -> Array:
        values = jnp.sum(_only(there, times(weights(law, weight, z), y[..., j, :])), axis=-2)
        return out + _fit(out, values, 2)

    return edges(visit, out, out.shape[-2], y.shape[-2], place, table, p, law).reshape(acc.shape)


def outer_reference(
    acc: Array, pre: Array, post: Array, place: Array, table: Array, *, p: float, law: str, columns: int, batch: Shape
) -> Array:
    del batch
    pre, post = _split(pre, columns), _split(post, columns)

    def visit(out: Array, j: Array, there: Array, z: Array) -> Array:
        a, b = pre[..., :, None, :], post[..., j, :]
        values = _only(there, jnp.where((a != 0) & (b != 0), a * b, jnp.zeros_like(a * b)))
        values = jnp.sum(values, axis=-1)
        basis = [jnp.broadcast_to(number, values.shape) for number in _basis(law, z, acc.dtype)]
        each = [jnp.sum(values * number, axis=(-2, -1)) for number in basis]
        return out + _fit(out, jnp.stack(each, -1), 1)

    return edges(visit, acc, pre.shape[-2], post.shape[-2], place, table, p, law)


@functools.partial(jax.jit, static_argnames=("shape", "p", "law", "dtype"))
def dense(place: Array, table: Array, shape: tuple[int, int], p: float, law: str, dtype: Any) -> list[Array]:
    """The matrices that the weights multiply."""
    rows = jnp.broadcast_to(jnp.arange(shape[0], dtype=jnp.int32)[:, None], (shape[0], 1))

    def visit(out: list[Array], j: Array, there: Array, z: Array) -> list[Array]:
        return [x.at[rows, j].add(_only(there, b)) for x, b in zip(out, _basis(law, z, dtype), strict=True)]

    return edges(visit, [jnp.zeros(shape, dtype)] * (1 if law == "constant" else 2), *shape, place, table, p, law)
