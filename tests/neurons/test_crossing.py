"""Spikes of neurons without reset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

OLD = np.array([-3.0, -3.0, 1.0, 1.0, 0.0, -1.0])
NEW = np.array([-1.0, 2.0, 2.0, -1.0, 1.0, 0.0])
SPIKES = [0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("surrogate", [None, npt.surrogate.Sigmoid(2.0)])
def test_a_spike_is_a_crossing_from_below(surrogate):
    crossing = npt.neurons.Crossing(10.0, surrogate)
    got = jax.jit(lambda a, b: crossing(a, b))(jnp.asarray(OLD + 10.0), jnp.asarray(NEW + 10.0))
    assert got.dtype == (bool if surrogate is None else float)
    assert crossing.silent(jnp.asarray(OLD)).dtype == got.dtype
    np.testing.assert_array_equal(got, np.array(SPIKES).astype(got.dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradient_in_both_voltages(dtype):
    surrogate = npt.surrogate.PiecewiseExp(0.7)
    with jax.enable_x64(dtype is np.float64):
        crossing = npt.neurons.Crossing(10.0, surrogate)
        old, new = jnp.asarray(OLD + 10.0, dtype), jnp.asarray(NEW + 10.0, dtype)
        d_old, d_new = jax.grad(lambda a, b: crossing(a, b).sum(), argnums=(0, 1))(old, new)
        d_th = jax.grad(lambda th: npt.neurons.Crossing(th, surrogate)(old, new).sum())(crossing.v_th)
        only_new = jax.grad(lambda b: crossing(old, b).sum())(new)
    g = lambda x: 0.35 * np.exp(-0.7 * np.abs(x))  # noqa: E731
    tol = {"rtol": 1e-12 if dtype is np.float64 else 1e-6}
    assert d_old.dtype == d_new.dtype == dtype
    np.testing.assert_allclose(d_new, g(NEW) * (OLD < 0), **tol)
    np.testing.assert_allclose(d_old, -g(OLD) * (NEW >= 0), **tol)
    np.testing.assert_allclose(d_th, -(d_old + d_new).sum(), **tol)
    np.testing.assert_array_equal(only_new, d_new)
