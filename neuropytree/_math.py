"""Functions with removable singularities, right in value and in every derivative."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Inexact


def exprel(x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    r"""The relative exponential $(e^x - 1)/x$, with its limit 1 at 0.

    Within $|x| < 1$ it is its Taylor polynomial, taken to the last term that counts in the dtype, so that derivatives
    of every order are as accurate as the value: the quotient's derivative loses all digits near 0.
    """
    x = jnp.asarray(x)
    terms = 19 if x.dtype == jnp.float64 else 12
    small = jnp.abs(x) < 1
    near, far = jnp.where(small, x, 0), jnp.where(small, 1, x)
    series = jnp.full_like(near, 1 / math.factorial(terms))
    for k in range(terms - 1, 0, -1):
        series = series * near + 1 / math.factorial(k)
    return jnp.where(small, series, jnp.expm1(far) / far)


def exprel2(x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    r"""The second of the exponential functions, $(e^x - 1 - x)/x^2$, with its limit 1/2 at 0; otherwise as `exprel`."""
    x = jnp.asarray(x)
    terms = 19 if x.dtype == jnp.float64 else 12
    small = jnp.abs(x) < 1
    near, far = jnp.where(small, x, 0), jnp.where(small, 1, x)
    series = jnp.full_like(near, 1 / math.factorial(terms + 1))
    for k in range(terms - 1, 0, -1):
        series = series * near + 1 / math.factorial(k + 1)
    return jnp.where(small, series, (jnp.expm1(far) / far - 1) / far)
