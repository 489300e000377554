"""Nodes of every kind: what each does, and all of them at once under every transformation."""

import json
import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import assert_same_bits


def run(net, inputs=None, duration=5.0, dt=0.1, record=(), **options):
    return npt.simulate(
        net, net.init(dt=dt, key=jax.random.key(3)), inputs, dt=dt, duration=duration, record=record, **options
    )


# spike times


def test_spike_times_are_sent_in_the_step_that_ends_at_them():
    times = [0.1, 0.14, 0.15, 0.36, 2.0, 4.95, 400.0]
    net = npt.Network({"S": npt.sources.SpikeTimes(range(7), times, size=8)})
    spikes = np.asarray(run(net, record=["S.spike"]).out["S.spike"])
    steps, cells = np.nonzero(spikes)
    # floor(t / dt + 1/2) - 1, halves up; 400 ms is after the run
    assert dict(zip(cells.tolist(), steps.tolist(), strict=True)) == {0: 0, 1: 0, 2: 1, 3: 3, 4: 19, 5: 49}


def test_two_spikes_in_one_step_are_refused_or_counted():
    source = npt.sources.SpikeTimes([1, 0, 1, 1], [1.02, 1.0, 0.98, 3.0], size=2)
    with pytest.raises(ValueError, match=r"cell 1 has two spikes in step 9, which ends at 1 ms; counts=True"):
        source.init(dt=0.1)
    assert source.init(dt=0.01).steps.tolist() == [97, 99, 101, 299]
    counted = npt.sources.SpikeTimes([1, 0, 1, 1], [1.02, 1.0, 0.98, 3.0], size=2, counts=True)
    spikes = np.asarray(run(npt.Network({"S": counted}), record=["S.spike"]).out["S.spike"])
    assert spikes[9].tolist() == [1.0, 2.0] and spikes[29].tolist() == [0.0, 1.0] and spikes.sum() == 4
    with pytest.raises(Exception, match="a cell of SpikeTimes has two spikes in one step"):
        jax.block_until_ready(
            jax.jit(lambda t: npt.sources.SpikeTimes(0, t, size=1).init(dt=0.1).steps)(jnp.array([1.0, 1.01]))
        )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(indices=[0, 2], times=[1.0, 2.0]), r"indices\[1\] is 2; expected a cell, from 0 to 1"),
        (dict(indices=[-1], times=[1.0]), r"indices\[0\] is -1"),
        (dict(indices=[0.5], times=[1.0]), "indices has dtype float64; expected integers"),
        (dict(indices=[0, 1, 0], times=[1.0, 2.0]), "indices has 3 entries and times 2"),
        (dict(indices=0, times=[1.0, 0.0]), r"times\[1\] is 0.0; expected a time in ms, above 0"),
        (dict(indices=0, times=[np.nan]), r"times\[0\] is nan"),
        (dict(indices=0, times=["x"]), "times is .*expected numbers"),
        (dict(indices=0, times=[[1.0]]), r"times has shape \(1, 1\)"),
        (dict(indices=0, times=1.0, size=-1), "size is -1"),
    ],
)
def test_mistakes_in_spike_times_are_named(arguments, match):
    with pytest.raises((ValueError, TypeError), match=match):
        npt.sources.SpikeTimes(**({"size": 2} | arguments))


def test_a_time_before_the_end_of_the_first_step_is_refused():
    with pytest.raises(ValueError, match=r"times\[1\] is 0.2 ms, which is no step of 0.5 ms"):
        npt.sources.SpikeTimes(0, [1.0, 0.2], size=1).init(dt=0.5)


@pytest.mark.parametrize("bad", [-3.0, 0.0, np.nan, 1e20, np.inf])
def test_a_time_in_no_step_is_refused_also_where_it_is_traced(bad):
    source = npt.sources.SpikeTimes([0, 1], [1.0, 2.0], size=2)

    def init(times):
        return eqx.tree_at(lambda s: s.times, source, times).init(dt=0.1).steps

    with pytest.raises(ValueError, match=r"times\[0\] is .* ms, which is no step of 0.1 ms"):
        init(np.array([bad, 2.0]))
    assert eqx.filter_jit(init)(jnp.array([0.1, 2.0])).tolist() == [0, 19]
    with pytest.raises(RuntimeError, match="a time of SpikeTimes is in no step of 0.1 ms"):
        jax.block_until_ready(eqx.filter_jit(init)(jnp.array([bad, 2.0])))


