"""Spike times of the eight AdEx patterns on NEST: `python adex_nest.py` writes `adex_spikes.json`.

`aeif_psc_exp` steps adaptively (Runge-Kutta-Fehlberg) within each step of 0.1 ms, and resets within it too, so that its
trajectories are those of the equations to the tolerance given. Spikes are stamped with the end of their step.
"""

import json
from pathlib import Path

import nest
from adex_patterns import COLUMNS, DURATION, PATTERNS, V_PEAK

RESOLUTION = 0.1


def main() -> None:
    nest.ResetKernel()
    nest.resolution = RESOLUTION
    recorders = {}
    for name, values in PATTERNS.items():
        p = dict(zip(COLUMNS, map(float, values), strict=True))
        cell = nest.Create(
            "aeif_psc_exp",
            params={
                "C_m": p["c_m"], "g_L": p["g_l"], "E_L": p["e_l"], "V_th": p["v_t"], "Delta_T": p["delta_t"],
                "a": p["a"], "tau_w": p["tau_w"], "b": p["b"], "V_reset": p["v_reset"], "I_e": p["current"],
                "V_peak": V_PEAK, "t_ref": 0.0, "V_m": p["e_l"], "w": 0.0, "gsl_error_tol": 1e-10,
            },
        )  # fmt: skip
        recorders[name] = nest.Create("spike_recorder")
        nest.Connect(cell, recorders[name])
    nest.Simulate(DURATION + RESOLUTION)
    spikes = {name: [round(float(t), 1) for t in sorted(r.events["times"])] for name, r in recorders.items()}
    data = {"nest": nest.__version__, "resolution": RESOLUTION, "spikes": spikes}
    Path(__file__).with_name("adex_spikes.json").write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
