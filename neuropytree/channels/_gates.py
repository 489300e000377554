"""The two ways in which the literature gives the kinetics of a gate."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .._arguments import check_real, check_reals
from ..integrate import Relaxation


def inf_tau(inf: Array, tau: Array, phi: Any = 1.0) -> Relaxation:
    r"""A gate that relaxes, $\dot x = \phi\,(x_\infty - x)/\tau$.

    **Arguments:**

    - `inf`: steady state.
    - `tau`: time constant (ms).
    - `phi`: temperature factor.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt
        v = jnp.asarray(-60.0)
        gate = npt.channels.inf_tau(jax.nn.sigmoid((v + 35.0) / 10.0), jnp.asarray(20.0))
        ```
    """
    return Relaxation(phi / tau, inf)


def alpha_beta(alpha: Array, beta: Array, phi: Any = 1.0) -> Relaxation:
    r"""A gate that opens and closes, $\dot x = \phi\,(\alpha (1 - x) - \beta x)$.

    **Arguments:**

    - `alpha`, `beta`: rates of opening and closing (1/ms).
    - `phi`: temperature factor.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        v = jnp.asarray(-60.0)
        gate = npt.channels.alpha_beta(0.07 * jnp.exp(-(v + 65) / 20), 1 / (1 + jnp.exp(-(v + 35) / 10)))
        ```
    """
    total = alpha + beta
    return Relaxation(phi * total, alpha / total)


def q10(factor: float, celsius: Any, reference: float) -> Array:
    r"""The temperature factor $q^{(T - T_0)/10}$.

    **Arguments:**

    - `factor`: by how much ten degrees speed things up.
    - `celsius`: temperature $T$ (°C).
    - `reference`: temperature $T_0$ that the rates were measured at (°C).

    !!! example

        ```python
        import neuropytree as npt
        npt.channels.q10(3.0, 36.0, 26.0)  # 3
        ```
    """
    check_real(factor, "factor", positive=True, shape=())
    check_reals({"celsius": celsius, "reference": reference}, least=-273.15, unit="°C")
    return jnp.asarray(factor, jnp.result_type(float)) ** ((jnp.asarray(celsius) - reference) / 10)
