"""Forty random spike trains onto one cell with conductances, solved exactly: `python cond_exp_exact.py`.

Needs NumPy and SciPy. Between arrivals both conductances are exponentials, so that the voltage, which is linear in
itself, is an integral of known functions,

    V(t + h) = V(t) exp(-A(h)) + int_0^h exp(A(s) - A(h)) b(s) ds,    A(s) = int_0^s a,

with a = (g_L + g_ex + g_in) / C and b = (g_L E_L + g_ex E_ex + g_in E_in + I_e) / C. Gauss-Legendre quadrature with 16
nodes gives it to rounding over a step of 0.1 ms; SciPy's DOP853, restarted at each arrival, is run beside it.

`cond_exp_exact.npz` (see `trains.py`; a negative weight is an inhibitory conductance) has the trains once, since
arrivals lie on the grid of 0.1 ms for every step, and

- `quiet/v`: the voltage of a cell without threshold, which doesn't depend on the step, every 0.2 ms;
- `<dt>/v`, `<dt>/spike`: the voltage every 0.2 ms and the stamps of spikes, in steps, of a cell whose threshold is read
  at the end of every step of `dt`, as a clock-driven simulator does; it is held for t_ref after that.
"""

from __future__ import annotations

import numpy as np
import scipy
from scipy.integrate import solve_ivp
from trains import random_trains, save

DURATION, SAMPLED, GRID = 500.0, 0.2, 0.1
DTS = (0.1, 0.05, 0.025, 0.0125)
CELL = {
    "C_m": 250.0, "g_L": 16.5, "E_L": -70.0, "E_ex": 0.0, "E_in": -85.0, "V_th": -55.0, "V_reset": -60.0, "t_ref": 2.0,
    "tau_syn_ex": 2.0, "tau_syn_in": 5.0, "I_e": 250.0,
}  # fmt: skip
TAU = np.array([CELL["tau_syn_ex"], CELL["tau_syn_in"]])
REVERSAL = np.array([CELL["E_ex"], CELL["E_in"]])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def trains() -> dict[str, np.ndarray]:
    """The trains on the grid of 0.1 ms, with delays that are whole on it."""
    drawn = random_trains(3, GRID, DURATION, trains=40, rate=120.0, weight=(1.2, 0.3))
    return drawn | {"delay": np.maximum(np.round(drawn["delay"], 1), GRID)}


def arrivals(drawn: dict[str, np.ndarray], dt: float) -> np.ndarray:
    """What is added to the two conductances at the end of each step, of shape (steps, 2)."""
    many = round(GRID / dt)
    step = (drawn["step"] + np.rint(drawn["delay"] / GRID).astype(int)[drawn["train"]]) * many - 1
    weight = drawn["weight"][drawn["train"]]
    added = np.zeros((round(DURATION / dt), 2))
    inside = step < len(added)
    np.add.at(added, (step[inside], (weight < 0).astype(int)[inside]), np.abs(weight[inside]))
    return added


def propagate(g: np.ndarray, dt: float) -> tuple[float, float]:
    """V at the end of a step is the first number times V at its beginning, plus the second; `g` at the beginning."""
    c, s = CELL["C_m"], 0.5 * dt * (NODES + 1)
    open_at = g * np.exp(-s[:, None] / TAU)

    def passed(t: np.ndarray) -> np.ndarray:
        return (CELL["g_L"] * t - np.expm1(-t[:, None] / TAU) @ (g * TAU)) / c

    total = passed(np.array([dt]))[0]
    b = (CELL["g_L"] * CELL["E_L"] + CELL["I_e"] + open_at @ REVERSAL) / c
    return np.exp(-total), 0.5 * dt * WEIGHTS @ (np.exp(passed(s) - total) * b)


def solve(added: np.ndarray, dt: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The voltage at the end of every step, and the stamps of spikes."""
    v, g, held, hold = CELL["E_L"], np.zeros(2), 0, round(CELL["t_ref"] / dt)
    vs, spikes = np.empty(len(added)), []
    for k, new in enumerate(added):
        if held:
            held -= 1
        else:
            factor, rest = propagate(g, dt)
            v = factor * v + rest
            if v >= threshold:
                v, held = CELL["V_reset"], hold
                spikes.append(k + 1)
        g = g * np.exp(-dt / TAU) + new
        vs[k] = v
    return vs, np.array(spikes, np.int32)


def by_scipy(added: np.ndarray) -> np.ndarray:
    """The voltage without threshold on the grid of 0.1 ms by an adaptive solver."""

    def field(t, y):
        leak = CELL["g_L"] * (CELL["E_L"] - y[0]) + CELL["I_e"]
        return [(leak + y[1:] @ (REVERSAL - y[0])) / CELL["C_m"], *(-y[1:] / TAU)]

    y, vs = np.array([CELL["E_L"], 0.0, 0.0]), np.empty(len(added))
    for k, new in enumerate(added):
        y = solve_ivp(field, (0, GRID), y, method="DOP853", rtol=1e-13, atol=1e-12).y[:, -1]
        vs[k] = y[0]
        y[1:] += new
    return vs


def main() -> None:
    drawn = trains()
    quiet, _ = solve(arrivals(drawn, GRID), GRID, np.inf)
    difference = float(np.abs(by_scipy(arrivals(drawn, GRID)) - quiet).max())
    fine, _ = solve(arrivals(drawn, GRID / 2), GRID / 2, np.inf)
    print(f"differs from SciPy's by {difference:.2g} mV")
    print(f"differs from that in half steps by {np.abs(fine[1::2] - quiet).max():.2g} mV")
    sets = {"trains": drawn, "quiet": {"v": quiet[1::2]}}
    for dt in DTS:
        v, spike = solve(arrivals(drawn, dt), dt, CELL["V_th"])
        many = round(SAMPLED / dt)
        sets[str(dt)] = {"v": v[many - 1 :: many], "spike": spike}
        print(dt, spike * dt, v[v < CELL["V_th"]].max())
    about = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "parameters": CELL,
        "duration": DURATION,
        "grid": GRID,
        "sampled": SAMPLED,
        "differs from SciPy's by": difference,
        "sets": {key: {} for key in sets},
    }
    save("cond_exp_exact", about, sets)


if __name__ == "__main__":
    main()
