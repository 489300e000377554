"""Connectivity between some of the neurons at either end."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from .._types import Spikes
from ..ops import Impl, check_shape
from ._base import AbstractConnectivity, accumulator
from ._csr import CSR


class Embedded(AbstractConnectivity):
    """A connectivity between slices of two larger populations.

    **Arguments:**

    - `inner`: the connectivity of the slices. Its weight is this one's.
    - `rows`, `columns`: the pre and post neurons that it joins, ascending ranges.
    - `in_size`, `out_size`: numbers of neurons of the whole populations.
    """

    inner: AbstractConnectivity
    rows: range = eqx.field(static=True)
    columns: range = eqx.field(static=True)
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)

    def __init__(self, inner: AbstractConnectivity, *, rows: range, columns: range, in_size: int, out_size: int):
        self.inner, self.rows, self.columns = inner, rows, columns
        self.in_size, self.out_size = in_size, out_size

    @property
    def weight(self) -> Array:
        return self.inner.weight

    @property
    def impl(self) -> Impl:
        return self.inner.impl

    def check(self) -> None:
        self.inner.check()

    @property
    def nnz(self) -> int:
        return self.inner.nnz

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        check_shape("x", x, (self.in_size,))
        acc = accumulator(acc, self.out_size, self.weight)
        return acc.at[_slice(self.columns)].set(self.inner(x[_slice(self.rows)], acc[_slice(self.columns)], impl=impl))

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        check_shape("y", y, (self.out_size,))
        acc = accumulator(acc, self.in_size, self.weight)
        into = acc[_slice(self.rows)]
        return acc.at[_slice(self.rows)].set(self.inner.transpose(y[_slice(self.columns)], into, impl=impl))

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        """Of the shape that the inner connectivity gives."""
        check_shape("pre", pre, (self.in_size,))
        check_shape("post", post, (self.out_size,))
        return self.inner.outer(pre[_slice(self.rows)], post[_slice(self.columns)], impl=impl)

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        whole = jnp.zeros((self.in_size, self.out_size), self.weight.dtype)
        return whole.at[_slice(self.rows), _slice(self.columns)].set(self.inner.to_dense())


def _slice(places: range) -> slice:
    return slice(places.start, places.stop, places.step)


def embedded(
    connect: AbstractConnectivity, rows: range, columns: range, in_size: int, out_size: int
) -> AbstractConnectivity:
    """`connect`, which joins slices, as a connectivity of the whole: from the pre neurons `rows` of `in_size` to the
    post neurons `columns` of `out_size`. Of sparse rows the indices are moved, which costs nothing at run time."""
    if not isinstance(connect, CSR):
        return Embedded(connect, rows=rows, columns=columns, in_size=in_size, out_size=out_size)
    before = np.searchsorted(np.asarray(rows), np.arange(in_size + 1))  # rows of the slice before each row of the whole
    indices, indptr = connect.indices, connect.indptr
    if not isinstance(indices, Tracer) and not isinstance(indptr, Tracer):
        indices, indptr = np.asarray(indices), np.asarray(indptr)
    edges = np.arange(indices.shape[0], dtype=np.int32) < indptr[-1]  # and not the room behind them
    xp = np if isinstance(indices, np.ndarray) else jnp
    indices = xp.where(edges, columns.start + columns.step * indices, indices)
    whole = CSR(indices, indptr[before], weight=connect.weight, in_size=in_size, out_size=out_size, impl=connect.impl)
    return whole if connect.csc is None else whole.with_csc()
