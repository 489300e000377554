"""Resting states that are roots of a cubic."""

import jax
import jax.numpy as jnp
from jaxtyping import Array


def leftmost_root(a: Array, b: Array, c: Array, d: Array) -> Array:
    r"""The least real root of $a x^3 + b x^2 + c x + d$, for $a > 0$, elementwise, with its derivatives.

    Newton's method from one of Cauchy's bounds of the roots, from where it never passes the root that it comes to: from
    the left, where the cubic is concave, if it is positive at its local maximum (or, where it has none, its
    inflection); else from the right, where it is convex, and all other roots are complex.
    """
    coefficients = tuple(jnp.broadcast_arrays(a, b, c, d))

    def newton(x: Array, coefficients: tuple[Array, ...]) -> Array:
        a, b, c, d = coefficients
        slope = (3 * a * x + 2 * b) * x + c
        rises = slope > 0  # it doesn't at a double root
        return x - jnp.where(rises, (((a * x + b) * x + c) * x + d) / jnp.where(rises, slope, 1), 0)

    held = jax.lax.stop_gradient(coefficients)
    a, b, c, d = held
    square = b * b - 3 * a * c
    width = jnp.sqrt(jnp.maximum(square, 0)) / (3 * a)
    inflection, bound = -b / (3 * a), 1 + jnp.maximum(jnp.abs(b), jnp.maximum(jnp.abs(c), jnp.abs(d))) / a
    left, right = inflection - width, inflection + width
    from_left = ((a * left + b) * left + c) * left + d >= 0

    def step(_: int, x: Array) -> Array:
        x = newton(x, held)
        # rounding could carry it past the extremum, beside which a double root lies
        return jnp.where(from_left, jnp.minimum(x, left), jnp.maximum(x, right))

    x = jax.lax.fori_loop(0, 60, step, jnp.where(from_left, -bound, bound))
    # one step more for the derivatives, which are those of the root
    return newton(x, coefficients)
