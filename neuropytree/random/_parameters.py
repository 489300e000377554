"""Parameters and dtypes of draws, checked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._arguments import check_dtype, known_values


def whole(x: Any, name: str, *, least: int = -(2**31)) -> Array:
    """A parameter of whole numbers, as int32. One of 64 bits that is only known at run time, and doesn't fit, is the
    nearest that does; below `least`, and above 2^31 - 1 where negative ones are none, -1.

    **Raises:** `TypeError` unless its dtype is that of integers; `ValueError` where a number is known to be out of
    bounds.
    """
    array = x if isinstance(x, jax.Array) else np.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} is {x!r}; expected whole numbers")
    known = known_values(array)
    if known is not None and known.size and not (least <= known.min() and known.max() < 2**31):
        wrong = known.min() if known.min() < least else known.max()
        raise ValueError(f"{name} is {wrong}; expected whole numbers from {least} to 2^31 - 1")
    if known is None and array.dtype.itemsize == 8:
        most = jnp.asarray(2**31 - 1, array.dtype)
        array = jnp.where(array > most, jnp.asarray(-1 if least == 0 else 2**31 - 1, array.dtype), array)
        array = jnp.maximum(array, jnp.asarray(least - (least == 0), array.dtype))
    return jnp.asarray(array).astype(jnp.int32)


def floating(dtype: Any, *given: ArrayLike) -> Any:
    """The dtype of a draw: `dtype`, or that of the arrays that are given, or JAX's default float.

    **Raises:** `TypeError` for a dtype that isn't floating.
    """
    if dtype is None:
        dtypes = [x.dtype for x in given if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.floating)]
        return jnp.result_type(*dtypes) if dtypes else jnp.result_type(float)
    return check_dtype(dtype, "dtype", "a floating dtype", jnp.floating)


def counted(count: Array, dtype: Any) -> Array:
    """Counts in a dtype, those that it can't hold the largest that it can; those that are negative, for laws that there
    are not, are NaN where there is NaN.

    **Raises:** `TypeError` for another dtype.
    """
    expected = "a signed dtype of integers or a floating one"
    dtype = check_dtype(dtype, "dtype", expected, jnp.signedinteger, jnp.floating)
    if not jnp.issubdtype(dtype, jnp.floating):
        return jnp.minimum(count, min(jnp.iinfo(dtype).max, 2**31 - 1)).astype(dtype)
    number = count.astype(dtype)
    return jnp.where(count < 0, jnp.full_like(number, jnp.nan), number)
