"""What a receptor delivers in a step: against closed forms, and against SciPy where the voltage matters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt


def network(cell, tau, output, weight, times, delay=None):
    port = {"in": npt.Receptor(npt.synapses.Exponential(tau), output)}
    projection = npt.Projection("S", "N.in", npt.connect.AllToAll(), weight=weight, delay=delay)
    source = npt.sources.SpikeTimes(0, times, size=1)
    return npt.Network({"S": source, "N": npt.Population(cell, port)}, {"P": projection})


def voltage(net, dt, duration):
    return np.asarray(npt.simulate(net, net.init(dt=dt), dt=dt, duration=duration, record=["N.v"]).out["N.v"])[:, 0]


@pytest.mark.parametrize("tau", [0.1, 0.3258, 0.5, 2.0, 10.0, 200.0])
@pytest.mark.parametrize("dt", [0.025, 0.1, 0.5])
def test_the_charge_of_an_event_is_exact(dt, tau):
    """Into a membrane without leak, v grows by the charge over the time constant: weight times tau, whatever dt."""
    duration = dt * np.ceil(45 * tau / dt + 10)  # e^-45 is below the precision
    net = network(npt.neurons.IF(1, v_th=1e9, tau=1.0), tau, npt.synapses.CUBA(), 3.0, [5 * dt])
    assert voltage(net, dt, duration)[-1] == pytest.approx(3.0 * tau, rel=1e-12)


@pytest.mark.parametrize("tau", [0.5, 9.999999, 10.0, 10.000001, 30.0])
@pytest.mark.parametrize("dt", [0.025, 0.1, 0.5])
def test_current_and_leaky_membrane_are_propagated_exactly(dt, tau):
    """The closed form of two exponentials; equal time constants are its limit."""
    tau_m, weight, start = 10.0, 87.8085 / 250.0 * 10.0, 10 * dt
    net = network(npt.neurons.LIF(1, v_rest=0.0, v_th=1e9, tau=tau_m), tau, npt.synapses.CUBA(), weight, [start])
    v = voltage(net, dt, 60.0)
    t = np.maximum((np.arange(len(v)) + 1) * dt - start, 0)
    rate = 1 / tau - 1 / tau_m
    want = weight / tau_m * np.exp(-t / tau_m) * (t if rate == 0 else -np.expm1(-rate * t) / rate)
    # the closed form itself loses digits where the time constants nearly agree
    np.testing.assert_allclose(v, want, rtol=0, atol=1e-12 if abs(rate) > 1e-6 else 1e-9)


def test_psp_of_the_microcircuit():
    """Potjans & Diesmann 2014, doi:10.1093/cercor/bhs358: 87.8085 pA give 0.15 mV, 1.5767 ms later."""
    net = network(
        npt.neurons.LIF(1, v_rest=0.0, v_th=1e9, tau=10.0, r=10.0 / 250.0), 0.5, npt.synapses.CUBA(), 87.8085, [1.0]
    )
    v = voltage(net, 0.0001, 4.0)
    assert v.max() == pytest.approx(0.15, abs=1e-6)
    assert np.argmax(v) * 0.0001 + 0.0001 - 1.0 == pytest.approx(1.5767, abs=2e-4)


def test_conductances_are_of_second_order():
    """Against SciPy restarted at each arrival; a conductance held at its value at the beginning is of first order."""
    tau, e_rev, weight, times, duration = 2.0, 60.0, 0.8, [2.0, 5.0, 5.5, 11.0], 16.0

    def field(t, y):
        return [(-y[0] + y[1] * (e_rev - y[0])) / 10.0, -y[1] / tau]

    y, at = np.zeros(2), 0.0
    for stop in (*times, duration):
        y = solve_ivp(field, (at, stop), y, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
        y, at = y + np.array([0.0, weight]), stop
    steps, errors = [0.5, 0.25, 0.125, 0.0625, 0.03125], []
    for dt in steps:
        cell = npt.neurons.LIF(1, v_rest=0.0, v_th=1e9, tau=10.0)
        errors.append(
            abs(voltage(network(cell, tau, npt.synapses.COBA(e_rev), weight, times), dt, duration)[-1] - y[0])
        )
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - 2) < 0.15, (slope, errors)


def test_mean_and_rate_in_float32_and_their_gradients():
    """With the rate a of the membrane, the constant current with the effect of the decaying one; at a = 1/tau too."""
    for x64, rtol in ((True, 1e-13), (False, 2e-6)):
        with jax.enable_x64(x64):
            for tau, rate in ((0.5, 0.1), (10.0, 0.1), (5.0, 0.0), (5.0, 3.0), (1e4, 1e-4)):
                for dt in (0.01, 0.1, 1.0):
                    kinetics = npt.synapses.Exponential(tau)
                    state = kinetics.receive(kinetics.init((), jnp.result_type(float)), lambda g: g + 1.0)
                    s = np.linspace(0, dt, 20001)
                    kernel = np.exp(-rate * (dt - s))
                    want = np.trapezoid(kernel * np.exp(-s / tau), s) / np.trapezoid(kernel, s)
                    got = kinetics.mean(state, dt, jnp.asarray(rate))
                    assert float(got) == pytest.approx(want, rel=max(rtol, 1e-8))
                    plain = kinetics.mean(state, dt)
                    assert float(plain) == pytest.approx(-np.expm1(-dt / tau) * tau / dt, rel=rtol)

    def mean(tau, rate):
        kinetics = npt.synapses.Exponential(tau)
        return kinetics.mean(npt.synapses.ExponentialState(jnp.ones(())), 0.1, rate)

    for tau in (0.5, 10.0):
        for n in (0, 1):
            args = [jnp.asarray(tau), jnp.asarray(0.1)]
            step = 1e-5 * float(args[n])
            numeric = (mean(*_moved(args, n, step)) - mean(*_moved(args, n, -step))) / (2 * step)
            assert float(jax.grad(mean, n)(*args)) == pytest.approx(float(numeric), rel=1e-6, abs=1e-9)


def _moved(args, n, by):
    return [x + by if k == n else x for k, x in enumerate(args)]


def test_direct_receptors_hold_what_arrived_for_one_step():
    kinetics = npt.synapses.Direct()
    state = kinetics.receive(kinetics.init((2,), float), lambda x: x + jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(kinetics.mean(state, 0.1, jnp.asarray(0.3)), [1.0, 2.0])
    np.testing.assert_array_equal(kinetics.mean(kinetics.relax(state, 0.1), 0.1), [0.0, 0.0])
