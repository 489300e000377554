"""The two-compartment cell of Pinsky and Rinzel against its printed equations, and the patterns of their paper."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy import exp
from scipy.integrate import solve_ivp

import neuropytree as npt
from neuropytree.neurons import Hines, PinskyRinzel


def rates(vs, vd, ca):
    """Opening and closing rates of h, n, s, c, q; and the activation m at rest. The origin is at -60 mV."""
    s, d = vs + 60, vd + 60
    am, bm = 0.32 * (13.1 - s) / (exp((13.1 - s) / 4) - 1), 0.28 * (s - 40.1) / (exp((s - 40.1) / 5) - 1)
    total = 2 * exp((6.5 - d) / 27)
    ac = exp((d - 10) / 11 - (d - 6.5) / 27) / 18.975 if d <= 50 else total
    alpha = [
        0.128 * exp((17 - s) / 18),
        0.016 * (35.1 - s) / (exp((35.1 - s) / 5) - 1),
        1.6 / (1 + exp(-0.072 * (d - 65))),
        ac,
        min(2e-5 * ca, 0.01),
    ]
    beta = [
        4 / (1 + exp((40 - s) / 5)),
        0.25 * exp(0.5 - 0.025 * s),
        0.02 * (d - 51.1) / (exp((d - 51.1) / 5) - 1),
        total - ac,
        0.001,
    ]
    return am / (am + bm), np.array(alpha), np.array(beta)


def rhs(y, i_s, i_d, g_c=2.1, p=0.5, gate=True):
    vs, vd, h, n, s, c, q, ca = y
    m, alpha, beta = rates(vs, vd, ca)
    i_ca = 10 * s**2 * (80 - vd)
    i_kc = 15 * (c if gate else 1.0) * min(ca / 250, 1) * (-75 - vd)
    somatic = 30 * m**2 * h * (60 - vs) + 15 * n * (-75 - vs) + 0.1 * (-60 - vs)
    dendritic = i_ca + 0.8 * q * (-75 - vd) + i_kc + 0.1 * (-60 - vd)
    x = np.array([h, n, s, c, q])
    return [
        (somatic + g_c / p * (vd - vs) + i_s / p) / 3,
        (dendritic + g_c / (1 - p) * (vs - vd) + i_d / (1 - p)) / 3,
        *(alpha * (1 - x) - beta * x),
        0.13 * i_ca - 0.075 * ca,
    ]


def rest(vs, vd):
    _, alpha, beta = rates(vs, vd, 0.2)
    return [vs, vd, *alpha / (alpha + beta), 0.2]


def test_the_field_is_that_of_the_paper():
    """Every derivative, with unequal parts and currents into both compartments; and gate c counts (register 6)."""
    rng = np.random.default_rng(0)
    cell = PinskyRinzel(1, p=0.3, g_c=1.7)
    u = npt.Drive(jnp.asarray([[0.8, -0.4]]))
    for _ in range(5):
        y = np.array([*rng.uniform(-70, 40, 2), *rng.uniform(0, 1, 5), rng.uniform(0, 400)])
        one = lambda x: jnp.asarray([[x]])  # noqa: E731
        h, n, s, c, q = (one(x) for x in y[2:7])
        channels = {"na": {"h": h}, "k": {"n": n}, "ca": {"s": s}, "kc": {"c": c}, "ahp": {"q": q}, "leak": {}}
        state = npt.neurons.CompartmentsState(jnp.asarray([y[:2]]), channels, {"ca": {"c": one(y[7])}})
        out = cell.vector_field(0.0, state, u)
        gates = [out.channels[k][g] for k, g in (("na", "h"), ("k", "n"), ("ca", "s"), ("kc", "c"), ("ahp", "q"))]
        got = np.concatenate([np.ravel(x) for x in (out.voltages, *gates, out.ions["ca"]["c"])])
        # the printed gate c jumps by 1e-4 at -10 mV, where ours is continuous
        np.testing.assert_allclose(got, rhs(y, 0.8, -0.4, 1.7, 0.3), rtol=1e-4, atol=1e-9)
        without = rhs(y, 0.8, -0.4, 1.7, 0.3, gate=False)
        assert abs(got[1] - without[1]) > 0.1
    np.testing.assert_allclose(cell.init().membrane.voltages, [[-64.6, -64.5]])


def test_a_burst_against_scipy():
    """Voltages, calcium and every spike of a burst, which a depolarised dendrite sets off."""
    duration, v_th, times = 60.0, -30.0, np.linspace(0, 60, 121)
    crossing = lambda t, y: y[0] - v_th  # noqa: E731
    crossing.direction = 1
    field, start = lambda t, y: rhs(y, 0.75, 0.0), rest(-64.6, -30.0)  # noqa: E731
    want = solve_ivp(field, (0, duration), start, "LSODA", times, rtol=1e-10, atol=1e-12, events=crossing)
    spikes = want.t_events[0]
    assert len(spikes) >= 3

    def run(stepper, dt):
        cell = PinskyRinzel(1, v_init=np.array([-64.6, -30.0]), v_th=v_th, stepper=stepper)
        record = ["v", "dend.v", "ca.c", "spike"]
        sol = npt.simulate(cell, cell.init(), 0.75, dt=dt, duration=duration, record=record)
        every = slice(round(0.5 / dt) - 1, None, round(0.5 / dt))
        traces = sol.out["v"][every, 0], sol.out["dend.v"][every, 0], sol.out["ca.c"][every, 0, 0]
        return np.stack(traces), (np.flatnonzero(sol.out["spike"][:, 0]) + 1) * dt

    got, at = run(npt.integrate.RK4(), 0.01)
    truth = want.y[[0, 1, 7], 1:]
    # RK4's own error at 10 µs, and the printed jump of gate c
    np.testing.assert_allclose(got, truth, rtol=1e-4, atol=0.05)
    assert len(at) == len(spikes) and np.all(np.abs(at - spikes) <= 0.01)
    for order, dt in ((1, 0.0025), (2, 0.01)):
        _, at = run(Hines(order=order), dt)
        assert len(at) == len(spikes) and np.all(np.abs(at - spikes) <= dt + 0.02)


@pytest.fixture(scope="module")
def patterns():
    """Spikes (at -30 mV) past the first 500 ms, by the current into soma, that into dendrite, and coupling."""
    cases = [(-0.5, 0, 2.1), (0.75, 0, 2.1), (1.0, 0, 2.1), (2.5, 0, 2.1), (0.75, 0, 0.1), (0.75, 0, 10.0)]
    cases += [(-0.5, i, 2.1) for i in (2.0, 3.0)]
    i_s, i_d, g_c = (jnp.asarray(x, float)[:, None] for x in zip(*cases, strict=True))
    cell = PinskyRinzel(len(cases), g_c=g_c, surrogate=None, v_th=-30.0, stepper=Hines(order=2))
    u = jnp.concatenate([i_s, i_d], 1)
    sol = npt.simulate(cell, cell.init(), u, dt=0.025, duration=3000.0, record=["spike"])
    spike = np.asarray(sol.out["spike"])
    found = {}
    for n, case in enumerate(cases):
        at = np.flatnonzero(spike[:, n]) * 0.025
        found[case] = at[at > 500]
    return found


def bursts(at):
    """Groups of spikes less than 15 ms apart."""
    return np.split(at, np.flatnonzero(np.diff(at) > 15) + 1)


def test_published_patterns(patterns):
    """Bursts below 8 Hz at a weak current; single spikes at a strong one, and at loose or tight coupling."""
    assert len(patterns[-0.5, 0, 2.1]) == 0
    for current, low, high in ((0.75, 300, 700), (1.0, 125, 500)):
        groups = bursts(patterns[current, 0, 2.1])[1:-1]
        assert len(groups) >= 3 and all(len(g) >= 3 and np.ptp(g) < 50 for g in groups)
        between = np.diff([g[0] for g in groups])
        assert low < between.min() and between.max() < high
    for case, low, high in (((2.5, 0, 2.1), 15, 30), ((0.75, 0, 0.1), 20, 40), ((0.75, 0, 10.0), 200, 600)):
        gaps = np.diff(patterns[case])
        assert len(gaps) >= 4 and low < gaps.min() and gaps.max() < high and gaps.std() / gaps.mean() < 0.1


def test_a_dendritic_current_makes_faster_bursts(patterns):
    """A few a second at first, and 8 to 20 at a stronger current."""
    for current, low, high in ((2.0, 200, 400), (3.0, 50, 125)):
        groups = bursts(patterns[-0.5, current, 2.1])[2:-1]
        between = np.diff([g[0] for g in groups])
        assert all(len(g) >= 3 for g in groups) and low < between.min() and between.max() < high
