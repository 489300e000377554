"""Events that are due in a step, from a list that is sorted by steps."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._ffi import make_function

_DTYPES = {"bool": "bool", "float32": "f32", "float64": "f64"}


def _reference(
    position: Array, steps: Array, cells: Array, now: Array, *, size: int, dtype: str
) -> tuple[Array, Array]:
    count = steps.shape[0]
    if count == 0:
        return position, jnp.zeros(size, dtype)
    one = jnp.ones((), jnp.int32)

    def at(k: Array) -> Array:
        return steps[jnp.clip(k, 0, count - 1)]

    place = jax.lax.while_loop(lambda k: (k > 0) & (at(k - one) >= now[0]), lambda k: k - one, position[0])
    place = jax.lax.while_loop(lambda k: (k < count) & (at(k) < now[0]), lambda k: k + one, place)

    def send(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        k, message = carry
        cell = cells[jnp.clip(k, 0, count - 1)]
        return k + one, message.at[cell].set(True) if dtype == "bool" else message.at[cell].add(1)

    place, message = jax.lax.while_loop(
        lambda carry: (carry[0] < count) & (at(carry[0]) == now[0]), send, (place, jnp.zeros(size, dtype))
    )
    return place[None], message


def _kernel(position: Any, steps: Any, *_: Any, size: int, dtype: str) -> str | None:
    del position
    return f"npt_due_{_DTYPES[dtype]}" if dtype in _DTYPES and size > 0 and steps.size > 0 else None


_due = make_function("npt_due", reference=_reference, kernel=_kernel, in_place=1)


def events_due(
    steps: Int[Array, " events"],
    cells: Int[Array, " events"],
    position: Int[Array, ""],
    now: Int[Array, ""],
    *,
    size: int,
    dtype: Any,
) -> tuple[Int[Array, ""], Float[Array, " size"] | Bool[Array, " size"]]:
    """What is due in step `now`, as a message.

    **Arguments:**

    - `steps`: of each event, int32, ascending.
    - `cells`: its element, int32, from 0 to `size - 1`.
    - `position`: where in the list to look first: what the step before returned, or any place. Where that is right
      nothing is searched.
    - `now`: number of the step.
    - `size`: number of elements.
    - `dtype`: of the message; events of one element are counted, unless it is boolean.

    **Returns:** the position behind the last event of this step, and the message.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        steps, cells = jnp.array([3, 3, 7], jnp.int32), jnp.array([0, 2, 1], jnp.int32)
        position, message = npt.ops.events_due(steps, cells, jnp.int32(0), jnp.int32(3), size=4, dtype=bool)
        ```
    """
    operands = (position.reshape(1), steps, cells, now.reshape(1))
    place, message = _due.bind(*operands, batch=(), impl="auto", size=int(size), dtype=jnp.dtype(dtype).name)
    return place.reshape(position.shape), message
