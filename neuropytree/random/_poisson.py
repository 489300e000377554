"""Poisson numbers."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from .._arguments import real
from ..ops import stream_poisson
from ._parameters import counted
from ._place import AxisName, Shape, Source, place


def poisson(
    tick: Source,
    mean: ArrayLike,
    *,
    shape: Shape = None,
    dtype: Any = jnp.int32,
    axis_name: AxisName = None,
) -> Array:
    r"""Independent Poisson numbers, such as the spikes that a step brings from many sources.

    The law is exact: below a mean of 32 by inversion of the distribution function at a number of 53 bits, above by
    transformed rejection with words of 32 bits. With one mean for all, inversion is by a table, made anew in each
    call; the numbers are those of as many equal means. As a count, `mean` has no derivative: that of the result, in a
    floating dtype, is 0.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. See `uniform`.
    - `mean`: a number, or an array, from 0 to 2³⁰: rate times step, not a rate.
    - `shape`: of the result; that of `mean` unless given.
    - `dtype`: of the result, of signed integers (counts that a small one can't hold are its largest) or
      floating (counts as events for connectivities). Default int32.
    - `axis_name`: see `uniform`.

    **Returns:** the numbers. Where a mean that is only known at run time is negative, NaN or above 2³⁰, -1; in a
    floating dtype NaN.

    **Raises:** `ValueError` for a tick without a key, a mean that is known to be none, and shapes that don't fit;
    `TypeError` for another dtype.

    Source: Hörmann 1993, "The transformed rejection method for generating Poisson random variables",
    doi:10.1016/0167-6687(93)90997-4.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        rate, n_sources = 8.0, 2000  # Hz
        arrivals = npt.random.poisson(tick.fold("background"), n_sources * rate * 1e-3 * tick.dt, shape=(100,))
        ```
    """
    mean = real(mean, "mean", least=0, most=2.0**30)
    at = place("poisson", tick, shape, axis_name, mean=mean)
    return counted(stream_poisson(at.origin, mean, shape=at.shape, first=at.first), dtype)
