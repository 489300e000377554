"""Random connectivity that is never stored: made anew, and equal, whenever it is used."""

from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .._arguments import check_choice, flag, real
from .._errors import check_key, no_key
from .._types import Spikes
from ..init import AbstractInitializer, Normal, Uniform
from ..ops import Impl, Law, check_shape, jit_dense, jit_matvec, jit_outer, jit_transposed_matvec
from ._base import (
    AbstractConnectivity,
    AbstractConnector,
    Weight,
    accumulator,
    check_impl,
    check_probability,
    check_sizes,
    check_weight,
)

_EXACT = 2**24  # edges that float32 counts


class JIT(AbstractConnectivity):
    r"""Each (pre, post) pair connected independently with probability $p$, by numbers that are computed from a seed
    whenever they are needed. The memory it takes does not depend on its size.

    **Arguments:**

    - `weight`: shape `()`, the weight of all edges; or shape `(2,)`: lower and upper end of uniform weights, mean and
      standard deviation of normal ones. A leaf: differentiate, vmap or replace it.
    - `seed`: a whole number of 32 bits. A leaf: replacing it compiles nothing new. Under `jax.vmap` over seeds one
      matrix is made after the other.
    - `in_size`, `out_size`: numbers of pre and post neurons; of post neurons fewer than $2^{30}$.
    - `p`: connection probability.
    - `law`: of the weights, `"constant"`, `"uniform"` or `"normal"`.
    - `include_self`: whether neuron `i` may connect to neuron `i`.
    - `impl`: of the operators, as in `npt.ops.jit_matvec`.

    `W(x)` costs the edges of the neurons that fired; `W.transpose(y)` and `W.outer(pre, post)` cost all edges, but for
    those of silent pre neurons in `outer`. See [Connectivity made just in time](../jit.md).

    **Raises:** `ValueError` or `TypeError` naming the argument.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        W = npt.connect.JIT(0.5, 42, in_size=1000, out_size=800, p=0.01)
        W(jnp.zeros(1000, bool).at[7].set(True))
        ```
    """

    weight: Float[Array, "..."]
    seed: Int[Array, ""]
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    p: float = eqx.field(static=True)
    law: Law = eqx.field(static=True)
    include_self: bool = eqx.field(static=True)
    impl: Impl = eqx.field(static=True)

    def __init__(
        self,
        weight: ArrayLike,
        seed: ArrayLike,
        *,
        in_size: int,
        out_size: int,
        p: float,
        law: Law = "constant",
        include_self: bool = True,
        impl: Impl = "auto",
    ):
        check_sizes(in_size, out_size)
        check_probability("JIT", p)
        check_choice(law, "law", get_args(Law))
        check_impl(impl)
        self.weight, self.seed = real(weight, "weight", each="parameter of its law"), as_seed(seed)
        check_weight(self.weight)
        self.in_size, self.out_size, self.impl = int(in_size), int(out_size), impl
        self.p, self.law, self.include_self = float(p), law, flag(include_self, "include_self")
        jax.eval_shape(self._product)  # what the operator can't take is said here

    @property
    def _of(self) -> dict[str, Any]:
        return {"p": self.p, "law": self.law, "include_self": self.include_self}

    def _product(self) -> Array:
        return self(jnp.zeros(self.in_size, bool))

    def check(self) -> None:
        check_weight(self.weight)
        if getattr(self.seed, "dtype", None) != jnp.int32:
            raise TypeError(f"seed is {self.seed!r}; expected int32")

    @property
    def nnz(self) -> int:
        """Number of edges. They are counted, which costs as much as `transpose`."""
        total = 0
        for start in range(0, self.out_size, _EXACT):
            degree = jit_transposed_matvec(
                jnp.ones((), jnp.float32),
                jnp.ones(min(_EXACT, self.out_size - start), jnp.float32),
                self.seed,
                p=self.p,
                include_self=self.include_self,
                acc=jnp.zeros(self.in_size, jnp.float32),
                col_offset=start,
            )
            total += int(np.asarray(degree).astype(np.int64).sum())
        return total

    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        check_shape("x", x, (self.in_size,))
        acc = accumulator(acc, self.out_size, self.weight)
        return jit_matvec(self.weight, x, self.seed, acc=acc, impl=impl or self.impl, **self._of)

    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        check_shape("y", y, (self.out_size,))
        acc = accumulator(acc, self.in_size, self.weight)
        return jit_transposed_matvec(self.weight, y, self.seed, acc=acc, impl=impl or self.impl, **self._of)

    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        r"""The gradient of $\sum_{ij} p_i w_{ij} q_j$ with respect to `weight`, of its shape: no edge has a place."""
        check_shape("pre", pre, (self.in_size,))
        check_shape("post", post, (self.out_size,))
        return jit_outer(pre, post, self.seed, acc=jnp.zeros_like(self.weight), impl=impl or self.impl, **self._of)

    def to_dense(self) -> Float[Array, "in_size out_size"]:
        return jit_dense(self.weight, self.seed, (self.in_size, self.out_size), **self._of)


