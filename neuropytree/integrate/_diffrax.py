"""Any fixed-step solver of Diffrax as a stepper."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .._stream import Source
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
                f"solver of integrate.Diffrax is {self.solver!r}; expected a one-step Diffrax solver for a single "
                "ODETerm, such as diffrax.Heun()"
            )

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
        import diffrax

        del key
        refuse_noise(self, field, t, y, u)

        wide, vector_field, as_it_was = since(field, t, y)
        term, solver = diffrax.ODETerm(vector_field), with_scan(self.solver, "bounded")
        common = jax.tree.leaves(wide)[0].dtype
        begin, end = jnp.zeros((), common), jnp.asarray(dt, common)
        fresh = solver.init(term, begin, end, wide, u)
        new, *_, result = solver.step(term, begin, end, wide, u, fresh, made_jump=False)
        good = result == diffrax.RESULTS.successful
        return as_it_was(jax.tree.map(lambda x: jnp.where(good, x, jnp.nan), new)), state


def since(
    field: AbstractField, t: Scalar, y: PyTree
) -> tuple[PyTree, Callable[[Any, PyTree, Any], PyTree], Callable[[PyTree], PyTree]]:
    """`y`, the derivatives of a field and the way back, for Diffrax, which takes time and state in one dtype.

    Its time begins at `t`: a late time plus a short step is rounded, so that the step would be another.
    """
    common = np.result_type(jnp.result_type(float), *(x.dtype for x in jax.tree.leaves(y)))

    def as_it_was(new: PyTree) -> PyTree:
        return jax.tree.map(lambda x, old: x.astype(old.dtype), new, y)

    def vector_field(passed: Any, new: PyTree, args: Any) -> PyTree:
        with jax.numpy_dtype_promotion("standard"):  # as Diffrax has it
            slopes = field.vector_field(t + passed, as_it_was(new), args)
        return jax.tree.map(lambda f, x: jnp.asarray(f, x.dtype), slopes, new)

    return jax.tree.map(lambda x: x.astype(common), y), vector_field, as_it_was


def with_scan(solver: Any, kind: str) -> Any:
    """Diffrax's Runge–Kutta methods loop over their stages, in a way that suits one kind of derivative or another."""
    if getattr(solver, "scan_kind", kind) is None:
        return eqx.tree_at(lambda s: s.scan_kind, solver, kind, is_leaf=lambda x: x is None)
    return solver
