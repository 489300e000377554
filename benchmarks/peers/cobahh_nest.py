"""COBAHH on NEST, `hh_cond_exp_traub`, with threads.

Its solver is adaptive (Runge-Kutta-Fehlberg), in float64, and a spike reaches each synapse with its own delay, here the
least, 0.1 ms. The conductances can't be set: 50 ms of Poisson input start the activity instead, and the timed run
begins 50 ms after that. Connections are of a fixed total number.
"""

from __future__ import annotations

import nest
from common import COBAHH as P
from common import Clock, cells_parser, parts, report


def main() -> None:
    """Reads the command line, measures and prints."""
    line = cells_parser(__doc__, size=4000, duration=1000.0)
    line.add_argument("--threads", type=int, default=2)
    options = line.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.local_num_threads = options.threads
    nest.resolution = P["dt"]
    n = options.size
    n_exc, n_inh, p = parts(n)
    clock = Clock()
    cells = nest.Create(
        "hh_cond_exp_traub",
        n,
        params={
            "E_L": P["e_l"],
            "V_T": P["v_sh"],
            "C_m": P["c_m"],
            "g_L": P["g_l"],
            "g_Na": P["g_na"],
            "g_K": P["g_k"],
            "E_Na": P["e_na"],
            "E_K": P["e_k"],
            "tau_syn_ex": P["tau_exc"],
            "tau_syn_in": P["tau_inh"],
            "E_ex": P["e_exc"],
            "E_in": P["e_inh"],
            "t_ref": P["t_ref"],
        },
    )
    cells.V_m = nest.random.normal(*P["v_init"])
    for source, number, weight in ((cells[:n_exc], n_exc, P["w_exc"]), (cells[n_exc:], n_inh, -P["w_inh"])):
        rule = {"rule": "fixed_total_number", "N": round(p * number * n)}
        nest.Connect(source, cells, rule, {"weight": weight, "delay": P["dt"]})
    kick = nest.Create("poisson_generator", params={"rate": 800.0, "stop": 50.0})
    nest.Connect(kick, cells, syn_spec={"weight": P["w_exc"], "delay": P["dt"]})
    build_s = clock.lap()
    nest.Prepare()
    compile_s = clock.lap()
    nest.Run(100.0)
    clock.lap()
    nest.Run(options.duration)
    run_s = clock.lap()
    nest.Cleanup()
    report(
        versions={"nest": nest.__version__},
        n=n,
        duration=options.duration,
        dt=P["dt"],
        build_s=build_s,
        compile_s=compile_s,
        run_s=run_s,
        spikes=nest.GetKernelStatus("local_spike_counter"),  # NEST sets it to zero at each `Run`
    )


if __name__ == "__main__":
    main()
