"""The twenty patterns of Izhikevich 2004, doi:10.1109/TNN.2004.832719: parameters and inputs of his figure 1."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Pattern(NamedTuple):
    """Parameters, initial voltage, length (ms), step of the publication (ms), and current over time."""

    a: float
    b: float
    c: float
    d: float
    v0: float
    end: float
    dt: float
    current: Callable[[np.ndarray], np.ndarray]
    p2: float = 5.0
    p3: float = 140.0


def step(start: float, value: float, before: float = 0.0):
    return lambda t: np.where(t > start, value, before)


def pulses(width: float, value: float, *starts: float, base: float = 0.0):
    return lambda t: base + (value - base) * np.any([(t > s) & (t < s + width) for s in starts], axis=0)


def variability(t: np.ndarray) -> np.ndarray:
    return pulses(5.0, 1.0, 10.0, 80.0)(t) + pulses(5.0, -6.0, 70.0)(t)


def dip(t: np.ndarray) -> np.ndarray:
    return np.where((t < 50) | (t > 250), 80.0, 75.0)


def two_ramps(t: np.ndarray) -> np.ndarray:
    """The slow ramp and the fast one of accommodation."""
    return np.select([t < 200, t < 300, t < 312.5], [t / 25, 0.0, (t - 300) / 12.5 * 4], 0.0)


PATTERNS = {
    "tonic spiking": Pattern(0.02, 0.2, -65, 6, -70, 100, 0.25, step(10, 14)),
    "phasic spiking": Pattern(0.02, 0.25, -65, 6, -64, 200, 0.25, step(20, 0.5)),
    "tonic bursting": Pattern(0.02, 0.2, -50, 2, -70, 220, 0.25, step(22, 15)),
    "phasic bursting": Pattern(0.02, 0.25, -55, 0.05, -64, 200, 0.2, step(20, 0.6)),
    "mixed mode": Pattern(0.02, 0.2, -55, 4, -70, 160, 0.25, step(16, 10)),
    "spike frequency adaptation": Pattern(0.01, 0.2, -65, 8, -70, 85, 0.25, step(8.5, 30)),
    "class 1": Pattern(0.02, -0.1, -55, 6, -60, 300, 0.25, lambda t: np.maximum(0.075 * (t - 30), 0), 4.1, 108),
    "class 2": Pattern(0.2, 0.26, -65, 0, -64, 300, 0.25, lambda t: -0.5 + np.maximum(0.015 * (t - 30), 0)),
    "spike latency": Pattern(0.02, 0.2, -65, 6, -70, 100, 0.2, pulses(3, 7.04, 10)),
    "subthreshold oscillation": Pattern(0.05, 0.26, -60, 0, -62, 200, 0.25, pulses(5, 2, 20)),
    "resonator": Pattern(0.1, 0.26, -60, -1, -62, 400, 0.25, pulses(4, 0.65, 40, 60, 280, 320)),
    "integrator": Pattern(0.02, -0.1, -55, 6, -60, 100, 0.25, pulses(2, 9, 100 / 11, 100 / 11 + 5, 70, 80), 4.1, 108),
    "rebound spike": Pattern(0.03, 0.25, -60, 4, -64, 200, 0.2, pulses(5, -15, 20)),
    "rebound burst": Pattern(0.03, 0.25, -52, 0, -64, 200, 0.2, pulses(5, -15, 20)),
    "threshold variability": Pattern(0.03, 0.25, -60, 4, -64, 100, 0.25, variability),
    "bistability": Pattern(0.1, 0.26, -60, 0, -61, 300, 0.25, pulses(5, 1.24, 37.5, 216, base=0.24)),
    "depolarising afterpotential": Pattern(1, 0.2, -60, -21, -70, 50, 0.1, pulses(2, 20, 9)),
    "accommodation": Pattern(0.02, 1, -55, 4, -65, 400, 0.5, two_ramps),
    "inhibition-induced spiking": Pattern(-0.02, -1, -60, 8, -63.8, 350, 0.5, dip),
    "inhibition-induced bursting": Pattern(-0.026, -1, -45, -2, -63.8, 350, 0.5, dip),
}
