"""Event-driven operators on a random matrix that is never stored: its entries are made anew, and equal, in every call.

The matrix is linear in its parameters: `W = sum_k weight[k] * B[k]`, where the numbers `B` depend on the seed, the row
and the column alone. So the operators are bilinear in weight and events, and the three operations (matvec, transposed
matvec, outer product contracted with `B`) are closed under differentiation.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from . import _random
from ._common import (
    KERNEL_DTYPES,
    Events,
    Impl,
    as_events,
    as_weight,
    check_floating,
    check_impl,
    check_shape,
    kind,
    zeros,
)
from ._counts import counts
from ._ffi import Shape, make_operator
from ._jit_reference import dense, matvec_reference, outer_reference, transposed_reference

Law = Literal["constant", "uniform", "normal"]
WEIGHTS: dict[str, Shape] = {"constant": (), "uniform": (2,), "normal": (2,)}
MOST = 2**30  # columns: positions are int32, behind the last block too


def check_columns(cols: int, offset: Any = 0) -> None:
    """**Raises:** `ValueError` for more columns than positions; an offset that is traced isn't looked at."""
    end = cols + (int(offset) if isinstance(offset, int | np.integer) else 0)
    if end >= MOST:
        raise ValueError(
            f"the matrix has {end} columns; expected fewer than 2^30, for positions are int32: make several matrices, "
            "each with a seed of its own"
        )


def _kernel(operation: str) -> Callable[..., str | None]:
    def name(acc: Any, a: Any, b: Any, *, p: float, law: str, columns: int) -> str | None:
        del a, p
        dtype = KERNEL_DTYPES.get(acc.dtype.name)
        if operation == "mv":
            return dtype and (f"npt_jit_mv_{dtype}_{law}_{kind(b)}" if columns == 1 else f"npt_jit_mm_{dtype}_{law}")
        return dtype and f"npt_jit_{operation}_{dtype}_{law}"

    return name


def _to_weight(ct: Any, x: Any, place: Any, *, aval: Any, **params: Any) -> Array:
    return outer_p.bind(zeros(aval), x.astype(ct.dtype), ct, place, **params)


def _to_weight_of_transposed(ct: Any, y: Any, place: Any, *, aval: Any, **params: Any) -> Array:
    return outer_p.bind(zeros(aval), ct, y.astype(ct.dtype), place, **params)


def _to_pre(ct: Any, weight: Any, place: Any, *, aval: Any, **params: Any) -> Array:
    return transposed_p.bind(zeros(aval), weight, ct, place, **params)


def _to_post(ct: Any, weight: Any, place: Any, *, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), weight, ct, place, **params)


def _outer_to_pre(ct: Any, post: Any, place: Any, *, aval: Any, **params: Any) -> Array:
    return transposed_p.bind(zeros(aval), ct, post, place, **params)


def _outer_to_post(ct: Any, pre: Any, place: Any, *, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), ct, pre, place, **params)


def _with_table(place: Array, *, p: float, columns: int, **_: Any) -> tuple[Array, Array]:
    return jnp.concatenate([place, jnp.full(1, columns, jnp.int32)]), jnp.asarray(counts(p).table)


matvec_p = make_operator(
    "npt_jit_matvec",
    reference=matvec_reference,
    kernel=_kernel("mv"),
    transpose_a=_to_weight,
    transpose_b=_to_pre,
    indices=1,
    fill=_with_table,
)
transposed_p = make_operator(
    "npt_jit_transposed_matvec",
    reference=transposed_reference,
    kernel=_kernel("tmv"),
    transpose_a=_to_weight_of_transposed,
    transpose_b=_to_post,
    indices=1,
    fill=_with_table,
)
outer_p = make_operator(
    "npt_jit_outer",
    reference=outer_reference,
    kernel=_kernel("outer"),
    transpose_a=_outer_to_pre,
    transpose_b=_outer_to_post,
    indices=1,
    fill=_with_table,
)


def jit_matvec(
    weight: Float[Array, "..."],
    x: Events,
    seed: ArrayLike,
    *,
    p: float,
    acc: Float[Array, " cols"],
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
    impl: Impl = "auto",
) -> Float[Array, " cols"]:
    r"""Carries events from pre to post through a random matrix that is never stored:
    $\mathrm{out}_j = \mathrm{acc}_j + \sum_i x_i w_{ij}$.

    Each pair is connected with probability $p$, independently of the others. Whether it is, and with which weight, is a
    pure function of seed, row and column: the same in every call, in all operators, in both implementations, for
    every split of the matrix, and, but for rounding, in every dtype. Connections do not depend on the law of the
    weights.

    Rows with a zero event are skipped, so a call costs the edges of the neurons that fired. Inside a compiled loop
    `acc` is updated in place.

    **Arguments:**

    - `weight`: shape `()`, the weight of all edges; or shape `(2,)`: lower and upper end of uniform weights, mean and
      standard deviation of normal ones.
    - `x`: events of the pre neurons, shape `(rows,)`: boolean, or floats that multiply.
    - `seed`: a whole number of 32 bits, which may be traced.
    - `p`: probability of a connection, from 0 to 1; not traced.
    - `acc`: what to add to, shape `(cols,)`.
    - `law`: of the weights, `"constant"`, `"uniform"` or `"normal"`.
    - `include_self`: whether row and column of equal number may be connected.
    - `row_offset`, `col_offset`: where this matrix begins within a larger one of the same seed, for computing it in
      pieces; may be traced. Columns in all must be fewer than 2^30, which is checked where it is known.
    - `impl`: as for `csr_matvec`.

    **Returns:** shape `(cols,)`. All JAX transformations apply, to any order, in weight, events and `acc`; `jax.vmap`
    over seeds or offsets makes one matrix after the other.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit, a `p` outside 0 to 1, an
    unknown `law`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        x = jnp.zeros(1000, bool).at[7].set(True)
        npt.ops.jit_matvec(jnp.array(0.5), x, 42, p=0.01, acc=jnp.zeros(800))
        ```
    """
    return _linear(matvec_p, weight, x, seed, acc, 1, impl, p, law, include_self, row_offset, col_offset)


