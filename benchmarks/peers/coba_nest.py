"""The network on NEST, with threads.

`iaf_cond_exp` has an adaptive solver (Runge-Kutta-Fehlberg) and no other; NEST computes in float64 and delivers a spike
to each synapse with its own delay, here the least, 0.1 ms. Connections are of a fixed total number:
`pairwise_bernoulli` would try all pairs. The state can't be put back to the start, so the timed run follows one ms of
warming up.
"""

from __future__ import annotations

import nest
from common import COBA as P
from common import Clock, emit, parser, sizes

LEAK = 10.0  # nS; the network is stated relative to the leak


def main() -> None:
    """Reads the command line, measures and prints."""
    line = parser(__doc__)
    line.add_argument("--threads", type=int, default=2)
    options = line.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.local_num_threads = options.threads
    nest.resolution = P["dt"]
    n, n_exc, n_inh, p = sizes(options.scale)
    clock = Clock()
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
    cells.V_m = nest.random.normal(P["v_mean"], P["v_sd"])
    for source, number, weight in (
        (cells[:n_exc], n_exc, P["w_exc"]),
        (cells[n_exc:], n_inh, -P["w_inh"]),
    ):
        rule = {"rule": "fixed_total_number", "N": round(p * number * n)}
        nest.Connect(source, cells, rule, {"weight": weight * LEAK, "delay": P["dt"]})
    build_s = clock.lap()
    nest.Prepare()
    nest.Run(1.0)
    compile_s = clock.lap()
    nest.Run(options.duration)
    run_s = clock.lap()
    nest.Cleanup()
    emit(
        versions={"nest": nest.__version__},
        scale=options.scale,
        duration=options.duration,
        build_s=build_s,
        compile_s=compile_s,
        run_s=run_s,
        spikes=nest.GetKernelStatus("local_spike_counter"),  # NEST sets it to zero at each `Run`
    )


if __name__ == "__main__":
    main()
