"""Sparse connectivity in compressed sparse rows."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .._types import Spikes
from ..ops import (
    Impl,
    check_shape,
    csr_check,
    csr_matvec,
    csr_outer,
    csr_to_csc,
    csr_to_dense,
    csr_transposed_matvec,
)
from ._base import (
    AbstractConnectivity,
    Weight,
    accumulator,
    check_impl,
    check_sizes,
    check_weight,
    concrete,
    edge_weights,
    in_large_pages,
    moved_to_large_pages,
)
from ._checked import once, remember
from ._split import split_columns, split_rows

CSCView = tuple[Int[Array, " nnz"], Int[Array, " cols+1"], Int[Array, " nnz"]]


class CSR(AbstractConnectivity):
    r"""Sparse connectivity, edges ordered by pre and then post neuron; an edge that stands twice counts twice.

    **Arguments:**

    - `indices`: post neuron of each edge. May be longer than `indptr[-1]`: the rest is room that holds no edges.
    - `indptr`: edges of pre neuron `i` are entries `indptr[i]` to `indptr[i + 1]`; length `in_size + 1`.
    - `weight`: shape `()`, shared by all edges, or one for each entry of `indices`. A leaf: differentiate, vmap or
      replace it.
    - `in_size`, `out_size`: numbers of pre and post neurons.
    - `key`: for a weight that is drawn.
    - `impl`: of the operators, as in `npt.ops.csr_matvec`.

    `W(x)` carries events from pre to post and costs the edges of the neurons that fired.

    **Raises:** `ValueError` or `TypeError`, when made, naming the entry that is out of range or out of order. Inside a
        transformation, where the entries aren't known, one that is out of range is no edge.

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
    impl: Impl = eqx.field(static=True)

    def __init__(
        self,
        indices: ArrayLike,
        indptr: ArrayLike,
        *,
        weight: Weight = 1.0,
        in_size: int,
        out_size: int,
        key: Key[Array, ""] | None = None,
        impl: Impl = "auto",
    ):
        check_sizes(in_size, out_size)
        check_impl(impl)
        self.in_size, self.out_size, self.impl = int(in_size), int(out_size), impl
        self.csc = None
        if isinstance(indices, Tracer) or isinstance(indptr, Tracer):
            self.indices, self.indptr = _traced("indices", indices, None), _traced("indptr", indptr, self.in_size + 1)
            self.weight = edge_weights(weight, self.indices.shape, key)
            return
        cols, ptr = np.asarray(indices), np.asarray(indptr)
        self._look(cols, ptr)
        self.weight = edge_weights(weight, cols.shape, key)
        self.indices, self.indptr = in_large_pages(cols), in_large_pages(ptr)
        remember((self.indices, self.indptr), *self._sizes)

    def with_csc(self) -> "CSR":
        """The same connectivity with its edges by post neuron too, eight bytes an edge.

        `transpose` then costs the edges of the post neurons with events, where these are few, and not all edges; and
        what plasticity does at a post neuron's spike costs the edges that enter it. Each edge keeps its one weight,
        which `transpose` looks up: weights that don't change are quicker in `transposed`, which has them again.
        """
        csc = tuple(map(in_large_pages, self._by_column()))
        remember((self.indices, self.indptr, *csc), *self._sizes)
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
        return CSR(rows, starts, weight=weight, in_size=self.out_size, out_size=self.in_size, impl=self.impl)

    def _by_column(self) -> list[np.ndarray]:
        indices, indptr = concrete(self.indices, "indices"), concrete(self.indptr, "indptr")
        self.check()
        return [np.asarray(x) for x in csr_to_csc(indices, indptr, self.out_size)]

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
        return int(jnp.sum(self.indptr[..., -1]))

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.in_size, self.out_size

    def check(self) -> None:
        arrays = {"indices": self.indices, "indptr": self.indptr}
        if self.csc is not None:
            arrays |= {f"csc[{n}]": x for n, x in enumerate(self.csc)}
        once(self._look, arrays, *self._sizes)
        check_weight(self.weight, self.indptr.shape[:-1], self.indices.shape)

    def _look(self, indices: np.ndarray, indptr: np.ndarray, *csc: np.ndarray) -> None:
        names = ("in_size", "out_size")
        csr_check(indices, indptr, n_rows=self.in_size, n_cols=self.out_size, names=names)
        if csc and not _same_edges(indices, indptr, self.out_size, *csc):
            raise ValueError("csc has other edges than indices and indptr; with_csc() makes it of these")

    def _zeros(self, shape: tuple[int, ...]) -> Array:
        return jnp.zeros(shape, self.weight.dtype)

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        self.check()
        acc = accumulator(acc, self.out_size, self.weight)
        return csr_matvec(self.weight, x, self.indices, self.indptr, acc=acc, impl=impl or self.impl)

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        self.check()
        check_shape("y", y, (self.out_size,))
        acc = accumulator(acc, self.in_size, self.weight)
        return csr_transposed_matvec(
            self.weight, y, self.indices, self.indptr, acc=acc, csc=self.csc, impl=impl or self.impl
        )

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        """One value for each entry of `indices`, 0 in the room behind the edges."""
        self.check()
        check_shape("post", post, (self.out_size,))
        return csr_outer(
            pre, post, self.indices, self.indptr, acc=self._zeros(self.indices.shape), impl=impl or self.impl
        )

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        return csr_to_dense(self.weight, self.indices, self.indptr, n_cols=self.out_size)

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Pre and post neuron of each edge, as NumPy arrays of length `nnz`."""
        indices, ptr = concrete(self.indices, "indices"), concrete(self.indptr, "indptr")
        self.check()
        rows = np.repeat(np.arange(self.in_size, dtype=np.int32), np.diff(ptr))
        return rows, indices[: ptr[-1]]


def _traced(name: str, x: ArrayLike, size: int | None) -> Array:
    """An index array whose values aren't known, where the operators count what is out of range as no edge."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise TypeError(f"{name} is {x.dtype.name}; expected integers")
    check_shape(name, x, None if size is None else (size,))
    return x.astype(jnp.int32)


def _same_edges(
    indices: np.ndarray, indptr: np.ndarray, n_cols: int, rows: np.ndarray, starts: np.ndarray, order: np.ndarray
) -> bool:
    """Whether a view by columns, valid or not, is one of these edges, which are valid."""
    nnz = int(indptr[-1])
    counts = np.bincount(indices[:nnz], minlength=n_cols)
    if starts.shape != (n_cols + 1,) or starts[0] != 0 or not np.array_equal(np.diff(starts), counts):
        return False
    if rows.shape != (nnz,) or order.shape != (nnz,) or (nnz and not 0 <= order.min() <= order.max() < nnz):
        return False
    if nnz and np.bincount(order, minlength=nnz).max() > 1:
        return False
    of_edge = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    columns = np.repeat(np.arange(n_cols, dtype=np.int32), counts)
    return np.array_equal(rows, of_edge[order]) and np.array_equal(columns, indices[order])
