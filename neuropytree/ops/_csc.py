"""From the rows of a sparse connectivity to its columns."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int

from ._csr_check import csr_check


def csr_to_csc(
    indices: ArrayLike, indptr: ArrayLike, n_cols: int
) -> tuple[Int[Array, " nnz"], Int[Array, " cols+1"], Int[Array, " nnz"]]:
    r"""The same edges ordered by column: edge $k$ comes from row `rows[k]`, is edge `order[k]` of the CSR arrays, and
    column $j$ has the edges `col_ptr[j]` to `col_ptr[j + 1]`. Rows ascend within a column.

    **Arguments:**

    - `indices`, `indptr`: CSR arrays, valid, with known values (not traced). Room behind the edges is left out.
    - `n_cols`: number of columns.

    **Returns:** `(rows, col_ptr, order)`, int32.

    **Raises:** `ValueError` or `TypeError`, as `csr_check`, for arrays that are wrong.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        indices, indptr = jnp.array([0, 2, 1, 2], jnp.int32), jnp.array([0, 2, 4], jnp.int32)
        rows, col_ptr, order = npt.ops.csr_to_csc(indices, indptr, 3)
        ```
    """
    indices, ptr = np.asarray(indices), np.asarray(indptr)
    csr_check(indices, ptr, n_cols=n_cols, sorted=False)
    cols = indices[: ptr[-1]]
    # NumPy sorts 16-bit numbers by counting, many times faster than wider ones: lower halves, then upper halves.
    order = np.argsort((cols & 0xFFFF).astype(np.uint16), kind="stable")
    if n_cols > 2**16:
        order = order[np.argsort((cols[order] >> 16).astype(np.uint16), kind="stable")]
    rows = np.repeat(np.arange(len(ptr) - 1, dtype=np.int32), np.diff(ptr))[order]
    col_ptr = np.concatenate([[0], np.cumsum(np.bincount(cols, minlength=n_cols))])
    with jax.ensure_compile_time_eval():  # values, inside a transformation too
        return jnp.asarray(rows), jnp.asarray(col_ptr, jnp.int32), jnp.asarray(order, jnp.int32)
