"""Event-driven operators on a list of edges in any order (COO).

An edge whose row or column is out of range is none: that is how a list has room. The transposed product is the product
with rows and columns exchanged, so two operators are closed under differentiation.
"""

from typing import Any

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
    check_sizes,
    kind,
    times,
    zeros,
)
from ._csr import _scatter, _shared_weight
from ._ffi import Shape, make_operator

Edges = Int[Array, " edges"]
Weight = Float[Array, ""] | Float[Array, " edges"]


def _inside(sources: Array, targets: Array, n: int, m: int) -> tuple[Array, Array, Array]:
    """Which entries are edges, and their ends, (0, 0) for the others."""
    valid = (sources >= 0) & (sources < n) & (targets >= 0) & (targets < m)
    none = jnp.zeros_like(sources)
    return valid, jnp.where(valid, sources, none), jnp.where(valid, targets, none)


def _matvec_reference(acc: Array, w: Array, x: Array, sources: Array, targets: Array, *, batch: Shape) -> Array:
    del batch
    if 0 in (sources.shape[0], x.shape[-1], acc.shape[-1]):
        return acc
    valid, i, j = _inside(sources, targets, x.shape[-1], acc.shape[-1])
    values = times(w, x[..., i])
    return _scatter(acc, jnp.where(valid, values, jnp.zeros_like(values)), j, sorted=False)


def _outer_reference(acc: Array, p: Array, q: Array, sources: Array, targets: Array, *, batch: Shape) -> Array:
    del batch
    if 0 in (sources.shape[0], p.shape[-1], q.shape[-1]):
        return acc
    valid, i, j = _inside(sources, targets, p.shape[-1], q.shape[-1])
    p, q = p[..., i].astype(acc.dtype), q[..., j]
    both, values = (p != 0) & (q != 0), p * q
    values = jnp.where(jnp.broadcast_to(valid, both.shape) & both, values, jnp.zeros_like(values))
    return _scatter(acc, values, jnp.arange(sources.shape[0], dtype=sources.dtype), sorted=True)


def _matvec_kernel(acc: Any, w: Any, x: Any) -> str | None:
    dtype = KERNEL_DTYPES.get(acc.dtype.name)
    return dtype and f"npt_coo_mv_{dtype}_{kind(x)}"


def _outer_kernel(acc: Any, p: Any, q: Any) -> str | None:
    dtype = KERNEL_DTYPES.get(acc.dtype.name)
    return dtype and f"npt_coo_outer_{dtype}_{kind(p)}"


def _matvec_transpose_weight(ct: Any, x: Any, sources: Any, targets: Any, *, aval: Any, **params: Any) -> Array:
    if aval.shape[-1] == 1:
        return _shared_weight(matvec_p, ct, x, sources, targets, aval=aval, **params)
    return outer_p.bind(zeros(aval), x, ct, sources, targets, **params)


def _matvec_transpose_events(ct: Any, w: Any, sources: Any, targets: Any, *, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), w, ct, targets, sources, **params)


def _outer_transpose_pre(ct: Any, q: Any, sources: Any, targets: Any, *, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), ct, q, targets, sources, **params)


def _outer_transpose_post(ct: Any, p: Any, sources: Any, targets: Any, *, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), ct, p, sources, targets, **params)


matvec_p = make_operator(
    "npt_coo_matvec",
    reference=_matvec_reference,
    kernel=_matvec_kernel,
    transpose_a=_matvec_transpose_weight,
    transpose_b=_matvec_transpose_events,
)
outer_p = make_operator(
    "npt_coo_outer",
    reference=_outer_reference,
    kernel=_outer_kernel,
    transpose_a=_outer_transpose_pre,
    transpose_b=_outer_transpose_post,
)


def coo_matvec(
    weight: Weight, x: Events, rows: Edges, cols: Edges, *, acc: Float[Array, " n_cols"], impl: Impl = "auto"
) -> Float[Array, " n_cols"]:
    r"""Carries events from pre to post over a list of edges: $\mathrm{out}_{j(e)} \mathrel{+}= x_{i(e)} w_e$.

    Every edge is looked at, so a call costs the number of edges; sorted by rows (`csr_matvec`), only those of the
    neurons that fired.

    **Arguments:**

    - `weight`: one weight shared by all edges, shape `()`, or one for each.
    - `x`: events of the pre neurons, shape `(n_rows,)`: boolean, or floats that multiply. A zero event meets no weight:
      0 times an infinite or NaN weight adds nothing.
    - `rows`, `cols`: the pre and the post neuron of each edge, int32, in any order. An edge with either out of range is
      none, so that a list may have room.
    - `acc`: what to add to, shape `(n_cols,)`.
    - `impl`: `"auto"` takes the compiled kernel where there is one, `"taichi"` insists on it, `"reference"` is plain
      JAX.

    **Returns:** shape `(n_cols,)`. All JAX transformations apply, to any order, in weight, events and `acc`.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        npt.ops.coo_matvec(jnp.array(0.5), jnp.array([True, False]), rows, cols, acc=jnp.zeros(3))
        ```
    """
    return _linear(weight, x, rows, cols, acc, "x", impl, 1)


def coo_transposed_matvec(
    weight: Weight, y: Events, rows: Edges, cols: Edges, *, acc: Float[Array, " n_rows"], impl: Impl = "auto"
) -> Float[Array, " n_rows"]:
    r"""Carries values from post to pre over a list of edges: $\mathrm{out}_{i(e)} \mathrel{+}= w_e y_{j(e)}$.

    Arguments, errors and transformations as for `coo_matvec`, with `y` of shape `(n_cols,)` and `acc` of shape
    `(n_rows,)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        npt.ops.coo_transposed_matvec(jnp.array(0.5), jnp.ones(3), rows, cols, acc=jnp.zeros(2))
        ```
    """
    return _linear(weight, y, cols, rows, acc, "y", impl, 1)


