"""Networks: delays, shared receptors, the hand-written loop, errors, the summary."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import DRIVE, assert_same_bits, coba


def relay(delay, *, extra=()):
    """One neuron that spikes once, and one that listens."""
    receptor = {"in": npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.CUBA())}
    source = npt.Population(npt.neurons.LIF(1, v_th=1.0, v_reset=0.0, tau=10.0))
    listener = npt.Population(npt.neurons.LIF(1, v_th=1e9), receptor)
    rule = npt.connect.OneToOne()
    projections = {"P": npt.Projection("A", "B.in", rule, weight=2.0, delay=delay)}
    for n, other in enumerate(extra):
        projections[f"Q{n}"] = npt.Projection("A", "B.in", rule, weight=0.0, delay=other)
    return npt.Network({"A": source, "B": listener}, projections)


def arrivals(net, dt, at):
    """Step in which A spikes, and step in which B's conductance first moves."""
    pulse = jnp.zeros((at + 500, 1)).at[at].set(1e6)
    sol = npt.simulate(
        net, net.init(dt=dt), {"A": pulse}, dt=dt, duration=(at + 500) * dt, record=["A.spike", "B.in.g"]
    )
    (emitted,) = np.flatnonzero(sol.out["A.spike"])
    g = np.asarray(sol.out["B.in.g"])[:, 0]
    arrived = np.flatnonzero(g)[0]
    # it arrives whole, after the decay of that step
    assert g[arrived] == 2.0 and g[arrived + 1] == pytest.approx(2.0 * np.exp(-dt / 5.0), rel=1e-12)
    return int(emitted), int(arrived)


@pytest.mark.parametrize("extra", [(), (None, 3.0)])
@pytest.mark.parametrize("dt", [0.1, 0.05, 0.25])
@pytest.mark.parametrize("delay", [None, 0.0, 0.1, 0.17, 0.2, 0.3, 1.5, 20.0])
def test_a_spike_arrives_after_its_delay(delay, dt, extra):
    emitted, arrived = arrivals(relay(delay, extra=extra), dt, at=7)
    assert emitted == 7
    assert arrived == 7 + (1 if delay is None else max(1, round(delay / dt)))


def test_the_buffer_is_as_long_as_the_longest_delay():
    net = relay(1.5, extra=(None, 20.0))
    assert net.buffer_lengths(0.1) == {"A": 200}
    assert net.init(dt=0.1).buffers["A"].data.shape == (200, 1)
    assert net.init(dt=0.5).buffers["A"].data.shape == (40, 1)


def test_projections_onto_one_receptor_share_it():
    receptor = {"in": npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))}
    cells = npt.Population(npt.neurons.LIF(4, v_th=-50.0, v_rest=-60.0, v_reset=-60.0), receptor)
    rule = npt.connect.AllToAll()
    both = npt.Network(
        {"A": cells, "B": cells},
        {"1": npt.Projection("A", "B.in", rule, weight=0.25), "2": npt.Projection("A", "B.in", rule, weight=0.5)},
    )
    one = npt.Network({"A": cells, "B": cells}, {"1": npt.Projection("A", "B.in", rule, weight=0.75)})
    a, b = (
        npt.simulate(net, net.init(dt=0.1), {"A": 20.0}, dt=0.1, duration=50.0, record=["A.spike", "B.in.g", "B.v"])
        for net in (both, one)
    )
    assert np.asarray(a.out["A.spike"]).any()
    np.testing.assert_allclose(a.out["B.in.g"], b.out["B.in.g"], rtol=1e-14)
    assert jax.tree.structure(both.init(dt=0.1).populations) == jax.tree.structure(one.init(dt=0.1).populations)


