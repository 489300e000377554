"""Every argument of every public constructor and function says what is wrong with a value, by name; `walk.py` has the
values that are good, and the reasons why some odd ones are."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from .walk import FINE, KEY, MADE, SPOKEN, Case, Reached, cases, matches, public, reasons, stop

# Equinox's, of an array in a field that takes none; the error comes after it
pytestmark = pytest.mark.filterwarnings("ignore:A JAX array is being set as static")

BAD = {
    "NaN": np.nan,
    "infinite": np.inf,
    "negative": -1.0,
    "text": "0.1",
    "complex": 1 + 1j,
    "shape": np.ones(7),
    "None": None,
    "object": object(),
}
CASES = {case.name: case for case in cases()}


def refusal(case: Case, **given):
    """The error, or `None` if these arguments are taken."""
    try:
        case.call(**case.good | given)
    except (Reached, FileNotFoundError):  # a name is no file's, and yet one
        return None
    except Exception as error:  # of whatever type: that it is the right one is looked at
        return error
    return None


def odd(case: Case):
    """Arguments with values that make no sense for most."""
    for p in case.parameters:
        for what, value in BAD.items():
            if value is not None or p.default is not None:  # where it is the default it means something
                yield p.name, what, value


def test_all_kinds_are_walked():
    some = "channels.IL neurons.LIF neurons.PinskyRinzel connect.CSR connect.FixedProb() integrate.odeint npt.simulate "
    some += "sources.Poisson measure.firing_rate random.poisson npt.Events npt.Network neurons.exact_spikes"
    assert set(some.split()) <= set(CASES) and len(CASES) > 170
    assert sum(len(list(odd(case))) for case in CASES.values()) > 7000


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_by_name(name):
    case = CASES[name]
    assert refusal(case) is None
    wrong = []
    for argument, what, value in odd(case):
        error = refusal(case, **{argument: value})
        said = SPOKEN.get((name, argument), argument)
        if error is None and not reasons(name, argument, what):
            wrong.append(f"{argument}: {what} is taken, and no reason listed")
        elif error is not None and not (
            isinstance(error, TypeError | ValueError)
            and re.search(rf"\b{said}\b", str(error))
            and "expected" in str(error)
        ):
            wrong.append(f"{argument}: {what} gives {error!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("entry", FINE, ids=lambda entry: f"{entry[0]}: {entry[1]}: {entry[2]}"[:60])
def test_every_reason_applies(entry):
    who, what, value, _ = entry
    for case in CASES.values():
        for argument, kind, x in odd(case) if matches(case.name, who) else ():
            if matches(argument, what) and matches(kind, value) and refusal(case, **{argument: x}) is None:
                return
    pytest.fail("nothing that this entry is about is taken")


def test_what_is_not_walked_is_there():
    names = [name for name, _ in public()]
    assert [pattern for pattern in MADE if not any(matches(name, pattern) for name in names)] == []


# what must be above zero in the packages of parts, but for the last two
POSITIVE = "tau tau_max phi alpha beta d c c_out c_rest c_half k_2 k_4 n"
ZERO_TOO = {("ions.CalciumFirstOrder", "alpha"), ("channels.IAHP_De1994", "alpha")}


def test_what_must_be_positive_is_not_zero():
    walked = 0
    for case in CASES.values():
        for p in case.parameters if matches(case.name, "channels.I* ions.C* ions.F* surrogate.* synapses.*") else ():
            bad = -300.0 if p.name == "celsius" else 0.0
            if p.name == "celsius" or (matches(p.name, POSITIVE) and (case.name, p.name) not in ZERO_TOO):
                error, walked = refusal(case, **{p.name: bad}), walked + 1
                assert error is not None and re.search(rf"\b{p.name}\b.*expected", str(error)), (case.name, p.name)
    assert walked > 35


def test_traced_values_pass_and_are_differentiated():
    def leak(g):
        return npt.channels.IL(g=g, e=-70.0).drive(jnp.asarray(-60.0), {}, {}).i

    assert float(jax.jit(jax.grad(leak))(0.1)) == -70.0
    assert jax.vmap(lambda a: npt.surrogate.Sigmoid(alpha=a).alpha)(jnp.ones(3)).shape == (3,)


def test_an_interval_is_not_upside_down():
    with pytest.raises(ValueError, match="low is 2.0, above high, which is 1.0"):
        npt.init.Uniform(2.0, 1.0)


@pytest.mark.parametrize("dt", [0, -0.1, np.nan, np.inf, "0.1", True, [0.1]])
def test_the_step_of_a_state_is_checked(dt):
    cells = npt.neurons.LIF(2)
    for model in (cells, npt.Population(cells), npt.neurons.HH(2), npt.Network({"E": npt.Population(cells)})):
        with pytest.raises((TypeError, ValueError), match="dt is .*expected a"):
            model.init(dt=dt)


def test_a_state_that_is_none_is_named():
    cell = npt.neurons.LIF(2)
    with pytest.raises(TypeError, match="the state is None; expected what"):
        npt.simulate(cell, None, 1.0, dt=0.1, duration=1.0, record=["v"])
    with pytest.raises(TypeError, match="key is 0; expected a random key"):
        npt.Network({"E": npt.Population(cell)}, key=0)


def test_an_input_that_draws_without_a_key_is_told_where_to_pass_it():
    cell = npt.neurons.LIF(2)
    for draw in (lambda tick: jax.random.normal(tick.key), lambda tick: npt.random.normal(tick, shape=(2,))):
        with pytest.raises(ValueError, match=r"got no key: pass key=jax.random.key\(seed\).*to `simulate`"):
            npt.simulate(cell, cell.init(dt=0.1), draw, dt=0.1, duration=1.0, record=["v"])


N = 50


def receptor(tau=5.0, e_rev=None):
    return npt.Receptor(
        npt.synapses.Exponential(tau), npt.synapses.CUBA() if e_rev is None else npt.synapses.COBA(e_rev)
    )


def joined(**options):
    cells = npt.Population(npt.neurons.LIF(N), {"exc": receptor()})
    given = {"weight": 1.0} | options
    return npt.Network({"E": cells}, {"E->E": npt.Projection("E", "E.exc", npt.connect.AllToAll(), **given)}, key=KEY)


class Fading(npt.synapses.AbstractEmitter):
    """An emitter of somebody's own, which says nothing of its parameter."""

    left: jax.Array

    def init(self, shape, dtype, *, dt=None):
        return jnp.zeros(shape, dtype)

    def step(self, state, spikes, v, tick):
        return state, spikes.astype(state.dtype) * self.left


