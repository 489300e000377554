"""A soma with the squid's channels and a passive dendrite on NEURON, adaptive steps: `python ball_and_stick_neuron.py`.

The dendrite forks: two thinner ones hang on its far end.
"""

import json
from pathlib import Path

import neuron
from neuron import h

CURRENT = 0.3  # nA into the soma
DURATION = 60.0  # ms


def section(name: str, length: float, diameter: float, pieces: int):
    made = h.Section(name=name)
    made.L, made.diam, made.nseg, made.Ra, made.cm = length, diameter, pieces, 100.0, 1.0
    return made


if __name__ == "__main__":
    h.load_file("stdrun.hoc")
    h.usetable_hh = 0
    soma = section("soma", 20.0, 20.0, 1)
    trunk = section("trunk", 200.0, 2.0, 10)
    forks = [section(f"fork{k}", 150.0, 1.2, 5) for k in range(2)]
    trunk.connect(soma(1))
    for fork in forks:
        fork.connect(trunk(1))
    soma.insert("hh")
    soma.el_hh = -54.387
    for dendrite in (trunk, *forks):
        dendrite.insert("pas")
        dendrite.g_pas, dendrite.e_pas = 1e-4, -65.0
    h.celsius = 6.3
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = 0.0, 1e9, CURRENT
    times, detector = h.Vector(), h.NetCon(soma(0.5)._ref_v, None, sec=soma)
    detector.threshold = 0.0
    detector.record(times)
    at = h.Vector([0.5 * n for n in range(1, int(2 * DURATION) + 1)])
    traces = [h.Vector().record(place._ref_v, at) for place in (soma(0.5), trunk(0.95), forks[0](0.9))]
    h.cvode.active(1)
    h.cvode.atol(1e-9)
    h.cvode.rtol(1e-9)
    h.cvode.condition_order(2)
    h.finitialize(-65.0)
    h.continuerun(DURATION + 0.1)
    data = {
        "made by": f"NEURON {neuron.__version__}, cvode at 1e-9",
        "current": CURRENT,
        "duration": DURATION,
        "spikes": [round(t, 5) for t in times if t <= DURATION],
        "soma, trunk(0.95), fork(0.9)": [[round(v, 5) for v in trace] for trace in traces],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(data) + "\n")
