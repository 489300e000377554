"""Channels as a user writes them, from the page alone, in one cell against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt
from neuropytree.channels import AbstractOhmic, alpha_beta, inf_tau, linoid


class BigK(AbstractOhmic):
    """Potassium, opened by voltage and calcium together."""

    g: float = 2.0
    reads = ("ca",)
    carries = "k"

    def kinetics(self, v, gates, ions):
        inf = jax.nn.sigmoid((v + 20.0 + 8.0 * jnp.log(ions["ca"].c / 1e-3)) / 12.0)
        return {"o": inf_tau(inf, 1.5)}

    def conductance(self, v, gates, ions):
        return self.g * gates["o"]


class HighCalcium(AbstractOhmic):
    """Calcium, with rates that are 0/0 at -27 mV; it fills the pool."""

    g: float = 0.4
    carries = "ca"

    def kinetics(self, v, gates, ions):
        return {"m": alpha_beta(0.2 * linoid((v + 27.0) / 4.0), 0.9 * jnp.exp(-(v + 75.0) / 17.0))}

    def conductance(self, v, gates, ions):
        return self.g * gates["m"] ** 2


class Persistent(AbstractOhmic):
    """Sodium whose activation is instantaneous and whose recovery is a gate."""

    g: float = 0.6
    carries = "na"

    def kinetics(self, v, gates, ions):
        return {"h": inf_tau(jax.nn.sigmoid(-(v + 48.0) / 6.0), 40.0 + 20.0 / jnp.cosh((v + 40.0) / 20.0), phi=2.0)}

    def conductance(self, v, gates, ions):
        return self.g * jax.nn.sigmoid((v + 45.0) / 5.0) * gates["h"]


def logistic(x):
    return 1 / (1 + np.exp(-x))


def rates(v):
    x = (v + 27) / 4
    return 0.2 * x / (1 - np.exp(-x)), 0.9 * np.exp(-(v + 75) / 17)


def rhs(t, y):
    v, o, m, h, c = y
    e_ca = 8.31446261815324 * 309.15 / (2 * 96485.33212) * 1e3 * np.log(2.0 / c)
    i_ca = 0.4 * m**2 * (e_ca - v)
    i = 2.0 * o * (-90 - v) + i_ca + 0.6 * logistic((v + 45) / 5) * h * (55 - v) + 0.1 * (-65 - v)
    alpha, beta = rates(v)
    return [
        i + 3.0 + 2.0 * np.sin(0.1 * t),
        (logistic((v + 20 + 8 * np.log(c / 1e-3)) / 12) - o) / 1.5,
        alpha * (1 - m) - beta * m,
        2 * (logistic(-(v + 48) / 6) - h) / (40 + 20 / np.cosh((v + 40) / 20)),
        max(10 / (2 * 96485.33212 * 0.5) * i_ca, 0) + (2.4e-4 - c) / 8,
    ]


def test_three_channels_in_one_cell_against_scipy():
    channels = {"bk": BigK(), "ca": HighCalcium(), "nap": Persistent(), "leak": npt.channels.IL(g=0.1, e=-65.0)}
    ions = {
        "k": npt.ions.PotassiumFixed(e=-90.0),
        "na": npt.ions.SodiumFixed(e=55.0),
        "ca": npt.ions.CalciumDetailed(d=0.5, tau=8.0),
    }
    alpha, beta = rates(-60.0)
    start = [-60.0, logistic((-40 + 8 * np.log(0.24)) / 12), alpha / (alpha + beta), logistic(12 / 6), 2.4e-4]
    times = np.linspace(0, 80, 81)
    want = solve_ivp(rhs, (0, 80), start, "LSODA", times, rtol=1e-10, atol=1e-13, max_step=1.0).y
    assert np.ptp(want[0]) > 20 and want[4].max() > 1e-3  # the voltage goes through -27 mV, and calcium rises

    def run(stepper, dt):
        cell = npt.neurons.ConductanceCell(2, channels=channels, ions=ions, v_init=-60.0, stepper=stepper)
        # the input is held over a step: its value in the middle leaves an error of second order
        drive = lambda tick: 3.0 + 2.0 * jnp.sin(0.1 * (tick.t + dt / 2))  # noqa: E731
        record, every = ["v", "bk.o", "ca.m", "nap.h", "membrane.ions.ca.c"], round(1 / dt)
        out = npt.simulate(cell, cell.init(), drive, dt=dt, duration=80.0, record=record, every=every).out
        return np.stack([np.asarray(out[k][:, 0]) for k in record])

    got = run(npt.integrate.RK4(), 0.01)
    # the held input: (0.1 dt)²/24 of 2 µA/cm², into a membrane that turns 1 µA/cm² into 10 mV at most
    np.testing.assert_allclose(got, want[:, 1:], rtol=1e-5, atol=1e-5)
    errors = [np.abs(run(None, dt)[[0, 4]] - want[[0, 4], 1:]).max(1) for dt in (0.1, 0.05)]
    # first order at least, as concentrations that move have it
    assert np.all(errors[0] / errors[1] > 1.8) and errors[1][0] < 0.5


def test_linoid_for_users_is_right_at_its_singular_point():
    x = jnp.asarray([-1e-6, 0.0, 1e-6])
    value, slope = jax.jvp(linoid, (x,), (jnp.ones_like(x),))
    np.testing.assert_allclose(value, 1 + np.asarray(x) / 2, rtol=1e-12)
    np.testing.assert_allclose(slope, 0.5 + np.asarray(x) / 6, rtol=1e-12)


class Forgetful(AbstractOhmic):
    """A channel whose methods may be replaced."""

    moved: object = None
    open: object = None

    def kinetics(self, v, gates, ions):
        return self.moved(v) if self.moved else {"m": inf_tau(0.5 * jnp.ones_like(v), jnp.asarray(2.0))}

    def conductance(self, v, gates, ions):
        return self.open(v) if self.open else gates["m"]


class Current(npt.channels.AbstractChannel):
    """A current that isn't a `Drive`."""

    def kinetics(self, v, gates, ions):
        return {}

    def drive(self, v, gates, ions):
        return -0.1 * v


