"""Hybrid solves: spike times and their derivatives against closed forms, root finding and SciPy's solver."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import neuropytree as npt

from ..helpers import quick_jit

solve = npt.integrate.hybrid_solve
TIGHT = {"rtol": 1e-11, "atol": 1e-11}
PARAMETERS = {"tau": 10.0, "r": 2.0, "i": 1.0, "v_th": 1.0, "v_reset": -0.5, "v0": 0.2}


def lif_field(t, v, p):
    return (p["r"] * (p["i"] + p.get("amplitude", 0.0) * jnp.sin(p.get("omega", 0.0) * t)) - v) / p["tau"]


def lif(p, **kwargs):
    """A leaky integrate-and-fire neuron with the parameters in a dictionary."""
    options = {"t0": 0.0, "t1": 50.0, "max_spikes": 8, **TIGHT, **kwargs}
    return solve(
        lif_field,
        p["v0"],
        event=lambda t, v, p: v - p["v_th"],
        reset=lambda t, v, p: p["v_reset"],
        args=p,
        **options,
    )


def arrays(p):
    return {name: jnp.asarray(x, float) for name, x in p.items()}


def constant_drive_times(p, n):
    drive = p["r"] * p["i"]
    first = p["tau"] * jnp.log((drive - p["v0"]) / (drive - p["v_th"]))
    return first + p["tau"] * jnp.log((drive - p["v_reset"]) / (drive - p["v_th"])) * jnp.arange(n, dtype=float)


def test_constant_drive_has_the_times_and_derivatives_of_the_closed_form():
    p = arrays(PARAMETERS)

    @quick_jit
    def all_of(p):
        times = lambda p: lif(p).spike_times[:5]  # noqa: E731
        return lif(p), jax.jacrev(times)(p), jax.jacfwd(times)(p), jax.jacfwd(jax.grad(lambda p: times(p)[2]))(p)

    sol, backward, forward, second = all_of(p)
    assert sol.n_spikes == 5 and sol.status == 0 and sol.t == 50.0 and not sol.overflow
    np.testing.assert_allclose(sol.spike_times[:5], constant_drive_times(p, 5), rtol=0, atol=1e-9)
    assert np.all(np.isinf(sol.spike_times[5:]))
    exact = jax.jacrev(lambda p: constant_drive_times(p, 5))(p)
    exact_second = jax.hessian(lambda p: constant_drive_times(p, 5)[2])(p)
    for name in p:
        # the steps' tolerance, times the five intervals and a slope of up to 50
        np.testing.assert_allclose(backward[name], exact[name], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(forward[name], exact[name], rtol=1e-9, atol=1e-9)
        for other in p:
            np.testing.assert_allclose(second[name][other], exact_second[name][other], rtol=1e-7, atol=1e-6)


def sinusoid_times(p, n):
    """Spike times from the closed form of the membrane between spikes, and a bracketed root."""
    tau, omega, times, t0, v0 = p["tau"], p["omega"], [], 0.0, p["v0"]

    def steady(t):
        wave = (np.sin(omega * t) - omega * tau * np.cos(omega * t)) / (1 + (omega * tau) ** 2)
        return p["r"] * (p["i"] + p["amplitude"] * wave)

    for _ in range(n):
        above = lambda t: steady(t) + (v0 - steady(t0)) * np.exp(-(t - t0) / tau) - p["v_th"]  # noqa: E731, B023
        grid = t0 + np.linspace(1e-9, 60.0, 20_000)
        k = np.argmax(above(grid) >= 0)
        times.append(brentq(above, grid[k - 1], grid[k], xtol=1e-13, rtol=1e-15))
        t0, v0 = times[-1], p["v_reset"]
    return np.array(times)


def test_sinusoidal_drive_has_the_times_of_the_closed_form_and_their_derivatives():
    p = {**PARAMETERS, "amplitude": 1.2, "omega": 0.37}
    times = lambda p: lif(p, max_spikes=12, t1=60.0).spike_times[:6]  # noqa: E731
    all_of = quick_jit(lambda p: (times(p), jax.jacrev(times)(p), jax.jacfwd(times)(p)))
    found, backward, forward = all_of(arrays(p))
    np.testing.assert_allclose(found, sinusoid_times(p, 6), rtol=0, atol=1e-8)
    for name, x in p.items():
        h = 1e-4 * abs(x)
        up, down = (sinusoid_times({**p, name: x + d}, 6) for d in (h, -h))
        # central differences with h: an error of h^2 relative to the third derivative
        np.testing.assert_allclose(backward[name], (up - down) / (2 * h), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(forward[name], backward[name], rtol=1e-9, atol=1e-9)


def izhikevich(t, y, i):
    """The right-hand side for NumPy and JAX: y is (v, u)."""
    v, u = y[0], y[1]
    return 0.04 * v * v + 5 * v + 140 - u + i, 0.02 * (0.2 * v - u)


def restarts(i, t1, ask):
    """SciPy's solver, started again at every event."""
    t, y, times, asked = 0.0, np.array([-65.0, -14.0]), [], []
    event = lambda t, y: y[0] - 30.0  # noqa: E731
    event.terminal, event.direction = True, 1
    while t < t1:
        sol = solve_ivp(
            lambda t, y: izhikevich(t, y, i), (t, t1), y, "DOP853", events=event, rtol=1e-13, atol=1e-13,
            dense_output=True,
        )  # fmt: skip
        asked += [sol.sol(x) for x in ask if t <= x < sol.t[-1]]
        t, y = sol.t[-1], sol.y[:, -1]
        if sol.status == 1:
            times.append(t)
            y = np.array([-65.0, y[1] + 6.0])
    return np.array(times), np.array(asked)


