"""Forty random spike trains onto one cell with currents or voltage jumps, on NEST: `python psc_nest.py`.

Writes `psc_exp_nest.npz`, `psc_two_nest.npz` (excitation and inhibition with time constants of their own) and
`psc_delta_nest.npz`; `trains.py` says what is in them, and each set has beside the trains

- `v`: the membrane potential (mV) at the end of every step, as the multimeter gives it;
- `spike`: the stamps of the cell's spikes, in steps.

In NEST a spike of step k has the stamp t_(k+1), and the multimeter's value with the stamp t_(k+1) is the state after
step k. What is sent with the stamp s and a delay of m steps is in the state with the stamp s + m. A voltage jump that
arrives while a cell of `iaf_psc_delta` is refractory is dropped (`refractory_input` is false).
"""

from __future__ import annotations

import nest
import numpy as np
from trains import random_trains, save

DURATION = 500.0
SETS = {
    "a": {"dt": 0.1, "seed": 0},
    "b": {"dt": 0.1, "seed": 1},
    "c": {"dt": 0.05, "seed": 2},
}
MEMBRANE = {"C_m": 250.0, "tau_m": 10.0, "E_L": -65.0, "V_reset": -68.0, "V_th": -50.0, "t_ref": 2.0}
# model, its parameters, mean and sd of the weights (pA; mV)
CASES = {
    "psc_exp": ("iaf_psc_exp", {"tau_syn_ex": 0.5, "tau_syn_in": 0.5, "I_e": 340.0}, (60.0, 20.0)),
    "psc_two": ("iaf_psc_exp", {"tau_syn_ex": 3.0, "tau_syn_in": 5.0, "I_e": 400.0}, (40.0, 15.0)),
    "psc_delta": ("iaf_psc_delta", {"refractory_input": False, "I_e": 340.0}, (0.8, 0.3)),
}


def run(model: str, params: dict, trains: dict[str, np.ndarray], dt: float) -> dict[str, np.ndarray]:
    nest.ResetKernel()
    nest.resolution = dt
    cell = nest.Create(model, params={**params, "V_m": params["E_L"]})
    for n, (delay, weight) in enumerate(zip(trains["delay"], trains["weight"], strict=True)):
        times = trains["step"][trains["train"] == n] * dt
        source = nest.Create("spike_generator", params={"spike_times": times.round(6).tolist()})
        nest.Connect(source, cell, syn_spec={"weight": weight, "delay": delay})
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": dt})
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, cell)
    nest.Connect(cell, recorder)
    nest.Simulate(DURATION + 10 * dt)  # what the last steps record doesn't reach the devices
    steps = round(DURATION / dt)
    stamp = np.rint(np.array(meter.events["times"]) / dt).astype(int)
    assert (stamp[:steps] == np.arange(steps) + 1).all()
    spike = np.rint(np.array(recorder.events["times"]) / dt).astype(np.int32)
    return {"v": np.array(meter.events["V_m"])[:steps], "spike": spike[spike <= steps]}


def main() -> None:
    nest.verbosity = nest.VerbosityLevel.ERROR
    for name, (model, own, weight) in CASES.items():
        params, sets = MEMBRANE | own, {}
        for key, of in SETS.items():
            trains = random_trains(**of, duration=DURATION, trains=40, rate=120.0, weight=weight)
            sets[key] = trains | run(model, params, trains, of["dt"])
            print(name, key, len(sets[key]["spike"]), "spikes")
        versions = {"nest": nest.__version__, "numpy": np.__version__}
        about = {"versions": versions, "model": model, "parameters": params, "duration": DURATION, "sets": SETS}
        save(f"{name}_nest", about, sets)


if __name__ == "__main__":
    main()
