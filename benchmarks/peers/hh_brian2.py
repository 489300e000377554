"""Squid axons on Brian2: a standalone C++ program, with or without OpenMP threads.

Brian2's exponential Euler moves gates and voltage together, with the old values of one another. It computes in float64
unless asked otherwise, and compiles with `-O3 -march=native -ffast-math`. `refractory` makes a spike count once.
"""

from __future__ import annotations

import brian2 as b2
import numpy as np
from brian2_standalone import measure_standalone
from common import HH as P
from common import cells_parser, currents, report

EQUATIONS = """
dv/dt = (g_na*m**3*h*(e_na - v) + g_k*n_**4*(e_k - v) + g_l*(e_l - v) + current)/(c_m*ms) : 1
dm/dt = (alpha_m*(1 - m) - beta_m*m)/ms : 1
dh/dt = (alpha_h*(1 - h) - beta_h*h)/ms : 1
dn_/dt = (alpha_n*(1 - n_) - beta_n*n_)/ms : 1
alpha_m = 1/exprel(-(v + 40)/10) : 1
beta_m = 4*exp(-(v + 65)/18) : 1
alpha_h = 0.07*exp(-(v + 65)/20) : 1
beta_h = 1/(1 + exp(-(v + 35)/10)) : 1
alpha_n = 0.1/exprel(-(v + 55)/10) : 1
beta_n = 0.125*exp(-(v + 65)/80) : 1
current : 1 (constant)
"""


def build(n: int) -> tuple[b2.Network, b2.SpikeMonitor]:
    """The neurons, and a monitor that only counts."""
    b2.defaultclock.dt = P["dt"] * b2.ms
    cells = b2.NeuronGroup(
        n,
        EQUATIONS,
        threshold="v > v_th",
        refractory="v > v_th",
        method="exponential_euler",
        namespace={name: P[name] for name in ("g_na", "g_k", "g_l", "e_na", "e_k", "e_l", "c_m", "v_th")},
    )
    cells.v = P["v_init"]
    for gate in "mhn":
        cells.set_states({"n_" if gate == "n" else gate: np.full(n, rest()[gate])})
    cells.current = currents(n)
    monitor = b2.SpikeMonitor(cells, record=False)
    return b2.Network(cells, monitor), monitor


def rest() -> dict[str, float]:
    """The gates at rest at the initial voltage."""
    v = P["v_init"]
    rates = {
        "m": (-(v + 40) / 10 / np.expm1(-(v + 40) / 10), 4 * np.exp(-(v + 65) / 18)),
        "h": (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        "n": (-(v + 55) / 100 / np.expm1(-(v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)),
    }
    return {gate: alpha / (alpha + beta) for gate, (alpha, beta) in rates.items()}


def main() -> None:
    """Reads the command line, measures and prints."""
    line = cells_parser(__doc__, size=100_000, duration=100.0)
    line.add_argument("--threads", type=int, default=0, help="OpenMP threads of the C++ program; 0 is without OpenMP")
    line.add_argument("--float32", action="store_true")
    options = line.parse_args()
    if options.float32:
        b2.prefs.core.default_float_dtype = np.float32
    measured = measure_standalone(lambda: build(options.size), options.duration, options.threads)
    report(versions={"brian2": b2.__version__}, n=options.size, duration=options.duration, dt=P["dt"], **measured)


if __name__ == "__main__":
    main()
