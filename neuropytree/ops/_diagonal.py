"""Products element by element, under the rule of all operators: a zero meets nothing, in derivatives too."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._common import Events, as_events, as_weight, check_floating, check_sizes, zeros
from ._ffi import Shape, make_operator


def _add(acc: Array, values: Array, there: Array) -> Array:
    """Over the last dimension too an operand may have the size 1, for all; and `acc`, for the sum."""
    values = jnp.where(there, values, jnp.zeros_like(values))
    summed = tuple(k for k, (have, got) in enumerate(zip(acc.shape, values.shape, strict=True)) if have < got)
    return acc + (jnp.sum(values, axis=summed, keepdims=True) if summed else values)


def _scaled_reference(acc: Array, w: Array, x: Array, *, batch: Shape) -> Array:
    del batch
    return _add(acc, w * x, jnp.broadcast_to(x != 0, jnp.broadcast_shapes(w.shape, x.shape)))


def _product_reference(acc: Array, p: Array, q: Array, *, batch: Shape) -> Array:
    del batch
    return _add(acc, p * q, (p != 0) & (q != 0))


def _scaled_transpose_weight(ct: Any, x: Any, *, aval: Any, **params: Any) -> Array:
    return product_p.bind(zeros(aval), x, ct, **params)


def _scaled_transpose_events(ct: Any, w: Any, *, aval: Any, **params: Any) -> Array:
    return scaled_p.bind(zeros(aval), w, ct, **params)


def _product_transpose(ct: Any, other: Any, *, aval: Any, **params: Any) -> Array:
    return scaled_p.bind(zeros(aval), ct, other, **params)


scaled_p = make_operator(
    "npt_scaled",
    reference=_scaled_reference,
    kernel=lambda *_: None,
    transpose_a=_scaled_transpose_weight,
    transpose_b=_scaled_transpose_events,
    indices=0,
)
product_p = make_operator(
    "npt_product",
    reference=_product_reference,
    kernel=lambda *_: None,
    transpose_a=_product_transpose,
    transpose_b=_product_transpose,
    indices=0,
)


def diagonal_outer(pre: Events, post: Events, *, acc: Float[Array, " n"]) -> Float[Array, " n"]:
    r"""The outer product sampled at the diagonal: $\mathrm{out}_i = \mathrm{acc}_i + p_i q_i$. A zero on either side
    adds nothing.

    Arguments, errors and transformations as for `diagonal_matvec`, all of shape `(n,)`.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.diagonal_outer(jnp.array([True, False]), jnp.ones(2), acc=jnp.zeros(2))
        ```
    """
    check_floating("acc", acc)
    pre, post = (as_events(name, x, acc.dtype).astype(acc.dtype) for name, x in (("pre", pre), ("post", post)))
    check_sizes(pre=(pre, (pre.size,)), post=(post, pre.shape), acc=(acc, pre.shape))
    return product_p.bind(acc, pre, post, batch=(), impl="reference")


def diagonal_matvec(
    weight: Float[Array, ""] | Float[Array, " n"], x: Events, *, acc: Float[Array, " n"]
) -> Float[Array, " n"]:
    r"""Each event to the neuron of the same number: $\mathrm{out}_i = \mathrm{acc}_i + w_i x_i$.

    A zero event meets no weight: 0 times an infinite or NaN weight adds nothing, and in derivatives a zero meets no
    cotangent. In plain JAX, which XLA fuses with what is around it. The matrix is its own transpose.

    **Arguments:**

    - `weight`: one weight for all, shape `()`, or one for each neuron.
    - `x`: events, shape `(n,)`: boolean, or floats that multiply.
    - `acc`: what to add to, shape `(n,)`.

    **Returns:** shape `(n,)`. All JAX transformations apply, to any order, in weight, events and `acc`.

    **Raises:** `TypeError` or `ValueError` for operands whose shape or dtype doesn't fit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.ops.diagonal_matvec(jnp.array([0.5, jnp.inf]), jnp.array([True, False]), acc=jnp.zeros(2))
        ```
    """
    weight = as_weight(weight, acc)
    x = as_events("x", x, acc.dtype).astype(acc.dtype)
    check_sizes(x=(x, (x.size,)), acc=(acc, x.shape))
    if weight.shape not in ((), x.shape):
        raise ValueError(f"weight has shape {weight.shape}; expected () for one shared weight, or {x.shape}")
    return scaled_p.bind(acc, weight.reshape(-1), x, batch=(), impl="reference")
