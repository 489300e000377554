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
from ._ffi import Shape
from ._gaps import HEADER, gaps

HIGHEST = 1 << 31


def _pick(table: Array, first: int, bits: int, word: Array) -> Array:
    """The value that a word stands for in the table of `2**bits` values from `first` on."""
    value = (word >> np.uint32(32 - bits)).astype(jnp.int32)
    entry = np.int32(first) + np.int32(2) * value
    threshold = jax.lax.bitcast_convert_type(table[entry], jnp.uint32)
    return jnp.where(word << np.uint32(bits) < threshold, value, table[entry + np.int32(1)])


def edges(
    visit: Callable[..., Any], carry: Any, rows: int, cols: int, place: Array, table: Array, p: float, law: str
) -> Any:
    """Folds `visit(carry, j, there, z)` over the edges, one of each row and block of columns at a time: the columns
    `j`, whether there is such an edge, and the numbers `z` behind their weights, each of shape (rows, blocks)."""
    if rows == 0 or cols == 0:
        return carry
    high_bits, low_bits, bits, _ = gaps(p)
    last_value, second = np.int32(2**high_bits - 1), HEADER + 2 * 2**high_bits
    blocks = (cols - 1) // 2**bits + 2  # as many as there can be when the first begins before this matrix
    row = jnp.broadcast_to((place[1] + jnp.arange(rows, dtype=jnp.int32))[:, None], (rows, blocks))
    block = jnp.broadcast_to(((place[2] >> bits) + jnp.arange(blocks, dtype=jnp.int32))[None], (rows, blocks))
    start = (block << bits) - place[2]  # of the block, in this matrix
    words = _random.philox(_random.word(row), _random.word(block), _random.word(place[0]))
    limit = jnp.minimum(np.int32(2**bits), np.int32(cols) - start)
    forbidden = jnp.where(place[3] != 0, row - place[2] - start, jnp.full_like(row, -1))

    def draw(carry: Any, position: Array, first: Array, second_: Array, number: Array) -> tuple[Any, Array]:
        digit = _pick(table, HEADER, high_bits, first)
        rest = _pick(table, second, low_bits, second_) if low_bits else jnp.zeros_like(digit)
        ends = digit == last_value
        position = position + (digit << low_bits) + jnp.where(ends, jnp.zeros_like(rest), rest + np.int32(1))
        j = start + position
        there = ~ends & (j >= 0) & (position < limit) & (position != forbidden)
        z = _number(law, number)
        return visit(carry, jnp.clip(j, 0, cols - 1), there, z), jnp.minimum(position, limit)

    def body(state: Any) -> Any:
        k, position, carry = state
        counter = _random.word(k)
        w0, w1 = _random.fold(*words, counter)
        v0, v1 = (w0, w1) if law == "constant" else _random.fold(*words, counter | np.uint32(HIGHEST))
        carry, position = draw(carry, position, w0, w1, v0)
        if not low_bits:
            carry, position = draw(carry, position, w1, w1, v1)
        return k + np.int32(1), position, carry

    def more(state: Any) -> Array:
        return jnp.any(state[1] < limit - np.int32(1))

    # nothing, but from the place: under shard_map the state is then of one kind from the beginning
    nothing = jnp.zeros_like(place[0])
    state = (nothing, jnp.full_like(row, -1) + nothing, jax.tree.map(lambda x: x + nothing.astype(x.dtype), carry))
    return jax.lax.while_loop(more, body, state)[2]


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
