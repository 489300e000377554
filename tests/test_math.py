"""Removable singularities, in value and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neuropytree._math import decayed, exprel, fast_exp, fast_expm1, linoid

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


def exact_linoid(x, order):
    """x / (1 - e^-x) and its derivatives, from 60 digits, by the quotient rule on series in rational numbers."""
    from fractions import Fraction
    from math import factorial

    if abs(x) < 3:
        q, terms = Fraction(float(x)), 60
        # exprel(-x) = sum c_k x^k; its reciprocal's coefficients by long division, as a Taylor series about x
        c = [
            Fraction(
                sum(
                    Fraction((-1) ** (k + n) * factorial(k + n), factorial(k + n + 1) * factorial(k) * factorial(n))
                    * q**k
                    for k in range(terms)
                )
            )
            for n in range(order + 1)
        ]
        inverse = [1 / c[0]]
        for n in range(1, order + 1):
            inverse.append(-sum(c[k] * inverse[n - k] for k in range(1, n + 1)) / c[0])
        return float(inverse[order] * factorial(order))
    x = np.longdouble(x)
    e = np.exp(-abs(x))
    if x > 0:
        return float(
            [x / (1 - e), (1 - e - x * e) / (1 - e) ** 2, e * (x * (1 + e) - 2 * (1 - e)) / (1 - e) ** 3][order]
        )
    # for negative x in terms of e = e^x: -x e / (1 - e) = x + linoid(-x)
    y = -x
    return float(
        [y * e / (1 - e), 1 - (1 - e - y * e) / (1 - e) ** 2, e * (y * (1 + e) - 2 * (1 - e)) / (1 - e) ** 3][order]
    )


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-13), (np.float32, 2e-5)])
def test_linoid(dtype, rtol, order):
    f = linoid
    for _ in range(order):
        f = jax.grad(f)
    x = POINTS.astype(dtype)
    got = jax.vmap(f)(jnp.asarray(x))
    assert got.dtype == dtype
    # relative to the largest value near by, since the tails vanish
    want = np.array([exact_linoid(v, order) for v in x])
    np.testing.assert_allclose(got, want, rtol=rtol * 10**order, atol=rtol * 10**order * 0.1)


def test_linoid_doesn_t_overflow():
    x = jnp.asarray([-1e4, 1e4], jnp.float32)
    value, slope = jax.jvp(linoid, (x,), (jnp.ones_like(x),))
    # the exponential is held at e^87, so that the tail ends at 1e-34
    np.testing.assert_allclose(value, [0.0, 1e4], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(slope, [0.0, 1.0], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fast_exp(dtype):
    """The stated error; 1 at 0; its own derivative; held beyond its bounds, NaN kept."""
    x = np.concatenate([np.linspace(-1, 1, 20001), np.linspace(-86, 86, 20001)]).astype(dtype)
    with jax.enable_x64(dtype is np.float64):
        value, slope = jax.jvp(fast_exp, (jnp.asarray(x),), (jnp.ones(x.size, dtype),))
        assert value.dtype == dtype
        ends = fast_exp(jnp.asarray([0.0, -0.0, -1e4, np.inf, np.nan], dtype))
        held = fast_exp(jnp.asarray([-3.0, 1.0, 3.0], dtype), 2.0)
    want = np.exp(x.astype(np.longdouble))
    error = np.abs(np.asarray(value, np.longdouble) / want - 1) / (1 + np.abs(x))
    assert np.max(error) < (1.5e-7 if dtype is np.float32 else 3e-16)
    np.testing.assert_array_equal(slope, value)
    assert ends[0] == ends[1] == 1 and 0 < ends[2] < 2e-38 and 5e37 < ends[3] < np.inf and np.isnan(ends[4])
    np.testing.assert_allclose(held, np.exp([-2.0, 1.0, 2.0]), rtol=1e-6)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 4e-16), (np.float32, 8e-7)])
def test_fast_expm1_keeps_its_digits_near_zero_and_its_derivatives(dtype, rtol):
    """Against NumPy's in twice the digits, or as many; above 1 the error grows with x, as for any exponential."""
    limit = 80 if dtype is np.float32 else 600
    small = np.logspace(-30, np.log10(limit), 3000)
    x = np.concatenate([-small, [0.0], small]).astype(dtype)
    want = np.expm1(x.astype(np.longdouble))
    tolerance = rtol * np.maximum(1, x)
    assert (np.abs(np.asarray(jax.jit(fast_expm1)(x)) - want) <= tolerance * np.abs(want)).all()
    for f in (jax.grad(fast_expm1), jax.grad(jax.grad(fast_expm1))):
        got, want = np.asarray(jax.vmap(f)(jnp.asarray(x))), np.exp(x.astype(np.longdouble))
        # e^x as e^x - 1 + 1, whose digits are those of 1
        assert (np.abs(got - want) <= tolerance * np.maximum(1, want) * 2).all()
    got = fast_expm1(jnp.asarray([np.nan, np.inf, -np.inf, 0.0], dtype))
    assert np.isnan(got[0]) and np.isfinite(got[1]) and got[2] == -1 and got[3] == 0


def test_decays_are_exact_at_any_rate():
    by = np.logspace(-9, 1, 45).astype(np.float32)
    ones = jnp.ones(45, jnp.float32)
    np.testing.assert_allclose(decayed(ones, jnp.asarray(by)), np.exp(-by.astype(float)), rtol=2e-7)
    slope = jax.vmap(jax.grad(decayed, 1))(ones, jnp.asarray(by))
    np.testing.assert_allclose(slope, -np.exp(-by.astype(float)), rtol=4e-7)