SEVEN, EACH = jnp.ones(7), rf"has shape \(7,\); expected \(\) or \({N},\), one for each neuron"
OF_ANOTHER_SIZE = {
    "kinetics": (lambda: npt.Population(npt.neurons.LIF(N), {"exc": receptor(SEVEN)}), rf'"exc": tau of .* {EACH}'),
    "output": (
        lambda: npt.Population(npt.neurons.LIF(N), {"exc": receptor(5.0, SEVEN)}),
        rf'"exc": e_rev of .* {EACH}',
    ),
    "channel": (
        lambda: npt.neurons.ConductanceCell(N, channels={"leak": npt.channels.IL(g=SEVEN)}),
        rf'"channels.leak": g {EACH}',
    ),
    "ion": (
        lambda: npt.neurons.ConductanceCell(
            N, channels={"leak": npt.channels.IL()}, ions={"ca": npt.ions.CalciumDetailed(tau=SEVEN)}
        ),
        rf'"ions.ca": tau {EACH}',
    ),
    "compartments": (
        lambda: npt.neurons.Compartments(
            N, parents=[-1, 0], area=1.0, g_axial=1.0, channels={"leak": npt.channels.IL(g=SEVEN)}
        ),
        r'"leak": g has shape \(7,\); expected',
    ),
    "named constructor": (lambda: npt.neurons.HH(N, g_na=SEVEN), f"^g_na {EACH}"),
    "surrogate": (lambda: npt.neurons.LIF(N, surrogate=npt.surrogate.Sigmoid(SEVEN)), f'"surrogate": alpha {EACH}'),
    "initial values": (lambda: npt.neurons.LIF(N, v_init=npt.init.Normal(SEVEN)), f'"v_init": mean {EACH}'),
    "weights": (lambda: joined(weight=SEVEN), r'"E->E": weight has shape \(7,\); expected \(\)'),
    "weights that are drawn": (lambda: joined(weight=npt.init.Normal(SEVEN)), r'"E->E": mean has shape \(7,\)'),
    "history": (lambda: joined(delay=1.0).init(dt=0.1, history={"E": SEVEN}), rf'"E": a history .*\({N},\)'),
    "stimulus": (
        lambda: npt.simulate(joined(), joined().init(dt=0.1), {"E": SEVEN}, dt=0.1, duration=0.1),
        rf"input 'E' has shape \(7,\) in a step; expected \(\) or \({N},\)",
    ),
}