def test_a_traced_time_is_refused_where_float32_loses_its_step():
    def steps(source):
        return source.init(dt=0.025).steps

    late = npt.sources.SpikeTimes(0, 600_000.0 + 0.025 * np.arange(5), size=1)
    with jax.enable_x64(False):
        assert steps(late).tolist() == list(range(23_999_999, 24_000_004))  # known times have all of their digits
        with pytest.raises(RuntimeError, match="so late that float32 can't tell in which step of 0.025 ms it is"):
            jax.block_until_ready(eqx.filter_jit(steps)(late))
        early = npt.sources.SpikeTimes(0, 50_000.0 + 0.025 * np.arange(5), size=1)
        assert eqx.filter_jit(steps)(early).tolist() == steps(early).tolist()
    assert eqx.filter_jit(steps)(late).tolist() == steps(late).tolist()


def test_spike_times_late_split_and_from_any_state():
    """Times of a week keep their precision in float32; a position in the list is looked for anew where it is wrong."""
    with jax.enable_x64(False):
        late = 600_000_000 + 3 * np.arange(20)  # in steps
        net = npt.Network({"S": npt.sources.SpikeTimes(0, late * 0.1, size=1)})
        start = 600_000_000 - 5
        sol = npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=1.5, record=["S.spike"], start=start)
        steps = np.flatnonzero(np.asarray(sol.out["S.spike"])[:, 0]) + start
        assert steps.tolist() == [n - 1 for n in late.tolist() if n < start + 16]
    rng = np.random.default_rng(0)
    times = np.unique(rng.integers(1, 500, 100)) * 0.1
    net = npt.Network({"S": npt.sources.SpikeTimes(rng.integers(0, 5, len(times)), times, size=5)})
    whole = run(net, duration=50.0, record=["S.spike"])
    again = npt.simulate(net, whole.state, dt=0.1, duration=50.0, record=["S.spike"])  # its position is at the end
    assert_same_bits(whole.out, again.out)
    parts = npt.simulate(net, whole.state, dt=0.1, duration=20.0, record=["S.spike"], start=300, chunk=70)
    assert_same_bits(np.asarray(whole.out["S.spike"])[300:], parts.out["S.spike"])


def test_spike_times_are_the_same_in_plain_jax_and_under_vmap(impl):
    times = jnp.array([[1.0, 2.0, 0.3], [0.5, 0.5, 4.0]])

    def spikes(t):
        net = npt.Network({"S": npt.sources.SpikeTimes([2, 0, 1], t, size=3, counts=True)})
        return run(net, record=["S.spike"]).out["S.spike"]

    together = jax.vmap(spikes)(times)
    for n in range(2):
        assert_same_bits(together[n], spikes(times[n]))
        cells, steps = np.array([2, 0, 1]), np.floor(np.asarray(times[n]) / 0.1 + 0.5).astype(int) - 1
        want = np.zeros((50, 3))
        np.add.at(want, (steps, cells), 1.0)
        np.testing.assert_array_equal(together[n], want)


# rate units, layers, substeps, emitters


def rate_network(delay=None, history=None, dt=0.1, duration=20.0):
    """Two units that inhibit each other, x' = (-x + W x + I) / tau, coupled by their voltages."""
    port = {"in": npt.Receptor(npt.synapses.Direct(), npt.synapses.CUBA())}
    units = npt.Population(npt.neurons.LeakyIntegrator(2, v_rest=0.0, tau=10.0, v_init=np.array([1.0, 0.5])), port)
    weights = npt.connect.Dense(np.array([[0.2, -0.5], [-0.6, 0.1]]).T, in_size=2, out_size=2)
    net = npt.Network({"x": units}, {"W": npt.Projection("x.v", "x.in", weights, delay=delay)})
    state = net.init(dt=dt, history=history)
    sol = npt.simulate(net, state, {"x": 0.3}, dt=dt, duration=duration, record=["x.v"])
    return np.asarray(sol.out["x.v"]), state


