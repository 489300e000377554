"""Binomial numbers."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Int

from .._arguments import real
from ..ops import stream_binomial
from ._parameters import counted, whole
from ._place import AxisName, Shape, Source, place


def binomial(
    tick: Source,
    n: int | Int[Array, "..."],
    p: ArrayLike,
    *,
    shape: Shape = None,
    dtype: Any = jnp.int32,
    axis_name: AxisName = None,
) -> Array:
    r"""Independent binomial numbers: how many of `n` things happen, each with probability `p`.

    The law is exact: where the mean of the less likely outcome is below 32, by inversion of the distribution function
    at a number of 53 bits, else by transformed rejection with words of 32 bits. With one `n` and `p` for all, inversion
    is by a table, made anew in each call; the numbers are those of as many equal ones. `p` has no derivative: that of
    the result, in a floating dtype, is 0.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. See `uniform`.
    - `n`: a whole number, or an integer array, from 0 to 2³¹ - 1.
    - `p`: a number, or an array, from 0 to 1.
    - `shape`: of the result; that of `n` and `p` together unless given.
    - `dtype`: of the result, of signed integers (counts that a small one can't hold are its largest) or
      floating. Default int32.
    - `axis_name`: see `uniform`.

    **Returns:** the numbers. Where `n` or `p` is only known at run time and out of bounds, or `p` NaN, -1; in a
    floating dtype NaN.

    **Raises:** `ValueError` for a tick without a key, an `n` or `p` that is known to be out of bounds, and shapes that
    don't fit; `TypeError` for another dtype, and for an `n` that isn't whole.

    Source: Hörmann 1993, "The generation of binomial random variates", doi:10.1080/00949659308811496.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        released = npt.random.binomial(tick.fold("release"), 5, 0.3, shape=(100,))
        ```
    """
    n, p = whole(n, "n", least=0), real(p, "p", least=0, most=1)
    at = place("binomial", tick, shape, axis_name, n=n, p=p)
    return counted(stream_binomial(at.origin, n, p, shape=at.shape, first=at.first), dtype)
