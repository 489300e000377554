"""Functions with removable singularities, right in value and in every derivative."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Inexact


def exprel(x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    r"""The relative exponential $(e^x - 1)/x$, with its limit 1 at 0.

    Within $|x| < 1/2$ it is its Taylor polynomial, taken to the last term that counts in the dtype, so that derivatives
    of every order are as accurate as the value: the quotient's derivative loses all digits near 0.
    """
    x = jnp.asarray(x)
    terms = 15 if x.dtype == jnp.float64 else 9
    small = jnp.abs(x) < 0.5
    near, far = jnp.where(small, x, 0), jnp.where(small, 1, x)
    series = jnp.full_like(near, 1 / math.factorial(terms))
    for k in range(terms - 1, 0, -1):
        series = series * near + 1 / math.factorial(k)
    # the difference loses one bit where |x| >= 1/2, and expm1 would cost twice the exponential
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


def linoid(x: Inexact[Array, "..."], decay: Inexact[Array, "..."] | None = None) -> Inexact[Array, "..."]:
    r"""$x / (1 - e^{-x})$, with its limit 1 at 0: the voltage dependence of many opening and closing rates.

    Within $|x| < 1$ it is its Taylor polynomial, as in `exprel`. Nothing overflows, in value or derivative.

    **Arguments:**

    - `decay`: $e^{-x}$ where it is there already, as from `shared_exp`.
    """
    x = jnp.asarray(x)
    if decay is None:
        decay = jnp.exp(jnp.minimum(-x, _largest(x)))
    terms = 10 if x.dtype == jnp.float64 else 4
    small = jnp.abs(x) < 1
    near, below = jnp.where(small, x, 0), jnp.where(small, 1, 1 - decay)
    square = near * near
    series = jnp.full_like(near, _BERNOULLI[terms - 1])
    for coefficient in _BERNOULLI[terms - 2 :: -1]:
        series = series * square + coefficient
    return jnp.where(small, 1 + near / 2 + series * square, x / below)


def shared_exp(x: Inexact[Array, "..."], power: int) -> Inexact[Array, "..."]:
    """$e^x$, for use in products of up to `power` of it, in the place of further exponentials.

    Its relative error, 1e-7 in float32, grows with the power. It is held where that power would leave the dtype's
    range, at |x| = 80 / `power` in float32 (700 / `power` in float64). Without bounds XLA would turn each product of
    exponentials into an exponential of its own.
    """
    bound = _largest(x) / power
    return jnp.clip(jnp.exp(x), math.exp(-bound), math.exp(bound))


def _largest(x: Inexact[Array, "..."]) -> float:
    """An exponent whose exponential is within the range of the dtype, as is its inverse."""
    return 700.0 if x.dtype == jnp.float64 else 80.0
