"""Single-exponential kinetics."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._math import decayed, exprel
from .._types import Parameter, Scalar, parameter
from ._kinetics import AbstractKinetics


class ExponentialState(eqx.Module):
    """State of `Exponential`: the conductance `g`."""

    g: Float[Array, "..."]


class Exponential(AbstractKinetics):
    r"""Single-exponential kinetics, $\dot g = -g / \tau$, and $g \leftarrow g + x$ for what arrives; exact at any step.

    **Arguments:**

    - `tau`: decay time constant (ms). Default 8.

    The unit of `g` is that of the weights that arrive: nS, pA, or multiples of the leak conductance.

    Source: Roth & van Rossum 2009, doi:10.7551/mitpress/9780262013277.003.0007.

    **Raises:** `ValueError` or `TypeError` unless `tau` is positive.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        kinetics = npt.synapses.Exponential(tau=5.0)
        state = kinetics.receive(kinetics.init((3,), float), lambda g: g + jnp.array([1.0, 0.0, 2.0]))
        kinetics.mean(state, 0.1)  # over the next 0.1 ms
        state = kinetics.relax(state, 0.1)
        ```
    """

    tau: Parameter = parameter(8.0, positional=True, positive=True, unit="ms")

    def init(self, shape: tuple[int, ...], dtype: Any) -> ExponentialState:
        return ExponentialState(jnp.zeros(shape, dtype))

    def relax(self, state: ExponentialState, dt: Scalar) -> ExponentialState:
        return ExponentialState(decayed(state.g, dt / self.tau))

    def receive(self, state: ExponentialState, add: Callable[[Array], Array]) -> ExponentialState:
        return ExponentialState(add(state.g))

    def mean(self, state: ExponentialState, dt: Scalar, rate: Array | None = None) -> Array:
        if rate is None:
            return state.g * exprel(-dt / self.tau)
        return state.g * (jnp.exp(-dt * rate) * exprel(dt * (rate - 1 / self.tau)) / exprel(-dt * rate))
