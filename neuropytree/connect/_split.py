"""A CSR connectivity in equal parts, one for each device."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._arguments import whole


def split_rows(connectivity: Any, n: int) -> Any:
    """`CSR.split_rows`."""
    rows, cols = connectivity.edges()
    size = _part_size(n, connectivity.in_size, "in_size")
    part, rows = np.divmod(rows, max(size, 1))
    return _stack(connectivity, part, rows, cols, n, size, connectivity.out_size)


def split_columns(connectivity: Any, n: int) -> Any:
    """`CSR.split_columns`."""
    rows, cols = connectivity.edges()
    size = _part_size(n, connectivity.out_size, "out_size")
    part, cols = np.divmod(cols, max(size, 1))
    return _stack(connectivity, part, rows, cols, n, connectivity.in_size, size)


def _part_size(n: int, size: int, name: str) -> int:
    n = whole(n, "n", least=1, of="parts")
    if size % n:
        raise ValueError(f"{name} is {size}, not a multiple of n = {n}: make the population that much larger")
    return size // n


def _stack(whole: Any, part: np.ndarray, rows: np.ndarray, cols: np.ndarray, n: int, n_in: int, n_out: int) -> Any:
    """One connectivity with the parts as leading axis. `part`, `rows` and `cols` say where each edge goes."""
    counts = np.bincount(part, minlength=n)
    room = int(counts.max())
    parts, sources = [], np.full((n, room), -1)
    for k in range(n):
        edges = np.flatnonzero(part == k)  # ascending, so in CSR order still
        sources[k, : len(edges)] = edges
        indices = np.zeros(room, np.int32)
        indices[: len(edges)] = cols[edges]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[edges], minlength=n_in))])
        parts.append(type(whole)(indices, indptr, in_size=n_in, out_size=n_out, impl=whole.impl))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
    weight: Array = whole.weight
    if weight.ndim == 0:
        weight = jnp.broadcast_to(weight, (n,))
    elif weight.size == 0:
        weight = jnp.zeros((n, room), weight.dtype)
    else:
        weight = jnp.where(sources < 0, jnp.zeros((), weight.dtype), weight[sources])
    return eqx.tree_at(lambda c: c.weight, stacked, weight)
