"""The order of a step as a loop in NumPy: what the contracts of time, delay and charge say, in a form that runs.

One cell with two receptors, 0 and 1, hears many sources. Step k takes the state from t_k = k dt to t_(k+1), what is
recorded of it is the state at t_(k+1), and a spike found in it is at t_(k+1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

JUMP = -1  #: the receptor's number for what is added to the voltage

#: the voltage at the end of a step, from that at its beginning and what the receptors hold then; of one cell or many
Move = Callable[[Any, np.ndarray], Any]


class Run(NamedTuple):
    """The voltage (mV) and the receptors at the end of each step, and the steps of the spikes."""

    v: np.ndarray
    receptors: np.ndarray
    spikes: list[int]


def delay_steps(delay: np.ndarray | float, dt: float) -> np.ndarray:
    """Steps from emission to arrival; halves are rounded up, also those that a division makes a little smaller."""
    return np.floor(np.asarray(delay) / dt + 0.5 + 1e-6).astype(int)


def current_cell(p: dict[str, float], tau: np.ndarray, dt: float) -> Move:
    """Leaky membrane and exponential currents, exact together: each current is replaced by the constant one with the
    same effect on the voltage at the end of the step."""
    leak, decay, resistance = np.exp(-dt / p["tau_m"]), np.exp(-dt / tau), p["tau_m"] / p["C_m"]
    mean = tau * (decay - leak) / (tau - p["tau_m"]) / (1 - leak)

    def move(v: Any, current: np.ndarray) -> Any:
        target = p["E_L"] + resistance * (p["I_e"] + mean @ current)
        return target + (v - target) * leak

    return move


def conductance_cell(p: dict[str, float], tau: np.ndarray, dt: float) -> Move:
    """Conductances at their mean over the step, and the voltage exact for them."""
    mean, reversal = tau / dt * (1 - np.exp(-dt / tau)), np.array([p["E_ex"], p["E_in"]])

    def move(v: Any, g: np.ndarray) -> Any:
        total = p["g_L"] + mean @ g
        target = (p["g_L"] * p["E_L"] + p["I_e"] + (mean * reversal) @ g) / total
        return target + (v - target) * np.exp(-total / p["C_m"] * dt)

    return move


def simulate(
    p: dict[str, float],
    move: Move,
    tau: np.ndarray,
    emitted: np.ndarray,
    lag: np.ndarray,
    weight: np.ndarray,
    receptor: np.ndarray,
    dt: float,
) -> Run:
    """The run of one cell that rests at `E_L`.

    Args:
        p: parameters by the names of NEST.
        move: the cell's voltage at the end of a step, from that at its beginning and what its receptors hold then.
        tau: time constants of the two receptors, ms.
        emitted: of shape (steps, sources): what each source sends in each step, usually 0 or 1.
        lag: the delay of each source in steps.
        weight: its weight, in the unit of what it is added to.
        receptor: where it is added: 0, 1 or `JUMP`.
        dt: the step, ms.
    """
    steps, sources = emitted.shape
    decay, hold = np.exp(-dt / tau), round(p["t_ref"] / dt)
    line = np.zeros((lag.max() + 1, sources))  # the last messages, that of step k in row k modulo the length
    due = np.arange(sources)
    onto = [receptor == n for n in range(len(tau))]
    early, late = (receptor == JUMP) & (lag > 0), (receptor == JUMP) & (lag == 0)
    v, held, x = p["E_L"], 0, np.zeros(len(tau))
    run = Run(np.empty(steps), np.empty((steps, len(tau))), [])
    for k in range(steps):
        # 1. The cell moves over the step, driven by what its receptors hold at t_k.
        moved = move(v, x)
        # 2. Jumps due at t_(k+1) that were sent in an earlier step.
        moved += float(line[(k - lag[early]) % len(line), due[early]] @ weight[early])
        # 3. Hold, threshold, reset: the spike of step k. It is held in the `hold` steps after this one.
        free = held == 0
        spike = free and moved >= p["V_th"]
        v = p["V_reset"] if spike else moved if free else v
        held = hold if spike else max(held - 1, 0)
        # 4. and 5. What is sent in step k is written to the line.
        line[k % len(line)] = emitted[k]
        # 6. Receptors relax, then what is due at t_(k+1) is added. So are jumps of this very step, if the cell is free.
        arrived = line[(k - lag) % len(line), due] * weight
        x = x * decay + [arrived[mine].sum() for mine in onto]
        v += float(arrived[late].sum()) if held == 0 else 0.0
        # 7. What learns would do so here, from what has just arrived and the state at t_(k+1).
        run.v[k], run.receptors[k] = v, x
        run.spikes.extend([k] if spike else [])
    return run
