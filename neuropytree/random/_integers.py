"""Whole numbers of an interval."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from .._arguments import known_values
from .._stream import Origin
from ..ops import counter_bits, element_numbers
from ._parameters import whole
from ._place import AxisName, Shape, Source, fitted, one_program, place


def integers(
    tick: Source,
    low: int | Int[Array, "..."],
    high: int | Int[Array, "..."],
    *,
    shape: Shape = None,
    axis_name: AxisName = None,
) -> Int[Array, "..."]:
    """Independent whole numbers from `low` to `high - 1`, int32.

    No number is more likely than another by more than `(high - low) / 2**64` of it.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. See `uniform`.
    - `low`, `high`: whole numbers, or integer arrays that broadcast, of 32 bits; `low` below `high`. Where they are
      only known at run time and `low` isn't below `high`, the result is `low`.
    - `shape`: of the result; that of `low` and `high` together unless given.
    - `axis_name`: see `uniform`.

    **Raises:** `ValueError` for a tick without a key, for `low` not below `high`, and for shapes that don't fit;
    `TypeError` for numbers that aren't whole.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        chosen = npt.random.integers(tick, 0, 800, shape=(10,))
        ```
    """
    low, high = whole(low, "low"), whole(high, "high")
    at = place("integers", tick, shape, axis_name, low=low, high=high)
    a, b = known_values(low), known_values(high)
    if a is not None and b is not None and not (a < b).all():
        raise ValueError(f"low is {np.max(a)} and high {np.min(b)}; expected low below high")
    return _integers(at.origin, at.first, low, high, shape=at.shape)


@one_program
def _integers(origin: Origin, start: Array, low: Array, high: Array, *, shape: tuple[int, ...]) -> Array:
    low, high = fitted(shape, jnp.int32, low, high)
    first, second = counter_bits(origin, element_numbers(shape, start))
    with jax.enable_x64(True):
        many = jnp.maximum(high.astype(jnp.int64) - low.astype(jnp.int64), 0).astype(jnp.uint64)
        rest = (second.astype(jnp.uint64) * many) >> np.uint64(32)
        return low + ((first.astype(jnp.uint64) * many + rest) >> np.uint64(32)).astype(jnp.int32)
