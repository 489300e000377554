"""Statistics of the E/I conductance network on NEST: `python coba_nest.py [--seeds 20]`.

NEST's steps against this library's:

- `iaf_cond_exp` holds a neuron for `t_ref/dt` steps after the step of its spike, as here.
- The smallest delay is one step, and a spike that arrives is added *after* the voltage of the step it arrives in. So
  NEST's smallest delay acts on the voltage two steps after the spike, one step (0.1 ms) later than here.
- Its solver is an adaptive Runge-Kutta-Fehlberg 4(5), with the conductances decaying within the step; here they are
  held during it.
- Connections are `pairwise_bernoulli` with autapses, as here. Conductances in nS are ours times a leak of 10 nS.

The two differences are below the spread from seed to seed, as the data shows.
"""

from __future__ import annotations

import argparse

import nest
import numpy as np
from coba_common import PARAMETERS as P
from coba_common import save, statistics_of

LEAK = 10.0  # nS


def simulate(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One run; the step and the neuron of each spike."""
    nest.ResetKernel()
    nest.local_num_threads = 2
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
    nest.Connect(cells[:n_exc], cells, rule, {"weight": P["w_exc"] * LEAK, "delay": P["dt"]})
    nest.Connect(cells[n_exc:], cells, rule, {"weight": -P["w_inh"] * LEAK, "delay": P["dt"]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(P["duration"])
    events = recorder.events
    # NEST stamps a spike with the time at which its step ends. (Spikes of the last step don't reach the recorder.)
    return np.rint(events["times"] / P["dt"]).astype(int) - 1, events["senders"] - 1


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    rows = []
    for seed in range(1, options.seeds + 1):
        rows.append(statistics_of(*simulate(seed)))
        print(seed, {name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
    notes = "iaf_cond_exp (adaptive RKF45), delay 0.1 ms (acts one step later than ours), pairwise_bernoulli"
    save("nest", {"nest": nest.__version__}, notes, rows)


if __name__ == "__main__":
    main()