def test_two_variables_that_both_jump_match_scipy_restarted_at_events():
    ask = [3.0, 20.0, 55.5, 90.0]

    def run(i, ts, **kwargs):
        return solve(
            lambda t, y, i: jnp.stack(izhikevich(t, y, i)), jnp.array([-65.0, -14.0]), t0=0.0, t1=100.0, args=i, ts=ts,
            event=lambda t, y, i: y[0] - 30.0, reset=lambda t, y, i: jnp.stack([jnp.asarray(-65.0), y[1] + 6.0]),
            max_spikes=20, **kwargs,
        )  # fmt: skip

    times, states = restarts(10.0, 100.0, ask)
    sol = run(jnp.asarray(10.0), jnp.array(ask[::-1]), **TIGHT)  # asked in any order
    assert sol.n_spikes == len(times) >= 4
    np.testing.assert_allclose(sol.spike_times[: len(times)], times, rtol=0, atol=1e-7)
    np.testing.assert_allclose(sol.ys[::-1], states, rtol=0, atol=1e-6)

    def what(i):
        sol = run(i, jnp.array(ask), **TIGHT)
        return jnp.concatenate([sol.spike_times[: len(times)], sol.ys[-1]])

    slope = quick_jit(jax.jacrev(what))(jnp.asarray(10.0))
    up, down = (restarts(10.0 + d, 100.0, ask) for d in (1e-4, -1e-4))
    reference = [(np.append(x, a[-1]) - np.append(y, b[-1])) / 2e-4 for (x, a), (y, b) in [(up, down)]][0]
    np.testing.assert_allclose(slope, reference, rtol=1e-5, atol=1e-6)


