"""Statistics of the E/I conductance network on Brian2, in float64: `python coba_brian2.py [--seeds 40]`.

Brian2's steps against this library's:

- `on_pre` with a delay of d runs d/dt steps after the step of the spike, when the voltages of that step have moved and
  the conductances have decayed: exactly our delay. (That Brian2 gives spikes the time at which their step begins only
  concerns monitors.)
- A neuron is free again when `timestep(t - lastspike) >= timestep(refractory)`: after a spike in step k,
  `refractory=d*dt` holds steps k+1 .. k+d-1. That is one step fewer than here and in NEST, where it is k+1 .. k+d. So
  `t_ref + dt` is passed.
- The statistics are those of runs with `rk4`, which is exact to some 1e-6 mV here. `exponential_euler` holds the
  conductances at their values at the beginning of the step, and so lets 1 % too much charge flow at 5 ms.
- The threshold is written `v >= v_th`, as in this library and in NEST.

`--check` runs Brian2 and `network_numpy.simulate` over the same connections and initial voltages, and demands the same
spikes: it is what shows that the sentences above are true. It uses `exponential_euler` with conductances multiplied by
the ratio of their mean over a step to their value at its beginning, which is this library's step.
"""

from __future__ import annotations

import argparse

import brian2 as b2
import network_numpy
import numpy as np
from coba_common import DELAYS, save, statistics_of, steps_of
from coba_common import PARAMETERS as P
from step_order import conductance_cell

EQUATIONS = """
dv/dt = ((v_rest - v) + mean_exc*g_exc*(e_exc - v) + mean_inh*g_inh*(e_inh - v) + drive)/tau : volt (unless refractory)
dg_exc/dt = -g_exc/tau_exc : 1
dg_inh/dt = -g_inh/tau_inh : 1
"""


def build(
    seed: int, refractory: int, delay: float, method: str = "rk4"
) -> tuple[b2.Network, b2.NeuronGroup, list[b2.Synapses], b2.SpikeMonitor]:
    """The network with its connections and initial voltages drawn from `seed`, and all delays `delay` ms.

    With `exponential_euler`, conductances act with their mean over the step.
    """
    b2.seed(seed)
    b2.defaultclock.dt = P["dt"] * b2.ms
    namespace = {name: P[name] * b2.mV for name in ("v_rest", "v_th", "v_reset", "e_exc", "e_inh", "drive")}
    namespace |= {name: P[name] * b2.ms for name in ("tau", "tau_exc", "tau_inh")}
    for kind in ("exc", "inh"):
        z = P["dt"] / P[f"tau_{kind}"]
        namespace[f"mean_{kind}"] = -np.expm1(-z) / z if method == "exponential_euler" else 1.0
    n_exc, n = int(P["n_exc"]), int(P["n_exc"] + P["n_inh"])
    cells = b2.NeuronGroup(
        n,
        EQUATIONS,
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory=refractory * P["dt"] * b2.ms,
        method=method,
        namespace=namespace,
    )
    cells.v = f"({P['v_init_mean']} + {P['v_init_sd']}*randn())*mV"
    exc = b2.Synapses(cells[:n_exc], cells, on_pre=f"g_exc_post += {P['w_exc']}", delay=delay * b2.ms)
    inh = b2.Synapses(cells[n_exc:], cells, on_pre=f"g_inh_post += {P['w_inh']}", delay=delay * b2.ms)
    for synapses in (exc, inh):
        synapses.connect(p=P["probability"])  # a neuron may connect to itself
    monitor = b2.SpikeMonitor(cells)
    return b2.Network(cells, exc, inh, monitor), cells, [exc, inh], monitor


def spikes_of(monitor: b2.SpikeMonitor) -> tuple[np.ndarray, np.ndarray]:
    """The step and the neuron of each spike. Brian2 stamps a spike with the time at which its step begins."""
    return np.rint(np.asarray(monitor.t / b2.ms) / P["dt"]).astype(int), np.asarray(monitor.i)


def check(seed: int, duration: float, delay: float) -> None:
    """Compares Brian2 with the NumPy step, spike by spike."""
    held = steps_of(P["t_ref"])
    network, cells, (exc, inh), monitor = build(seed, held + 1, delay, "exponential_euler")
    v_start = np.asarray(cells.v / b2.mV)
    n_exc = int(P["n_exc"])
    network.run(duration * b2.ms)
    theirs = spikes_of(monitor)
    cell, tau = network_numpy.coba_cell(P), np.array([P["tau_exc"], P["tau_inh"]])
    edges = [(np.asarray(exc.i), np.asarray(exc.j)), (np.asarray(inh.i) + n_exc, np.asarray(inh.j))]
    synapses = network_numpy.all_alike(edges, [P["w_exc"], P["w_inh"]], steps_of(delay))
    move = conductance_cell(cell, tau, P["dt"])
    *ours, _ = network_numpy.simulate(cell, move, tau, synapses, v_start, dt=P["dt"], steps=steps_of(duration))
    a, b = set(zip(*theirs, strict=True)), set(zip(*ours, strict=True))
    first = min((step for step, _ in a ^ b), default=None)
    print(f"delay {delay} ms: {len(a)} spikes on Brian2, {len(b)} in NumPy, {len(a & b)} the same; ", end="")
    print(f"first difference in step {first}")
    if first is not None:
        raise SystemExit(1)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--check", action="store_true", help="compare with the NumPy step instead, for 200 ms")
    parser.add_argument("--held", type=int, help="hold this many steps after a spike, print and write nothing")
    parser.add_argument("--target", default="cython", choices=("cython", "numpy"))
    options = parser.parse_args()
    b2.prefs.codegen.target = options.target
    if options.check:
        for delay in (0.0, *DELAYS):
            check(seed=1, duration=200.0, delay=delay)
        return
    held = steps_of(P["t_ref"]) if options.held is None else options.held
    for delay in DELAYS:
        rows = []
        for seed in range(1, options.seeds + 1):
            network, _, _, monitor = build(seed, held + 1, delay)
            network.run(P["duration"] * b2.ms)
            rows.append(statistics_of(*spikes_of(monitor)))
            print(delay, seed, {name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
        if options.held is None:
            notes = f"float64, rk4, {options.target}, refractory={held + 1}*dt, which holds {held} steps; what is sent "
            notes += "in the step that begins at t is there when the step that begins at t + delay has moved the cells"
            save("brian2", delay, {"brian2": b2.__version__}, notes, rows)


if __name__ == "__main__":
    main()
