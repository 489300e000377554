"""Rates and regularity of spike trains."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._arguments import check_real, whole
from .._time import as_dt
from ..record import EventList


def firing_rate(spikes: ArrayLike | EventList, *, dt: float, width: float) -> Float[Array, " times"]:
    """Population rate: spikes per neuron and second, in a sliding box.

    **Arguments:**

    - `spikes`: shape (times, neurons), one row for each step, numbers of spikes; or a list of events.
    - `dt`: length of a step (ms).
    - `width`: length of the box (ms), rounded to an odd number of steps; at the ends the part of it that lies inside
      counts.

    **Returns:** Hz, shape (times,), of a list of events one for each step of its run.

    **Raises:** `ValueError` for spikes of another shape, a width that isn't positive, and a list of events of another
    dt, of several runs, or that lost some.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.measure.firing_rate(jnp.ones((100, 5)), dt=0.1, width=1.0)
        ```
    """
    dt = as_dt(dt)
    check_real(width, "width", positive=True, shape=(), unit="ms")
    if isinstance(spikes, EventList) and abs(spikes.dt - dt) > 1e-6 * dt:
        raise ValueError(f"dt is {dt} ms, and the list of events was made with steps of {spikes.dt} ms")
    mean = _mean(spikes)
    half = max(0, round(width / dt / 2 - 0.5))
    box = jnp.ones(2 * half + 1, mean.dtype)
    inside = jnp.convolve(jnp.ones_like(mean), box, mode="full")[half : half + mean.shape[0]]
    return jnp.convolve(mean, box, mode="full")[half : half + mean.shape[0]] / inside * (1000 / dt)


def _mean(spikes: ArrayLike | EventList) -> Array:
    """Spikes of each step, per neuron."""
    if isinstance(spikes, EventList):
        spikes = spikes.whole()
        values = None if spikes.values is None else np.asarray(spikes.values, np.float64)
        steps = np.asarray(spikes.steps) - int(spikes.start)
        counts = np.bincount(steps, weights=values, minlength=spikes.n_steps)
        return jnp.asarray(counts / max(int(spikes.size), 1), jnp.result_type(float))
    trains = _trains(spikes)
    if jnp.ndim(trains) != 2:
        raise ValueError(f"spikes has shape {jnp.shape(trains)}; expected (times, neurons), or a list of events")
    return jnp.mean(jnp.asarray(trains, dtype=jnp.result_type(float)), axis=1)


def _trains(spikes: Any) -> Any:
    """Spikes as an array; truth values are spikes too."""
    truth = getattr(spikes, "dtype", None) == np.dtype(bool)
    return spikes if truth else check_real(spikes, "spikes", each="neuron and time")


def isi_cv(ts: ArrayLike, spikes: ArrayLike | EventList, *, min_spikes: int = 3) -> Float[np.ndarray, " neurons"]:
    """Coefficient of variation of each neuron's interspike intervals.

    **Arguments:**

    - `ts`: times (ms), shape (times,); of no account for a list of events, which has its own.
    - `spikes`: shape (times, neurons); not zero is a spike; or a list of events.
    - `min_spikes`: neurons with fewer spikes get NaN; at least 3, since one interval has no variation.

    **Returns:** shape (neurons,), on the host.

    **Raises:** `ValueError` for `min_spikes` below 3, shapes that don't match, and a list of events of several runs, or
    that lost some.

    Source: Softky & Koch 1993, doi:10.1523/JNEUROSCI.13-01-00334.1993.

    !!! example

        ```python
        import numpy as np, neuropytree as npt
        npt.measure.isi_cv(np.arange(100) * 0.1, np.random.default_rng(0).random((100, 20)) < 0.2)
        ```
    """
    min_spikes = whole(min_spikes, "min_spikes", least=3)
    if isinstance(spikes, EventList):
        spikes = spikes.whole()
        size, when, who = int(spikes.size), spikes.ts, np.asarray(spikes.indices)
        order = np.argsort(who, kind="stable")
        when, who = when[order], who[order]
    else:
        times, trains = np.asarray(check_real(ts, "ts", unit="ms"), np.float64), np.asarray(_trains(spikes))
        if trains.ndim != 2 or times.shape != trains.shape[:1]:
            raise ValueError(
                f"ts has shape {times.shape} and spikes {trains.shape}; expected (times,) and (times, neurons)"
            )
        who, steps = np.nonzero(trains.T)
        size, when = trains.shape[1], times[steps]
    out = np.full(size, math.nan)
    bounds = np.searchsorted(who, np.arange(size + 1))
    for neuron in np.flatnonzero(np.diff(bounds) >= min_spikes):
        intervals = np.diff(when[bounds[neuron] : bounds[neuron + 1]])
        out[neuron] = intervals.std() / intervals.mean()
    return out
