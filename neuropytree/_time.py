"""Times of steps, `index * dt`, rounded once."""

from typing import Any

import equinox as eqx
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
        time = index.astype(jnp.float64) * wide(dt)
        return time if after is None else after + time


def wide(x: Any) -> Array:
    """`x` in float64; to be called, and what it gives used, where JAX is set to that."""
    return x.astype(jnp.float64) if isinstance(x, jax.Array) else jnp.asarray(np.asarray(x, np.float64))


def time_stamps(start: Any, dt: float, n_steps: int, every: int = 1) -> Float[Array | np.ndarray, " records"]:
    """The times (ms) at which every `every`-th of `n_steps` steps ends, the first of which has number `start`: float64
    on the host where that is known, else in JAX's default float."""
    ends = every * np.arange(1, n_steps // every + 1)
    if isinstance(start, Tracer):
        return instant(start + jnp.asarray(ends, jnp.int32), dt).astype(jnp.result_type(float))
    return (int(start) + ends) * float(dt)


class Base(eqx.Module):
    """An instant that times are counted from, as a sum of two numbers: together they have twice the digits."""

    high: Float[Array, ""]
    low: Float[Array, ""]

    @classmethod
    def at(cls, s: Float[Array, ""]) -> "Base":
        return cls(s, jnp.zeros_like(s))

    def plus(self, s: Float[Array, ""]) -> "Base":
        """`s` later."""
        x = self.low + s
        high = self.high + x
        part = high - self.high
        return Base(high, jax.lax.stop_gradient((self.high - (high - part)) + (x - part)))

    def total(self, s: Float[Array, ""]) -> Float[Array, ""]:
        """The time that is `s` later."""
        return self.high + (self.low + s)

    def since(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        """How much later `s` is."""
        return (s - self.high) - self.low


class Clock(eqx.Module):
    """The time of a solve that counts from its own beginning: `clock(s)` is `begin + s`, rounded once. With a base, `s`
    counts from that, and it from the beginning.

    Late, times are further apart than those since the beginning. So that a function of the time that jumps at one of
    `jumps` is seen on the side on which `s` is, no time is rounded across them.
    """

    begin: Float[Array, ""]
    jumps: Float[Array, " jumps"]

    @property
    def since(self) -> Float[Array, " jumps"]:
        """When the jumps are, from the beginning."""
        return self.jumps - self.begin

    def within(self, s: Array, length: Array) -> Array:
        """`s` with what only rounding has put outside of 0 and `length` put back."""
        slack = 4 * jnp.finfo(s.dtype).eps * (jnp.abs(self.begin) + length)
        s = jnp.where((s < 0) & (s >= -slack), 0, s)
        return jnp.where((s > length) & (s <= length + slack), length, s)

    def __call__(self, s: Float[Array, ""], base: Base | None = None) -> Float[Array, ""]:
        t = self.begin + (s if base is None else base.total(s))
        if self.jumps.shape[0] == 0:
            return t
        still = jax.lax.stop_gradient(self.jumps)
        limits = jnp.finfo(t.dtype)
        ulp = jnp.where(jnp.isfinite(still), jnp.maximum(limits.eps * jnp.abs(still), limits.tiny), 0)
        over = (self.since if base is None else base.since(self.since)) <= s
        low = jnp.max(jnp.where(over, still + ulp, -jnp.inf))
        high = jnp.min(jnp.where(over, jnp.inf, still - ulp))
        # where two jumps are next to each other, what comes after the first has its way
        return t + jax.lax.stop_gradient(jnp.maximum(jnp.minimum(t, high), low) - t)
