"""From the rows of a sparse connectivity to its columns."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int


def csr_to_csc(
    indices: ArrayLike, indptr: ArrayLike, n_cols: int
) -> tuple[Int[Array, " nnz"], Int[Array, " cols+1"], Int[Array, " nnz"]]:
    r"""The same edges ordered by column: edge $k$ comes from row `rows[k]`, is edge `order[k]` of the CSR arrays, and
    column $j$ has the edges `col_ptr[j]` to `col_ptr[j + 1]`. Rows ascend within a column.

    **Arguments:**

    - `indices`, `indptr`: CSR arrays, valid, with known values (not traced). Room behind the edges is left out.
    - `n_cols`: number of columns.

    **Returns:** `(rows, col_ptr, order)`, int32.

    **Raises:** `ValueError` if a column is not within `n_cols`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        indices, indptr = jnp.array([0, 2, 1, 2], jnp.int32), jnp.array([0, 2, 4], jnp.int32)
        rows, col_ptr, order = npt.ops.csr_to_csc(indices, indptr, 3)
        ```
    """
    rows, col_ptr, order = by_column(indices, indptr, n_cols)
    return jnp.asarray(rows), jnp.asarray(col_ptr), jnp.asarray(order)


def by_column(indices: ArrayLike, indptr: ArrayLike, n_cols: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`csr_to_csc` in NumPy, which a JAX transformation leaves alone."""
    ptr = np.asarray(indptr)
    cols = np.asarray(indices)[: ptr[-1]]
    if cols.size and not 0 <= cols.min() <= cols.max() < n_cols:
        raise ValueError(f"indices go from {cols.min()} to {cols.max()}; expected 0 to n_cols - 1 = {n_cols - 1}")
    # NumPy sorts 16-bit numbers by counting, many times faster than wider ones: lower halves, then upper halves.
    order = np.argsort((cols & 0xFFFF).astype(np.uint16), kind="stable")
    if n_cols > 2**16:
        order = order[np.argsort((cols[order] >> 16).astype(np.uint16), kind="stable")]
    rows = np.repeat(np.arange(len(ptr) - 1, dtype=np.int32), np.diff(ptr))[order]
    col_ptr = np.concatenate([[0], np.cumsum(np.bincount(cols, minlength=n_cols))])
    return rows, col_ptr.astype(np.int32), order.astype(np.int32)
