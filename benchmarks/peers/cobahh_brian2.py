"""COBAHH on Brian2: a standalone C++ program, with or without OpenMP threads.

A synapse without delay acts in the next step. Brian2's exponential Euler moves gates and voltage together. It computes
in float64 unless asked otherwise. A neuron above threshold spikes again after `t_ref`, should it still be there.
"""

from __future__ import annotations

import brian2 as b2
import numpy as np
from brian2_standalone import measure_standalone
from common import COBAHH as P
from common import cells_parser, parts, report

EQUATIONS = """
dv/dt = (g_l*(e_l - v) + g_exc*(e_exc - v) + g_inh*(e_inh - v) + g_na*m**3*h*(e_na - v) + g_k*n_**4*(e_k - v))/c_m
        : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dn_/dt = alpha_n*(1 - n_) - beta_n*n_ : 1
dg_exc/dt = -g_exc/tau_exc : siemens
dg_inh/dt = -g_inh/tau_inh : siemens
u = (v - v_sh)/mV : 1
alpha_m = 0.32*4/exprel((13 - u)/4)/ms : Hz
beta_m = 0.28*5/exprel((u - 40)/5)/ms : Hz
alpha_h = 0.128*exp((17 - u)/18)/ms : Hz
beta_h = 4/(1 + exp((40 - u)/5))/ms : Hz
alpha_n = 0.032*5/exprel((15 - u)/5)/ms : Hz
beta_n = 0.5*exp((10 - u)/40)/ms : Hz
"""


def build(n: int) -> tuple[b2.Network, b2.SpikeMonitor]:
    """The network, and a monitor that only counts."""
    n_exc, _, p = parts(n)
    b2.defaultclock.dt = P["dt"] * b2.ms
    b2.seed(1)
    namespace = {name: P[name] * b2.mV for name in ("e_l", "e_na", "e_k", "e_exc", "e_inh", "v_sh", "v_th")}
    namespace |= {name: P[name] * b2.nS for name in ("g_l", "g_na", "g_k")}
    namespace |= {name: P[name] * b2.ms for name in ("tau_exc", "tau_inh")}
    cells = b2.NeuronGroup(
        n,
        EQUATIONS,
        threshold="v > v_th",
        refractory=P["t_ref"] * b2.ms,
        method="exponential_euler",
        namespace={**namespace, "c_m": P["c_m"] * b2.pF},
    )
    cells.v = "({} + {}*randn())*mV".format(*P["v_init"])
    cells.g_exc = "({} + {}*randn())*nS".format(*P["g_exc_init"])
    cells.g_inh = "({} + {}*randn())*nS".format(*P["g_inh_init"])
    cells.m, cells.h, cells.n_ = "alpha_m/(alpha_m+beta_m)", "alpha_h/(alpha_h+beta_h)", "alpha_n/(alpha_n+beta_n)"
    exc = b2.Synapses(cells[:n_exc], cells, on_pre=f"g_exc_post += {P['w_exc']}*nS")
    inh = b2.Synapses(cells[n_exc:], cells, on_pre=f"g_inh_post += {P['w_inh']}*nS")
    exc.connect(p=p)
    inh.connect(p=p)
    monitor = b2.SpikeMonitor(cells, record=False)
    return b2.Network(cells, exc, inh, monitor), monitor


def main() -> None:
    """Reads the command line, measures and prints."""
    line = cells_parser(__doc__, size=4000, duration=1000.0)
    line.add_argument("--threads", type=int, default=0, help="OpenMP threads of the C++ program; 0 is without OpenMP")
    line.add_argument("--float32", action="store_true")
    options = line.parse_args()
    if options.float32:
        b2.prefs.core.default_float_dtype = np.float32
    measured = measure_standalone(lambda: build(options.size), options.duration, options.threads)
    report(versions={"brian2": b2.__version__}, n=options.size, duration=options.duration, dt=P["dt"], **measured)


if __name__ == "__main__":
    main()
