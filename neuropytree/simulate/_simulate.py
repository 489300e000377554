"""The driver: a scan over the steps of a model."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key, PyTree

from .._arguments import check_kind, flag, whole
from .._check import broken_message, check_dt, first_step, whole_steps
from .._errors import check_key, listing
from .._scan import guard
from .._time import as_dt, time_stamps
from .._types import AbstractDynamics, Output, State, Tick, as_parameter
from ..connect import check as check_connectivities
from ..integrate import AbstractStepper
from ..record import AbstractSink, EventList, Events, Probe
from . import _programs
from ._inputs import sort_inputs
from ._pieces import in_pieces, warn_of_lost
from ._recording import recording
from ._run import Run

Record = Sequence[str | Probe | Events] | Mapping[str, Any] | Callable[[State, Output], PyTree]


class Solution(eqx.Module):
    """What `simulate` returns.

    - `out`: records, time as axis 0: a dictionary by name, or what the recording function returned; an `EventList` for
      `Events`. `None` where they have gone to a sink.
    - `state`: the state after the last step.
    - `start`: number of the first step.
    - `n_steps`, `dt`, `every`: how many steps there were, of how many ms, and after how many records were taken.
    - `intervals`: the same for records that have an interval of their own, by name.
    """

    out: Any
    state: State
    start: Int[Array, ""] | int
    n_steps: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)
    every: int = eqx.field(static=True)
    intervals: tuple[tuple[str, int], ...] = eqx.field(static=True)

    @property
    def steps(self) -> Int[Array, ""] | int:
        """How many steps have been done, counted from step 0: the `start` of a run that goes on."""
        return self.start + self.n_steps

    @property
    def ts(self) -> Float[Array | np.ndarray, " records"]:
        """Times of the records (ms), each the end of its step: float64, on the host where `start` is known."""
        return self._ends(self.every)

    def times(self, name: str) -> Float[Array | np.ndarray, " records"]:
        """Times of the record `name` (ms), which may have an interval of its own; of its events, if it is a list.

        **Raises:** `ValueError` if there is no record of that name.
        """
        records = self.out if isinstance(self.out, dict) else {}
        if name not in records:
            raise ValueError(f"there is no record '{name}'; there are {listing(records)}")
        if isinstance(records[name], EventList):
            return records[name].ts
        return self._ends(dict(self.intervals).get(name, self.every))

    def _ends(self, every: int) -> Any:
        if jnp.ndim(self.start):  # of several runs, by `jax.vmap`
            return np.stack([time_stamps(start, self.dt, self.n_steps, every) for start in np.asarray(self.start)])
        return time_stamps(self.start, self.dt, self.n_steps, every)


def simulate(
    model: AbstractDynamics,
    state: State,
    inputs: PyTree | Callable[[Tick], PyTree] = None,
    *,
    dt: float,
    duration: float,
    record: Record = (),
    every: int = 1,
    start: int | Int[Array, ""] = 0,
    chunk: int | None = None,
    sink: AbstractSink | None = None,
    key: Key[Array, ""] | None = None,
    progress: bool = False,
) -> Solution:
    r"""Runs a model for `duration` ms and records what is asked for.

    Step $k$ takes the state from $k\,\Delta t$ to $(k + 1)\,\Delta t$; what is recorded of it is the state at its end.
    Compiled once for each model structure, number of steps and record; other values of parameters, inputs, start,
    state and key compile nothing. A function as input or record is told apart by identity: a lambda that is written in
    the call is a new one, and compiled anew, in every call. Define it once, at the level of the module; values that
    change go into the arrays of a `jax.tree_util.Partial`, `Partial(function, jnp.asarray(2.0))`, or of an
    `equinox.Module` that can be called. Works inside `jax.jit`, `jax.vmap`, `jax.grad` and `jax.shard_map`.

    **Arguments:**

    - `model`: any `AbstractDynamics`: a network, a cell, your own.
    - `state`: from `model.init(dt=dt)`, or that of an earlier solution.
    - `inputs`: a number or an array is the same in every step; `npt.Series(x)` has a row for each step; a function of
      the tick is called in every step. An axis of length 1 stands for all elements, as in NumPy. In a network a
      dictionary of such by node and by port, `{"E": 20.0, "E.exc": npt.Series(arrivals)}`.
    - `dt`: length of a step (ms).
    - `duration`: length of the run (ms), a whole number of steps.
    - `record`: a list of paths such as `"E.spike"`, `"E.v"`, `"I.exc.g"`, `"E->E.weight"` (on a bare cell `"spike"`,
      `"v"`), of `npt.Probe` and `npt.Events`; or a dictionary of such by names of your own; or a function of (state,
      output). Nothing by default.
    - `every`: record after every so many steps; the number of steps must be a multiple.
    - `start`: number of the first step; to go on from an earlier run, its `steps`.
    - `chunk`: run in compiled pieces of so many steps, a multiple of `every`, and move the records to host memory as
      they come. The result is bitwise the same.
    - `sink`: where the records of each chunk go, instead of to memory, such as `npt.record.NpyBlocks(folder)`.
    - `key`: random key of the run, for noise. What is drawn depends on (key, step, place) alone.
    - `progress`: show a progress bar; runs in chunks.

    **Returns:** a `Solution`.

    **Raises:** `ValueError` or `TypeError` before anything is compiled: a duration that is not a whole number of steps,
    a dt other than the state's, a connectivity that is damaged, an unknown path, an input of the wrong shape.
    `FloatingPointError` after a run in which a variable became non-finite, naming it and the step (inside another
    transformation, an error at run time names the variable). Warns of events that a list had no room for.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, t_ref=2.0)
        sol = npt.simulate(cell, cell.init(dt=0.1), 30.0, dt=0.1, duration=100.0, record=["v", "spike"])
        sol = npt.simulate(cell, sol.state, 30.0, dt=0.1, duration=50.0, start=sol.steps)
        ```
    """
    check_kind(model, AbstractDynamics, "model", optional=False)
    n_steps, dt = whole_steps(duration, dt), as_dt(dt)
    check_dt(state, dt)
    check_connectivities(model)
    every = whole(every, "every", least=1, of="steps")
    records = recording(record, every)
    chunk = None if chunk is None else whole(chunk, "chunk", least=1, of="steps")
    records.check(n_steps, chunk)
    check_key(key)
    if sink is not None and (not isinstance(sink, AbstractSink) or chunk is None):
        raise TypeError(f"sink is {sink!r} and chunk {chunk}; expected an npt.record.AbstractSink, and a chunk with it")
    first = first_step(start, n_steps)
    model, state = _strong(model), _strong(state)
    given = sort_inputs(model, inputs, n_steps, lambda: Tick.at(0, dt=dt, key=key))
    run = Run(model=model, inputs=given, recording=records, key=key, dt=dt)
    if not flag(progress, "progress") and chunk is None:
        taken, lists, final = _at_once(run, state, first, n_steps)
    else:
        taken, lists, final = _piece_by_piece(run, state, first, n_steps, chunk=chunk, sink=sink, progress=progress)
    intervals = zip(records.names, (probe.every for probe in records.probes), strict=True)
    return Solution(
        out=None if sink is not None else records.named(taken, _event_lists(run, lists, first, n_steps)),
        state=final,
        start=first if isinstance(first, Tracer) else int(first),
        n_steps=n_steps,
        dt=dt,
        every=every,
        intervals=tuple((name, own) for name, own in intervals if own),
    )


Parts = tuple[list[PyTree], list[dict[str, Any]], State]  # records, lists of events, the state at the end


def _at_once(run: Run, state: State, first: Array, n_steps: int) -> Parts:
    traced = _programs.is_traced(run, state, first)
    done = _programs.whole(run, state, first, n_steps, traced=traced)
    if traced:
        messages = [broken_message(state, n, None, run.dt) for n in range(len(done.broken))]
        return done.taken, done.held, guard(done.state, done.broken, messages)
    _raise_if_broken(run, state, done.broken, int(first), n_steps, 0)
    return done.taken, [_trimmed(held) for held in done.held], done.state


def _piece_by_piece(
    run: Run, state: State, first: Array, n_steps: int, *, chunk: int | None, sink: AbstractSink | None, progress: bool
) -> Parts:
    if _programs.is_traced(run, state, first):
        raise ValueError(
            "chunk= and progress= run pieces from the host; leave them out inside jax.jit, jax.vmap and jax.grad"
        )
    block = run.recording.block
    piece = min(n_steps, chunk or block * -(-n_steps // (100 * block)))
    check = functools.partial(_raise_if_broken, run)
    return in_pieces(run, state, int(first), n_steps, piece=piece, progress=progress, sink=sink, check=check)


def _trimmed(held: dict[str, Array]) -> dict[str, Any]:
    count = int(held["count"])
    return {name: np.asarray(x)[:count] if x.ndim else np.asarray(x) for name, x in held.items()}


def _event_lists(run: Run, lists: list[Any], first: Any, n_steps: int) -> dict[str, EventList]:
    """The lists of events by name, with a warning for each that had too little room."""
    made = {}
    for (name, events), held in zip(run.recording.lists, lists, strict=True):
        made[name] = EventList(
            steps=held["steps"],
            indices=held["indices"],
            values=held.get("values"),
            count=held["count"],
            start=first,
            n_steps=n_steps,
            size=held["size"],
            dt=run.dt,
        )
        warn = functools.partial(warn_of_lost, name, kept=len(held["steps"]), capacity=events.capacity)
        if isinstance(held["count"], Tracer):
            jax.debug.callback(warn, held["count"])
        else:
            warn(held["count"])
    return made


def _strong(tree: PyTree) -> PyTree:
    """Numbers as arrays and no weak types, so that replacing a parameter never compiles anything new.

    Steppers stay as they are: the numbers in them (of iterations, say) are settings and no parameters.
    """

    def convert(x: Any) -> Any:
        if isinstance(x, float | int | np.generic) and not isinstance(x, bool):
            return as_parameter(np.asarray(x))
        if isinstance(x, jax.Array) and x.weak_type:
            return jax.lax.convert_element_type(x, jnp.dtype(x.dtype))
        return x

    return jax.tree.map(convert, tree, is_leaf=lambda x: isinstance(x, AbstractStepper))


def _raise_if_broken(run: Run, state: State, flags: Array, start: int, n_steps: int, offset: int) -> None:
    if np.any(np.asarray(flags)):
        count, which = _programs.first_broken(run, state, jnp.asarray(start, jnp.int32), n_steps, offset)
        raise FloatingPointError(broken_message(state, int(which), start + int(count), run.dt))
