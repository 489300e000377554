"""Spikes and rates as pictures."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike

from ..record import EventList

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _axes(ax: "Axes | None") -> "Axes":
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("plotting needs Matplotlib: pip install 'neuropytree[viz]'") from None
    return plt.subplots()[1] if ax is None else ax


def raster_plot(
    ts: ArrayLike, spikes: ArrayLike | EventList, *, ax: "Axes | None" = None, offset: int = 0, **kwargs: Any
) -> "Axes":
    """A dot for each spike, time across and neurons up.

    **Arguments:**

    - `ts`: times (ms), shape (times,); of no account for a list of events, which has its own.
    - `spikes`: shape (times, neurons), booleans or numbers; not zero is a spike; or a list of events.
    - `ax`: Matplotlib axes to draw on; new ones by default.
    - `offset`: number of the first neuron, to stack populations.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes.

    **Raises:** `ValueError` for shapes that don't match, for a list that lost events or is of several runs;
    `ImportError` without Matplotlib.

    !!! example

        ```python
        import numpy as np, neuropytree as npt
        npt.visualize.raster_plot(np.arange(100) * 0.1, np.random.default_rng(0).random((100, 20)) < 0.05)
        ```
    """
    if isinstance(spikes, EventList):
        spikes = spikes.whole()
        when, who = spikes.ts, np.asarray(spikes.indices)
    else:
        times, trains = np.asarray(ts), np.asarray(spikes)
        if trains.ndim != 2 or times.shape != trains.shape[:1]:
            raise ValueError(
                f"ts has shape {times.shape} and spikes {trains.shape}; expected (times,) and (times, neurons)"
            )
        steps, who = np.nonzero(trains)
        when = times[steps]
    ax = _axes(ax)
    ax.plot(when, who + offset, **({"linestyle": "", "marker": ".", "markersize": 1.0, "rasterized": True} | kwargs))
    ax.set(xlabel="time (ms)", ylabel="neuron")
    return ax


def rate_plot(ts: ArrayLike, rate: ArrayLike, *, ax: "Axes | None" = None, **kwargs: Any) -> "Axes":
    """A population rate over time.

    **Arguments:**

    - `ts`: times (ms), shape (times,).
    - `rate`: in Hz, shape (times,), such as `npt.measure.firing_rate` gives.
    - `ax`: Matplotlib axes to draw on; new ones by default.
    - `kwargs`: for `Axes.plot`.

    **Returns:** the axes.

    **Raises:** `ImportError` without Matplotlib.
    """
    ax = _axes(ax)
    ax.plot(np.asarray(ts), np.asarray(rate), **kwargs)
    ax.set(xlabel="time (ms)", ylabel="rate (Hz)")
    return ax
