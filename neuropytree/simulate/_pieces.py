"""A run in pieces, driven from the host."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._types import State
from ..record import About, AbstractSink, EventList
from . import _programs
from ._progress import progress_bar
from ._run import Done, Run

Check = Callable[[State, Array, int, int, int], None]


def in_pieces(
    run: Run,
    state: State,
    start: int,
    n_steps: int,
    *,
    piece: int,
    progress: bool,
    sink: AbstractSink | None,
    check: Check,
) -> tuple[list[Any], list[dict[str, Any]], State]:
    """Records and lists of events, none where they go to a sink, and the state at the end.

    `check` is called with the state before a piece, what is broken after it, its first step, its length, and how many
    steps of the run come before.
    """
    block = run.recording.block
    series, lean = run.inputs.series, eqx.tree_at(lambda r: r.inputs.series, run, [None] * len(run.inputs.series))
    gathered = _ToMemory(run, n_steps) if sink is None else _ToSink(run, sink)
    if sink is not None:
        sink.begin(About(dt=run.dt, start=start, intervals=run.recording.intervals_by_name))
    try:
        with progress_bar(n_steps, progress) as advance:
            for first in range(0, n_steps, piece):
                size = min(piece, n_steps - first)
                rows = jax.tree.map(functools.partial(_padded, first=first, size=size, piece=piece), series)
                index, count = jnp.asarray(start + first, jnp.int32), jnp.asarray(size // block, jnp.int32)
                done = _programs.piece(lean, state, index, rows, count, piece // block)
                check(state, done.broken, start + first, size, first)
                state = done.state
                gathered.add(done, start, first, size)
                advance(size)
    finally:
        if sink is not None:
            sink.end()
    return gathered.taken or [], gathered.events(), state


def _padded(x: Array, *, first: int, size: int, piece: int) -> Array:
    rows = x[first : first + size]
    return rows if size == piece else jnp.concatenate([rows, jnp.zeros((piece - size, *x.shape[1:]), x.dtype)])


def _listed(held: dict[str, Array]) -> tuple[dict[str, np.ndarray], int]:
    """The events of a piece that were kept, and how many there were."""
    count = int(held["count"])
    return {name: np.array(np.asarray(x)[:count]) for name, x in held.items() if x.ndim}, count


class _ToMemory:
    """Records in arrays for the whole run, made when the form of the first piece is known."""

    def __init__(self, run: Run, n_steps: int):
        self.intervals = run.recording.intervals
        self.n_steps = n_steps
        self.taken: list[Any] | None = None
        self.counts = [0] * len(run.recording.lists)
        self.sizes = [np.zeros((), np.int32)] * len(run.recording.lists)
        self.parts: list[list[dict[str, np.ndarray]]] = [[] for _ in self.counts]

    def add(self, done: Done, start: int, first: int, size: int) -> None:
        del start
        if self.taken is None:
            self.taken = [self._room(every, record) for every, record in zip(self.intervals, done.taken, strict=True)]
        for every, whole, part in zip(self.intervals, self.taken, done.taken, strict=True):
            rows = slice(first // every, (first + size) // every)
            for host, x in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
                host[rows] = np.asarray(x)[: rows.stop - rows.start]
        for n, held in enumerate(done.held):
            part, count = _listed(held)
            self.parts[n].append(part)
            self.counts[n], self.sizes[n] = self.counts[n] + count, np.asarray(held["size"])

    def _room(self, every: int, record: Any) -> Any:
        return jax.tree.map(lambda x: np.zeros((self.n_steps // every, *x.shape[1:]), x.dtype), record)

    def events(self) -> list[dict[str, Any]]:
        joined = [{name: np.concatenate([part[name] for part in parts]) for name in parts[0]} for parts in self.parts]
        numbers = zip(joined, self.counts, self.sizes, strict=True)
        return [lists | {"count": np.asarray(count), "size": size} for lists, count, size in numbers]


class _ToSink:
    """Records handed on, piece by piece."""

    def __init__(self, run: Run, sink: AbstractSink):
        self.recording, self.sink, self.dt, self.taken = run.recording, sink, run.dt, None

    def add(self, done: Done, start: int, first: int, size: int) -> None:
        records: dict[str, Any] = {}
        for name, every, part in zip(self.recording.names, self.recording.intervals, done.taken, strict=True):
            rows = size // every
            for path, x in jax.tree_util.tree_leaves_with_path(part):
                place = jax.tree_util.keystr(path, simple=True, separator=".")
                records[".".join(filter(None, (name, place))) or "record"] = np.array(np.asarray(x)[:rows])
        for (name, events), held in zip(self.recording.lists, done.held, strict=True):
            part, count = _listed(held)
            records[name] = EventList(
                steps=part["steps"],
                indices=part["indices"],
                values=part.get("values"),
                count=np.asarray(count),
                size=np.asarray(held["size"]),
                start=np.asarray(start + first),
                n_steps=size,
                dt=self.dt,
            )
            warn_of_lost(name, count, kept=len(part["steps"]), capacity=events.capacity)
        self.sink.write(start + first, size, records)

    def events(self) -> list[dict[str, Any]]:
        return []


def warn_of_lost(name: str, count: Any, *, kept: int, capacity: int) -> None:
    """Says that a list of events had too little room."""
    if (count := int(count)) > kept:
        warnings.warn(
            f"{count - kept} of {count} events of '{name}' were not kept: its capacity is {capacity}; give it more, "
            "or run in smaller chunks (the capacity is that of a chunk)",
            stacklevel=5,
        )
