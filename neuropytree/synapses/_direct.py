"""Receptors without kinetics."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Scalar
from ._kinetics import AbstractKinetics


class DirectState(eqx.Module):
    """State of `Direct`: what has arrived, `x`."""

    x: Float[Array, "..."]


class Direct(AbstractKinetics):
    """No kinetics: what arrives acts over the next step, and is gone.

    For continuous messages, which arrive in every step: the rates of rate units, the output of a layer.

    !!! example

        ```python
        import neuropytree as npt
        port = npt.Receptor(npt.synapses.Direct(), npt.synapses.CUBA())
        units = npt.Population(npt.neurons.LeakyIntegrator(100, tau=10.0), {"in": port})
        ```
    """

    def init(self, shape: tuple[int, ...], dtype: Any) -> DirectState:
        return DirectState(jnp.zeros(shape, dtype))

    def relax(self, state: DirectState, dt: Scalar) -> DirectState:
        del dt
        return DirectState(jnp.zeros_like(state.x))

    def receive(self, state: DirectState, add: Callable[[Array], Array]) -> DirectState:
        return DirectState(add(state.x))

    def mean(self, state: DirectState, dt: Scalar, rate: Array | None = None) -> Array:
        del dt, rate
        return state.x
