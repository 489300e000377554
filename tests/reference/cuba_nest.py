"""Statistics of an E/I network with currents on NEST: `python cuba_nest.py [--seeds 10]` writes `cuba_statistics.json`.

The network of Vogels & Abbott 2005, doi:10.1523/JNEUROSCI.3508-05.2005, which is a benchmark of Brette et al. 2007,
doi:10.1007/s10827-007-0038-6. The weights are their conductances of 0.27 and 4.5 nS times driving forces of 60 and
31 mV, and each neuron has the same number of inputs, drawn with replacement from all other neurons. Poisson spikes into
some excitatory neurons start it; then it goes on by itself.

`--check` runs NEST without those and `network_numpy.simulate` over the same connections and initial voltages, and
demands the same spikes.

A Poisson generator sends each of its targets spikes of its own, in the steps that end at times `start < t <= stop`,
with the delay of the network.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import nest
import network_numpy
import numpy as np
from coba_common import numbers_in_one_line
from spike_statistics import cuba_statistics
from step_order import current_cell

DATA = Path(__file__).with_name("cuba_statistics.json")
PARAMETERS = {
    "n_exc": 3200,
    "n_inh": 800,
    "inputs_exc": 64,  # to every neuron
    "inputs_inh": 16,
    "autapses": False,
    "multapses": True,
    "w_exc": 16.2,  # pA
    "w_inh": -139.5,
    "delay": 0.1,  # ms
    "v_init": [-60.0, -50.0],  # mV, uniform
    "kicked": 50,  # the first excitatory neurons
    "kick_rate": 300.0,  # Hz, with w_exc
    "kick": [1.0, 51.0],  # ms
    "dt": 0.1,
    "duration": 1200.0,
    "discard": 200.0,
}
CELL = {
    "E_L": -49.0, "V_th": -50.0, "V_reset": -60.0, "C_m": 200.0, "tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0,
    "t_ref": 5.0, "I_e": 0.0,
}  # fmt: skip


def build(seed: int) -> tuple[nest.NodeCollection, nest.NodeCollection]:
    """The cells, the excitatory ones first, with their connections and initial voltages; and what records spikes."""
    p = PARAMETERS
    nest.ResetKernel()
    nest.resolution = p["dt"]
    nest.rng_seed = seed
    cells = nest.Create("iaf_psc_exp", p["n_exc"] + p["n_inh"], params=CELL)
    cells.V_m = nest.random.uniform(*p["v_init"])
    draws = {"allow_autapses": p["autapses"], "allow_multapses": p["multapses"]}
    for kind, sources in (("exc", cells[: p["n_exc"]]), ("inh", cells[p["n_exc"] :])):
        rule = {"rule": "fixed_indegree", "indegree": p[f"inputs_{kind}"]} | draws
        nest.Connect(sources, cells, rule, {"weight": p[f"w_{kind}"], "delay": p["delay"]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    return cells, recorder


def spikes_of(recorder: nest.NodeCollection) -> tuple[np.ndarray, np.ndarray]:
    """The step and the neuron of each spike. NEST stamps a spike with the time at which its step ends."""
    return np.rint(recorder.events["times"] / PARAMETERS["dt"]).astype(int) - 1, recorder.events["senders"] - 1


def simulate(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One run of the network."""
    p, (cells, recorder) = PARAMETERS, build(seed)
    start, stop = p["kick"]
    kick = nest.Create("poisson_generator", params={"rate": p["kick_rate"], "start": start, "stop": stop})
    nest.Connect(kick, cells[: p["kicked"]], syn_spec={"weight": p["w_exc"], "delay": p["delay"]})
    nest.Simulate(p["duration"] + 2.0)  # spikes of the last steps don't reach the recorder
    return spikes_of(recorder)


def check(seed: int) -> None:
    """Compares NEST with the NumPy step, spike by spike."""
    p, (cells, recorder) = PARAMETERS, build(seed)
    v = np.array(cells.V_m)
    edges = []
    for sources in (cells[: p["n_exc"]], cells[p["n_exc"] :]):
        ends = nest.GetConnections(sources, cells).get(["source", "target"])
        edges.append((np.array(ends["source"]) - 1, np.array(ends["target"]) - 1))
    nest.Simulate(p["duration"] + 2.0)
    steps, tau = round(p["duration"] / p["dt"]), np.array([CELL["tau_syn_ex"], CELL["tau_syn_in"]])
    synapses = network_numpy.all_alike(edges, [p["w_exc"], p["w_inh"]], round(p["delay"] / p["dt"]))
    move = current_cell(CELL, tau, p["dt"])
    *ours, _ = network_numpy.simulate(CELL, move, tau, synapses, v, dt=p["dt"], steps=steps)
    theirs = {(step, neuron) for step, neuron in zip(*spikes_of(recorder), strict=True) if step < steps}
    a, b = theirs, set(zip(*ours, strict=True))
    first = min((step for step, _ in a ^ b), default=None)
    print(f"{len(a)} spikes on NEST, {len(b)} in NumPy, {len(a & b)} the same; first difference in step {first}")
    if first is not None:
        raise SystemExit(1)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--check", action="store_true", help="compare with the NumPy step instead, over the whole run")
    options = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    if options.check:
        check(seed=1)
        return
    p, rows = PARAMETERS, []
    steps, discard = round(p["duration"] / p["dt"]), round(p["discard"] / p["dt"])
    for seed in range(1, options.seeds + 1):
        spikes = simulate(seed)
        if spikes[0].max() < steps - round(20 / p["dt"]):
            raise SystemExit(f"the network of seed {seed} falls silent")
        n = p["n_exc"] + p["n_inh"]
        rows.append(cuba_statistics(*spikes, n=n, steps=steps, discard=discard, dt=p["dt"]))
        print(seed, {name: round(value, 4) for name, value in rows[-1].items()}, flush=True)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    data = {
        "parameters": p,
        "cell": CELL,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "nest": nest.__version__},
        "seeds": {name: [round(x, 6) for x in column] for name, column in columns.items()},
        "mean": {name: round(float(np.mean(column)), 6) for name, column in columns.items()},
        "sd": {name: round(float(np.std(column, ddof=1)), 6) for name, column in columns.items()},
    }
    DATA.write_text(numbers_in_one_line(json.dumps(data, indent=1)) + "\n")


if __name__ == "__main__":
    main()
