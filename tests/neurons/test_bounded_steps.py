"""Other steppers than the default ones on cells whose voltage runs away, or whose gates open at once."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

ExponentialHeun = npt.integrate.ExponentialHeun
STEPPERS = {"ExponentialHeun": 1, "BackwardEuler": 2, "CrankNicolson": 1}  # by how many spikes in a run they may be off


def spikes(cell, current, dt, duration=200.0):
    out = npt.simulate(cell, cell.init(dt=dt), current, dt=dt, duration=duration, record=["v", "spike"]).out
    return int(out["spike"].sum()), float(out["v"].min()), float(out["v"].max())


def adaptive(stepper):
    """The cell of Brette and Gerstner 2005, doi:10.1152/jn.00686.2005: its currents in pA by r, 30 nS the leak."""
    return npt.neurons.AdExIF(
        1, v_rest=-70.6, v_th=20.0, v_reset=-70.6, v_t=-50.4, delta_t=2.0, a=4.0, b=80.5, tau=281 / 30, tau_w=144.0,
        r=1 / 30, stepper=stepper,
    )  # fmt: skip


# the number of spikes in 200 ms, by RK4 at .002 ms and, but for the last, by exact_spikes, in float64
RUNAWAYS = {
    "AdExIF": (adaptive, 1000.0, 8),
    "ExpIF, cut off far up": (lambda s: npt.neurons.ExpIF(1, v_th=0.0, stepper=s), 20.0, 23),
    "ExpIF, sharp": (lambda s: npt.neurons.ExpIF(1, delta_t=0.5, stepper=s), 20.0, 36),
    "ExpIF, nearly leaky": (lambda s: npt.neurons.ExpIF(1, delta_t=0.01, stepper=s), 20.0, 45),
}


@pytest.mark.parametrize("name", STEPPERS)
@pytest.mark.parametrize("case", RUNAWAYS)
def test_a_voltage_that_runs_away_ends_in_a_spike(name, case):
    make, current, truth = RUNAWAYS[case]
    cell = make(getattr(npt.integrate, name)())
    for dt in (0.05, 0.2):
        count, low, _ = spikes(cell, current, dt)
        # the spike falls on the grid: a share of dt in each interval, 4 ms at the shortest
        assert abs(count - truth) <= STEPPERS[name] + (dt > 0.1), (dt, count)
        assert low > -80, (dt, low)


def test_a_voltage_that_is_pulled_down_from_the_upswing_falls_no_further_than_it_is_pulled():
    for stepper in (npt.integrate.ExponentialEuler(), ExponentialHeun(), npt.integrate.BackwardEuler()):
        cell = npt.neurons.ExpIF(1, delta_t=0.5, v_init=-56.0, stepper=stepper)
        state, _ = cell.step(cell.init(), -3000.0, npt.Tick.at(0, dt=0.1))
        # 300 mV/ms for a step, of which e - 1 may come
        assert -56 - 30 * 1.72 < state.v[0] < -56


class Steep(npt.channels.AbstractOhmic):
    """Opens at once, over a few mV."""

    g: jax.Array = eqx.field(converter=jnp.asarray, default=20.0)
    half: jax.Array = eqx.field(converter=jnp.asarray, default=-30.0)

    def kinetics(self, v, gates, ions):
        return {}

    def conductance(self, v, gates, ions):
        return self.g * jax.nn.sigmoid((v - self.half) / 5)


def steep(stepper, sigma=None):
    parts = {
        "na": Steep(e=50.0, g=20.0),
        "k": Steep(e=-90.0, g=60.0, half=-20.0),
        "leak": npt.channels.IL(g=0.1, e=-65.0),
    }
    return npt.neurons.ConductanceCell(4, channels=parts, v_init=-40.0, sigma=sigma, stepper=stepper)


@pytest.mark.parametrize("name", STEPPERS)
def test_gates_that_open_at_once_leave_the_voltage_between_the_reversal_potentials(name):
    stepper = getattr(npt.integrate, name)()
    for dt in (0.1, 0.5):
        _, low, high = spikes(steep(stepper), jnp.linspace(0.0, 6.0, 4), dt, duration=100 * dt)
        # by Crank and Nicolson's method what should vanish in a step is mirrored
        assert (-200 if name == "CrankNicolson" else -90) < low and high < (150 if name == "CrankNicolson" else 50), dt


@pytest.mark.parametrize("name", STEPPERS)
def test_fast_spiking_cells_have_the_spikes_of_scipy(name):
    """10 in 100 ms, by LSODA as in test_instantaneous.py; at .1 ms backward Euler, of first order, has 13."""
    cell = npt.neurons.WangBuzsaki(1, stepper=getattr(npt.integrate, name)())
    for dt in (0.05, 0.1):
        count, low, high = spikes(cell, 2.0, dt, duration=100.0)
        assert count == 10 or (name == "BackwardEuler" and abs(count - 10) <= (1 if dt < 0.1 else 3)), (dt, count)
        assert low > -70 and high < 36


def test_noise_on_gates_that_open_at_once():
    """As far beyond the reversal potentials as noise carries: 5 of its deviations in a step."""
    cell = steep(npt.integrate.ExponentialEulerMaruyama(), sigma=1.0)
    for dt in (0.1, 0.5):
        state = cell.init(dt=dt, key=jax.random.key(0))
        v = npt.simulate(
            cell, state, 2.0, dt=dt, duration=200 * dt, key=jax.random.key(1), record=["v"]
        ).out["v"]  # fmt: skip
        assert -90 - 5 * dt**0.5 < v.min() and v.max() < 50 + 5 * dt**0.5


def test_exponential_heun_is_of_second_order_with_gates_that_open_at_once():
    def end(dt, stepper):
        cell = npt.neurons.WangBuzsaki(1, stepper=stepper)
        return float(npt.simulate(cell, cell.init(), 2.0, dt=dt, duration=3.0, record=[]).state.v[0])

    truth, steps = end(0.00125, npt.integrate.RK4()), np.array([0.02, 0.01, 0.005, 0.0025])
    errors = [abs(end(dt, ExponentialHeun()) - truth) for dt in steps]
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2, abs=0.15)


def test_exponential_heun_keeps_gates_between_their_rests():
    """A gate whose rate grows a thousandfold over the step."""

    class Gate(npt.integrate.AbstractField):
        def vector_field(self, t, y, u):
            return (0.1 + 1000 * t) * (1 - y)

        def linear(self, t, y, u):
            return npt.integrate.Relaxation(0.1 + 1000 * t, jnp.ones_like(y))

    got, _ = ExponentialHeun().step(Gate(), jnp.asarray(0.0), jnp.zeros(2), None, 0.5)
    np.testing.assert_allclose(got, 1 - np.exp(-0.5 * 250.1), rtol=1e-12)


def test_derivatives_of_a_step_at_rest_are_those_beside_it():
    """Of a secant of no length, of one longer than rounding can tell, and of a long one."""
    cell = npt.neurons.ConductanceCell(
        1, channels={"na": Steep(e=50.0, g=2.0), "leak": npt.channels.IL(g=0.1, e=-65.0)}, v_init=0.0
    )
    state = npt.simulate(cell, cell.init(), 0.0, dt=0.1, duration=40.0, record=[]).state

    @jax.jit
    def slopes(v):
        def step(v):
            return cell.step(eqx.tree_at(lambda s: s.membrane.v, state, v), 0.0, npt.Tick.at(0, dt=0.1))[0].v[0]

        return step(v), jax.grad(step)(v)[0], jax.hessian(step)(v)[0, 0]

    h = 1e-2
    up, down = slopes(state.v + h), slopes(state.v - h)
    for d in (0.0, 1e-14, -1e-13, 1e-10, 3e-7, -1e-6, 1e-4):
        value, slope, second = slopes(state.v + d)
        np.testing.assert_allclose(value, state.v[0] + d * slope, rtol=1e-14)
        np.testing.assert_allclose(slope, (up[0] - down[0]) / (2 * h), rtol=1e-7)
        # the third derivative, and that of the step's own line, leave this much
        assert abs(second - (up[1] - down[1]) / (2 * h)) < 5e-8, d
