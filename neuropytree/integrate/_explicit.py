"""Explicit Runge–Kutta steps from a tableau."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from .._arguments import check_kind
from .._stream import Source
from .._types import Scalar
from ._base import AbstractField, AbstractStepper, refuse_noise
from ._tableau import ButcherTableau


class ExplicitRungeKutta(AbstractStepper):
    r"""One step of an explicit Runge–Kutta method, at the clock's `dt`, with the input held.

    Coefficients that vanish cost nothing, nor do stages that only an embedded solution needs.

    **Arguments:**

    - `tableau`: its coefficients. The methods that have a name are functions, such as `RK4()`, `Ralston3()`,
      `DormandPrince()`.

    Source: Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.ExplicitRungeKutta(npt.integrate.SSPRK3().tableau))
        ```
    """

    tableau: ButcherTableau = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_kind(self.tableau, ButcherTableau, "tableau", optional=False)

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
        refuse_noise(self.tableau.name, field, t, y, u)
        c, a, b = self.tableau.c, self.tableau.a, self.tableau.b
        slopes: dict[int, PyTree] = {}
        for n in self.tableau.stages:
            node = float(c[n])
            slopes[n] = field.vector_field(t + node * dt if node else t, _moved(y, dt, a[n], slopes), u)
        return _moved(y, dt, b, slopes), state


def _moved(y: PyTree, dt: Scalar, weights: Sequence[Any], slopes: Mapping[int, PyTree]) -> PyTree:
    """`y` plus `dt` times the weighted slopes."""
    used = [(float(w) * dt, slopes[n]) for n, w in enumerate(weights) if w]

    def total(leaf: Array, *increments: Array) -> Array:
        for (weight, _), increment in zip(used, increments, strict=True):
            leaf = leaf + weight * increment
        return leaf

    return jax.tree.map(total, y, *(slope for _, slope in used))
