"""Trees of compartments: the elimination, cable theory, Rallpack 1, other solvers, NEURON."""

import functools
import json
from pathlib import Path

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import neuropytree as npt
from neuropytree.channels import IK_HH1952, IL, IAHP_De1994, ICaL_IS2008, INa_HH1952
from neuropytree.neurons import HH, Compartments, CompartmentsState, ConductanceCell, Hines
from neuropytree.neurons._tree import Tree

from ..helpers import quick_jit

REFERENCE = Path(__file__).parents[1] / "reference"
SQUID = {
    "na": (INa_HH1952(e=50.0), "soma"),
    "k": (IK_HH1952(g=36.0, e=-77.0), "soma"),
    "leak": (IL(g=0.3, e=-54.387), "soma"),
}


def random_tree(rng, n, back):
    return Tree((-1, *(int(rng.integers(max(0, k - back), k)) for k in range(1, n))))


def dense(tree, own, g):
    links = np.eye(tree.size)
    links[np.arange(1, tree.size), tree.parents[1:]] = -1
    return jnp.diag(own) + links[1:].T @ (g[1:, None] * links[1:])


# ---- the elimination


@pytest.mark.parametrize(("n", "back"), [(1, 1), (9, 1), (30, 3), (40, 40)])
def test_elimination_against_a_dense_solve(n, back):
    """Chains, brushes and bushes: value, both derivatives, several systems at once, vmap."""
    rng = np.random.default_rng(n)
    tree = random_tree(rng, n, back)
    own, b = (jnp.asarray(rng.uniform(0.1, 2.0, (n, 3))) for _ in range(2))
    g = jnp.asarray(rng.uniform(0.1, 30.0, (n, 1)))
    w = jnp.asarray(rng.normal(size=(n, 3)))

    def ours(own, g, b):
        return tree.solve(own, g, b)

    def plain(own, g, b):
        return jnp.stack([jnp.linalg.solve(dense(tree, own[:, m], g[:, 0]), b[:, m]) for m in range(3)], 1)

    def everything(f, args):
        loss = lambda args: jnp.sum(w * f(*args))  # noqa: E731
        return f(*args), jax.grad(loss)(args), jax.jacfwd(loss)(args)

    args = own, g, b
    got, want = (quick_jit(functools.partial(everything, f))(args) for f in (ours, plain))
    np.testing.assert_allclose(got[0], want[0], rtol=1e-11)
    for x, y in zip(jax.tree.leaves(got[1:]), jax.tree.leaves(want[1:]), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11)
    many = jax.vmap(ours, (0, None, None))(jnp.stack([own, 2 * own]), g, b)
    np.testing.assert_allclose(many[1], ours(2 * own, g, b), rtol=1e-13)


def test_elimination_in_float32_keeps_its_digits_where_links_outweigh_the_membrane():
    """A million to one: where the pivots are differences, the links' rounding errors swamp what leaks."""
    n = 200
    tree = Tree((-1, *range(n - 1)))
    own, b = jnp.full((n, 1), 1e-6, jnp.float32), jnp.full((n, 1), -65e-6, jnp.float32)
    v = tree.solve(own, jnp.ones((n, 1), jnp.float32), b)
    np.testing.assert_allclose(v, -65.0, rtol=2e-5)  # some rounding errors for each of 200 compartments


