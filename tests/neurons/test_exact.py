"""Exact spikes of point neurons: closed forms, SciPy's solver restarted at events, and steps that grow small."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt

from ..helpers import quick_jit

exact = npt.neurons.exact_spikes
TIGHT = {"rtol": 1e-11, "atol": 1e-11}


def closed_form(p, n):
    """Spikes of leaky integrate-and-fire neurons that start at rest 0, under constant currents; inf where silent."""
    spikes = p["i"] > p["v_th"]
    i = jnp.where(spikes, p["i"], p["v_th"] + 1.0)
    again = p["tau"] * jnp.log((i - p["v_reset"]) / (i - p["v_th"])) + p["t_ref"]
    first = p["tau"] * jnp.log(i / (i - p["v_th"]))
    return jnp.where(spikes, first, jnp.inf)[..., None] + again[..., None] * jnp.arange(n, dtype=float)[None, None]


def test_a_population_of_different_neurons_and_currents_has_the_times_and_derivatives_of_the_closed_form():
    p = {
        "tau": jnp.array([[10.0, 15.0, 20.0], [5.0, 10.0, 10.0]]),
        "v_th": jnp.array([[20.0, 10.0, 15.0], [20.0, 20.0, 20.0]]),
        "v_reset": jnp.asarray(-3.0),
        "t_ref": jnp.array([[2.0, 0.0, 1.0], [3.5, 2.0, 2.0]]),
        "i": jnp.array([[25.0, 30.0, 40.0], [22.0, 60.0, 19.0]]),
    }

    def run(p):
        parts = {k: x for k, x in p.items() if k != "i"}
        return exact(npt.neurons.LIF((2, 3), **parts), p["i"], duration=60.0, max_spikes=25, ts=[30.0, 60.0], **TIGHT)

    def total(p, times):
        times = times(p)
        return jnp.sum(jnp.where(times <= 60.0, times, 0.0))

    sol, slopes = quick_jit(lambda p: (run(p), jax.grad(total)(p, lambda p: run(p).spike_times)))(p)
    times = np.asarray(closed_form(p, 25))
    expected = np.where(times <= 60.0, times, np.inf)
    assert sol.spike_times.shape == (2, 3, 25) and sol.n_spikes.shape == (2, 3) and sol.ys.v.shape == (2, 2, 3)
    np.testing.assert_array_equal(sol.n_spikes, np.sum(expected <= 60.0, axis=-1))
    assert sol.n_spikes[1, 2] == 0 and sol.n_spikes[1, 1] == 9
    np.testing.assert_allclose(sol.spike_times, expected, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(sol.ys.v[-1], sol.y.v)
    exact_slopes = jax.grad(total)(p, lambda p: closed_form(p, 25))
    for name in p:
        np.testing.assert_allclose(slopes[name], exact_slopes[name], rtol=1e-7, atol=1e-8, err_msg=name)


def test_a_function_of_time_and_the_gradient_of_what_it_holds():
    """Each neuron has its own amplitude; SciPy's solver, restarted at spikes and after the refractory period."""
    amplitude = np.array([0.0, 6.0, 12.0])

    def tone(amplitude, t):
        return 22.0 + amplitude * jnp.sin(0.3 * t)

    def reference(a):
        t, v, times = 0.0, 0.0, []
        event = lambda t, v: v[0] - 20.0  # noqa: E731
        event.terminal, event.direction = True, 1
        while t < 100.0:
            field = lambda t, v: (22.0 + a * np.sin(0.3 * t) - v) / 10.0  # noqa: E731
            sol = solve_ivp(field, (t, 100.0), [v], "DOP853", events=event, rtol=1e-13, atol=1e-13, max_step=1.0)
            if sol.status == 1:
                times.append(sol.t[-1])
            t, v = sol.t[-1] + 2.0, -5.0
        return np.array(times)

    cell = npt.neurons.LIF(3, t_ref=2.0)

    def third(amplitude):
        drive = jax.tree_util.Partial(tone, amplitude)
        sol = exact(cell, drive, duration=100.0, max_spikes=6, **TIGHT)
        return jnp.sum(sol.spike_times[:, 2]), sol

    slope, sol = quick_jit(jax.grad(third, has_aux=True))(jnp.asarray(amplitude))
    for k, a in enumerate(amplitude):
        times = reference(a)
        assert sol.n_spikes[k] == len(times) >= 3
        np.testing.assert_allclose(sol.spike_times[k, : len(times)], times, rtol=0, atol=1e-8)
        difference = (reference(a + 1e-4)[2] - reference(a - 1e-4)[2]) / 2e-4
        np.testing.assert_allclose(slope[k], difference, rtol=1e-5)


