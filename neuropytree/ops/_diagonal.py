"""Products element by element, under the rule of all operators: a zero meets nothing, in derivatives too."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._common import Events, as_events, as_weight, check_sizes, zeros
from ._ffi import Shape, make_operator


def _reference(acc: Array, a: Array, b: Array, *, batch: Shape) -> Array:
    """Over the last dimension too an operand may have the size 1, for all; and `acc`, for the sum."""
    del batch
    both, values = (a != 0) & (b != 0), a * b
    values = jnp.where(both, values, jnp.zeros_like(values))
    summed = tuple(k for k, (have, got) in enumerate(zip(acc.shape, values.shape, strict=True)) if have < got)
    return acc + (jnp.sum(values, axis=summed, keepdims=True) if summed else values)


def _transpose(ct: Any, other: Any, *, aval: Any, batch: Shape, impl: str) -> Array:
    return product_p.bind(zeros(aval), ct, other, batch=batch, impl=impl)


product_p = make_operator(
    "npt_product",
    reference=_reference,
    kernel=lambda *_: None,
    transpose_a=_transpose,
    transpose_b=_transpose,
    indices=0,
)


def diagonal_matvec(
    weight: Float[Array, ""] | Float[Array, " n"], x: Events, *, acc: Float[Array, " n"]
) -> Float[Array, " n"]:
    r"""Each event to the neuron of the same number: $\mathrm{out}_i = \mathrm{acc}_i + w_i x_i$.

    A zero event meets no weight: 0 times an infinite or NaN weight adds nothing, and in derivatives a zero meets no
    cotangent. In plain JAX, which XLA fuses with what is around it. The matrix is its own transpose, and the outer
    product sampled at its edges is the same product.

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
    return product_p.bind(acc, weight.reshape(-1), x, batch=(), impl="reference")
