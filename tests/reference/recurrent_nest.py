"""A small recurrent network with a delay of its own at every synapse, on NEST: `python recurrent_nest.py`.

`recurrent_nest.npz` (see `trains.py`) has one set, `net`:

- `pre`, `post`, `weight` (pA), `delay` (ms): one for each synapse; the last cells inhibit, by negative weights.
  A cell may hear itself, or another one twice.
- `current` (pA) and `start` (mV): of each cell, constant, and the voltage that it begins with;
- `step`, `cell`: the spikes in the order of time, by their stamps in steps;
- `v`: the voltages of all cells at the end of every 20th step.

Inputs that are summed in another order differ in the last place; in the time of the run that moves no spike.
"""

from __future__ import annotations

import nest
import numpy as np
from trains import HALF, save

DT, DURATION, EVERY = 0.1, 250.0, 20
CELLS, INHIBITORY, INPUTS = 60, 15, 12
CELL = {
    "C_m": 250.0, "tau_m": 10.0, "E_L": -65.0, "V_reset": -68.0, "V_th": -50.0, "t_ref": 2.0,
    "tau_syn_ex": 0.5, "tau_syn_in": 3.0,
}  # fmt: skip


def network(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    synapses = CELLS * INPUTS
    pre = rng.integers(0, CELLS, synapses)
    delay = rng.uniform(0.05, 6.0, synapses)
    delay[: len(HALF)] = np.round(np.array(HALF) * DT, 6)
    return {
        "pre": pre.astype(np.int32),
        "post": np.repeat(np.arange(CELLS, dtype=np.int32), INPUTS),
        "weight": rng.normal(150.0, 40.0, synapses) * np.where(pre < CELLS - INHIBITORY, 1.0, -1.0),
        "delay": delay,
        "current": rng.uniform(375.0, 450.0, CELLS),
        "start": rng.uniform(-65.0, -52.0, CELLS),
    }


def run(net: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    nest.ResetKernel()
    nest.resolution = DT
    cells = nest.Create("iaf_psc_exp", CELLS, params=CELL)
    cells.set(I_e=net["current"], V_m=net["start"])
    for pre, post, weight, delay in zip(net["pre"], net["post"], net["weight"], net["delay"], strict=True):
        nest.Connect(cells[int(pre)], cells[int(post)], syn_spec={"weight": weight, "delay": delay})
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": EVERY * DT})
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, cells)
    nest.Connect(cells, recorder)
    nest.Simulate(DURATION + 20 * EVERY * DT)
    senders, rows = np.array(meter.events["senders"]) - 1, round(DURATION / (EVERY * DT))
    v = np.stack([np.array(meter.events["V_m"])[senders == n][:rows] for n in range(CELLS)], axis=1)
    step, cell = np.rint(np.array(recorder.events["times"]) / DT).astype(np.int32), np.array(recorder.events["senders"])
    order = np.lexsort((cell, step))
    order = order[step[order] <= round(DURATION / DT)]
    return {"step": step[order], "cell": (cell[order] - 1).astype(np.int32), "v": v}


def main() -> None:
    nest.verbosity = nest.VerbosityLevel.ERROR
    net = network(seed=0)
    net |= run(net)
    about = {
        "versions": {"nest": nest.__version__, "numpy": np.__version__},
        "model": "iaf_psc_exp",
        "parameters": CELL,
        "duration": DURATION,
        "every": EVERY,
        "sets": {"net": {"dt": DT}},
    }
    print(len(net["step"]), "spikes of", len(np.unique(net["cell"])), "cells")
    save("recurrent_nest", about, {"net": net})


if __name__ == "__main__":
    main()
