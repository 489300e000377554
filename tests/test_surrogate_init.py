"""Spike functions and initial values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import neuropytree as npt
from neuropytree.testing import surrogate_bank

X = np.linspace(-3.0, 3.0, 13)


@pytest.mark.parametrize("surrogate", surrogate_bank().values(), ids=surrogate_bank())
def test_step_forward_and_stand_in_backward(surrogate):
    x = jnp.asarray(X)
    np.testing.assert_array_equal(surrogate(x), (X >= 0).astype(float))
    np.testing.assert_array_equal(jax.vmap(jax.grad(surrogate))(x), surrogate.derivative(x))
    # the smooth function behind it rises by one in all
    total = scipy.integrate.quad(lambda v: float(surrogate.derivative(jnp.asarray(v))), -30, 30, points=[0.0])[0]
    assert total == pytest.approx(1.0, abs=1e-6)
    assert float(jax.grad(jax.grad(surrogate))(jnp.asarray(0.3))) == pytest.approx(
        float(jax.grad(surrogate.derivative)(jnp.asarray(0.3))), rel=1e-12
    )


def test_derivatives_in_closed_form():
    s = 1 / (1 + np.exp(-4 * X))
    np.testing.assert_allclose(npt.surrogate.Sigmoid(4.0).derivative(jnp.asarray(X)), 4 * s * (1 - s), rtol=1e-12)
    np.testing.assert_allclose(
        npt.surrogate.PiecewiseExp(2.0).derivative(jnp.asarray(X)), np.exp(-2 * np.abs(X)), rtol=1e-12
    )


def test_spikes_keep_the_dtype_of_the_voltage():
    assert npt.surrogate.Sigmoid()(jnp.ones(2, jnp.float32)).dtype == jnp.float32
    assert jax.grad(lambda x: npt.surrogate.Sigmoid()(x))(jnp.float32(0.1)).dtype == jnp.float32


def test_moments_of_the_initializers():
    key, n = jax.random.key(0), 40_000
    u = np.asarray(npt.init.Uniform(-2.0, 4.0)((n,), key=key))
    z = np.asarray(npt.init.Normal(-55.0, 2.0)((n,), key=key))
    assert u.min() >= -2.0 and u.max() < 4.0
    # four standard errors
    assert abs(u.mean() - 1.0) < 4 * 6 / np.sqrt(12 * n) and abs(z.mean() + 55.0) < 4 * 2 / np.sqrt(n)
    assert abs(u.var() / 3.0 - 1) < 4 * np.sqrt(0.8 / n) and abs(z.std() / 2.0 - 1) < 4 / np.sqrt(2 * n)
    np.testing.assert_array_equal(npt.init.Constant(3.0)((2, 2)), np.full((2, 2), 3.0))


@pytest.mark.parametrize(
    "rule", [npt.init.Constant(0.5), npt.init.Uniform(), npt.init.Normal()], ids=lambda r: type(r).__name__
)
def test_each_serves_for_a_weight_and_for_a_state(rule):
    cell = npt.neurons.LIF(20, v_init=rule)
    assert cell.init(key=jax.random.key(0)).v.shape == (20,)
    w = npt.connect.FixedProb(0.5)(20, 10, weight=rule, key=jax.random.key(0))
    assert w.weight.shape == w.indices.shape


def test_random_values_need_a_key():
    for rule in (npt.init.Uniform(), npt.init.Normal()):
        with pytest.raises(ValueError, match="got no key"):
            rule((3,))
