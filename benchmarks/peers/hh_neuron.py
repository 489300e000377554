"""Squid axons on NEURON, or on CoreNEURON: one section with the mechanism `hh` for each neuron, with threads.

NEURON's fixed step is backward Euler for the voltage, then exact for the gates at that voltage, with rates from a
table; it computes in float64. Its cells are cylinders of 20 µm.
"""

from __future__ import annotations

import math

from common import HH as P
from common import Clock, cells_parser, currents, least, report
from neuron import h

SIDE = 20.0  # µm


def main() -> None:
    """Reads the command line, measures and prints."""
    line = cells_parser(__doc__, size=100_000, duration=100.0)
    line.add_argument("--core", action="store_true", help="on CoreNEURON")
    line.add_argument("--threads", type=int, default=1)
    options = line.parse_args()
    clock = Clock()
    h.load_file("stdrun.hoc")
    context = h.ParallelContext()
    context.nthread(options.threads)
    area = math.pi * SIDE * SIDE * 1e-8  # cm²
    times, cells = h.Vector(), h.Vector()
    kept = []
    for i, current in enumerate(currents(options.size)):
        section = h.Section(name=f"cell{i}")
        section.L = section.diam = SIDE
        section.cm = P["c_m"]
        section.insert("hh")
        for name, value in (("gnabar", P["g_na"]), ("gkbar", P["g_k"]), ("gl", P["g_l"])):
            setattr(section, f"{name}_hh", value * 1e-3)
        section.el_hh, section.ena, section.ek = P["e_l"], P["e_na"], P["e_k"]
        clamp = h.IClamp(section(0.5))
        clamp.delay, clamp.dur, clamp.amp = 0.0, 1e9, float(current) * area * 1e3
        detector = h.NetCon(section(0.5)._ref_v, None, sec=section)
        detector.threshold = P["v_th"]
        context.set_gid2node(i, context.id())
        context.cell(i, detector)
        kept.append((section, clamp, detector))
    context.spike_record(-1, times, cells)
    h.celsius, h.dt, h.steps_per_ms = P["celsius"], P["dt"], round(1 / P["dt"])
    build_s = clock.lap()
    if options.core:
        from neuron import coreneuron

        coreneuron.enable, coreneuron.verbose = True, 0
    context.set_maxstep(10)

    def start() -> None:
        h.finitialize(P["v_init"])

    start()
    compile_s = clock.lap()
    run_s, _ = least(lambda: context.psolve(options.duration), start)
    report(
        versions={"neuron": h.nrnversion(0)},
        n=options.size,
        duration=options.duration,
        dt=P["dt"],
        build_s=build_s,
        compile_s=compile_s,
        run_s=run_s,
        spikes=times.size(),
    )


if __name__ == "__main__":
    main()
