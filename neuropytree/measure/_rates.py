"""Rates and regularity of spike trains."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float


def firing_rate(spikes: ArrayLike, *, dt: float, width: float) -> Float[Array, " times"]:
    """Population rate: spikes per neuron and second, in a sliding box.

    **Arguments:**

    - `spikes`: shape (times, neurons), 0 or 1, one row for each step.
    - `dt`: length of a step (ms).
    - `width`: length of the box (ms), rounded to an odd number of steps; at the ends the part of it that lies inside
      counts.

    **Returns:** Hz, shape (times,).

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.measure.firing_rate(jnp.ones((100, 5)), dt=0.1, width=1.0)
        ```
    """
    mean = jnp.mean(jnp.asarray(spikes, dtype=jnp.result_type(float)), axis=1)
    half = max(0, round(width / dt / 2 - 0.5))
    box = jnp.ones(2 * half + 1, mean.dtype)
    inside = jnp.convolve(jnp.ones_like(mean), box, mode="full")[half : half + mean.shape[0]]
    return jnp.convolve(mean, box, mode="full")[half : half + mean.shape[0]] / inside * (1000 / dt)


def isi_cv(ts: ArrayLike, spikes: ArrayLike, *, min_spikes: int = 3) -> Float[np.ndarray, " neurons"]:
    """Coefficient of variation of each neuron's interspike intervals.

    **Arguments:**

    - `ts`: times (ms), shape (times,).
    - `spikes`: shape (times, neurons); not zero is a spike.
    - `min_spikes`: neurons with fewer spikes get NaN; at least 3, since one interval has no variation.

    **Returns:** shape (neurons,), on the host.

    **Raises:** `ValueError` for `min_spikes` below 3.

    Source: Softky & Koch 1993, doi:10.1523/JNEUROSCI.13-01-00334.1993.

    !!! example

        ```python
        import numpy as np, neuropytree as npt
        npt.measure.isi_cv(np.arange(100) * 0.1, np.random.default_rng(0).random((100, 20)) < 0.2)
        ```
    """
    if min_spikes < 3:
        raise ValueError(f"min_spikes is {min_spikes}; expected at least 3")
    times, trains = np.asarray(ts, np.float64), np.asarray(spikes)
    who, when = np.nonzero(trains.T)
    out = np.full(trains.shape[1], math.nan)
    bounds = np.searchsorted(who, np.arange(trains.shape[1] + 1))
    for neuron in np.flatnonzero(np.diff(bounds) >= min_spikes):
        intervals = np.diff(times[when[bounds[neuron] : bounds[neuron + 1]]])
        out[neuron] = intervals.std() / intervals.mean()
    return out
