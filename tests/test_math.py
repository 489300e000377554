"""Removable singularities, in value and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neuropytree._math import exprel

POINTS = np.concatenate([-np.logspace(-12, 2, 60), [0.0], np.logspace(-12, 1.5, 60)])


def exact(x, order):
    """exprel and its derivatives from 40 terms of the series, or the recurrence for large x, in extended precision."""
    from fractions import Fraction
    from math import factorial

    x = float(x)
    if abs(x) < 2:
        q = Fraction(x)
        return float(
            sum(q**k * Fraction(factorial(k + order), factorial(k) * factorial(k + order + 1)) for k in range(30))
        )
    value = np.expm1(np.longdouble(x)) / np.longdouble(x)
    for n in range(1, order + 1):  # x f_n = e^x - n f_(n-1)
        value = (np.exp(np.longdouble(x)) - n * value) / np.longdouble(x)
    return float(value)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-13), (np.float32, 2e-5)])
def test_exprel(dtype, rtol, order):
    f = exprel
    for _ in range(order):
        f = jax.grad(f)
    x = POINTS.astype(dtype)
    got = jax.vmap(f)(jnp.asarray(x))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, [exact(v, order) for v in x], rtol=rtol * 10**order)