def test_the_program_does_not_grow_with_the_number_of_compartments():
    def length(n, parents):
        tree = Tree(tuple(parents))
        jaxpr = jax.make_jaxpr(tree.solve)(*(jnp.ones((n, 1)) for _ in range(3)))
        return str(jaxpr).count(" = ")

    assert length(20, range(-1, 19)) == length(2000, range(-1, 1999))
    bush = lambda n: [-1] + [(k - 1) // 2 for k in range(1, n)]  # noqa: E731
    assert length(31, bush(31)) == length(1023, bush(1023))


# ---- passive cables


R_A, R_M, C_M, DIAMETER = 100.0, 40_000.0, 1.0, 1.0  # Ω cm, Ω cm², µF/cm², µm: those of Rallpack 1
LAMBDA = 1e4 * np.sqrt(DIAMETER * 1e-4 / 4 * R_M / R_A)  # µm
TAU = R_M * C_M * 1e-3  # ms
R_INF = R_A * LAMBDA * 1e-4 / (np.pi / 4 * (DIAMETER * 1e-4) ** 2) * 1e-6  # MΩ: mV for each nA


def cable(n, length, stepper=None, **options):
    return Compartments.from_cylinders(
        1,
        parents=range(-1, n - 1),
        length=length / n,
        diameter=DIAMETER,
        r_a=R_A,
        c_m=C_M,
        channels={"leak": IL(g=1e3 / R_M, e=-65.0)},
        input_area=1e5,  # currents are nA
        stepper=stepper,
        **options,
    )


def steady(x, length, current):
    return current * R_INF * np.cosh((length - x) / LAMBDA) / np.sinh(length / LAMBDA)


def charging(x, t, length, current, terms=4000):
    """The eigenfunction series of a cable with sealed ends, with a current into one of them from time 0."""
    n = np.arange(terms)[:, None]
    rate = 1 + (n * np.pi * LAMBDA / length) ** 2
    c = np.where(n == 0, 1.0, 2.0) * np.cos(n * np.pi * x / length) / rate
    return steady(x, length, current) - current * R_INF * LAMBDA / length * np.sum(c * np.exp(-rate * t / TAU), 0)


def test_steady_state_and_input_resistance_of_a_sealed_cable():
    """Of second order in the length of a compartment; reached in steps of 100 ms without any overshoot."""
    length, current, errors, counts = 1500.0, 0.05, [], [10, 20, 40, 80]
    for n in counts:
        sol = npt.simulate(
            (c := cable(n, length)), c.init(), current, dt=100.0, duration=3000.0, record=["v", "voltages"]
        )
        x = (np.arange(n) + 0.5) * length / n
        errors.append(np.abs(sol.out["voltages"][-1, 0] + 65 - steady(x, length, current)).max())
        assert np.all(np.diff(np.asarray(sol.out["v"][:, 0])) > -1e-9)
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(2, abs=0.15)
    # the end itself is half a compartment away from the middle of the first one
    v = np.asarray(sol.out["voltages"][-1, 0]) + 65
    end = v[0] + current * R_INF / LAMBDA * (length / n) / 2
    assert end / current == pytest.approx(R_INF / np.tanh(length / LAMBDA), rel=2e-4)


def test_rallpack_1():
    """1000 compartments, both ends, 250 ms: the series, with an error that shrinks with the number of compartments."""
    length, current, dt, duration = 1000.0, 0.1, 0.05, 245.1
    root = {}
    for n in (10, 100, 1000):
        # the current jumps at time 0, which the method of second order wants smoothed by some short steps of the first
        c = cable(n, length)
        first = npt.simulate(c, c.init(), current, dt=dt / 4, duration=2 * dt)
        c = cable(n, length, Hines(order=2))
        sol = npt.simulate(
            c, first.state, current, dt=dt, duration=duration - 2 * dt, start=2, record=["voltages"], every=49
        )
        t = np.asarray(sol.ts)
        x = np.array([0.5, n - 0.5]) * length / n
        want = np.stack([charging(at, t, length, current) for at in x], 1)
        got = np.asarray(sol.out["voltages"][:, 0])[:, [0, -1]] + 65
        root[n] = np.sqrt(np.mean((got - want) ** 2, 0)) / want[-1]
    # relative to the final voltages, which are 72.9 and 47.5 mV above rest
    assert np.all(root[10] < 1e-2) and np.all(root[100] < 1e-4) and np.all(root[1000] < 1e-5)


def forked(n, levels):
    """A cable whose last two thirds fork, and fork again, by Rall's law; and the compartments at each distance."""
    parents, length, diameter, places = list(range(-1, n - 1)), [10.0] * n, [2.0] * n, [[k] for k in range(n)]
    tips = [n - 1]
    for level in range(1, levels):
        d, new = 2.0 * 2 ** (-2 * level / 3), []
        rows = [[] for _ in range(n)]
        for tip in tips:
            for _ in range(2):
                at = tip
                for k in range(n):
                    parents.append(at)
                    length.append(10.0 * np.sqrt(d / 2.0))
                    diameter.append(d)
                    at = len(parents) - 1
                    rows[k].append(at)
                new.append(at)
        places, tips = places + rows, new
    return parents, length, diameter, places


def test_a_tree_by_ralls_law_is_its_equivalent_cylinder():
    """Exactly, since all compartments have the same electrotonic length."""
    parents, length, diameter, places = forked(6, 3)
    leak = {"leak": IL(g=0.05, e=-65.0)}
    options = {"r_a": R_A, "channels": leak, "input_area": 1e5}
    tree = Compartments.from_cylinders(1, parents=parents, length=length, diameter=diameter, **options)
    plain = Compartments.from_cylinders(1, parents=range(-1, 17), length=10.0, diameter=2.0, **options)
    assert len(tree.membrane.branch_points) == 3 and tree.membrane.tree.size == len(parents) + 3
    runs = [
        npt.simulate(c, c.init(), 0.05, dt=0.1, duration=30.0, record=["voltages"]).out["voltages"][:, 0]
        for c in (tree, plain)
    ]
    for k, row in enumerate(places):
        for at in row:
            np.testing.assert_allclose(runs[0][:, at], runs[1][:, k], rtol=0, atol=1e-9)


def passive(stepper=None, g_axial=(0.0, 30.0, 80.0, 20.0, 50.0, 60.0, 10.0)):
    """Seven compartments, numbered in any order, one of them a branch point, and their matrix."""
    area = np.array([900.0, 300.0, 200.0, 1.0, 150.0, 400.0, 250.0])
    parents = [-1, 3, 3, 5, 1, 0, 0]
    cell = Compartments(
        1,
        parents=parents,
        area=area,
        g_axial=g_axial,
        branch_points=[3],
        channels={"leak": IL(g=[0.1, 0.2, 0.1, 0.3, 0.1, 0.2], e=-60.0)},
        c_m=[1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.5],
        v_init=[-40.0, -60.0, -80.0, 0.0, -70.0, -50.0, -65.0],
        stepper=stepper,
    )
    area[3] = 0.0
    flow = 100 * np.asarray(dense(Tree(tuple(parents)), jnp.zeros(7), jnp.asarray(g_axial)))
    leak = np.insert([0.1, 0.2, 0.1, 0.3, 0.1, 0.2], 3, 0.0)
    full = flow + np.diag(area * leak)
    own = [0, 1, 2, 4, 5, 6]
    reduced = full[np.ix_(own, own)] - np.outer(full[own, 3], full[3, own]) / full[3, 3]
    store = (area * [1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.5])[own]
    return cell, own, -reduced / store[:, None], (area * leak)[own] * -60.0 / store


def test_orders_in_dt_against_the_matrix_exponential():
    cell, own, a, b = passive()
    rest = -np.linalg.solve(a, b)
    start = np.asarray(cell.init().membrane.voltages)[0, own]
    duration, counts = 4.0, [400, 800, 1600, 3200]  # the fastest rate is 80 / ms
    want = rest + expm(a * duration) @ (start - rest)
    for order in (1, 2):
        c, *_ = passive(Hines(order=order))
        errors = []
        for n in counts:
            sol = npt.simulate(c, c.init(), dt=duration / n, duration=duration, record=["voltages"], every=n)
            errors.append(np.abs(np.asarray(sol.out["voltages"])[-1, 0, own] - want).max())
        slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
        assert slope == pytest.approx(order, abs=0.15)


def test_stable_at_any_step():
    """100 ms, 10^4 times the fastest time constant."""
    rest = passive()[0].vector_field(0.0, passive()[0].init().membrane, npt.Drive(jnp.asarray(0.0)))
    assert np.abs(rest.voltages).max() > 5  # mV/ms
    for order in (1, 2):
        c, *_ = passive(Hines(order=order))
        out = npt.simulate(c, c.init(), dt=100.0, duration=20_000.0, record=["voltages"]).out["voltages"]
        assert np.all(np.asarray(out) <= -39.9 if order == 1 else np.abs(np.asarray(out) + 60) < 60)
        # of second order, what is fast alternates, and fades by 1 in 10^4 a step
        np.testing.assert_allclose(out[-1], -60.0, atol=1e-9 if order == 1 else 20.0)
    active = Compartments(1, parents=[-1, 0], area=[1e3, 1e3], g_axial=1e4, channels=SQUID)
    assert np.isfinite(
        npt.simulate(active, active.init(), 10.0, dt=100.0, duration=5000.0, record=["v"]).out["v"]
    ).all()


def test_the_joint_field_with_a_branch_point():
    """Against the matrix, with Diffrax: the branch point follows its neighbours."""
    cell, own, a, b = passive()
    y = cell.init().membrane
    u = npt.Drive(jnp.asarray(0.0))
    np.testing.assert_allclose(
        np.asarray(cell.vector_field(0.0, y, u).voltages)[0, own], a @ np.asarray(y.voltages)[0, own] + b, rtol=1e-12
    )
    term = diffrax.ODETerm(lambda t, y, args: cell.vector_field(t, y, u))
    control = diffrax.PIDController(rtol=1e-9, atol=1e-9)
    end = diffrax.diffeqsolve(term, diffrax.Dopri5(), 0.0, 4.0, 1e-3, y, stepsize_controller=control).ys.voltages[-1, 0]
    rest = -np.linalg.solve(a, b)
    start = np.asarray(y.voltages)[0, own]
    np.testing.assert_allclose(np.asarray(end)[own], rest + expm(a * 4.0) @ (start - rest), atol=1e-6)
    # 30 and 80 nS from two children, 20 nS to its own parent
    want = (30.0 * end[1] + 80.0 * end[2] + 20.0 * end[5]) / 130.0
    np.testing.assert_allclose(end[3], want, atol=1e-6)
    with pytest.raises(ValueError, match="are coupled"):
        npt.simulate(*(lambda c: (c, c.init()))(passive(npt.integrate.ExponentialEuler())[0]), dt=0.1, duration=1.0)


# ---- active cells


def squid_rhs(v, m, h, n):
    i = 120 * m**3 * h * (50 - v) + 36 * n**4 * (-77 - v) + 0.3 * (-54.387 - v)
    am, bm = 0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)), 4 * np.exp(-(v + 65) / 18)
    ah, bh = 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))
    an, bn = 0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)
    return (
        i,
        [am * (1 - m) - bm * m, ah * (1 - h) - bh * h, an * (1 - n) - bn * n],
        [
            am / (am + bm),
            ah / (ah + bh),
            an / (an + bn),
        ],
    )


