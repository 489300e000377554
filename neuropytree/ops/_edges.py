"""Which entries of CSR arrays are edges, and their ends, whatever the arrays hold.

An edge whose column is out of range is none. The edges of row `i` are the entries from `indptr[i]` to `indptr[i + 1]`,
each held within the entries that there are. Where `indptr` falls, an entry belongs to the first row that has it; the
kernels may count it for all.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


def entry_rows(room: int, indptr: Int[Array, " rows+1"]) -> tuple[Int[Array, " room"], Bool[Array, " room"]]:
    """The row of each of `room` entries, ascending and always one that there is; and which entries belong to it. There
    must be a row."""
    ends = jax.lax.cummax(jnp.clip(indptr, 0, room))
    begins = jnp.zeros(room, indptr.dtype).at[ends[1:-1]].add(1, mode="drop", indices_are_sorted=True)
    place = jnp.arange(room, dtype=indptr.dtype)
    return jnp.cumsum(begins, dtype=indptr.dtype), (ends[0] <= place) & (place < ends[-1])


def edges(
    indices: Int[Array, " room"], indptr: Int[Array, " rows+1"], n_cols: int
) -> tuple[Int[Array, " room"], Int[Array, " room"], Bool[Array, " room"]]:
    """The row and the column of each entry, always ones that there are, and which entries are edges."""
    rows, valid = entry_rows(indices.shape[0], indptr)
    valid &= (indices >= 0) & (indices < n_cols)
    return rows, jnp.where(valid, indices, jnp.zeros_like(indices)), valid