@pytest.mark.parametrize("part", OF_ANOTHER_SIZE)
def test_a_part_of_another_size_is_named_by_its_path(part):
    make, message = OF_ANOTHER_SIZE[part]
    with pytest.raises(ValueError, match=message):
        make()


def test_what_fails_in_a_part_of_a_network_is_said_with_its_path():
    net = npt.Network({"E": npt.Population(npt.neurons.LIF(N), emitters={"std": Fading(SEVEN)})})
    with pytest.raises(TypeError, match=r'^"E.std": '):
        net.step(net.init(dt=0.1), None, npt.Tick.at(0, dt=0.1))
    drawn = npt.Network({"E": npt.Population(npt.neurons.LIF(N, v_init=npt.init.Normal()))})
    with pytest.raises(ValueError, match='^"E": init.Normal draws random numbers'):
        drawn.init(dt=0.1)


def test_a_value_put_into_a_model_later_is_named_by_its_path():
    cells = npt.neurons.ConductanceCell(2, channels={"leak": npt.channels.IL()})
    net = npt.Network({"E": npt.Population(cells, {"exc": receptor()})})
    for where, value, message in (
        (lambda n: n.nodes["E"].receptors["exc"].kinetics.tau, -5.0, '"E.exc": tau of Exponential is -5; expected pos'),
        (lambda n: n.nodes["E"].receptors["exc"].kinetics.tau, SEVEN, r'"E.exc": tau of Exponential has shape \(7,\)'),
        (lambda n: n.nodes["E"].cell.membrane.channels["leak"].g, -1.0, '"E.leak": g of IL is -1; expected finite'),
    ):
        with pytest.raises(ValueError, match="^" + message):
            eqx.tree_at(where, net, jnp.asarray(value)).init(dt=0.1)


def test_a_value_that_is_wrong_says_its_unit():
    with pytest.raises(ValueError, match="tau of Exponential is -5; expected positive, finite numbers of ms"):
        npt.synapses.Exponential(-5.0)
    with pytest.raises(ValueError, match="hold is -1; expected a finite number of ms, at least 0"):
        npt.integrate.hybrid_solve(stop, 0.0, t0=0.0, t1=1.0, event=stop, reset=None, max_spikes=1, hold=-1.0)


