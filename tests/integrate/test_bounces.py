"""Hybrid solves whose resets leave the event where it is, at zero."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import quick_jit

RESETS = {
    "height as it is": lambda t, y, r: jnp.stack([y[0], -r * y[1]]),
    "height zero": lambda t, y, r: jnp.stack([0 * y[0], -r * y[1]]),
}


@pytest.mark.parametrize("x64", [True, False], ids=["f64", "f32"])
@pytest.mark.parametrize("reset", RESETS)
def test_a_ball_bounces_and_never_falls_through_the_floor(reset, x64):
    """The reset leaves the event at zero, from where it falls; and the solver could step across a whole flight."""

    def height(r):  # in closed form: flights between bounces are parabolas
        start = np.sqrt(2 / 9.81)
        speed = 9.81 * start
        for _ in range(5):
            speed = speed * r
            start = start + 2 * speed / 9.81
        speed = speed * r
        return speed * (4.0 - start) - 9.81 / 2 * (4.0 - start) ** 2

    def solved(r):
        return npt.integrate.hybrid_solve(
            lambda t, y, r: jnp.stack([y[1], jnp.full_like(y[1], -9.81)]),
            jnp.array([1.0, 0.0]),
            t0=0.0,
            t1=4.0,
            event=lambda t, y, r: -y[0],
            reset=RESETS[reset],
            max_spikes=20,
            args=r,
        )

    with jax.enable_x64(x64):
        both = quick_jit(lambda r: (solved(r), jax.grad(lambda r: solved(r).y[0])(r)))
        sol, slope = both(jnp.asarray(0.9))
        assert int(sol.n_spikes) == 6
        assert float(sol.y[0]) == pytest.approx(height(0.9), rel=1e-8 if x64 else 2e-4)
        expected = (height(0.9 + 1e-6) - height(0.9 - 1e-6)) / 2e-6
        # the time of the last landing counts 117 times in the slope, and float32 has it to some 5e-5 s, by rtol = 1e-5
        assert float(slope) == pytest.approx(expected, rel=1e-6 if x64 else 6e-3)


def test_a_reset_above_zero_is_still_an_error():
    with pytest.raises(eqx.EquinoxRuntimeError, match="at or above zero"):
        npt.integrate.hybrid_solve(
            lambda t, y, args: jnp.ones_like(y),
            jnp.array(-1.0),
            t0=0.0,
            t1=4.0,
            event=lambda t, y, args: y,
            reset=lambda t, y, args: 0.5,
            max_spikes=5,
        )


@pytest.mark.parametrize("x64", [True, False], ids=["f64", "f32"])
def test_a_ball_that_is_thrown_up_from_the_floor_flies_first(x64):
    """At t0 the event is zero, and on the way down: that is no bounce."""
    with jax.enable_x64(x64):
        sol = npt.integrate.hybrid_solve(
            lambda t, y, args: jnp.stack([y[1], jnp.full_like(y[1], -9.81)]),
            jnp.array([0.0, 3.0]),
            t0=0.0,
            t1=1.0,
            event=lambda t, y, args: -y[0],
            reset=lambda t, y, args: jnp.stack([y[0], -y[1]]),
            max_spikes=9,
        )
        flight = 6 / 9.81
        np.testing.assert_allclose(sol.spike_times[0], flight, rtol=1e-9 if x64 else 1e-6)
        rest = 1 - flight
        assert int(sol.n_spikes) == 1
        assert float(sol.y[0]) == pytest.approx(3 * rest - 9.81 / 2 * rest**2, rel=1e-8 if x64 else 1e-4)


@pytest.mark.parametrize("x64", [True, False], ids=["f64", "f32"])
def test_an_event_at_the_end_counts_to_rounding(x64):
    """Ten times 1 are added up by steps; at t1 the state is at the event but for the last digits."""
    with jax.enable_x64(x64):

        @jax.jit
        def solved(t1):
            return npt.integrate.hybrid_solve(
                lambda t, y, args: jnp.ones_like(y),
                0.0,
                t0=0.0,
                t1=t1,
                event=lambda t, y, args: y - 1,
                reset=lambda t, y, args: y - 1,
                max_spikes=20,
            )

        for t1 in (1.0, 5.0, 10.0, 10.001):
            sol = solved(t1)
            assert int(sol.n_spikes) == int(t1) and abs(float(sol.y) - t1 % 1) < 1e-5
