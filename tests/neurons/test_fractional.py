"""Fractional cells against their recursions in plain NumPy, and what is published of them."""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree import neurons as nn
from neuropytree.integrate import CaputoL1, GLShortMemory

REFERENCE = Path(__file__).parents[1] / "reference"


def izhikevich_loop(alpha, current, h, n, v, u, *, a=0.02, b=0.2, c=-65.0, d=8.0):
    """The L1 scheme over the history of `v` and `u` after resets."""
    vs, us, spikes = [v], [u], []
    for k in range(1, n + 1):
        v, u = vs[-1], us[-1]
        slopes = 0.04 * v * v + 5 * v + 140 - u + current, a * (b * v - u)
        new = []
        for past, slope in zip((vs, us), slopes, strict=True):
            memory = 0.0
            for j in range(k - 1):
                memory += (past[j + 1] - past[j]) * ((k - j) ** (1 - alpha) - (k - 1 - j) ** (1 - alpha))
            new.append(past[-1] + h**alpha * math.gamma(2 - alpha) * slope - memory)
        spikes.append(new[0] >= 30)
        vs.append(c if spikes[-1] else new[0])
        us.append(new[1] + d if spikes[-1] else new[1])
    return np.array(vs[1:]), np.array(us[1:]), np.array(spikes)


def test_izhikevich_against_its_recursion():
    n, alphas = 400, [0.7, 0.85, 1.0]
    cell = nn.FractionalIzhikevich(3, alpha=jnp.array(alphas), num_memory=n, v_init=-65.0, surrogate=None)
    sol = npt.simulate(cell, cell.init(), 10.0, dt=0.1, duration=n * 0.1, record=["v", "u", "spike"])
    for i, alpha in enumerate(alphas):
        v, u, spikes = izhikevich_loop(alpha, 10.0, 0.1, n, -65.0, -13.0)
        assert spikes.sum() > 1
        np.testing.assert_array_equal(sol.out["spike"][:, i], spikes)
        # upswings multiply roundings: one in the initial voltage moves the loop itself by 1e-11; by 1e-4 in bursts
        close = n if alpha > 0.8 else 100
        np.testing.assert_allclose(sol.out["v"][:close, i], v[:close], rtol=1e-9)
        np.testing.assert_allclose(sol.out["u"][:close, i], u[:close], rtol=1e-9)


def fhr_loop(alphas, current, h, n, m, y):
    """Grünwald–Letnikov's sum over the last values, of which the oldest has been there forever."""
    past, spikes = [y], []
    for k in range(1, n + 1):
        v, w, s = past[-1]
        slopes = v - v**3 / 3 - w + s + current, 0.08 * (0.7 + v - 0.8 * w), 1e-4 * (-0.775 - v - s)
        new = []
        for i, (alpha, slope) in enumerate(zip(alphas, slopes, strict=True)):
            oldest, c, total = past[max(k - 1 - m, 0)][i], 1.0, 0.0
            for j in range(1, min(k, m + 1) + 1):
                c *= 1 - (1 + alpha) / j
                total += c * (past[k - j][i] - oldest)
            new.append(oldest + h**alpha * slope - total)
        spikes.append(v < 1.5 <= new[0])
        past.append(new)
    return np.array(past[1:]), np.array(spikes)


def test_fitzhugh_rinzel_against_its_recursion():
    """With an order for each variable, a memory shorter than the run, and crossings."""
    n, m, alphas = 1500, 60, {"v": 0.95, "w": 1.0, "y": 0.9}
    start = {"v_init": 2.5, "w_init": 0.0, "y_init": 0.0}
    cell = nn.FractionalFHR(1, alpha=alphas, num_memory=m, v_th=1.5, surrogate=None, **start)
    sol = npt.simulate(cell, cell.init(), 0.8, dt=0.1, duration=n * 0.1, record=["v", "w", "y", "spike"])
    want, spikes = fhr_loop(alphas.values(), 0.8, 0.1, n, m, [2.5, 0.0, 0.0])
    assert spikes.sum() > 1
    np.testing.assert_array_equal(sol.out["spike"][:, 0], spikes)
    for i, name in enumerate(alphas):
        np.testing.assert_allclose(sol.out[name][:, 0], want[:, i], rtol=0, atol=1e-10)


