"""The composition of channels, ions and a membrane."""

from typing import ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt
from neuropytree.channels import IK_HH1952, IL, AbstractChannel, IAHP_De1994, ICaT_HM1992, INa_HH1952
from neuropytree.integrate import Chord, Linear, Relaxation
from neuropytree.neurons import HH, ConductanceCell, ConductanceState, ThalamicRelay, WangBuzsaki


def leaky(n=1, **options):
    return ConductanceCell(n, channels={"leak": IL(g=0.1, e=-70.0)}, **({"v_init": -70.0} | options))


def test_a_leak_is_stepped_exactly_and_densities_are_not_scaled():
    """A synaptic conductance in mS/cm² acts like a channel's (register 7), a current in µA/cm² as it is."""
    cell = leaky(c_m=2.0)
    drive = npt.Drive(jnp.asarray(0.5 + 0.3 * 0.0), jnp.asarray(0.3))
    sol = npt.simulate(cell, cell.init(), drive, dt=0.1, duration=20.0, record=["v"])
    rest, rate = (0.1 * -70.0 + 0.5) / 0.4, 0.4 / 2.0
    np.testing.assert_allclose(
        sol.out["v"][:, 0], rest + (-70.0 - rest) * np.exp(-rate * np.asarray(sol.ts)), rtol=1e-12
    )
    channels = {"leak": IL(g=0.1, e=-70.0), "synapse": IL(g=0.3, e=0.0)}
    same = ConductanceCell(1, channels=channels, c_m=2.0, v_init=-70.0)
    other = npt.simulate(same, same.init(), 0.5, dt=0.1, duration=20.0, record=["v"])
    np.testing.assert_allclose(other.out["v"], sol.out["v"], rtol=1e-12)


def test_without_any_conductance_the_voltage_integrates():
    cell = ConductanceCell(2, channels={}, v_init=0.0, v_th=1e3)
    sol = npt.simulate(cell, cell.init(), jnp.asarray([1.0, -2.0]), dt=0.1, duration=10.0, record=["v"])
    np.testing.assert_allclose(sol.out["v"][-1], [10.0, -20.0], rtol=1e-12)


def test_declared_coefficients_agree_with_the_field():
    """In value, and in slope for the gates, and the voltage where no conductance follows it at once, by automatic
    differentiation of the joint field; and a chord's two parts are the whole."""
    cell, u = ThalamicRelay(3), npt.Drive(jnp.asarray(1.0), jnp.asarray(0.2))
    cells = {"relay": cell, "instantaneous": WangBuzsaki(3)}
    for cell in cells.values():
        y = eqx.tree_at(lambda s: s.v, cell.init().membrane, jnp.asarray([-75.0, -40.0, 10.0]))
        leaves, structure = jax.tree.flatten(y)
        field = lambda leaves: jax.tree.leaves(cell.vector_field(0.0, jax.tree.unflatten(structure, leaves), u))  # noqa: B023, E731
        declared = jax.tree.leaves(
            cell.membrane.linear(0.0, y, u), is_leaf=lambda x: isinstance(x, Linear | Relaxation)
        )
        paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(y)]
        for n, (path, c) in enumerate(zip(paths, declared, strict=True)):
            tangents = [jnp.ones_like(x) if k == n else jnp.zeros_like(x) for k, x in enumerate(leaves)]
            value, slope = (out[n] for out in jax.jvp(field, (leaves,), (tangents,)))
            a, b = (-c.rate, c.rate * c.rest) if isinstance(c, Relaxation) else (c.a, c.b)
            np.testing.assert_allclose(a * leaves[n] + b, value, rtol=1e-9, atol=1e-12)
            if isinstance(c, Chord):
                there = c.moving(leaves[n])
                np.testing.assert_allclose(c.fixed.a + there.a, a, rtol=1e-12)
                np.testing.assert_allclose(c.fixed.b + there.b, b, rtol=1e-12)
            elif "ions" not in path:  # the current that feeds a concentration is held
                np.testing.assert_allclose(np.broadcast_to(a, slope.shape), slope, rtol=1e-9, atol=1e-12)


