"""COBAHH on NEURON: a section with the mechanism `traub_miles.mod` and two `ExpSyn` for each neuron, in one thread.

NEURON's fixed step is backward Euler for the voltage, in float64. A spike acts after a delay of one step; with threads
NEURON would need two. The mechanism is compiled by `nrnivmodl`, which needs a C++ compiler.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import COBAHH as P
from common import Clock, cells_parser, density, least, parts, report


def main() -> None:
    """Reads the command line, measures and prints."""
    options = cells_parser(__doc__, size=4000, duration=1000.0).parse_args()
    with tempfile.TemporaryDirectory(prefix="npt-neuron-") as directory:
        mechanism = Path(directory, "tm.mod")
        mechanism.write_text(Path(__file__).with_name("traub_miles.mod").read_text())
        clock = Clock()
        compiler = Path(sys.executable).with_name("nrnivmodl")
        subprocess.run([compiler, mechanism], cwd=directory, check=True, capture_output=True)
        compile_s = clock.lap()
        from neuron import h, load_mechanisms

        load_mechanisms(directory)
        measure(h, options, compile_s)


def measure(h, options, compile_s: float) -> None:
    """Builds the network, runs and prints."""
    n = options.size
    n_exc, _, p = parts(n)
    rng = np.random.default_rng(1)
    clock = Clock()
    h.load_file("stdrun.hoc")
    context = h.ParallelContext()
    side = math.sqrt(P["area"] / math.pi)
    sections, synapses, detectors = [], [], []
    times, cells = h.Vector(), h.Vector()
    for i in range(n):
        section = h.Section(name=f"cell{i}")
        section.L = section.diam = side
        section.cm = 1.0
        section.insert("tm")
        section.insert("pas")
        section.gnabar_tm, section.gkbar_tm = density(P["g_na"]) * 1e-3, density(P["g_k"]) * 1e-3
        section.g_pas, section.e_pas = density(P["g_l"]) * 1e-3, P["e_l"]
        section.ena, section.ek = P["e_na"], P["e_k"]
        pair = []
        for tau, reversal in ((P["tau_exc"], P["e_exc"]), (P["tau_inh"], P["e_inh"])):
            synapse = h.ExpSyn(section(0.5))
            synapse.tau, synapse.e = tau, reversal
            pair.append(synapse)
        detector = h.NetCon(section(0.5)._ref_v, None, sec=section)
        detector.threshold = P["v_th"]
        context.set_gid2node(i, context.id())
        context.cell(i, detector)
        sections.append(section)
        synapses.append(pair)
        detectors.append(detector)
    h.v_sh_tm = P["v_sh"]
    context.spike_record(-1, times, cells)
    connections = []
    for i in range(n):
        kind, weight = (0, P["w_exc"]) if i < n_exc else (1, P["w_inh"])
        for j in rng.choice(n, rng.binomial(n, p), replace=False):
            connection = context.gid_connect(i, synapses[j][kind])
            connection.weight[0], connection.delay = weight * 1e-3, P["dt"]
            connections.append(connection)
    h.dt, h.steps_per_ms = P["dt"], round(1 / P["dt"])
    context.set_maxstep(10)
    v, g_exc, g_inh = (rng.normal(*P[name], n) for name in ("v_init", "g_exc_init", "g_inh_init"))
    build_s = clock.lap()

    def start() -> None:
        for section, value in zip(sections, v, strict=True):
            section.v = float(value)
        h.finitialize()
        for (exc, inh), one, other in zip(synapses, g_exc, g_inh, strict=True):
            exc.g, inh.g = float(one) * 1e-3, float(other) * 1e-3

    start()
    run_s, _ = least(lambda: context.psolve(options.duration), start)
    report(
        versions={"neuron": h.nrnversion(0)},
        n=n,
        duration=options.duration,
        dt=P["dt"],
        build_s=build_s,
        compile_s=compile_s,
        run_s=run_s,
        spikes=times.size(),
    )


if __name__ == "__main__":
    main()
