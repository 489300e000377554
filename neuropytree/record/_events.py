"""Spikes as a list of events."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Int

from .._arguments import whole


class Events(eqx.Module):
    """A message that `simulate` records as a list of its events: in which step, of which element.

    The memory that it takes is fixed: room for `capacity` events. What doesn't fit is not kept, but counted, and
    `simulate` warns; see `EventList.lost`. In a run with `chunk=` the capacity is that of each piece.

    **Arguments:**

    - `path`: name of the message, such as `"E.spike"`.
    - `capacity`: greatest number of events.

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        import neuropytree as npt
        cells = npt.neurons.LIF(10)
        sol = npt.simulate(cells, cells.init(dt=0.1), 30.0, dt=0.1, duration=100.0,
                           record=[npt.Events("spike", capacity=1000)])
        sol.out["spike"].ts, sol.out["spike"].indices
        ```
    """

    path: str = eqx.field(static=True)
    capacity: int = eqx.field(static=True)

    def __init__(self, path: str, *, capacity: int):
        if not isinstance(path, str):
            raise TypeError(f"path of Events is {path!r}; expected a name such as 'E.spike'")
        self.path, self.capacity = path, whole(capacity, f"capacity of Events('{path}')", least=1, most=2**31 - 65)


class EventList(eqx.Module):
    """Events of a run, in the order of their steps, and within a step of their elements.

    - `steps`: number of the step of each event.
    - `indices`: number of its element.
    - `values`: what was sent; `None` for booleans.
    - `count`: how many events there were. More than the list has if its capacity didn't suffice.
    - `size`: number of elements of the message.
    - `start`, `n_steps`: first step of the run, and how many there were.
    - `dt`: length of a step (ms).

    Within `jax.jit` and `jax.vmap` the arrays have the length of the capacity; behind the events, steps are -1 and
    indices `size`. Of the lists of several runs, by `jax.vmap`, `events[3]` is that of one.
    """

    steps: Int[Array | np.ndarray, "... events"]
    indices: Int[Array | np.ndarray, "... events"]
    values: Float[Array | np.ndarray, "... events"] | None
    count: Int[Array | np.ndarray, "..."]
    size: Int[Array | np.ndarray, "..."]
    start: Int[Array | np.ndarray, "..."]
    n_steps: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    @property
    def ts(self) -> np.ndarray:
        """Time of each event (ms), the end of its step."""
        return (np.asarray(self.steps, np.float64) + 1) * self.dt

    @property
    def lost(self) -> int | np.ndarray:
        """How many events are not in the list, for want of capacity; of several runs, an array."""
        lost = np.maximum(0, np.asarray(self.count) - self.steps.shape[-1])
        return int(lost) if lost.ndim == 0 else lost

    def __getitem__(self, run: int) -> "EventList":
        """The list of one of several runs. **Raises:** `TypeError` if this is the list of one run."""
        if np.ndim(self.count) == 0:
            raise TypeError("this is the list of one run; its events are in steps, indices and values")
        arrays = jax.tree.map(lambda x: np.asarray(x)[run] if np.ndim(x) else x, self)
        return arrays if np.ndim(arrays.count) else arrays._trimmed()

    def _trimmed(self) -> "EventList":
        kept = min(int(self.count), self.steps.shape[-1])
        return jax.tree.map(lambda x: np.asarray(x)[:kept] if np.ndim(x) else x, self)

    def whole(self) -> "EventList":
        """The list, with nothing behind its events.

        **Raises:** `ValueError` if events were lost, or if it is of several runs.
        """
        if np.ndim(self.count):
            raise ValueError(f"the lists are those of {np.shape(self.count)} runs; events[0] is that of the first")
        if self.lost:
            raise ValueError(f"{self.lost} events of this list were lost: record it with a larger capacity")
        return self._trimmed()

    def raster(self) -> np.ndarray:
        """The events as an array (steps of the run, elements): 0 or what was sent.

        **Raises:** `ValueError` if events were lost, or if the list is of several runs.
        """
        whole = self.whole()
        kind = bool if whole.values is None else np.asarray(whole.values).dtype
        out = np.zeros((whole.n_steps, int(whole.size)), kind)
        rows, columns = np.asarray(whole.steps) - int(whole.start), np.asarray(whole.indices)
        np.add.at(out, (rows, columns), True if whole.values is None else np.asarray(whole.values))
        return out
