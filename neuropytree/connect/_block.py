"""Sparse connectivity in blocks of one size."""

import functools
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .._arguments import whole
from .._types import Spikes
from ..ops import Impl, bsr_matvec, bsr_outer, bsr_transposed_matvec, check_shape, csr_check, csr_to_coo
from ._base import (
    AbstractConnectivity,
    Weight,
    accumulator,
    check_impl,
    check_sizes,
    check_weight,
    concrete,
    edge_weights,
)
from ._checked import once, remember


class Block(AbstractConnectivity):
    r"""Sparse connectivity between groups of neurons: some blocks of the matrix are there, all of one size, and full.

    **Arguments:**

    - `indices`: block column of each block: the block reaches the post neurons from `indices[b] * width` on.
    - `indptr`: the blocks of block row `r`, whose pre neurons start at `r * height`, are entries `indptr[r]` to
      `indptr[r + 1]`. In any order; a block that stands twice counts twice.
    - `weight`: the blocks, shape `(blocks, height, width)`, or a number or an initializer for all of their entries. A
      leaf: differentiate, vmap or replace it.
    - `block`: `(height, width)`, the numbers of pre and post neurons in a block.
    - `in_size`, `out_size`: numbers of pre and post neurons, whole numbers of blocks.
    - `key`: for a weight that is drawn.
    - `impl`: of the operators, as in `npt.ops.bsr_matvec`.

    `W(x)` carries events from pre to post and costs the rows of the blocks of the neurons that fired.

    **Raises:** `ValueError` or `TypeError`, when made, naming the entry that is out of range or out of order.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        W = npt.connect.Block([1, 0], [0, 1, 2], weight=0.5, block=(2, 3), in_size=4, out_size=6)
        W(jnp.array([True, False, False, True]))
        ```
    """

    weight: Float[Array, "blocks height width"]
    indices: Int[Array, " blocks"]
    indptr: Int[Array, " block_rows"]
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    impl: Impl = eqx.field(static=True)

    def __init__(
        self,
        indices: ArrayLike,
        indptr: ArrayLike,
        *,
        weight: Weight = 1.0,
        block: tuple[int, int],
        in_size: int,
        out_size: int,
        key: Key[Array, ""] | None = None,
        impl: Impl = "auto",
    ):
        check_sizes(in_size, out_size)
        check_impl(impl)
        cols, ptr = concrete(indices, "indices"), concrete(indptr, "indptr")
        height, width = _validate_block(block, in_size, out_size)
        self.in_size, self.out_size, self.impl = int(in_size), int(out_size), impl
        _look(in_size // height, out_size // width, cols, ptr)
        shape = (len(cols), height, width)
        if np.prod(shape, dtype=np.float64) >= 2**31:
            raise ValueError(f"blocks of shape {shape} have more than 2^31 - 1 entries; split the connectivity by rows")
        self.weight = jnp.broadcast_to(edge_weights(weight, shape, key), shape)
        self.indices, self.indptr = jnp.asarray(cols, jnp.int32), jnp.asarray(ptr, jnp.int32)
        remember((self.indices, self.indptr), *self._grid)

    @property
    def _grid(self) -> tuple[int, int]:
        """How many blocks there are room for in a column and in a row."""
        height, width = self.weight.shape[-2:]
        return self.in_size // height, self.out_size // width

    def check(self) -> None:
        if jnp.ndim(self.weight) < 3 or 0 in self.weight.shape[-2:]:
            raise ValueError(f"weight has shape {jnp.shape(self.weight)}; expected (blocks, height, width)")
        _validate_block(self.weight.shape[-2:], self.in_size, self.out_size)
        once(functools.partial(_look, *self._grid), {"indices": self.indices, "indptr": self.indptr}, *self._grid)
        check_weight(self.weight, (*self.indices.shape, *self.weight.shape[-2:]))

    @property
    def nnz(self) -> int:
        return int(self.weight.size)

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        self.check()
        acc = accumulator(acc, self.out_size, self.weight)
        return bsr_matvec(self.weight, x, self.indices, self.indptr, acc=acc, impl=impl or self.impl)

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        self.check()
        check_shape("y", y, (self.out_size,))
        acc = accumulator(acc, self.in_size, self.weight)
        return bsr_transposed_matvec(self.weight, y, self.indices, self.indptr, acc=acc, impl=impl or self.impl)

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        """Shape (blocks, height, width)."""
        self.check()
        check_shape("post", post, (self.out_size,))
        return bsr_outer(pre, post, self.indices, self.indptr, acc=jnp.zeros_like(self.weight), impl=impl or self.impl)

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        _, height, width = self.weight.shape
        grid = jnp.zeros((*self._grid, height, width), self.weight.dtype)
        grid = grid.at[csr_to_coo(self.indices, self.indptr)].add(self.weight, mode="drop")
        return grid.transpose(0, 2, 1, 3).reshape(self.in_size, self.out_size)


def from_bsr(matrix: Any, *, weight: Weight | None = None, key: Key[Array, ""] | None = None) -> Block:
    """A connectivity of blocks from a SciPy `bsr_array` or `bsr_matrix` of shape (pre, post).

    **Arguments:**

    - `matrix`: its blocks are full: what is zero in a block is a connection of weight 0. For another block size, use
      `matrix.tobsr(blocksize=...)`.
    - `weight`: replaces the stored values, if given.
    - `key`: for weights that are drawn.

    **Raises:** `TypeError` for something else.

    !!! example

        ```python
        import numpy as np, scipy.sparse, neuropytree as npt
        W = npt.connect.from_bsr(scipy.sparse.bsr_array(np.eye(6), blocksize=(2, 3)))
        ```
    """
    if getattr(matrix, "format", None) != "bsr":
        raise TypeError(f"matrix is a {type(matrix).__name__}; expected a SciPy BSR matrix (matrix.tobsr() makes one)")
    count = int(matrix.indptr[-1])
    values = matrix.data[:count] if weight is None else weight
    if weight is None and not np.issubdtype(matrix.data.dtype, np.inexact):
        values = matrix.data[:count].astype(np.float64)
    in_size, out_size = matrix.shape
    return Block(
        matrix.indices[:count],
        matrix.indptr,
        weight=values,
        block=matrix.blocksize,
        in_size=int(in_size),
        out_size=int(out_size),
        key=key,
    )


def _validate_block(block: Any, in_size: int, out_size: int) -> tuple[int, int]:
    try:
        height, width = (whole(n, "block", least=1) for n in block)
    except (TypeError, ValueError):
        raise ValueError(f"block is {block!r}; expected two whole numbers, (height, width), above 0") from None
    for name, n, side, size in (("in_size", in_size, "height", height), ("out_size", out_size, "width", width)):
        if n % size:
            raise ValueError(f"{name} is {n}; expected a multiple of the {side} of a block, {size}")
    return height, width


def _look(rows: int, columns: int, indices: np.ndarray, indptr: np.ndarray) -> None:
    names = ("in_size / height", "out_size / width")
    csr_check(indices, indptr, n_rows=rows, n_cols=columns, sorted=False, names=names)
    if indptr[-1] != len(indices):
        raise ValueError(f"indptr ends at {indptr[-1]}, but there are {len(indices)} indices; expected as many")
