"""Cells whose voltage is held, against closed forms and SciPy."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt
from neuropytree.neurons import HH, ConductanceCell, VoltageClamp


def hh_rates(v):
    """Hodgkin and Huxley's, of n: opening and closing (1/ms)."""
    return 0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)


@pytest.mark.parametrize("dt", [0.01, 1.0])
def test_the_potassium_current_of_a_step_is_the_closed_form_at_any_dt(dt):
    """A gate at a held voltage relaxes exactly: n⁴, from rest at -65 mV."""
    levels = np.array([-90.0, -65.0, -30.0, 0.0, 40.0])
    clamp = VoltageClamp(HH(5))
    sol = npt.simulate(clamp, clamp.init(), levels, dt=dt, duration=5.0, record=["currents.k", "current", "k.n"])
    (a0, b0), (a, b) = hh_rates(-65.0), hh_rates(levels)
    n = a / (a + b) + (a0 / (a0 + b0) - a / (a + b)) * np.exp(-(a + b) * sol.ts[:, None])
    np.testing.assert_allclose(sol.out["k.n"], n, rtol=1e-11)  # rounding
    np.testing.assert_allclose(sol.out["currents.k"], 36.0 * n**4 * (-77.0 - levels), rtol=1e-10)


def calcium_cell(n):
    channels = {"ca": npt.channels.ICaL_IS2008(g=0.5), "ahp": npt.channels.IAHP_De1994(g=5.0)}
    ions = {"k": npt.ions.PotassiumFixed(e=-90.0), "ca": npt.ions.CalciumDetailed()}
    return ConductanceCell(n, channels=channels, ions=ions, v_init=-70.0)


def test_currents_and_calcium_over_a_pulse_agree_with_scipy():
    """Calcium enters and opens potassium channels: the held cell's whole field, given to LSODA on each side of the
    jumps."""
    cell = calcium_cell(1)
    clamp = VoltageClamp(cell)

    def pulse(tick):
        return jnp.where((tick.t >= 20.0) & (tick.t < 60.0), 0.0, -70.0)

    sol = npt.simulate(clamp, clamp.init(), pulse, dt=0.01, duration=100.0, record=["current", "ca.c"], every=500)
    leaves, structure = jax.tree.flatten(cell.init().membrane)

    @jax.jit
    def field(y, v):
        state = jax.tree.unflatten(structure, [x[None] for x in y])
        state = dataclasses.replace(state, v=v[None])
        slope = cell.vector_field(0.0, state, npt.Drive(jnp.zeros(())))
        drives = cell.membrane.currents(state, cell.membrane.pools(state.ions))
        total = sum(d.i - d.g * state.v for d in drives.values())
        return (
            jnp.concatenate(jax.tree.leaves(dataclasses.replace(slope, v=jnp.zeros(1)))),
            total[0],
            state.ions["ca"]["c"],
        )

    y, wanted = np.concatenate(leaves), []
    for begin, end, v in ((0.0, 20.0, -70.0), (20.0, 60.0, 0.0), (60.0, 100.0, -70.0)):
        at = jnp.asarray(v)
        times = np.arange(begin + 5.0, end + 1e-9, 5.0)
        part = solve_ivp(
            lambda t, y, at=at: field(y, at)[0], (begin, end), y, method="LSODA", t_eval=times, rtol=1e-10, atol=1e-12
        )
        wanted += [(-field(y, at)[1], field(y, at)[2][0]) for y in part.y.T]
        y = part.y[:, -1]
    currents, calcium = np.array(wanted).T
    # of first order in the coupling of calcium to its current: at 0.01 ms some half a step's change, of 2 ms or more
    np.testing.assert_allclose(sol.out["ca.c"][:, 0], calcium, rtol=3e-3)
    np.testing.assert_allclose(sol.out["current"][:, 0], currents, rtol=5e-3, atol=1e-5)
    assert calcium.max() > 1.5 * calcium[0]


def test_the_electrode_passes_what_the_channels_let_through_and_the_drive_would():
    """With the electrode's current as its input, a cell that isn't held stays where it is."""
    cell = HH(3)
    clamp = VoltageClamp(cell)
    levels = jnp.asarray([-80.0, -50.0, 10.0])
    sol = npt.simulate(clamp, clamp.init(), levels, dt=0.1, duration=300.0, record=["current", "currents.na"])
    assert sol.out["current"][-1, 2] > 0 > sol.out["currents.na"][0, 0] - sol.out["currents.na"][0, 2]
    slope = cell.vector_field(0.0, sol.state, npt.Drive(sol.out["current"][-1]))
    np.testing.assert_allclose(slope.v, 0.0, atol=1e-9)


def test_it_is_differentiable_and_needs_a_voltage():
    clamp = VoltageClamp(HH(1))

    def last(g):
        held = eqx.tree_at(lambda c: c.cell.membrane.channels["k"].g, clamp, g)
        return npt.simulate(held, held.init(), 0.0, dt=0.1, duration=5.0, record=["current"]).out["current"][-1, 0]

    g = jnp.asarray(36.0)
    np.testing.assert_allclose(jax.grad(last)(g), (last(g + 1) - last(g - 1)) / 2, rtol=1e-8)  # linear in g
    with pytest.raises(ValueError, match="VoltageClamp got no input; expected the voltage"):
        npt.simulate(clamp, clamp.init(), dt=0.1, duration=1.0)
    with pytest.raises(TypeError, match="(?s)cell is .*; expected a ConductanceCell"):
        VoltageClamp(npt.neurons.LIF(1))
