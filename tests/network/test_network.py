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
    """Step in which A spikes, and steps at whose ends the conductances of B have moved."""
    pulse = npt.Series(jnp.zeros((at + 500, 1)).at[at].set(1e6))
    sol = npt.simulate(
        net, net.init(dt=dt), {"A": pulse}, dt=dt, duration=(at + 500) * dt, record=["A.spike", "B.in.g"]
    )
    (emitted,) = np.flatnonzero(sol.out["A.spike"])
    found = []
    for g in np.asarray(sol.out["B.in.g"]).T:
        arrived = np.flatnonzero(g)[0]
        # it is there whole at the end of that step, and relaxes from then on
        assert g[arrived] == 2.0 and g[arrived + 1] == pytest.approx(2.0 * np.exp(-dt / 5.0), rel=1e-12)
        found.append(int(arrived))
    return int(emitted), found


DELAYS = [None, 0.0, 0.1, 0.125, 0.15, 0.17, 0.2, 0.25, 0.3, 1.5, 20.0]  # halves among them, for each step


def after(delay, dt):
    # halves are rounded up, as NEST does; the quotients here are off by less than 1e-12
    return 0 if delay is None else int(np.floor(round(delay / dt, 9) + 0.5))


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.25])
def test_a_spike_is_in_place_after_its_delay(dt):
    """A listener for each delay, all of which read one line."""
    net = relay(None)
    listeners = npt.Population(npt.neurons.LIF(len(DELAYS), v_th=1e9), net.nodes["B"].receptors)
    projections = {
        f"P{n}": npt.Projection("A", f"B[{n}:{n + 1}].in", npt.connect.AllToAll(), weight=2.0, delay=delay)
        for n, delay in enumerate(DELAYS)
    }
    emitted, arrived = arrivals(npt.Network({"A": net.nodes["A"], "B": listeners}, projections), dt, at=7)
    assert emitted == 7 and arrived == [7 + after(delay, dt) for delay in DELAYS]


@pytest.mark.parametrize("extra", [(), (None, 3.0)])
@pytest.mark.parametrize("delay", [None, 0.1, 1.5])
def test_so_is_it_by_itself_and_beside_others_onto_the_same_port(delay, extra):
    assert arrivals(relay(delay, extra=extra), 0.1, at=7) == (7, [7 + after(delay, 0.1)])


def test_lines_are_as_long_as_the_longest_delay_and_one():
    net = relay(1.5, extra=(None, 20.0))
    assert net.line_lengths(0.1) == {"A": 200}
    assert net.init(dt=0.1).lines["A"].data.shape == (201, 1)
    assert net.init(dt=0.5).lines["A"].data.shape == (41, 1)
    assert relay(None).init(dt=0.1).lines == {} and relay(0.04).init(dt=0.1).lines == {}


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
    assert jax.tree.structure(both.init(dt=0.1).nodes) == jax.tree.structure(one.init(dt=0.1).nodes)


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
        drive = npt.Drive.of(input, e.v.dtype)
        to_e = drive + self.exc.drive(state["e_exc"], e.v, tick) + self.inh.drive(state["e_inh"], e.v, tick)
        to_i = drive + self.exc.drive(state["i_exc"], i.v, tick) + self.inh.drive(state["i_inh"], i.v, tick)
        e, e_spike = self.e.step(e, to_e, tick)
        i, i_spike = self.i.step(i, to_i, tick)
        new = dict(
            e=e, i=i,
            e_exc=self.arrive(self.exc, state["e_exc"], self.ee, e_spike, tick),
            e_inh=self.arrive(self.inh, state["e_inh"], self.ie, i_spike, tick),
            i_exc=self.arrive(self.exc, state["i_exc"], self.ei, e_spike, tick),
            i_inh=self.arrive(self.inh, state["i_inh"], self.ii, i_spike, tick),
        )  # fmt: skip
        return new, {"E": e_spike, "I": i_spike}

    def arrive(self, receptor, state, connect, spikes, tick):
        return receptor.receive(receptor.relax(state, tick), lambda g: connect(spikes, g))


