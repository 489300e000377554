"""Resting states that are roots of a cubic."""

import jax
import jax.numpy as jnp
from jaxtyping import Array


def leftmost_root(a: Array, b: Array, c: Array, d: Array) -> Array:
    r"""The least real root of $a x^3 + b x^2 + c x + d$, for $a > 0$, elementwise.

    Newton's method from Cauchy's bound, left of every root: there it never passes the first, while the cubic is
    concave; it needs some forty steps to come down to it.
    """
    a, b, c, d = jnp.broadcast_arrays(a, b, c, d)
    start = -1 - jnp.maximum(jnp.abs(b), jnp.maximum(jnp.abs(c), jnp.abs(d))) / a

    def newton(_: int, x: Array) -> Array:
        return x - (((a * x + b) * x + c) * x + d) / ((3 * a * x + 2 * b) * x + c)

    return jax.lax.fori_loop(0, 60, newton, start)
