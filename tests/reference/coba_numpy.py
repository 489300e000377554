"""The network's step in plain NumPy, in float64: the step order that the other simulators' scripts are set up to match.

In step k: the spikes of step k-1 arrive (conductances decay, then what arrives is added); the voltage takes
an exact step with the conductances held; a neuron that spiked in one of the last `refractory` steps keeps its voltage;
a voltage at or above threshold is a spike of step k and is reset.
"""

from __future__ import annotations

import numpy as np


def simulate(
    parameters: dict[str, float],
    exc: tuple[np.ndarray, np.ndarray],
    inh: tuple[np.ndarray, np.ndarray],
    v: np.ndarray,
    *,
    steps: int,
    refractory: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Runs the network over given connections.

    Args:
        parameters: as in `coba_common.PARAMETERS`.
        exc: the source and target of each excitatory connection; inhibitory neurons are numbered after the excitatory.
        inh: the same for the inhibitory ones, sources numbered like all neurons.
        v: the initial voltages, mV.
        steps: how many steps.
        refractory: for how many steps after the step of its spike a neuron is held.

    Returns:
        The step and the neuron of each spike.
    """
    p, n = parameters, v.size
    offsets, targets = [], []
    for source, target in (exc, inh):
        order = np.argsort(source, kind="stable")
        offsets.append(np.searchsorted(source[order], np.arange(n + 1)))
        targets.append(target[order])

    def arriving(kind: int, spikes: np.ndarray) -> np.ndarray:
        hit = [targets[kind][offsets[kind][i] : offsets[kind][i + 1]] for i in spikes]
        return np.bincount(np.concatenate(hit) if hit else np.zeros(0, int), minlength=n)

    decay_exc, decay_inh = np.exp(-p["dt"] / p["tau_exc"]), np.exp(-p["dt"] / p["tau_inh"])
    v = v.copy()
    g_exc, g_inh, left = np.zeros(n), np.zeros(n), np.zeros(n, int)
    spikes = np.zeros(0, int)
    step_of, neuron_of = [], []
    for k in range(steps):
        g_exc = g_exc * decay_exc + p["w_exc"] * arriving(0, spikes)
        g_inh = g_inh * decay_inh + p["w_inh"] * arriving(1, spikes)
        total = 1 + g_exc + g_inh
        target = (p["v_rest"] + p["drive"] + g_exc * p["e_exc"] + g_inh * p["e_inh"]) / total
        moved = target + (v - target) * np.exp(-p["dt"] / p["tau"] * total)
        v = np.where(left > 0, v, moved)
        spiked = (v >= p["v_th"]) & (left == 0)
        left = np.where(spiked, refractory, np.maximum(left - 1, 0))
        v = np.where(spiked, p["v_reset"], v)
        spikes = np.flatnonzero(spiked)
        step_of.append(np.full(spikes.size, k))
        neuron_of.append(spikes)
    return np.concatenate(step_of), np.concatenate(neuron_of)