def test_an_active_cell_of_two_compartments_against_scipy():
    """A spiking soma that charges a dendrite: traces, spike times, and the order of the step."""
    area, g, current = np.array([1000.0, 1500.0]), 15.0, 30.0

    def rhs(t, y):
        i, moves, _ = squid_rhs(y[0], *y[2:])
        axial = 100 * g * (y[1] - y[0])
        return [current + i + axial / area[0], (0.1 * (-65 - y[1])) - axial / area[1], *moves]

    start = [-64.9, -64.9, *squid_rhs(-64.9, 0.0, 0.0, 0.0)[2]]
    crossing = lambda t, y: y[0]  # noqa: E731
    crossing.direction = 1
    times = np.linspace(0, 60, 121)
    want = solve_ivp(rhs, (0, 60), start, "LSODA", times, rtol=1e-10, atol=1e-12, events=crossing)
    assert len(want.t_events[0]) >= 3

    def run(stepper, dt):
        channels = SQUID | {"dendritic": (IL(g=0.1, e=-65.0), "dend")}
        c = Compartments(
            1,
            parents=[-1, 0],
            area=area,
            g_axial=g,
            channels=channels,
            sites={"dend": 1},
            v_init=-64.9,
            stepper=stepper,
        )
        every = round(0.5 / dt)
        sol = npt.simulate(c, c.init(), current, dt=dt, duration=60.0, record=["v", "dend.v", "spike"])
        v = np.stack([sol.out["v"][:, 0], sol.out["dend.v"][:, 0]])[:, every - 1 :: every]
        return v, (np.flatnonzero(sol.out["spike"][:, 0]) + 1) * dt

    counts, slopes, steps = {}, {}, np.array([0.02, 0.01, 0.005, 0.0025])
    early = times[1:] <= 8.0  # within the first spike, before phases part
    for name, stepper in (("rk4", npt.integrate.RK4()), (1, Hines()), (2, Hines(order=2))):
        errors = []
        for dt in steps if name != "rk4" else steps[1:2]:
            v, at = run(stepper, dt)
            errors.append(np.abs(v - want.y[:2, 1:])[:, early].max())
            counts[name, dt] = at
        slopes[name] = np.polyfit(np.log(steps[: len(errors)]), np.log(errors), 1)[0] if len(errors) > 1 else errors[0]
    assert slopes["rk4"] < 1e-3
    assert slopes[1] == pytest.approx(1, abs=0.15) and slopes[2] == pytest.approx(2, abs=0.15)
    spikes = want.t_events[0]
    for key in (("rk4", 0.01), (2, 0.01)):
        assert len(counts[key]) == len(spikes) and np.all(np.abs(counts[key] - spikes) <= 0.01 + 5e-4 * spikes)
    assert len(counts[1, 0.01]) == len(spikes)