def by_hand(net, state):
    e, i = net.nodes["E"], net.nodes["I"]
    wires = {name.replace("->", "").lower(): p.connect for name, p in net.pathways.items()}
    model = ByHand(e.cell, i.cell, e.receptors["exc"], e.receptors["inh"], **wires)
    e, i = state.nodes["E"], state.nodes["I"]
    return model, dict(
        e=e.cell, i=i.cell,
        e_exc=e.receptors["exc"], e_inh=e.receptors["inh"],
        i_exc=i.receptors["exc"], i_inh=i.receptors["inh"],
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
    assert_same_bits(ours.state.nodes["E"].cell.v, hand.state["e"].v)
    assert_same_bits(ours.state.nodes["I"].receptors["inh"], hand.state["i_inh"])


def test_adding_parts_never_shifts_a_sibling():
    """Connectivity, initial state and noise of what was there stay as they were."""
    net = coba(50, 20, p=0.2, sigma=0.5)
    more = npt.Network(
        populations={"Another": net.nodes["I"], **net.nodes},
        projections={
            "A first": npt.Projection("Another", "Another.exc", npt.connect.FixedProb(0.2), weight=0.1),
            **{
                name: npt.Projection(p.source, p.target, npt.connect.FixedProb(0.2), weight=float(p.connect.weight))
                for name, p in net.pathways.items()
            },
        },
        key=jax.random.key(0),
    )
    for name, p in net.pathways.items():
        assert_same_bits(p.connect, more.pathways[name].connect)
    runs = [
        npt.simulate(n, n.init(dt=0.1, key=jax.random.key(5)), DRIVE, dt=0.1, duration=20.0, key=jax.random.key(6))
        for n in (net, more)
    ]
    for name in ("E", "I"):
        assert_same_bits(runs[0].state.nodes[name], runs[1].state.nodes[name])


def test_populations_draw_their_own_noise_and_initial_values():
    cell = npt.neurons.LIF(50, v_th=1e3, sigma=0.5, v_init=npt.init.Normal())
    net = npt.Network({"A": npt.Population(cell), "B": npt.Population(cell)})
    start = net.init(dt=0.1, key=jax.random.key(0))
    a, b = (start.nodes[name].cell.v for name in "AB")
    assert len(np.intersect1d(a, b)) == 0
    same = eqx.tree_at(lambda s: s.nodes["B"].cell.membrane.v, start, a)
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
    np.testing.assert_array_equal(net.pathways["P"].connect.to_dense(), m)
    with pytest.raises(ValueError, match="'P' has a connectivity from 30 to 20 neurons, but 'B' has 20 and 'B.in' 20"):
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
        (
            dict(source="E.w"),
            r"projection 'P' comes from 'E.w': 'w' is not a variable .*its messages are \['spike', 'v'\]",
        ),
        (dict(target="exc"), "target is 'exc'; expected 'node.port'"),
        (dict(source=""), "source is ''; expected a node's name"),
        (dict(source=0), "source is 0; expected a node's name"),
        (dict(source="E[0:x]"), r"source is 'E\[0:x\]', with \[0:x\]; expected a slice"),
        (dict(source="E[5]"), r"with \[5\]; expected a slice"),
        (dict(source="E[::-1]"), "with the step -1; expected a positive one"),
        (dict(source="E[20:]"), r"'E\[20:\]' has no elements"),
        (dict(target="I[3:2].exc"), r"'I\[3:2\].exc' has no elements"),
        (dict(delay=-1.0), "has delay -1.0"),
        (dict(delay=float("nan")), "has delay nan"),
        (dict(delay="long"), "has delay 'long'"),
        (dict(delay=True), "has delay True"),
    ],
)
def test_a_projection_that_leads_nowhere_is_named(projection, match):
    arguments = dict(source="E", target="I.exc", connect=RULE) | projection
    with pytest.raises((ValueError, TypeError), match=match):
        npt.Network(coba(20, 10).nodes, {"P": npt.Projection(**arguments)}, key=jax.random.key(0))


@pytest.mark.parametrize("name", ["E", "lines", "E.exc", "b.v", "", 0, "a[0]"])
def test_names_of_projections_are_checked(name):
    with pytest.raises(ValueError, match="projection"):
        npt.Network(coba(20, 10).nodes, {name: npt.Projection("E", "I.exc", RULE)}, key=jax.random.key(0))


@pytest.mark.parametrize("name", ["a.b", "", 0, "lines", "a[:2]"])
def test_names_of_populations_are_checked(name):
    with pytest.raises(ValueError, match="population"):
        npt.Network({name: coba(20, 10).nodes["E"]})