def test_a_hold_keeps_the_state_and_has_derivatives():
    """A refractory neuron beside a variable that decays on; the period ends a fixed time after the spike."""

    def run(hold, t0):
        return solve(
            lambda t, y, a: {"v": 0.1 * (2.0 - y["v"]), "w": -0.3 * y["w"]}, {"v": 0.0, "w": 1.0}, t0=t0, t1=40.0,
            event=lambda t, y, a: y["v"] - 1.0, reset=lambda t, y, a: {"v": 0.2, "w": y["w"] + 1.0}, hold=hold,
            hold_field=lambda t, y, a: {"v": jnp.zeros(()), "w": -0.3 * y["w"]}, max_spikes=5,
            ts=jnp.stack([jnp.asarray(t0), *jnp.arange(7.5, 11.0), jnp.asarray(40.0)]), **TIGHT,
        )  # fmt: skip

    first, again = 10 * np.log(2.0), 10 * np.log(1.8)
    hold, t0 = jnp.asarray(3.0), jnp.asarray(0.5)
    sol = run(hold, t0)
    times = 0.5 + first + (3.0 + again) * np.arange(4)
    np.testing.assert_allclose(sol.spike_times[:4], times, rtol=0, atol=1e-9)
    assert sol.n_spikes == 4
    after = 40.0 - times[3]
    v = [0.0, 0.2, 0.2, 0.2, 2.0 - 1.8 * np.exp(-0.1 * (10.5 - times[0] - 3.0)), 2 - 1.8 * np.exp(-0.1 * (after - 3))]
    np.testing.assert_allclose(sol.ys["v"], v, rtol=0, atol=1e-9)
    w = np.exp(-0.3 * 39.5) + np.sum(np.exp(-0.3 * (40.0 - times)))
    np.testing.assert_allclose([sol.ys["w"][-1], sol.y["w"]], w, rtol=0, atol=1e-9)

    def what(*x):
        sol = run(*x)
        return sol.spike_times[:4], sol.y["v"]

    times_by, v_by = quick_jit(jax.jacrev(what, (0, 1)))(hold, t0)
    np.testing.assert_allclose(times_by[0], [0, 1, 2, 3], atol=1e-9)
    np.testing.assert_allclose(times_by[1], 1.0, rtol=1e-9)
    dv = -0.18 * np.exp(-0.1 * (after - 3))  # the state at a fixed time, by the time of the last release
    np.testing.assert_allclose(v_by, [4 * dv, dv], rtol=1e-8)


def test_a_declared_jump_of_the_input_is_stepped_onto_and_its_time_has_a_derivative():
    """A current that sets in, whichever side the comparison counts the onset to."""

    def run(onset, declared, after):
        current = lambda t: jnp.where(t > onset if after else t >= onset, 2.0, 0.5)  # noqa: E731
        return solve(
            lambda t, v, a: (current(t) - v) / 10.0, 0.0, t0=0.0, t1=30.0, event=lambda t, v, a: v - 1.0,
            reset=lambda t, v, a: 0.0, jump_ts=onset[None] if declared else None, max_spikes=3, ts=[18.0], **TIGHT,
        )  # fmt: skip

    onset = jnp.asarray(7.3)
    v = 0.5 * (1 - np.exp(-0.73))
    expected = 7.3 + 10 * np.log(2.0 - v)
    steps = []
    for after in (True, False):
        sol = run(onset, True, after)
        np.testing.assert_allclose(sol.spike_times[0], expected, rtol=0, atol=1e-9)
        steps.append(int(sol.n_steps))
    assert int(run(onset, False, True).n_steps) > 1.2 * max(steps)

    def what(onset):
        sol = run(onset, True, False)
        return sol.spike_times[0], sol.ys[0]

    slope, dy = quick_jit(jax.jacrev(what))(onset)
    true = 1 - 10 / (2.0 - v) * 0.05 * np.exp(-0.73)
    np.testing.assert_allclose(slope, true, rtol=1e-9)
    np.testing.assert_allclose(dy, -true * 0.2 * np.exp(-0.1 * (18.0 - expected)), rtol=1e-8)


