"""Explicit fixed-step methods."""

from typing import Any

import jax
from jaxtyping import Array, Key, PyTree

from .._types import Scalar
from ._base import AbstractField, AbstractStepper, refuse_noise


def _add(y: PyTree, *terms: tuple[Any, PyTree]) -> PyTree:
    def total(leaf: Array, *increments: Array) -> Array:
        for (weight, _), increment in zip(terms, increments, strict=True):
            leaf = leaf + weight * increment
        return leaf

    return jax.tree.map(total, y, *(tree for _, tree in terms))


class Euler(AbstractStepper):
    r"""Forward Euler, $y + \Delta t\, f(t, y)$; order 1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Euler())
        ```
    """

    def step(
        self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, key: Key[Array, ""] | None
    ) -> PyTree:
        del key
        refuse_noise(self, field, t, y, u)
        return _add(y, (dt, field.vector_field(t, y, u)))


class RK4(AbstractStepper):
    """The classical Runge–Kutta method; order 4. The input is held over the step.

    Source: Kutta 1901; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1, table II.1.2.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.RK4())
        ```
    """

    def step(
        self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, key: Key[Array, ""] | None
    ) -> PyTree:
        del key
        refuse_noise(self, field, t, y, u)
        half = t + dt / 2
        k1 = field.vector_field(t, y, u)
        k2 = field.vector_field(half, _add(y, (dt / 2, k1)), u)
        k3 = field.vector_field(half, _add(y, (dt / 2, k2)), u)
        k4 = field.vector_field(t + dt, _add(y, (dt, k3)), u)
        return _add(y, (dt / 6, k1), (dt / 3, k2), (dt / 3, k3), (dt / 6, k4))
