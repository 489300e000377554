"""The two-sided exponential surrogate."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from ._base import AbstractSurrogate


class PiecewiseExp(AbstractSurrogate):
    r"""Two-sided exponential derivative, $\frac{\alpha}{2} e^{-\alpha |x|}$.

    **Arguments:**

    - `alpha`: inverse width, in 1/mV when `x` is a voltage in mV. Default 1.

    Source: Neftci, Mostafa & Zenke 2019, doi:10.1109/MSP.2019.2931595; Shrestha & Orchard 2018 (arXiv:1810.08646).

    **Raises:** `TypeError` or `ValueError` unless `alpha` is positive.

    !!! example

        ```python
        import jax, neuropytree as npt
        jax.grad(npt.surrogate.PiecewiseExp(alpha=1.0))(0.0)  # 0.5
        ```
    """

    alpha: Float[Array, ""]

    def __init__(self, alpha: ArrayLike = 1.0):
        self.alpha = real(alpha, "alpha", positive=True)

    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        alpha = self.alpha.astype(jnp.result_type(x))
        return alpha / 2 * jnp.exp(-alpha * jnp.abs(x))
