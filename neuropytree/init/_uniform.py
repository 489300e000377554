"""Uniform initial values."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import known_values, real
from ..random import uniform
from ._base import AbstractInitializer, checked_form, need_key


class Uniform(AbstractInitializer):
    r"""Independent values, uniform on $[\mathrm{low}, \mathrm{high})$: those of `npt.random.uniform`, so a larger array
    has those of a smaller one.

    **Arguments:**

    - `low`, `high`: the interval, in the unit of what it initialises. Defaults 0 and 1.

    **Raises:** `TypeError` or `ValueError` unless both are finite and `low` is not above `high`; `ValueError` when
    called without a key.

    !!! example

        ```python
        import jax, neuropytree as npt
        npt.init.Uniform(-70.0, -50.0)((3,), key=jax.random.key(0))
        ```
    """

    low: Float[Array, ""]
    high: Float[Array, ""]

    def __init__(self, low: ArrayLike = 0.0, high: ArrayLike = 1.0):
        self.low, self.high = real(low, "low"), real(high, "high")
        ends = known_values(self.low), known_values(self.high)
        if ends[0] is not None and ends[1] is not None and (ends[0] > ends[1]).any():
            raise ValueError(f"low is {low!r}, above high, which is {high!r}; expected low <= high")

    def __call__(
        self, shape: tuple[int, ...], *, key: Key[Array, ""] | None = None, dtype: Any = None
    ) -> Float[Array, "..."]:
        shape, dtype = checked_form(shape, dtype)
        dtype = dtype or jnp.result_type(self.low, self.high)
        return uniform(need_key(key, "init.Uniform"), self.low, self.high, shape=shape, dtype=dtype)