def jit_transposed_matvec(
    weight: Float[Array, "..."],
    y: Events,
    seed: ArrayLike,
    *,
    p: float,
    acc: Float[Array, " rows"],
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
    impl: Impl = "auto",
) -> Float[Array, " rows"]:
    r"""Carries values from post to pre: $\mathrm{out}_i = \mathrm{acc}_i + \sum_j w_{ij} y_j$.

    All rows are made, so a call costs all edges, however few of `y` are events. Arguments, errors and transformations
    as for `jit_matvec`, with `y` of shape `(cols,)` and `acc` of shape `(rows,)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.jit_transposed_matvec(jnp.array(0.5), jnp.ones(800), 42, p=0.01, acc=jnp.zeros(1000))
        ```
    """
    return _linear(transposed_p, weight, y, seed, acc, 1, impl, p, law, include_self, row_offset, col_offset)


def jit_outer(
    pre: Events,
    post: Events,
    seed: ArrayLike,
    *,
    p: float,
    acc: Float[Array, "..."],
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
    impl: Impl = "auto",
) -> Float[Array, "..."]:
    r"""The gradient of $\sum_{ij} p_i w_{ij} q_j$ with respect to `weight`, added to `acc`.

    The matrix is $W = \sum_k \mathrm{weight}_k B_k$ with random numbers $B_k$ that depend on the seed alone (1 at the
    edges for constant weights; $1 - u$ and $u$ for uniform, 1 and $z$ for normal ones), and this is
    $\mathrm{out}_k = \mathrm{acc}_k + \sum_{ij} p_i q_j B_{k,ij}$. Rows where `pre` is zero are skipped. Arguments,
    errors and transformations as for `jit_matvec`, with `pre` of shape `(rows,)`, `post` of shape `(cols,)`, and `acc`
    of the shape that `weight` has there.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.jit_outer(jnp.ones(1000), jnp.ones(800), 42, p=0.01, acc=jnp.zeros(()))  # the number of edges
        ```
    """
    return _outer(pre, post, seed, acc, None, impl, p, law, include_self, row_offset, col_offset)


def jit_matmat(
    weight: Float[Array, "..."],
    x: Events,
    seed: ArrayLike,
    *,
    p: float,
    acc: Float[Array, "cols columns"],
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
    impl: Impl = "auto",
) -> Float[Array, "cols columns"]:
    """`jit_matvec` for each column of `x`, of shape `(rows, columns)`; each row is made once for all of them.

    Arguments and errors are as there.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.jit_matmat(jnp.array(0.5), jnp.ones((1000, 3)), 42, p=0.01, acc=jnp.zeros((800, 3)))
        ```
    """
    return _matrices(matvec_p, weight, x, seed, acc, impl, p, law, include_self, row_offset, col_offset)


def jit_transposed_matmat(
    weight: Float[Array, "..."],
    y: Events,
    seed: ArrayLike,
    *,
    p: float,
    acc: Float[Array, "rows columns"],
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
    impl: Impl = "auto",
) -> Float[Array, "rows columns"]:
    """`jit_transposed_matvec` for each column of `y`, of shape `(cols, columns)`.

    Arguments and errors are as there.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.jit_transposed_matmat(jnp.array(0.5), jnp.ones((800, 3)), 42, p=0.01, acc=jnp.zeros((1000, 3)))
        ```
    """
    return _matrices(transposed_p, weight, y, seed, acc, impl, p, law, include_self, row_offset, col_offset)


def jit_outer_matmat(
    pre: Events,
    post: Events,
    seed: ArrayLike,
    *,
    p: float,
    acc: Float[Array, "..."],
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
    impl: Impl = "auto",
) -> Float[Array, "..."]:
    """`jit_outer` summed over the columns of `pre`, shape `(rows, columns)`, and `post`, shape `(cols, columns)`.

    Arguments and errors are as there.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.jit_outer_matmat(jnp.ones((1000, 3)), jnp.ones((800, 3)), 42, p=0.01, acc=jnp.zeros(()))
        ```
    """
    pre, post = jnp.asarray(pre), jnp.asarray(post)
    if pre.ndim != 2 or post.ndim != 2 or pre.shape[1] != post.shape[1]:
        raise ValueError(f"pre has shape {pre.shape} and post {post.shape}; expected (rows, columns), (cols, columns)")
    return _outer(pre, post, seed, acc, pre.shape[1], impl, p, law, include_self, row_offset, col_offset)


