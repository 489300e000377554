"""Connectivity without gaps: every pair, or each neuron with its counterpart."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .._arguments import flag, whole
from .._types import Spikes, fold_key
from ..ops import (
    Impl,
    as_events,
    check_shape,
    dense_matvec,
    dense_outer,
    dense_transposed_matvec,
    diagonal_matvec,
    diagonal_outer,
)
from ._base import (
    AbstractConnectivity,
    AbstractConnector,
    Weight,
    accumulator,
    check_impl,
    check_sizes,
    check_weight,
    edge_weights,
)


def _values(name: str, x: Spikes, weight: Array, size: int) -> Array:
    check_shape(name, x, (size,))
    return as_events(name, x, weight.dtype).astype(weight.dtype)


def _add(acc: Array | None, weight: Array, y: Array) -> Array:
    return diagonal_matvec(weight, y, acc=accumulator(acc, y.shape[0], weight))


class Dense(AbstractConnectivity):
    """Every pre neuron to every post neuron.

    **Arguments:**

    - `weight`: shape `()`, shared by all pairs, in which case no matrix is ever made; or the matrix, (in_size,
      out_size).
    - `in_size`, `out_size`: numbers of pre and post neurons.
    - `include_self`: whether neuron `i` connects to neuron `i`; if not, the diagonal of the weight is never used.
    - `key`: for a weight that is drawn.
    - `impl`: of the operators, as in `npt.ops.dense_matvec`.

    A matrix is multiplied by `npt.ops.dense_matvec`: while few neurons fire, only their rows are added. A shared weight
    is multiplied by the sum of the events, and `impl` makes no difference.

    **Raises:** `ValueError` for a weight of another shape.
    """

    weight: Float[Array, "..."]
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    include_self: bool = eqx.field(static=True)
    impl: Impl = eqx.field(static=True)

    def __init__(
        self,
        weight: Weight,
        *,
        in_size: int,
        out_size: int,
        include_self: bool = True,
        key: Key[Array, ""] | None = None,
        impl: Impl = "auto",
    ):
        check_sizes(in_size, out_size)
        check_impl(impl)
        self.include_self = flag(include_self, "include_self")
        self.in_size, self.out_size, self.impl = int(in_size), int(out_size), impl
        self.weight = edge_weights(weight, (in_size, out_size), key)

    @property
    def nnz(self) -> int:
        missing = 0 if self.include_self else min(self.in_size, self.out_size)
        return self.in_size * self.out_size - missing

    def check(self) -> None:
        check_weight(self.weight)

    def _matrix(self) -> Array:
        return (
            self.weight
            if self.include_self
            else jnp.where(self._off_diagonal(), self.weight, jnp.zeros_like(self.weight))
        )

    def _off_diagonal(self) -> Array:
        return ~jnp.eye(self.in_size, self.out_size, dtype=bool)

    def _shared(self, x: Array, out_size: int) -> Array:
        """What the weight of all pairs is multiplied by at each neuron of the other side."""
        if self.include_self or x.size == 0:
            return jnp.broadcast_to(jnp.sum(x), (out_size,))
        # The largest is added last and subtracted nowhere: it could be infinite, or too large for others to survive it.
        largest = jnp.argmax(jnp.abs(x))
        rest = jnp.sum(jnp.where(jnp.arange(x.size) == largest, jnp.zeros_like(x), x))
        common = min(self.in_size, self.out_size)
        total = jnp.broadcast_to(rest, (out_size,)).at[:common].add(-x[:common]) + x[largest]
        return total.at[largest].set(rest, mode="drop")

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        if self.weight.ndim == 2:
            acc = accumulator(acc, self.out_size, self.weight)
            return dense_matvec(self._matrix(), x, acc=acc, impl=impl or self.impl)
        return _add(acc, self.weight, self._shared(_values("x", x, self.weight, self.in_size), self.out_size))

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        if self.weight.ndim == 2:
            acc = accumulator(acc, self.in_size, self.weight)
            return dense_transposed_matvec(self._matrix(), y, acc=acc, impl=impl or self.impl)
        return _add(acc, self.weight, self._shared(_values("y", y, self.weight, self.out_size), self.in_size))

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        """Shape (in_size, out_size)."""
        product = dense_outer(
            pre, post, acc=jnp.zeros((self.in_size, self.out_size), self.weight.dtype), impl=impl or self.impl
        )
        return product if self.include_self else jnp.where(self._off_diagonal(), product, jnp.zeros_like(product))

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        full = jnp.broadcast_to(self.weight, (self.in_size, self.out_size))
        return full if self.include_self else jnp.where(self._off_diagonal(), full, jnp.zeros_like(full))


class Diagonal(AbstractConnectivity):
    """Each neuron to the one with its number.

    **Arguments:**

    - `weight`: shape `()`, or one for each neuron.
    - `size`: number of neurons on either side.
    - `key`: for a weight that is drawn.

    It is a product in plain JAX, whatever `impl` says.

    **Raises:** `ValueError` for a weight of another shape.
    """

    weight: Float[Array, "..."]
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    impl: Impl = eqx.field(static=True)

    def __init__(self, weight: Weight, *, size: int, key: Key[Array, ""] | None = None):
        self.in_size = self.out_size = whole(size, "size")
        self.impl = "auto"
        self.weight = edge_weights(weight, (size,), key)

    @property
    def nnz(self) -> int:
        return self.in_size

    def check(self) -> None:
        check_weight(self.weight)

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        del impl
        return _add(acc, self.weight, _values("x", x, self.weight, self.in_size))

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        del impl
        return _add(acc, self.weight, _values("y", y, self.weight, self.out_size))

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        """Shape (size,)."""
        del impl
        pre, post = (_values(n, x, self.weight, self.in_size) for n, x in (("pre", pre), ("post", post)))
        return diagonal_outer(pre, post, acc=jnp.zeros(self.in_size, self.weight.dtype))

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        return jnp.diag(jnp.broadcast_to(self.weight, (self.in_size,)))


class AllToAll(AbstractConnector):
    """Connects every pair.

    **Arguments:**

    - `include_self`: whether neuron `i` connects to neuron `i`.

    !!! example

        ```python
        import neuropytree as npt
        W = npt.connect.AllToAll()(100, 50, weight=0.1)
        ```
    """

    include_self: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        flag(self.include_self, "include_self")

    def __call__(
        self, in_size: int, out_size: int, *, weight: Weight = 1.0, key: Key[Array, ""] | None = None
    ) -> Dense:
        key = None if key is None else fold_key(key, "weight")
        return Dense(weight, in_size=in_size, out_size=out_size, include_self=self.include_self, key=key)


class OneToOne(AbstractConnector):
    """Connects each neuron with the one of the same number.

    **Raises:** `ValueError` when called for two sizes that differ.

    !!! example

        ```python
        import neuropytree as npt
        W = npt.connect.OneToOne()(100, 100, weight=0.1)
        ```
    """

    def __call__(
        self, in_size: int, out_size: int, *, weight: Weight = 1.0, key: Key[Array, ""] | None = None
    ) -> Diagonal:
        check_sizes(in_size, out_size)
        if in_size != out_size:
            raise ValueError(
                f"in_size is {in_size} and out_size {out_size}; expected populations of equal size, which OneToOne "
                "connects"
            )
        return Diagonal(weight, size=in_size, key=None if key is None else fold_key(key, "weight"))
