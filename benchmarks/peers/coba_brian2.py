"""The network on Brian2: a standalone C++ program, with or without OpenMP threads, or Cython at run time.

A synapse without delay acts in the next step, as ours does. `refractory` holds one step fewer than `t_ref/dt`, hence
the `+ dt`. Brian2 computes in float64 unless asked otherwise; it compiles with `-O3 -march=native -ffast-math`.
"""

from __future__ import annotations

import brian2 as b2
import numpy as np
from brian2_standalone import measure_standalone
from common import COBA as P
from common import Clock, emit, parser, sizes

EQUATIONS = """
dv/dt = ((v_rest - v) + g_exc*(e_exc - v) + g_inh*(e_inh - v) + drive)/tau : volt (unless refractory)
dg_exc/dt = -g_exc/tau_exc : 1
dg_inh/dt = -g_inh/tau_inh : 1
"""


def build(scale: float) -> tuple[b2.Network, b2.SpikeMonitor]:
    """The network, and a monitor that only counts."""
    n, n_exc, _, p = sizes(scale)
    b2.defaultclock.dt = P["dt"] * b2.ms
    b2.seed(1)
    namespace = {name: P[name] * b2.mV for name in ("v_rest", "v_th", "v_reset", "e_exc", "e_inh", "drive")}
    namespace |= {name: P[name] * b2.ms for name in ("tau", "tau_exc", "tau_inh")}
    cells = b2.NeuronGroup(
        n,
        EQUATIONS,
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory=(P["t_ref"] + P["dt"]) * b2.ms,
        method="exponential_euler",
        namespace=namespace,
    )
    cells.v = f"({P['v_mean']} + {P['v_sd']}*randn())*mV"
    exc = b2.Synapses(cells[:n_exc], cells, on_pre=f"g_exc_post += {P['w_exc']}")
    inh = b2.Synapses(cells[n_exc:], cells, on_pre=f"g_inh_post += {P['w_inh']}")
    exc.connect(p=p)
    inh.connect(p=p)
    monitor = b2.SpikeMonitor(cells, record=False)
    return b2.Network(cells, exc, inh, monitor), monitor


def main() -> None:
    """Reads the command line, measures and prints."""
    line = parser(__doc__)
    line.add_argument("--mode", choices=("cpp", "cython"), default="cpp")
    line.add_argument("--threads", type=int, default=0, help="OpenMP threads of the C++ program; 0 is without OpenMP")
    line.add_argument("--float32", action="store_true")
    options = line.parse_args()
    if options.float32:
        b2.prefs.core.default_float_dtype = np.float32
    common = {"versions": {"brian2": b2.__version__}, "scale": options.scale, "duration": options.duration}
    if options.mode == "cpp":
        measured = measure_standalone(lambda: build(options.scale), options.duration, options.threads)
        emit(**common, **measured)
    else:
        measure_cython(options, common)


def measure_cython(options, common) -> None:
    """Two steps to compile (from Brian2's disk cache, if it has been run before), then the same start, timed."""
    b2.prefs.codegen.target = "cython"
    clock = Clock()
    network, monitor = build(options.scale)
    network.store()
    build_s = clock.lap()
    network.run(2 * P["dt"] * b2.ms)
    compile_s = clock.lap()
    network.restore()
    network.run(options.duration * b2.ms)
    # The loop alone: each call of `run` also spends some tenths of a second on looking its code up again.
    run_s = b2.get_device()._last_run_time
    emit(**common, build_s=build_s, compile_s=compile_s, run_s=run_s, spikes=monitor.num_spikes)


if __name__ == "__main__":
    main()