@pytest.mark.parametrize("stepper", [CaputoL1, GLShortMemory])
def test_order_one_is_the_ordinary_neuron(stepper):
    plain = nn.Izhikevich(2, surrogate=None, stepper=npt.integrate.Euler())
    cell = nn.Izhikevich(2, surrogate=None, stepper=stepper(1.0, num_memory=1000))
    currents = jnp.array([8.0, 15.0])
    got, want = (
        npt.simulate(x, x.init(), currents, dt=0.1, duration=100.0, record=["v", "spike"]).out for x in (cell, plain)
    )
    assert np.asarray(want["spike"]).any(0).all()
    np.testing.assert_array_equal(got["spike"], want["spike"])
    np.testing.assert_allclose(got["v"], want["v"], rtol=1e-8)  # multiplications contracted or not


def test_spike_times_of_lower_orders_are_those_published():
    """Teka, Marinov & Santamaria 2014, figure 1: with a lower order the first spike comes later, and the intervals
    get shorter with time; in order 1 they are all the same."""
    alphas = jnp.array([1.0, 0.9, 0.8, 0.7])
    stepper = CaputoL1(alphas, num_memory=2500)
    cell = nn.LIF(4, v_rest=-70.0, v_th=-50.0, v_reset=-70.0, tau=20.0, t_ref=5.0, surrogate=None, stepper=stepper)
    sol = npt.simulate(cell, cell.init(dt=0.2), 30.0, dt=0.2, duration=500.0, record=["spike"])
    times = [np.flatnonzero(x) * 0.2 for x in np.asarray(sol.out["spike"]).T]
    first = [t[0] for t in times]
    assert (np.diff(first) > 0).all() and first[-1] > 1.5 * first[0]
    intervals = [np.diff(t) for t in times]
    np.testing.assert_allclose(intervals[0], intervals[0][0])
    for x in intervals[1:]:
        assert len(x) > 3 and (np.diff(x) <= 0.2 + 1e-9).all() and x[-1] < x[0] - 0.3


def test_izhikevich_spikes_are_those_of_brainpy_and_the_patterns_those_published():
    """Teka, Upadhyay & Mondal 2018: regular spikes of order 1 become bursts (0.8), which get longer (0.7)."""
    data = json.loads((REFERENCE / "fractional_izhikevich_brainpy.json").read_text())
    alphas, n = jnp.array([float(alpha) for alpha in data["spikes"]]), round(data["duration"] / data["dt"])
    cell = nn.FractionalIzhikevich(len(alphas), alpha=alphas, num_memory=n, v_init=-65.0, surrogate=None)
    run = {"dt": data["dt"], "duration": data["duration"], "record": ["spike"]}
    spikes = npt.simulate(cell, cell.init(), data["current"], **run).out["spike"]
    steps = [np.flatnonzero(x) for x in np.asarray(spikes).T]
    for ours, (alpha, theirs) in zip(steps, data["spikes"].items(), strict=True):
        # bursts multiply roundings: one in the initial voltage moves spikes after the first twelve
        np.testing.assert_array_equal(ours[:10], theirs[:10], err_msg=alpha)
    regular, _, *bursting = (np.diff(x) * data["dt"] for x in steps)
    np.testing.assert_allclose(regular[2:], regular[2], atol=0.11)
    burst = []
    for x in bursting:
        assert (x < 10).any() and (x > 30).any()
        burst.append(np.argmax(x > 30) + 1)
    assert burst[1] > burst[0] > 1


@pytest.mark.parametrize(
    "cell",
    [
        nn.FractionalFHR(2, alpha=0.6, num_memory=20),
        nn.FractionalIzhikevich(2, alpha=0.6, num_memory=500),
        nn.FractionalIzhikevich(2, alpha=0.6, num_memory=500, a=0.1),
    ],
)
def test_a_cell_at_rest_rests(cell):
    sol = npt.simulate(cell, cell.init(), None, dt=0.1, duration=50.0, record=["v"])
    np.testing.assert_allclose(sol.out["v"], np.broadcast_to(cell.init().v, (500, 2)), rtol=1e-9)


