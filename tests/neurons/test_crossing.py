"""Spikes of neurons without reset: between the ends of two steps, the voltage gets above the threshold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

nn = npt.neurons
OLD = np.array([-3.0, -3.0, 1.0, 1.0, 0.0, -1.0])
NEW = np.array([-1.0, 2.0, 2.0, -1.0, 1.0, 0.0])
SPIKES = [0, 1, 0, 0, 0, 1]


def crossings(old, new, v_th, surrogate):
    """The spikes of a step that takes the voltage from `old` to `new`."""
    membrane = nn.LeakyMembrane(v_rest=0.0, tau=10.0, v_init=old)
    cell = nn.PointNeuron(old.shape, membrane=membrane, threshold=nn.Crossing(nn.Threshold(v_th, surrogate)))
    state, tick = cell.init(), npt.Tick.at(0, dt=0.1)
    return cell.fire(cell.jump(cell.move(state, None, tick), lambda _: new), tick)[1]


@pytest.mark.parametrize("surrogate", [None, npt.surrogate.Sigmoid(2.0)])
def test_a_spike_is_a_crossing_from_below(surrogate):
    got = jax.jit(lambda a, b: crossings(a, b, 10.0, surrogate))(jnp.asarray(OLD + 10.0), jnp.asarray(NEW + 10.0))
    assert got.dtype == (bool if surrogate is None else float)
    np.testing.assert_array_equal(got, np.array(SPIKES).astype(got.dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradient_in_both_voltages(dtype):
    with jax.enable_x64(dtype is np.float64):
        surrogate = npt.surrogate.PiecewiseExp(0.7)
        old, new, v_th = (jnp.asarray(x, dtype) for x in (OLD + 10.0, NEW + 10.0, 10.0))
        total = lambda *args: crossings(*args, surrogate).sum()  # noqa: E731
        d_old, d_new, d_th = jax.grad(total, argnums=(0, 1, 2))(old, new, v_th)
        only_new = jax.grad(total, argnums=1)(old, new, v_th)
    g = lambda x: 0.35 * np.exp(-0.7 * np.abs(x))  # noqa: E731
    tol = {"rtol": 1e-12 if dtype is np.float64 else 1e-6}
    assert d_old.dtype == d_new.dtype == dtype
    np.testing.assert_allclose(d_new, g(NEW) * (OLD < 0), **tol)
    np.testing.assert_allclose(d_old, -g(OLD) * (NEW >= 0), **tol)
    np.testing.assert_allclose(d_th, -(d_old + d_new).sum(), **tol)
    np.testing.assert_array_equal(only_new, d_new)


def test_a_jump_that_crosses_is_a_crossing_whenever_it_falls_into_the_step():
    """A voltage at rest below the threshold: before the threshold is read; after, above at the end of the next step;
    after, and back below by then; and one that was above already."""
    membrane = nn.PerfectMembrane(tau=1.0, v_init=jnp.array([0.0, 0.0, 0.0, 12.0]))
    cell = nn.PointNeuron(4, membrane=membrane, threshold=nn.Crossing(nn.Threshold(10.0, None)))
    early, late, input = jnp.array([15.0, 0, 0, 15.0]), jnp.array([0.0, 15.0, 15.0, 0.0]), jnp.array([0, 0, -60.0, 0])

    @jax.jit
    def step(state, k, early, late):
        tick = npt.Tick.at(k, dt=0.1)
        state, spike = cell.fire(cell.jump(cell.move(state, input, tick), lambda v: v + early), tick)
        return cell.jump(state, lambda v: v + late), spike

    state, first = step(cell.init(), 0, early, late)
    state, second = step(state, 1, 0 * early, 0 * late)
    np.testing.assert_array_equal(first, [True, False, False, False])
    np.testing.assert_array_equal(second, [False, True, False, False])
    assert not step(state, 2, 0 * early, 0 * late)[1].any()  # one spike each
