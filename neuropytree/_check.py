"""Checks of a run: before anything is compiled, and of the numbers that came out."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Int

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
    try:
        good = not isinstance(start, bool) and jnp.ndim(start) == 0
        good = good and jnp.issubdtype(jnp.result_type(start), jnp.integer)
    except TypeError:
        good = False
    if not good:
        raise ValueError(f"start is {start!r}; expected the number of the first step")
    if isinstance(start, Tracer):
        return start.astype(jnp.int32)
    if int(start) < 0 or int(start) + n_steps >= 2**31:
        raise ValueError(f"start is {start}, for a run of {n_steps} steps; steps are numbered from 0 to 2^31 - 1")
    return jnp.asarray(start, jnp.int32)


def check_dt(state: Any, dt: float) -> None:
    """**Raises:** `ValueError` if any part of the state was made for another step."""
    for made in _dts(state):
        if made is not None and abs(made - dt) > 1e-9 * dt:
            raise ValueError(
                f"the state was made for dt={made} ms, and this run has dt={dt} ms: delays and refractory periods "
                "in it are counted in "
                f"steps; make one with init(dt={dt})"
            )


def _dts(tree: Any) -> list[float | None]:
    made = getattr(tree, "dt", None) if isinstance(tree, eqx.Module) else None
    found = [made] if isinstance(made, float | int) else []
    return found + [dt for child in fields_of(tree).values() for dt in _dts(child)]


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
    if parts[0] == "populations" and len(parts) > 2:
        return f"variable '{parts[-1]}' of population '{parts[1]}' ({path})"
    return f"variable '{path}'"


def guard(before: Any, after: Any, dt: float) -> Any:
    """`after`, with an error at run time if a variable became non-finite; for runs inside other transformations."""
    flags = broken(before, after)
    if flags.shape[0] == 0:
        return after
    messages = [broken_message(before, n, None, dt) for n in range(flags.shape[0])]
    return eqx.branched_error_if(after, jnp.any(flags), jnp.argmax(flags), messages)
