"""Times of steps, `index * dt`, rounded once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int


def as_dt(dt: Any) -> float:
    """The length of a step as a Python number.

    **Raises:** `TypeError` or `ValueError` unless it is a known number of ms above 0.
    """
    if isinstance(dt, Tracer):
        raise TypeError("dt fixes how delays are counted: it is a Python number, not a traced value")
    if isinstance(dt, bool) or np.ndim(dt) != 0 or np.asarray(dt).dtype.kind not in "iuf":
        raise TypeError(f"dt is {dt!r}; expected a number of ms")
    if not 1e-30 < float(dt) < float("inf"):
        raise ValueError(f"dt is {dt!r}; expected a positive number of ms")
    return float(dt)


def instant(index: Int[Array, "..."], dt: Any, *, after: Array | None = None) -> Array:
    """The time `index * dt` after another one, in float64, whether JAX is set to it or not.

    In float32, the product of a step's number and dt lies below the time that is meant in every fourth step.
    """
    with jax.enable_x64(True):
        step = dt.astype(jnp.float64) if isinstance(dt, jax.Array) else jnp.asarray(np.float64(dt))
        time = index.astype(jnp.float64) * step
        return time if after is None else after + time


def time_stamps(start: Any, dt: float, n_steps: int, every: int = 1) -> Float[Array | np.ndarray, " records"]:
    """The times (ms) at which every `every`-th of `n_steps` steps ends, the first of which has number `start`: float64
    on the host where that is known, else in JAX's default float."""
    ends = every * np.arange(1, n_steps // every + 1)
    if isinstance(start, Tracer):
        return instant(start + jnp.asarray(ends, jnp.int32), dt).astype(jnp.result_type(float))
    return (int(start) + ends) * float(dt)
