"""Implicit one-step methods, for stiff fields."""

from typing import Any

import jax
from jaxtyping import Array, PyTree

from .._stream import Source
from .._types import Scalar
from ._base import AbstractField, AbstractStepper, Linear, Relaxation, declared_by, derivatives, refuse_noise
from ._elementwise import depends
from ._newton import root


class BackwardEuler(AbstractStepper):
    r"""Backward Euler, $y_1 = y_0 + \Delta t\, f(t + \Delta t, y_1)$; order 1, stable at any step ($L$-stable).

    Where every variable has declared coefficients that don't depend on the variables, the step is solved in closed
    form, variable by variable. Else by Newton's method: where elements are independent, as in a population, with a
    small matrix for each element; otherwise with one dense matrix over all of them; and where that leaves the way from
    the beginning of the step, along the flow to the root that it leads to. Where neither converges the step gives NaN,
    which `simulate` and `odeint` report. The input is held over the step. Derivatives are those of the solution, by the
    implicit function theorem.

    **Raises:** `ValueError` at trace time for a field with noise.

    Source: Hairer & Wanner 1996, doi:10.1007/978-3-642-05221-7.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.BackwardEuler())
        ```
    """

    def step(
        self,
        field: AbstractField,
        t: Scalar,
        y: PyTree,
        u: Any,
        dt: Scalar,
        *,
        state: Any = None,
        key: Source | None = None,
    ) -> tuple[PyTree, Any]:
        del key
        refuse_noise(self, field, t, y, u)
        return _step(field, t, y, u, dt, 1.0), state


class CrankNicolson(AbstractStepper):
    r"""Crank–Nicolson, the implicit trapezoidal rule,

    $$y_1 = y_0 + \tfrac{\Delta t}{2} \big(f(t, y_0) + f(t + \Delta t, y_1)\big);$$

    order 2, stable at any step ($A$-stable). Very fast decays are not damped but alternate in sign, which
    `BackwardEuler` doesn't do. Solved as there.

    **Raises:** `ValueError` at trace time for a field with noise.

    Source: Crank & Nicolson 1947, doi:10.1017/S0305004100023197; Hairer & Wanner 1996, doi:10.1007/978-3-642-05221-7.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.CrankNicolson())
        ```
    """

    def step(
        self,
        field: AbstractField,
        t: Scalar,
        y: PyTree,
        u: Any,
        dt: Scalar,
        *,
        state: Any = None,
        key: Source | None = None,
    ) -> tuple[PyTree, Any]:
        del key
        refuse_noise(self, field, t, y, u)
        return _step(field, t, y, u, dt, 0.5), state


def _step(field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, theta: float) -> PyTree:
    """`y1 = y + dt ((1 - theta) f(t, y) + theta f(t + dt, y1))`."""
    leaves, structure = jax.tree.flatten(y)
    if theta < 1:
        begin = [(1 - theta) * dt * f for f in derivatives(field, t, y, u)]
        leaves = [leaf + f for leaf, f in zip(leaves, begin, strict=True)]

    def coefficients(y: PyTree) -> list[Any]:
        return declared_by(field, t + dt, y, u)

    at_end = coefficients(y)
    if at_end and all(at_end) and not depends(coefficients, y):
        closed = [_closed(leaf, c, theta * dt) for leaf, c in zip(leaves, at_end, strict=True)]
        return jax.tree.unflatten(structure, closed)

    def residual(z: PyTree) -> PyTree:
        f = derivatives(field, t + dt, z, u)
        zs = jax.tree.leaves(z)
        out = [zi - yi - theta * dt * fi for zi, yi, fi in zip(zs, leaves, f, strict=True)]
        return jax.tree.unflatten(structure, out)

    return root(residual, y)


def _closed(y: Array, c: Linear | Relaxation, h: Scalar) -> Array:
    """The solution of `z = y + h f(z)`."""
    if isinstance(c, Relaxation):
        return y + (c.rest - y) * (h * c.rate / (1 + h * c.rate))
    return (y + h * c.b) / (1 - h * c.a)