class Other(Forgetful):
    def init(self, v, ions):
        return {"n": jnp.zeros_like(v)}


@pytest.mark.parametrize(
    "channel, error, says",
    [
        (Forgetful(moved=lambda v: None, e=0.0), TypeError, "Forgetful.kinetics returns None; expected a dictionary"),
        (Forgetful(moved=lambda v: inf_tau(v, v), e=0.0), TypeError, "Forgetful.kinetics returns Relaxation"),
        (Forgetful(moved=lambda v: {"m": (v, v)}, e=0.0), TypeError, r"Forgetful.kinetics returns \{'m': \("),
        (
            Forgetful(moved=lambda v: {"m": inf_tau(jnp.ones(2), jnp.asarray(2.0))}, e=0.0),
            ValueError,
            r"Forgetful.kinetics gives m.rest the shape \(2,\); expected \(\) or \(3,\)",
        ),
        (Forgetful(open=lambda v: None, e=0.0), TypeError, "Forgetful.conductance returns None"),
        (Forgetful(open=lambda v: jnp.ones(2), e=0.0), ValueError, r"Forgetful.drive gives i the shape \(2,\)"),
        (Current(), TypeError, "Current.drive returns .*; expected an npt.Drive"),
        (Other(open=lambda v: v, e=0.0), ValueError, r"Other.kinetics moves \['m'\], and Other.init makes \['n'\]"),
    ],
    ids=lambda x: "" if not isinstance(x, str) else x[:24],
)
def test_what_a_method_returns_in_another_form_is_said(channel, error, says):
    cell = npt.neurons.ConductanceCell(3, channels={"c": channel})
    with pytest.raises(error, match=says):
        cell.init()
