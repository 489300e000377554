"""The library sample by sample against NEST: forty trains with any delays onto one cell, and a table of delays."""

from __future__ import annotations

import json

import numpy as np
import pytest

import neuropytree as npt

from ..reference.step_order import delay_steps
from ..reference.trains import HERE, load

DELAYS = json.loads((HERE / "delays.json").read_text())
PSP = json.loads((HERE / "psp_nest.json").read_text())


def cell(p, **others):
    return npt.neurons.LIF(
        1,
        v_rest=p["E_L"],
        v_th=p["V_th"],
        v_reset=p["V_reset"],
        tau=p["tau_m"],
        r=p["tau_m"] / p["C_m"],
        t_ref=p["t_ref"],
        **others,
    )


def onto_one(p, ports, port_of, trains, dt, size=40):
    """Every train by a projection of its own, since each has its own delay."""
    source = npt.sources.SpikeTimes(trains["train"], trains["step"] * dt, size=size)
    projections = {
        f"train {n}": npt.Projection(
            f"S[{n}:{n + 1}]",
            f"N.{port_of(trains['weight'][n])}",
            npt.connect.AllToAll(),
            weight=trains["weight"][n],
            delay=float(trains["delay"][n]),
        )
        for n in range(size)
    }
    return npt.Network({"S": source, "N": npt.Population(cell(p), ports)}, projections)


def receptors(p):
    if "tau_syn_ex" not in p:
        return {"jump": npt.synapses.Delta()}, lambda weight: "jump"
    kinds = {"exc": p["tau_syn_ex"], "inh": p["tau_syn_in"]}
    ports = {name: npt.Receptor(npt.synapses.Exponential(tau), npt.synapses.CUBA()) for name, tau in kinds.items()}
    return ports, lambda weight: "exc" if weight > 0 else "inh"


@pytest.mark.parametrize("key", ["a", "b", "c"])
@pytest.mark.parametrize("name", ["psc_exp_nest", "psc_two_nest", "psc_delta_nest"])
def test_every_voltage_and_spike_of_nest(name, key):
    about, sets = load(name)
    p, nest, dt = about["parameters"], sets[key], about["sets"][key]["dt"]
    net = onto_one(p, *receptors(p), nest, dt)
    state = net.init(dt=dt)
    assert {line: len(x.data) - 1 for line, x in state.lines.items()} == {"S": delay_steps(nest["delay"], dt).max()}
    sol = npt.simulate(net, state, {"N": p["I_e"]}, dt=dt, duration=about["duration"], record=["N.v", "N.spike"])
    v, spikes = (np.asarray(sol.out[path])[:, 0] for path in ("N.v", "N.spike"))
    assert (np.flatnonzero(spikes) + 1).tolist() == nest["spike"].tolist()
    # 70 units in the last place of 50 mV: each step rounds, and the membrane forgets it within some hundred steps
    np.testing.assert_allclose(v, nest["v"], rtol=0, atol=1e-12)


def test_the_delays_of_nest_and_brian2():
    """All in one network: one source, one listener for each delay and port."""
    dt, delays = DELAYS["dt"], DELAYS["delays"]
    ports = {
        "current": npt.Receptor(npt.synapses.Exponential(2.0), npt.synapses.CUBA()),
        "voltage": npt.synapses.Delta(),
    }
    cells = npt.Population(npt.neurons.LIF(len(delays), v_rest=0.0, v_th=1e9, tau=10.0), ports)
    source = npt.sources.SpikeTimes(0, DELAYS["nest"]["emitted"], size=1)
    for variable, path in (("current", "N.current.g"), ("voltage", "N.v")):
        projections = {
            f"{n}": npt.Projection("S", f"N[{n}:{n + 1}].{variable}", npt.connect.AllToAll(), delay=d)
            for n, d in enumerate(delays)
        }
        net = npt.Network({"S": source, "N": cells}, projections)
        sol = npt.simulate(net, net.init(dt=dt), dt=dt, duration=10.0, record=[path])
        first = sol.ts[np.argmax(np.asarray(sol.out[path]) != 0, axis=0)]
        steps = np.round((first - DELAYS["nest"]["emitted"]) / dt).astype(int)
        assert steps.tolist() == delay_steps(np.array(delays), dt).tolist()
        for n, d in enumerate(delays):
            within = d in (0.14999999999, 0.14999995)  # less than a half by a millionth of a step: our rule's own
            theirs = DELAYS["nest"]["first"][variable][n]  # `None`: refused
            assert theirs is None or within or first[n] == pytest.approx(theirs), d
            if not within and d != 0.15:  # which Brian2 rounds down, as the quotient of doubles does
                assert first[n] == pytest.approx(DELAYS["brian2"]["first"]["start"][variable][n]), d


@pytest.mark.parametrize("dt", PSP["v"])
def test_one_postsynaptic_potential_of_nest(dt):
    nest, dt, p = np.array(PSP["v"][dt]), float(dt), PSP["cell"]
    p = {"E_L": 0.0, "V_th": 1e9, "V_reset": 0.0, "t_ref": 2.0} | p
    ports = {"in": npt.Receptor(npt.synapses.Exponential(p["tau_syn_ex"]), npt.synapses.CUBA())}
    projection = npt.Projection("S", "N.in", npt.connect.OneToOne(), weight=PSP["weight"], delay=PSP["delay"])
    source = npt.sources.SpikeTimes(0, PSP["stamp"], size=1)
    net = npt.Network({"S": source, "N": npt.Population(cell(p), ports)}, {"P": projection})
    sol = npt.simulate(net, net.init(dt=dt), dt=dt, duration=len(nest) * dt, record=["N.v"])
    np.testing.assert_allclose(np.asarray(sol.out["N.v"])[:, 0], nest, rtol=0, atol=1e-14)  # rounding, below 0.15 mV


def test_conductances_are_of_second_order():
    """Against the exact solution of forty trains onto one cell, over four steps."""
    about, sets = load("cond_exp_exact")
    p, trains = about["parameters"], sets["trains"]
    kinds = {"exc": (p["tau_syn_ex"], p["E_ex"]), "inh": (p["tau_syn_in"], p["E_in"])}
    ports = {
        name: npt.Receptor(npt.synapses.Exponential(tau), npt.synapses.COBA(e_rev))
        for name, (tau, e_rev) in kinds.items()
    }
    trains = trains | {"weight": abs(trains["weight"]), "inhibits": trains["weight"] < 0}
    inhibits = dict(zip(trains["weight"], trains["inhibits"], strict=True))
    errors, steps = [], ("0.1", "0.05", "0.025", "0.0125")
    point = p | {"tau_m": p["C_m"] / p["g_L"], "V_th": 1e9}
    net = onto_one(point, ports, lambda weight: "inh" if inhibits[weight] else "exc", trains, about["grid"])
    for key in steps:
        dt = float(key)
        every = round(about["sampled"] / dt)
        sol = npt.simulate(net, net.init(dt=dt), {"N": p["I_e"]}, dt=dt, duration=100.0, record=["N.v"], every=every)
        errors.append(np.abs(np.asarray(sol.out["N.v"])[:, 0] - sets["quiet"]["v"][: len(sol.ts)]).max())
    slope = np.polyfit(np.log(np.array(steps, float)), np.log(errors), 1)[0]
    assert abs(slope - 2) < 0.15, (slope, errors)
