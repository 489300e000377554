"""The E/I conductance network against other simulators, by its statistics and spike by spike.

The statistics show that the network as a whole does what it does on Brian2 and NEST. They are blunt: the rate varies
by 7 % from one draw of the connections to the next, so that ten runs don't show a weight off by 5 %. They do show a
refractory period off by 1 ms (with Brian2 itself changed so, rates and CV miss by far). The comparison with the same
connections in plain NumPy is sharp, and that NumPy step gives on Brian2's connections Brian2's very spikes
(`tests/reference/coba_brian2.py --check`). A delay is the same number of ms in all of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import neuropytree as npt

from ..reference import network_numpy
from ..reference.spike_statistics import coba_statistics, disagreements, spikes_to_events
from ..reference.step_order import conductance_cell, delay_steps

DATA = json.loads((Path(__file__).parents[1] / "reference" / "coba_statistics.json").read_text())
P, DELAYS = DATA["parameters"], DATA["delays"]
SEEDS = range(10)

#: Eleven statistics are compared with each of two simulators. Were they independent and normal, three standard errors
#: would fail one run of this file in sixteen that should pass; they are strongly dependent (most follow the rate), so
#: fewer. The keys are fixed, so that a platform either passes or doesn't; the spread itself is in the data.
SIGMAS = 3.0


def _network(key: jax.Array, delay: float | None) -> npt.Network:
    def cell(n: int):
        return npt.neurons.LIF(
            n,
            v_rest=P["v_rest"],
            v_th=P["v_th"],
            v_reset=P["v_reset"],
            tau=P["tau"],
            t_ref=P["t_ref"],
            v_init=npt.init.Normal(P["v_init_mean"], P["v_init_sd"]),
        )

    receptors = {
        "exc": npt.Receptor(npt.synapses.Exponential(tau=P["tau_exc"]), npt.synapses.COBA(e_rev=P["e_exc"])),
        "inh": npt.Receptor(npt.synapses.Exponential(tau=P["tau_inh"]), npt.synapses.COBA(e_rev=P["e_inh"])),
    }
    wiring = npt.connect.FixedProb(P["probability"])
    return npt.Network(
        populations={
            "E": npt.Population(cell(P["n_exc"]), receptors),
            "I": npt.Population(cell(P["n_inh"]), receptors),
        },
        projections={
            "E->E": npt.Projection("E", "E.exc", wiring, weight=P["w_exc"], delay=delay),
            "E->I": npt.Projection("E", "I.exc", wiring, weight=P["w_exc"], delay=delay),
            "I->E": npt.Projection("I", "E.inh", wiring, weight=P["w_inh"], delay=delay),
            "I->I": npt.Projection("I", "I.inh", wiring, weight=P["w_inh"], delay=delay),
        },
        key=key,
    )


def _simulate(net: npt.Network, state, duration: float) -> np.ndarray:
    """The raster of all neurons, the excitatory ones first."""
    sol = npt.simulate(
        net,
        state,
        {"E": P["drive"], "I": P["drive"]},
        dt=P["dt"],
        duration=duration,
        record=["E.spike", "I.spike"],
    )
    return np.concatenate([np.asarray(sol.out["E.spike"]), np.asarray(sol.out["I.spike"])], axis=1)


def _ours(delay: str) -> dict[str, list[float]]:
    """Our statistics, a list over seeds for each; every seed draws its own connections and initial voltages."""
    rows = []
    for seed in SEEDS:
        # Keys that differ between seeds and from one another. The shapes are the same for all: one compilation does.
        net = _network(jax.random.key(2 * seed), float(delay))
        state = net.init(dt=P["dt"], key=jax.random.key(2 * seed + 1))
        raster = _simulate(net, state, P["duration"])
        rows.append(
            coba_statistics(
                *spikes_to_events(raster),
                n_exc=P["n_exc"],
                n_inh=P["n_inh"],
                steps=round(P["duration"] / P["dt"]),
                discard=round(P["discard"] / P["dt"]),
                dt=P["dt"],
            )
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("delay", DELAYS)  # of all connections in ms, as the data spells it
def test_statistics_agree(delay):
    theirs, ours = {name: DELAYS[delay][name]["seeds"] for name in ("brian2", "nest")}, _ours(delay)
    for simulator, seeds in theirs.items():
        wrong = disagreements(ours, seeds, sigmas=SIGMAS)
        assert not wrong, f"{simulator}: " + "\n".join(wrong.values())
    # the rule isn't so strict that two simulators known to be right would fail it, and not so lax that anything passes
    assert disagreements(theirs["brian2"], theirs["nest"], sigmas=SIGMAS) == {}
    changed = ours | {name: [1.2 * value for value in ours[name]] for name in ("rate_exc", "rate_inh")}
    assert "rate_inh" in disagreements(changed, theirs["brian2"], sigmas=SIGMAS)


@pytest.mark.parametrize("wait", [None, 0.1, 1.5])
def test_spikes_equal_those_of_the_numpy_step(wait):
    """Same connections, same initial voltages, 50 ms in float64: the same spikes in the same steps.

    Rounding differs (sums have another order), and the network is chaotic, so in the end they would part; over 200 ms
    Brian2 and NumPy didn't.
    """
    duration = 50.0
    net = _network(jax.random.key(100), wait)
    state = net.init(dt=P["dt"], key=jax.random.key(101))
    sources = {"E": 0, "I": P["n_exc"]}

    def edges(source: str) -> tuple[np.ndarray, np.ndarray]:
        pairs = []
        for target in ("E", "I"):
            pre, post = np.nonzero(np.asarray(net.pathways[f"{source}->{target}"].connect.to_dense()))
            pairs.append((pre + sources[source], post + sources[target]))
        pre, post = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return pre, post

    v = np.concatenate([np.asarray(state.nodes[name].cell.membrane.v, dtype=np.float64) for name in ("E", "I")])
    assert v.size == P["n_exc"] + P["n_inh"]
    cell, tau, steps = network_numpy.coba_cell(P), np.array([P["tau_exc"], P["tau_inh"]]), round(duration / P["dt"])
    lag = int(delay_steps(wait or 0.0, P["dt"]))
    synapses = network_numpy.all_alike([edges("E"), edges("I")], [P["w_exc"], P["w_inh"]], lag)
    move = conductance_cell(cell, tau, P["dt"])
    step, neuron, _ = network_numpy.simulate(cell, move, tau, synapses, v, dt=P["dt"], steps=steps)
    expected = np.zeros((steps, v.size), bool)
    expected[step, neuron] = True
    np.testing.assert_array_equal(_simulate(net, state, duration) != 0, expected)
