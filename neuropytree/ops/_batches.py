"""Batches of any form as rows of matrices, for kernels that take one item after the other."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

Shape = tuple[int, ...]
Rows = tuple[Array, tuple[int, int]]  # rows, and `(d, m)`: element `n` of a flat batch is row `(n // d) % m`


def mapped(function: Callable[..., list[Array]], batch: Shape, *operands: Array) -> list[Array]:
    """`function` of each element of a batch, in plain JAX; operands have its dimensions, of size 1 or of that in it."""
    if not batch:
        return function(*operands)
    axes = [0 if x.shape[0] == batch[0] else None for x in operands]
    one = [x if axis == 0 else jnp.squeeze(x, 0) for x, axis in zip(operands, axes, strict=True)]
    return jax.vmap(functools.partial(mapped, function, batch[1:]), axes)(*one)


def item_by_item(
    item: Callable[..., list[Array]], avals: Any, batch: Shape, in_place: int, *operands: Array
) -> list[Array]:
    """`item(operands updated in place and memory for the other results, *other operands)`, all flat, for each element
    of a batch, one after the other; `avals` are the results of all."""
    if (full := math.prod(batch)) == 1:
        results = item([x.reshape(-1) for x in operands[:in_place]], *(x.reshape(-1) for x in operands[in_place:]))
    else:
        updated = [jnp.broadcast_to(x, aval.shape) for x, aval in zip(operands[:in_place], avals, strict=False)]
        updated += [jnp.zeros(x.shape, x.dtype) for x in avals[in_place:]]
        rows = [[flat_rows(x, batch) for x in xs] for xs in (updated, operands[in_place:])]
        results = one_by_one(item, full, *rows)
    return [x.reshape(aval.shape) for x, aval in zip(results, avals, strict=True)]


def leading(x: Array, dim: int | None) -> Array:
    """An operand with a first dimension for its batch, of size 1 if it has none."""
    return jnp.expand_dims(x, 0) if dim is None else jnp.moveaxis(x, dim, 0)


def flat_rows(x: Array, batch: Shape) -> Rows:
    """An operand with leading batch dimensions, each of size 1 or of that in `batch`, as rows."""
    size = math.prod(x.shape[len(batch) :])
    plan = row_plan(x.shape[: len(batch)], batch)
    if plan is None:
        x, plan = jnp.broadcast_to(x, (*batch, *x.shape[len(batch) :])), (1, math.prod(batch))
    return x.reshape(plan[1], size), plan


def one_by_one(call: Callable[..., list[Array]], full: int, out: list[Rows], operands: list[Rows]) -> list[Array]:
    """`call(rows of out, *rows of operands)` for each element of a flat batch, one after the other."""

    def row(x: Array, n: Array, plan: tuple[int, int]) -> Array:
        if len(x) == 1:
            return x[0]  # read where it is: its copy could be larger than the work
        return jax.lax.dynamic_index_in_dim(x, place(n, plan), keepdims=False)

    def place(n: Array, plan: tuple[int, int]) -> Array:
        n = n if plan[0] == 1 else jax.lax.div(n, np.uint32(plan[0]))
        return n if plan[0] * plan[1] == full else jax.lax.rem(n, np.uint32(plan[1]))

    def item(n: Array, given: list[Array]) -> list[Array]:
        n = n.astype(np.uint32)  # a signed index may be negative, which takes more code than all the rest
        at = [place(n, plan) for _, plan in out]
        updated = [jax.lax.dynamic_index_in_dim(x, k, keepdims=False) for x, k in zip(given, at, strict=True)]
        new = call(updated, *(row(x, n, plan) for x, plan in operands))
        return [jax.lax.dynamic_update_index_in_dim(x, y, k, 0) for x, y, k in zip(given, new, at, strict=True)]

    return jax.lax.fori_loop(0, full, item, [x for x, _ in out])


def row_plan(shape: Shape, batch: Shape) -> tuple[int, int] | None:
    """The numbers of `Rows`; `None` where there are no such."""
    mapped = [have == size for have, size in zip(shape, batch, strict=True) if size != 1]
    sizes = [size for size in batch if size != 1]
    if not any(mapped):
        return 1, 1
    first, last = mapped.index(True), len(mapped) - mapped[::-1].index(True)
    if not all(mapped[first:last]):
        return None
    return math.prod(sizes[last:]), math.prod(sizes[first:last])