def test_every_kind_of_threshold_reset_jump_and_refractoriness_is_the_limit_of_small_steps():
    """Steps of 10 µs: a spike is counted at the end of its step, and each interval may be off by one more."""
    parts = npt.neurons
    relative = parts.RelativeRefractory(raise_by=5.0, tau=8.0)
    cells = {
        "soft, relative": (parts.LIF(1, v_reset=0.0, t_ref=2.0, reset="soft", relative=relative), 30.0),
        "adaptation": (parts.AdExIF(1, t_ref=2.0), 80.0),
        "threshold in the state": (parts.GIF(1), 3.0),
        "adaptive threshold": (parts.ALIF(1), 40.0),
        "two variables": (parts.Izhikevich(1), 10.0),
        "crossing": (parts.FitzHughNagumo(1), 0.8),
    }
    dt = 0.01
    for name, (cell, current) in cells.items():
        sol = exact(cell, current, duration=60.0, max_spikes=60)
        run = npt.simulate(cell, cell.init(dt=dt), current, dt=dt, duration=60.0, record=["spike"])
        times = np.asarray(run.ts)[np.asarray(run.out["spike"])[:, 0] > 0]
        count = int(sol.n_spikes[0])
        assert count == len(times) >= 2, name
        late = times - sol.spike_times[0, :count]
        assert np.all(np.abs(late) < dt * (2 + np.arange(count))), name


def restarted(field, y, event, reset, *, t_ref=0.0, held=None, t1=100.0):
    """Spike times and the state at the end, by SciPy's solver, which is started again at every event."""
    t, times = 0.0, []
    stop = lambda t, y: event(y)  # noqa: E731
    stop.terminal, stop.direction = True, 1
    while t < t1:
        sol = solve_ivp(field, (t, t1), y, "DOP853", events=stop, rtol=1e-12, atol=1e-12)
        t, y = sol.t[-1], sol.y[:, -1]
        if sol.status == 1:
            times.append(t)
            y = reset(y)
            if t_ref and t < t1:
                sol = solve_ivp(held, (t, min(t + t_ref, t1)), y, "DOP853", rtol=1e-12, atol=1e-12)
                t, y = sol.t[-1], sol.y[:, -1]
    return np.array(times), y


ADEX = {"v_rest": -65.0, "v_th": -55.0, "v_reset": -68.0, "v_t": -59.9, "delta_t": 3.48, "a": 1.0, "b": 1.0}
ADEX |= {"tau": 10.0, "tau_w": 30.0, "r": 1.0, "t_ref": 2.0}


def adex(p, t1=100.0):
    def slopes(t, y):
        v = p["v_rest"] - y[0] + p["delta_t"] * np.exp((y[0] - p["v_t"]) / p["delta_t"]) + p["r"] * (p["i"] - y[1])
        return [v / p["tau"], (p["a"] * (y[0] - p["v_rest"]) - y[1]) / p["tau_w"]]

    return restarted(
        slopes, [p["v0"], 0.0], lambda y: y[0] - p["v_th"], lambda y: np.array([p["v_reset"], y[1] + p["b"]]),
        t_ref=p["t_ref"], held=lambda t, y: [0.0, slopes(t, y)[1]], t1=t1,
    )  # fmt: skip


def test_adaptation_and_its_derivatives_match_scipy_restarted_at_events():
    p = ADEX | {"i": 80.0, "v0": -65.0}

    def run(p, t1):
        cell = npt.neurons.AdExIF(1, v_init=p["v0"], **{name: p[name] for name in ADEX})
        return exact(cell, p["i"], duration=t1, max_spikes=40, **TIGHT)

    sol = run(p, 100.0)
    times, end = adex(p)
    assert sol.n_spikes[0] == len(times) == 27
    np.testing.assert_allclose(sol.spike_times[0, :27], times, rtol=0, atol=1e-8)
    np.testing.assert_allclose([sol.y.v[0], sol.y.w[0]], end, rtol=0, atol=1e-8)
    slopes = quick_jit(jax.grad(lambda p: run(p, 30.0).spike_times[0, 5]))({k: jnp.asarray(x) for k, x in p.items()})
    for name, x in p.items():
        h = 1e-5 * max(1.0, abs(x))
        up, down = (adex(p | {name: x + d}, 30.0)[0][5] for d in (h, -h))
        # differences of times that are known to 1e-11 or so
        np.testing.assert_allclose(slopes[name], (up - down) / (2 * h), rtol=1e-5, atol=1e-6, err_msg=name)


