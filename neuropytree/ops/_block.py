"""Event-driven operators on a matrix of blocks of one size, and on a dense matrix, which is a single block.

The weight is a vector: the blocks one after the other, each row-major. `dims` are the height and the width of a block,
once more as an array, which is how the kernels get to know them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ._common import KERNEL_DTYPES, LARGEST, Impl, kind, zeros
from ._edges import edges
from ._ffi import Shape, make_operator

LETTERS = "ABCDEFGHIJKLM"  # of the batch axes, in capitals: below are those of the axes of the matrix


def _contract(acc_lead: Shape, a: Array, b: Array, core: str, *, both: bool) -> Array:
    """The product `core` (`"hv,h->v"`) over operands with leading batch axes, of size 1 or more, summed over those that
    the result has not. A zero in `b`, and if `both` in `a`, meets nothing.

    A dot multiplies zeros too. That shows only in a NaN that 0 times an infinity has made: where the result isn't all
    finite, it is computed again, product by product.
    """
    (a_core, b_core), out_core = core.split("->")[0].split(","), core.split("->")[1]

    def labelled(x: Array, core: str) -> tuple[Array, str]:
        lead = x.shape[: x.ndim - len(core)]
        mapped = [k for k, size in enumerate(lead) if size != 1]
        return x.reshape(*(lead[k] for k in mapped), *x.shape[len(lead) :]), "".join(LETTERS[k] for k in mapped) + core

    a, a_labels = labelled(a, a_core)
    b, b_labels = labelled(b.astype(a.dtype), b_core)
    mapped = [LETTERS[k] for k, size in enumerate(acc_lead) if size != 1 and LETTERS[k] in a_labels + b_labels]
    out_labels = "".join(mapped) + out_core
    reduced = "".join(sorted(set(a_labels + b_labels) - set(out_labels)))

    def spread(x: Array, labels: str) -> Array:
        every = out_labels + reduced
        x = jnp.transpose(x, [labels.index(label) for label in every if label in labels])
        return jnp.expand_dims(x, [k for k, label in enumerate(every) if label not in labels])

    def one_by_one() -> Array:
        x, y = spread(a, a_labels), spread(b, b_labels)
        products = x * y
        silent = jnp.broadcast_to((x == 0) | (y == 0) if both else y == 0, products.shape)
        products = jnp.where(silent, jnp.zeros_like(products), products)
        return jnp.sum(products, axis=tuple(range(len(out_labels), products.ndim)), dtype=products.dtype)

    if reduced:
        dot = jnp.einsum(f"{a_labels},{b_labels}->{out_labels}", a, b, precision=jax.lax.Precision.HIGHEST)
        out = jax.lax.cond(jnp.all(jnp.isfinite(dot)), lambda: dot, one_by_one)
    else:
        out = one_by_one()
    lead = [size if LETTERS[k] in mapped else 1 for k, size in enumerate(acc_lead)]
    return out.reshape(*lead, *out.shape[len(mapped) :])


def _blocks(x: Array, size: int, where: Array, valid: Array) -> Array:
    """Element `i` of block `where[b]` of a vector at `(b, i)`, and 0 in room."""
    blocks = x.reshape(*x.shape[:-1], x.shape[-1] // size, size)[..., where, :]
    valid = jnp.broadcast_to(valid[:, None], blocks.shape)
    return jnp.where(valid, blocks, jnp.zeros_like(blocks))


def _add_blocks(acc: Array, values: Array, where: Array) -> Array:
    lead, size = acc.shape[:-1], values.shape[-1]
    values = jnp.broadcast_to(values, (*lead, *values.shape[-2:]))
    blocks = acc.reshape(*lead, acc.shape[-1] // size, size)
    return blocks.at[..., where, :].add(values, mode="promise_in_bounds").reshape(acc.shape)


def _matvec_reference(
    acc: Array, w: Array, x: Array, indices: Array, indptr: Array, dims: Array, *, block: Shape, dense: bool, **_: Any
) -> Array:
    lead = acc.shape[:-1]
    if 0 in (w.shape[-1], x.shape[-1], acc.shape[-1]):
        return acc
    if dense:
        return acc + _contract(lead, w.reshape(*w.shape[:-1], *block), x, "hv,h->v", both=False)
    rows, columns, valid = edges(indices, indptr, acc.shape[-1] // block[1])
    w, x = w.reshape(*w.shape[:-1], *indices.shape, *block), _blocks(x, block[0], rows, valid)
    return _add_blocks(acc, _contract(lead, w, x, "nhv,nh->nv", both=False), columns)


def _transposed_reference(
    acc: Array, w: Array, y: Array, indices: Array, indptr: Array, dims: Array, *, block: Shape, dense: bool, **_: Any
) -> Array:
    lead = acc.shape[:-1]
    if 0 in (w.shape[-1], y.shape[-1], acc.shape[-1]):
        return acc
    if dense:
        return acc + _contract(lead, w.reshape(*w.shape[:-1], *block), y, "hv,v->h", both=False)
    rows, columns, valid = edges(indices, indptr, y.shape[-1] // block[1])
    w, y = w.reshape(*w.shape[:-1], *indices.shape, *block), _blocks(y, block[1], columns, valid)
    return _add_blocks(acc, _contract(lead, w, y, "nhv,nv->nh", both=False), rows)


def _outer_reference(
    acc: Array, p: Array, q: Array, indices: Array, indptr: Array, dims: Array, *, block: Shape, dense: bool, **_: Any
) -> Array:
    lead, p = acc.shape[:-1], p.astype(acc.dtype)
    if 0 in (acc.shape[-1], p.shape[-1], q.shape[-1]):
        return acc
    if dense:
        product = _contract(lead, p, q, "h,v->hv", both=True)
    else:
        rows, columns, valid = edges(indices, indptr, q.shape[-1] // block[1])
        p, q = _blocks(p, block[0], rows, valid), _blocks(q, block[1], columns, valid)
        product = _contract(lead, p, q, "nh,nv->nhv", both=True)
    return acc + product.reshape(*product.shape[: len(lead)], acc.shape[-1])


def _kernel(operation: str, events: Any, matrix: Any) -> str | None:
    name = KERNEL_DTYPES.get(matrix.dtype.name)
    fits = matrix.shape[-1] <= LARGEST
    return f"npt_block_{operation}_{name}_{kind(events)}" if name and fits else None


def _matvec_kernel(acc: Any, w: Any, x: Any, **_: Any) -> str | None:
    return _kernel("mv", x, w)


def _transposed_kernel(acc: Any, w: Any, y: Any, **_: Any) -> str | None:
    return _kernel("tmv", y, w)


def _outer_kernel(acc: Any, p: Any, q: Any, **_: Any) -> str | None:
    return _kernel("outer", p, acc)


def _matvec_pays(acc: Array, w: Array, x: Array, **_: Any) -> Array:
    return _few(x, together=w.size // w.shape[-1] < x.size // x.shape[-1] if 0 not in (w.size, x.size) else False)


def _transposed_pays(acc: Array, w: Array, y: Array, **_: Any) -> bool:
    return False  # all rows are read whatever the events, and a dot reads them faster


def _outer_pays(acc: Array, p: Array, q: Array, **_: Any) -> Array | bool:
    lead = zip(acc.shape[:-1], p.shape[:-1], q.shape[:-1], strict=True)
    summed = any(have < max(got) for have, *got in lead)
    return _few(p, together=True) if summed else True


def _few(x: Array, *, together: bool) -> Array:
    """Whether adding the rows of the events is quicker than a dot of all rows; `together`, of many vectors with one
    matrix, where the dot reads the matrix once. Both shares are measured."""
    return jnp.count_nonzero(x) < x.size // (64 if together else 8)


def _matvec_transpose_weight(ct: Any, x: Any, *indices: Any, aval: Any, **params: Any) -> Array:
    return outer_p.bind(zeros(aval), x, ct, *indices, **params)


def _matvec_transpose_events(ct: Any, w: Any, *indices: Any, aval: Any, **params: Any) -> Array:
    return transposed_p.bind(zeros(aval), w, ct, *indices, **params)


def _transposed_transpose_weight(ct: Any, y: Any, *indices: Any, aval: Any, **params: Any) -> Array:
    return outer_p.bind(zeros(aval), ct, y.astype(ct.dtype), *indices, **params)


def _transposed_transpose_events(ct: Any, w: Any, *indices: Any, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), w, ct, *indices, **params)


def _outer_transpose_pre(ct: Any, q: Any, *indices: Any, aval: Any, **params: Any) -> Array:
    return transposed_p.bind(zeros(aval), ct, q, *indices, **params)


def _outer_transpose_post(ct: Any, p: Any, *indices: Any, aval: Any, **params: Any) -> Array:
    return matvec_p.bind(zeros(aval), ct, p, *indices, **params)


def _with_dims(indices: Array, indptr: Array, *, block: Shape, **_: Any) -> tuple[Array, ...]:
    return indices, indptr, jnp.asarray(block, jnp.int32)


matvec_p = make_operator(
    "npt_block_matvec",
    reference=_matvec_reference,
    kernel=_matvec_kernel,
    pays=_matvec_pays,
    transpose_a=_matvec_transpose_weight,
    transpose_b=_matvec_transpose_events,
    fill=_with_dims,
)
transposed_p = make_operator(
    "npt_block_transposed_matvec",
    reference=_transposed_reference,
    kernel=_transposed_kernel,
    pays=_transposed_pays,
    transpose_a=_transposed_transpose_weight,
    transpose_b=_transposed_transpose_events,
    fill=_with_dims,
)
outer_p = make_operator(
    "npt_block_outer",
    reference=_outer_reference,
    kernel=_outer_kernel,
    pays=_outer_pays,
    transpose_a=_outer_transpose_pre,
    transpose_b=_outer_transpose_post,
    fill=_with_dims,
)


class Matrix(NamedTuple):
    """A matrix as the operators take it: everything but its entries."""

    indices: Array
    indptr: Array
    block: tuple[int, int]
    dense: bool

    def bind(self, operator: Any, acc: Array, a: Array, b: Array, batch: Shape, impl: Impl) -> Array:
        return operator.bind(
            acc, a, b, self.indices, self.indptr, batch=batch, impl=impl, block=self.block, dense=self.dense
        )

    def linear(self, operator: Any, weight: Array, x: Array, acc: Array, impl: Impl) -> Array:
        """For vectors, or for the columns of matrices."""
        weight = weight.reshape(-1)
        if acc.ndim == 1:
            return self.bind(operator, acc, weight, x, (), impl)
        if acc.shape[1] == 0:
            return acc
        return self.bind(operator, acc.T, weight[None], x.T, acc.shape[1:], impl).T

    def sampled(self, pre: Array, post: Array, acc: Array, impl: Impl) -> Array:
        """Of vectors, or summed over the columns of matrices."""
        flat, post = acc.reshape(-1), post.astype(acc.dtype)
        if pre.ndim == 1:
            return self.bind(outer_p, flat, pre, post, (), impl).reshape(acc.shape)
        if pre.shape[1] == 0:
            return acc
        return self.bind(outer_p, flat[None], pre.T, post.T, pre.shape[1:], impl).reshape(acc.shape)
