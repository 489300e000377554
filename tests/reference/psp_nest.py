"""The voltage after one spike of 87.8085 pA into a cell of the microcircuit, on NEST: `python psp_nest.py`.

Potjans & Diesmann 2014, doi:10.1093/cercor/bhs358: a current that decays with 0.5 ms into a membrane of 10 ms and
250 pF, so that the voltage rises by 0.15 mV. `psp_nest.json` has the voltage (mV, from rest) at the end of every step,
for two lengths of the step; the spike has the stamp 1 ms and a delay of 1.5 ms.
"""

from __future__ import annotations

import json
from pathlib import Path

import nest
import numpy as np

CELL = {"C_m": 250.0, "tau_m": 10.0, "tau_syn_ex": 0.5, "E_L": 0.0, "V_m": 0.0, "V_reset": 0.0, "V_th": 1e9}
WEIGHT, STAMP, DELAY, DURATION = 87.8085, 1.0, 1.5, 20.0


def voltage(dt: float) -> list[float]:
    nest.ResetKernel()
    nest.resolution = dt
    generator = nest.Create("spike_generator", params={"spike_times": [STAMP]})
    cell = nest.Create("iaf_psc_exp", params=CELL)
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": dt})
    nest.Connect(generator, cell, syn_spec={"weight": WEIGHT, "delay": DELAY})
    nest.Connect(meter, cell)
    nest.Simulate(DURATION + 10 * dt)
    steps = round(DURATION / dt)
    assert (np.rint(np.array(meter.events["times"]) / dt)[:steps] == np.arange(steps) + 1).all()
    return np.array(meter.events["V_m"])[:steps].tolist()


if __name__ == "__main__":
    nest.verbosity = nest.VerbosityLevel.ERROR
    data = {
        "nest": nest.__version__,
        "cell": CELL,
        "weight": WEIGHT,
        "stamp": STAMP,
        "delay": DELAY,
        "duration": DURATION,
        "v": {str(dt): voltage(dt) for dt in (0.1, 0.025)},
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(data) + "\n")
