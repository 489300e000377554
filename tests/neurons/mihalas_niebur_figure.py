"""The twenty patterns of Mihalas & Niebur 2009, doi:10.1162/neco.2008.12-07-680: parameters and inputs of figure 1.

The parameters are those of its table 1, in ms and mV. It doesn't say when currents begin and end: those times are as
Detorakis read them off the figure (ReScience 3(1), 2017, "[Re] A Generalized Linear Integrate-and-Fire Neural Model
Produces Diverse Spiking Behaviors"). Everything else is common: E_L = V_r = -70, theta_inf = -50, theta_r = -60 mV, G/C
= 0.05, b = 0.01, k_1 = 0.2, k_2 = 0.02 per ms, R_1 = 0, R_2 = 1.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize


class Pattern(NamedTuple):
    """a (1/ms), A_1/C and A_2/C (mV/ms), what the current I_e/C is (mV/ms) for how long (ms), V and theta at first."""

    a: float
    a1: float
    a2: float
    current: tuple[tuple[float, float], ...]
    start: tuple[float, float] = (-70.0, -50.0)

    @property
    def end(self) -> float:
        return sum(duration for _, duration in self.current)


PATTERNS = {
    "tonic spiking": Pattern(0, 0, 0, ((1.5, 200),)),
    "class 1": Pattern(0, 0, 0, ((1 + 1e-6, 500),)),
    "spike frequency adaptation": Pattern(0.005, 0, 0, ((2, 200),)),
    "phasic spiking": Pattern(0.005, 0, 0, ((1.5, 500),)),
    "accommodation": Pattern(0.005, 0, 0, ((1.5, 100), (0, 500), (0.5, 100), (1, 100), (1.5, 100), (0, 100))),
    "threshold variability": Pattern(0.005, 0, 0, ((1.5, 20), (0, 180), (-1.5, 25), (0, 25), (1.5, 25), (0, 125))),
    "rebound spike": Pattern(0.005, 0, 0, ((0, 50), (-3.5, 756), (0, 194))),
    "class 2": Pattern(0.005, 0, 0, ((2 * (1 + 1e-6), 300),), start=(-30.0, -30.0)),
    "integrator": Pattern(
        0.005, 0, 0, ((1.5, 20), (0, 10), (1.5, 20), (0, 250), (1.5, 20), (0, 20), (1.5, 20), (0, 40))
    ),
    "input bistability": Pattern(0.005, 0, 0, ((1.5, 100), (1.7, 400), (1.5, 100), (1.7, 400))),
    "hyperpolarisation-induced spiking": Pattern(0.03, 0, 0, ((-1, 400),)),
    "hyperpolarisation-induced bursting": Pattern(0.03, 10, -0.6, ((-1, 400),)),
    "tonic bursting": Pattern(0.005, 10, -0.6, ((2, 500),)),
    "phasic bursting": Pattern(0.005, 10, -0.6, ((1.5, 500),)),
    "rebound burst": Pattern(0.005, 10, -0.6, ((0, 100), (-3.5, 500), (0, 400))),
    "mixed mode": Pattern(0.005, 5, -0.3, ((2, 500),)),
    "afterpotentials": Pattern(0.005, 5, -0.3, ((2, 15), (0, 185))),
    "basal bistability": Pattern(0, 8, -0.1, ((5, 10), (0, 90), (5, 10), (0, 90))),
    "preferred frequency": Pattern(
        0.005, -3, 0.5, ((5, 5), (0, 5), (4, 5), (0, 385), (5, 5), (0, 45), (4, 5), (0, 345))
    ),
    "spike latency": Pattern(-0.08, 0, 0, ((8, 2), (0, 48))),
}


def closed_form(p: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """Spike times, and (V, theta) every 0.1 ms, by the exponentials that solve the equations, and Brent's method."""
    # of V + 70, theta + 50, I_1, I_2 and the constant 1
    y, t, spikes, trace = np.array([p.start[0] + 70, p.start[1] + 50, 0.0, 0.0, 1.0]), 0.0, [], []
    for current, duration in p.current:
        matrix = np.array(
            [
                [-0.05, 0, 1, 1, current],
                [p.a, -0.01, 0, 0, 0],
                [0, 0, -0.2, 0, 0],
                [0, 0, 0, -0.02, 0],
                [0, 0, 0, 0, 0],
            ]
        )
        rates, vectors = scipy.linalg.eig(matrix)

        def at(s, y, rates=rates, vectors=vectors):
            modes = np.linalg.solve(vectors, y.astype(complex))
            return (np.exp(np.multiply.outer(s, rates)) * modes @ vectors.T).real

        def above(s, y, at=at):
            return (at(np.asarray(s), y) @ np.array([1, -1, 0, 0, 0])) - 20.0

        end = t + duration
        while True:
            grid = np.arange(0, end - t, 0.01)
            values = above(grid, y)
            hits = np.flatnonzero(values[1:] >= 0)
            if values[0] >= 0:
                s = 0.0
            elif len(hits):
                s = scipy.optimize.brentq(above, *grid[hits[0] : hits[0] + 2], args=(y,), xtol=1e-13)
            else:
                s = None
            until = end if s is None else t + s
            ticks = np.arange(np.ceil(t / 0.1 - 1e-9), np.ceil(until / 0.1 - 1e-9)) * 0.1
            trace.append(at(np.maximum(ticks - t, 0), y)[:, :2] + [-70.0, -50.0])
            y = at(np.asarray(until - t), y)
            t = until
            if s is None:
                break
            spikes.append(t)
            y = np.array([0.0, max(-10.0, y[1]), p.a1, y[3] + p.a2, 1.0])
    return np.array(spikes), np.concatenate(trace)
