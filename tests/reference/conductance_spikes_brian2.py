"""Spike times of Traub-Miles and Wang-Buzsáki cells on Brian2, RK4 at 1 µs: `python conductance_spikes_brian2.py`."""

import json
from pathlib import Path

import brian2 as b2
import numpy as np

TRAUB_MILES = """
dv/dt = (0.05*(-60 - v) + 100*m**3*h*(50 - v) + 30*n_**4*(-90 - v) + current)/ms : 1
dm/dt = (0.32*4/exprel((13 - u)/4)*(1 - m) - 0.28*5/exprel((u - 40)/5)*m)/ms : 1
dh/dt = (0.128*exp((17 - u)/18)*(1 - h) - 4/(1 + exp((40 - u)/5))*h)/ms : 1
dn_/dt = (0.032*5/exprel((15 - u)/5)*(1 - n_) - 0.5*exp((10 - u)/40)*n_)/ms : 1
u = v + 63 : 1
current : 1
"""
WANG_BUZSAKI = """
dv/dt = (0.1*(-65 - v) + 35*m**3*h*(55 - v) + 9*n_**4*(-90 - v) + current)/ms : 1
m = a/(a + 4*exp(-(v + 60)/18)) : 1
a = 1/exprel(-(v + 35)/10) : 1
dh/dt = 5*(0.07*exp(-(v + 58)/20)*(1 - h) - h/(1 + exp(-(v + 28)/10)))/ms : 1
dn_/dt = 5*(0.1/exprel(-(v + 34)/10)*(1 - n_) - 0.125*exp(-(v + 44)/80)*n_)/ms : 1
current : 1
"""


def exprel(x: float) -> float:
    return np.expm1(x) / x


def gate(alpha: float, beta: float) -> float:
    return alpha / (alpha + beta)


def spikes(equations: str, v: float, threshold: float, currents: list[float], duration: float, **gates: float):
    b2.defaultclock.dt = 1e-3 * b2.ms
    crossed = f"v >= {threshold}"
    cells = b2.NeuronGroup(len(currents), equations, threshold=crossed, refractory=crossed, method="rk4")
    cells.v, cells.current = v, currents
    for name, value in gates.items():
        setattr(cells, name, value)
    monitor = b2.SpikeMonitor(cells)
    b2.Network(cells, monitor).run(duration * b2.ms)
    # seen at the end of the step that began at the monitor's time
    return [(np.array(monitor.spike_trains()[k] / b2.ms) + 1e-3).round(4).tolist() for k in range(len(currents))]


if __name__ == "__main__":
    currents, duration = {"TraubMiles": [0.5, 2.0, 5.0], "WangBuzsaki": [0.5, 1.0, 5.0]}, 200.0
    u, v = 3.0, -65.0
    data = {
        "made by": f"Brian2 {b2.__version__}, RK4 at 1 µs",
        "currents": currents,
        "duration": duration,
        "TraubMiles": spikes(
            TRAUB_MILES,
            -60.0,
            -20.0,
            currents["TraubMiles"],
            duration,
            m=gate(1.28 / exprel((13 - u) / 4), 1.4 / exprel((u - 40) / 5)),
            h=gate(0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5))),
            n_=gate(0.16 / exprel((15 - u) / 5), 0.5 * np.exp((10 - u) / 40)),
        ),
        "WangBuzsaki": spikes(
            WANG_BUZSAKI,
            v,
            20.0,
            currents["WangBuzsaki"],
            duration,
            h=gate(0.07 * np.exp(-(v + 58) / 20), 1 / (1 + np.exp(-(v + 28) / 10))),
            n_=gate(0.1 / exprel(-(v + 34) / 10), 0.125 * np.exp(-(v + 44) / 80)),
        ),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
