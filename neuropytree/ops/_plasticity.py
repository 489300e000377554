"""Weights that change where neurons spike: added to along a row or a column of a CSR connectivity, and clipped."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Int

from ._common import (
    KERNEL_DTYPES,
    Events,
    Impl,
    as_events,
    check_floating,
    check_impl,
    check_index_array,
    check_indices,
    check_shape,
    happened,
    kind,
)
from ._csr import Indices, Indptr
from ._edges import edges
from ._ffi import make_function


def _changed(w: Array, x: Array, t: Array, moved: Array, w_min: Array, w_max: Array) -> Array:
    """`w + x * t`, clipped, where an edge is `moved`. On a bound the derivative is that of the inside."""
    product = jnp.where(moved, x.astype(w.dtype), jnp.zeros_like(w)) * jnp.where(moved, t, jnp.zeros_like(t))
    new = w + product
    new = jnp.where(new > w_max, w_max, new)
    new = jnp.where(new < w_min, w_min, new)
    return jnp.where(moved, new, w)


def _on_pre_reference(
    weight: Array, x: Array, trace: Array, indices: Array, indptr: Array, w_min: Array, w_max: Array
) -> tuple[Array]:
    if 0 in (indices.shape[0], x.shape[0], trace.shape[0]):
        return (weight,)
    rows, columns, valid = edges(indices, indptr, trace.shape[0])
    x = x[rows]
    return (_changed(weight, x, trace[columns], valid & happened(x), w_min, w_max),)


def _on_post_reference(
    weight: Array, x: Array, trace: Array, rows: Array, col_ptr: Array, order: Array, w_min: Array, w_max: Array
) -> tuple[Array]:
    if 0 in (rows.shape[0], x.shape[0], trace.shape[0]):
        return (weight,)
    cols, rows, valid = edges(rows, col_ptr, trace.shape[0])
    valid &= (order >= 0) & (order < weight.shape[0])
    x = x[cols]
    old = weight[jnp.where(valid, order, jnp.zeros_like(order))]
    new = _changed(old, x, trace[rows], valid & happened(x), w_min, w_max)
    where = jnp.where(valid, order, weight.shape[0])  # what is no edge is written nowhere
    return (weight.at[where].set(new, mode="drop"),)


def _kernel(side: str, weight: Any, x: Any) -> str | None:
    dtype = KERNEL_DTYPES.get(weight.dtype.name)
    return dtype and f"npt_csr_on_{side}_{dtype}_{kind(x)}"


on_pre_p = make_function(
    "npt_csr_on_pre",
    reference=_on_pre_reference,
    kernel=lambda weight, x, *_: _kernel("pre", weight, x),
    in_place=1,
)
on_post_p = make_function(
    "npt_csr_on_post",
    reference=_on_post_reference,
    kernel=lambda weight, x, *_: _kernel("post", weight, x),
    in_place=1,
)


def csr_add_on_pre(
    weight: Float[Array, " room"],
    pre_spike: Events,
    post_trace: Float[Array, " cols"],
    indices: Indices,
    indptr: Indptr,
    *,
    w_min: ArrayLike = -np.inf,
    w_max: ArrayLike = np.inf,
    impl: Impl = "auto",
) -> Float[Array, " room"]:
    r"""Changes the weights of all edges that leave a pre neuron with an event:
    $w_e \leftarrow \mathrm{clip}(w_e + x_i t_j, w_\min, w_\max)$ for edges $e = (i, j)$ with $x_i \ne 0$.

    Other edges stay as they are, out of bounds or not. A call costs the edges of the neurons that fired; inside a
    compiled loop, or donated, `weight` is updated in place.

    **Arguments:**

    - `weight`: one for each entry of `indices`.
    - `pre_spike`: events of the pre neurons, shape `(rows,)`: boolean, or floats that multiply.
    - `post_trace`: shape `(cols,)`.
    - `indices`, `indptr`: CSR arrays, int32. An edge whose column is out of range is none.
    - `w_min`, `w_max`: scalars.
    - `impl`: as in `csr_matvec`.

    **Returns:** the new weights. Derivatives are those of the formula, at a bound those of the inside, in weight,
    float events, trace and bounds.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit, and for bounds that are
    crossed.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        weight, trace = jnp.full(3, 0.5), jnp.array([0.1, 0.2, 0.9])
        npt.ops.csr_add_on_pre(weight, jnp.array([True, False]), trace, indices, indptr, w_max=1.0)
        ```
    """
    weight, x, trace, low, high = _operands(weight, "pre_spike", pre_spike, "post_trace", post_trace, w_min, w_max)
    check_impl(impl)
    check_shape("pre_spike", x, (check_indices(indices, indptr),))
    check_shape("weight", weight, indices.shape)
    check_shape("post_trace", trace, None)
    return on_pre_p.bind(weight, x, trace, indices, indptr, low, high, batch=(), impl=impl)[0]


def csr_add_on_post(
    weight: Float[Array, " room"],
    pre_trace: Float[Array, " rows"],
    post_spike: Events,
    csc_indices: Int[Array, " nnz"],
    csc_indptr: Int[Array, " cols+1"],
    csc_order: Int[Array, " nnz"],
    *,
    w_min: ArrayLike = -np.inf,
    w_max: ArrayLike = np.inf,
    impl: Impl = "auto",
) -> Float[Array, " room"]:
    r"""Changes the weights of all edges that enter a post neuron with an event:
    $w_e \leftarrow \mathrm{clip}(w_e + t_i y_j, w_\min, w_\max)$ for edges $e = (i, j)$ with $y_j \ne 0$.

    The edges of a column are found through a view by columns, so that a call costs the edges of the neurons that fired.

    **Arguments:**

    - `weight`: one for each edge in CSR order, room included.
    - `pre_trace`: shape `(rows,)`.
    - `post_spike`: events of the post neurons, shape `(cols,)`: boolean, or floats that multiply.
    - `csc_indices`, `csc_indptr`, `csc_order`: the edges by column (`csr_to_csc`): their rows, where each column
      starts, and the place of each edge in CSR order. An edge whose row or place is out of range is none.
    - `w_min`, `w_max`, `impl`, and what is returned and raised: as in `csr_add_on_pre`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        by_column = npt.ops.csr_to_csc(indices, indptr, 3)
        weight, trace = jnp.full(3, 0.5), jnp.array([0.1, 0.2])
        npt.ops.csr_add_on_post(weight, trace, jnp.array([True, False, True]), *by_column, w_max=1.0)
        ```
    """
    weight, y, trace, low, high = _operands(weight, "post_spike", post_spike, "pre_trace", pre_trace, w_min, w_max)
    check_impl(impl)
    n_cols = check_indices(csc_indices, csc_indptr, "csc_indices", "csc_indptr")
    check_index_array("csc_order", csc_order)
    check_shape("weight", weight, None)
    check_shape("post_spike", y, (n_cols,))
    check_shape("pre_trace", trace, None)
    if csc_order.shape != csc_indices.shape or csc_order.shape[0] > weight.shape[0]:
        raise ValueError(
            f"csc_order has shape {csc_order.shape}; expected that of csc_indices, {csc_indices.shape}, and no more "
            f"than weight has, {weight.shape}"
        )
    return on_post_p.bind(weight, y, trace, csc_indices, csc_indptr, csc_order, low, high, batch=(), impl=impl)[0]


def _operands(
    weight: Any, x_name: str, x: Any, trace_name: str, trace: Any, w_min: ArrayLike, w_max: ArrayLike
) -> tuple[Array, ...]:
    weight, trace = jnp.asarray(weight), jnp.asarray(trace)
    check_floating("weight", weight)
    bounds = {"w_min": jnp.asarray(w_min), "w_max": jnp.asarray(w_max)}
    for name, value in ((trace_name, trace), *bounds.items()):
        if not (value.weak_type or value.dtype == weight.dtype):
            raise TypeError(f"{name} is {value.dtype.name} and weight {weight.dtype.name}; they must be the same")
    for name, value in bounds.items():
        if value.shape != ():
            raise ValueError(f"{name} has shape {value.shape}; expected a scalar (jax.vmap adds batch dimensions)")
    known = [np.asarray(value) for value in bounds.values() if not isinstance(value, Tracer)]  # in NumPy: under jit too
    if len(known) == 2 and known[0] > known[1]:
        raise ValueError(f"w_min is {w_min}, above w_max, {w_max}")
    low, high = (value.astype(weight.dtype) for value in bounds.values())
    return weight, as_events(x_name, x, weight.dtype), trace.astype(weight.dtype), low, high