def coo_outer(
    pre: Events, post: Events, rows: Edges, cols: Edges, *, acc: Float[Array, " edges"], impl: Impl = "auto"
) -> Float[Array, " edges"]:
    r"""The outer product sampled at the edges: $\mathrm{out}_e = \mathrm{acc}_e + p_{i(e)} q_{j(e)}$.

    Arguments, errors and transformations as for `coo_matvec`, with `pre` of shape `(n_rows,)`, `post` of shape
    `(n_cols,)`, `acc` and the result of shape `(edges,)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        npt.ops.coo_outer(jnp.ones(2), jnp.ones(3), rows, cols, acc=jnp.zeros(3))
        ```
    """
    return _outer(pre, post, rows, cols, acc, impl, 1)


def coo_matmat(
    weight: Weight, x: Events, rows: Edges, cols: Edges, *, acc: Float[Array, "n_cols columns"], impl: Impl = "auto"
) -> Float[Array, "n_cols columns"]:
    r"""`coo_matvec` for each column: $\mathrm{out}_{j(e)k} \mathrel{+}= x_{i(e)k} w_e$.

    Arguments, errors and transformations as for `coo_matvec`, with `x` of shape `(n_rows, columns)`, `acc` and the
    result of shape `(n_cols, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        npt.ops.coo_matmat(jnp.array(0.5), jnp.ones((2, 4)), rows, cols, acc=jnp.zeros((3, 4)))
        ```
    """
    return _linear(weight, x, rows, cols, acc, "x", impl, 2)


def coo_transposed_matmat(
    weight: Weight, y: Events, rows: Edges, cols: Edges, *, acc: Float[Array, "n_rows columns"], impl: Impl = "auto"
) -> Float[Array, "n_rows columns"]:
    r"""`coo_transposed_matvec` for each column: $\mathrm{out}_{i(e)k} \mathrel{+}= w_e y_{j(e)k}$.

    Arguments, errors and transformations as for `coo_matvec`, with `y` of shape `(n_cols, columns)`, `acc` and the
    result of shape `(n_rows, columns)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        npt.ops.coo_transposed_matmat(jnp.array(0.5), jnp.ones((3, 4)), rows, cols, acc=jnp.zeros((2, 4)))
        ```
    """
    return _linear(weight, y, cols, rows, acc, "y", impl, 2)


def coo_outer_matmat(
    pre: Events, post: Events, rows: Edges, cols: Edges, *, acc: Float[Array, " edges"], impl: Impl = "auto"
) -> Float[Array, " edges"]:
    r"""The sum of `coo_outer` over columns: $\mathrm{out}_e = \mathrm{acc}_e + \sum_k p_{i(e)k} q_{j(e)k}$.

    Arguments, errors and transformations as for `coo_matvec`, with `pre` of shape `(n_rows, columns)`, `post` of shape
    `(n_cols, columns)`, `acc` and the result of shape `(edges,)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        rows, cols = jnp.array([1, 0, 0], jnp.int32), jnp.array([1, 2, 0], jnp.int32)
        npt.ops.coo_outer_matmat(jnp.ones((2, 4)), jnp.ones((3, 4)), rows, cols, acc=jnp.zeros(3))
        ```
    """
    return _outer(pre, post, rows, cols, acc, impl, 2)


def check_edges(rows: Any, cols: Any) -> None:
    check_index_array("rows", rows)
    check_index_array("cols", cols)
    if rows.shape != cols.shape:
        raise ValueError(f"rows and cols have shapes {rows.shape} and {cols.shape}; expected them equally long")


def _linear(weight: Any, x: Any, sources: Any, targets: Any, acc: Array, name: str, impl: Any, rank: int) -> Array:
    check_impl(impl)
    check_edges(*((sources, targets) if name == "x" else (targets, sources)))
    weight, x = as_weight(weight, acc), as_events(name, x, acc.dtype)
    if weight.shape not in ((), sources.shape):
        raise ValueError(
            f"weight has shape {weight.shape}; expected () for one shared weight, or {sources.shape}, one for each edge"
        )
    if x.ndim != rank:
        expected = "one dimension" if rank == 1 else "two dimensions"
        raise ValueError(f"{name} has shape {x.shape}; expected {expected} (jax.vmap adds batch dimensions)")
    check_sizes(acc=(acc, (*acc.shape[:1], *x.shape[1:])))
    weight = weight.reshape(-1)
    if rank == 1:
        return matvec_p.bind(acc, weight, x, sources, targets, batch=(), impl=impl)
    if 0 in x.shape[1:]:
        return acc
    return matvec_p.bind(acc.T, weight[None], x.T, sources, targets, batch=x.shape[1:], impl=impl).T


def _outer(pre: Any, post: Any, rows: Any, cols: Any, acc: Array, impl: Any, rank: int) -> Array:
    check_impl(impl)
    check_edges(rows, cols)
    check_floating("acc", acc)
    pre, post = as_events("pre", pre, acc.dtype), as_events("post", post, acc.dtype).astype(acc.dtype)
    if pre.ndim != rank:
        expected = "one dimension" if rank == 1 else "two dimensions"
        raise ValueError(f"pre has shape {pre.shape}; expected {expected} (jax.vmap adds batch dimensions)")
    check_sizes(post=(post, (*post.shape[:1], *pre.shape[1:])), acc=(acc, rows.shape))
    if rank == 1:
        return outer_p.bind(acc, pre, post, rows, cols, batch=(), impl=impl)
    if 0 in pre.shape[1:]:
        return acc
    return outer_p.bind(acc[None], pre.T, post.T, rows, cols, batch=pre.shape[1:], impl=impl)[0]