def test_one_compartment_is_a_conductance_cell():
    """Up to the difference of backward Euler and the exponential step, of first order; or less, of second order."""
    channels = {"na": INa_HH1952(e=50.0), "k": IK_HH1952(g=36.0, e=-77.0), "leak": IL(g=0.3, e=-54.387)}

    def gap(dt, order):
        one = Compartments(2, parents=[-1], area=123.0, g_axial=1.0, channels=channels, stepper=Hines(order))
        other = ConductanceCell(2, channels=channels)
        runs = [npt.simulate(c, c.init(), 10.0, dt=dt, duration=8.0, record=["v"]).out["v"] for c in (one, other)]
        return np.abs(runs[0] - runs[1]).max()

    gaps = {order: [gap(dt, order) for dt in (0.01, 0.005)] for order in (1, 2)}
    assert gaps[1][1] < 2.0 and gaps[2][1] < 0.02  # mV, on the upstroke of a spike: 8 µs at 200 mV/ms
    assert gaps[1][0] / gaps[1][1] == pytest.approx(2, abs=0.2) and gaps[2][0] / gaps[2][1] == pytest.approx(4, abs=0.4)


def test_a_branched_cell_against_neuron():
    """Voltages to 0.1 mV and spike times to one step: soma, trunk, and two forks on a branch point."""
    data = json.loads((REFERENCE / "ball_and_stick_neuron.json").read_text())
    trunk, forks = range(1, 11), [range(11, 16), range(16, 21)]
    parents = [-1, *range(10), 10, *range(11, 15), 10, *range(16, 20)]
    cell = Compartments.from_cylinders(
        1,
        parents=parents,
        length=[20.0] + [20.0] * 10 + [30.0] * 10,
        diameter=[20.0] + [2.0] * 10 + [1.2] * 10,
        r_a=100.0,
        input_area=1e5,
        sites={"trunk": trunk, "fork": forks[0], "dendrites": [*trunk, *forks[0], *forks[1]]},
        channels=SQUID | {"pas": (IL(g=0.1, e=-65.0), "dendrites")},
        stepper=Hines(order=2),
    )
    dt = 0.0025
    sol = npt.simulate(
        cell, cell.init(), data["current"], dt=dt, duration=data["duration"], record=["v", "trunk.v", "fork.v", "spike"]
    )
    at = (np.flatnonzero(sol.out["spike"][:, 0]) + 1) * dt
    np.testing.assert_allclose(at, data["spikes"], rtol=0, atol=dt)
    every = slice(round(0.5 / dt) - 1, None, round(0.5 / dt))
    traces = sol.out["v"][every, 0], sol.out["trunk.v"][every, 0, -1], sol.out["fork.v"][every, 0, -1]
    for got, want in zip(traces, data["soma, trunk(0.95), fork(0.9)"], strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=0.1)


