"""Roots of the equations of an implicit step."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from ._elementwise import independent_elements

_MOST_PLAIN = 12
_MOST_SAFE = 200
_MOST_GROWTH = 100
_MOST_UNROLLED = 8

# a solution, and the sign of the determinant
_Solved = tuple[PyTree, Array]


def root(residual: Callable[[PyTree], PyTree], guess: PyTree) -> PyTree:
    """The root of `residual` near `guess`, with its derivatives by the implicit function theorem.

    By Newton's method, while that goes the way from the guess to the root: while the determinant is positive. Elsewhere
    by following the flow `x' = -residual(x)` in long implicit steps, which get longer where that comes nearer to a root
    and shorter where it passes one. Of several roots it ends in the one that the flow ends in, where Newton's method
    may end in any, or in none.

    Where the elements of the variables are independent of each other, as in a population, there is a small matrix for
    each element; else one dense matrix. Elements are NaN where neither converges.
    """
    leaves, structure = jax.tree.flatten(guess)

    def flat(*xs: Array) -> list[Array]:
        return jax.tree.leaves(residual(jax.tree.unflatten(structure, xs)))

    system = _System(independent_elements(flat, leaves))

    def solution(f: Callable[[PyTree], PyTree], x: PyTree) -> PyTree:
        plain, converged, upright = _plain(f, x, system)
        going = ~(converged & upright)
        begin = jax.tree.map(lambda old, new: jnp.where(going, old, new), x, plain)
        # most often nothing is left to do, and the loop doesn't begin
        safe, found = _safe(f, begin, going, system)
        # a linear equation has a root even where no flow ends in it
        out = jax.tree.map(lambda one, other: jnp.where(found, one, other), safe, plain)
        return jax.tree.map(lambda leaf: jnp.where(converged | found, leaf, jnp.nan), out)

    return jax.lax.custom_root(residual, guess, solution, lambda linear, rhs: system.solve(linear, rhs)[0])


@dataclasses.dataclass(frozen=True)
class _System:
    """Equations for each element by itself (`blocks`), or for all of them together."""

    blocks: bool

    def solve(self, linear: Callable[[PyTree], PyTree], rhs: PyTree) -> _Solved:
        return _solve_blocks(linear, rhs) if self.blocks else _solve_dense(linear, rhs)

    def total(self, tree: PyTree) -> Array:
        """The sum over the variables, and over the elements where they aren't alone."""
        parts = [part if self.blocks else jnp.sum(part) for part in jax.tree.leaves(tree)]
        return sum((part.astype(parts[0].dtype) for part in parts[1:]), start=parts[0])

    def converged(self, change: PyTree, x: PyTree) -> Array:
        """Whether the change is so small that nothing remains.

        The next change is about the square of this one; so half of the digits suffice to have all of them.
        """

        def large(change: Array, x: Array) -> Array:
            eps = float(jnp.finfo(x.dtype).eps)
            return (~(jnp.abs(change) <= eps**0.75 + math.sqrt(eps) * jnp.abs(x))).astype(jnp.int32)

        return self.total(jax.tree.map(large, change, x)) == 0


def _plain(f: Callable[[PyTree], PyTree], x: PyTree, system: _System) -> tuple[PyTree, Array, Array]:
    """Newton's method: where it ends, whether it converged, and whether all determinants were positive."""

    def body(carry: Any) -> Any:
        k, x, _, upright = carry
        value, linear = jax.linearize(f, x)
        change, sign = system.solve(linear, value)
        x = jax.tree.map(jnp.subtract, x, change)
        return k + 1, x, system.converged(change, x), upright & (sign > 0)

    def more(carry: Any) -> Array:
        k, _, converged, upright = carry
        return (k < _MOST_PLAIN) & jnp.any(~converged & (upright | (k < 2)))

    no = jnp.zeros_like(system.total(x), bool)
    _, x, converged, upright = jax.lax.while_loop(more, body, (jnp.zeros((), jnp.int32), x, no, ~no))
    return x, converged, upright


