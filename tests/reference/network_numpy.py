"""A network of cells in plain NumPy, by the order of a step of `step_order.py`, every synapse with its own delay.

NEST and Brian2 give the same spikes over the same connections: `recurrent_nest.npz`, `cuba_nest.py --check`,
`coba_brian2.py --check`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Synapses(NamedTuple):
    """Arrays with an entry for each synapse: from and to which cell, weight, delay in steps, receptor 0 or 1."""

    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    lag: np.ndarray
    receptor: np.ndarray


def all_alike(edges: list[tuple[np.ndarray, np.ndarray]], weights: list[float], lag: int) -> Synapses:
    """Sources and targets, and one weight, for each of the receptors; the same delay for all."""
    many = [len(pre) for pre, _ in edges]
    pre, post = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    return Synapses(pre, post, np.repeat(weights, many), np.full(len(pre), lag), np.repeat(np.arange(len(many)), many))


def simulate(
    p: dict[str, float],
    move: Callable,
    tau: np.ndarray,
    synapses: Synapses,
    v: np.ndarray,
    *,
    dt: float,
    steps: int,
    kick: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step and the cell of each spike, in the order of steps, and the voltages at the end.

    Args:
        p: `V_th`, `V_reset`, `t_ref` by the names of NEST.
        move: the voltages at the end of a step, from those at its beginning and what the receptors hold then; from
            `step_order.py`.
        tau: the time constants of the two receptors, ms.
        synapses: all of them.
        v: the initial voltages, mV.
        dt: the step, ms.
        steps: how many of them.
        kick: what arrives from outside in receptor 0, of shape (steps, cells), in its first steps.
    """
    n, decay, hold = v.size, np.exp(-dt / tau)[:, None], round(p["t_ref"] / dt)
    pre, post, weight, lag, receptor = (x[np.argsort(synapses.pre, kind="stable")] for x in synapses)
    begin = np.searchsorted(pre, np.arange(n + 1))
    waiting = np.zeros((lag.max() + 1, 2, n))  # what arrives in this step and the next ones, in turn
    x, held, sent = np.zeros((2, n)), np.zeros(n, int), []
    for k in range(steps):
        moved = np.where(held > 0, v, move(v, x))
        spiked = (moved >= p["V_th"]) & (held == 0)
        v = np.where(spiked, p["V_reset"], moved)
        held = np.where(spiked, hold, np.maximum(held - 1, 0))
        sent.append(np.flatnonzero(spiked))
        for i in sent[-1]:
            row = slice(begin[i], begin[i + 1])
            np.add.at(waiting, ((k + lag[row]) % len(waiting), receptor[row], post[row]), weight[row])
        now = waiting[k % len(waiting)]
        x = x * decay + now
        now[:] = 0.0
        if kick is not None and k < len(kick):
            x[0] += kick[k]
    return np.repeat(np.arange(steps), [len(s) for s in sent]), np.concatenate(sent), v


def coba_cell(p: dict[str, float]) -> dict[str, float]:
    """The cell of `coba_common.PARAMETERS` by the names of NEST. Conductances are relative to the leak."""
    return {
        "C_m": p["tau"], "g_L": 1.0, "E_L": p["v_rest"], "I_e": p["drive"], "E_ex": p["e_exc"], "E_in": p["e_inh"],
        "V_th": p["v_th"], "V_reset": p["v_reset"], "t_ref": p["t_ref"],
    }  # fmt: skip
