"""What is wrong with CSR arrays: the operators believe none of their values, but don't say so either."""

import numpy as np
from jaxtyping import ArrayLike, Int

from ._common import LARGEST


def csr_check(
    indices: Int[ArrayLike, " room"],
    indptr: Int[ArrayLike, " rows+1"],
    *,
    n_cols: int,
    n_rows: int | None = None,
    sorted: bool = True,
    names: tuple[str, str] = ("n_rows", "n_cols"),
) -> None:
    """Looks at every entry of CSR arrays, which takes about as long as one product with all neurons firing.

    The operators stay within memory whatever the arrays hold, and leave out an edge whose column is out of range.
    Arrays that were read from a file, or computed, may be damaged all the same: this says where.

    **Arguments:**

    - `indices`, `indptr`: with known values (not traced), of any integers.
    - `n_cols`, `n_rows`: the numbers of columns and rows; of rows, what `indptr` says, unless given.
    - `sorted`: whether the columns of each row must ascend.
    - `names`: what the two numbers are called in a message.

    **Raises:** `TypeError` or `ValueError` naming the first entry that is out of range or out of order.

    !!! example

        ```python
        import numpy as np, neuropytree as npt
        npt.ops.csr_check(np.array([0, 2, 1]), np.array([0, 2, 3]), n_cols=3)
        ```
    """
    indices, indptr = _integers("indices", indices), _integers("indptr", indptr)
    n_rows = max(indptr.size - 1, 0) if n_rows is None else n_rows
    if indptr.shape != (n_rows + 1,):
        raise ValueError(f"indptr has length {len(indptr)}; expected {names[0]} + 1 = {n_rows + 1}")
    if indices.size > LARGEST:
        raise ValueError(f"{indices.size} edges are more than 2^31 - 64; split the connectivity by rows")
    if indptr[0] != 0:
        raise ValueError(f"indptr[0] is {indptr[0]}; expected 0")
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if falls.size:
        i = int(falls[0])
        raise ValueError(f"indptr falls from {indptr[i]} to {indptr[i + 1]} at entry {i + 1}; it must never decrease")
    nnz = int(indptr[-1])
    if nnz > indices.size:
        raise ValueError(f"indptr ends at {nnz}, but there are {indices.size} indices")
    indices = indices[:nnz]
    if nnz and (int(indices.min()) < 0 or int(indices.max()) >= n_cols):
        e = int(np.flatnonzero((indices < 0) | (indices >= n_cols))[0])
        raise ValueError(f"indices[{e}] is {indices[e]}; expected 0 to {names[1]} - 1 = {n_cols - 1}")
    if sorted:
        _check_order(indices, indptr)


def _integers(name: str, x: ArrayLike) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim != 1:
        raise ValueError(f"{name} has {x.ndim} dimensions; expected one")
    if x.size and not np.issubdtype(x.dtype, np.integer):
        raise TypeError(f"{name} is {x.dtype}; expected integers")
    return x


def _check_order(indices: np.ndarray, indptr: np.ndarray) -> None:
    """A column may not be smaller than the one before it in the same row."""
    drops = np.flatnonzero(indices[1:] < indices[:-1]) + 1
    inside = drops[~np.isin(drops, indptr)] if drops.size else drops
    if inside.size:
        e = int(inside[0])
        raise ValueError(
            f"indices[{e}] is {indices[e]} after {indices[e - 1]} in the same row; sort each row "
            "(npt.connect.from_coo and from_scipy do)"
        )