class ByHand(npt.AbstractDynamics):
    """The network of the README out of the same parts, without the container."""

    e: npt.neurons.PointNeuron
    i: npt.neurons.PointNeuron
    exc: npt.Receptor
    inh: npt.Receptor
    ee: npt.connect.CSR
    ei: npt.connect.CSR
    ie: npt.connect.CSR
    ii: npt.connect.CSR

    def init(self, *, dt=None, key=None):
        raise NotImplementedError

    def step(self, state, input, tick):
        e, i = state["e"], state["i"]
        e_exc = self.exc.receive(self.exc.decay(state["e_exc"], tick), self.ee, state["e_spike"])
        e_inh = self.inh.receive(self.inh.decay(state["e_inh"], tick), self.ie, state["i_spike"])
        i_exc = self.exc.receive(self.exc.decay(state["i_exc"], tick), self.ei, state["e_spike"])
        i_inh = self.inh.receive(self.inh.decay(state["i_inh"], tick), self.ii, state["i_spike"])
        drive = npt.Drive.of(input, e.v.dtype)
        e, e_spike = self.e.step(e, drive + self.exc.drive(e_exc, e.v) + self.inh.drive(e_inh, e.v), tick)
        i, i_spike = self.i.step(i, drive + self.exc.drive(i_exc, i.v) + self.inh.drive(i_inh, i.v), tick)
        new = dict(e=e, i=i, e_exc=e_exc, e_inh=e_inh, i_exc=i_exc, i_inh=i_inh, e_spike=e_spike, i_spike=i_spike)
        return new, {"E": e_spike, "I": i_spike}


def by_hand(net, state):
    e, i = net.populations["E"], net.populations["I"]
    wires = {name.replace("->", "").lower(): p.connect for name, p in net.projections.items()}
    model = ByHand(e.cell, i.cell, e.receptors["exc"], e.receptors["inh"], **wires)
    pops, buffers = state.populations, state.buffers
    return model, dict(
        e=pops["E"].cell, i=pops["I"].cell,
        e_exc=pops["E"].receptors["exc"], e_inh=pops["E"].receptors["inh"],
        i_exc=pops["I"].receptors["exc"], i_inh=pops["I"].receptors["inh"],
        e_spike=buffers["E"].data[0], i_spike=buffers["I"].data[0],
    )  # fmt: skip


def test_a_hand_written_step_gives_the_same_bits(impl):
    net = coba(impl=impl)
    state = net.init(dt=0.1, key=jax.random.key(1))
    ours = npt.simulate(net, state, DRIVE, dt=0.1, duration=100.0, record=["E.spike", "I.spike"])
    model, start = by_hand(net, state)
    hand = npt.simulate(model, start, 20.0, dt=0.1, duration=100.0, record=lambda state, out: out)
    assert np.asarray(ours.out["E.spike"]).sum() > 100
    assert_same_bits(ours.out["E.spike"], hand.out["E"])
    assert_same_bits(ours.out["I.spike"], hand.out["I"])
    assert_same_bits(ours.state.populations["E"].cell.v, hand.state["e"].v)
    assert_same_bits(ours.state.populations["I"].receptors["inh"], hand.state["i_inh"])


def test_adding_parts_never_shifts_a_sibling():
    """Connectivity, initial state and noise of what was there stay as they were."""
    net = coba(50, 20, p=0.2, sigma=0.5)
    more = npt.Network(
        populations={"Another": net.populations["I"], **net.populations},
        projections={
            "A first": npt.Projection("Another", "Another.exc", npt.connect.FixedProb(0.2), weight=0.1),
            **{
                name: npt.Projection(p.source, p.target, npt.connect.FixedProb(0.2), weight=float(p.connect.weight))
                for name, p in net.projections.items()
            },
        },
        key=jax.random.key(0),
    )
    for name, p in net.projections.items():
        assert_same_bits(p.connect, more.projections[name].connect)
    runs = [
        npt.simulate(n, n.init(dt=0.1, key=jax.random.key(5)), DRIVE, dt=0.1, duration=20.0, key=jax.random.key(6))
        for n in (net, more)
    ]
    for name in ("E", "I"):
        assert_same_bits(runs[0].state.populations[name], runs[1].state.populations[name])


def test_populations_draw_their_own_noise_and_initial_values():
    cell = npt.neurons.LIF(50, v_th=1e3, sigma=0.5, v_init=npt.init.Normal())
    net = npt.Network({"A": npt.Population(cell), "B": npt.Population(cell)})
    start = net.init(dt=0.1, key=jax.random.key(0))
    a, b = (start.populations[name].cell.v for name in "AB")
    assert len(np.intersect1d(a, b)) == 0
    same = eqx.tree_at(lambda s: s.populations["B"].cell.membrane.v, start, a)
    sol = npt.simulate(net, same, dt=0.1, duration=0.1, record=["A.v", "B.v"], key=jax.random.key(1))
    assert len(np.intersect1d(sol.out["A.v"], sol.out["B.v"])) == 0