def test_the_joint_field_is_handed_to_scipy_and_diffrax():
    cell = HH(1)
    leaves, structure = jax.tree.flatten(cell.init().membrane)
    u = npt.Drive(jnp.asarray(10.0))

    @jax.jit
    def field(t, y):
        state = jax.tree.unflatten(structure, [x[None] for x in y])
        return jnp.concatenate(jax.tree.leaves(cell.vector_field(t, state, u)))

    y0 = np.concatenate(leaves)
    want = solve_ivp(lambda t, y: np.asarray(field(t, y)), (0, 10), y0, "LSODA", [10.0], rtol=1e-9, atol=1e-11).y[:, 0]
    term = diffrax.ODETerm(lambda t, y, args: cell.vector_field(t, y, u))
    control = diffrax.PIDController(rtol=1e-8, atol=1e-10)
    sol = diffrax.diffeqsolve(
        term, diffrax.Dopri5(), 0.0, 10.0, 0.01, cell.init().membrane, stepsize_controller=control
    )
    np.testing.assert_allclose(np.concatenate([x[-1] for x in jax.tree.leaves(sol.ys)]), want, rtol=1e-5)


def test_gates_move_before_the_voltage_and_see_the_old_one():
    cell = HH(1)
    whole = eqx.tree_at(lambda s: s.membrane.v, cell.init(), jnp.asarray([-40.0]))
    state, new = whole.membrane, cell.step(whole, 5.0, npt.Tick.at(0, dt=0.05))[0].membrane
    old = cell.membrane.linear(0.0, state, npt.Drive(jnp.asarray(5.0)))
    n, k = state.channels["k"]["n"], old.channels["k"]["n"]
    np.testing.assert_allclose(new.channels["k"]["n"], k.rest + (n - k.rest) * np.exp(-0.05 * k.rate), rtol=1e-12)
    between = ConductanceState(state.v, new.channels, state.ions)
    v = cell.membrane.linear(0.0, between, npt.Drive(jnp.asarray(5.0))).v
    rest = -v.b / v.a
    np.testing.assert_allclose(new.v, rest + (state.v - rest) * np.exp(0.05 * v.a), rtol=1e-12)


class Curved(AbstractChannel):
    """A current that isn't linear in the voltage: a Goldman-Hodgkin-Katz flux of calcium."""

    carries: ClassVar[str | None] = "ca"
    reads: ClassVar[tuple[str, ...]] = ("ca",)
    p: float = 0.05

    def kinetics(self, v, gates, ions):
        return {}

    def drive(self, v, gates, ions):
        def current(v):
            x = v / 13.3
            return self.p * x * 1e3 * (ions["ca"].c - 2.0 * jnp.exp(-x)) / (jnp.exp(-x) - 1) * 1e-2

        i, slope = jax.jvp(current, (v,), (jnp.ones_like(v),))
        return npt.Drive(i - slope * v, -slope)


def test_a_channel_of_one_s_own_and_one_that_is_not_ohmic():
    class IM(npt.channels.AbstractOhmic):
        g: float = 0.05
        carries = "k"

        def kinetics(self, v, gates, ions):
            inf = jax.nn.sigmoid((v + 35.0) / 10.0)
            return {"m": npt.channels.inf_tau(inf, 100.0 + 0.0 * v)}

        def conductance(self, v, gates, ions):
            return self.g * gates["m"]

    parts = {"m": IM(), "curved": Curved(), "leak": IL(g=0.1, e=-60.0)}
    ions = {"k": npt.ions.PotassiumFixed(), "ca": npt.ions.CalciumDetailed()}

    def run(stepper, dt):
        cell = ConductanceCell(1, channels=parts, ions=ions, v_init=-60.0, stepper=stepper)
        sol = npt.simulate(cell, cell.init(), 1.0, dt=dt, duration=20.0, record=["v", "ca.c", "m.m"])
        return [np.asarray(sol.out[k][-1, 0]) for k in ("v", "ca.c")]

    truth = run(npt.integrate.RK4(), 0.01)
    errors = [np.abs(np.subtract(run(None, dt), truth)) for dt in (0.2, 0.1, 0.05)]
    assert np.all(errors[0] / errors[2] > 3.5) and errors[2][0] < 0.01  # first order at least; 4 over two halvings