def test_rate_units_follow_their_equation():
    """Coupling is held over a step, so the error is of first order in dt: against the matrix exponential."""
    from scipy.linalg import expm

    m = np.array([[-0.8, -0.5], [-0.6, -0.9]]) / 10.0
    fixed = -np.linalg.solve(m, np.full(2, 0.03))
    want = fixed + expm(m * 20.0) @ (np.array([1.0, 0.5]) - fixed)
    errors = [np.abs(rate_network(dt=dt)[0][-1] - want).max() for dt in (0.2, 0.1, 0.05, 0.025)]
    slopes = np.diff(np.log(errors)) / np.log(0.5)
    assert errors[1] < 2e-3 and np.abs(slopes - 1).max() < 0.15


@pytest.mark.parametrize(
    ("history", "of"),
    [
        (None, lambda t: np.array([1.0, 0.5])),  # the values that the variables begin with
        ({"x.v": 0.25}, lambda t: np.full(2, 0.25)),
        ({"x.v": np.array([0.1, 0.2])}, lambda t: np.array([0.1, 0.2])),
        ({"x.v": lambda t: np.array([1.0, 0.5]) * np.exp(t / 3.0)}, lambda t: np.array([1.0, 0.5]) * np.exp(t / 3.0)),
    ],
)
def test_delayed_rate_units_begin_with_their_history(history, of):
    """Against a loop in NumPy that looks back d = 1.5 ms, 15 steps."""
    got, state = rate_network(delay=1.5, history=history, duration=5.0)
    assert state.lines["x"].data.shape == (16, 2)
    w, dt = np.array([[0.2, -0.5], [-0.6, 0.1]]), 0.1
    past = {k: of(k * dt) for k in range(-15, 1)}  # in place at k dt
    arrived, v, want = w @ past[-15], np.array([1.0, 0.5]), []
    for k in range(50):
        v = v * np.exp(-dt / 10) + (1 - np.exp(-dt / 10)) * (0.3 + arrived)
        past[k + 1] = v
        arrived = w @ past[k + 1 - 15]
        want.append(v)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_histories_that_lead_nowhere_are_named():
    net = npt.Network({"x": npt.Population(npt.neurons.LIF(2))})
    with pytest.raises(
        ValueError, match=r"history has \['x'\]; the messages that are read later than they are sent are"
    ):
        net.init(dt=0.1, history={"x": 0.0})
    with pytest.raises(
        ValueError, match=r"a history is or returns .*expected a finite number, or an array of shape \(2,\)"
    ):
        rate_network(delay=1.0, history={"x.v": np.ones(3)})
    for bad in (np.nan, 1j, "x", lambda t: np.inf):
        with pytest.raises(ValueError, match="a history is or returns .*expected a finite number"):
            rate_network(delay=1.0, history={"x": bad})
    with pytest.raises(TypeError, match="history is a float; expected a dictionary by the name of the message"):
        net.init(dt=0.1, history=1.0)


@pytest.mark.parametrize("delay", [None, 0.04, 0.1, 2.0])
def test_a_network_of_rates_at_its_fixed_point_stays_there_from_the_first_step(delay):
    port = {"in": npt.Receptor(npt.synapses.Direct(), npt.synapses.CUBA())}
    units = npt.Population(npt.neurons.LeakyIntegrator(3, v_rest=0.0, tau=10.0, v_init=0.15), port)
    rule = npt.connect.OneToOne()
    net = npt.Network({"x": units}, {"x->x": npt.Projection("x.v", "x.in", rule, weight=-1.0, delay=delay)})
    state = net.init(dt=0.1)
    v = npt.simulate(net, state, {"x": 0.3}, dt=0.1, duration=5.0, record=["x.v"]).out["x.v"]
    np.testing.assert_allclose(v, 0.15, rtol=1e-14)


