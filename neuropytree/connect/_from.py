"""Connectivity from what the user already has."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Key

from ..init import AbstractInitializer
from ._base import Weight, check_sizes, concrete
from ._csr import CSR


def from_coo(
    pre: ArrayLike,
    post: ArrayLike,
    *,
    weight: Weight = 1.0,
    in_size: int,
    out_size: int,
    key: Key[Array, ""] | None = None,
) -> CSR:
    """A sparse connectivity from pairs of neurons.

    **Arguments:**

    - `pre`, `post`: the neurons of each edge, in any order; a pair that stands twice makes two edges.
    - `weight`: a number shared by all edges; an array with one for each pair, in the order of the pairs; or an
      initializer.
    - `in_size`, `out_size`: numbers of pre and post neurons.
    - `key`: for weights that are drawn.

    **Returns:** a `CSR`, its edges sorted by pre and then post neuron.

    **Raises:** `ValueError` or `TypeError` for pairs that don't match or are out of range, naming the entry.

    !!! example

        ```python
        import neuropytree as npt
        W = npt.connect.from_coo([0, 1, 0], [2, 1, 0], weight=[0.1, 0.2, 0.3], in_size=2, out_size=3)
        ```
    """
    check_sizes(in_size, out_size)
    rows, cols = (concrete(x, name) for x, name in ((pre, "pre"), (post, "post")))
    if rows.ndim != 1 or rows.shape != cols.shape:
        raise ValueError(
            f"pre and post have shapes {rows.shape} and {cols.shape}; expected one dimension, equally long"
        )
    for name, x, size in (("pre", rows, in_size), ("post", cols, out_size)):
        if x.size and not np.issubdtype(x.dtype, np.integer):
            raise TypeError(f"{name} is {x.dtype}; expected integers")
        wrong = np.flatnonzero((x < 0) | (x >= size))
        if wrong.size:
            raise ValueError(f"{name}[{wrong[0]}] is {x[wrong[0]]}; expected 0 to {size - 1}")
    order = np.lexsort((cols, rows))
    indptr = np.zeros(in_size + 1, np.int64)
    np.cumsum(np.bincount(rows.astype(np.int64), minlength=in_size), out=indptr[1:])
    if not isinstance(weight, AbstractInitializer) and np.ndim(weight) > 0:
        array = weight if isinstance(weight, jax.Array) else np.asarray(weight)
        if array.shape != rows.shape:
            raise ValueError(f"weight has shape {array.shape}; expected a number or {rows.shape}, one for each pair")
        weight = jnp.asarray(array)[order] if isinstance(array, jax.Array) else array[order]
    return CSR(cols[order], indptr, weight=weight, in_size=in_size, out_size=out_size, key=key)


def from_scipy(matrix: Any, *, weight: Weight | None = None, key: Key[Array, ""] | None = None) -> CSR:
    """A sparse connectivity from a SciPy sparse matrix or array of shape (pre, post).

    **Arguments:**

    - `matrix`: any SciPy sparse format. Its stored entries are the edges, explicit zeros and duplicates included.
    - `weight`: replaces the stored values, if given.
    - `key`: for weights that are drawn.

    **Raises:** `TypeError` for something that isn't a sparse matrix.

    !!! example

        ```python
        import scipy.sparse, neuropytree as npt
        W = npt.connect.from_scipy(scipy.sparse.random(100, 80, density=0.1, random_state=0))
        ```
    """
    if not hasattr(matrix, "tocoo") or getattr(matrix, "ndim", 2) != 2:
        raise TypeError(f"matrix is a {type(matrix).__name__}; expected a SciPy sparse matrix of shape (pre, post)")
    coo = matrix.tocoo()
    values = coo.data if weight is None else weight
    if weight is None and not np.issubdtype(coo.data.dtype, np.inexact):
        values = coo.data.astype(np.float64)
    in_size, out_size = coo.shape
    return from_coo(coo.row, coo.col, weight=values, in_size=int(in_size), out_size=int(out_size), key=key)