# ---- composition


def layered(n=3, **options):
    """Channels here and there, calcium in two compartments that aren't neighbours."""
    channels = SQUID | {
        "ca": (ICaL_IS2008(g=[0.5, 0.2]), [1, 3]),
        "ahp": (IAHP_De1994(g=0.1, e=-90.0), [3, 1]),
        "dendritic": (IL(g=0.1, e=-65.0), "dend"),
    }
    ions = {"ca": (npt.ions.CalciumDetailed(), [3, 1])}
    base = {"parents": [-1, 0, 1, 1], "area": [1e3, 500.0, 400.0, 300.0], "g_axial": 30.0}
    return Compartments(n, **base, channels=channels, ions=ions, sites={"dend": [1, 2, 3]}, **options)


def test_channels_and_ions_are_only_where_they_are_put():
    cell = layered()
    state = cell.init()
    y = state.membrane
    assert state.v.shape == (3,) and y.voltages.shape == (3, 4) and y.ions["ca"]["c"].shape == (3, 2)
    assert y.channels["na"]["m"].shape == (3, 1) and y.channels["ca"]["m"].shape == (3, 2)
    record = ["v", "voltages", "dend.v", "soma.v", "na.m", "ca.c", "spike"]
    sol = npt.simulate(cell, state, jnp.asarray([0.0, 20.0, 40.0]), dt=0.02, duration=20.0, record=record)
    assert {k: x.shape[1:] for k, x in sol.out.items()} == {
        "v": (3,),
        "voltages": (3, 4),
        "dend.v": (3, 3),
        "soma.v": (3,),
        "na.m": (3, 1),
        "ca.c": (3, 2),
        "spike": (3,),
    }
    np.testing.assert_array_equal(sol.out["voltages"][..., 0], sol.out["soma.v"])
    assert sol.out["spike"].sum(0)[2] >= 1
    c = np.asarray(sol.out["ca.c"])[:, 2].max(0)
    assert c[1] > c[0] > 2.4e-4  # in the order of the ion's places: 3 has less of the channel than 1


def test_misplaced_channels_are_seen_by_the_field():
    """The current of each channel in each compartment, by hand."""
    cell = layered(1)
    y = eqx.tree_at(lambda s: s.voltages, cell.init().membrane, jnp.asarray([[-60.0, -30.0, -50.0, -20.0]]))
    rate = np.asarray(cell.vector_field(0.0, y, npt.Drive(jnp.asarray([[1.0, 0.0, 2.0, 0.0]]))).voltages)[0]
    e_ca = npt.ions.nernst(2.4e-4, 2.0, 2.0)
    m, h, p = (np.asarray(y.channels[c][g])[0] for c, g in (("ca", "m"), ("ca", "h"), ("ahp", "m")))
    assert set(y.channels["ahp"]) == {"m"}
    ca = np.array([0.5, 0.2]) * m**2 * h * (e_ca - np.array([-30.0, -20.0]))
    ahp = 0.1 * p**2 * (-90.0 - np.array([-20.0, -30.0]))  # in the order in which the places were given
    squid = squid_rhs(-60.0, *(float(y.channels[c][g][0, 0]) for c, g in (("na", "m"), ("na", "h"), ("k", "n"))))[0]
    leak = 0.1 * (-65.0 - np.array([-30.0, -50.0, -20.0]))
    axial = 3e3 * np.array([30.0, -30.0 - 20.0 + 10.0, 20.0, -10.0]) / [1e3, 500.0, 400.0, 300.0]
    want = axial + [1.0 + squid, leak[0] + ca[0] + ahp[1], 2.0 + leak[1], leak[2] + ca[1] + ahp[0]]
    np.testing.assert_allclose(rate, want, rtol=1e-10)


def test_parameters_inputs_and_areas_for_each_cell_and_compartment():
    """Cells of one population with parameters of their own are those cells alone; nA are densities times areas."""
    area = np.array([[1e3, 500.0], [2e3, 700.0]])
    base = {"parents": [-1, 0], "g_axial": 20.0, "channels": SQUID | {"dendritic": (IL(g=0.1, e=-65.0), 1)}}
    u = jnp.asarray([[5.0, 20.0], [0.0, 30.0]])
    together = Compartments(2, area=area, **base)
    out = npt.simulate(together, together.init(), u, dt=0.02, duration=10.0, record=["voltages"]).out["voltages"]
    for n in range(2):
        alone = Compartments(1, area=area[n], **base)
        other = npt.simulate(alone, alone.init(), u[n : n + 1], dt=0.02, duration=10.0, record=["voltages"])
        np.testing.assert_allclose(out[:, n : n + 1], other.out["voltages"], rtol=1e-10)
    absolute = Compartments(2, area=area, input_area=1e5, **base)
    nano = u * jnp.asarray(area) / 1e5
    other = npt.simulate(absolute, absolute.init(), nano, dt=0.02, duration=10.0, record=["voltages"])
    np.testing.assert_allclose(out, other.out["voltages"], rtol=1e-10)
    # a conductance in the input is a leak
    drive = npt.Drive(jnp.asarray(0.2 * -65.0), jnp.asarray(0.2))
    leaky = Compartments(2, area=area, **(base | {"channels": base["channels"] | {"more": (IL(g=0.2, e=-65.0), 0)}}))
    runs = [
        npt.simulate(c, c.init(), given, dt=0.02, duration=5.0, record=["voltages"]).out["voltages"]
        for c, given in ((together, drive), (leaky, None))
    ]
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-10)


