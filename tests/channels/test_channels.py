"""Every channel against its printed equations: under a moving clamp, at singular points, and in its errors."""

import inspect
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt
from neuropytree.ions import Pool, nernst
from neuropytree.testing import channel_bank

from .literature import PRINTED, h_of_destexhe, rate_and_rest, slopes

CHANNELS = channel_bank()
E = {"na": 50.0, "k": -95.0}
TIMES = np.linspace(0.0, 40.0, 21)


def v_of(t, numpy):
    return -55.03 + 45.0 * numpy.sin(0.35 * t) + 0.4 * t


def c_of(t, numpy):
    return 1.5e-3 - 1.2e-3 * numpy.cos(0.2 * t)


def e_of(name: str, c):
    e = PRINTED[name].e
    return 8.31446261815324 * 309.15 / (2 * 96485.33212) * 1e3 * np.log(2.0 / c) if e == "ca" else E.get(e, e)


def pools(c) -> dict[str, Pool]:
    fixed = {name: npt.ions.FixedIon(e, 10.0).pool({}) for name, e in E.items()}
    return fixed | {"ca": Pool(c, nernst(c, 2.0, 2.0))}


class Clamp(npt.integrate.AbstractField):
    """All channels at one moving voltage."""

    channels: dict[str, npt.channels.AbstractChannel]

    def vector_field(self, t: Any, y: Any, u: Any) -> Any:
        v, ions = jnp.asarray(v_of(t, jnp)), pools(c_of(t, jnp))
        moves = {name: channel.kinetics(v, y[name], ions) for name, channel in self.channels.items()}
        return {name: {g: k.rate * (k.rest - y[name][g]) for g, k in ks.items()} for name, ks in moves.items()}


def test_the_bank_and_the_table_are_complete():
    public = {
        name
        for name, kind in vars(npt.channels).items()
        if inspect.isclass(kind) and issubclass(kind, npt.channels.AbstractChannel) and not inspect.isabstract(kind)
    }
    assert set(PRINTED) | {"Ih_De1996"} == set(CHANNELS) == public


@pytest.fixture(scope="module")
def clamped():
    """Gates and currents of every channel at `TIMES`."""
    channels = CHANNELS
    field, dt, every = Clamp(channels), 0.005, 400
    start = {
        name: c.init(jnp.asarray(v_of(0.0, np)), pools(jnp.asarray(c_of(0.0, np)))) for name, c in channels.items()
    }

    @jax.jit
    def run(y):
        def step(y, k):
            return npt.integrate.RK4().step(field, k.astype(float) * dt, y, None, dt)[0], None

        def stretch(y, k):
            y = jax.lax.scan(step, y, k * every + jnp.arange(every))[0]
            return y, y

        ys = jax.lax.scan(stretch, y, jnp.arange(len(TIMES) - 1))[1]
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), y, ys)

    gates = run(start)
    v, ions = jnp.asarray(v_of(TIMES, np)), pools(jnp.asarray(c_of(TIMES, np)))
    drives = {name: c.drive(v, gates[name], ions) for name, c in channels.items()}
    return gates, {name: np.asarray(d.i - d.g * v) for name, d in drives.items()}


@pytest.mark.parametrize("name", PRINTED)
def test_gates_and_current_under_a_moving_clamp(name, clamped):
    printed, (gates, currents) = PRINTED[name], clamped
    names = list(printed.gates)
    assert set(gates[name]) == set(names)

    def field(t, x):
        return [slopes(printed.gates[g], v_of(t, np), c_of(t, np), x[n]) for n, g in enumerate(names)]

    start = [rate_and_rest(g, v_of(0.0, np), c_of(0.0, np))[1] for g in printed.gates.values()]
    want = np.empty((0, len(TIMES)))
    if names:
        want = solve_ivp(field, (0, 40), start, "LSODA", TIMES, rtol=1e-10, atol=1e-12, max_step=0.5).y
    # RK4 at 5 µs is good to 1e-8; where a time constant jumps, to the step times the jump of the rate
    tolerance = 1e-4 if printed.jumps else 1e-7
    for n, g in enumerate(names):
        np.testing.assert_allclose(gates[name][g], want[n], rtol=0, atol=tolerance)
    v, c = v_of(TIMES, np), c_of(TIMES, np)
    x = {g: np.asarray(gates[name][g]) for g in names}
    np.testing.assert_allclose(
        currents[name], printed.conductance(x, v, c) * (e_of(name, c) - v), rtol=1e-9, atol=1e-12
    )


