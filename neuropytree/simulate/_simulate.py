"""The driver: a scan over the steps of a model."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key, PyTree

from .._check import broken, broken_message, check_dt, first_step, guard, whole_steps
from .._errors import check_key
from .._types import AbstractDynamics, Output, State, Tick, as_parameter
from ..integrate import AbstractStepper
from ._inputs import Inputs, sort_inputs
from ._progress import progress_bar

Record = Sequence[str] | Callable[[State, Output], PyTree]


class Solution(eqx.Module):
    """What `simulate` returns.

    - `ts`: time of each record in ms, at the end of the step that was recorded.
    - `out`: records, time as axis 0: a dictionary by path, or what the recording function returned.
    - `state`: the state after the last step.
    """

    ts: Float[Array | np.ndarray, " records"]
    out: Any
    state: State


class _Run(eqx.Module):
    """Everything that a compiled run is made from."""

    model: AbstractDynamics
    inputs: Inputs
    key: Key[Array, ""] | None
    dt: float = eqx.field(static=True)
    every: int = eqx.field(static=True)
    record: tuple[str, ...] | Callable[[State, Output], PyTree] = eqx.field(static=True)

    def tick(self, index: Int[Array, ""]) -> Tick:
        return Tick.at(index, dt=self.dt, key=self.key)

    def step(self, state: State, index: Int[Array, ""], now: Any) -> tuple[State, Output]:
        tick = self.tick(index)
        return self.model.step(state, self.inputs.at(tick, now), tick)

    def observe(self, state: State, output: Output) -> PyTree:
        if callable(self.record):
            return self.record(state, output)
        return {path: self.model.read(path, state, output) for path in self.record}

    def block(self, state: State, start: Int[Array, ""], series: Any) -> tuple[State, PyTree]:
        """`every` steps and one record; `series` has `every` rows."""
        if self.every == 1:
            state, output = self.step(state, start, jax.tree.map(lambda x: x[0], series))
            return state, self.observe(state, output)

        def body(carry: State, x: Any) -> tuple[State, None]:
            k, now = x
            return self.step(carry, start + k, now)[0], None

        *_, last = ks = jnp.arange(self.every, dtype=jnp.int32)
        early = jax.tree.map(lambda x: x[:-1], series)
        state, _ = jax.lax.scan(body, state, (jnp.stack(ks[:-1]), early))
        state, output = self.step(state, start + last, jax.tree.map(lambda x: x[-1], series))
        return state, self.observe(state, output)

    def ends(self, starts: Int[Array, " records"]) -> Float[Array, " records"]:
        """Times at which the blocks that begin with these steps end."""
        return (starts + self.every).astype(jnp.result_type(float)) * self.dt

    def blocks(self, series: Any) -> Any:
        return jax.tree.map(lambda x: x.reshape(-1, self.every, *x.shape[1:]), series)


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
    key: Key[Array, ""] | None = None,
    progress: bool = False,
) -> Solution:
    r"""Runs a model for `duration` ms and records what is asked for.

    Step $k$ takes the state from $k\,\Delta t$ to $(k + 1)\,\Delta t$. Compiled once for each model structure, number
    of steps and record; other values of parameters, inputs, start, state and key compile nothing. Works inside
    `jax.jit`, `jax.vmap` and `jax.grad`.

    **Arguments:**

    - `model`: any `AbstractDynamics`: a network, a cell, your own.
    - `state`: from `model.init(dt=dt)`, or that of an earlier solution.
    - `inputs`: for every step the same pytree; arrays over time, with one row for each step as axis 0 (leaves may be
      mixed); or a function of the tick. In a network a dictionary by population.
    - `dt`: length of a step (ms).
    - `duration`: length of the run (ms), a whole number of steps.
    - `record`: paths such as `"E.spike"`, `"E.v"`, `"I.exc.g"`, `"E->E.weight"` (on a bare cell `"spike"`, `"v"`), or a
      function of (state, output). Nothing by default.
    - `every`: record after every so many steps; the number of steps must be a multiple.
    - `start`: number of the first step; to go on from an earlier run, the number of steps done so far.
    - `chunk`: run in compiled pieces of so many steps, a multiple of `every`, and move the records to host memory as
      they come. The result is bitwise the same.
    - `key`: random key of the run, for noise. What is drawn depends on (key, step, place) alone.
    - `progress`: show a progress bar; runs in chunks.

    **Returns:** a `Solution`.

    **Raises:** `ValueError` or `TypeError` before anything is compiled: a duration that is not a whole number of steps,
    a dt other than the state's, an unknown path, an input of the wrong shape. `FloatingPointError` after a run in which
    a variable became non-finite, naming it and the step (inside another transformation, `equinox.error_if` names the
    variable).

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, t_ref=2.0)
        sol = npt.simulate(cell, cell.init(dt=0.1), 30.0, dt=0.1, duration=100.0, record=["v", "spike"])
        sol = npt.simulate(cell, sol.state, 30.0, dt=0.1, duration=50.0, start=1000)
        ```
    """
    n_steps = whole_steps(duration, dt)
    dt = float(dt)
    check_dt(state, dt)
    _check_pieces(n_steps, every, chunk, progress)
    check_key(key)
    start = first_step(start, n_steps)
    model, state = _strong(model), _strong(state)
    sorted_inputs = sort_inputs(model, inputs, n_steps, lambda: Tick.at(0, dt=dt, key=key))
    run = _Run(model, sorted_inputs, key, dt, every, record if callable(record) else _paths(record))
    traced = any(isinstance(x, Tracer) for x in jax.tree.leaves((run, state, start)))
    if chunk is None and not progress:
        ts, out, final, flags = _whole(run, state, start, n_steps)
        if traced:
            final = guard(state, final, dt)
        else:
            _raise_if_broken(run, state, flags, start, n_steps, 0)
        return Solution(ts, out, final)
    if traced:
        raise ValueError(
            "chunk= and progress= run pieces from the host; leave them out inside jax.jit, jax.vmap and jax.grad"
        )
    piece = min(n_steps, chunk or every * -(-n_steps // (100 * every)))
    return _pieces(run, state, int(start), n_steps, piece, progress)


@eqx.filter_jit
def _whole(run: _Run, state: State, start: Int[Array, ""], n_steps: int) -> tuple[Array, PyTree, State, Array]:
    _rehearse(run, state)

    def body(carry: State, x: Any) -> tuple[State, PyTree]:
        index, series = x
        return run.block(carry, index, series)

    starts = start + run.every * jnp.arange(n_steps // run.every, dtype=jnp.int32)
    final, out = jax.lax.scan(body, state, (starts, run.blocks(run.inputs.series)))
    return run.ends(starts), out, final, broken(state, final)


@eqx.filter_jit
def _piece(
    run: _Run, state: State, start: Int[Array, ""], series: Any, count: Int[Array, ""], blocks: int
) -> tuple[Array, PyTree, State, Array]:
    """`count` blocks of a piece that has room for `blocks`: the last piece needs no program of its own."""
    records = _rehearse(run, state, jax.tree.map(lambda x: x[0, 0], series))

    def body(k: Array, carry: Any) -> Any:
        state, out = carry
        now = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, k, keepdims=False), series)
        state, seen = run.block(state, start + run.every * k, now)
        return state, jax.tree.map(lambda o, x: jax.lax.dynamic_update_index_in_dim(o, x, k, 0), out, seen)

    out = jax.tree.map(lambda x: jnp.zeros((blocks, *x.shape), x.dtype), records)
    final, out = jax.lax.fori_loop(jnp.zeros((), jnp.int32), count, body, (state, out))
    ts = run.ends(start + run.every * jnp.arange(blocks, dtype=jnp.int32))
    return ts, out, final, broken(state, final)


def _pieces(run: _Run, state: State, start: int, n_steps: int, piece: int, progress: bool) -> Solution:
    series = run.inputs.series
    lean = eqx.tree_at(lambda r: r.inputs.series, run, None, is_leaf=lambda x: x is None)
    whole: list[np.ndarray] = []
    structure = None
    with progress_bar(n_steps, progress) as advance:
        for first in range(0, n_steps, piece):
            size = min(piece, n_steps - first)
            now = jax.tree.map(lambda x: _padded(x, first, size, piece), series)  # noqa: B023
            index, count = jnp.asarray(start + first, jnp.int32), jnp.asarray(size // run.every, jnp.int32)
            before = state
            ts, out, state, flags = _piece(lean, before, index, run.blocks(now), count, piece // run.every)
            _raise_if_broken(run, before, flags, start + first, size, first)
            parts, structure = jax.tree.flatten((ts, out))
            whole = whole or [np.zeros((n_steps // run.every, *x.shape[1:]), x.dtype) for x in parts]
            rows = slice(first // run.every, (first + size) // run.every)
            for host, part in zip(whole, parts, strict=True):
                host[rows] = np.asarray(part)[: rows.stop - rows.start]
            advance(size)
    assert structure is not None  # a run has at least one step
    ts, out = jax.tree.unflatten(structure, whole)
    return Solution(ts, out, state)


def _padded(x: Array, first: int, size: int, piece: int) -> Array:
    rows = x[first : first + size]
    return rows if size == piece else jnp.concatenate([rows, jnp.zeros((piece - size, *x.shape[1:]), x.dtype)])


def _check_pieces(n_steps: int, every: int, chunk: int | None, progress: bool) -> None:
    for name, n in (("every", every), ("chunk", chunk)):
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise ValueError(f"{name} is {n!r}; expected a whole number of steps, at least 1")
    if n_steps % every:
        raise ValueError(f"every={every} doesn't divide the {n_steps} steps of this run")
    if chunk is not None and chunk % every:
        raise ValueError(f"chunk={chunk} is not a multiple of every={every}")


def _paths(record: Sequence[str]) -> tuple[str, ...]:
    if isinstance(record, str) or not isinstance(record, Sequence) or not all(isinstance(path, str) for path in record):
        raise TypeError(f"record is {record!r}; expected a list of paths, or a function of (state, output)")
    return tuple(record)


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


def _rehearse(run: _Run, state: State, now: Any = None) -> PyTree:
    """Shapes of one record, found by tracing one step.

    **Raises:** `TypeError` if the step changes the form of its state: the loop's own message would name no model.
    """
    rows = jax.tree.map(lambda x: x[0], run.inputs.series) if now is None else now

    def one(state: State) -> Any:
        new, output = run.step(state, jnp.zeros((), jnp.int32), rows)
        return new, run.observe(new, output)

    new, records = eqx.filter_eval_shape(one, state)
    shapes = [jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x)), tree) for tree in (state, new)]
    if jax.tree.structure(state) != jax.tree.structure(new) or shapes[0] != shapes[1]:
        raise TypeError(
            f"{type(run.model).__name__}.step changes the structure, shapes or dtypes of its state: from {shapes[0]} "
            f"to {shapes[1]}"
        )
    return records


def _raise_if_broken(run: _Run, state: State, flags: Array, start: Any, n_steps: int, offset: int) -> None:
    if not bool(np.any(np.asarray(flags))):
        return
    count, which = _first_broken(run, state, jnp.asarray(start, jnp.int32), n_steps, offset)
    raise FloatingPointError(broken_message(state, int(which), int(start) + int(count), run.dt))


@eqx.filter_jit
def _first_broken(run: _Run, state: State, start: Array, n_steps: int, offset: int) -> tuple[Array, Array]:
    """Runs again to find in which step a variable became non-finite first, and which."""

    def body(carry: Any) -> Any:
        k, now, _ = carry
        series = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, offset + k, keepdims=False), run.inputs.series)
        new, _ = run.step(now, start + k, series)
        return k + 1, new, broken(state, new)

    first = (jnp.zeros((), jnp.int32), state, jnp.zeros_like(broken(state, state)))
    k, _, flags = jax.lax.while_loop(lambda c: (c[0] < n_steps) & ~jnp.any(c[2]), body, first)
    return k - 1, jnp.argmax(flags)
