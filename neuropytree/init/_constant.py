"""Constant initial values."""

from typing import Any

from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from ._base import AbstractInitializer, values


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
        dtype = self.value.dtype if dtype is None else dtype
        return values(self.value, shape, key=key, dtype=dtype, name="value")
