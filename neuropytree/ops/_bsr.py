"""Event-driven operators on a sparse matrix of blocks of one size (BSR), of shape (pre, post).

`data[b]` is block `b`; its block column is `indices[b]`, and the blocks of block row `r` are those from `indptr[r]` to
`indptr[r + 1]`. What lies beyond `indptr[-1]` is room, and is never read.
"""

from typing import Any

from jaxtyping import Array, Float, Int

from ._block import Matrix, matvec_p, transposed_p
from ._common import Events, Impl, as_events, as_weight, check_floating, check_impl, check_indices, check_sizes

Data = Float[Array, "blocks height width"]
Indices = Int[Array, " blocks"]
Indptr = Int[Array, " block_rows+1"]


def bsr_matvec(
    data: Data, x: Events, indices: Indices, indptr: Indptr, *, acc: Float[Array, " cols"], impl: Impl = "auto"
) -> Float[Array, " cols"]:
    r"""Carries events from pre to post: $\mathrm{out}_j = \mathrm{acc}_j + \sum_i x_i w_{ij}$.

    While few neurons fire, a call costs their rows within the blocks; where it is more than one in eight, XLA's dot
    takes all rows at once. Either way a zero event meets no weight: 0 times an infinite or NaN weight adds nothing.

    **Arguments:**

    - `data`: the blocks, shape `(blocks, height, width)`.
    - `x`: events of the pre neurons, shape `(rows,)`, where `rows` is `height` times the number of block rows: boolean,
      or floats that multiply.
    - `indices`, `indptr`: int32. A block whose column is out of range is none.
    - `acc`: what to add to, shape `(cols,)`, a multiple of `width`.
    - `impl`: `"auto"` takes the compiled kernel where it is the quicker, `"taichi"` insists on it, `"reference"` is
      plain JAX.

    **Returns:** shape `(cols,)`. All JAX transformations apply, to any order, in data, events and `acc`.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([1, 0], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
        x = jnp.array([True, False, False, True])
        npt.ops.bsr_matvec(jnp.ones((2, 2, 3)), x, indices, indptr, acc=jnp.zeros(6))
        ```
    """
    return _linear(matvec_p, data, x, indices, indptr, acc, impl, 1)


def bsr_transposed_matvec(
    data: Data, y: Events, indices: Indices, indptr: Indptr, *, acc: Float[Array, " rows"], impl: Impl = "auto"
) -> Float[Array, " rows"]:
    r"""Carries values from post to pre: $\mathrm{out}_i = \mathrm{acc}_i + \sum_j w_{ij} y_j$.

    Arguments, errors and transformations as for `bsr_matvec`, with `y` of shape `(cols,)` and `acc` of shape `(rows,)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([1, 0], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
        npt.ops.bsr_transposed_matvec(jnp.ones((2, 2, 3)), jnp.ones(6), indices, indptr, acc=jnp.zeros(4))
        ```
    """
    return _linear(transposed_p, data, y, indices, indptr, acc, impl, 1)


def bsr_outer(pre: Events, post: Events, indices: Indices, indptr: Indptr, *, acc: Data, impl: Impl = "auto") -> Data:
    r"""The outer product sampled at the blocks: for each entry $(i, j)$ of a block, $\mathrm{acc} + p_i q_j$.

    Arguments, errors and transformations as for `bsr_matvec`, with `pre` of shape `(rows,)`, `post` of shape `(cols,)`,
    `acc` and the result of the shape of `data`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([1, 0], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
        npt.ops.bsr_outer(jnp.ones(4), jnp.ones(6), indices, indptr, acc=jnp.zeros((2, 2, 3)))
        ```
    """
    return _outer(pre, post, indices, indptr, acc, impl, 1)


def bsr_matmat(
    data: Data, x: Events, indices: Indices, indptr: Indptr, *, acc: Float[Array, "cols columns"], impl: Impl = "auto"
) -> Float[Array, "cols columns"]:
    r"""`bsr_matvec` for each column: $\mathrm{out}_{jk} = \mathrm{acc}_{jk} + \sum_i x_{ik} w_{ij}$.

    Arguments, errors and transformations as for `bsr_matvec`, with `x` of shape `(rows, columns)`, `acc` and the result
    of shape `(cols, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([1, 0], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
        npt.ops.bsr_matmat(jnp.ones((2, 2, 3)), jnp.ones((4, 5)), indices, indptr, acc=jnp.zeros((6, 5)))
        ```
    """
    return _linear(matvec_p, data, x, indices, indptr, acc, impl, 2)


