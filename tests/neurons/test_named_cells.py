"""HH, TraubMiles, WangBuzsaki, MorrisLecar, ConnorStevens, ThalamicRelay against SciPy and other simulators."""

import json
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt

from ..channels.literature import PRINTED, h_of_destexhe, rate_and_rest, slopes, sodium_tm

REFERENCE = Path(__file__).parents[1] / "reference"
DURATION = 100.0


def composed(c_m: float, parts: dict[str, tuple[str, float, float]], leaks: list[tuple[float, float]], v_sh=0.0):
    """The right-hand side of a cell of printed channels (name, conductance over the printed one, E), and its start."""
    gates = [(key, g) for key, (name, *_) in parts.items() for g in PRINTED[name].gates]

    def rhs(v, x, current):
        x = dict(zip(gates, x, strict=True))
        i, moves = current + sum(g * (e - v) for g, e in leaks), []
        for key, (name, factor, e) in parts.items():
            own = {g: x[key, g] for g in PRINTED[name].gates}
            i += factor * PRINTED[name].conductance(own, v, 0.0) * (e - v)
        for key, g in gates:
            moves.append(slopes(PRINTED[parts[key][0]].gates[g], v, 0.0, x[key, g]))
        return i / c_m, moves

    def start(v):
        return [rate_and_rest(PRINTED[parts[key][0]].gates[g], v, 0.0)[1] for key, g in gates]

    return rhs, start


def relay() -> tuple[Callable, Callable]:
    """The thalamic relay cell: gates, the scheme of the h current, and calcium."""
    na = sodium_tm(-25.0)
    k = {
        "n": (
            "ab",
            lambda v, c: 0.032 * (v + 10) / (1 - np.exp(-(v + 10) / 5)),
            lambda v, c: 0.5 * np.exp(-(v + 15) / 40),
            1.0,
        )
    }
    gates = [na["m"], na["h"], k["n"], PRINTED["ICaT_De1996"].gates["h"]]

    def rhs(v, x, current):
        m, h, n, q, *scheme, c = x
        e_ca = 8.31446261815324 * 309.15 / (2 * 96485.33212) * 1e3 * np.log(2.0 / c)
        i_ca = 2.0 / (1 + np.exp(-(v + 59) / 6.2)) ** 2 * q * (e_ca - v)
        i = current + 90.0 * m**3 * h * (50 - v) + 10.0 * n**4 * (-100 - v) + i_ca
        i += 0.0175 * (scheme[0] + 2 * scheme[1]) * (-40 - v) + 0.0138 * (-100 - v) + 0.01 * (-70 - v)
        moves = [slopes(gate, v, c, y) for gate, y in zip(gates, x, strict=False)]
        influx = max(10 / (2 * 96485.33212) * i_ca, 0.0)
        return i, [*moves, *h_of_destexhe(v, c, scheme), influx + (2.4e-4 - c) / 5.0]

    def start(v):
        inf, p1 = 1 / (1 + np.exp((v + 75) / 5.5)), 3.18e-4**4 / (3.18e-4**4 + 0.002**4)
        o = inf / (1 + inf * 100 * p1)
        return [*(rate_and_rest(gate, v, 0.0)[1] for gate in gates), o, 100 * p1 * o, p1, 3.18e-4]

    return rhs, start


def traub_miles() -> tuple[Callable, Callable]:
    k = (
        "ab",
        lambda v, c: 0.032 * (v + 48) / (1 - np.exp(-(v + 48) / 5)),
        lambda v, c: 0.5 * np.exp(-(v + 53) / 40),
        1.0,
    )
    gates = [*sodium_tm(-63.0).values(), k]

    def rhs(v, x, current):
        i = 100 * x[0] ** 3 * x[1] * (50 - v) + 30 * x[2] ** 4 * (-90 - v) + 0.05 * (-60 - v)
        return i + current, [slopes(gate, v, 0.0, y) for gate, y in zip(gates, x, strict=True)]

    return rhs, lambda v: [rate_and_rest(gate, v, 0.0)[1] for gate in gates]


