"""Statistics of the spikes of one run, and the rule by which two sets of runs agree. Pure NumPy.

The scripts that make the reference data and the test that compares with them use the same functions. (The file
isn't called `statistics.py`: a script beside it would then import it in place of the standard library's module.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

#: A neuron's CV is counted if it has at least this many inter-spike intervals in the window: with fewer, a standard
#: deviation says nothing. At 21 Hz in 800 ms nearly every neuron has more.
MIN_INTERVALS = 3

QUANTILES = (5, 25, 50, 75, 95)

#: Differences smaller than these are never significant, whatever the spread. The quantiles of a spike *count* are
#: whole numbers (or, between two order statistics, fractions of one): all seeds may give the same one, with spread
#: zero, while the distribution's own quantile lies just beside a step.
FLOORS = {f"count_q{q:02d}": 1.0 for q in QUANTILES}


def spikes_to_events(spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step and the neuron of each spike of a raster of shape (steps, neurons), ordered by step."""
    step, neuron = np.nonzero(np.asarray(spikes) != 0)
    return step, neuron


def interval_cv(spike_step: np.ndarray, neuron: np.ndarray, n: int, least: int = MIN_INTERVALS) -> np.ndarray:
    """The coefficient of variation of each neuron's inter-spike intervals (sd with n in the denominator).

    Neurons with fewer than `least` intervals are left out, so the result may be shorter than `n`.
    """
    order = np.lexsort((spike_step, neuron))
    step, owner = spike_step[order].astype(float), neuron[order]
    interval = np.diff(step)
    same = owner[1:] == owner[:-1]
    interval, owner = interval[same], owner[1:][same]
    count = np.bincount(owner, minlength=n)
    safe = np.maximum(count, 1)
    mean = np.bincount(owner, interval, minlength=n) / safe
    # Two passes: sums of squares minus squared sums would cancel for regular neurons.
    variance = np.bincount(owner, (interval - mean[owner]) ** 2, minlength=n) / safe
    enough = count >= least
    return np.sqrt(variance[enough]) / mean[enough]


def coba_statistics(
    spike_step: np.ndarray, neuron: np.ndarray, *, n_exc: int, n_inh: int, steps: int, discard: int, dt: float
) -> dict[str, float]:
    """The statistics of one run of an E/I network whose excitatory neurons come first.

    Only spikes of steps `discard <= k < steps` count, and intervals only between two of them.

    - `rate_exc`, `rate_inh`: mean rate in Hz;
    - `cv_mean`, `cv_sd`: mean and standard deviation over neurons of the CV of inter-spike intervals;
    - `count_total`: spikes of all neurons; `count_sd`: standard deviation over neurons of the spike count;
    - `count_q05` ... `count_q95`: quantiles over neurons of the spike count, linearly interpolated.
    """
    spike_step, neuron = np.asarray(spike_step), np.asarray(neuron)
    window = (spike_step >= discard) & (spike_step < steps)
    spike_step, neuron = spike_step[window], neuron[window]
    n = n_exc + n_inh
    seconds = (steps - discard) * dt * 1e-3
    count = np.bincount(neuron, minlength=n)
    cv = interval_cv(spike_step, neuron, n)
    result = {
        "rate_exc": count[:n_exc].mean() / seconds,
        "rate_inh": count[n_exc:].mean() / seconds,
        "cv_mean": cv.mean(),
        "cv_sd": cv.std(),
        "count_total": count.sum(),
        "count_sd": count.std(),
    }
    result |= {f"count_q{q:02d}": np.percentile(count, q) for q in QUANTILES}
    return {name: float(value) for name, value in result.items()}


def cuba_statistics(
    spike_step: np.ndarray, neuron: np.ndarray, *, n: int, steps: int, discard: int, dt: float
) -> dict[str, float]:
    """The statistics of one run of a network that fires slowly and irregularly, all neurons alike.

    Only spikes of steps `discard <= k < steps` count, and intervals only between two of them.

    - `rate`, `rate_sd`: mean and standard deviation over neurons of the rate in Hz; `silent`: the part without a spike;
    - `cv`: mean over neurons of the CV of inter-spike intervals, of those with at least five intervals;
    - `cc`, `cc_sd`: mean and standard deviation of the correlation of spike counts in 2 ms, over all pairs of 200
      neurons that spike, evenly chosen;
    - `sync`: variance over mean of the number of spikes of all neurons in 3 ms: 1 for independent Poisson neurons.
    """
    spike_step, neuron = np.asarray(spike_step), np.asarray(neuron)
    window = (spike_step >= discard) & (spike_step < steps)
    step, neuron = spike_step[window] - discard, neuron[window]
    count = np.bincount(neuron, minlength=n)
    rate = count / ((steps - discard) * dt * 1e-3)

    def bins(width: float) -> tuple[np.ndarray, int]:
        return step // round(width / dt), (steps - discard) // round(width / dt)

    active = np.flatnonzero(count)
    chosen = active[np.linspace(0, active.size - 1, min(200, active.size)).astype(int)]
    row = np.full(n, -1)
    row[chosen] = np.arange(chosen.size)
    at, number = bins(2.0)
    use = (row[neuron] >= 0) & (at < number)
    counts = np.zeros((chosen.size, number))
    np.add.at(counts, (row[neuron[use]], at[use]), 1)
    pairs = np.atleast_2d(np.corrcoef(counts[counts.std(axis=1) > 0]))
    pairs = pairs[np.triu_indices(len(pairs), 1)]
    at, number = bins(3.0)
    whole = np.bincount(at[at < number], minlength=number)
    return {
        "rate": float(rate.mean()),
        "rate_sd": float(rate.std()),
        "silent": float((count == 0).mean()),
        "cv": float(interval_cv(step, neuron, n, 5).mean()),
        "cc": float(pairs.mean()),
        "cc_sd": float(pairs.std()),
        "sync": float(whole.var() / whole.mean()),
    }


def disagreements(
    ours: Mapping[str, Sequence[float]], reference: Mapping[str, Sequence[float]], *, sigmas: float
) -> dict[str, str]:
    """The statistics in which two sets of runs differ by more than their spread from seed to seed allows.

    A statistic agrees when

        |mean(ours) - mean(reference)| <= sigmas * s * sqrt(1/n_ours + 1/n_reference) + floor

    where `s` is the larger of the two standard deviations over seeds, and `floor` is that of `FLOORS`. The larger one,
    because the standard deviation of five runs is itself known to a third only, and is too small as often as
    too large.

    Returns:
        A dictionary from the name of each statistic that disagrees to a sentence with the numbers.
    """
    wrong = {}
    for name, values in reference.items():
        a, b = np.asarray(ours[name], float), np.asarray(values, float)
        spread = max(a.std(ddof=1), b.std(ddof=1))
        allowed = sigmas * spread * np.sqrt(1 / a.size + 1 / b.size) + FLOORS.get(name, 0.0)
        difference = a.mean() - b.mean()
        if not abs(difference) <= allowed:
            wrong[name] = (
                f"{name}: ours {a.mean():.5g} (sd {a.std(ddof=1):.2g} over {a.size} seeds), reference {b.mean():.5g} "
                f"(sd {b.std(ddof=1):.2g} over {b.size}); differ by {difference:.3g}, allowed {allowed:.3g}"
            )
    return wrong