def test_other_mistakes_are_named():
    populations = coba(20, 10).nodes
    with pytest.raises(ValueError, match="FixedProb draws random numbers .which neurons are connected. but got no key"):
        npt.Network(populations, {"P": npt.Projection("E", "I.exc", RULE)})
    with pytest.raises(ValueError, match="Network.init needs dt"):
        coba(20, 10).init(key=jax.random.key(0))
    with pytest.raises(TypeError, match="population 'E' is a PointNeuron; expected an npt.Population"):
        npt.Network({"E": npt.neurons.LIF(3)})
    with pytest.raises(TypeError, match="populations is a list"):
        npt.Network([populations["E"]])
    with pytest.raises(ValueError, match='^"P": in_size is 20 and out_size 10; expected populations of equal size'):
        npt.Network(populations, {"P": npt.Projection("E", "I.exc", npt.connect.OneToOne())})
    with pytest.raises(TypeError, match="projection 'P' is a FixedProb; expected an npt.Projection"):
        npt.Network(populations, {"P": RULE})
    with pytest.raises(TypeError, match="a receptor's kinetics is .*COBA.*expected an AbstractKinetics"):
        npt.Receptor(npt.synapses.COBA(0.0), npt.synapses.Exponential(5.0))


@pytest.mark.parametrize("dt", [np.float32(0.1), np.float64(0.1), jnp.float32(0.1)])
def test_dt_is_checked_whatever_its_type(dt):
    net = coba(20, 10)
    state = net.init(dt=dt, key=jax.random.key(0))
    npt.simulate(net, state, dt=0.1, duration=1.0)
    with pytest.raises(ValueError, match="made for dt=0.1.* and this run has dt=0.5"):
        npt.simulate(net, state, dt=0.5, duration=1.0)
    with pytest.raises(ValueError, match="made for dt=0.1.* and the tick has dt=0.5"):
        net.step(state, None, npt.Tick.at(0, dt=0.5))
    for wrong in (-0.1, 0, 0.0, float("nan"), "0.1", True):
        with pytest.raises((ValueError, TypeError), match="dt is"):
            net.init(dt=wrong, key=jax.random.key(0))


def test_inputs_of_what_is_not_there_are_refused():
    net = coba(20, 10)
    state, tick = net.init(dt=0.1, key=jax.random.key(0)), npt.Tick.at(0, dt=0.1)
    with pytest.raises(ValueError, match=r"the input has \['e'\], but the network takes"):
        net.step(state, {"e": 1.0}, tick)
    with pytest.raises(TypeError, match="the input is a float"):
        net.step(state, 1.0, tick)


def test_summary_tells_schedule_sizes_edges_and_what_is_shared(capsys):
    net = coba(32, 8, p=0.5, delay=1.5)
    text = net.summary(dt=0.1)
    assert text in capsys.readouterr().out
    for part in (
        "E: 32 x LeakyMembrane",
        f"E->I: E -> I.exc, CSR, nnz {net.pathways['E->I'].connect.nnz}, one weight, delay 1.5 ms = 15 step(s)",
        "port E.inh: I->E",
        "line of E, 16 messages long: read by E->E, E->I",
        "1. nodes move, by what is open at the beginning of the step: E, I",
        "5. messages are written: E, I",
        "6. receptors relax: E.exc, E.inh, I.exc, I.inh; arrivals are added: E->E into E.exc",
    ):
        assert part in text, part


def test_network_steps_without_input_and_without_projections():
    net = npt.Network({"A": npt.Population(npt.neurons.LIF(3))})
    state, out = net.step(net.init(dt=0.1), None, npt.Tick.at(0, dt=0.1))
    assert out["A"].shape == (3,) and eqx.tree_equal(state, net.init(dt=0.1))


def test_a_population_runs_by_itself():
    receptor = {"in": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())}
    cells = npt.Population(npt.neurons.LIF(3, v_th=10.0, v_reset=0.0, v_rest=0.0), receptor)
    net = npt.Network({"A": cells})
    alone = npt.simulate(cells, cells.init(dt=0.1), 20.0, dt=0.1, duration=30.0, record=["spike", "v", "in.g"])
    inside = npt.simulate(
        net, net.init(dt=0.1), {"A": 20.0}, dt=0.1, duration=30.0, record=["A.spike", "A.v", "A.in.g"]
    )
    assert np.asarray(alone.out["spike"]).any()
    for name, x in alone.out.items():
        assert_same_bits(x, inside.out[f"A.{name}"])