SQUID = {"na": ("INa_HH1952", 1.0, 50.0), "k": ("IK_HH1952", 3.6, -77.0)}
FAST = {"na": ("INa_WB1996", 1.0, 55.0), "k": ("IK_WB1996", 1.0, -90.0)}
BARNACLE = {"ca": ("ICa_ML1981", 1.0, 130.0), "k": ("IK_ML1981", 1.0, -84.0)}
CRAB = {"na": ("INa_CS1977", 1.0, 55.0), "k": ("IK_CS1977", 1.0, -72.0), "a": ("IKA_CS1977", 1.0, -75.0)}
# the cell; its printed equations; initial voltage, which no printed rate is singular at; threshold; current
CELLS = {
    "HH": (npt.neurons.HH, composed(1.0, SQUID, [(0.3, -54.387)]), -64.9, 20.0, 10.0),
    "TraubMiles": (npt.neurons.TraubMiles, traub_miles(), -60.1, -20.0, 2.0),
    "WangBuzsaki": (npt.neurons.WangBuzsaki, composed(1.0, FAST, [(0.1, -65.0)]), -65.1, 20.0, 1.0),
    "MorrisLecar": (npt.neurons.MorrisLecar, composed(20.0, BARNACLE, [(2.0, -60.0)]), -60.1, 10.0, 100.0),
    "ConnorStevens": (npt.neurons.ConnorStevens, composed(1.0, CRAB, [(0.3, -17.0)]), -68.1, 0.0, 20.0),
    "ThalamicRelay": (npt.neurons.ThalamicRelay, relay(), -68.9, 0.0, 3.0),
}


@pytest.mark.parametrize("name", CELLS)
def test_trace_and_spike_times_against_scipy(name):
    kind, (rhs, start), v0, v_th, current = CELLS[name]

    def field(t, y):
        v, moves = rhs(y[0], y[1:], current)
        return [v, *moves]

    def crossing(t, y):
        return y[0] - v_th

    crossing.direction = 1
    times = np.linspace(0, DURATION, 201)
    initial = [v0, *start(v0)]
    want = solve_ivp(field, (0, DURATION), initial, "LSODA", times, rtol=1e-10, atol=1e-12, events=crossing)
    spikes, dt = want.t_events[0], 0.01
    assert len(spikes) >= 1

    def run(stepper, dt):
        cell = kind(1, v_init=v0, stepper=stepper)
        sol = npt.simulate(cell, cell.init(), current, dt=dt, duration=DURATION, record=["v", "spike"])
        return np.asarray(sol.out["v"][:, 0]), (np.flatnonzero(sol.out["spike"][:, 0]) + 1) * dt

    v, at = run(npt.integrate.RK4(), dt)
    # RK4's own error at 10 µs, largest on the upstroke of a spike
    np.testing.assert_allclose(v[49::50], want.y[0][1:], rtol=0, atol=0.02)
    assert len(at) == len(spikes) and np.all(np.abs(at - spikes) <= dt)
    v, at = run(None, dt)
    # the default stepper's phase error, of second order: 3e-4 of the time, and the step in which a spike is seen
    assert len(at) == len(spikes) and np.all(np.abs(at - spikes) <= dt + 5e-4 * spikes)


@pytest.mark.parametrize("name", ["HH", "TraubMiles", "WangBuzsaki"])
def test_spike_times_of_other_simulators_to_one_step(name):
    """HH: NEURON, adaptive. The others: Brian2, RK4 at 1 µs. (Registers 4 and 5 would show here.)"""
    data = json.loads((REFERENCE / f"conductance_spikes_{'neuron' if name == 'HH' else 'brian2'}.json").read_text())
    currents = data["currents"] if name == "HH" else data["currents"][name]
    dt = 0.01
    cell = CELLS[name][0](len(currents), stepper=npt.integrate.RK4())
    sol = npt.simulate(cell, cell.init(), jnp.asarray(currents), dt=dt, duration=data["duration"], record=["spike"])
    spike = np.asarray(sol.out["spike"])
    for n, want in enumerate(data[name]):
        got = (np.flatnonzero(spike[:, n]) + 1) * dt
        assert len(got) == len(want)
        # Brian2's own times are multiples of 1 µs
        np.testing.assert_allclose(got, want, rtol=0, atol=dt + 1.5e-3)


@pytest.mark.parametrize(
    ("name", "current", "duration"), [("HH", 10.0, 8.0), ("WangBuzsaki", 1.0, 12.0), ("ThalamicRelay", 3.0, 14.0)]
)
def test_order_of_steppers(name, current, duration):
    """The staggered scheme is of second order in the voltage, with instantaneous gates too, while calcium rests."""

    @eqx.filter_jit
    def end(stepper, n):  # a loop of any length: one program for all steps of a stepper
        cell, dt = CELLS[name][0](1, stepper=stepper), duration / n.astype(float)
        if "ca" in cell.membrane.ions:
            held = lambda c: (c.membrane.ions["ca"].d, c.membrane.ions["ca"].c_rest)  # noqa: E731
            cell = eqx.tree_at(held, cell, (jnp.asarray(1e9), jnp.asarray(3.18e-4)))
        step = lambda k, state: cell.step(state, current, npt.Tick.at(k, dt=dt))[0]  # noqa: E731
        return jax.lax.fori_loop(0, n, step, cell.init()).v[0]

    n, factors = int(duration / 0.02), np.array([1, 2, 4, 8])
    truth = end(npt.integrate.RK4(), jnp.asarray(16 * n))
    for stepper, order in ((npt.integrate.Euler(), 1), (npt.integrate.ExponentialEuler(), 2)):
        errors = [abs(end(stepper, jnp.asarray(k * n)) - truth) for k in factors]
        slope = -np.polyfit(np.log(factors), np.log(errors), 1)[0]
        assert slope == pytest.approx(order, abs=0.15)


