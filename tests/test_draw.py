"""Parameters given as rules: `npt.init.draw` and `npt.Network` draw them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from .helpers import assert_same_bits
from .walk import cases, matches

U = npt.init.Uniform
# what a constructor computes with, and what isn't a parameter of a neuron
NOT_DRAWN = {
    "*.Compartments.from_cylinders": "length diameter r_a",
    "neurons.PinskyRinzel": "g_c p ca_init",
    "neurons.HH": "celsius",
    "neurons.Fractional*": "num_memory",
    "neurons.exact_spikes": "*",
    "channels.q10": "*",
    "ions.nernst": "*",
}


def numeric(case):
    for p in case.parameters:
        value = case.good.get(p.name, p.default)
        if p.name not in ("size", "n", "order", "dt") and not isinstance(value, bool | str):
            if isinstance(value, int | float) or np.issubdtype(getattr(value, "dtype", str), np.floating):
                yield p.name, float(np.mean(value))


def test_every_parameter_of_every_part_takes_a_rule():
    taken, refused = 0, []
    for case in cases():
        if not matches(case.name, "neurons.* channels.* ions.* synapses.* sources.* surrogate.*"):
            continue
        for name, value in numeric(case):
            known = [who for who, names in NOT_DRAWN.items() if matches(case.name, who) and matches(name, names)]
            try:
                case.call(**case.good | {name: npt.init.Constant(value)})
                taken += 1
                assert not known or matches(name, "*init"), (case.name, name)
            except (TypeError, ValueError) as error:
                refused += [] if known else [(case.name, name, str(error))]
    assert refused == [] and taken > 330


def test_each_neuron_has_a_value_of_its_own_that_its_path_names():
    key = jax.random.key(0)
    cell = npt.neurons.LIF((2, 3), tau=U(5.0, 15.0), t_ref=U(1.0, 2.0), v_init=U(-5.0, 0.0))
    drawn = npt.init.draw(cell, key=key)
    tau = np.asarray(drawn.membrane.tau)
    assert tau.shape == (2, 3) and len(set(tau.ravel())) == 6 and (tau >= 5).all() and (tau < 15).all()
    # whatever else is drawn
    other = npt.init.draw(npt.neurons.LIF((2, 3), v_rest=U(-1.0, 0.0), tau=U(5.0, 15.0)), key=key)
    assert_same_bits(drawn.membrane.tau, other.membrane.tau)
    # an initial value is a rule still
    assert drawn.init(dt=0.1, key=key).v.shape == (2, 3) and isinstance(drawn.membrane.v_init, U)
    many = jax.vmap(lambda key: npt.init.draw(cell, key=key).membrane.tau)(jax.random.split(key, 3))
    assert many.shape == (3, 2, 3) and len(np.unique(many)) == 18


def network(cell, rate=10.0, key=None):
    receptor = npt.Receptor(npt.synapses.Exponential(U(2.0, 5.0)), npt.synapses.COBA(e_rev=U(-1.0, 1.0)))
    return npt.Network(
        {"E": npt.Population(cell, {"exc": receptor}), "P": npt.sources.Poisson(3, rate=rate)},
        {"p": npt.Projection("P", "E.exc", npt.connect.FixedProb(0.5), weight=1.0)},
        key=key,
    )


def test_a_network_draws_for_its_populations_each_by_its_name():
    cell = npt.neurons.LIF(4, tau=U(5.0, 15.0))
    net = network(cell, rate=U(1.0, 50.0), key=jax.random.key(0))
    two = npt.Network({name: npt.Population(cell) for name in "EF"}, key=jax.random.key(0))
    exc = net.nodes["E"].receptors["exc"]
    assert exc.kinetics.tau.shape == exc.output.e_rev.shape == (4,) and net.nodes["P"].rate.shape == (3,)
    tau = {name: node.cell.membrane.tau for name, node in two.nodes.items()}
    assert_same_bits(tau["E"], net.nodes["E"].cell.membrane.tau)
    assert not np.isin(tau["E"], tau["F"]).any()
    run = npt.simulate(two, two.init(dt=0.1), {"E": 30.0}, dt=0.1, duration=100.0, record=["E.spike"])
    counts = np.asarray(run.out["E.spike"]).sum(0)
    # the voltage rises from -5 to 20 mV on its way to 30
    np.testing.assert_allclose(counts, 100 / (np.asarray(tau["E"]) * np.log(35 / 10)), atol=1.1)


def test_compartments_draw_one_for_each_that_has_the_channel():
    channels = {"leak": npt.channels.IL(g=U(0.1, 0.2)), "more": (npt.channels.IL(e=U(-70.0, -60.0)), [1, 2])}
    cell = npt.neurons.Compartments(2, parents=[-1, 0, 1], area=U(900.0, 1000.0), g_axial=50.0, channels=channels)
    drawn = npt.init.draw(cell, key=jax.random.key(0)).membrane
    assert drawn.area.shape == drawn.channels["leak"].g.shape == (2, 3)
    assert drawn.channels["more"].e.shape == (2, 2) and len(np.unique(drawn.channels["more"].e)) == 4


def test_what_is_wrong_is_said():
    cell, key = npt.neurons.LIF(5, tau=U(-15.0, -5.0)), jax.random.key(0)
    with pytest.raises(ValueError, match=r'"membrane": tau is -\S+ at index \d; expected positive, finite'):
        npt.init.draw(cell, key=key)
    with pytest.raises(ValueError, match='"E.cell.membrane": tau is -'):
        npt.Network({"E": npt.Population(cell)}, key=key)
    with pytest.raises(ValueError, match=r"membrane.tau is a Uniform, whose values are not drawn yet.*init.draw"):
        cell.init(dt=0.1)
    with pytest.raises(ValueError, match='"E": .*not drawn yet.*Network'):
        network(cell)
    with pytest.raises(TypeError, match="low of a Uniform is a Normal; expected numbers"):
        U(npt.init.Normal(0.0, 1.0), 2.0)
    kinetics = npt.synapses.Exponential(U(2.0, 5.0))
    with pytest.raises(ValueError, match="tau is drawn for no neurons; expected shape="):
        npt.init.draw(kinetics, key=key)
    assert npt.init.draw(kinetics, key=key, shape=(7,)).tau.shape == (7,)
    with pytest.raises(TypeError, match="key is None"):
        npt.init.draw(kinetics, key=None)
    with pytest.raises(ValueError, match="not drawn yet"):
        jnp.add(npt.neurons.LIF(5, tau=U(1.0, 2.0)).membrane.tau, 1.0)