def test_recording_and_names():
    cell = ThalamicRelay(2)
    sol = npt.simulate(cell, cell.init(), dt=0.05, duration=1.0, record=["v", "na.m", "ca.c", "h.open", "spike"])
    assert {k: x.shape for k, x in sol.out.items()} == dict.fromkeys(sol.out, (20, 2))
    with pytest.raises(ValueError, match="'na.x' is not a variable of a conductance cell"):
        npt.simulate(cell, cell.init(), dt=0.05, duration=1.0, record=["na.x"])
    population = npt.Population(cell, {"exc": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.COBA(0.0))})
    net = npt.Network({"E": population})
    out = npt.simulate(net, net.init(dt=0.05), dt=0.05, duration=1.0, record=["E.na.m", "E.ca.c", "E.v", "E.exc.g"]).out
    np.testing.assert_array_equal(out["E.na.m"], sol.out["na.m"])
    with pytest.raises(ValueError, match="there is no receptor 'foo'"):
        npt.simulate(net, net.init(dt=0.05), dt=0.05, duration=1.0, record=["E.foo.m"])
    assert "2 x ConductanceMembrane" in net.summary(dt=0.05)


def test_a_network_of_conductance_cells_spikes():
    receptors = {"exc": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.COBA(0.0))}
    cells = npt.neurons.TraubMiles(20, v_init=npt.init.Uniform(-70.0, -55.0))
    rule = npt.connect.FixedProb(0.5)
    net = npt.Network(
        {"E": npt.Population(cells, receptors)},
        {"E->E": npt.Projection("E", "E.exc", rule, weight=0.03)},
        key=jax.random.key(0),
    )
    sol = npt.simulate(
        net, net.init(dt=0.05, key=jax.random.key(1)), {"E": 1.0}, dt=0.05, duration=50.0, record=["E.spike"]
    )
    assert sol.out["E.spike"].any(0).all()


