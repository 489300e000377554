"""What the edges of a row, or of a column, have in common: their sum, product, largest, softmax."""

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._common import check_floating, check_indices, check_shape, check_sizes
from ._edges import edges

Reduction = Literal["sum", "mean", "prod", "max", "min"]
NEUTRAL = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -jnp.inf, "min": jnp.inf}


def csr_reduce_rows(
    values: Float[Array, " room"],
    indptr: Int[Array, " rows+1"],
    op: Reduction = "sum",
    *,
    where: Bool[Array, " room"] | None = None,
    empty: float | None = None,
) -> Float[Array, " rows"]:
    r"""Reduces values of edges over those that leave each neuron: $\mathrm{out}_i = \bigoplus_{e: i(e)=i} v_e$.

    **Arguments:**

    - `values`: one for each entry, floating; those in room don't count. From post neurons it is `post[indices]`.
    - `indptr`: row `i` has the entries `indptr[i]` to `indptr[i + 1]`, int32.
    - `op`: `"sum"`, `"mean"`, `"prod"`, `"max"` or `"min"`. A NaN makes any of them NaN.
    - `where`: which entries count. All, by default.
    - `empty`: the result where nothing counts. The neutral element of `op` by default: 0, 1, `-inf`, `inf`; and 0 for
      the mean.

    **Returns:** one for each row. All JAX transformations apply. The derivative of the largest or smallest, where
    several values are, is shared equally among them; that of the product is right at zeros too.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit, or another `op`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.csr_reduce_rows(jnp.array([1.0, 3.0, 2.0]), jnp.array([0, 2, 3], jnp.int32), "max")
        ```
    """
    rows, valid, n = _segments(values, None, indptr, where)
    return _reduce(values, rows, valid, n, op, empty, sorted=where is None)


def csr_reduce_columns(
    values: Float[Array, " room"],
    indices: Int[Array, " room"],
    indptr: Int[Array, " rows+1"],
    op: Reduction = "sum",
    *,
    n_cols: int,
    where: Bool[Array, " room"] | None = None,
    empty: float | None = None,
) -> Float[Array, " cols"]:
    r"""Reduces values of edges over those that reach each neuron: $\mathrm{out}_j = \bigoplus_{e: j(e)=j} v_e$.

    A value for each pre neuron is `pre[rows]` here, with `rows, _ = csr_to_coo(indices, indptr)`; `where=fired[rows]`
    leaves out the edges of neurons that were silent.

    Other arguments, derivatives and errors as for `csr_reduce_rows`, with the post neuron of each edge, `indices`, and
    `n_cols`, the number of post neurons.

    **Returns:** one for each column.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 2], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_reduce_columns(jnp.array([1.0, 3.0, 2.0]), indices, indptr, "max", n_cols=3, empty=0.0)
        ```
    """
    columns, valid, _ = _segments(values, indices, indptr, where, n_cols)
    return _reduce(values, columns, valid, n_cols, op, empty, sorted=False)


def csr_softmax_rows(
    values: Float[Array, " room"], indptr: Int[Array, " rows+1"], *, where: Bool[Array, " room"] | None = None
) -> Float[Array, " room"]:
    r"""The softmax over the edges that leave the same neuron: $e^{v_e} / \sum_{e': i(e')=i(e)} e^{v_{e'}}$.

    Arguments, derivatives and errors as for `csr_reduce_rows`.

    **Returns:** one for each entry, 0 for those that don't count.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.csr_softmax_rows(jnp.array([1.0, 3.0, 2.0]), jnp.array([0, 2, 3], jnp.int32))
        ```
    """
    rows, valid, n = _segments(values, None, indptr, where)
    return _softmax(values, rows, valid, n, sorted=where is None)


def csr_softmax_columns(
    values: Float[Array, " room"],
    indices: Int[Array, " room"],
    indptr: Int[Array, " rows+1"],
    *,
    n_cols: int,
    where: Bool[Array, " room"] | None = None,
) -> Float[Array, " room"]:
    r"""The softmax over the edges that reach the same neuron: $e^{v_e} / \sum_{e': j(e')=j(e)} e^{v_{e'}}$.

    Arguments, derivatives and errors as for `csr_reduce_columns`.

    **Returns:** one for each entry, 0 for those that don't count.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        indices, indptr = jnp.array([0, 2, 2], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        npt.ops.csr_softmax_columns(jnp.array([1.0, 3.0, 2.0]), indices, indptr, n_cols=3)
        ```
    """
    columns, valid, _ = _segments(values, indices, indptr, where, n_cols)
    return _softmax(values, columns, valid, n_cols, sorted=False)


