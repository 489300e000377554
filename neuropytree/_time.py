"""Times of steps, `index * dt`, rounded once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int


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