def as_seed(seed: ArrayLike) -> Int[Array, ""]:
    """A whole number of 32 bits as int32, by its two's complement.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        if not -(2**31) <= seed < 2**32:
            raise ValueError(f"seed is {seed}; expected a whole number of 32 bits, from -2^31 to 2^32 - 1")
        return jnp.asarray(np.uint32(int(seed) % 2**32).view(np.int32))
    array = seed if isinstance(seed, jax.Array) else np.asarray(seed)
    if array.shape != () or not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"seed is {array.dtype.name} of shape {array.shape}; expected one whole number")
    return jnp.asarray(array).astype(jnp.int32)


class JITFixedProb(AbstractConnector):
    r"""Connects each (pre, post) pair independently with probability $p$, as `FixedProb` does, but stores no edge.

    The law is the same, the edges are others. `weight` may be a number, `npt.init.Uniform` or `npt.init.Normal`, whose
    two parameters are then the weight of the connectivity.

    **Arguments:**

    - `p`: connection probability.
    - `include_self`: whether neuron `i` may connect to neuron `i`.

    **Raises:** `ValueError` for a `p` outside 0 to 1 and for a call without a key; `TypeError` for another weight.

    !!! example

        ```python
        import jax, neuropytree as npt
        rule = npt.connect.JITFixedProb(8e-5)
        W = rule(1_000_000, 1_000_000, weight=npt.init.Normal(0.6, 0.1), key=jax.random.key(0))
        ```
    """

    p: float = eqx.field(static=True)
    include_self: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        check_probability("JITFixedProb", self.p)
        flag(self.include_self, "include_self")

    def __call__(self, in_size: int, out_size: int, *, weight: Weight = 1.0, key: Key[Array, ""] | None = None) -> JIT:
        if key is None:
            raise no_key("JITFixedProb", "which neurons are connected")
        check_key(key)
        seed = jax.lax.bitcast_convert_type(jr.bits(key, (), jnp.uint32), jnp.int32)
        law, value = _law(weight)
        return JIT(value, seed, in_size=in_size, out_size=out_size, p=self.p, law=law, include_self=self.include_self)


def _law(weight: Weight) -> tuple[Law, Array]:
    if isinstance(weight, Uniform):
        return "uniform", jnp.stack([weight.low, weight.high])
    if isinstance(weight, Normal):
        return "normal", jnp.stack([weight.mean, weight.std])
    if isinstance(weight, AbstractInitializer) or np.ndim(weight) > 0:
        what = type(weight).__name__ if isinstance(weight, AbstractInitializer) else f"of shape {np.shape(weight)}"
        raise TypeError(f"JITFixedProb's weight is {what}; expected a number, npt.init.Uniform or npt.init.Normal")
    return "constant", real(weight, "weight")
