"""Event-driven operators on a compressed sparse row (CSR) connectivity.

Rows are presynaptic. `indices` may be longer than `indptr[-1]`: what lies beyond is room, and is never read as an edge.
The three operators are closed under differentiation: the derivative of any is made of the three. With `columns` greater
than one, events and results are matrices of so many columns, row after row in one vector.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._common import (
    KERNEL_DTYPES,
    Events,
    Impl,
    as_events,
    as_weight,
    check_floating,
    check_impl,
    check_index_array,
    check_indices,
    check_matrix,
    check_shape,
    kind,
    times,
    zeros,
)
from ._diagonal import product_p
from ._edges import edges
from ._ffi import Shape, make_operator

Indices = Int[Array, " room"]
Indptr = Int[Array, " rows+1"]
CSCView = tuple[Int[Array, " nnz"], Int[Array, " cols+1"], Int[Array, " nnz"]]


def _scatter(acc: Array, values: Array, where: Array, *, sorted: bool) -> Array:
    """Adds per-edge values to `acc`, summing batch dimensions that `acc` has not."""
    summed = tuple(k for k, (have, got) in enumerate(zip(acc.shape[:-1], values.shape[:-1], strict=True)) if have < got)
    values = jnp.sum(values, axis=summed, keepdims=True) if summed else values
    values = jnp.broadcast_to(values, (*acc.shape[:-1], values.shape[-1]))
    return acc.at[..., where].add(values, indices_are_sorted=sorted, mode="promise_in_bounds")


def _by_column(vector: Callable[..., Array], matrices: tuple[int, ...]) -> Callable[..., Array]:
    """The reference for matrices from that for vectors: one column after the other, so that nothing is nnz by columns.

    `matrices` says which of `acc`, `a` and `b` have columns. Where `acc` has none, the columns add up in it.
    """

    def reference(acc: Array, *operands: Array, columns: int, batch: Shape) -> Array:
        if columns == 1:
            return vector(acc, *operands, batch=batch)
        given = (acc, *operands)

        def split(k: int) -> Array:
            x = given[k]
            return jnp.moveaxis(x.reshape(*x.shape[:-1], x.shape[-1] // columns, columns), -1, 0)

        def column(out: Array, parts: tuple[Array, ...]) -> tuple[Array, Array | None]:
            one = list(given)
            for k, part in zip(matrices, parts, strict=True):
                one[k] = part
            one[0] = one[0] if 0 in matrices else out
            made = vector(*one, batch=batch)
            return (out, made) if 0 in matrices else (made, None)

        out, made = jax.lax.scan(column, acc, tuple(split(k) for k in matrices))
        return out if made is None else jnp.moveaxis(made, 0, -1).reshape(acc.shape)

    return reference


def _matvec_reference(acc: Array, w: Array, x: Array, indices: Array, indptr: Array, *, batch: Shape) -> Array:
    del batch
    if indices.shape[0] == 0 or indptr.shape[0] == 1 or acc.shape[-1] == 0:
        return acc
    rows, columns, valid = edges(indices, indptr, acc.shape[-1])
    values = times(w, x[..., rows])
    return _scatter(acc, jnp.where(valid, values, jnp.zeros_like(values)), columns, sorted=False)


def _transposed_reference(acc: Array, w: Array, y: Array, indices: Array, indptr: Array, *, batch: Shape) -> Array:
    del batch
    if indices.shape[0] == 0 or indptr.shape[0] == 1 or y.shape[-1] == 0:
        return acc
    rows, columns, valid = edges(indices, indptr, y.shape[-1])
    values = times(w, y[..., columns])
    return _scatter(acc, jnp.where(valid, values, jnp.zeros_like(values)), rows, sorted=True)


def _outer_reference(acc: Array, p: Array, q: Array, indices: Array, indptr: Array, *, batch: Shape) -> Array:
    del batch
    if indices.shape[0] == 0 or indptr.shape[0] == 1 or q.shape[-1] == 0:
        return acc
    rows, columns, valid = edges(indices, indptr, q.shape[-1])
    p, q = p[..., rows].astype(acc.dtype), q[..., columns].astype(acc.dtype)
    both, values = (p != 0) & (q != 0), p * q
    values = jnp.where(jnp.broadcast_to(valid, both.shape) & both, values, jnp.zeros_like(values))
    if acc.shape[-1] == 1:
        values = jnp.sum(values, axis=-1, keepdims=True)
    return _scatter(acc, values, jnp.arange(acc.shape[-1], dtype=indices.dtype), sorted=True)


def _mv_kernel(operation: str, w: Any, x: Any) -> str | None:
    dtype = KERNEL_DTYPES.get(w.dtype.name)
    # a single edge makes the two forms of weight the same
    return dtype and f"npt_{operation}_{dtype}_{'homo' if w.shape[-1] == 1 else 'edge'}_{kind(x)}"


def _matvec_kernel(acc: Any, w: Any, x: Any, *, columns: int) -> str | None:
    del acc
    return _mv_kernel("csr_mv" if columns == 1 else "csr_mm", w, x)


def _transposed_kernel(acc: Any, w: Any, y: Any, *, columns: int, hints: bool = False) -> str | None:
    del acc
    return _mv_kernel(f"{'csc' if hints else 'csr'}_{'tmv' if columns == 1 else 'tmm'}", w, y)


def _outer_kernel(acc: Any, p: Any, q: Any, *, columns: int) -> str | None:
    dtype = KERNEL_DTYPES.get(acc.dtype.name)
    operation = "smm" if columns > 1 else "total" if acc.shape[-1] == 1 else "outer"
    return dtype and f"npt_csr_{operation}_{dtype}_{kind(p)}_{kind(q)}"


def _shared_weight(operator: Any, ct: Array, x: Array, *indices: Array, aval: Any, **params: Any) -> Array:
    """Cotangent of one weight shared by all edges: the cotangent against the unweighted product."""
    batch = x.shape[:-1]
    ones = jnp.ones((1,) * len(batch) + (1,), aval.dtype)
    unweighted = operator.bind(
        jnp.zeros((*batch, ct.shape[-1]), ct.dtype), ones, x, *indices, **(params | {"batch": batch})
    )
    # over the batch dimensions that the weight has not, and over the elements
    return product_p.bind(zeros(aval), ct, unweighted, batch=params["batch"], impl="reference")


def _matvec_transpose_weight(ct: Any, x: Any, indices: Any, indptr: Any, *, aval: Any, **params: Any) -> Array:
    if aval.shape[-1] == 1 and params["columns"] > 1:
        return _shared_weight(matvec_p, ct, x, indices, indptr, aval=aval, **params)
    return outer_p.bind(zeros(aval), x, ct, indices, indptr, **params)


def _matvec_transpose_events(ct: Any, w: Any, indices: Any, indptr: Any, *, aval: Any, **params: Any) -> Array:
    return transposed_p.bind(zeros(aval), w, ct, indices, indptr, **params)


def _transposed_transpose_weight(
    ct: Any, y: Any, indices: Any, indptr: Any, *view: Any, aval: Any, **params: Any
) -> Array:
    if aval.shape[-1] == 1:
        return _shared_weight(transposed_p, ct, y, indices, indptr, *view, aval=aval, **params)
    return outer_p.bind(zeros(aval), ct, y, indices, indptr, **params)


def _transposed_transpose_events(
    ct: Any, w: Any, indices: Any, indptr: Any, *view: Any, aval: Any, **params: Any
) -> Array:
    del view
    return matvec_p.bind(zeros(aval), w, ct, indices, indptr, **params)


def _outer_transpose_pre(ct: Any, q: Any, indices: Any, indptr: Any, *, aval: Any, **params: Any) -> Array:
    return transposed_p.bind(zeros(aval), ct, q, indices, indptr, **params)


def _outer_transpose_post(ct: Any, p: Any, indices: Any, indptr: Any, *, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), ct, p, indices, indptr, **params)


matvec_p = make_operator(
    "npt_csr_matvec",
    reference=_by_column(_matvec_reference, (0, 2)),
    kernel=_matvec_kernel,
    transpose_a=_matvec_transpose_weight,
    transpose_b=_matvec_transpose_events,
)
transposed_p = make_operator(
    "npt_csr_transposed_matvec",
    reference=_by_column(_transposed_reference, (0, 2)),
    kernel=_transposed_kernel,
    transpose_a=_transposed_transpose_weight,
    transpose_b=_transposed_transpose_events,
)
outer_p = make_operator(
    "npt_csr_outer",
    reference=_by_column(_outer_reference, (1, 2)),
    kernel=_outer_kernel,
    transpose_a=_outer_transpose_pre,
    transpose_b=_outer_transpose_post,
)


def csr_matvec(
    weight: Float[Array, ""] | Float[Array, " room"],
    x: Events,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, " cols"],
    impl: Impl = "auto",
) -> Float[Array, " cols"]:
    r"""Carries events from pre to post: $\mathrm{out}_j = \mathrm{acc}_j + \sum_i x_i w_{ij}$.

    Rows with a zero event are skipped, so a call costs the edges of the neurons that fired. Inside a compiled loop
    `acc` is updated in place.

    **Arguments:**

    - `weight`: one weight shared by all edges, shape `()`, or one for each entry of `indices`.
    - `x`: events of the pre neurons, shape `(rows,)`: boolean, or floats that multiply.
    - `indices`, `indptr`: CSR arrays, int32. An edge whose column is out of range is none, and rows end where the
      entries do; `csr_check` finds what is wrong.
    - `acc`: what to add to, shape `(cols,)`.
    - `impl`: `"auto"` takes the compiled kernel where there is one, `"taichi"` insists on it, `"reference"` is plain
      JAX.

    **Returns:** shape `(cols,)`. All JAX transformations apply, to any order, in weight, events and `acc`.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_matvec(jnp.array(0.5), jnp.array([True, False]), indices, indptr, acc=jnp.zeros(3))
        ```
    """
    check_shape("x", x, (check_indices(indices, indptr),))
    check_shape("acc", acc, None)
    return _bind(matvec_p, weight, "x", x, indices, indptr, acc, impl)


def csr_matmat(
    weight: Float[Array, ""] | Float[Array, " room"],
    x: Events,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, "cols k"],
    impl: Impl = "auto",
) -> Float[Array, "cols k"]:
    r"""Many columns of events at once: $\mathrm{out}_{jk} = \mathrm{acc}_{jk} + \sum_i w_{ij} x_{ik}$.

    Each edge is read once for all columns, where `jax.vmap` of `csr_matvec` reads it for each. Arguments, errors and
    transformations as for `csr_matvec`, with `x` of shape `(rows, k)` and `acc` of shape `(cols, k)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_matmat(jnp.array(0.5), jnp.ones((2, 64)), indices, indptr, acc=jnp.zeros((3, 64)))
        ```
    """
    check_matrix("acc", acc, (None, None))
    check_matrix("x", x, (check_indices(indices, indptr), jnp.shape(acc)[1]))
    return _bind(matvec_p, weight, "x", x, indices, indptr, acc, impl)


def csr_transposed_matvec(
    weight: Float[Array, ""] | Float[Array, " room"],
    y: Events,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, " rows"],
    csc: CSCView | None = None,
    impl: Impl = "auto",
) -> Float[Array, " rows"]:
    r"""Carries values from post to pre: $\mathrm{out}_i = \mathrm{acc}_i + \sum_j w_{ij} y_j$.

    Arguments, errors and transformations as for `csr_matvec`, with `y` of shape `(cols,)` and `acc` of shape `(rows,)`.

    - `csc`: the same edges by column, from `csr_to_csc`. A call then costs the edges of the columns with events, where
      these are few, and not all edges. It makes no difference to the result, up to rounding.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        y, acc = jnp.array([False, True, False]), jnp.zeros(2)
        npt.ops.csr_transposed_matvec(
            jnp.array(0.5), y, indices, indptr, acc=acc, csc=npt.ops.csr_to_csc(indices, indptr, 3)
        )
        ```
    """
    check_shape("y", y, None)
    check_shape("acc", acc, (check_indices(indices, indptr),))
    return _bind(transposed_p, weight, "y", y, indices, indptr, acc, impl, csc)


def csr_transposed_matmat(
    weight: Float[Array, ""] | Float[Array, " room"],
    y: Events,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, "rows k"],
    csc: CSCView | None = None,
    impl: Impl = "auto",
) -> Float[Array, "rows k"]:
    r"""Many columns of values at once: $\mathrm{out}_{ik} = \mathrm{acc}_{ik} + \sum_j w_{ij} y_{jk}$.

    Arguments, errors and transformations as for `csr_transposed_matvec`, with `y` of shape `(cols, k)` and `acc` of
    shape `(rows, k)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_transposed_matmat(jnp.array(0.5), jnp.ones((3, 64)), indices, indptr, acc=jnp.zeros((2, 64)))
        ```
    """
    check_matrix("acc", acc, (check_indices(indices, indptr), None))
    check_matrix("y", y, (None, jnp.shape(acc)[1]))
    return _bind(transposed_p, weight, "y", y, indices, indptr, acc, impl, csc)


def csr_outer(
    pre: Events,
    post: Events,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, " room"],
    impl: Impl = "auto",
) -> Float[Array, " room"]:
    r"""The outer product sampled at the edges: $\mathrm{out}_e = \mathrm{acc}_e + p_{i(e)} q_{j(e)}$.

    Arguments, errors and transformations as for `csr_matvec`, with `pre` of shape `(rows,)`, `post` of shape `(cols,)`,
    `acc` and the result of the shape of `indices`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_outer(jnp.array([True, False]), jnp.ones(3), indices, indptr, acc=jnp.zeros(3))
        ```
    """
    check_shape("pre", pre, (check_indices(indices, indptr),))
    check_shape("post", post, None)
    return _bind_outer(pre, post, indices, indptr, acc, impl)


def csr_outer_matmat(
    pre: Events,
    post: Events,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, " room"],
    impl: Impl = "auto",
) -> Float[Array, " room"]:
    r"""The product of two matrices at the edges: $\mathrm{out}_e = \mathrm{acc}_e + \sum_k p_{i(e)k} q_{j(e)k}$.

    Arguments, errors and transformations as for `csr_outer`, with `pre` of shape `(rows, k)` and `post` of shape
    `(cols, k)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_outer_matmat(jnp.ones((2, 64)), jnp.ones((3, 64)), indices, indptr, acc=jnp.zeros(3))
        ```
    """
    check_matrix("post", post, (None, None))
    check_matrix("pre", pre, (check_indices(indices, indptr), jnp.shape(post)[1]))
    return _bind_outer(pre, post, indices, indptr, acc, impl)


def _bind_outer(pre: Any, post: Any, indices: Any, indptr: Any, acc: Any, impl: Any) -> Array:
    check_impl(impl)
    check_floating("acc", acc)
    pre, post = as_events("pre", pre, acc.dtype), as_events("post", post, acc.dtype)
    check_shape("acc", acc, indices.shape)
    columns = 1 if post.ndim == 1 else post.shape[1]
    if columns == 0:
        return acc
    return outer_p.bind(acc, pre.reshape(-1), post.reshape(-1), indices, indptr, batch=(), columns=columns, impl=impl)


def edge_weight(weight: Any, acc: Array, indices: Array) -> Array:
    """The weight as a vector: of one element if all edges share it, or of one for each entry of `indices`."""
    weight = as_weight(weight, acc)
    if weight.shape not in ((), indices.shape):
        raise ValueError(
            f"weight has shape {weight.shape}; expected () for one shared weight, or {indices.shape}, one for each edge"
        )
    return weight.reshape(-1)


def _check_csc(csc: CSCView, indices: Array, n_cols: int) -> None:
    if not isinstance(csc, tuple) or len(csc) != 3:
        raise TypeError(f"csc is {type(csc).__name__}; expected the three arrays that csr_to_csc gives")
    rows, starts, order = csc
    for name, x in zip(("csc[0]", "csc[1]", "csc[2]"), csc, strict=True):
        check_index_array(name, x)
    edges = rows.shape[0]
    if starts.shape != (n_cols + 1,) or rows.shape != (edges,) or order.shape != (edges,) or edges > indices.shape[0]:
        raise ValueError(
            f"csc has shapes {[given.shape for given in csc]}; expected (edges,), ({n_cols + 1},), (edges,) with at "
            f"most {indices.shape[0]} edges: it is that of another matrix"
        )


def _bind(
    operator: Any, weight: Any, name: str, x: Any, indices: Any, indptr: Any, acc: Any, impl: Any, hints: Any = None
) -> Array:
    check_impl(impl)
    weight = edge_weight(weight, acc, indices)
    x = as_events(name, x, acc.dtype)
    if hints is not None:
        _check_csc(hints, indices, x.shape[0])
    columns = 1 if acc.ndim == 1 else acc.shape[1]
    if acc.size == 0 or x.size == 0:
        return acc
    operands = (acc.reshape(-1), weight, x.reshape(-1), indices, indptr, *(hints or ()))
    return operator.bind(*operands, batch=(), columns=columns, impl=impl).reshape(acc.shape)
