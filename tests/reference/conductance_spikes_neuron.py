"""Spike times of the squid axon on NEURON, by its variable-step solver: `python conductance_spikes_neuron.py`.

NEURON's own `hh` has a leak reversal of -54.3 mV; here it is Hodgkin and Huxley's, -54.387. Its tables of rates
are off.
"""

import json
from pathlib import Path

import neuron
from neuron import h

CURRENTS = [7.0, 10.0, 20.0, 40.0]  # µA/cm²
DURATION = 200.0  # ms


def spikes(current: float) -> list[float]:
    h.load_file("stdrun.hoc")
    h.usetable_hh = 0
    soma = h.Section(name="soma")
    soma.L = soma.diam = (1e5 / 3.141592653589793) ** 0.5  # 1e-3 cm², so that nA are µA/cm²
    soma.nseg, soma.cm = 1, 1.0
    soma.insert("hh")
    soma.el_hh = -54.387
    h.celsius = 6.3
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = 0.0, 1e9, current
    times, detector = h.Vector(), h.NetCon(soma(0.5)._ref_v, None, sec=soma)
    detector.threshold = 20.0
    detector.record(times)
    h.cvode.active(1)
    h.cvode.atol(1e-9)
    h.cvode.rtol(1e-9)
    h.cvode.condition_order(2)
    h.finitialize(-65.0)
    h.continuerun(DURATION)
    return [round(t, 5) for t in times]


if __name__ == "__main__":
    data = {
        "made by": f"NEURON {neuron.__version__}, cvode at 1e-9",
        "currents": CURRENTS,
        "duration": DURATION,
        "HH": [spikes(i) for i in CURRENTS],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