def test_no_second_spike_counts_within_the_refractory_time():
    cells = [Compartments(1, parents=[-1], area=1.0, g_axial=0.0, channels=SQUID, t_ref=t) for t in (None, 20.0)]
    free, held = (
        np.flatnonzero(npt.simulate(c, c.init(), 10.0, dt=0.05, duration=100.0, record=["spike"]).out["spike"])
        for c in cells
    )
    np.testing.assert_array_equal(held, free[::2])  # one in 14.6 ms


def test_gradients_through_the_cable_and_the_channels():
    """In both modes, against finite differences."""

    def end(x):
        cell = Compartments.from_cylinders(
            1,
            parents=[-1, 0, 0, 1],
            length=[20.0, 50.0, 60.0, 40.0],
            diameter=jnp.stack([jnp.asarray(20.0), x[0], x[0], x[0]]),
            r_a=x[1],
            channels=SQUID | {"dendritic": (IL(g=x[2], e=-65.0), [1, 2, 3])},
        )
        return npt.simulate(cell, cell.init(), 10.0, dt=0.05, duration=2.5, record=["voltages"]).out["voltages"][
            -1, 0, 3
        ]

    x = jnp.asarray([2.0, 100.0, 0.1])
    step = jnp.asarray([1e-4, 1e-2, 1e-5])
    run = eqx.filter_jit(end)
    want = [(run(x + step * unit) - run(x - step * unit)) / (2 * step[n]) for n, unit in enumerate(jnp.eye(3))]
    np.testing.assert_allclose(jax.grad(end)(x), want, rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(end)(x), want, rtol=1e-6)


def test_what_is_refused():
    base = {"area": 1.0, "g_axial": 1.0, "channels": {"leak": IL()}}
    for parents, message in (
        ([], "begin with -1"),
        ([0, 0], "compartment 0 is the root: begin with -1"),
        ([-1, 0, -1], "a second root, compartment 2"),
        ([-1, 5], r"parents\[1\] is 5; expected another of the 2 compartments"),
        ([-1, 1], r"parents\[1\] is 1"),
        ([-1, 0, 3, 2], "in a circle from compartment 2"),
    ):
        with pytest.raises(ValueError, match=message):
            Compartments(1, parents=parents, **base)
    two = {"parents": [-1, 0], **base}
    for change, error, message in (
        ({"area": [1.0, 2.0, 3.0]}, ValueError, r"area has shape \(3,\); expected \(\), \(2,\)"),
        ({"channels": {"na": INa_HH1952()}}, ValueError, r"channel 'na' \(INa_HH1952\) reads the ion 'na'"),
        ({"channels": {"a.b": IL()}}, ValueError, "channel name 'a.b' can't be used in paths"),
        ({"channels": {"leak": 0.1}}, TypeError, "channel 'leak' is 0.1; expected an npt.channels.AbstractChannel"),
        ({"channels": {"leak": (IL(), "axon")}}, ValueError, r"put into 'axon', but the sites are \['soma'\]"),
        ({"channels": {"leak": (IL(), [0, 2])}}, ValueError, "put into compartment 2; expected numbers from 0 to 1"),
        ({"channels": {"leak": (IL(g=[0.1, 0.2]), 0)}}, ValueError, r'"leak": g has shape \(2,\)'),
        ({"sites": {"dend": 7}}, ValueError, "site 'dend' is put into compartment 7"),
        ({"branch_points": [0]}, ValueError, "branch_points has 0; expected compartments other than the root"),
        ({"branch_points": [1], "channels": {"leak": (IL(), 1)}}, ValueError, "a branch point, which has no membrane"),
        (
            {"channels": {"ca": ICaL_IS2008()}, "ions": {"ca": (npt.ions.CalciumFixed(), 0)}},
            ValueError,
            "channel 'ca' reads the ion 'ca', which compartment 1 has not",
        ),
    ):
        with pytest.raises(error, match=message):
            Compartments(1, **(two | change))
    for change, error, message in (
        ({"parents": [-1, 0.5]}, TypeError, r"parents is given \[-1, 0.5\]; expected the number of a compartment"),
        ({"parents": None}, TypeError, "parents is given None"),
        ({"parents": [[-1, 0]]}, TypeError, "parents is given"),
        ({"area": [1.0, -2.0]}, ValueError, "area is -2 at index 1; expected positive"),
        ({"area": 0.0}, ValueError, "area is 0; expected positive"),
        ({"g_axial": [0.0, -2.0]}, ValueError, "g_axial is -2 at index 1"),
        ({"g_axial": [0.0, np.nan]}, ValueError, "g_axial is nan at index 1"),
        ({"c_m": -1.0}, ValueError, "c_m is -1"),
        ({"input_area": 0.0}, ValueError, "input_area is 0"),
        ({"v_init": [-65.0, np.inf]}, ValueError, "v_init is inf at index 1"),
        ({"channels": [IL()]}, TypeError, "channels is .*; expected a dictionary of channels by name"),
        ({"channels": {"leak": (IL(), 0, 1)}}, TypeError, "channel 'leak' is .*, or a pair of one and the comp"),
        ({"channels": {"leak": (IL(), 0.5)}}, TypeError, "channel 'leak' is given 0.5; expected the number of"),
        ({"channels": {"leak": (IL(), [True, False])}}, TypeError, "channel 'leak' is given"),
        (
            {"channels": {"leak": eqx.tree_at(lambda c: c.g, IL(), jnp.asarray(np.nan))}},
            ValueError,
            r"channel 'leak' \(IL\) has g nan; expected finite",
        ),
        ({"branch_points": 0.5}, TypeError, "branch_points is given 0.5"),
        ({"stepper": Hines}, TypeError, "stepper is the class Hines; expected an AbstractStepper"),
    ):
        with pytest.raises(error, match=message):
            Compartments(1, **(two | change))
    Compartments(1, **(two | {"g_axial": [np.nan, 1.0]}))  # what stands for the root is of no account
    tube = {"parents": [-1, 0], "length": 1.0, "diameter": 1.0, "channels": {"leak": IL()}}
    for change, message in (
        ({"length": [0.0, 1.0]}, "length is 0 at index 0; expected positive"),
        ({"diameter": -1.0}, "diameter is -1"),
        ({"r_a": 0.0}, "r_a is 0"),
        ({"area": 3.0}, "from_cylinders finds area from the cylinders; leave it out"),
    ):
        with pytest.raises(ValueError, match=message):
            Compartments.from_cylinders(1, **(tube | change))
    cell = Compartments(3, **two)
    with pytest.raises(ValueError, match=r"the input has shape \(2,\); expected \(3,\) for the soma of each cell, or"):
        cell.step(cell.init(), jnp.ones(2), npt.Tick.at(0, dt=0.1))
    with pytest.raises(ValueError, match=r"'x.v' is not a variable of a cell with compartments"):
        npt.simulate(cell, cell.init(), dt=0.1, duration=1.0, record=["x.v"])
    with pytest.raises(ValueError, match="order is 3; expected 1"):
        Hines(order=3)
    with pytest.raises(TypeError, match=r"Hines got a ConductanceMembrane; it steps npt.neurons.Compartments alone"):
        other = HH(1, stepper=Hines())
        other.step(other.init(), 0.0, npt.Tick.at(0, dt=0.1))


