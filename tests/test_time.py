"""Times of steps: rounded once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree._time import time_stamps

DTS = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1 / 3]


def times(k, dt):
    return np.asarray(jax.jit(jax.vmap(lambda k: npt.Tick.at(k, dt=dt).t))(jnp.asarray(k, jnp.int32)))


@pytest.mark.parametrize("dt", DTS)
def test_float32_times_are_the_exact_ones_rounded(dt):
    """Register A2: for dt 0.01, a quarter of the first 20 000 steps once began before their time."""
    k = np.concatenate([np.arange(20_000), np.random.default_rng(0).integers(0, 2**31, 20_000)])
    with jax.enable_x64(False):
        got = times(k, dt)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, (k * dt).astype(np.float32))
    np.testing.assert_array_equal(times(k, dt), k * dt)  # float64


@pytest.mark.parametrize("dt", DTS[:-1])
def test_a_stimulus_begins_in_the_step_that_is_meant(dt):
    """`t >= onset` with the onset as somebody writes it down: true from its step on, and in none before."""
    with jax.enable_x64(False):
        t = times(np.arange(20_000), dt)
        onsets = jnp.asarray([float(f"{k * dt:.10g}") for k in range(20_000)])
        assert onsets.dtype == t.dtype == np.float32
    assert (t >= onsets).all() and (t[:-1] < onsets[1:]).all()


def test_traced_steps_keep_what_they_have():
    with jax.enable_x64(False):
        k = np.arange(0, 2**31 - 1, 2**20 + 7)
        got = jax.jit(lambda dt: jax.vmap(lambda k: npt.Tick.at(k, dt=dt).t)(jnp.asarray(k, jnp.int32)))(
            jnp.float32(0.1)
        )
        np.testing.assert_array_equal(got, (k * np.float64(np.float32(0.1))).astype(np.float32))
        slope = jax.grad(lambda dt: npt.Tick.at(1000, dt=dt).t)(jnp.float32(0.1))
        assert slope.dtype == jnp.float32 and slope == 1000.0


def test_parts_of_a_step_follow_each_other():
    with jax.enable_x64(False):
        for k in (0, 7, 12_345_678):
            tick = npt.Tick.at(k, dt=0.1)
            parts = [float(tick.part(j, 4).t) for j in range(4)]
            np.testing.assert_array_equal(parts, np.float32([k * 0.1 + j * 0.025 for j in range(4)]))
            assert parts[0] == float(tick.t)
            inner = tick.part(3, 4).part(1, 5)
            assert float(inner.t) == np.float32(k * 0.1 + 3 * 0.025 + 0.005) and inner.dt == 0.1 / 4 / 5


def test_time_stamps_are_float64_on_the_host():
    got = time_stamps(22_603_500, 0.1, 6, 2)
    assert isinstance(got, np.ndarray) and got.dtype == np.float64
    np.testing.assert_array_equal(got, np.array([22_603_502, 22_603_504, 22_603_506]) * 0.1)
    with jax.enable_x64(False):
        traced = jax.jit(lambda start: time_stamps(start, 0.01, 20_000))(3)
    np.testing.assert_array_equal(traced, (np.arange(4, 20_004) * 0.01).astype(np.float32))


@pytest.mark.parametrize("x64", [True, False])
def test_trajectories_have_them(x64):
    def solve(start):
        return npt.integrate.odeint(lambda t, y, a: -y, 1.0, dt=0.1, duration=1.0, start=start, every=5).ts

    with jax.enable_x64(x64):
        np.testing.assert_array_equal(solve(22_603_500), np.array([22_603_505, 22_603_510]) * 0.1)
        traced = jax.jit(solve)(jnp.int32(22_603_500))
        want = (np.array([22_603_505, 22_603_510]) * 0.1).astype(traced.dtype)
        np.testing.assert_array_equal(traced, want)


@pytest.mark.parametrize("index", [1.5, True, "x", None])
def test_the_number_of_a_step_is_whole(index):
    with pytest.raises(TypeError):
        npt.Tick.at(index, dt=0.1)