def test_thresholds_that_move_match_scipy_restarted_at_events():
    """Mihalas & Niebur's four variables, of which a spike changes all; and a soft reset with a raised threshold."""
    a, b, k1, k2 = 0.005, 0.05, 0.2, 0.02
    cell = npt.neurons.GIF(1, v_rest=-70.0, v_reset=-70.0, v_th_inf=-50.0, v_th_reset=-60.0, tau=20.0, r=1.0, a=a, b=b,
                           k1=k1, k2=k2, a1=0.5, a2=0.1, r1=0.3, r2=1.0)  # fmt: skip
    sol = exact(cell, 30.0, duration=100.0, max_spikes=200, **TIGHT)
    slopes = lambda t, y: [  # noqa: E731
        (-70.0 - y[0] + 30.0 + y[2] + y[3]) / 20.0, a * (y[0] + 70.0) - b * (y[1] + 50.0), -k1 * y[2], -k2 * y[3]
    ]  # fmt: skip
    reset = lambda y: np.array([-70.0, max(y[1], -60.0), 0.3 * y[2] + 0.5, y[3] + 0.1])  # noqa: E731
    times, end = restarted(slopes, [-70.0, -50.0, 0.0, 0.0], lambda y: y[0] - y[1], reset)
    assert sol.n_spikes[0] == len(times) >= 3
    np.testing.assert_allclose(sol.spike_times[0, : len(times)], times, rtol=0, atol=1e-8)
    np.testing.assert_allclose([sol.y.v[0], sol.y.v_th[0], sol.y.i1[0], sol.y.i2[0]], end, rtol=0, atol=1e-7)

    cell = npt.neurons.ALIF(1, v_rest=-70.0, v_reset=-70.0, v_th=-60.0, tau=20.0, tau_a=200.0, beta=1.6)
    sol = exact(cell, 40.0, duration=100.0, max_spikes=50, **TIGHT)
    times, end = restarted(
        lambda t, y: [(-70.0 - y[0] + 40.0) / 20.0, -y[1] / 200.0], [-70.0, 0.0], lambda y: y[0] + 60.0 - 1.6 * y[1],
        lambda y: np.array([y[0] - 10.0, y[1] + 1.0]),
    )  # fmt: skip
    assert sol.n_spikes[0] == len(times) >= 3
    np.testing.assert_allclose(sol.spike_times[0, : len(times)], times, rtol=0, atol=1e-8)
    np.testing.assert_allclose([sol.y.v[0], sol.y.a[0]], end, rtol=0, atol=1e-8)


def test_published_adex_parameters_with_a_steep_upstroke():
    """Brette & Gerstner 2005: from -10 mV on, a threshold of 20 mV comes after tau exp(-20), 2e-8 ms, and the last of
    the way in less time than the clock resolves."""

    def run(v_th):
        cell = npt.neurons.AdExIF(1, v_rest=-70.6, v_t=-50.4, delta_t=2.0, v_th=v_th, v_reset=-70.6, a=4 / 30,
                                  b=2.7, tau=281 / 30, tau_w=144.0)  # fmt: skip
        return exact(cell, 40.0, duration=60.0, max_spikes=20, max_steps=10_000)

    low, high = run(-10.0), run(20.0)
    assert low.n_spikes[0] == high.n_spikes[0] >= 3
    np.testing.assert_allclose(high.spike_times[0, :3], low.spike_times[0, :3], rtol=0, atol=3e-7)


