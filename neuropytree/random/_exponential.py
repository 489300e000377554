"""Exponential numbers."""

from typing import Any

from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from .._stream import Origin
from ..ops import counter_exponential, element_numbers
from ._parameters import floating
from ._place import AxisName, Shape, Source, fitted, one_program, place


def exponential(
    tick: Source,
    mean: ArrayLike = 1.0,
    *,
    shape: Shape = None,
    dtype: Any = None,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Independent exponential numbers of a given mean, such as intervals between the events of a Poisson process.

    $-\mathrm{mean} \ln u$, where $u$ is a word of 32 bits over 2³², correct to 2·10⁻⁷ of the mean; at most 22.2 times
    the mean. The derivative with respect to `mean` is that of this product at fixed $u$.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. See `uniform`.
    - `mean`: a number, or an array; at least 0. Default 1.
    - `shape`: of the result; that of `mean` unless given.
    - `dtype`: floating; that of `mean` if it is an array, or JAX's default float, unless given.
    - `axis_name`: see `uniform`.

    **Raises:** `ValueError` for a tick without a key, a mean that is negative or not finite, and shapes that don't
    fit; `TypeError` for another dtype.

    !!! example

        ```python
        import jax, neuropytree as npt
        intervals = npt.random.exponential(jax.random.key(0), 20.0, shape=(10,))
        ```
    """
    dtype = floating(dtype, mean)
    mean = real(mean, "mean", least=0)
    at = place("exponential", tick, shape, axis_name, mean=mean)
    return _exponential(at.origin, at.first, mean, shape=at.shape, dtype=dtype)


@one_program
def _exponential(origin: Origin, first: Array, mean: Array, *, shape: tuple[int, ...], dtype: Any) -> Array:
    (mean,) = fitted(shape, dtype, mean)
    return mean * counter_exponential(origin, element_numbers(shape, first), dtype=dtype)
