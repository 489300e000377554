"""From one sparse format to another. All of these can be compiled: the number of entries is static.

A CSR may have room behind its edges. As a list of edges, an entry of room has the number of rows as its row, one past
the last, which the COO operators take for no edge.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._common import check_indices, check_sizes
from ._coo import check_edges
from ._edges import edges


def csr_to_coo(indices: Int[Array, " room"], indptr: Int[Array, " rows+1"]) -> tuple[Array, Array]:
    """The row and the column of each entry, in the same order.

    **Returns:** `rows, cols`, int32, each of the shape of `indices`. In room, and where the column is negative, the row
    is the number of rows, and the column 0.

    **Raises:** `TypeError` for arrays that aren't int32 of one dimension.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.csr_to_coo(jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32))
        ```
    """
    n_rows = check_indices(indices, indptr)
    if n_rows == 0:
        return jnp.zeros_like(indices), jnp.zeros_like(indices)
    rows, cols, valid = edges(indices, indptr, 2**31 - 1)
    return jnp.where(valid, rows, n_rows), cols


def coo_to_csr(
    rows: Int[Array, " edges"], cols: Int[Array, " edges"], *, n_rows: int
) -> tuple[Array, Array, Int[Array, " edges"]]:
    """CSR arrays of a list of edges in any order, sorted by row and then column; duplicates stay, in their order.

    **Arguments:**

    - `rows`, `cols`: the ends of each edge, int32. An entry whose row is not from 0 to `n_rows - 1`, or whose column is
      negative, is no edge, and becomes room.
    - `n_rows`: the number of rows.

    **Returns:** `indices, indptr, order`: what belonged to edge `order[e]` of the list belongs to entry `e`, so the
    weights are `weight[order]`.

    **Raises:** `TypeError` or `ValueError` for arrays that aren't int32 of one dimension, equally long.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        indices, indptr, order = npt.ops.coo_to_csr(rows, cols, n_rows=2)
        ```
    """
    check_edges(rows, cols)
    valid = (rows >= 0) & (rows < n_rows) & (cols >= 0)
    rows, cols = jnp.where(valid, rows, n_rows), jnp.where(valid, cols, 0)
    order = jnp.lexsort((cols, rows)).astype(jnp.int32)
    counts = jnp.zeros(n_rows, jnp.int32).at[rows].add(1, mode="drop")
    indptr = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(counts, dtype=jnp.int32)])
    return cols[order], indptr, order


def csr_to_dense(
    weight: Float[Array, ""] | Float[Array, " room"],
    indices: Int[Array, " room"],
    indptr: Int[Array, " rows+1"],
    *,
    n_cols: int,
) -> Float[Array, "rows cols"]:
    """The matrix, (pre, post); edges that stand twice add up. Differentiable in the weight.

    **Arguments:**

    - `weight`: one weight shared by all edges, shape `()`, or one for each entry of `indices`.
    - `indices`, `indptr`: CSR arrays, int32.
    - `n_cols`: the number of columns.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_to_dense(jnp.array(0.5), indices, indptr, n_cols=3)
        ```
    """
    weight = jnp.asarray(weight)
    rows, cols = csr_to_coo(indices, indptr)
    if weight.ndim:
        check_sizes(weight=(weight, indices.shape))
    matrix = jnp.zeros((indptr.shape[0] - 1, n_cols), weight.dtype)
    return matrix.at[rows, cols].add(jnp.broadcast_to(weight, indices.shape), mode="drop")
