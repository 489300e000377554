"""Uniform numbers."""

from typing import Any

from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from .._stream import Origin
from ..ops import counter_uniform, element_numbers
from ._parameters import floating
from ._place import AxisName, Shape, Source, fitted, one_program, place


def uniform(
    tick: Source,
    low: ArrayLike = 0.0,
    high: ArrayLike = 1.0,
    *,
    shape: Shape = None,
    dtype: Any = None,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Independent numbers, uniform on $[\mathrm{low}, \mathrm{high})$.

    $\mathrm{low} + (\mathrm{high} - \mathrm{low})\,u$, where $u$ is a multiple of 2⁻²⁴ (in float64, of 2⁻⁵³) from 0 to
    1, without 1; so `high` itself can come out only where this is rounded up to it. Derivatives with respect to `low`
    and `high` are those of this product at fixed $u$.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. What is drawn for an
      element depends on its key, step and place by name, and on the number of the element, counted in C order: not on
      how many there are.
    - `low`, `high`: numbers, or arrays that broadcast. Defaults 0 and 1.
    - `shape`: of the result; that of `low` and `high` together unless given.
    - `dtype`: floating; that of the arrays among `low` and `high`, or JAX's default float, unless given.
    - `axis_name`: inside `jax.shard_map`, the mesh axis (or axes, the outermost first) that divides the first axis of
      the result among devices: elements are then numbered over all of them. Axes over which `low` or `high` varies and
      the stream doesn't are added of themselves.

    **Raises:** `ValueError` for a tick without a key, numbers that are not finite, and shapes that don't fit;
    `TypeError` for another dtype.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        x = npt.random.uniform(tick, -70.0, -50.0, shape=(10,))
        assert (x[:5] == npt.random.uniform(tick, -70.0, -50.0, shape=(5,))).all()
        ```
    """
    dtype = floating(dtype, low, high)
    low, high = real(low, "low"), real(high, "high")
    at = place("uniform", tick, shape, axis_name, low=low, high=high)
    return _uniform(at.origin, at.first, low, high, shape=at.shape, dtype=dtype)


@one_program
def _uniform(origin: Origin, first: Array, low: Array, high: Array, *, shape: tuple[int, ...], dtype: Any) -> Array:
    low, high = fitted(shape, dtype, low, high)
    return low + (high - low) * counter_uniform(origin, element_numbers(shape, first), dtype=dtype)