def test_resting_states_are_those_of_the_equations():
    cell = nn.FractionalFHR(1, alpha=0.6, b=jnp.array([0.7]), d=1.3, c=-0.5)
    state = cell.init()
    slopes = cell.vector_field(0.0, state.membrane, npt.Drive(jnp.zeros(())))
    np.testing.assert_allclose(jax.tree.leaves(slopes), 0.0, atol=1e-14)
    np.testing.assert_allclose(nn.FractionalFHR(1, alpha=0.6).init().v, -1.03, atol=0.005)
    np.testing.assert_allclose(nn.FractionalIzhikevich(1, alpha=0.6, num_memory=3).init().v, -70.0)
    start = nn.FractionalIzhikevich(1, alpha=0.6, num_memory=3, v_init=-65.0).init().membrane
    np.testing.assert_allclose([start.v[0], start.u[0]], [-65.0, -13.0])


def test_a_membrane_of_order_one_takes_ordinary_steppers():
    """And what it declares as linear agrees with its field."""
    membrane, y = nn.FitzHughRinzelMembrane(), nn.FitzHughRinzelState(*jnp.array([0.3, -0.2, 0.1]))
    u = npt.Drive(jnp.asarray(0.4), jnp.asarray(0.2))
    slopes, declared = membrane.vector_field(0.0, y, u), membrane.linear(0.0, y, u)
    for name in ("w", "y"):
        line = getattr(declared, name)
        np.testing.assert_allclose(line.rate * (line.rest - getattr(y, name)), getattr(slopes, name), rtol=1e-12)
    np.testing.assert_allclose(slopes.v, 0.3 - 0.009 + 0.2 + 0.1 + 0.4 - 0.06, rtol=1e-12)


def test_what_a_fractional_cell_refuses():
    cell, plain = nn.FractionalIzhikevich(2, alpha=0.8, num_memory=20), nn.Izhikevich(2)
    tick = npt.Tick.at(0, dt=0.1)
    with pytest.raises(Exception, match="CaputoL1 needs the whole past, but num_memory=20"):
        npt.simulate(cell, cell.init(), 1.0, dt=0.1, duration=2.1)
    npt.simulate(cell, cell.init(), 1.0, dt=0.1, duration=2.0)
    with pytest.raises(
        ValueError, match="the cell has a memory of the past, and the state has none: make the state by"
    ):
        cell.step(plain.init(), 1.0, tick)
    with pytest.raises(ValueError, match="the state has a memory of the past, and the cell has none"):
        plain.step(cell.init(), 1.0, tick)
    with pytest.raises(ValueError, match=r"CaputoL1 got a memory of shapes \[\(30, 2\), \(30, 2\)\]; expected \[\(20"):
        cell.step(nn.FractionalIzhikevich(2, alpha=0.8, num_memory=30).init(), 1.0, tick)
    with pytest.raises(ValueError, match=r"alpha has shape \(3,\); expected \(\) or \(2,\), one for each neuron"):
        nn.FractionalIzhikevich(2, alpha=jnp.full(3, 0.5), num_memory=20).init()
    with pytest.raises(ValueError, match="alpha is 1.5; expected positive, finite numbers, at most 1"):
        nn.FractionalFHR(2, alpha=1.5)
    with pytest.raises(ValueError, match=r"alpha has orders for \['v', 'w'\], but the variables are \['u', 'v'\]"):
        nn.FractionalIzhikevich(2, alpha={"v": 0.5, "w": 0.5}, num_memory=20).init()
    with pytest.raises(ValueError, match="d is 0; expected positive"):
        nn.FractionalFHR(2, alpha=0.5, d=0.0)
    with pytest.raises(ValueError, match="exact_spikes has no memory, but the cell's stepper is CaputoL1"):
        nn.exact_spikes(cell, 10.0, duration=10.0, max_spikes=3)