def test_in_a_network():
    """A population of such cells is driven in its somas, and its dendrites are recorded."""
    receptors = {"exc": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.COBA(0.0))}
    channels = SQUID | {"dendritic": (IL(g=0.1, e=-65.0), "dend")}
    cells = Compartments(8, parents=[-1, 0], area=[1e3, 500.0], g_axial=20.0, channels=channels, sites={"dend": 1})
    net = npt.Network(
        {"E": npt.Population(cells, receptors)},
        {"E->E": npt.Projection("E", "E.exc", npt.connect.AllToAll(), weight=0.1)},
        key=jax.random.key(0),
    )
    current = jnp.where(jnp.arange(8)[:, None] == 0, jnp.asarray([20.0, 5.0]), 0.0)  # of soma and dendrite
    sol = npt.simulate(net, net.init(dt=0.05), {"E": current}, dt=0.05, duration=20.0, record=["E.dend.v", "E.spike"])
    assert sol.out["E.dend.v"].shape == (400, 8) and sol.out["E.spike"].any(0).all()
    assert isinstance(sol.state.nodes["E"].cell.membrane, CompartmentsState)


def test_a_receptor_on_any_compartment():
    """Backward Euler with the conductances by hand; each receptor sees the voltage of its own compartment."""
    dt, area, e = 0.1, np.array([900.0, 300.0, 200.0]), {"near": 0.0, "far": -80.0}
    links = {"parents": [-1, 0, 1], "g_axial": [0.0, 3.0, 2.0]}
    cell = Compartments(2, **links, area=area, channels={"leak": IL(g=0.1, e=-60.0)}, v_init=-60.0, sites={"tip": 2})
    receptors = {"near": (npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.COBA(0.0)), "tip")}
    receptors["far"] = npt.Receptor(npt.synapses.Exponential(9.0), npt.synapses.COBA(-80.0)), 1
    net = npt.Network({"E": npt.Population(cell, receptors)})
    start = net.init(dt=dt)
    opened = {"near": jnp.asarray([0.5, 2.0]), "far": jnp.asarray([0.0, 1.0])}
    ports = lambda s: [s.nodes["E"].receptors[k].g for k in opened]  # noqa: E731
    start = eqx.tree_at(ports, start, list(opened.values()))
    got = npt.simulate(net, start, dt=dt, duration=5.0, record=["E.voltages"]).out["E.voltages"]
    flow = 100 * np.asarray(dense(Tree((-1, 0, 1)), jnp.zeros(3), jnp.asarray([0.0, 3.0, 2.0])))
    for n in range(2):
        v = np.full(3, -60.0)
        for k in range(50):
            mean = {tau: np.exp(-k * dt / tau) * tau / dt * -np.expm1(-dt / tau) for tau in (5.0, 9.0)}  # over the step
            g = {"near": float(opened["near"][n]) * mean[5.0], "far": float(opened["far"][n]) * mean[9.0]}
            synaptic = np.array([0.0, g["far"], g["near"]])
            current = np.array([0.0, g["far"] * e["far"], g["near"] * e["near"]])
            matrix = np.diag(area * (1 / dt + 0.1 + synaptic)) + flow
            v = np.linalg.solve(matrix, area * (v / dt - 6.0 + current))
            np.testing.assert_allclose(got[k, n], v, rtol=1e-10)
    for where, message in (
        ("axon", "receptor 'exc' is put into 'axon', but the sites are"),
        (3, "receptor 'exc' is put into compartment 3"),
        ([1, 2], "receptor 'exc' is put into 2 compartments"),
    ):
        with pytest.raises(ValueError, match=message):
            npt.Population(cell, {"exc": (receptors["far"][0], where)})
    with pytest.raises(
        ValueError, match="receptor 'exc' is put into 'dend', but a ConductanceCell has no compartments"
    ):
        npt.Population(HH(1), {"exc": (receptors["far"][0], "dend")})
    with pytest.raises(
        TypeError, match="receptor 'exc' is a tuple; expected an npt.Receptor, or npt.synapses.Delta.., or a pair"
    ):
        npt.Population(cell, {"exc": (receptors["far"][0], 1, 2)})