def _safe(f: Callable[[PyTree], PyTree], x: PyTree, going: Array, system: _System) -> tuple[PyTree, Array]:
    """Along the flow, where `going`: steps of backward Euler, linearised, of length 1 over `damping`; with none
    it is a step of Newton's method. Where that ends, and where it converged."""

    def body(carry: Any) -> Any:
        k, x, damping, going, found = carry
        value, linear = jax.linearize(f, x)

        def damped(v: PyTree) -> PyTree:
            return jax.tree.map(lambda a, b: a + damping.astype(b.dtype) * b, linear(v), v)

        change, sign = system.solve(damped, value)
        trial = jax.tree.map(jnp.subtract, x, change)
        converged = (sign > 0) & (damping == 0) & system.converged(change, trial)
        good = (sign > 0) & (_goes_on(value, f(trial), x, trial, system) | converged)
        less, more = jnp.where(damping < 1, 0, damping / 8), jnp.where(damping == 0, 1, damping * 8)
        x = jax.tree.map(lambda new, old: jnp.where(going & good, new, old), trial, x)
        found = found | (going & converged)
        return k + 1, x, jnp.where(good, less, more), going & ~converged & jnp.isfinite(damping), found

    def more(carry: Any) -> Array:
        return (carry[0] < _MOST_SAFE) & jnp.any(carry[3])

    start = (jnp.zeros((), jnp.int32), x, jnp.zeros_like(system.total(x)), going, jnp.zeros_like(going))
    _, x, _, _, found = jax.lax.while_loop(more, body, start)
    return x, found


def _goes_on(before: PyTree, after: PyTree, x: PyTree, trial: PyTree, system: _System) -> Array:
    """Whether a step hasn't passed a root: the residual points where it pointed before, or is smaller; nor left what
    the linearised flow can tell of, as next to a singular matrix."""

    def product(p: PyTree, q: PyTree) -> Array:
        def scaled(p: Array, q: Array, x: Array, y: Array) -> Array:
            scale = jnp.abs(x) + jnp.abs(y) + jnp.finfo(x.dtype).tiny ** 0.25
            return (p / scale) * (q / scale)

        return system.total(jax.tree.map(scaled, p, q, x, trial))

    old, new = product(before, before), product(after, after)
    return (new < _MOST_GROWTH**2 * old) & ((product(before, after) >= 0) | (new < old / 4))


def _solve_blocks(linear: Callable[[PyTree], PyTree], rhs: PyTree) -> _Solved:
    """A linear system for each element, of as many unknowns as there are variables."""
    right, structure = jax.tree.flatten(rhs)
    n = len(right)
    columns = []
    for j in range(n):
        one = [jnp.ones_like(x) if i == j else jnp.zeros_like(x) for i, x in enumerate(right)]
        columns.append(jax.tree.leaves(linear(jax.tree.unflatten(structure, one))))
    if n > _MOST_UNROLLED:
        matrix = jnp.stack([jnp.stack(column, -1) for column in columns], -1)
        solved, sign = _solve_matrix(matrix, jnp.stack(right, -1))
        return jax.tree.unflatten(structure, [solved[..., i] for i in range(n)]), sign
    rows = [[columns[j][i] for j in range(n)] + [right[i]] for i in range(n)]
    solution, sign = _eliminate(rows)
    return jax.tree.unflatten(structure, solution), sign


def _eliminate(rows: list[list[Array]]) -> tuple[list[Array], Array]:
    """Gauss with partial pivoting, written out, so that XLA makes one loop over the elements."""
    n = len(rows)
    sign = jnp.ones_like(rows[0][0])
    for k in range(n):
        for i in range(k + 1, n):
            swap = jnp.abs(rows[i][k]) > jnp.abs(rows[k][k])
            upper = [jnp.where(swap, y, x) for x, y in zip(rows[k], rows[i], strict=True)]
            rows[i] = [jnp.where(swap, x, y) for x, y in zip(rows[k], rows[i], strict=True)]
            rows[k], sign = upper, jnp.where(swap, -sign, sign)
        sign = sign * jnp.sign(rows[k][k]).astype(sign.dtype)
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [y if j <= k else y - factor * x for j, (x, y) in enumerate(zip(rows[k], rows[i], strict=True))]
    out: list[Any] = [None] * n
    for i in range(n - 1, -1, -1):
        total = rows[i][n]
        for j in range(i + 1, n):
            total = total - rows[i][j] * out[j]
        out[i] = total / rows[i][i]
    return out, sign


def _solve_dense(linear: Callable[[PyTree], PyTree], rhs: PyTree) -> _Solved:
    right, back = ravel_pytree(rhs)
    columns = jax.vmap(lambda one: ravel_pytree(linear(back(one)))[0])(jnp.eye(right.size, dtype=right.dtype))
    solved, sign = _solve_matrix(columns.T, right)
    return back(solved), sign


def _solve_matrix(matrix: Array, right: Array) -> tuple[Array, Array]:
    factors = jax.scipy.linalg.lu_factor(matrix)
    lu, pivots = factors
    places = jnp.broadcast_to(jnp.arange(pivots.shape[-1], dtype=pivots.dtype), pivots.shape)
    swaps = jnp.sum(pivots != places, -1)
    sign = jnp.prod(jnp.sign(jnp.diagonal(lu, axis1=-2, axis2=-1)), -1) * (1 - 2 * (swaps % 2)).astype(lu.dtype)
    return jax.scipy.linalg.lu_solve(factors, right[..., None])[..., 0], sign
