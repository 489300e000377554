"""Event-driven operators on a dense matrix of shape (pre, post)."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._block import Matrix, matvec_p, transposed_p
from ._common import Events, Impl, as_events, as_weight, check_floating, check_impl, check_sizes


def _matrix(rows: int, columns: int) -> Matrix:
    return Matrix(jnp.zeros(1, jnp.int32), jnp.arange(2, dtype=jnp.int32), (rows, columns), True)


def dense_matvec(
    weight: Float[Array, "rows cols"],
    x: Events,
    *,
    acc: Float[Array, " cols"],
    impl: Impl = "auto",
) -> Float[Array, " cols"]:
    r"""Carries events from pre to post: $\mathrm{out}_j = \mathrm{acc}_j + \sum_i x_i w_{ij}$.

    While few neurons fire, the rows of those that do are added, and the others cost nothing; where it is more than one
    in eight, XLA's dot takes all rows at once. Either way a zero event meets no weight: 0 times an infinite or NaN
    weight adds nothing.

    **Arguments:**

    - `weight`: shape `(rows, cols)`, (pre, post).
    - `x`: events of the pre neurons, shape `(rows,)`: boolean, or floats that multiply.
    - `acc`: what to add to, shape `(cols,)`.
    - `impl`: `"auto"` takes the compiled kernel where it is the quicker, `"taichi"` insists on it, `"reference"` is
      plain JAX.

    **Returns:** shape `(cols,)`. All JAX transformations apply, to any order, in weight, events and `acc`.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.dense_matvec(jnp.ones((2, 3)), jnp.array([True, False]), acc=jnp.zeros(3))
        ```
    """
    return _linear(matvec_p, weight, x, acc, "x", 0, impl, 1)


def dense_transposed_matvec(
    weight: Float[Array, "rows cols"],
    y: Events,
    *,
    acc: Float[Array, " rows"],
    impl: Impl = "auto",
) -> Float[Array, " rows"]:
    r"""Carries values from post to pre: $\mathrm{out}_i = \mathrm{acc}_i + \sum_j w_{ij} y_j$.

    Arguments, errors and transformations as for `dense_matvec`, with `y` of shape `(cols,)` and `acc` of shape
    `(rows,)`. All rows are read whatever the events, so `"auto"` takes XLA's dot.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.dense_transposed_matvec(jnp.ones((2, 3)), jnp.array([1.0, 0.0, 2.0]), acc=jnp.zeros(2))
        ```
    """
    return _linear(transposed_p, weight, y, acc, "y", 1, impl, 1)


def dense_outer(
    pre: Events, post: Events, *, acc: Float[Array, "rows cols"], impl: Impl = "auto"
) -> Float[Array, "rows cols"]:
    r"""Adds the outer product: $\mathrm{out}_{ij} = \mathrm{acc}_{ij} + p_i q_j$.

    Arguments, errors and transformations as for `dense_matvec`, with `pre` of shape `(rows,)`, `post` of shape
    `(cols,)`, `acc` and the result of shape `(rows, cols)`. In a compiled loop rows without a pre event are not even
    read.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.dense_outer(jnp.array([True, False]), jnp.array([1.0, 0.0, 2.0]), acc=jnp.zeros((2, 3)))
        ```
    """
    return _outer(pre, post, acc, impl, 1)


def dense_matmat(
    weight: Float[Array, "rows cols"],
    x: Events,
    *,
    acc: Float[Array, "cols columns"],
    impl: Impl = "auto",
) -> Float[Array, "cols columns"]:
    r"""`dense_matvec` for each column: $\mathrm{out}_{jk} = \mathrm{acc}_{jk} + \sum_i x_{ik} w_{ij}$.

    Arguments, errors and transformations as for `dense_matvec`, with `x` of shape `(rows, columns)`, `acc` and the
    result of shape `(cols, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.dense_matmat(jnp.ones((2, 3)), jnp.array([[True, False], [False, True]]), acc=jnp.zeros((3, 2)))
        ```
    """
    return _linear(matvec_p, weight, x, acc, "x", 0, impl, 2)


def dense_transposed_matmat(
    weight: Float[Array, "rows cols"],
    y: Events,
    *,
    acc: Float[Array, "rows columns"],
    impl: Impl = "auto",
) -> Float[Array, "rows columns"]:
    r"""`dense_transposed_matvec` for each column: $\mathrm{out}_{ik} = \mathrm{acc}_{ik} + \sum_j w_{ij} y_{jk}$.

    Arguments, errors and transformations as for `dense_matvec`, with `y` of shape `(cols, columns)`, `acc` and the
    result of shape `(rows, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.dense_transposed_matmat(jnp.ones((2, 3)), jnp.ones((3, 4)), acc=jnp.zeros((2, 4)))
        ```
    """
    return _linear(transposed_p, weight, y, acc, "y", 1, impl, 2)


def dense_outer_matmat(
    pre: Events, post: Events, *, acc: Float[Array, "rows cols"], impl: Impl = "auto"
) -> Float[Array, "rows cols"]:
    r"""The sum of `dense_outer` over columns: $\mathrm{out}_{ij} = \mathrm{acc}_{ij} + \sum_k p_{ik} q_{jk}$.

    Arguments, errors and transformations as for `dense_matvec`, with `pre` of shape `(rows, columns)` and `post` of
    shape `(cols, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.dense_outer_matmat(jnp.ones((2, 4)), jnp.ones((3, 4)), acc=jnp.zeros((2, 3)))
        ```
    """
    return _outer(pre, post, acc, impl, 2)


def _linear(operator: Any, weight: Any, x: Any, acc: Array, name: str, axis: int, impl: Any, rank: int) -> Array:
    check_impl(impl)
    weight = as_weight(weight, acc)
    x = as_events(name, x, acc.dtype)
    if weight.ndim != 2:
        raise ValueError(f"weight has shape {weight.shape}; expected a matrix, (pre, post)")
    columns = x.shape[1:] if x.ndim == rank else (0,) * (rank - 1)
    check_sizes(**{name: (x, (weight.shape[axis], *columns))}, acc=(acc, (weight.shape[1 - axis], *columns)))
    return _matrix(*weight.shape).linear(operator, weight, x, acc, impl)


def _outer(pre: Any, post: Any, acc: Array, impl: Any, rank: int) -> Array:
    check_impl(impl)
    check_floating("acc", acc)
    pre, post = as_events("pre", pre, acc.dtype), as_events("post", post, acc.dtype)
    if acc.ndim != 2:
        raise ValueError(f"acc has shape {acc.shape}; expected a matrix, (pre, post)")
    columns = pre.shape[1:] if pre.ndim == rank else (0,) * (rank - 1)
    check_sizes(pre=(pre, (acc.shape[0], *columns)), post=(post, (acc.shape[1], *columns)))
    return _matrix(*acc.shape).sampled(pre, post, acc, impl)
