"""Checks of a run: before anything is compiled, and of the numbers that came out."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Int

from ._errors import listing
from ._types import fields_of, variables


def whole_steps(duration: float, dt: float) -> int:
    """`duration / dt` as a whole number.

    **Raises:** `ValueError` if it isn't one, saying which durations near it are.
    """
    if isinstance(dt, Tracer) or isinstance(duration, Tracer):
        raise TypeError("dt and duration fix the number of steps: they are Python numbers, not traced values")
    for name, x in (("dt", dt), ("duration", duration)):
        if isinstance(x, bool) or not isinstance(x, float | int | np.floating | np.integer):
            raise TypeError(f"{name} is {x!r}; expected a Python number (of an array of one, float() makes it)")
        if not x > 0 or x == float("inf"):
            raise ValueError(f"{name} is {x!r}; expected a positive number of ms")
    if dt < 1e-30:
        raise ValueError(f"dt is {dt!r} ms; float32 can't tell it from 0")
    if not duration / dt < 2**31:
        raise ValueError(
            f"duration {duration} ms is {duration / dt:.6g} steps of {dt} ms; at most 2^31 - 1 can be counted"
        )
    n = round(duration / dt)
    if n < 1 or abs(duration / dt - n) > 1e-6 * max(1.0, n * 1e-3):
        below = int(duration / dt)
        raise ValueError(
            f"duration {duration} ms is {duration / dt:.6g} steps of {dt} ms, not a whole number; the nearest are "
            f"{max(below, 1) * dt:.10g} and {(max(below, 1) + 1) * dt:.10g} ms"
        )
    return n


def first_step(start: Any, n_steps: int) -> Int[Array, ""]:
    """`start`, the number of a run's first step, as an array.

    **Raises:** `ValueError` if it isn't one.
    """
    good = isinstance(start, int | np.integer | np.ndarray | jax.Array) and not isinstance(start, bool)
    if not good or jnp.ndim(start) != 0 or not jnp.issubdtype(jnp.result_type(start), jnp.integer):
        raise ValueError(f"start is {start!r}; expected the number of the first step")
    if isinstance(start, Tracer):
        return start.astype(jnp.int32)
    if int(start) < 0 or int(start) + n_steps >= 2**31:
        raise ValueError(f"start is {start}, for a run of {n_steps} steps; steps are numbered from 0 to 2^31 - 1")
    return jnp.asarray(start, jnp.int32)


def check_dt(state: Any, dt: float) -> None:
    """**Raises:** `ValueError` if any part of the state was made for another step."""
    for made in _dts(state):
        if not _same(made, dt):
            raise ValueError(
                f"the state was made for dt={made} ms, and this run has dt={dt} ms: delays and refractory periods "
                f"in it are counted in steps; make one with init(dt={dt})"
            )


@contextlib.contextmanager
def own_state(state: Any, init: Callable[[], Any]) -> Iterator[None]:
    """Says of what goes wrong inside that it is the state's fault, if it hasn't the variables of what `init` makes.

    **Raises:** `TypeError` in its place. What is right costs nothing.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        want = eqx.filter_eval_shape(init)
        if jax.tree.structure(want) == jax.tree.structure(state):
            raise
        mine, theirs = ((listing(variables(x)), type(x).__name__) for x in (want, state))
        raise TypeError(
            f"the state has the variables {theirs[0]}, in a {theirs[1]}; expected {mine[0]}, in a {mine[1]}: make the "
            "state by this model's init"
        ) from error


def check_tick(made: float, tick: Any) -> None:
    """**Raises:** `ValueError` if a state made for steps of `made` ms meets a tick of another length."""
    if not isinstance(tick.dt, Tracer) and not _same(made, float(tick.dt)):
        raise ValueError(
            f"the state was made for dt={made} ms, and the tick has dt={float(tick.dt)} ms: delays in the state are "
            "counted in steps; make one by init with this dt"
        )


def _same(made: float, dt: float) -> bool:
    return abs(made - dt) <= 1e-6 * dt  # float32 has 6e-8


def _dts(tree: Any) -> list[float]:
    """The steps that a state was made for. What lies within a part that says it may have a step of its own."""
    made = getattr(tree, "dt", None) if isinstance(tree, eqx.Module) else None
    if isinstance(made, float | int | np.number):
        return [float(made)]
    return [dt for child in fields_of(tree).values() for dt in _dts(child)]


def _floating(state: Any) -> dict[str, Array]:
    return {name: x for name, x in variables(state).items() if jnp.issubdtype(x.dtype, jnp.inexact)}


def broken(before: Any, after: Any) -> Bool[Array, " variables"]:
    """For each variable of the state, whether an element that was finite no longer is."""
    pairs = zip(_floating(before).values(), _floating(after).values(), strict=True)
    flags = [jnp.any(jnp.isfinite(x) & ~jnp.isfinite(y)) for x, y in pairs]
    return jnp.stack(flags) if flags else jnp.zeros((0,), bool)


def broken_message(state: Any, which: int, step: int | None, dt: float) -> str:
    """What to say of the variable number `which`."""
    name = _spoken(list(_floating(state))[which])
    when = "during the run" if step is None else f"in step {step} (t = {step * dt:.10g} ms)"
    return f"{name} became non-finite {when}; a smaller dt, other parameters or a bounded input may mend it"


def _spoken(path: str) -> str:
    parts = path.split(".")
    of = {"nodes": "population", "pathways": "projection"}.get(parts[0])
    if of and len(parts) > 2:
        return f"variable '{parts[-1]}' of {of} '{parts[1]}' ({path})"
    if parts[0] == "lines" and len(parts) > 2:
        return f"the line of '{'.'.join(parts[1:-1])}' ({path})"
    return f"variable '{path}'"
