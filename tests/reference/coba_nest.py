"""Statistics of the E/I conductance network on NEST: `python coba_nest.py [--seeds 40]`.

NEST's steps against this library's:

- `iaf_cond_exp` holds a neuron for `t_ref/dt` steps after the step of its spike, as here.
- A delay of d is d/dt steps, as here: a spike arrives at its stamp plus d, after the voltage has moved in that step.
  The smallest is one step.
- Its solver is an adaptive Runge-Kutta-Fehlberg 4(5), with the conductances decaying within the step; here their mean
  over the step is held. That differs by less than 0.001 mV (`cond_exp_exact.py`, `cond_exp_nest.py`).
- Connections are `pairwise_bernoulli` with autapses, as here. Conductances in nS are ours times a leak of 10 nS.
"""

from __future__ import annotations

import argparse

import nest
import numpy as np
from coba_common import DELAYS, save, statistics_of
from coba_common import PARAMETERS as P

LEAK = 10.0  # nS


def simulate(seed: int, delay: float) -> tuple[np.ndarray, np.ndarray]:
    """One run with every delay `delay` ms; the step and the neuron of each spike."""
    nest.ResetKernel()
    nest.resolution = P["dt"]
    nest.rng_seed = seed
    n_exc, n = int(P["n_exc"]), int(P["n_exc"] + P["n_inh"])
    cells = nest.Create(
        "iaf_cond_exp",
        n,
        params={
            "g_L": LEAK,
            "C_m": LEAK * P["tau"],
            "E_L": P["v_rest"],
            "V_th": P["v_th"],
            "V_reset": P["v_reset"],
            "t_ref": P["t_ref"],
            "E_ex": P["e_exc"],
            "E_in": P["e_inh"],
            "tau_syn_ex": P["tau_exc"],
            "tau_syn_in": P["tau_inh"],
            "I_e": P["drive"] * LEAK,
        },
    )
    cells.V_m = nest.random.normal(P["v_init_mean"], P["v_init_sd"])
    rule = {"rule": "pairwise_bernoulli", "p": P["probability"], "allow_autapses": True}
    nest.Connect(cells[:n_exc], cells, rule, {"weight": P["w_exc"] * LEAK, "delay": delay})
    nest.Connect(cells[n_exc:], cells, rule, {"weight": -P["w_inh"] * LEAK, "delay": delay})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(P["duration"] + 2.0)  # spikes of the last steps don't reach the recorder
    events = recorder.events
    # NEST stamps a spike with the time at which its step ends.
    return np.rint(events["times"] / P["dt"]).astype(int) - 1, events["senders"] - 1


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    notes = "iaf_cond_exp (adaptive RKF45), pairwise_bernoulli; what is sent with the stamp t arrives at t + delay"
    for delay in DELAYS:
        rows = []
        for seed in range(1, options.seeds + 1):
            rows.append(statistics_of(*simulate(seed, delay)))
            print(delay, seed, {name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
        save("nest", delay, {"nest": nest.__version__}, notes, rows)


if __name__ == "__main__":
    main()