def test_crossings_of_a_model_without_reset():
    """v is sin t; it starts above the level 0.5 in one case and below in the other."""

    def crossings(t0):
        return solve(
            lambda t, y, a: jnp.cos(t), jnp.sin(t0), t0=t0, t1=20.0, event=lambda t, y, a: y - 0.5, reset=None,
            max_spikes=4, **TIGHT,
        )  # fmt: skip

    sol = jax.vmap(crossings)(jnp.array([0.0, 1.0]))
    expected = np.pi / 6 + 2 * np.pi * np.arange(4)
    np.testing.assert_allclose(sol.spike_times[0], [*expected[:4]], rtol=0, atol=1e-9)
    np.testing.assert_allclose(sol.spike_times[1], [*expected[1:], np.inf], rtol=0, atol=1e-9)
    # and one that moves another variable only, so that the event is where it was
    sol = solve(
        lambda t, y, a: jnp.stack([jnp.cos(t), jnp.zeros(())]), jnp.zeros(2), t0=0.0, t1=20.0, max_spikes=9, **TIGHT,
        event=lambda t, y, a: y[0] - 0.5, reset=lambda t, y, a: y + jnp.array([0.0, 1.0]),
    )  # fmt: skip
    np.testing.assert_allclose(sol.spike_times[:4], expected, rtol=0, atol=1e-9)
    assert sol.n_spikes == 4 and sol.y[1] == 4.0


def test_a_short_visit_above_the_threshold_within_a_step_is_seen():
    """The state is a parabola, on which any step is exact, so nearly all are 12 long; the visits are of 4, anywhere."""

    def run(centre, height):
        return solve(
            lambda t, y, a: 2 * (centre - t), height - centre**2, t0=0.0, t1=100.0, event=lambda t, y, a: y,
            reset=lambda t, y, a: y - 5000.0, max_spikes=2, dtmax=12.0,
        )  # fmt: skip

    centre = jnp.linspace(40.0, 52.0, 13)
    sol = jax.vmap(run)(centre, jnp.full(13, 4.0).at[0].set(-1.0))
    np.testing.assert_allclose(sol.spike_times[:, 0], [np.inf, *centre[1:] - 2.0], rtol=1e-9)
    assert jnp.all(sol.n_steps < 60)


def test_a_maximum_that_just_crosses_the_threshold_is_found():
    """v is sin t, whose first maximum lies above the level by `depth`: for 3 µs, in steps of half a millisecond."""

    def run(depth):
        return solve(
            lambda t, y, a: jnp.cos(t), 0.0, t0=0.0, t1=5.0, event=lambda t, y, a: y - 1.0 + depth,
            reset=lambda t, y, a: y - 5.0, max_spikes=3, **TIGHT,
        )  # fmt: skip

    depth = jnp.array([1e-3, 1e-5, 1e-6, -1e-6])
    sol = quick_jit(jax.vmap(run))(depth)
    # the time of so flat a crossing is that of v, some 1e-10, by the slope there, 1e-3
    np.testing.assert_allclose(sol.spike_times[:3, 0], np.arcsin(1 - depth[:3]), rtol=0, atol=1e-6)
    assert list(sol.n_spikes) == [1, 1, 1, 0]


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_an_upstroke_that_is_steeper_than_time_can_resolve(dtype):
    """v = -log(exp(-v0) - t) reaches 60 within 1e-26 of its pole at exp(-v0)."""

    def run(v0):
        return solve(
            lambda t, v, a: jnp.exp(v), v0, t0=0.0, t1=5.0, event=lambda t, v, a: v - 60.0,
            reset=lambda t, v, a: v0, max_spikes=9,
        )  # fmt: skip

    v0 = jnp.asarray(0.1, dtype)
    sol, slope = quick_jit(lambda v0: (run(v0), jax.grad(lambda v0: run(v0).spike_times[2])(v0)))(v0)
    pole, tolerance = np.exp(-0.1), 1e-7 if dtype == jnp.float64 else 3e-3
    assert sol.n_spikes == 5
    np.testing.assert_allclose(sol.spike_times[:5], pole * np.arange(1, 6), rtol=0, atol=tolerance)
    np.testing.assert_allclose(slope, -3 * pole, rtol=1e-5 if dtype == jnp.float64 else 1e-2)


