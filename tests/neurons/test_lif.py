"""LIF against closed forms: response, refractory period, f-I curve, resets, noise."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

DT = 0.1


def run(cell, current, duration, record=("v", "spike"), **options):
    state = cell.init(dt=DT, key=jax.random.key(0))
    return npt.simulate(cell, state, current, dt=DT, duration=duration, record=list(record), **options)


def test_subthreshold_response_is_exact():
    tau = np.array([5.0, 10.0, 20.0])
    cell = npt.neurons.LIF(3, v_rest=-65.0, v_th=1e3, tau=tau, r=2.0, v_init=-70.0)
    sol = run(cell, 3.0, 50.0)
    t = np.asarray(sol.ts)[:, None]
    want = -59.0 + (-70.0 + 59.0) * np.exp(-t / tau)
    # 500 exact steps, each rounded once
    np.testing.assert_allclose(sol.out["v"], want, rtol=0, atol=1e-12)


def test_response_with_a_conductance_is_exact():
    cell = npt.neurons.LIF(1, v_rest=-60.0, v_th=1e3, tau=20.0)
    g, e_rev = 1.5, 0.0
    sol = run(cell, npt.Drive(jnp.asarray(g * e_rev), jnp.asarray(g)), 30.0)
    rest = (-60.0 + g * e_rev) / (1 + g)
    want = rest + (-60.0 - rest) * np.exp(-np.asarray(sol.ts) * (1 + g) / 20.0)
    np.testing.assert_allclose(sol.out["v"][:, 0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("t_ref", [0.0, 0.1, 1.0, 2.34, 5.0])
@pytest.mark.parametrize("dt", [0.1, 0.05, 0.25])
def test_voltage_is_held_for_exactly_the_refractory_steps(t_ref, dt):
    cell = npt.neurons.LIF(1, v_rest=0.0, v_th=1.0, v_reset=-1.0, tau=10.0, t_ref=t_ref)
    sol = npt.simulate(cell, cell.init(dt=dt), 50.0, dt=dt, duration=300 * dt, record=["v", "spike"])
    v, spike = np.asarray(sol.out["v"])[:, 0], np.asarray(sol.out["spike"])[:, 0]
    first = int(np.flatnonzero(spike)[0])
    held = v[first : first + 150] == -1.0
    assert np.flatnonzero(~held)[0] - 1 == round(t_ref / dt)  # the step of the spike itself ends at the reset


def test_refractory_period_never_drifts_over_many_spikes():
    cell = npt.neurons.LIF(1, v_rest=0.0, v_th=1.0, v_reset=0.0, tau=10.0, t_ref=1.0)
    sol = run(cell, 1e6, 1100.0, record=["spike"])
    np.testing.assert_array_equal(np.diff(np.flatnonzero(sol.out["spike"])), 11)  # 10 held, 1 to reach the threshold


def test_f_i_curve_is_the_analytic_rate():
    current = np.linspace(16.0, 60.0, 12)
    cell = npt.neurons.LIF(12, v_rest=0.0, v_th=15.0, v_reset=0.0, tau=10.0, t_ref=2.0)
    sol = npt.simulate(cell, cell.init(dt=0.01), current, dt=0.01, duration=2000.0, record=["spike"])
    rise = 10.0 * np.log(current / (current - 15.0))
    # each interval is rounded up to a whole step, so the rate is low by less than dt / interval; one spike in 2 s
    # more or
    # less (0.5 Hz): the first interval has no refractory period, the last is cut off
    measured, analytic = np.asarray(sol.out["spike"]).sum(0) / 2.0, 1000.0 / (2.0 + rise)
    np.testing.assert_array_less(measured, analytic + 0.5 + 1e-9)
    np.testing.assert_array_less(analytic * (1 - 0.01 / (2.0 + rise)) - 0.5 - 1e-9, measured)
    intervals = [np.diff(np.flatnonzero(train)) for train in np.asarray(sol.out["spike"]).T]
    np.testing.assert_array_equal([i.max() for i in intervals], np.ceil(rise / 0.01 - 1e-9) + 200)


def test_no_spikes_below_the_rheobase():
    cell = npt.neurons.LIF(1, v_th=15.0, tau=10.0)
    assert not np.asarray(run(cell, 14.99, 500.0).out["spike"]).any()


def test_hard_and_soft_reset_golden_trace():
    """v decays to I = 30 from 0: with tau = dt / ln 2 each step halves the distance."""
    hard, soft = (
        npt.neurons.LIF(1, v_rest=0.0, v_th=20.0, v_reset=-4.0, tau=DT / np.log(2), reset=kind)
        for kind in ("hard", "soft")
    )
    v = np.asarray(run(hard, 30.0, 0.5).out["v"])[:, 0]
    np.testing.assert_allclose(v, [15.0, -4.0, 13.0, -4.0, 13.0], atol=1e-12)  # 22.5 and 21.5 were over the threshold
    v = np.asarray(run(soft, 30.0, 0.5).out["v"])[:, 0]
    np.testing.assert_allclose(v, [15.0, 22.5 - 24.0, 14.25, 22.125 - 24.0, 14.0625], atol=1e-12)


def test_membrane_noise_has_the_stationary_moments_at_a_coarse_step():
    sigma, tau = 0.8, 5.0
    cell = npt.neurons.LIF(4000, v_rest=-60.0, v_th=1e3, tau=tau, sigma=sigma)
    state = cell.init(dt=2.0)
    sol = npt.simulate(cell, state, 1.0, dt=2.0, duration=100.0, record=["v"], key=jax.random.key(3))
    v = np.asarray(sol.out["v"])[-1]
    std = sigma * np.sqrt(tau / 2)
    # four standard errors of 4000 samples
    assert abs(v.mean() + 59.0) < 4 * std / np.sqrt(4000)
    assert abs(v.std() / std - 1) < 4 / np.sqrt(2 * 4000)
    lag = np.corrcoef(np.asarray(sol.out["v"])[-2], v)[0, 1]
    assert abs(lag - np.exp(-2.0 / tau)) < 4 / np.sqrt(4000)


def test_noise_is_drawn_by_step_and_never_in_a_held_membrane():
    cell = npt.neurons.LIF(50, v_th=1.0, v_reset=0.0, tau=10.0, t_ref=5.0, sigma=0.5)
    sol = run(cell, 20.0, 20.0, key=jax.random.key(1))
    v, spike = np.asarray(sol.out["v"]), np.asarray(sol.out["spike"])
    step, who = np.argwhere(spike[:100])[0]
    np.testing.assert_array_equal(v[step : step + 51, who], 0.0)
    assert len(np.unique(v[:2])) == 100


def test_noise_without_a_key_or_a_stepper_is_an_error():
    cell = npt.neurons.LIF(3, sigma=0.5)
    with pytest.raises(ValueError, match="draws random numbers .noise of the field. but got no key"):
        npt.simulate(cell, cell.init(dt=DT), dt=DT, duration=1.0)
    cell = npt.neurons.LIF(3, sigma=0.5, stepper=npt.integrate.RK4())
    with pytest.raises(ValueError, match="RK4 has no noise, but LeakyMembrane declares a diffusion"):
        npt.simulate(cell, cell.init(dt=DT), dt=DT, duration=1.0, key=jax.random.key(0))
    cell = npt.neurons.LIF(3, stepper=npt.integrate.ExponentialEulerMaruyama())
    with pytest.raises(ValueError, match="ExponentialEulerMaruyama needs noise"):
        npt.simulate(cell, cell.init(dt=DT), dt=DT, duration=1.0, key=jax.random.key(0))


def test_random_initial_state_without_a_key_is_an_error():
    with pytest.raises(ValueError, match="init.Normal draws random numbers"):
        npt.neurons.LIF(3, v_init=npt.init.Normal(-55.0, 2.0)).init(dt=DT)


@pytest.mark.parametrize("options", [{}, {"reset": "soft"}, {"t_ref": None}])
def test_boolean_spikes_are_the_same_spikes(options):
    kwargs = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0, "tau": 20.0, "t_ref": 2.0} | options
    floats, bools = npt.neurons.LIF(5, **kwargs), npt.neurons.LIF(5, **kwargs, surrogate=None)
    current = np.linspace(9.0, 40.0, 5)
    a, b = run(floats, current, 100.0).out, run(bools, current, 100.0).out
    assert b["spike"].dtype == bool and a["spike"].dtype == np.float64 and b["spike"].any()
    np.testing.assert_array_equal(a["spike"], b["spike"])
    np.testing.assert_array_equal(a["v"], b["v"])


def test_gradient_of_the_spike_and_of_the_reset():
    """One step by hand: d/dI of (spike, v after the reset)."""
    surrogate = npt.surrogate.Sigmoid(alpha=0.7)
    tau = DT / np.log(2)

    def after(current, kind):
        cell = npt.neurons.LIF(1, v_rest=0.0, v_th=20.0, v_reset=-4.0, tau=tau, reset=kind, surrogate=surrogate)
        state, spike = cell.step(cell.init(dt=DT), current, npt.Tick.at(0, dt=DT))
        return spike[0], state.v[0]

    slope = float(surrogate.derivative(jnp.asarray(25.0 - 20.0)))
    ds, dv = jax.jacfwd(lambda i: after(i, "hard"))(50.0)
    np.testing.assert_allclose([ds, dv], [0.5 * slope, 0.5 * slope * (-4.0 - 25.0)], rtol=1e-12)
    ds, dv = jax.jacrev(lambda i: after(i, "soft"))(50.0)
    np.testing.assert_allclose([ds, dv], [0.5 * slope, 0.5 - 0.5 * slope * 24.0], rtol=1e-12)


def test_the_same_model_goes_to_diffrax():
    cell = npt.neurons.LIF(2, v_rest=-65.0, v_th=1e3, tau=10.0)
    y0, drive = cell.init().membrane, npt.Drive(jnp.asarray(5.0))
    sol = diffrax.diffeqsolve(
        diffrax.ODETerm(cell.vector_field),
        diffrax.Tsit5(),
        0.0,
        20.0,
        0.1,
        y0,
        drive,
        stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-10),
    )
    np.testing.assert_allclose(sol.ys.v[0], -60.0 - 5.0 * np.exp(-2.0), rtol=1e-9)


def test_parameters_per_neuron_are_checked():
    with pytest.raises(ValueError, match=r"tau has shape \(3,\); expected \(\) or \(4,\)"):
        npt.neurons.LIF(4, tau=np.ones(3))
    with pytest.raises(ValueError, match="size is -1"):
        npt.neurons.LIF(-1)
    with pytest.raises(ValueError, match="reset is 'medium'"):
        npt.neurons.LIF(1, reset="medium")  # pyright: ignore


def test_a_population_may_have_a_shape():
    cell = npt.neurons.LIF((2, 3), tau=np.full((2, 3), 10.0), t_ref=1.0)
    sol = run(cell, np.arange(6.0).reshape(2, 3) * 10, 50.0)
    assert sol.out["spike"].shape == (500, 2, 3) and sol.out["spike"].any()
