"""The two halves of a step, and jumps of the voltage between them and after them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import assert_same_bits

nn, DT = npt.neurons, 0.1


def delta_cell(jumps, n_steps, *, t_ref, early):
    """NumPy: a leaky neuron (tau 10, rest 0, threshold 15, reset 0) whose voltage jumps, as NEST's `iaf_psc_delta` has
    it where the jumps are `early`; otherwise they fall behind the threshold. Voltages and spikes."""
    v, left, decay, hold = 0.0, 0, np.exp(-DT / 10.0), round(t_ref / DT)
    vs, spikes = [], []
    for k in range(n_steps):
        held = left > 0
        if not held:
            v = v * decay + (jumps[k] if early else 0.0)
        spike = not held and v >= 15.0
        left = hold if spike else max(left - 1, 0)
        v = 0.0 if spike else v
        if not early and left == 0:
            v += jumps[k]
        vs.append(v)
        spikes.append(spike)
    return np.array(vs), np.array(spikes)


@pytest.mark.parametrize("t_ref", [None, 0.5])
@pytest.mark.parametrize("early", [True, False])
def test_voltages_that_jump_before_the_threshold_and_after_it(t_ref, early):
    cell = nn.LIF(2, v_rest=0.0, v_th=15.0, v_reset=0.0, tau=10.0, t_ref=t_ref, surrogate=None)
    jumps = np.random.default_rng(0).uniform(-2.0, 6.0, (400, 2))

    @jax.jit
    def run(jumps):
        def step(state, now):
            k, size = now
            tick = npt.Tick.at(k, dt=DT)
            add = lambda v: v + size  # noqa: E731
            moved = cell.move(state, None, tick)
            state, spike = cell.fire(cell.jump(moved, add) if early else moved, tick)
            return state if early else cell.jump(state, add), (spike, state.v if early else cell.jump(state, add).v)

        return jax.lax.scan(step, cell.init(dt=DT), (jnp.arange(400), jumps))[1]

    spikes, v = run(jumps)
    for n in range(2):
        want, at = delta_cell(jumps[:, n], 400, t_ref=t_ref or 0.0, early=early)
        np.testing.assert_array_equal(spikes[:, n], at)
        np.testing.assert_allclose(v[:, n], want, atol=1e-12)
    assert 20 < int(spikes.sum()) < 300


def test_a_cell_with_channels_rests_but_holds_nothing():
    cell = nn.HH(1, t_ref=3.0)
    state, tick = cell.init(dt=DT), npt.Tick.at(0, dt=DT)
    state, spike = cell.fire(cell.jump(cell.move(state, None, tick), lambda v: v + 100.0), tick)
    assert spike[0] == 1 and state.refractory[0] == 30
    np.testing.assert_array_equal(cell.jump(state, lambda v: v - 7.0).v, state.v - 7.0)
    moved = cell.move(state, None, tick)
    np.testing.assert_array_equal(cell.fire(cell.jump(moved, lambda v: v - 7.0), tick)[0].v, moved.v - 7.0)


@pytest.mark.parametrize("where", ["moved", "state"])
def test_a_jump_reaches_one_compartment_and_branch_points_follow(where):
    """Two daughters on a parent: between them is a point without membrane."""
    cell = nn.Compartments.from_cylinders(
        1, parents=[-1, 0, 0], length=50.0, diameter=[4.0, 2.0, 1.0], channels={"leak": npt.channels.IL(g=0.1, e=-65.0)}
    )
    state, tick = cell.init(dt=DT), npt.Tick.at(0, dt=DT)
    before = cell.move(state, None, tick) if where == "moved" else state
    after = cell.jump(before, lambda v: v + 20.0, 2)
    if where == "moved":
        before, after = (cell.fire(x, tick)[0] for x in (before, after))
    rise = np.asarray(after.membrane.voltages - before.membrane.voltages)[0]
    np.testing.assert_allclose(rise[:3], [0.0, 0.0, 20.0], atol=1e-12)
    # no current is left over at the point, and halves of cylinders conduct in proportion to the square of their widths
    np.testing.assert_allclose(rise[3], 20.0 * 1.0 / (16.0 + 4.0 + 1.0), rtol=1e-9)
    np.testing.assert_array_equal(cell.voltage(after, 2), after.membrane.voltages[..., 2])


def test_a_jump_through_an_operator_with_gradients():
    """The gradient in the weights, and by which surrogate, is that of the voltage with the jump in it."""
    cell = nn.LIF(4, v_rest=0.0, v_th=1.0, v_reset=0.0, tau=10.0, t_ref=1.0, surrogate=npt.surrogate.Sigmoid(2.0))
    wiring = npt.connect.FixedProb(0.7)(3, 4, weight=1.0, key=jax.random.key(0))
    events, tick = jnp.array([1.0, 0.0, 1.0]), npt.Tick.at(0, dt=DT)

    def spikes(w, dense):
        def add(v):
            return (
                v + events @ (w * wiring.to_dense())
                if dense
                else npt.connect.CSR(wiring.indices, wiring.indptr, weight=w, in_size=3, out_size=4)(events, v)
            )

        return cell.fire(cell.jump(cell.move(cell.init(dt=DT), 3.0, tick), add), tick)[1].sum()

    w = jnp.asarray(0.6)
    np.testing.assert_allclose(jax.grad(spikes)(w, False), jax.grad(spikes)(w, True), rtol=1e-12)
    assert float(jax.grad(spikes)(w, False)) > 0.1


def test_a_step_is_its_halves_and_a_jump_of_nothing_changes_nothing():
    for cell in (nn.AdExIF(3, t_ref=0.5), nn.GIF(3, relative=nn.RelativeRefractory(2.0, 5.0)), nn.HH(3)):
        state = cell.init(dt=DT)
        for k in range(3):
            tick = npt.Tick.at(k, dt=DT)
            new = cell.fire(cell.jump(cell.move(state, 900.0, tick), lambda v: v), tick)
            assert_same_bits(new, cell.step(state, 900.0, tick))
            state = cell.jump(new[0], lambda v: v)
            assert_same_bits(state, new[0])


def test_jumps_that_are_refused():
    cell = nn.LIF(3)
    with pytest.raises(ValueError, match=r"the jump gives voltages of shape \(\) and dtype float64; expected \(3,\)"):
        cell.jump(cell.init(dt=DT), lambda v: v.sum())


def test_cells_without_threshold_are_rate_units():
    """Their output is their voltage, and so is what they send while nothing moves; jumps reach it."""
    for membrane in (nn.PerfectMembrane(tau=10.0, v_init=2.0), nn.LeakyMembrane(v_rest=1.0, tau=10.0, v_init=2.0)):
        cell = nn.PointNeuron(2, membrane=membrane, threshold=None)
        state = cell.init(dt=DT)
        np.testing.assert_array_equal(cell.silent(state), [2.0, 2.0])
        moved = cell.jump(cell.move(state, 3.0, npt.Tick.at(0, dt=DT)), lambda v: v + 1.0)
        state, rate = cell.fire(moved, npt.Tick.at(0, dt=DT))
        want = 2.0 + DT * 0.3 if membrane.rate == 0 else 4.0 - 2.0 * np.exp(-DT / 10.0)
        np.testing.assert_allclose(rate, want + 1.0, rtol=1e-12)
        np.testing.assert_array_equal(rate, state.v)