@pytest.mark.parametrize("x64", [False, True], ids=["f32", "f64"])
def test_derivatives_at_a_root_of_any_multiplicity(x64):
    """y = -level + x sin t; where y^n rises through zero. Newton's method on it gives 1 - (1 - 1/n)^2 of them."""

    def time(at, power):
        x, level = at
        sol = solve(
            lambda t, y, args: args[0] * jnp.cos(t),
            -level,
            t0=0.0,
            t1=1.5,
            event=lambda t, y, args: jnp.select([args[1] == 1, args[1] == 3], [y, y**3], y**5),
            reset=lambda t, y, args: y - 10,
            max_spikes=1,
            args=(x, power),
        )
        return sol.spike_times[0]

    def derivatives(at, power, time=time):
        slope = jax.grad(time)(at, power)
        return slope, slope

    second = jax.jacfwd(derivatives, has_aux=True)
    with jax.enable_x64(True):
        want = second(jnp.array([1.1, 0.6]), 1, lambda at, power: jnp.arcsin(at[1] / at[0]))
    with jax.enable_x64(x64):
        solved = quick_jit(second)
        for power in (1, 3, 5):
            got = solved(jnp.array([1.1, 0.6]), jnp.asarray(power))
            for x, y in zip(got, want, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-6 if x64 else 5e-4)


def test_neurons_with_different_numbers_of_spikes_in_one_batch():
    """Also: silent; on the threshold at the beginning; a spike at the very end."""
    currents, v0 = jnp.array([0.4, 1.0, 1.7, 3.0, 0.6]), jnp.array([0.0, 0.0, 0.0, 1.0, 0.0])
    end = float(constant_drive_times({**PARAMETERS, "v0": 0.0, "i": 0.6}, 2)[1])
    p = arrays(PARAMETERS)

    def run(i, v0, t1):
        return lif({**p, "i": i, "v0": v0}, t1=t1, max_spikes=16)

    t1 = jnp.array([50.0, 50.0, 50.0, 20.0, end + 1e-9])

    def total(i, v0, t1):
        times = run(i, v0, t1).spike_times
        return jnp.sum(jnp.where(jnp.isfinite(times), times, 0.0))

    batch, slopes = quick_jit(jax.vmap(lambda *x: (run(*x), jax.grad(total)(*x))))(currents, v0, t1)
    for k, (i, v, t) in enumerate(zip(currents, v0, t1, strict=True)):
        q = {**p, "i": i, "v0": v}
        exact = constant_drive_times(q, 16) if 2 * i > 1 else jnp.full(16, jnp.inf)
        count = int(np.sum(exact <= t))
        assert batch.n_spikes[k] == count and batch.status[k] == 0
        np.testing.assert_allclose(batch.spike_times[k, :count], exact[:count], rtol=0, atol=1e-9)
        if count:
            slope = jax.grad(lambda i, q=q, count=count: jnp.sum(constant_drive_times({**q, "i": i}, count)))(i)
            np.testing.assert_allclose(slopes[k], slope, rtol=1e-8)
    assert list(batch.n_spikes) == [0, 5, 10, 8, 2] and slopes[0] == 0
    assert batch.spike_times[3, 0] == 0.0


def test_what_goes_wrong_is_reported():
    p = arrays(PARAMETERS)
    with pytest.raises(eqx.EquinoxRuntimeError, match="more than max_spikes=3 events"):
        lif(p, max_spikes=3)
    sol = lif(p, max_spikes=3, throw=False, ts=[5.0, 49.0])
    np.testing.assert_allclose(sol.spike_times, constant_drive_times(p, 3), rtol=0, atol=1e-9)
    assert sol.overflow and sol.n_spikes == 3 and sol.t < constant_drive_times(p, 4)[3] + 1e-9
    assert np.isfinite(sol.ys[0]) and np.isinf(sol.ys[1])
    with pytest.raises(eqx.EquinoxRuntimeError, match="max_steps=20"):
        lif(p, max_steps=20)
    for level in (1.0, 1.5):
        with pytest.raises(eqx.EquinoxRuntimeError, match="reset below the threshold"):
            lif({**p, "v_reset": jnp.asarray(level)})
    for field, message in ((lambda t, y, a: y * y, "blows up"), (lambda t, y, a: y * jnp.nan, "isn't finite")):
        with pytest.raises(eqx.EquinoxRuntimeError, match=message):
            solve(field, 1.0, t0=0.0, t1=2.0, event=lambda t, y, a: -1.0, reset=None, max_spikes=1)
    with pytest.raises(eqx.EquinoxRuntimeError, match="outside of t0 and t1"):
        lif(p, ts=[51.0])