def test_the_scheme_of_ih_de1996(clamped):
    """With the exchange between open and locked channels in both (register 41)."""
    gates, currents = clamped
    x = np.array([gates["Ih_De1996"][g] for g in ("open", "locked", "bound")])
    np.testing.assert_allclose(h_of_destexhe(v_of(0.0, np), c_of(0.0, np), x[:, 0]), 0.0, atol=1e-15)
    field = lambda t, x: h_of_destexhe(v_of(t, np), c_of(t, np), x)  # noqa: E731
    want = solve_ivp(field, (0, 40), x[:, 0], "LSODA", TIMES, rtol=1e-10, atol=1e-14).y
    np.testing.assert_allclose(x, want, rtol=0, atol=1e-9)
    current = 0.02 * (x[0] + 2.0 * x[1]) * (-40.0 - v_of(TIMES, np))
    np.testing.assert_allclose(currents["Ih_De1996"], current, rtol=1e-9)
    assert 0.02 < np.ptp(x[0]) and np.ptp(x[2]) > 1e-3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [n for n, p in PRINTED.items() if p.gates])
def test_rates_have_no_singular_point(name, dtype):
    """On a grid of 0.1 mV, which has every removable singularity: values and slopes of rate and steady state."""
    printed, h = PRINTED[name], 1e-3
    grid = np.round(np.arange(-1200, 601) / 10, 1)
    away = np.all([np.abs(grid - jump) > 0.05 for jump in (*printed.jumps, 1e3)], axis=0)
    with jax.enable_x64(dtype is np.float64):
        channel, v = channel_bank()[name], jnp.asarray(grid, dtype)
        ions = pools(jnp.asarray(1e-3, dtype))

        def rates(v):
            return {g: (k.rate, k.rest) for g, k in channel.kinetics(v, {}, ions).items()}

        values, tangents = jax.jvp(rates, (v,), (jnp.ones_like(v),))
    assert all(x.dtype == dtype for x in jax.tree.leaves(values))
    for g, gate in printed.gates.items():
        below, above = rate_and_rest(gate, grid - h, 1e-3), rate_and_rest(gate, grid + h, 1e-3)
        for n in (0, 1):
            want, slope = (below[n] + above[n]) / 2, (above[n] - below[n]) / (2 * h)
            # the mean over 2 µV is off by h² f''/2; float32 by its rounding, which slopes have a hundredfold
            value = np.broadcast_to(values[g][n], grid.shape)
            tangent = np.broadcast_to(tangents[g][n], grid.shape)
            rough = dtype is np.float32
            np.testing.assert_allclose(value[away], want[away], rtol=2e-5 if rough else 1e-6)
            scale = np.abs(slope) + np.abs(want) / 10
            assert np.all(np.abs(tangent - slope)[away] <= (1e-3 if rough else 1e-5) * scale[away])