def jit_dense(
    weight: Float[Array, "..."],
    seed: ArrayLike,
    shape: tuple[int, int],
    *,
    p: float,
    law: Law = "constant",
    include_self: bool = True,
    row_offset: ArrayLike = 0,
    col_offset: ArrayLike = 0,
) -> Float[Array, "rows cols"]:
    """The matrix of the operators, of the given shape, (rows, cols). Arguments and errors as for `jit_matvec`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.jit_dense(jnp.array(0.5), 42, (10, 8), p=0.3)
        ```
    """
    weight, place, static = _check(jnp.asarray(weight), None, seed, 1, p, law, include_self, row_offset, col_offset)
    check_columns(shape[1], col_offset)
    if p == 0:
        return jnp.zeros(shape, weight.dtype)
    table = jnp.asarray(counts(static["p"]).table)
    basis = dense(place, table, tuple(shape), static["p"], law, weight.dtype)
    return sum((w * b for w, b in zip(weight.reshape(-1), basis, strict=True)), jnp.zeros((), weight.dtype))


def _check(
    weight: Array,
    acc: Array | None,
    seed: Any,
    columns: int,
    p: Any,
    law: Any,
    include_self: bool,
    row: Any,
    col: Any,
    name: str = "weight",
) -> tuple[Array, Array, dict[str, Any]]:
    """The weight, called `name`, in the dtype of `acc`, the operand `place`, and the static parameters."""
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ValueError(f"p is {p!r}; expected a probability from 0 to 1, as a Python number")
    if law not in get_args(Law):
        raise ValueError(f"law is {law!r}; expected 'constant', 'uniform' or 'normal'")
    if acc is None:
        check_floating(name, weight)
    else:
        weight = as_weight(weight, acc)
    if weight.shape != WEIGHTS[law]:
        raise ValueError(f"{name} has shape {weight.shape}; expected {WEIGHTS[law]} for law='{law}'")
    named = (("seed", seed), ("row_offset", row), ("col_offset", col))
    numbers = [_random.word(x, called) for called, x in named]
    for (called, _), number in zip(named, numbers, strict=True):
        if number.shape != ():
            raise ValueError(f"{called} has shape {number.shape}; expected one number (jax.vmap goes over several)")
    place = jax.lax.bitcast_convert_type(jnp.stack([*numbers, _random.word(int(not include_self))]), jnp.int32)
    return weight, place, {"p": float(p), "law": law, "columns": columns}


def _linear(
    operator: Any, weight: Any, x: Any, seed: Any, acc: Array, columns: int, impl: Any, p: Any, law: Any, *where: Any
) -> Array:
    check_impl(impl)
    weight, place, static = _check(jnp.asarray(weight), acc, seed, columns, p, law, *where)
    x = as_events("x" if operator is matvec_p else "y", x, acc.dtype)
    if columns != 1:
        x = x.astype(acc.dtype)
    check_shape("x" if operator is matvec_p else "y", x, None)
    check_shape("acc", acc, None)
    check_columns((acc if operator is matvec_p else x).shape[0] // max(columns, 1), where[-1])
    if operator is transposed_p:
        x = x.astype(acc.dtype)
    if p == 0 or not x.shape[0] or not acc.shape[0]:
        return acc
    return operator.bind(acc, weight.reshape(-1), x, place, batch=(), impl=impl, **static)


def _matrices(operator: Any, weight: Any, x: Any, seed: Any, acc: Array, *rest: Any) -> Array:
    name, x = "x" if operator is matvec_p else "y", jnp.asarray(x)
    if x.ndim != 2 or acc.ndim != 2 or x.shape[1] != acc.shape[1]:
        raise ValueError(f"{name} has shape {x.shape} and acc {acc.shape}; expected two dimensions, and equal columns")
    out = _linear(operator, weight, x.reshape(-1), seed, acc.reshape(-1), x.shape[1], *rest)
    return out.reshape(acc.shape)


def _outer(
    pre: Any, post: Any, seed: Any, acc: Array, columns: int | None, impl: Any, p: Any, law: Any, *where: Any
) -> Array:
    check_impl(impl)
    acc, place, static = _check(acc, None, seed, 1 if columns is None else columns, p, law, *where, name="acc")
    pre, post = as_events("pre", pre, acc.dtype).astype(acc.dtype), as_events("post", post, acc.dtype).astype(acc.dtype)
    if columns is None:
        check_shape("pre", pre, None)
        check_shape("post", post, None)
    check_columns(post.shape[0], where[-1])
    if p == 0 or not pre.size or not post.size:
        return acc
    flat = acc.reshape(-1), pre.reshape(-1), post.reshape(-1)
    return outer_p.bind(*flat, place, batch=(), impl=impl, **static).reshape(acc.shape)
