"""Ions: reversal potentials, and calcium that rises when it enters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt


def test_nernst():
    # Hille 2001, table 1.3: mammalian muscle at 37 °C
    got = [
        float(npt.ions.nernst(i, o, z, 37.0)) for i, o, z in ((12, 145, 1), (155, 4, 1), (1e-4, 1.5, 2), (4.2, 123, -1))
    ]
    np.testing.assert_allclose(got, [66.6, -97.7, 128.5, -90.2], atol=0.2)


def test_fixed_ions():
    assert [float(i().e) for i in (npt.ions.SodiumFixed, npt.ions.PotassiumFixed, npt.ions.CalciumFixed)] == [
        50.0,
        -95.0,  # register 11
        120.0,
    ]
    assert npt.ions.SodiumFixed().init((3,), float) == {}


def test_calcium_detailed_against_scipy():
    """Under an oscillating current; 5.18e-5 mM·cm²/(ms·µA) at a depth of 1 µm (register 12), rising (13)."""
    ion = npt.ions.CalciumDetailed(d=0.5, tau=8.0, c_rest=3e-4, c_init=1e-3)
    current = lambda t, numpy: 6.0 * numpy.sin(0.3 * t)  # noqa: E731

    def field(t, c):
        return np.maximum(5.18e-5 / 0.5 * current(t, np), 0.0) + (3e-4 - c) / 8.0

    times = np.linspace(0, 40, 9)
    want = solve_ivp(field, (0, 40), [1e-3], "LSODA", times, rtol=1e-10, atol=1e-14, max_step=0.1).y[0]

    def step(state, k):
        i = jnp.asarray(current((k + 0.5) * 0.005, jnp))
        move = ion.kinetics(state, i)["c"]
        new = {"c": move.rest + (state["c"] - move.rest) * jnp.exp(-0.005 * move.rate)}
        return new, new["c"]

    start = ion.init((), jnp.float64)
    got = jax.lax.scan(step, start, jnp.arange(8000.0))[1][999::1000]
    # the printed factor has three digits
    np.testing.assert_allclose(got, want[1:], rtol=5e-4)
    pool = ion.pool(start)
    np.testing.assert_allclose(pool.e, 8.31446 * 309.15 / (2 * 96.4853) * np.log(2.0 / 1e-3), rtol=1e-5)


@pytest.mark.parametrize("ion", [npt.ions.CalciumDetailed(), npt.ions.CalciumFirstOrder()])
def test_calcium_rises_when_calcium_enters_and_never_by_what_leaves(ion):
    state = ion.init((), jnp.float64)
    move = lambda i: ion.kinetics(state, jnp.asarray(i))["c"]  # noqa: E731
    rise = lambda i: float(move(i).rate * (move(i).rest - state["c"]))  # noqa: E731
    assert rise(2.0) > 0 and rise(4.0) == pytest.approx(2 * rise(2.0)) and rise(-2.0) == 0.0


def test_what_is_refused():
    for kind, change, message in (
        (npt.ions.CalciumDetailed, {"d": 0.0}, "d of CalciumDetailed is 0; expected positive, finite numbers"),
        (npt.ions.CalciumDetailed, {"tau": [5.0, -1.0]}, "tau of CalciumDetailed is -1 at index 1; expected positive"),
        (npt.ions.CalciumDetailed, {"c_init": float("nan")}, "c_init of CalciumDetailed is nan"),
        (npt.ions.CalciumFirstOrder, {"beta": 0.0}, "beta of CalciumFirstOrder is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            kind(**change)
    jax.jit(lambda d: npt.ions.CalciumDetailed(d=d))(0.0)  # values that aren't known can't be refused


def test_calcium_first_order():
    ion = npt.ions.CalciumFirstOrder(c_init=2.0)
    k = ion.kinetics(ion.init((), jnp.float64), jnp.asarray(3.0))["c"]
    assert float(k.rate * (k.rest - 2.0)) == pytest.approx(0.13 * 3.0 - 0.075 * 2.0)
    assert float(ion.pool({"c": jnp.asarray(2.0)}).e) == 80.0


def test_calcium_rises_in_a_cell():
    """A T current at rest after a hyperpolarised start lets calcium in (register 13)."""
    for ion in (npt.ions.CalciumDetailed(), npt.ions.CalciumFirstOrder()):
        parts = {"t": npt.channels.ICaT_HM1992(), "leak": npt.channels.IL(e=-60.0)}
        cell = npt.neurons.ConductanceCell(1, channels=parts, ions={"ca": ion}, v_init=-95.0)
        state = cell.init()
        sol = npt.simulate(cell, state, 0.0, dt=0.05, duration=60.0, record=["ca.c", "v"])
        c0 = float(state.membrane.ions["ca"]["c"][0])
        assert float(sol.out["ca.c"].max()) > 1.5 * c0 + 1e-3 * (c0 == 0) and float(sol.out["ca.c"].min()) >= c0 * (
            1 - 1e-9
        )