def test_what_is_refused():
    with pytest.raises(
        ValueError, match=r"channel 'na' \(INa_HH1952\) reads the ion 'na', but the cell has the ions \['k'\]"
    ):
        ConductanceCell(1, channels={"na": INa_HH1952()}, ions={"k": npt.ions.PotassiumFixed()})
    with pytest.raises(ValueError, match=r"channel 'ahp' \(IAHP_De1994\) reads the ion 'ca'"):
        ConductanceCell(1, channels={"ahp": IAHP_De1994(e=-90.0)})
    with pytest.raises(ValueError, match="channel name 'a.b' can't be used in paths"):
        ConductanceCell(1, channels={"a.b": IL()})
    with pytest.raises(TypeError, match="channel 'leak' is 0.1; expected an npt.channels.AbstractChannel"):
        ConductanceCell(1, channels={"leak": 0.1})
    with pytest.raises(TypeError, match="ion 'k' is -90.0; expected an npt.ions.AbstractIon"):
        ConductanceCell(1, channels={"k": IK_HH1952()}, ions={"k": -90.0})
    with pytest.raises(ValueError, match=r"has shape \(3,\); expected \(\) or \(2,\)"):
        ConductanceCell(2, channels={"leak": IL(g=[0.1, 0.2, 0.3])})
    with pytest.raises(ValueError, match="ExponentialEuler has no noise, but ConductanceMembrane declares a diffusion"):
        cell = HH(1, sigma=0.1, stepper=npt.integrate.ExponentialEuler())
        cell.step(cell.init(), 0.0, npt.Tick.at(0, dt=0.1))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: HH(1, c_m=-1.0), ValueError, "c_m is -1; expected positive"),
        (lambda: HH(2, c_m=[1.0, np.nan]), ValueError, "c_m is nan at index 1; expected positive"),
        (lambda: HH(1, g_na=np.nan), ValueError, "g_na is nan; expected finite"),
        (lambda: HH(1, g_na=-1.0), ValueError, "g_na is -1; expected finite numbers of mS/cm², at least 0"),
        (lambda: HH(1, sigma=-0.1), ValueError, "sigma is -0.1"),
        (lambda: HH(1, v_init=np.inf), ValueError, "v_init is inf"),
        (lambda: HH(1, v_init="rest"), TypeError, "v_init is 'rest'; expected a number"),
        (lambda: HH(1, stepper=npt.integrate.RK4), TypeError, "stepper is .*; expected an AbstractStepper"),
        (lambda: ConductanceCell(1, channels=[IL()]), TypeError, r"channels is \[IL.*\]; expected a dictionary"),
        (lambda: ConductanceCell(1, channels=IL()), TypeError, "expected a dictionary of channels by name"),
        (lambda: ConductanceCell(1, channels={}, ions=[]), TypeError, "ions is .*; expected a dictionary of ions"),
        (lambda: npt.neurons.PinskyRinzel(1, p=1.5), ValueError, "1 - p is -0.5; expected positive"),
    ],
)
def test_values_are_refused_where_they_are_given(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_step_refuses_what_is_of_other_shapes():
    cell, tick = HH(3), npt.Tick.at(0, dt=0.1)
    with pytest.raises(ValueError, match=r"the input has shape \(4,\); expected \(\) or \(3,\)"):
        cell.step(cell.init(), jnp.ones(4), tick)
    with pytest.raises(
        ValueError, match=r"the state is that of cells of shape \(2,\), and this Cond.* has the shape \(3,\)"
    ):
        cell.step(HH(2).init(), 1.0, tick)
    with pytest.raises(ValueError, match="the state has an absolute refractory period, and the cell has none"):
        cell.step(HH(3, t_ref=1.0).init(), 1.0, tick)


def test_noise_of_a_leaky_cell_has_its_stationary_variance():
    cell = leaky(4000, sigma=0.5, c_m=1.0)
    sol = npt.simulate(cell, cell.init(), dt=0.5, duration=60.0, record=["v"], every=120, key=jax.random.key(0))
    # sigma² tau / 2 with tau = 10 ms; four standard errors of a variance of 4000 draws
    assert float(sol.out["v"][-1].var()) == pytest.approx(0.25 * 10 / 2, rel=4 * np.sqrt(2 / 4000))


def test_parameters_for_each_neuron_and_gradients_through_them():
    g = jnp.asarray([100.0, 120.0, 140.0])
    together = npt.simulate(HH(3, g_na=g), HH(3).init(), 10.0, dt=0.05, duration=20.0, record=["v"]).out["v"]
    alone = npt.simulate(HH(1, g_na=140.0), HH(1).init(), 10.0, dt=0.05, duration=20.0, record=["v"]).out["v"]
    np.testing.assert_allclose(together[:, 2], alone[:, 0], rtol=1e-12)

    def end(g):
        return npt.simulate(HH(1, g_na=g), HH(1).init(), 10.0, dt=0.05, duration=5.0, record=["v"]).out["v"][-1, 0]

    slope = jax.grad(end)(jnp.asarray(120.0))
    np.testing.assert_allclose(slope, (end(120.01) - end(119.99)) / 0.02, rtol=1e-4)


def test_calcium_of_two_channels_adds():
    """A pool gets the summed current of the channels that carry it."""
    t = ICaT_HM1992(g=1.0)
    ions = {"ca": npt.ions.CalciumDetailed()}
    one = ConductanceCell(1, channels={"a": ICaT_HM1992(g=2.0)}, ions=ions)
    two = ConductanceCell(1, channels={"a": t, "b": t}, ions=ions)
    u = npt.Drive(jnp.asarray(0.0))
    moves = [c.vector_field(0.0, c.init().membrane, u) for c in (one, two)]
    np.testing.assert_allclose(moves[0].ions["ca"]["c"], moves[1].ions["ca"]["c"], rtol=1e-12)
    np.testing.assert_allclose(moves[0].v, moves[1].v, rtol=1e-12)
    assert float(moves[0].ions["ca"]["c"][0]) > 0


def test_within_the_refractory_time_no_other_crossing_counts():
    """While the voltage moves on. A crossing every 2 ms, of which those closer than 3 ms to the last don't count."""
    t = np.arange(400) * 0.1
    current = npt.Series(60.0 * np.cos(2 * np.pi * t / 2.0))

    def run(t_ref):
        cell = leaky(1, v_th=-70.0, t_ref=t_ref)
        state = cell.init(dt=0.1)
        return npt.simulate(cell, state, current, dt=0.1, duration=40.0, record=["v", "spike"]).out

    every, some = run(None), run(3.0)
    np.testing.assert_array_equal(every["v"], some["v"])
    at, left = np.flatnonzero(every["spike"][:, 0]), np.flatnonzero(some["spike"][:, 0])
    assert np.all(np.diff(at) <= 30) and np.all(np.diff(left) > 30)
    want = []
    for k in at:
        if not want or k - want[-1] > 30:
            want.append(k)
    np.testing.assert_array_equal(left, want)
