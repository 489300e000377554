"""Constant initial values."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from ._base import AbstractInitializer


class Constant(AbstractInitializer):
    """The same value everywhere.

    **Arguments:**

    - `value`: the value, in the unit of what it initialises.

    As a weight, `Constant(0.6)` makes one weight per edge, all 0.6 at first; the plain number `0.6` makes one weight
    that all edges share.

    !!! example

        ```python
        import neuropytree as npt
        npt.init.Constant(-60.0)((3,))
        ```
    """

    value: Float[Array, ""]

    def __init__(self, value: ArrayLike):
        self.value = real(value, "value")

    def __call__(
        self, shape: tuple[int, ...], *, key: Key[Array, ""] | None = None, dtype: Any = None
    ) -> Float[Array, "..."]:
        return jnp.broadcast_to(self.value.astype(dtype or self.value.dtype), shape)
