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
    # no digit is lost in the difference where |x| >= 1, and expm1 would cost twice the exponential
    return jnp.where(small, series, (jnp.exp(far) - 1) / far)


# B_2k / (2k)!, k = 1, 2, ...: coefficients of x^2k in x / (1 - e^-x) - x / 2
_BERNOULLI = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
    -3617 / 10670622842880000,
    43867 / 5109094217170944000,
    -174611 / 802857662698291200000,
)


def linoid(x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    r"""$x / (1 - e^{-x})$, with its limit 1 at 0: the voltage dependence of many opening and closing rates.

    Within $|x| < 1$ it is its Taylor polynomial, as in `exprel`. Nothing overflows, in value or derivative.
    """
    x = jnp.asarray(x)
    terms = 10 if x.dtype == jnp.float64 else 4
    small = jnp.abs(x) < 1
    near, far = jnp.where(small, x, 0), jnp.where(small, 1, x)
    square = near * near
    series = jnp.full_like(near, _BERNOULLI[terms - 1])
    for coefficient in _BERNOULLI[terms - 2 :: -1]:
        series = series * square + coefficient
    size = jnp.abs(far)
    tail = jnp.exp(-size)
    return jnp.where(small, 1 + near / 2 + series * square, jnp.maximum(far, 0) + size * tail / (1 - tail))