def test_currents_of_all_compartments_are_no_series():
    """Not even in a run of as many steps as there are cells, or cells as there are compartments."""
    cell = Compartments(4, parents=[-1, 0, 0], area=100.0, g_axial=1.0, channels={"leak": IL(e=-65.0)})
    u = jnp.zeros((4, 3)).at[:, 2].set(5.0)
    runs = [
        npt.simulate(cell, cell.init(), given, dt=0.1, duration=0.4, record=["voltages"]).out["voltages"]
        for given in (u, lambda tick: u, npt.Series(jnp.broadcast_to(u, (4, 4, 3))))
    ]
    for run in runs:
        np.testing.assert_array_equal(run, runs[0])
    assert np.all(np.asarray(runs[0])[-1, :, 2] > np.asarray(runs[0])[-1, :, 1])
    series = npt.Series(jnp.linspace(0.0, 1.0, 5))
    by_time = npt.simulate(cell, cell.init(), series, dt=0.1, duration=0.5, record=["v"]).out["v"]
    assert np.all(np.diff(np.asarray(by_time), axis=0) > 0)
    for x in (jnp.ones(2), jnp.ones((3, 4))):
        with pytest.raises(
            ValueError, match=rf"shape \({x.shape[0]},.*\) in a step; expected \(\) or \(4,\) or \(4, 3\)"
        ):
            npt.simulate(cell, cell.init(), x, dt=0.1, duration=0.4)


def test_channels_in_every_compartment_of_an_odd_tree_against_scipy():
    """Children numbered before their parents, and each compartment starting elsewhere."""
    parents, area = [-1, 4, 4, 0, 3], np.array([900.0, 400.0, 300.0, 500.0, 100.0])
    g, v0 = np.array([0.0, 8.0, 3.0, 20.0, 15.0]), np.array([-64.9, -63.2, -60.3, -66.1, -70.2])
    flow = 100 * np.asarray(dense(Tree(tuple(parents)), jnp.zeros(5), jnp.asarray(g)))

    def rhs(t, y):
        v, m, h, n = y.reshape(4, 5)
        i, moves, _ = squid_rhs(v, m, h, n)
        return np.concatenate([i + np.array([12.0, 0, 0, 0, 0]) - flow @ v / area, *moves])

    start = np.concatenate([v0, *squid_rhs(v0, 0.0, 0.0, 0.0)[2]])
    times = np.linspace(0, 30, 61)
    want = solve_ivp(rhs, (0, 30), start, "LSODA", times, rtol=1e-10, atol=1e-12).y[:5]
    assert np.all(want.max(1) > 20)  # the spike reaches all
    channels = {"na": INa_HH1952(e=50.0), "k": IK_HH1952(g=36.0, e=-77.0), "leak": IL(g=0.3, e=-54.387)}
    current = jnp.asarray([[12.0, 0.0, 0.0, 0.0, 0.0]])
    # RK4's own error, and that of the second order: 200 mV/ms on the upstroke, a tenth of a microsecond late
    for stepper, tolerance in ((npt.integrate.RK4(), 1e-5), (Hines(order=2), 0.03)):
        cell = Compartments(1, parents=parents, area=area, g_axial=g, channels=channels, v_init=v0, stepper=stepper)
        sol = npt.simulate(cell, cell.init(), current, dt=0.005, duration=30.0, record=["voltages"], every=100)
        np.testing.assert_allclose(np.asarray(sol.out["voltages"])[:, 0].T, want[:, 1:], rtol=0, atol=tolerance)