def test_mistakes_are_named():
    good = {"t0": 0.0, "t1": 1.0, "event": lambda t, y, a: y - 1.0, "reset": None, "max_spikes": 2}
    still = lambda t, y, a: 0.0 * y  # noqa: E731
    for changes, kind, message in (
        ({"max_spikes": 0}, ValueError, "max_spikes is 0"),
        ({"max_steps": 1.5}, ValueError, "max_steps is 1.5"),
        ({"event": 1.0}, TypeError, "event is 1.0"),
        ({"hold_field": still}, ValueError, "hold_field is given without hold"),
        ({"solver": diffrax.Euler()}, TypeError, "error estimate"),
        ({"event": lambda t, y, a: jnp.zeros(2)}, ValueError, "event returned an array of shape"),
        ({"reset": lambda t, y, a: (y, y)}, ValueError, "reset returned"),
        ({"ts": 0.5}, ValueError, "ts has shape"),
        ({"event": lambda t, y, a: y > 1.0}, TypeError, "event returned a truth value"),
        ({"event": lambda t, y: y}, TypeError, "event is a function of .t, y.; expected a function of .t, y, args."),
        ({"reset": 0.0}, TypeError, "reset is 0.0; expected a function"),
        ({"reset": lambda t, y, a: 1j}, TypeError, "reset returned 1j; expected real numbers"),
        ({"hold": -1.0}, ValueError, "hold is -1; expected a finite number of ms, at least 0"),
        ({"hold": 1.0, "hold_field": "a"}, TypeError, "hold_field is 'a'; expected a function"),
        ({"t0": jnp.zeros(2)}, ValueError, "t0 has shape .2,.; expected one number"),
        ({"t1": np.inf}, ValueError, "t1 is inf; expected a finite number"),
        ({"t1": "a"}, TypeError, "t1 is 'a'; expected a number"),
        ({"rtol": -1e-6}, ValueError, "rtol is -1e-06; expected a positive, finite number"),
        ({"atol": 0.0}, ValueError, "atol is 0; expected"),
        ({"dtmax": 0.0}, ValueError, "dtmax is 0; expected a positive number of ms"),
        ({"root_tol": -1.0}, ValueError, "root_tol is -1; expected"),
        ({"jump_ts": [np.nan]}, ValueError, "jump_ts is nan at index 0; expected numbers of ms"),
    ):
        with pytest.raises(kind, match=message):
            solve(still, 0.0, **{**good, **changes})
    for y0 in ((), {"a": jnp.zeros(1), "b": jnp.zeros(1, jnp.float32)}):
        with pytest.raises(ValueError, match="y0 has dtypes"):
            solve(still, y0, **good)
    for y0, kind, message in (
        ("a", TypeError, "y0 is 'a'; expected a number"),
        (jnp.array(True), TypeError, "y0 has dtype bool; expected real numbers"),
        (np.nan, ValueError, "y0 is nan; expected finite numbers"),
        ({"a": np.array([0.0, np.inf])}, ValueError, "y0 'a' is inf at index 1; expected finite numbers"),
    ):
        with pytest.raises(kind, match=message):
            solve(still, y0, **good)