def _segments(
    values: Array, indices: Array | None, indptr: Array, where: Any, n_cols: int = 1
) -> tuple[Array, Array, int]:
    """The column of each entry (its row, without `indices`), and which count; the others are in a segment past the
    last. And how many rows there are."""
    check_floating("values", values)
    check_shape("values", values, None if indices is None else jnp.shape(indices))
    columns = jnp.zeros(values.shape, jnp.int32) if indices is None else indices
    n_rows = check_indices(columns, indptr)
    rows, valid = columns, jnp.zeros(columns.shape, bool)
    if n_rows > 0:
        rows, columns, valid = edges(columns, indptr, n_cols)
    if where is not None:
        if where.dtype != bool:
            raise TypeError(f"where is {where.dtype.name}; expected bool")
        check_sizes(where=(where, values.shape))
        valid &= where
    of, last = (rows, n_rows) if indices is None else (columns, n_cols)
    return jnp.where(valid, of, last), valid, n_rows


def _reduce(
    values: Array, segments: Array, valid: Array, n: int, op: str, empty: float | None, *, sorted: bool
) -> Array:
    if op not in NEUTRAL:
        raise ValueError(f"op is {op!r}; expected one of {', '.join(map(repr, NEUTRAL))}")
    if n == 0:
        return jnp.zeros(0, values.dtype)
    total = functools.partial(jax.ops.segment_sum, segment_ids=segments, num_segments=n, indices_are_sorted=sorted)
    counts = total(valid.astype(jnp.int32))
    values = jnp.where(valid, values, jnp.asarray(NEUTRAL[op], values.dtype))
    if op == "sum":
        out = total(values)
    elif op == "mean":
        out = total(values) / jnp.maximum(counts, 1).astype(values.dtype)
    elif op == "prod":
        out = _product(n, sorted, values, segments)
    else:
        out = _largest(n, sorted, values, segments) if op == "max" else -_largest(n, sorted, -values, segments)
    missing = jnp.asarray(NEUTRAL[op] if empty is None else empty, values.dtype)
    return jnp.where(counts > 0, out, missing)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _largest(n: int, sorted: bool, values: Array, segments: Array) -> Array:
    return jax.ops.segment_max(values, segments, n, indices_are_sorted=sorted)


@_largest.defjvp
def _largest_jvp(n: int, sorted: bool, primals: Any, tangents: Any) -> tuple[Array, Array]:
    values, segments = primals
    out = _largest(n, sorted, values, segments)
    total = functools.partial(jax.ops.segment_sum, segment_ids=segments, num_segments=n, indices_are_sorted=sorted)
    tied = (values == out.at[segments].get(mode="fill", fill_value=0)) | jnp.isnan(values)
    count = jnp.maximum(total(tied.astype(out.dtype)), 1)
    return out, total(jnp.where(tied, tangents[0], jnp.zeros_like(values))) / count


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _product(n: int, sorted: bool, values: Array, segments: Array) -> Array:
    return jax.ops.segment_prod(values, segments, n, indices_are_sorted=sorted)


@_product.defjvp
def _product_jvp(n: int, sorted: bool, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """With the product of the other values of the segment: of those before by those after, never by a division."""
    values, segments = primals
    order = jnp.arange(len(segments)) if sorted else jnp.argsort(segments)
    v, s = values[order], segments[order]
    first = jnp.concatenate([jnp.ones(1, bool), s[1:] != s[:-1]])[: len(s)]
    last = jnp.concatenate([s[1:] != s[:-1], jnp.ones(1, bool)])[-len(s) :] if len(s) else first
    one = jnp.ones(1, v.dtype)
    before = jnp.where(first, jnp.ones_like(v), jnp.concatenate([one, _running(v, first)])[:-1])
    after = jnp.where(last, jnp.ones_like(v), jnp.concatenate([one, _running(v[::-1], last[::-1])])[:-1][::-1])
    moved = tangents[0][order] * before * after
    return _product(n, sorted, values, segments), jax.ops.segment_sum(moved, s, n, indices_are_sorted=True)


def _running(v: Array, start: Array) -> Array:
    """The product up to each value of those since the last start."""

    def combine(a: Any, b: Any) -> Any:
        return a[0] | b[0], jnp.where(b[0], b[1], a[1] * b[1])

    return jax.lax.associative_scan(combine, (start, v))[1]


def _softmax(values: Array, segments: Array, valid: Array, n: int, *, sorted: bool) -> Array:
    if n == 0:
        return jnp.zeros_like(values)

    def of_edge(x: Array) -> Array:
        return x.at[segments].get(mode="fill", fill_value=0)

    values = jnp.where(valid, values, jnp.asarray(-jnp.inf, values.dtype))
    largest = jax.ops.segment_max(jax.lax.stop_gradient(values), segments, n, indices_are_sorted=sorted)
    shifted = jnp.where(valid, values - of_edge(largest), jnp.zeros_like(values))
    weights = jnp.where(valid, jnp.exp(shifted), jnp.zeros_like(values))
    sums = of_edge(jax.ops.segment_sum(weights, segments, n, indices_are_sorted=sorted))
    return weights / jnp.where(valid, sums, jnp.ones_like(sums))