# where rates are 0/0 as they are printed
SINGULAR = {
    "INa_TM1991": (-50.0, -23.0),
    "INa_Ba2002": (-37.0, -10.0),
    "INa_HH1952": (-40.0,),
    "INa_CS1977": (-29.7,),
    "IK_TM1991": (-45.0,),
    "IKDR_Ba2002": (-35.0,),
    "IK_HH1952": (-55.0,),
    "IK_WB1996": (-34.0,),
    "IK_CS1977": (-45.7,),
    "IK_PR1994": (-24.9,),
    "ICaHT_Re1993": (-27.0,),
    "ICa_PR1994": (-8.9,),
}
BESIDE = np.array([s * d for d in (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.3) for s in (1, -1)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rates_beside_their_singular_points(dtype):
    """At the point and 1e-8 to 0.3 mV from it: value, slope and curvature, under jit and vmap, against the printed
    rates in extended precision."""
    rough = dtype is np.float32
    at = {k: np.asarray(np.concatenate([[p, *(p + BESIDE)] for p in points]), dtype) for k, points in SINGULAR.items()}

    def derivatives(xs):
        found = {}
        for name, x in xs.items():

            def rates(v, channel=channels[name]):
                moves = channel.kinetics(v, {}, pools(jnp.asarray(1e-3, v.dtype)))
                return jnp.stack([jnp.stack([k.rate, k.rest]) for _, k in sorted(moves.items())])

            first = lambda v, f=rates: jax.jvp(f, (v,), (jnp.ones_like(v),))  # noqa: E731
            (value, slope), (_, curve) = jax.vmap(lambda v, f=first: jax.jvp(f, (v,), (jnp.ones_like(v),)))(x)
            found[name] = value, slope, curve
        return found

    with jax.enable_x64(not rough):
        channels = channel_bank()
        found = jax.jit(derivatives)({name: jnp.asarray(x) for name, x in at.items()})
        for name, x in at.items():
            printed = PRINTED[name]
            value, slope, curve = (np.asarray(part, np.longdouble) for part in found[name])
            # as printed, the rates lose digits beside the point, and are lost at it: polynomials through five values
            # half a millivolt apart, none of them within 1e-4 mV of it
            h, v = np.longdouble(0.05), np.asarray(x, np.longdouble)
            nodes = h * np.array([-2, -1, 1, 2], np.longdouble) + np.longdouble(0.0123)
            grid = np.stack([nodes**k for k in range(4)], 1)
            inverse = np.linalg.inv(np.asarray(grid, float)).astype(np.longdouble)
            inverse = inverse @ (2 * np.eye(4, dtype=np.longdouble) - grid @ inverse)
            for n, g in enumerate(sorted(printed.gates)):
                there = np.array([rate_and_rest(printed.gates[g], v + node, 1e-3) for node in nodes])
                fit = np.einsum("kn,nrv->krv", inverse, there)
                size = np.abs(fit[0])
                # the cubic leaves h⁴ times a fourth derivative, of which a rate has 1e-4 of itself at most
                for got, want, tolerance in (
                    (value, fit[0], 2e-5 if rough else 1e-8),
                    (slope, fit[1], 2e-5 if rough else 1e-6),
                    (curve, 2 * fit[2], 1e-4 if rough else 3e-5),
                ):
                    error = np.abs(got[:, n].T - want) / size
                    assert np.all(error <= tolerance), (name, g, error.max())


def test_a_conductance_that_follows_the_voltage_is_known_to():
    """The drive is a chord of the current, whose conductance is never negative."""
    at_once = {"INa_WB1996", "ICa_ML1981", "INa_PR1994", "ICaT_De1996"}
    v, ions = jnp.asarray([-80.0, -46.8, -36.0, -19.8, -1.2, 10.0]), pools(jnp.asarray(1e-3))
    for name, channel in CHANNELS.items():
        gates = {gate: jnp.full(6, 0.4) for gate in channel.kinetics(v, {}, ions)} if name in at_once else None
        if gates is None:
            gates = channel.init(v, ions)
        drive = channel.drive(v, gates, ions)
        assert channel.follows(v, gates, ions) == (name in at_once), name
        if name in at_once:
            current = PRINTED[name].conductance({"h": 0.4}, v, 1e-3) * (e_of(name, 1e-3) - v)
            np.testing.assert_allclose(drive.i - drive.g * v, current, rtol=1e-9)
            assert np.all(drive.g >= 0)


def test_reversal_potential_is_its_own_or_the_ion_s():
    v, ions = jnp.asarray(-60.0), pools(jnp.asarray(1e-3))
    own, shared = npt.channels.IK_HH1952(e=-77.0), npt.channels.IK_HH1952()
    assert own.needs == () and shared.needs == ("k",)
    assert own.reversal(ions) == -77.0 and shared.reversal(ions) == -95.0
    assert npt.channels.Ih_De1996().needs == ("ca",) and npt.channels.IAHP_De1994(e=-90.0).needs == ("ca",)
    with pytest.raises(ValueError, match="e of IL is None; expected a number"):
        npt.channels.IL(e=None)
    with pytest.raises(TypeError, match="g of IK_HH1952 is None; expected a number"):
        npt.channels.IK_HH1952(g=None)
    assert float(npt.channels.Ih_HM1992().reversal({})) == -43.0  # register 9
    assert shared.init(v, ions)["n"].dtype == jnp.float64


def test_parameters_are_leaves_and_converted():
    channel = npt.channels.INa_HH1952(g=[100.0, 120.0], e=50)
    assert {x.shape for x in jax.tree.leaves(channel)} == {(), (2,)}
    assert all(eqx.is_inexact_array(x) and not x.weak_type for x in jax.tree.leaves(channel))