def test_thalamic_relay_fires_single_spikes_and_rebound_bursts():
    """Rest, tonic firing under depolarisation, and a burst on a slow calcium spike after hyperpolarisation."""
    cell = npt.neurons.ThalamicRelay(1)
    rest = npt.simulate(cell, cell.init(), 0.0, dt=0.05, duration=1000.0, record=["spike", "v"])
    assert not rest.out["spike"].any() and -70 < float(rest.out["v"][-1, 0]) < -68

    tonic = npt.simulate(cell, rest.state, 3.0, dt=0.05, duration=600.0, record=["spike"])
    at = np.flatnonzero(tonic.out["spike"][4000:, 0]) * 0.05  # past the first 200 ms
    gaps = np.diff(at)
    assert len(at) >= 8 and gaps.min() > 10 and gaps.std() / gaps.mean() < 0.1

    down = npt.simulate(cell, rest.state, -1.0, dt=0.05, duration=300.0, record=["spike", "v"])
    assert not down.out["spike"].any() and float(down.out["v"][-1, 0]) < -85
    rebound = npt.simulate(cell, down.state, 0.0, dt=0.05, duration=600.0, record=["spike", "ca.c"])
    at = np.flatnonzero(rebound.out["spike"][:, 0]) * 0.05
    # a burst within a tenth of a second, at more than 200 Hz, and then silence
    assert 4 <= len(at) <= 12 and np.ptp(at) < 60 and np.diff(at).min() < 5
    assert float(rebound.out["ca.c"].max()) > 2 * 2.4e-4
    blocked = npt.neurons.ThalamicRelay(1, g_t=0.0)
    assert not npt.simulate(blocked, down.state, 0.0, dt=0.05, duration=600.0, record=["spike"]).out["spike"].any()


def test_thalamic_relay_waxes_and_wanes():
    """Bursts at the frequency of spindles, which calcium ends by locking the h current open, and long silence; a
    stronger h current makes the silence longer, and none at all is without bursts (Destexhe et al. 1993, 1996)."""
    g_h = jnp.asarray([0.0175, 0.02, 0.0])
    cell = npt.neurons.ThalamicRelay(3, g_h=g_h, v_init=-66.0, surrogate=None)
    sol = npt.simulate(cell, cell.init(), dt=0.05, duration=20_000.0, record=["spike"])
    starts = []
    for n in range(3):
        at = np.flatnonzero(sol.out["spike"][:, n]) * 0.05
        starts.append(at[np.diff(at, prepend=-1e3) > 60.0])
    first, later = starts[0][starts[0] < 3000.0], starts[0][starts[0] >= 3000.0]
    assert 3 <= len(first) <= 10 and np.all(np.abs(np.diff(first) - 200.0) < 40.0)  # 5 Hz
    assert len(later) >= 3 and later[0] - first[-1] > 8000.0
    assert len(starts[1]) >= 3 and np.all(starts[1] < 3000.0) and len(starts[2]) == 0


def test_connor_stevens_fires_slowly_and_its_a_current_does_it():
    """Type I with the A current, type II without (Dayan & Abbott, figure 6.1)."""

    def rates(g_a, e_l, currents):
        cell = npt.neurons.ConnorStevens(len(currents), g_a=g_a, e_l=e_l, surrogate=None)
        sol = npt.simulate(cell, cell.init(), jnp.asarray(currents), dt=0.02, duration=1000.0, record=["spike"])
        return np.asarray(sol.out["spike"])[10_000:].sum(0) / 0.8

    with_a = rates(47.7, -17.0, np.linspace(7.0, 12.0, 26))
    # without it the leak is shifted, so that the cell rests where it did
    without = rates(0.0, -72.0, np.linspace(4.0, 14.0, 26))
    assert 0 < with_a[with_a > 0].min() < 30 < 60 < without[without > 0].min()