def test_states_of_others_are_refused_with_what_they_have():
    """Of the same size, but other cells, receptors or nodes."""
    lif, adex, tick = npt.neurons.LIF(N), npt.neurons.AdExIF(N), npt.Tick.at(0, dt=0.1)
    for mine, other in ((lif, adex), (adex, lif), (npt.neurons.HH(N), lif), (lif, npt.neurons.HH(N))):
        with pytest.raises(TypeError, match="the state has the variables .*; expected .*: make the state by"):
            mine.step(other.init(dt=0.1), None, tick)
    net = npt.Network({"A": npt.Population(lif, {"exc": receptor()}), "B": npt.Population(adex)})
    state = net.init(dt=0.1)
    with pytest.raises(ValueError, match=r'^"A": the state has the receptors \[\]; expected \[.exc.\]'):
        net.step(eqx.tree_at(lambda s: s.nodes, state, {"A": state.nodes["B"], "B": state.nodes["A"]}), None, tick)
    direct = npt.Population(lif, {"exc": npt.Receptor(npt.synapses.Direct(), npt.synapses.CUBA())}).init(dt=0.1)
    with pytest.raises(TypeError, match=r'^"A.exc": the state has the variables \[.x.\], in a DirectState; expected'):
        net.step(eqx.tree_at(lambda s: s.nodes["A"], state, direct), None, tick)
    with pytest.raises(TypeError, match='^"A": the state is .*; expected what the population.s init makes'):
        net.step(eqx.tree_at(lambda s: s.nodes["A"], state, 1.0), None, tick)


def test_a_history_of_another_kind_is_refused():
    rates = npt.Network(
        {"x": npt.Population(npt.neurons.LeakyIntegrator(2), {"in": receptor()})},
        {"x->x": npt.Projection("x", "x.in", npt.connect.AllToAll(), delay=1.0)},
    )
    with pytest.raises(ValueError, match='"x": a history is or returns True; expected a finite number'):
        rates.init(dt=0.1, history={"x": True})
    silent = jnp.zeros(2, bool)
    assert npt.delay.Line.filled(2, silent, dt=0.1, history=True).data.all()
    with pytest.raises(ValueError, match="a history is or returns 0.5; expected 0 or 1"):
        npt.delay.Line.filled(2, silent, dt=0.1, history=0.5)


def test_inputs_and_records_of_another_kind_are_refused():
    cell, tick = npt.neurons.LIF(3), npt.Tick.at(0, dt=0.1)
    for x in ("a", 1j, object(), npt.Drive("a")):  # pyright: ignore
        with pytest.raises(TypeError, match="the input is .*; expected a real number, an array of such, or a Drive"):
            cell.step(cell.init(dt=0.1), x, tick)
    for record in ([1], {1: "v"}, {"v": 1}, "v"):
        with pytest.raises(TypeError, match="record is .*; expected a list of paths"):
            npt.simulate(cell, cell.init(dt=0.1), dt=0.1, duration=0.1, record=record)
    with pytest.raises(TypeError, match="a history is a function of .a, b.; expected a function of .t."):
        joined(delay=1.0).init(dt=0.1, history={"E": lambda a, b: a})


def test_an_axis_of_length_one_stands_for_all():
    cell = npt.neurons.LIF(3)
    run = lambda x: npt.simulate(cell, cell.init(dt=0.1), x, dt=0.1, duration=0.3, record=["v"]).out["v"]  # noqa: E731
    np.testing.assert_array_equal(run(np.array([20.0])), run(20.0))
    with pytest.raises(ValueError, match="input is nan; expected finite numbers"):
        run(np.nan)


def test_what_adversaries_found():
    cell = npt.neurons.LIF(3)
    state = cell.init(dt=0.1)
    with pytest.raises(ValueError, match=r"cells of shape \(1,\), and this PointNeuron has the shape \(3,\)"):
        npt.simulate(cell, npt.neurons.LIF(1).init(dt=0.1), 1.0, dt=0.1, duration=1.0, record=["v"])
    run = npt.simulate(cell, state, lambda tick: [1.0, 2.0, 3], dt=0.1, duration=1.0, record=["v"])
    np.testing.assert_allclose(run.out["v"][-1], np.array([1, 2, 3]) * -np.expm1(-0.1), rtol=1e-5)
    counts = {name: np.int64(5) for name in ("chunk", "every", "start")}
    run = npt.simulate(cell, state, 1.0, dt=0.1, duration=1.0, record=["v"], **counts)
    assert isinstance(run.every, int) and run.out["v"].shape == (2, 3)
    receptor = npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())
    for name in ("v", "spike", "count"):
        with pytest.raises(ValueError, match=f"'{name}' is the name of a receptor and of a variable of the cells"):
            npt.Population(cell, {name: receptor})
