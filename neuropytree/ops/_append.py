"""Events appended to a list."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Int

from ._common import Events, happened
from ._ffi import make_function


def _reference(*operands: Array) -> tuple[Array, ...]:
    *held, count, x, now = operands
    fired = happened(x)
    room = held[0].shape[0]
    place = jnp.where(fired, count + jnp.cumsum(fired, dtype=jnp.int32) - 1, room)
    new = [jnp.broadcast_to(now, x.shape), jnp.arange(x.shape[0], dtype=jnp.int32), x]
    held = [h.at[place].set(value, mode="drop") for h, value in zip(held, new, strict=False)]
    return *held, count + jnp.sum(fired, dtype=jnp.int32)


def _kernel(*operands: Any) -> str | None:
    kinds = {"bool": "bool", "float32": "f32", "float64": "f64"}
    kind = kinds.get(operands[-2].dtype.name)
    return kind and f"npt_append_{kind}"


_append = {n: make_function("npt_append", reference=_reference, kernel=_kernel, in_place=n) for n in (3, 4)}


def append_events(held: dict[str, Array], x: Events, now: Int[Array, ""]) -> dict[str, Array]:
    """A list with the events of `x` at its end, in place in a compiled loop.

    **Arguments:**

    - `held`: `steps` and `indices`, int32 of one length, `values` of the dtype of `x` unless that is boolean, and
      `count`, how many events there have been: as many as fit are at the beginning of the list.
    - `x`: shape `(n,)`; booleans, or numbers of which zero is none.
    - `now`: what is put into `steps`.

    **Returns:** the same with what fits of the events of `x`, in the order of their indices, and all of them counted.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        held = {"steps": jnp.full(4, -1, jnp.int32), "indices": jnp.full(4, 3, jnp.int32), "count": jnp.int32(0)}
        held = npt.ops.append_events(held, jnp.array([True, False, True]), jnp.int32(7))
        ```
    """
    names = [name for name in ("steps", "indices", "values") if name in held]
    operands = [held[name] for name in names] + [held["count"].reshape(1), x, now.reshape(1)]
    *lists, count = _append[len(names) + 1].bind(*operands, batch=(), impl="auto")
    return dict(zip(names, lists, strict=True)) | {"count": count.reshape(held["count"].shape)}
