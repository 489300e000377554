"""The sigmoid surrogate."""

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from ._base import AbstractSurrogate


class Sigmoid(AbstractSurrogate):
    r"""Derivative of a sigmoid, $\alpha\,\sigma(\alpha x)\,(1 - \sigma(\alpha x))$.

    **Arguments:**

    - `alpha`: steepness, in 1/mV when `x` is a voltage in mV. Default 4.

    Source: Zenke & Vogels 2021, doi:10.1162/neco_a_01367 (the family and its steepness).

    **Raises:** `TypeError` or `ValueError` unless `alpha` is positive.

    !!! example

        ```python
        import jax, neuropytree as npt
        jax.grad(npt.surrogate.Sigmoid(alpha=4.0))(0.0)  # 1.0
        ```
    """

    alpha: Float[Array, ""]

    def __init__(self, alpha: ArrayLike = 4.0):
        self.alpha = real(alpha, "alpha", positive=True)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        s = sigmoid(self.alpha.astype(jnp.result_type(x)) * x)
        return self.alpha.astype(s.dtype) * s * (1 - s)