def test_a_state_of_another_network_or_step_is_refused():
    one = npt.Network({"E": npt.Population(npt.neurons.LIF(3))})
    two = npt.Network({"E": npt.Population(npt.neurons.LIF(3)), "I": npt.Population(npt.neurons.LIF(2))})
    tick = npt.Tick.at(0, dt=0.1)
    with pytest.raises(ValueError, match=r"the state has the nodes \['E'\], and the network \['E', 'I'\]"):
        two.step(one.init(dt=0.1), {}, tick)
    with pytest.raises(TypeError, match="the state is a PopulationState; expected what net.init makes"):
        one.step(one.init(dt=0.1).nodes["E"], {}, tick)
    cell = npt.neurons.LIF(3)
    with pytest.raises(ValueError, match="made for dt=0.2 ms, and the tick has dt=0.1"):
        cell.step(cell.init(dt=0.2), 0.0, tick)
    with pytest.raises(ValueError, match="made for dt=0.2 ms, and the tick has dt=0.1"):
        one.nodes["E"].advance(one.init(dt=0.2).nodes["E"], 0.0, tick)
    with pytest.raises(ValueError, match="made for dt=0.2 ms"):
        npt.simulate(cell, cell.init(dt=0.2), 0.0, dt=0.1, duration=1.0)


def test_a_delay_of_more_steps_than_can_be_counted_names_its_projection():
    receptor = npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())
    nodes = {"E": npt.Population(npt.neurons.LIF(3), {"in": receptor})}
    net = npt.Network(nodes, {"E->E": npt.Projection("E", "E.in", npt.connect.AllToAll(), delay=1e300)})
    with pytest.raises(ValueError, match=r"projection 'E->E': a delay of 1e\+300 ms is 1e\+301 steps of 0.1 ms"):
        net.init(dt=0.1)


class Learned(npt.AbstractPathway):
    connect: npt.connect.AbstractConnectivity
    step: object = eqx.field(static=True)
    add: object = eqx.field(static=True, default=lambda acc: acc)
    source: str = eqx.field(static=True, default="E")
    target: str = eqx.field(static=True, default="E.in")
    delay: float | None = eqx.field(static=True, default=None)

    def init(self, *, dt=None, key=None):
        return {"weight": self.connect.weight}

    def carry(self, state, message, acc, tick):
        return self.add(self.connect(message, acc))

    def learn(self, state, pre, post, tick):
        return self.step(state)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"step": lambda s: {"weight": s["weight"][:2]}}, r"projection 'W', 'weight' after learn is .*\[2\]; .*\[3\]"),
        ({"step": lambda s: {"w": s["weight"]}}, "projection 'W', 'weight' after learn is missing; expected float64"),
        ({"step": lambda s: None}, "projection 'W', 'weight' after learn is missing"),
        (
            {"step": lambda s: s, "add": lambda acc: acc[:2]},
            r"what projection 'W' carries is float64\[2\]; expected acc",
        ),
        ({"step": lambda s: s, "add": lambda acc: None}, "what projection 'W' carries is None; expected acc with"),
    ],
)
def test_a_pathway_that_changes_its_form_is_named(options, match):
    receptor = npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())
    nodes = {"E": npt.Population(npt.neurons.LIF(3), {"in": receptor})}
    rule = npt.connect.OneToOne()(3, 3, weight=jnp.ones(3))
    net = npt.Network(nodes, {"W": Learned(rule, **options)})
    with pytest.raises(ValueError, match=match):
        npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=1.0)
    other = npt.Network(nodes, {"W": Learned(npt.connect.AllToAll()(3, 3, weight=jnp.ones((3, 3))), step=lambda s: s)})
    for use in (lambda state: npt.simulate(net, state, dt=0.1, duration=1.0), net.freeze):
        with pytest.raises(
            ValueError, match=r"'W', 'weight' given to the network is float64\[3, 3\]; expected float64\[3\]"
        ):
            use(other.init(dt=0.1))
