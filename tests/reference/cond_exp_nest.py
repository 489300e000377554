"""The conductance cell of `cond_exp_exact.npz` on NEST: `python cond_exp_nest.py` writes `cond_exp_nest.json`.

`iaf_cond_exp` steps adaptively (Runge-Kutta-Fehlberg), at a tolerance of 1e-3 that can't be changed; in steps of
0.1 ms it keeps to 2e-9 mV. `aeif_cond_exp` without its exponential is the same cell, with a tolerance of one's own,
here 1e-13.

For each step and each model: the stamps of the spikes, in steps; by how much (mV) the voltage differs from the exact
one at most, with spikes and (`quiet`) without threshold.
"""

from __future__ import annotations

import json
from pathlib import Path

import nest
import numpy as np
from trains import load

SILENT = 1e3  # mV, a threshold that isn't reached
MODELS = {
    "iaf_cond_exp": lambda v_th: {"V_th": v_th},
    "aeif_cond_exp": lambda v_th: {
        "V_th": v_th, "V_peak": v_th, "Delta_T": 0.0, "a": 0.0, "b": 0.0, "gsl_error_tol": 1e-13,
    },
}  # fmt: skip


def run(model: str, params: dict, trains: dict[str, np.ndarray], grid: float, dt: float, duration: float):
    """The voltage at the end of each step, and the stamps of the spikes in steps."""
    nest.ResetKernel()
    nest.set(tics_per_ms=10_000, resolution=dt)  # by default a tic is a thousandth of a ms, and .0125 no multiple of it
    cell = nest.Create(model, params={**params, "V_m": params["E_L"]})
    for n, (delay, weight) in enumerate(zip(trains["delay"], trains["weight"], strict=True)):
        times = trains["step"][trains["train"] == n] * grid
        source = nest.Create("spike_generator", params={"spike_times": times.round(6).tolist()})
        nest.Connect(source, cell, syn_spec={"weight": weight, "delay": delay})
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": dt})
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, cell)
    nest.Connect(cell, recorder)
    nest.Simulate(duration + 10 * dt)
    spike = np.rint(np.array(recorder.events["times"]) / dt).astype(int)
    steps = round(duration / dt)
    return np.array(meter.events["V_m"])[:steps], spike[spike <= steps]


def main() -> None:
    nest.verbosity = nest.VerbosityLevel.ERROR
    about, sets = load("cond_exp_exact")
    shared = {name: value for name, value in about["parameters"].items() if name != "V_th"}
    data = {"nest": nest.__version__, "dt": {}}
    for key in about["sets"]:
        if key in ("trains", "quiet"):
            continue
        dt, found = float(key), {}
        many = round(about["sampled"] / dt)
        for model, extra in MODELS.items():
            result = {}
            for v_th, name, exact in (
                (about["parameters"]["V_th"], "differs", sets[key]["v"]),
                (SILENT, "quiet differs", sets["quiet"]["v"]),
            ):
                v, spike = run(model, shared | extra(v_th), sets["trains"], about["grid"], dt, about["duration"])
                result[name] = float(np.abs(v[many - 1 :: many] - exact).max())
                if name == "differs":
                    result["spike"] = spike.tolist()
            found[model] = result
        data["dt"][key] = found
    Path(__file__).with_suffix(".json").write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