def test_a_connectivity_of_ones_own():
    rng = np.random.default_rng(0)
    m = (rng.random((30, 20)) < 0.3) * rng.normal(size=(30, 20))
    import scipy.sparse

    receptor = {"in": npt.Receptor(npt.synapses.Exponential(), npt.synapses.CUBA())}
    populations = {
        "A": npt.Population(npt.neurons.LIF(30, v_th=1.0, v_reset=0.0)),
        "B": npt.Population(npt.neurons.LIF(20), receptor),
    }
    connect = npt.connect.from_scipy(scipy.sparse.csr_array(m))
    net = npt.Network(populations, {"P": npt.Projection("A", "B.in", connect)})
    np.testing.assert_array_equal(net.projections["P"].connect.to_dense(), m)
    with pytest.raises(ValueError, match="'P' has a connectivity from 30 to 20 neurons, but 'B' has 20 and 'B' 20"):
        npt.Network(populations, {"P": npt.Projection("B", "B.in", connect)})
    with pytest.raises(ValueError, match="leave weight= out"):
        npt.Projection("A", "B.in", connect, weight=1.0)


RULE = npt.connect.FixedProb(0.1)


@pytest.mark.parametrize(
    ("projection", "match"),
    [
        (dict(target="I.ampa"), r"projection 'P' targets 'I.ampa', but population 'I' has receptors \['exc', 'inh'\]"),
        (dict(target="X.exc"), r"projection 'P' targets 'X.exc', but the populations are \['E', 'I'\]"),
        (dict(source="X"), r"projection 'P' comes from 'X', but the populations are \['E', 'I'\]"),
        (dict(target="exc"), "target is 'exc'; expected 'population.receptor'"),
        (dict(delay=-1.0), "has delay -1.0"),
        (dict(delay=float("nan")), "has delay nan"),
        (dict(delay="long"), "has delay 'long'"),
    ],
)
def test_a_projection_that_leads_nowhere_is_named(projection, match):
    arguments = dict(source="E", target="I.exc", connect=RULE) | projection
    with pytest.raises(ValueError, match=match):
        npt.Network(coba(20, 10).populations, {"P": npt.Projection(**arguments)}, key=jax.random.key(0))


def test_other_mistakes_are_named():
    populations = coba(20, 10).populations
    with pytest.raises(ValueError, match="FixedProb draws random numbers .which neurons are connected. but got no key"):
        npt.Network(populations, {"P": npt.Projection("E", "I.exc", RULE)})
    with pytest.raises(ValueError, match="Network.init needs dt"):
        coba(20, 10).init(key=jax.random.key(0))
    with pytest.raises(TypeError, match="population 'E' is a PointNeuron; expected an npt.Population"):
        npt.Network({"E": npt.neurons.LIF(3)})
    with pytest.raises(ValueError, match="population name 'a.b' can't be used in paths"):
        npt.Network({"a.b": populations["E"]})
    with pytest.raises(ValueError, match="impl is 'fast'"):
        npt.Network(populations, impl="fast")
    with pytest.raises(ValueError, match="OneToOne connects populations of equal size; got 20 and 10"):
        npt.Network(populations, {"P": npt.Projection("E", "I.exc", npt.connect.OneToOne())})


def test_summary_tells_schedule_sizes_edges_and_what_is_shared(capsys):
    net = coba(32, 8, p=0.5, delay=1.5)
    text = net.summary(dt=0.1)
    assert text in capsys.readouterr().out
    for part in (
        "E: 32 x LeakyMembrane",
        f"E->I: E -> I.exc, CSR, nnz {net.projections['E->I'].connect.nnz}, one weight, delay 1.5 ms = 15 step(s)",
        "receptor E.inh: I->E",
        "buffer of E, 15 step(s) long: read by E->E, E->I",
        "1. read delayed spikes: E, I",
        "6. write spikes: E, I",
    ):
        assert part in text


def test_network_steps_without_input_and_without_projections():
    net = npt.Network({"A": npt.Population(npt.neurons.LIF(3))})
    state, out = net.step(net.init(dt=0.1), None, npt.Tick.at(0, dt=0.1))
    assert out["A"].shape == (3,) and eqx.tree_equal(state, net.init(dt=0.1))
