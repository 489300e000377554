"""Normal initial values."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from ..random import normal
from ._base import AbstractInitializer, checked_form, need_key


class Normal(AbstractInitializer):
    r"""Independent normal values, $\mathcal{N}(\mathrm{mean}, \mathrm{std}^2)$: those of `npt.random.normal`, so a
    larger array has those of a smaller one.

    **Arguments:**

    - `mean`, `std`: in the unit of what it initialises. Defaults 0 and 1.

    **Raises:** `TypeError` or `ValueError` for numbers that aren't finite and a negative `std`; `ValueError` when
    called without a key.

    !!! example

        ```python
        import jax, neuropytree as npt
        npt.init.Normal(-55.0, 2.0)((3,), key=jax.random.key(0))
        ```
    """

    mean: Float[Array, ""]
    std: Float[Array, ""]

    def __init__(self, mean: ArrayLike = 0.0, std: ArrayLike = 1.0):
        self.mean, self.std = real(mean, "mean"), real(std, "std", least=0)

    def __call__(
        self, shape: tuple[int, ...], *, key: Key[Array, ""] | None = None, dtype: Any = None
    ) -> Float[Array, "..."]:
        shape, dtype = checked_form(shape, dtype)
        dtype = dtype or jnp.result_type(self.mean, self.std)
        return normal(need_key(key, "init.Normal"), self.mean, self.std, shape=shape, dtype=dtype)