def test_other_solvers_and_other_dtypes():
    """An implicit one on a stiff second variable; Dopri8; and float32 at its own tolerance."""
    p = arrays(PARAMETERS)
    exact = constant_drive_times(p, 5)

    def stiff(p):
        return solve(
            lambda t, y, p: jnp.stack([lif_field(t, y[0], p), 1e4 * (y[0] - y[1])]), jnp.stack([p["v0"], p["v0"]]),
            t0=0.0, t1=50.0, event=lambda t, y, p: y[0] - p["v_th"],
            reset=lambda t, y, p: jnp.stack([p["v_reset"], y[1]]), args=p, max_spikes=8, solver=diffrax.Kvaerno5(),
            rtol=1e-8, atol=1e-8,
        )  # fmt: skip

    sol, slope = quick_jit(lambda p: (stiff(p), jax.grad(lambda p: stiff(p).spike_times[4])(p)))(p)
    np.testing.assert_allclose(sol.spike_times[:5], exact, rtol=0, atol=1e-5)  # ten times the global error
    assert sol.n_steps < 2000  # an explicit method would need 1e5
    expected = jax.grad(lambda p: constant_drive_times(p, 5)[4])(p)
    np.testing.assert_allclose([slope[k] for k in p], [expected[k] for k in p], rtol=1e-4)
    for solver in (diffrax.Dopri8(), npt.integrate.DormandPrince()):
        np.testing.assert_allclose(lif(p, solver=solver).spike_times[:5], exact, rtol=0, atol=1e-9)
    low = {name: x.astype(jnp.float32) for name, x in p.items()}
    loose = {"rtol": None, "atol": None}
    slope, sol = quick_jit(jax.grad(lambda p: ((sol := lif(p, **loose)).spike_times[4], sol), has_aux=True))(low)
    assert sol.spike_times.dtype == sol.y.dtype == jnp.float32
    # 1e-5 a step, some 20 steps an interval; times of 50 have a resolution of 4e-6
    np.testing.assert_allclose(sol.spike_times[:5], exact, rtol=0, atol=5e-3)
    np.testing.assert_allclose([slope[k] for k in p], [expected[k] for k in p], rtol=1e-3)


def test_rejected_steps_leave_no_trace_in_the_gradient():
    """An exponential upstroke overflows in steps that are tried and rejected."""

    def run(i):
        return solve(
            lambda t, v, a: -v + jnp.exp(20.0 * (v - 1.0)) + i, 0.0, t0=0.0, t1=8.0, event=lambda t, v, a: v - 1.6,
            reset=lambda t, v, a: 0.0, max_spikes=9, **TIGHT,
        ).spike_times[2]  # fmt: skip

    both = quick_jit(jax.value_and_grad(run))
    (_, slope), (high, _), (low, _) = (both(jnp.asarray(1.3 + d)) for d in (0.0, 1e-4, -1e-4))
    np.testing.assert_allclose(slope, (high - low) / 2e-4, rtol=1e-6)


def test_a_solve_that_begins_held_and_events_that_must_have_been_below():
    """A leaky integrator, v' = (25 - v)/10, that spikes at 20 and is reset to 0: every 10 ln 5 ms."""

    def run(y0, **options):
        field, event = lambda t, v, args: (25.0 - v) / 10.0, lambda t, v, args: v - 20.0
        return npt.integrate.hybrid_solve(
            field,
            jnp.asarray(y0),
            t0=100.0,
            t1=160.0,
            event=event,
            reset=lambda t, v, args: 0.0,
            max_spikes=5,
            **options,
        )

    period = 10 * np.log(5.0)
    times = 100.0 + period * np.arange(1, 4)
    np.testing.assert_allclose(run(0.0).spike_times[:3], times, rtol=1e-9)
    still = {"hold": 0.0, "hold_field": lambda t, v, args: 0.0}
    np.testing.assert_allclose(run(0.0, held_until=107.0, **still).spike_times[:3], times + 7.0, rtol=1e-9)
    assert float(run(21.0).spike_times[0]) == 100.0  # above from the beginning: at once
    assert int(run(21.0, crossings=True).n_spikes) == 0  # never below


def test_options_of_a_solve_are_checked_once_and_stay_as_they_are():
    options = npt.integrate.hybrid_options(jnp.float64, max_spikes=3, rtol=1e-6, ts=[1.0])
    again = npt.integrate.hybrid_options(jnp.float64, **options)
    for name in ("rtol", "atol", "ts", "dtmax"):
        np.testing.assert_array_equal(again[name], options[name])
    with pytest.raises(ValueError, match="rtol is -1; expected a positive, finite number"):
        npt.integrate.hybrid_options(jnp.float64, max_spikes=3, rtol=-1.0)