def test_a_conductance_cell_spikes_where_it_crosses():
    channels = {"na": npt.channels.INa_TM1991(), "leak": npt.channels.IL(g=0.05, e=-60.0)}
    cell = npt.neurons.ConductanceCell(2, channels=channels, ions={"na": npt.ions.SodiumFixed(e=50.0)}, v_th=-20.0)
    sol = exact(cell, jnp.array([0.0, 3.0]), duration=20.0, max_spikes=3, ts=[20.0])
    state = cell.init().membrane
    field = lambda t, y: np.asarray(slope(t, y))  # noqa: E731
    flat, back = jax.flatten_util.ravel_pytree(jax.tree.map(lambda x: x[:1], state))
    drive = npt.Drive(jnp.array([3.0]))
    slope = quick_jit(lambda t, y: jax.flatten_util.ravel_pytree(cell.vector_field(t, back(y), drive))[0])
    at = int(
        np.argmax(np.abs(jax.flatten_util.ravel_pytree(eqx.tree_at(lambda s: s.v, back(flat * 0), jnp.ones(1)))[0]))
    )
    event = lambda t, y: y[at] + 20.0  # noqa: E731
    event.direction = 1
    ref = solve_ivp(field, (0.0, 20.0), np.asarray(flat), "LSODA", events=event, rtol=1e-10, atol=1e-10)
    assert list(sol.n_spikes) == [0, len(ref.t_events[0])] == [0, 1]
    np.testing.assert_allclose(sol.spike_times[1, 0], ref.t_events[0][0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(sol.ys.v[0, 1], ref.y[at, -1], rtol=1e-6)


def test_a_state_in_its_refractory_period_goes_on_with_it():
    cell = npt.neurons.LIF(2, v_th=20.0, v_reset=0.0, tau=10.0, t_ref=4.0)
    run = npt.simulate(cell, cell.init(dt=0.5), 40.0, dt=0.5, duration=8.5)
    assert list(run.state.refractory) == [5, 5]  # it spiked in step 13, to 7.0 ms, and 3 of 8 steps are over
    sol = exact(cell, 40.0, t0=8.5, duration=20.0, state=run.state, max_spikes=4)
    np.testing.assert_allclose(sol.spike_times[:, 0], 8.5 + 2.5 + 10 * np.log(2.0), rtol=0, atol=1e-7)
    # above the threshold at the beginning, and at the end of a period whose reset leads nowhere
    parts = npt.neurons
    membrane, threshold = parts.LeakyMembrane(v_rest=0.0, tau=10.0, v_init=30.0), parts.Threshold(20.0, None)
    reset, rule = parts.HardReset(25.0), parts.Refractory(4.0)
    cell = parts.PointNeuron(1, membrane=membrane, threshold=threshold, reset=reset, refractory=rule)
    np.testing.assert_allclose(exact(cell, 40.0, duration=10.0, max_spikes=4).spike_times[0, :3], [0.0, 4.0, 8.0])


def test_onsets_of_each_neuron():
    onset = jnp.array([[3.0], [7.5]])

    def step(onset, t):
        return jnp.where(t >= onset, 40.0, 0.0)

    cell = npt.neurons.LIF(2, v_th=20.0, v_reset=0.0, tau=10.0)
    drive = jax.tree_util.Partial(step, onset[:, 0])
    sol = exact(cell, drive, duration=16.0, max_spikes=3, jump_ts=onset)
    np.testing.assert_allclose(sol.spike_times[:, 0], onset[:, 0] + 10 * np.log(2.0), rtol=0, atol=1e-7)


def test_mistakes_are_named():
    cell = npt.neurons.LIF(3)
    for kwargs, kind, message in (
        ({"input": jnp.ones(2)}, ValueError, "input.*has shape \\(2,\\)"),
        ({"input": lambda t: jnp.ones(3)}, ValueError, "vector_field returned an array of shape"),
        ({"jump_ts": jnp.ones((2, 1))}, ValueError, "jump_ts has shape"),
        ({"cell": npt.neurons.LIF(3, sigma=1.0)}, ValueError, "no noise"),
        ({"cell": npt.neurons.LeakyIntegrator(3)}, ValueError, "never spikes"),
        ({"cell": 3}, TypeError, "expected a PointNeuron"),
        ({"duration": -5.0}, ValueError, "duration is -5; expected a finite number of ms, at least 0"),
        ({"t0": jnp.ones(2)}, ValueError, "t0 has shape"),
        ({"input": jnp.nan}, ValueError, "input is nan; expected finite numbers"),
        ({"input": "a"}, TypeError, "input is 'a'; expected a number"),
        ({"input": lambda a, b: 1.0}, TypeError, "input is a function of .a, b.; expected a function of .t."),
        ({"state": npt.neurons.LIF(2).init()}, ValueError, '"state": v has shape .2,.'),
        ({"state": npt.neurons.AdExIF(3).init()}, TypeError, "state is a NeuronState of a AdaptiveVoltage"),
        (
            {"state": eqx.tree_at(lambda s: s.membrane.v, cell.init(), jnp.full(3, jnp.nan))},
            ValueError,
            "state 'v' is nan",
        ),
    ):
        with pytest.raises(kind, match=message):
            exact(**{"cell": cell, "input": 30.0, "duration": 5.0, "max_spikes": 2, **kwargs})
    with pytest.raises(eqx.EquinoxRuntimeError, match="more than max_spikes=2"):
        exact(cell, 60.0, duration=50.0, max_spikes=2)


def test_a_conductance_cell_whose_spikes_have_a_refractory_period_is_refused():
    with pytest.raises(ValueError, match="no neurons"):
        exact(npt.neurons.LIF(0), 20.0, duration=50.0, max_spikes=2)
    with pytest.raises(ValueError, match="make the cell without t_ref"):
        exact(npt.neurons.HH(1, t_ref=2.0), 10.0, duration=5.0, max_spikes=2)
