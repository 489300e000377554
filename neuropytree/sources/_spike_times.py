"""Spikes at given times."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .._arguments import flag, known_values, whole
from .._check import check_tick
from .._node import AbstractNode, Add
from .._time import as_dt
from .._types import Tick
from ..delay import delay_steps
from ..ops import events_due


class SpikeTimesState(eqx.Module):
    """State of `SpikeTimes`: the spikes in the order of their `steps`, each of one of the `cells`, and the `position`
    of the next in this list; `dt` is the step (ms) that they were rounded to."""

    steps: Int[Array, " spikes"]
    cells: Int[Array, " spikes"]
    position: Int[Array, ""]
    dt: float = eqx.field(static=True)


class SpikeTimes(AbstractNode):
    r"""Cells that spike at given times: the message `"spike"`.

    A spike at $t$ is sent in the step that ends at $t$, rounded as delays are: step $\lfloor t / \Delta t + 0.5 +
    10^{-6} \rfloor - 1$. With a delay of $d$ it therefore arrives at $t + d$.

    **Arguments:**

    - `indices`: the cell of each spike, from 0 to `size - 1`: one number for all of them, or an array.
    - `times`: its time (ms), above 0, in any order; a number or an array.
    - `size`: number of cells.
    - `counts`: whether two spikes of a cell that fall into one step are sent as 2. If not, `init` refuses them, and the
      message is boolean.

    **Raises:** `ValueError` or `TypeError` for cells that aren't there and times that aren't positive, naming the
    first; by `init`, for a time in no step of that length, and for two spikes of a cell in one.

    !!! example

        ```python
        import neuropytree as npt
        source = npt.sources.SpikeTimes([0, 1, 0], [1.0, 2.5, 4.0], size=2)
        net = npt.Network({"S": source})
        sol = npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=5.0, record=["S.spike"])
        ```
    """

    indices: Int[Array, " spikes"]
    times: Float[Array, " spikes"]
    size: int = eqx.field(static=True)
    counts: bool = eqx.field(static=True)

    def __init__(
        self, indices: ArrayLike | Sequence[int], times: ArrayLike | Sequence[float], *, size: int, counts: bool = False
    ):
        self.size, self.counts = whole(size, "size", most=2**31 - 65, of="cells"), flag(counts, "counts")
        cells, when = _vector("indices", indices), _vector("times", times)
        if cells.size and not jnp.issubdtype(cells.dtype, jnp.integer):
            raise TypeError(f"indices has dtype {cells.dtype}; expected integers, the cells of the spikes")
        if cells.shape == (1,):
            cells = jnp.broadcast_to(jnp.asarray(cells), when.shape)
        if cells.shape != when.shape:
            raise ValueError(f"indices has {cells.shape[0]} entries and times {when.shape[0]}; expected one for each")
        _refuse("indices", cells, lambda x: (x < 0) | (x >= size), f"a cell, from 0 to {size - 1}")
        _refuse("times", when, lambda x: ~((x > 0) & np.isfinite(x)), "a time in ms, above 0")
        self.indices, self.times = jnp.asarray(cells, jnp.int32), when

    @property
    def ports(self) -> dict[str, int]:
        return {}

    @property
    def messages(self) -> dict[str, int]:
        return {"spike": self.size}

    @property
    def events(self) -> frozenset[str]:
        return frozenset(("spike",))

    @property
    def input_shape(self) -> dict[str, Any]:
        return {}

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> SpikeTimesState:
        del key
        if dt is None:
            raise ValueError("SpikeTimes.init needs dt (ms): spikes are sent in steps")
        dt = as_dt(dt)
        known = known_values(self.times)
        late = 0.25 / jnp.finfo(self.times.dtype).eps  # steps at which a quarter of one is still told
        if known is None:
            ends = jnp.floor(self.times / dt + (0.5 + 1e-6))
            say = f"a time of SpikeTimes is in no step of {dt} ms: expected times above 0 ms, in steps below 2^31 - 1"
            ends = eqx.error_if(ends, jnp.any(~((ends > 0) & (ends < 2.0**31))), say)
            steps = eqx.error_if(ends, jnp.any(ends > late), self._too_late(dt)).astype(jnp.int32) - 1
        else:
            self._check_steps(known, dt)
            if (known / dt > late).any():
                raise ValueError(self._too_late(dt))
            steps = jnp.asarray(delay_steps(known, dt) - 1, jnp.int32)
        order = jnp.lexsort((self.indices, steps))
        steps, cells = steps[order], self.indices[order]
        if not self.counts:
            steps = self._once(steps, cells, dt)
        return SpikeTimesState(steps=steps, cells=cells, position=jnp.zeros((), jnp.int32), dt=dt)

    def _too_late(self, dt: float) -> str:
        return (
            f"a time of SpikeTimes is so late that {self.times.dtype} can't tell in which step of {dt} ms it is: make "
            "the state before the times are given to JAX (by jax.jit, jax.device_put and so on), or with jax_enable_x64"
        )

    def _check_steps(self, times: np.ndarray, dt: float) -> None:
        ends = times / dt
        wrong = np.flatnonzero(~((ends >= 0.5 - 1e-6) & (ends < 2**31 - 1)))
        if wrong.size:
            n = int(wrong[0])
            raise ValueError(
                f"times[{n}] is {times[n]} ms, which is no step of {dt} ms: a spike at t is sent in the step that ends "
                f"at t, and the first ends at {dt} ms"
            )

    def _once(self, steps: Array, cells: Array, dt: float) -> Array:
        """`steps`, unless a cell has two spikes in one."""
        twice = (steps[1:] == steps[:-1]) & (cells[1:] == cells[:-1])
        known = known_values(twice)
        if known is None:
            say = "a cell of SpikeTimes has two spikes in one step; counts=True sends them as 2"
            return eqx.error_if(steps, jnp.any(twice), say)
        if known.any():
            n = int(np.flatnonzero(known)[0])
            raise ValueError(
                f"cell {int(cells[n])} has two spikes in step {int(steps[n])}, which ends at "
                f"{(int(steps[n]) + 1) * dt:.10g} ms; counts=True sends them as 2, or take a smaller dt"
            )
        return steps

    def advance(self, state: SpikeTimesState, input: Any, tick: Tick) -> tuple[SpikeTimesState, dict[str, Array]]:
        del input
        check_tick(state.dt, tick)
        position, message = events_due(
            state.steps, state.cells, state.position, tick.index, size=self.size, dtype=self._dtype
        )
        new = SpikeTimesState(steps=state.steps, cells=state.cells, position=position, dt=state.dt)
        return new, {"spike": message}

    @property
    def _dtype(self) -> Any:
        return jnp.result_type(float) if self.counts else jnp.dtype(bool)

    def deliver(self, state: SpikeTimesState, port: str, add: Add, tick: Tick) -> SpikeTimesState:
        del port, add, tick
        return state  # it has no ports

    def silent(self, state: SpikeTimesState) -> dict[str, Array]:
        del state
        return {"spike": jnp.zeros(self.size, self._dtype)}


def _vector(name: str, x: ArrayLike | Sequence[float]) -> Any:
    """`x` as a vector; known numbers in NumPy, which keeps their precision."""
    known = known_values(x)
    if known is not None and known.dtype.kind not in "iuf":
        raise TypeError(f"{name} is {x!r}; expected numbers")
    array = jnp.asarray(x) if known is None else known.astype(np.float64 if name == "times" else known.dtype)
    if array.ndim > 1:
        raise ValueError(f"{name} has shape {array.shape}; expected one dimension")
    if array.size == 0 and name == "indices":
        array = array.astype(np.int32)
    return array.reshape(-1)


def _refuse(name: str, x: Any, wrong: Callable[[np.ndarray], np.ndarray], expected: str) -> None:
    known = known_values(x)
    if known is not None and (bad := np.flatnonzero(wrong(known))).size:
        raise ValueError(f"{name}[{bad[0]}] is {known[bad[0]]}; expected {expected}")
