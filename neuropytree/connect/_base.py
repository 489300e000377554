"""What a connectivity is, and what a rule that makes one is."""

import abc
from typing import Any, NoReturn, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import check_choice, known_values, real, whole
from .._errors import check_key, no_key
from .._types import Spikes
from ..init import AbstractInitializer
from ..ops import Impl, check_shape

Weight = ArrayLike | AbstractInitializer

_LINE = 64  # bytes; JAX copies an array that begins elsewhere
_LARGE = 1 << 22  # bytes, from which on NumPy asks for large pages


class AbstractConnectivity(eqx.Module):
    """A linear map from `in_size` pre neurons to `out_size` post neurons, with its `weight` as a leaf.

    `impl` says which implementation of the operators it calls, as in `npt.ops.csr_matvec`; a call may name another.
    `npt.connect.with_impl` changes that of a whole model.
    """

    weight: eqx.AbstractVar[Float[Array, "..."]]
    in_size: eqx.AbstractVar[int]
    out_size: eqx.AbstractVar[int]
    impl: eqx.AbstractVar[Impl]

    @abc.abstractmethod
    def __call__(self, x: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        r"""From pre to post: $y_j = \mathrm{acc}_j + \sum_i x_i w_{ij}$; in place in a compiled loop."""

    @abc.abstractmethod
    def transpose(self, y: Spikes, acc: Array | None = None, *, impl: Impl | None = None) -> Array:
        r"""From post to pre: $x_i = \mathrm{acc}_i + \sum_j w_{ij} y_j$."""

    @abc.abstractmethod
    def outer(self, pre: Spikes, post: Spikes, *, impl: Impl | None = None) -> Array:
        """The outer product `pre[i] * post[j]` at the edges, in their order."""

    @abc.abstractmethod
    def check(self) -> None:
        """Whether the arrays fit each other, and every index is in range and in order; `npt.connect.check` does it for
        all of a model. Arrays that were looked at before cost nothing, and nothing is looked at that is traced.

        **Raises:** `ValueError` or `TypeError`, as the constructor does.
        """

    @abc.abstractmethod
    def to_dense(self) -> Float[Array, "in_size out_size"]:
        """The matrix, (pre, post); edges that stand twice add up."""

    @property
    @abc.abstractmethod
    def nnz(self) -> int:
        """Number of edges."""


class AbstractConnector(eqx.Module):
    """A rule that makes a connectivity for given sizes."""

    @abc.abstractmethod
    def __call__(
        self, in_size: int, out_size: int, *, weight: Weight = 1.0, key: Key[Array, ""] | None = None
    ) -> AbstractConnectivity:
        """The connectivity from `in_size` pre to `out_size` post neurons.

        A number as `weight` is one weight shared by all edges; an array has one for each edge, and an initializer draws
        one for each.
        """


def check_probability(who: str, p: Any) -> None:
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ValueError(f"{who} has p={p!r}; expected a probability from 0 to 1, as a Python number")


def check_impl(impl: Any) -> None:
    check_choice(impl, "impl", get_args(Impl))


def check_sizes(in_size: int, out_size: int) -> None:
    whole(in_size, "in_size")
    whole(out_size, "out_size")


def check_weight(weight: Any, *shapes: tuple[int, ...]) -> None:
    """Of a connectivity, after its construction: floating, and of one of the shapes, if any are given.

    **Raises:** `TypeError` or `ValueError` if it isn't.
    """
    if not hasattr(weight, "dtype"):
        raise TypeError(f"weight is a {type(weight).__name__}; expected a floating array")
    if not jnp.issubdtype(weight.dtype, jnp.floating):
        raise TypeError(f"weight is {weight.dtype.name}; it must be floating")
    if shapes and weight.shape not in shapes:
        raise ValueError(f"weight has shape {weight.shape}; expected {' or '.join(map(str, shapes))}")


def accumulator(acc: Array | None, size: int, weight: Array) -> Array:
    """What a product is added to, which has the size of the population and the dtype of the weight."""
    if acc is None:
        return jnp.zeros(size, weight.dtype)
    check_shape("acc", acc, (size,))
    if acc.dtype != weight.dtype:
        raise TypeError(f"acc is {acc.dtype.name}; expected {weight.dtype.name}, as weight is")
    return acc


def edge_weights(weight: Weight, shape: tuple[int, ...], key: Key[Array, ""] | None) -> Array:
    """`weight` as a leaf: shape `()`, or `shape` if it is one for each edge. Arrays keep their floating dtype.

    **Raises:** `ValueError` for any other shape, and where a number is known not to be finite; `TypeError` for what
        are no real numbers.
    """
    check_key(key)
    if isinstance(weight, AbstractInitializer):
        drawn = weight(shape, key=key)
        known = known_values(drawn)
        if known is not None and not np.isfinite(known).all():
            raise ValueError(f"weight, drawn by {type(weight).__name__}, is not finite")
        return moved_to_large_pages(drawn)
    array = real(weight, "weight", each="edge")
    if isinstance(weight, np.ndarray | np.generic) and jnp.issubdtype(weight.dtype, jnp.floating):
        array = array.astype(jnp.result_type(weight))
    if array.shape == shape and shape and isinstance(weight, np.ndarray):
        return in_large_pages(weight, array.dtype)
    if array.shape not in ((), shape):
        raise ValueError(
            f"weight has shape {array.shape}; expected () for one shared weight, or {shape}, one for each edge"
        )
    return array


def in_large_pages(x: np.ndarray, dtype: Any = np.int32) -> Array:
    """Entries of edges as a JAX array. NumPy asks the system for large pages where an array has several megabytes, XLA
    does not; and the edges of the few neurons that fired lie on as many pages. On a CPU JAX takes the memory as it is.
    """
    size = np.dtype(dtype).itemsize
    whole = np.empty(x.size + _LINE // size, dtype)
    start = -whole.ctypes.data % _LINE // size
    aligned = whole[start : start + x.size].reshape(x.shape)
    aligned[...] = x
    return jax.device_put(aligned)


def moved_to_large_pages(x: Array) -> Array:
    """The same array, there if it is known, large, and on a CPU."""
    if isinstance(x, Tracer) or x.nbytes < _LARGE or jax.default_backend() != "cpu":
        return x
    return in_large_pages(np.asarray(x), x.dtype)


def concrete(x: Any, what: str) -> np.ndarray:
    """A value that decides shapes, as NumPy.

    **Raises:** `ValueError` inside a JAX transformation, where it isn't known.
    """
    if isinstance(x, Tracer):
        _traced(what)
    return np.asarray(x)


def _traced(what: str) -> NoReturn:
    raise ValueError(
        f"{what} decides the number of edges, so it must be known when the connectivity is made: make the "
        "connectivity outside "
        "jax.jit, jax.vmap and jax.grad, and transform over its weight"
    )


def words_of(key: Key[Array, ""] | None, who: str) -> Array:
    """The numbers that a key consists of.

    **Raises:** `ValueError` without a key.
    """
    if key is None:
        raise no_key(who, "which neurons are connected")
    check_key(key)
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    if isinstance(key, Tracer):
        return jax.random.key_data(key)
    with jax.ensure_compile_time_eval():  # a key that is known inside a transformation too
        return jax.random.key_data(key)


def generator(words: np.ndarray) -> np.random.Generator:
    """A NumPy generator that depends on the numbers of a key alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words.tolist())))
