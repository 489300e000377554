"""One ring buffer for each source of delayed events."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int


def delay_steps(delay: float | None, dt: float) -> int:
    """Steps from emission to arrival: `max(1, round(delay / dt))`; `None` means one step."""
    return 1 if delay is None else max(1, round(delay / dt))


def check_delay(delay: float | None, name: str) -> None:
    """**Raises:** `ValueError` unless `delay` is `None` or a finite number of ms, not negative."""
    if delay is None:
        return
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not math.isfinite(delay) or delay < 0:
        raise ValueError(f"{name} has delay {delay!r}; expected None (one step) or a number of ms, at least 0")


class RingBuffer(eqx.Module):
    """The last `length` outputs of a source; a state, made anew by each `write`.

    What was emitted `steps` ago is `read(steps)`, for `1 <= steps <= length`. In a step, read first and write last.

    !!! example

        ```python
        import jax.numpy as jnp
        from neuropytree.delay import RingBuffer
        buffer = RingBuffer.zeros(15, (100,), float)
        buffer = buffer.write(jnp.ones(100))
        buffer.read(1)
        ```
    """

    data: Array
    head: Int[Array, ""]

    @classmethod
    def zeros(cls, length: int, shape: tuple[int, ...], dtype: Any) -> "RingBuffer":
        """A buffer in which nothing has been emitted yet."""
        return cls(jnp.zeros((length, *shape), dtype), jnp.zeros((), jnp.int32))

    def read(self, steps: int) -> Array:
        """What was written `steps` writes ago.

        **Raises:** `ValueError` if the buffer doesn't reach back that far.
        """
        length = self.data.shape[0]
        if not 1 <= steps <= length:
            raise ValueError(f"a delay of {steps} steps can't be read from a buffer of {length}")
        if length == 1:
            return self.data[0]
        return jax.lax.dynamic_index_in_dim(self.data, (self.head - steps) % length, keepdims=False)

    def write(self, x: Array) -> "RingBuffer":
        """The buffer with `x` as the newest entry."""
        length = self.data.shape[0]
        if length == 1:
            return RingBuffer(x[None], self.head)
        data = jax.lax.dynamic_update_index_in_dim(self.data, x, self.head, 0)
        return RingBuffer(data, (self.head + 1) % length)
