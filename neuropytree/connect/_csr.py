"""Sparse connectivity in compressed sparse rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .._types import Spikes
from ..ops import csr_matvec, csr_outer, csr_to_dense, csr_transposed_matvec
from ..ops._common import LARGEST, Impl, check_shape
from ..ops._csc import by_column
from ..ops._csr import CSCView
from ._base import (
    AbstractConnectivity,
    Weight,
    accumulator,
    check_sizes,
    concrete,
    edge_weights,
    in_large_pages,
    moved_to_large_pages,
)
from ._split import split_columns, split_rows


class CSR(AbstractConnectivity):
    r"""Sparse connectivity, edges ordered by pre and then post neuron; an edge that stands twice counts twice.

    **Arguments:**

    - `indices`: post neuron of each edge. May be longer than `indptr[-1]`: the rest is room that holds no edges.
    - `indptr`: edges of pre neuron `i` are entries `indptr[i]` to `indptr[i + 1]`; length `in_size + 1`.
    - `weight`: shape `()`, shared by all edges, or one for each entry of `indices`. A leaf: differentiate, vmap or
      replace it.
    - `in_size`, `out_size`: numbers of pre and post neurons.
    - `key`: for a weight that is drawn.

    `W(x)` carries events from pre to post and costs the edges of the neurons that fired.

    **Raises:** `ValueError` or `TypeError`, when made, naming the entry that is out of range or out of order.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        W = npt.connect.CSR([0, 2, 1], [0, 2, 3], weight=0.5, in_size=2, out_size=3)
        W(jnp.array([True, False]))
        ```
    """

    weight: Float[Array, "..."]
    indices: Int[Array, " room"]
    indptr: Int[Array, " rows"]
    csc: CSCView | None
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)

    def __init__(
        self,
        indices: ArrayLike,
        indptr: ArrayLike,
        *,
        weight: Weight = 1.0,
        in_size: int,
        out_size: int,
        key: Key[Array, ""] | None = None,
    ):
        check_sizes(in_size, out_size)
        cols = _index_array("indices", concrete(indices, "indices"))
        ptr = _index_array("indptr", concrete(indptr, "indptr"))
        _validate(cols, ptr, in_size, out_size)
        self.in_size, self.out_size = int(in_size), int(out_size)
        self.weight = edge_weights(weight, cols.shape, key)
        self.indices, self.indptr = in_large_pages(cols), in_large_pages(ptr)
        self.csc = None

    def with_csc(self) -> "CSR":
        """The same connectivity with its edges by post neuron too, eight bytes an edge.

        `transpose` then costs the edges of the post neurons with events, where these are few, and not all edges; and
        what plasticity does at a post neuron's spike costs the edges that enter it. Each edge keeps its one weight,
        which `transpose` looks up: weights that don't change are quicker in `transposed`, which has them again.
        """
        csc = jax.tree.map(in_large_pages, self._by_column())
        return eqx.tree_at(lambda c: c.csc, self, csc, is_leaf=lambda x: x is None)

    def transposed(self) -> "CSR":
        """The transpose as a connectivity of its own: from `out_size` pre to `in_size` post neurons, edges and weights
        copied in its own order. `W.transposed()(y)` is `W.transpose(y)`, up to rounding, and costs the edges of the
        neurons with events.

        A weight for each edge is gathered from this one's, and is differentiable in it; one shared by all stays shared.

        **Raises:** `ValueError` where the indices aren't known, inside `jax.jit`; the weight may be traced.

        !!! example

            ```python
            import jax.numpy as jnp, neuropytree as npt
            W = npt.connect.CSR([0, 2, 1], [0, 2, 3], weight=jnp.array([0.1, 0.2, 0.3]), in_size=2, out_size=3)
            W.transposed()(jnp.array([False, True, True]))
            ```
        """
        rows, starts, order = self._by_column()
        weight = self.weight if self.weight.ndim == 0 else moved_to_large_pages(self.weight[order])
        return CSR(rows, starts, weight=weight, in_size=self.out_size, out_size=self.in_size)

    def _by_column(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return by_column(concrete(self.indices, "indices"), concrete(self.indptr, "indptr"), self.out_size)

    def split_rows(self, n: int) -> "CSR":
        """The connectivity in `n` parts, each with the edges of `in_size / n` consecutive pre neurons: every leaf has a
        leading axis of `n`, for `jax.shard_map` or `jax.vmap` to take. The outputs of the parts add up.

        Parts have room for as many edges as the largest. Differentiable in the weight.

        **Raises:** `ValueError` if `in_size` is not a multiple of `n`.

        !!! example

            ```python
            import jax, jax.numpy as jnp, neuropytree as npt
            W = npt.connect.CSR([0, 2, 1], [0, 2, 3], weight=0.5, in_size=2, out_size=3)
            x = jnp.array([True, False])
            jax.vmap(lambda part, x: part(x))(W.split_rows(2), x.reshape(2, 1)).sum(axis=0)  # W(x)
            ```
        """
        return split_rows(self, n)

    def split_columns(self, n: int) -> "CSR":
        """The connectivity in `n` parts, each with the edges to `out_size / n` consecutive post neurons: every leaf has
        a leading axis of `n`. Every part takes all events, and the outputs of the parts follow each other.

        **Raises:** `ValueError` if `out_size` is not a multiple of `n`.

        !!! example

            ```python
            import jax, jax.numpy as jnp, neuropytree as npt
            W = npt.connect.CSR([0, 3, 1], [0, 2, 3], weight=0.5, in_size=2, out_size=4)
            x = jnp.array([True, False])
            jax.vmap(lambda part: part(x))(W.split_columns(2)).reshape(4)  # W(x)
            ```
        """
        return split_columns(self, n)

    @property
    def nnz(self) -> int:
        return int(self.indptr[-1])

    def _zeros(self, shape: tuple[int, ...]) -> Array:
        return jnp.zeros(shape, self.weight.dtype)

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl = "auto") -> Array:
        acc = accumulator(acc, self.out_size, self.weight)
        return csr_matvec(self.weight, x, self.indices, self.indptr, acc=acc, impl=impl)

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl = "auto") -> Array:
        check_shape("y", y, (self.out_size,))
        acc = accumulator(acc, self.in_size, self.weight)
        return csr_transposed_matvec(self.weight, y, self.indices, self.indptr, acc=acc, csc=self.csc, impl=impl)

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl = "auto") -> Array:
        """One value for each entry of `indices`, 0 in the room behind the edges."""
        check_shape("post", post, (self.out_size,))
        return csr_outer(pre, post, self.indices, self.indptr, acc=self._zeros(self.indices.shape), impl=impl)

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        return csr_to_dense(self.weight, self.indices, self.indptr, n_cols=self.out_size)

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Pre and post neuron of each edge, as NumPy arrays of length `nnz`."""
        ptr = concrete(self.indptr, "indptr")
        rows = np.repeat(np.arange(self.in_size, dtype=np.int32), np.diff(ptr))
        return rows, concrete(self.indices, "indices")[: ptr[-1]]


def _index_array(name: str, x: np.ndarray) -> np.ndarray:
    if x.ndim != 1:
        raise ValueError(f"{name} has {x.ndim} dimensions; expected one")
    if x.size == 0:
        return x.astype(np.int32)
    if not np.issubdtype(x.dtype, np.integer):
        raise TypeError(f"{name} is {x.dtype}; expected integers")
    return x


def _validate(indices: np.ndarray, indptr: np.ndarray, in_size: int, out_size: int) -> None:
    if indptr.shape != (in_size + 1,):
        raise ValueError(f"indptr has length {len(indptr)}; expected in_size + 1 = {in_size + 1}")
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
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= out_size):
        e = int(np.flatnonzero((indices < 0) | (indices >= out_size))[0])
        raise ValueError(f"indices[{e}] is {indices[e]}; expected 0 to out_size - 1 = {out_size - 1}")
    # a column may not be smaller than the one before it in the same row
    drops = np.flatnonzero(indices[1:nnz] < indices[: max(nnz - 1, 0)]) + 1
    if drops.size:
        inside = drops[~np.isin(drops, indptr)]
        if inside.size:
            e = int(inside[0])
            raise ValueError(
                f"indices[{e}] is {indices[e]} after {indices[e - 1]} in the same row; sort each row "
                "(npt.connect.from_coo and from_scipy do)"
            )
