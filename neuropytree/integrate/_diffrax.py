"""Any fixed-step solver of Diffrax as a stepper."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from .._types import Scalar
from ._base import AbstractField, AbstractStepper, refuse_noise

if TYPE_CHECKING:
    import diffrax


class Diffrax(AbstractStepper):
    """One step of a Diffrax ODE solver, at the clock's `dt`, with the input held.

    The solver starts afresh in each step, since a reset may have come between; so multistep methods are refused and
    first-same-as-last methods evaluate one stage more. Where an implicit solver's root finder fails the step gives NaN,
    which `simulate` and `odeint` report.

    **Arguments:**

    - `solver`: a Diffrax solver for one `ODETerm`, explicit or implicit: `diffrax.Heun()`, `diffrax.Kvaerno3(...)`.

    **Raises:** `TypeError` for something that isn't such a solver.

    Source: Kidger 2021, doi:10.5287/ora-n6qpmnvz8.

    !!! example

        ```python
        import diffrax, neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Diffrax(diffrax.Heun()))
        ```
    """

    solver: "diffrax.AbstractSolver"

    def __check_init__(self) -> None:
        import diffrax

        good = isinstance(self.solver, diffrax.AbstractSolver) and self.solver.term_structure is diffrax.AbstractTerm
        if not good or isinstance(self.solver, diffrax.LeapfrogMidpoint | diffrax.ReversibleHeun):
            raise TypeError(
                f"integrate.Diffrax got {self.solver!r}; expected a one-step Diffrax solver for a single ODETerm, "
                "such as "
                "diffrax.Heun()"
            )

    def step(
        self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, key: Key[Array, ""] | None
    ) -> PyTree:
        import diffrax

        del key
        refuse_noise(self, field, t, y, u)

        def vector_field(t: Any, y: PyTree, args: Any) -> PyTree:
            return field.vector_field(t, y, args)

        term = diffrax.ODETerm(vector_field)
        state = self.solver.init(term, t, t + dt, y, u)
        new, *_, result = self.solver.step(term, t, t + dt, y, u, state, made_jump=False)
        good = result == diffrax.RESULTS.successful
        return jax.tree.map(lambda x: jnp.where(good, x, jnp.nan), new)
