"""A ring of the last messages of one kind."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int

from .._arguments import known_values, whole
from .._errors import check_function
from .._series import numbers
from .._time import as_dt

History = ArrayLike | Callable[[float], ArrayLike]


class Line(eqx.Module):
    """The last messages of one kind, as many as the longest delay that reads them, and one; a state, made anew by each
    `write`.

    `read(0)` is the message that was written last, `read(m)` the one `m` writes before it.

    !!! example

        ```python
        import jax.numpy as jnp
        from neuropytree.delay import Line
        line = Line.filled(15, jnp.zeros(100), dt=0.1)
        line = line.write(jnp.ones(100))
        line.read(1)
        ```
    """

    data: Array
    head: Int[Array, ""]

    @classmethod
    def filled(cls, steps: int, silent: Array, *, dt: float, history: History | None = None) -> "Line":
        """A line for delays of up to `steps` steps of `dt` ms.

        **Arguments:**

        - `silent`: what has been sent for ever, unless there is a history.
        - `history`: what has been sent instead: a number or an array of the shape of `silent`, for ever; or a function
          of the time in ms, which is called with 0, -dt, -2 dt and so on: what is in place when the run begins, and
          before.

        **Raises:** `ValueError` or `TypeError` for a history of another form.
        """
        length, dt = whole(steps, "steps") + 1, as_dt(dt)
        if not isinstance(silent, jax.Array):
            raise TypeError(f"silent is {silent!r}; expected a message, an array of JAX")
        if history is None:
            rows = jnp.broadcast_to(silent, (length, *silent.shape))
        elif callable(history):
            check_function("a history", history, "t")
            rows = jnp.stack([_row(history(-k * dt), silent) for k in range(steps, -1, -1)])
        else:
            rows = jnp.broadcast_to(_row(history, silent), (length, *silent.shape))
        return cls(data=rows, head=jnp.asarray(steps, jnp.int32))

    @property
    def steps(self) -> int:
        """The longest delay that can be read."""
        return self.data.shape[0] - 1

    def read(self, steps: int) -> Array:
        """What was written `steps` writes before the last.

        **Raises:** `ValueError` if the line doesn't reach back that far.
        """
        length = self.data.shape[0]
        if not 0 <= steps < length:
            raise ValueError(f"a delay of {steps} steps can't be read from a line of {length - 1}")
        return jax.lax.dynamic_index_in_dim(self.data, (self.head - steps) % length, keepdims=False)

    def write(self, message: Array) -> "Line":
        """The line with `message` as the newest, in the place of the oldest."""
        head = (self.head + 1) % self.data.shape[0]
        return Line(data=jax.lax.dynamic_update_index_in_dim(self.data, message, head, 0), head=head)

    def newest_first(self) -> Array:
        """All messages, the newest as entry 0."""
        length = self.data.shape[0]
        return self.data[(self.head - jnp.arange(length, dtype=jnp.int32)) % length]


def _row(value: Any, silent: Array) -> Array:
    try:
        array = numbers(value, "a history")
        known = known_values(array)
        events = silent.dtype == bool
        if array.dtype == bool and not events:
            raise TypeError
        if known is not None and not (np.isin(known, (0, 1)) if events else np.isfinite(known)).all():
            raise ValueError
        return jnp.broadcast_to(array.astype(silent.dtype), silent.shape)
    except (TypeError, ValueError):
        wanted = "0 or 1" if silent.dtype == bool else "a finite number"
        raise ValueError(
            f"a history is or returns {value!r}; expected {wanted}, or an array of shape {silent.shape}"
        ) from None


def check_line(name: str, line: Line, message: Array) -> None:
    """**Raises:** `ValueError` if messages like this one were never on the line of that name."""
    if line.data.shape[1:] != message.shape or line.data.dtype != message.dtype:
        raise ValueError(
            f"the state's line of '{name}' holds {line.data.dtype.name}{list(line.data.shape[1:])}, and the message is "
            f"{message.dtype.name}{list(message.shape)}: the state is that of another network (make one by "
            "init), or the node's silent() has another form than its messages"
        )