def test_a_layer_is_called_once_a_step_with_what_arrived():
    key = jax.random.key(0)
    layer = eqx.nn.MLP(3, 2, 8, 1, key=key)
    source = npt.Layer(lambda x: jnp.sin(x), in_size=3)
    net = npt.Network(
        {"a": source, "b": npt.Layer(layer, in_size=3)},
        {"P": npt.Projection("a", "b.in", npt.connect.OneToOne(), weight=2.0, delay=0.2)},
    )
    x = jax.random.normal(key, (50, 3))
    out = run(net, {"a": npt.Series(x)}, record=["b.out", "a.out"]).out
    np.testing.assert_allclose(out["a.out"], jnp.sin(x), rtol=1e-12)
    # sent in step k, in place at the end of step k + 2, seen by the layer in step k + 3
    seen = jnp.concatenate([jnp.zeros((3, 3)), 2.0 * jnp.sin(x)])[:50]
    np.testing.assert_allclose(out["b.out"], jax.vmap(layer)(seen), rtol=1e-12)
    for bad, match in (
        (dict(layer=layer, in_size=4), "layer can't be called with a vector of in_size = 4"),
        (dict(layer=lambda x: jnp.sum(x), in_size=3), "expected one vector"),
        (dict(layer=3.0, in_size=3), "layer is 3.0"),
        (dict(layer=layer, in_size=0), "in_size is 0"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            npt.Layer(**bad)


@pytest.mark.parametrize("port", ["in", "jump"])
def test_substeps_are_steps_of_their_own(port):
    """Against the node with the shorter step in a network of its own; spikes of a step are added up."""
    ports = {"in": npt.Receptor(npt.synapses.Exponential(2.0), npt.synapses.CUBA()), "jump": npt.synapses.Delta()}
    cells = npt.Population(npt.neurons.LIF(3, v_rest=0.0, v_th=1.0, v_reset=0.0, tau=5.0), ports)
    current = jnp.array([2.0, 20.0, 200.0])
    fine = run(npt.Network({"N": cells}), {"N": current}, dt=0.1, record=["N.spike", "N.v"]).out
    coarse = run(
        npt.Network({"N": npt.Substeps(cells, 4)}), {"N": current}, dt=0.4, duration=4.8, record=["N.spike", "N.v"]
    ).out
    spikes = np.asarray(fine["N.spike"])[:48].reshape(12, 4, 3).sum(1)
    assert spikes.max() == 4
    np.testing.assert_array_equal(coarse["N.spike"], spikes)
    np.testing.assert_array_equal(coarse["N.v"], np.asarray(fine["N.v"])[3:48:4])
    # what arrives from outside is there at the end of a step, or, for jumps, before its last threshold
    source = npt.sources.SpikeTimes(0, [0.8], size=1)
    quiet = npt.Substeps(npt.Population(npt.neurons.LIF(1, v_rest=0.0, v_th=1.0, v_reset=0.0, tau=5.0), ports), 4)
    net = npt.Network(
        {"S": source, "N": quiet},
        {"P": npt.Projection("S", f"N.{port}", npt.connect.OneToOne(), weight=5.0, delay=0.4)},
    )
    out = run(net, dt=0.4, duration=4.0, record=["N.spike", "N.v"]).out
    spikes, v = np.asarray(out["N.spike"])[:, 0], np.asarray(out["N.v"])[:, 0]
    if port == "jump":  # 5 mV at 1.2 ms, above the threshold of 1 mV at once
        assert spikes.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    else:
        assert (v[:3] == 0).all() and v[3] > 0
    for wrong in (dict(node=npt.neurons.LIF(3), n=2), dict(node=cells, n=0), dict(node=cells, n=1.5)):
        with pytest.raises((TypeError, ValueError), match="node is|n is"):
            npt.Substeps(**wrong)


class Depression(npt.synapses.AbstractEmitter):
    """Tsodyks & Markram without facilitation."""

    u: float = 0.5
    tau: float = 800.0

    def init(self, shape, dtype, *, dt=None):
        return {"x": jnp.ones(shape, dtype)}

    def step(self, state, spikes, v, tick):
        x = 1 - (1 - state["x"]) * jnp.exp(-tick.dt / self.tau)
        sent = self.u * x * spikes.astype(x.dtype)
        return {"x": x - sent}, sent


def test_an_emitter_sends_events_with_a_size():
    """20 Hz, U 0.5, tau 800 ms: the releases of NEST's tsodyks2_synapse."""
    cells = npt.Population(
        npt.neurons.LIF(1, v_rest=0.0, v_th=1.0, v_reset=0.0, tau=1.0), emitters={"std": Depression()}
    )
    port = {"in": npt.Receptor(npt.synapses.Direct(), npt.synapses.CUBA())}
    listener = npt.Population(npt.neurons.LIF(1, v_th=1e9), port)
    net = npt.Network(
        {"A": cells, "B": listener}, {"P": npt.Projection("A.std", "B.in", npt.connect.OneToOne(), delay=1.5)}
    )
    kick = npt.Series(jnp.zeros((3000, 1)).at[499::500].set(1e4))
    out = run(net, {"A": kick}, duration=300.0, record=["A.std", "B.in.x", "A.std.x", "A.spike"]).out
    sent = np.asarray(out["A.std"])[:, 0]
    np.testing.assert_array_equal(np.flatnonzero(sent), np.arange(499, 3000, 500))
    np.testing.assert_allclose(sent[sent > 0], [0.5, 0.265147, 0.154835, 0.103020, 0.078683, 0.067251], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(out["B.in.x"])[15:, 0], sent[:-15])
    for emitters, match in (
        ({"v": Depression()}, "is the name of an emitter and of a message"),
        ({"a.b": Depression()}, "emitter name"),
        ({"e": 3}, "emitter 'e' is a int"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            npt.Population(npt.neurons.LIF(1), emitters=emitters)


# jumps


@pytest.mark.parametrize(("delay", "spikes_in"), [(None, 20), (0.1, 20), (1.5, 34)])
def test_jumps_come_before_the_threshold_and_without_delay_after_the_reset(delay, spikes_in):
    """A jump of 20 mV over the threshold, for a spike at 2 ms, which is step 19."""
    cells = npt.Population(
        npt.neurons.LIF(1, v_rest=0.0, v_th=15.0, v_reset=0.0, tau=10.0), {"jump": npt.synapses.Delta()}
    )
    source = npt.sources.SpikeTimes(0, [2.0], size=1)
    net = npt.Network(
        {"S": source, "N": cells},
        {"P": npt.Projection("S", "N.jump", npt.connect.OneToOne(), weight=20.0, delay=delay)},
    )
    out = run(net, record=["N.spike", "N.v"]).out
    spikes, v = np.flatnonzero(np.asarray(out["N.spike"])[:, 0]), np.asarray(out["N.v"])[:, 0]
    assert spikes.tolist() == [spikes_in]
    if delay is None:  # there at the end of step 19, above the threshold, which is read in the next step
        assert v[19] == 20.0
    assert v[spikes_in] == 0.0


@pytest.mark.parametrize("delay", [None, 0.1])
def test_jumps_are_lost_on_refractory_cells(delay):
    cells = npt.Population(
        npt.neurons.LIF(1, v_rest=0.0, v_th=15.0, v_reset=-3.0, tau=10.0, t_ref=1.0), {"jump": npt.synapses.Delta()}
    )
    source = npt.sources.SpikeTimes([0, 0, 0], [2.0, 2.5, 4.0], size=1)
    net = npt.Network(
        {"S": source, "N": cells},
        {"P": npt.Projection("S", "N.jump", npt.connect.OneToOne(), weight=20.0, delay=delay)},
    )
    out = run(net, record=["N.spike", "N.v"]).out
    v = np.asarray(out["N.v"])[:, 0]
    assert np.asarray(out["N.spike"]).sum() == 2 and v.max() == (20.0 if delay is None else 0.0)
    assert (v[22:30] == -3.0).all()  # the jump of 2.5 ms changed nothing, then or later


# all at once


def everything(key=None, n=8):
    """A population with emitters, rate units, both sources, a layer, substeps, jumps, slices."""
    key = jax.random.key(0) if key is None else key
    ports = {
        "exc": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.COBA(0.0)),
        "in": npt.Receptor(npt.synapses.Exponential(2.0), npt.synapses.CUBA()),
        "jump": npt.synapses.Delta(),
    }

    def cell(n):
        options = dict(v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=10.0, t_ref=1.0)
        return npt.neurons.LIF(
            n, **options, surrogate=npt.surrogate.Sigmoid(1.0), sigma=0.5, v_init=npt.init.Normal(-55.0, 2.0)
        )

    direct = {"in": npt.Receptor(npt.synapses.Direct(), npt.synapses.CUBA())}
    nodes = {
        "E": npt.Population(cell(n), ports, {"std": Depression()}),
        "fine": npt.Substeps(npt.Population(cell(n), ports), 2),
        "rate": npt.Population(npt.neurons.LeakyIntegrator(n, v_rest=0.0, tau=5.0), direct),
        "times": npt.sources.SpikeTimes(np.arange(n), 1.0 + np.arange(n), size=n),
        "poisson": npt.sources.Poisson(n, rate=200.0),
        "layer": npt.Layer(eqx.nn.Linear(n, n, key=jax.random.key(9)), in_size=n),
    }
    rule, weight = npt.connect.AllToAll(), npt.init.Uniform(0.0, 0.2)
    projections = {
        "E->E": npt.Projection("E.std", "E.exc", rule, weight=weight, delay=0.3),
        "E->fine": npt.Projection("E", "fine.in", npt.connect.FixedProb(0.5), weight=3.0, delay=1.0),
        "fine->E": npt.Projection(f"fine[{n // 2}:]", f"E[:{n // 2}].exc", rule, weight=weight),
        "times->E": npt.Projection("times", "E.jump", npt.connect.OneToOne(), weight=4.0, delay=0.2),
        "times->fine": npt.Projection("times", "fine.jump", npt.connect.OneToOne(), weight=4.0, delay=0.2),
        "poisson->E": npt.Projection("poisson", "E.in", npt.connect.OneToOne(), weight=20.0),
        "E->rate": npt.Projection("E.v", "rate.in", npt.connect.OneToOne(), weight=0.01, delay=0.4),
        "rate->layer": npt.Projection("rate.v", "layer.in", npt.connect.OneToOne()),
        "layer->E": npt.Projection("layer", "E.in", npt.connect.OneToOne(), delay=0.1),
    }
    return npt.Network(nodes, projections, key=key)


RECORDS = [
    "E.spike",
    "E.v",
    "E.std.x",
    "fine.spike",
    "rate.v",
    "layer.out",
    "poisson.spike",
    "times.spike",
    "lines.E.v",
]


def simulate(net, state, current=8.0, key=None, **options):
    inputs = {"E": current, "fine": 8.0, "E.exc": 0.01, "layer": 0.1}
    options = dict(dt=0.1, duration=10.0, record=RECORDS, key=jax.random.key(7) if key is None else key) | options
    return npt.simulate(net, state, inputs, **options)


def test_everything_at_once_split_chunked_and_resumed():
    net = everything()
    state = net.init(dt=0.1, key=jax.random.key(1))
    whole = simulate(net, state)
    assert all(np.asarray(whole.out[f"{name}.spike"]).sum() > 5 for name in ("E", "fine", "poisson", "times"))
    assert_same_bits(whole.out, simulate(net, state, chunk=30).out)
    assert_same_bits(whole.out, eqx.filter_jit(lambda n, s: simulate(n, s).out)(net, state))
    first = simulate(net, state, duration=3.7)
    second = simulate(net, first.state, duration=6.3, start=first.steps)
    assert_same_bits(whole.state, second.state)
    assert_same_bits(whole.out, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first.out, second.out))


def test_everything_at_once_under_vmap_and_grad():
    net = everything()
    keys = jax.random.split(jax.random.key(5), 3)
    states = jax.vmap(lambda k: net.init(dt=0.1, key=k))(keys)
    record = ["E.spike", "E.v", "rate.v"]

    def alone(current, state, key):
        return simulate(net, state, current, key, record=record).out

    currents = jnp.array([2.0, 8.0, 14.0])
    together = jax.vmap(alone)(currents, states, keys)
    for n in range(3):
        one = alone(currents[n], jax.tree.map(lambda x: x[n], states), keys[n])  # noqa: B023
        np.testing.assert_array_equal(together["E.spike"][n], one["E.spike"])
        for name in ("E.v", "rate.v"):
            np.testing.assert_allclose(together[name][n], one[name], rtol=1e-9)

    def loss(net):
        sol = simulate(net, net.init(dt=0.1, key=jax.random.key(1)), record=["E.spike", "rate.v"])
        return jnp.mean(sol.out["E.spike"]) + jnp.mean(sol.out["rate.v"] ** 2)

    grads = eqx.filter_grad(loss)(net)
    leaves = jax.tree.leaves(eqx.filter(grads, eqx.is_inexact_array))
    assert all(np.isfinite(g).all() for g in leaves)
    for moved in (
        grads.pathways["E->E"].connect.weight,
        grads.pathways["fine->E"].connect.weight,
        grads.pathways["times->E"].connect.weight,
        grads.pathways["poisson->E"].connect.weight,
        grads.nodes["layer"].layer.weight,
        grads.nodes["E"].emitters["std"].tau,
        grads.nodes["rate"].cell.membrane.tau,
    ):
        assert np.any(moved != 0)
    # an input, against finite differences where nothing spikes, and so nothing is a step function
    quiet = eqx.tree_at(lambda n: n.nodes["E"].cell.threshold.v_th, net, jnp.asarray(1e4))
    quiet = eqx.tree_at(lambda n: n.nodes["fine"].node.cell.threshold.v_th, quiet, jnp.asarray(1e4))
    state = net.init(dt=0.1, key=jax.random.key(1))
    smooth = lambda a: jnp.mean(simulate(quiet, state, a, record=["rate.v"], duration=3.0).out["rate.v"])  # noqa: E731
    numeric = (smooth(8.0 + 1e-4) - smooth(8.0 - 1e-4)) / 2e-4
    assert float(jax.grad(smooth)(8.0)) == pytest.approx(float(numeric), rel=1e-6) and numeric > 1e-4


def little(key):
    """Two populations, of which one is wired at random to itself, and, with weights that are drawn, to the other."""
    cells = npt.neurons.LIF(8, v_rest=0.0, v_th=8.0, v_reset=0.0, tau=10.0, t_ref=1.0, v_init=npt.init.Normal(4.0, 2.0))
    cells = npt.Population(cells, {"exc": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())})
    projections = {
        "E->E": npt.Projection("E", "E.exc", npt.connect.FixedProb(0.5), weight=0.5, delay=0.3),
        "E->I": npt.Projection("E", "I[:4].exc", npt.connect.FixedProb(0.5), weight=npt.init.Uniform(0.0, 2.0)),
    }
    return npt.Network({"E": cells, "I": cells}, projections, key=key)


@pytest.mark.parametrize("build", [little, everything])
def test_ensembles_of_networks_are_built_under_vmap(build):
    keys = jax.random.split(jax.random.key(2), 3)
    nets = eqx.filter_vmap(build)(keys)
    record = ["E.v"] if build is everything else ["E.v", "I.v"]

    def final(net):
        state = net.init(dt=0.1, key=jax.random.key(1))
        if build is everything:
            out = simulate(net, state, record=record).out
        else:
            out = npt.simulate(net, state, {"E": 10.0}, dt=0.1, duration=10.0, record=record).out
        return jnp.concatenate([*out.values()], 1)

    together = eqx.filter_vmap(final)(nets)
    for n, key in enumerate(keys):
        np.testing.assert_allclose(together[n], final(build(key)), rtol=1e-9)
    assert len({float(x) for x in together[:, -1].sum(1)}) == 3


SHARDED = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec as P
jax.config.update("jax_enable_x64", True)
from tests.network.test_nodes import everything, simulate

mesh = jax.make_mesh((8,), ("seeds",), axis_types=(AxisType.Auto,))
net = everything()
state = net.init(dt=0.1, key=jax.random.key(1))
keys = jax.random.split(jax.random.key(5), 8)
record = ["E.spike", "E.v", "rate.v", "fine.spike"]
one = lambda current, key: simulate(net, state, current, key[0], record=record).out
currents = jnp.linspace(4.0, 12.0, 8)
shard = lambda c, k: jax.tree.map(lambda x: x[None], one(c[0], k))
f = jax.shard_map(shard, mesh=mesh, in_specs=P("seeds"), out_specs=P("seeds"))
sharded = jax.jit(f)(currents, keys)
worst = 0.0
for n in range(8):
    alone = one(currents[n], keys[n : n + 1])
    assert np.array_equal(sharded["E.spike"][n], alone["E.spike"]) and np.asarray(alone["E.spike"]).any()
    worst = max(worst, *(float(jnp.abs(sharded[k][n] - alone[k]).max()) for k in record))
print(json.dumps({"worst": worst, "devices": len(jax.devices())}))
"""


def test_everything_at_once_over_eight_devices():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "PYTHONPATH": os.getcwd()}
    out = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment)
    assert out.returncode == 0, out.stderr[-3000:]
    found = json.loads(out.stdout.splitlines()[-1])
    assert found["devices"] == 8 and found["worst"] < 1e-9


class Sender(npt.AbstractNode):
    size: int = eqx.field(static=True)
    sends: object = eqx.field(static=True)

    ports = property(lambda self: {"in": self.size})
    messages = property(lambda self: {"out": self.size})

    def init(self, *, dt=None, key=None):
        return jnp.zeros(self.size)

    def advance(self, state, input, tick):
        return self.sends(state)

    def deliver(self, state, port, add, tick):
        return add(state)

    def silent(self, state):
        return {"out": state}


@pytest.mark.parametrize(
    ("sends", "match"),
    [
        (lambda x: None, "node 'N', a Sender, makes NoneType of a step; expected a pair of its state and"),
        (lambda x: (x, x), "node 'N', a Sender, makes tuple of a step"),
        (lambda x: (x, {}), r"node 'N', a Sender, sends \[\], and has declared \['out'\]"),
        (lambda x: (x, {"out": x, "more": x}), r"sends \['more', 'out'\], and has declared \['out'\]"),
        (lambda x: (x, {"out": x[:2]}), "the message 'out' of node 'N' has 2 elements, and 3 were declared"),
        (lambda x: (x, {"out": x > 0}), r"line of 'N' holds float64\[3\], and the message is bool\[3\]: .*silent\(\)"),
    ],
)
def test_a_node_that_breaks_its_word_is_named(sends, match):
    projection = npt.Projection("N", "N.in", npt.connect.OneToOne(), delay=0.3)
    net = npt.Network({"N": Sender(3, sends)}, {"N->N": projection})
    with pytest.raises((TypeError, ValueError), match=match):
        npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=1.0)


def test_float32_weights_in_a_network_of_float64():
    """What they bring is the float32 product, added in float64."""
    import scipy.sparse

    matrix = scipy.sparse.random(30, 20, density=0.3, random_state=0, dtype=np.float32).tocsr()
    receptor = npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())
    nodes = {
        "S": npt.sources.SpikeTimes(np.arange(30), 1.0 + np.arange(30) % 3, size=30),
        "N": npt.Population(npt.neurons.LIF(20), {"in": receptor}),
    }
    net = npt.Network(nodes, {"W": npt.Projection("S", "N.in", npt.connect.from_scipy(matrix), delay=0.2)})
    assert net.pathways["W"].connect.weight.dtype == np.float32
    g = npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=1.3, record=["N.in.g"]).out["N.in.g"]
    assert g.dtype == np.float64
    np.testing.assert_allclose(g[11], matrix.toarray()[::3].sum(0), rtol=1e-6)


def test_times_that_float32_has_already_taken_are_refused():
    with jax.enable_x64(False):
        late = npt.sources.SpikeTimes(0, 600_000.0 + 0.025 * np.arange(5), size=1)
        with pytest.raises(ValueError, match="so late that float32 can't tell in which step of 0.025 ms it is"):
            jax.device_put(late).init(dt=0.025)