def bsr_transposed_matmat(
    data: Data, y: Events, indices: Indices, indptr: Indptr, *, acc: Float[Array, "rows columns"], impl: Impl = "auto"
) -> Float[Array, "rows columns"]:
    r"""`bsr_transposed_matvec` for each column: $\mathrm{out}_{ik} = \mathrm{acc}_{ik} + \sum_j w_{ij} y_{jk}$.

    Arguments, errors and transformations as for `bsr_matvec`, with `y` of shape `(cols, columns)`, `acc` and the result
    of shape `(rows, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([1, 0], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
        npt.ops.bsr_transposed_matmat(jnp.ones((2, 2, 3)), jnp.ones((6, 5)), indices, indptr, acc=jnp.zeros((4, 5)))
        ```
    """
    return _linear(transposed_p, data, y, indices, indptr, acc, impl, 2)


def bsr_outer_matmat(
    pre: Events, post: Events, indices: Indices, indptr: Indptr, *, acc: Data, impl: Impl = "auto"
) -> Data:
    r"""The sum of `bsr_outer` over columns: for each entry $(i, j)$ of a block, $\mathrm{acc} + \sum_k p_{ik} q_{jk}$.

    Arguments, errors and transformations as for `bsr_matvec`, with `pre` of shape `(rows, columns)`, `post` of shape
    `(cols, columns)`, `acc` and the result of the shape of `data`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([1, 0], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
        npt.ops.bsr_outer_matmat(jnp.ones((4, 5)), jnp.ones((6, 5)), indices, indptr, acc=jnp.zeros((2, 2, 3)))
        ```
    """
    return _outer(pre, post, indices, indptr, acc, impl, 2)


def _matrix(name: str, data: Array, indices: Any, indptr: Any) -> tuple[Matrix, int]:
    """The matrix, and how many rows of entries it has."""
    block_rows = check_indices(indices, indptr)
    if data.ndim != 3 or data.shape[0] != indices.shape[0] or 0 in data.shape[1:]:
        raise ValueError(
            f"{name} has shape {data.shape}; expected (blocks, height, width) with {indices.shape[0]} blocks, one for "
            "each entry of indices, that aren't empty"
        )
    return Matrix(indices, indptr, (data.shape[1], data.shape[2]), False), block_rows * data.shape[1]


def _columns(name: str, x: Array, rank: int, rows: int | None, width: int) -> tuple[int, ...]:
    """The second dimension of an operand, if it has one, after a look at the first."""
    if x.ndim != rank or (x.shape[0] % width if rows is None else x.shape[0] != rows):
        size = f"a multiple of {width}" if rows is None else str(rows)
        expected = size if rank == 1 else f"{size}, columns"
        raise ValueError(f"{name} has shape {x.shape}; expected ({expected}) (jax.vmap adds batch dimensions)")
    return x.shape[1:]


def _linear(operator: Any, data: Any, x: Any, indices: Any, indptr: Any, acc: Array, impl: Any, rank: int) -> Array:
    check_impl(impl)
    data = as_weight(data, acc)
    forward = operator is matvec_p
    name = "x" if forward else "y"
    x = as_events(name, x, acc.dtype)
    matrix, rows = _matrix("data", data, indices, indptr)
    width = matrix.block[1]
    columns = _columns(name, x, rank, rows if forward else None, width)
    if _columns("acc", acc, rank, None if forward else rows, width) != columns:
        raise ValueError(f"acc has shape {acc.shape} and {name} {x.shape}; expected as many columns")
    return matrix.linear(operator, data, x, acc, impl)


def _outer(pre: Any, post: Any, indices: Any, indptr: Any, acc: Array, impl: Any, rank: int) -> Array:
    check_impl(impl)
    check_floating("acc", acc)
    pre, post = as_events("pre", pre, acc.dtype), as_events("post", post, acc.dtype)
    matrix, rows = _matrix("acc", acc, indices, indptr)
    columns = _columns("pre", pre, rank, rows, 1)
    if _columns("post", post, rank, None, matrix.block[1]) != columns:
        check_sizes(post=(post, (post.shape[0], *columns)))
    return matrix.sampled(pre, post, acc, impl)
