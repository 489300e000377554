"""Roots of the equations of an implicit step."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from ._elementwise import independent_elements

_MOST_ITERATIONS = 50
_MOST_UNROLLED = 8


def root(residual: Callable[[PyTree], PyTree], guess: PyTree) -> PyTree:
    """The root of `residual` near `guess` by Newton's method, with its derivatives by the implicit function theorem.

    Where the elements of the variables are independent of each other, as in a population, there is a small matrix for
    each element; else one dense matrix. Elements are NaN where the iteration does not converge.
    """
    leaves, structure = jax.tree.flatten(guess)

    def flat(*xs: Array) -> list[Array]:
        return jax.tree.leaves(residual(jax.tree.unflatten(structure, xs)))

    blocks = independent_elements(flat, leaves)

    def linear_solve(linear: Callable[[PyTree], PyTree], rhs: PyTree) -> PyTree:
        return _solve_blocks(linear, rhs) if blocks else _solve_dense(linear, rhs)

    def newton(f: Callable[[PyTree], PyTree], x: PyTree) -> PyTree:
        def body(carry: tuple[Array, PyTree, Array]) -> tuple[Array, PyTree, Array]:
            k, x, _ = carry
            value, linear = jax.linearize(f, x)
            change = linear_solve(linear, value)
            x = jax.tree.map(jnp.subtract, x, change)
            return k + 1, x, _size(change, x)

        def more(carry: tuple[Array, PyTree, Array]) -> Array:
            return (carry[0] < _MOST_ITERATIONS) & (carry[2] > 1)

        start = (jnp.zeros((), jnp.int32), x, jnp.full_like(_size(x, x), jnp.inf))
        _, x, size = jax.lax.while_loop(more, body, start)
        return jax.tree.map(lambda leaf: jnp.where(size <= 1, leaf, jnp.nan), x)

    return jax.lax.custom_root(residual, guess, newton, linear_solve)


def _size(change: PyTree, x: PyTree) -> Array:
    """The largest change in units of what may remain.

    The next change is about the square of this one; so half of the digits suffice to have all of them.
    """

    def largest(change: Array, x: Array) -> Array:
        eps = float(jnp.finfo(x.dtype).eps)
        return jnp.max(jnp.abs(change) / (eps**0.75 + math.sqrt(eps) * jnp.abs(x)), initial=0.0)

    parts = jax.tree.leaves(jax.tree.map(largest, change, x))
    out = parts[0]
    for part in parts[1:]:
        out = jnp.maximum(out, part.astype(out.dtype))
    return out


def _solve_blocks(linear: Callable[[PyTree], PyTree], rhs: PyTree) -> PyTree:
    """A linear system for each element, of as many unknowns as there are variables."""
    right, structure = jax.tree.flatten(rhs)
    n = len(right)
    columns = []
    for j in range(n):
        one = [jnp.ones_like(x) if i == j else jnp.zeros_like(x) for i, x in enumerate(right)]
        columns.append(jax.tree.leaves(linear(jax.tree.unflatten(structure, one))))
    if n > _MOST_UNROLLED:
        matrix = jnp.stack([jnp.stack(column, -1) for column in columns], -1)
        solved = jnp.linalg.solve(matrix, jnp.stack(right, -1)[..., None])[..., 0]
        return jax.tree.unflatten(structure, [solved[..., i] for i in range(n)])
    rows = [[columns[j][i] for j in range(n)] + [right[i]] for i in range(n)]
    return jax.tree.unflatten(structure, _eliminate(rows))


def _eliminate(rows: list[list[Array]]) -> list[Array]:
    """Gauss with partial pivoting, written out, so that XLA makes one loop over the elements."""
    n = len(rows)
    for k in range(n):
        for i in range(k + 1, n):
            swap = jnp.abs(rows[i][k]) > jnp.abs(rows[k][k])
            upper = [jnp.where(swap, y, x) for x, y in zip(rows[k], rows[i], strict=True)]
            rows[i] = [jnp.where(swap, x, y) for x, y in zip(rows[k], rows[i], strict=True)]
            rows[k] = upper
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [y if j <= k else y - factor * x for j, (x, y) in enumerate(zip(rows[k], rows[i], strict=True))]
    out: list[Any] = [None] * n
    for i in range(n - 1, -1, -1):
        total = rows[i][n]
        for j in range(i + 1, n):
            total = total - rows[i][j] * out[j]
        out[i] = total / rows[i][i]
    return out


def _solve_dense(linear: Callable[[PyTree], PyTree], rhs: PyTree) -> PyTree:
    right, back = ravel_pytree(rhs)
    columns = jax.vmap(lambda one: ravel_pytree(linear(back(one)))[0])(jnp.eye(right.size, dtype=right.dtype))
    return back(jnp.linalg.solve(columns.T, right))
