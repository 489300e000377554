"""Steps that adapt, by Diffrax."""

import math
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._arguments import whole
from .._stream import Source
from .._types import Scalar
from ._base import AbstractField, AbstractStepper, refuse_noise
from ._diffrax import since
from ._explicit import ExplicitRungeKutta

if TYPE_CHECKING:
    import diffrax


class Adaptive(AbstractStepper):
    r"""As many steps within one `dt` as the tolerances ask for, with the input held over the `dt`.

    The first step tried is the whole of `dt`. A step whose estimated error is beyond the tolerance is rejected and
    tried again, shorter; in every element $|\mathrm{err}| \le \mathrm{atol} + \mathrm{rtol}\,|y|$. The steps are
    Diffrax's, with an integral controller. Derivatives pass through the steps taken, in forward and reverse mode and to
    any order.

    **Arguments:**

    - `solver`: an embedded pair, such as `DormandPrince()`, `BogackiShampine()`; or a solver of Diffrax that estimates
      its error, such as `diffrax.Tsit5()`, or for stiff fields `diffrax.Kvaerno5()`.
    - `rtol`, `atol`: relative tolerance, and absolute in the unit of the variable.
    - `max_steps`: how many steps may be tried in one solve; more is an error at run time.

    **Raises:** `TypeError` or `ValueError` for a solver without an estimate of its error, and tolerances that aren't
    positive.

    Source: Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1, section II.4; Kidger 2021,
    doi:10.5287/ora-n6qpmnvz8.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.DormandPrince(), rtol=1e-6, atol=1e-6)
        sol = npt.integrate.odeint(lambda t, y, args: -y, 1.0, dt=1.0, duration=10.0, stepper=stepper)
        ```
    """

    solver: "ExplicitRungeKutta | diffrax.AbstractAdaptiveSolver"
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-6)
    max_steps: int = eqx.field(static=True, default=4096)

    def __check_init__(self) -> None:
        import diffrax

        for name, x in (("rtol", self.rtol), ("atol", self.atol)):
            if isinstance(x, bool) or not isinstance(x, float | int) or not 0 < x < math.inf:
                raise ValueError(f"{name} of Adaptive is {x!r}; expected a positive Python number")
        whole(self.max_steps, "max_steps of Adaptive", least=1)
        if isinstance(self.solver, ExplicitRungeKutta):
            self.solver.tableau.diffrax()
        elif not isinstance(self.solver, diffrax.AbstractAdaptiveSolver) or (
            self.solver.term_structure is not diffrax.AbstractTerm
        ):
            raise TypeError(
                f"solver of Adaptive is {self.solver!r}; expected an embedded pair such as DormandPrince(), or a "
                "solver of Diffrax for a single ODETerm that estimates its error, such as diffrax.Tsit5()"
            )

    def solve(
        self, field: AbstractField, t: Scalar, length: Scalar, dt: Scalar, y: PyTree, u: Any, *, dense: bool = False
    ) -> "diffrax.Solution":
        """One solve from `t` on for `length`, beginning with a step of `dt`; Diffrax's solution, whose time begins at
        `t`, with its count of rejections.

        **Raises:** at run time where `max_steps` is exceeded.
        """
        import diffrax

        refuse_noise(self, field, t, y, u)
        wide, vector_field, _ = since(field, t, y)
        common = jax.tree.leaves(wide)[0].dtype
        begin, end, dt = (jnp.asarray(x, common) for x in (0.0, length, dt))
        sol = _solved(self, dense, eqx.filter_closure_convert(vector_field, begin, wide, u), begin, end, dt, wide, u)
        coarse = "" if common == jnp.float64 else f"; {common} can't meet tolerances below 1e-6 or so"
        message = (
            f"Adaptive: the end was not reached in max_steps={self.max_steps} steps; allow more, loosen rtol and atol, "
            "or take diffrax.Kvaerno5() for a stiff field; or the field blows up or isn't finite"
            f"{coarse}"
        )
        return eqx.error_if(sol, sol.result != diffrax.RESULTS.successful, message)

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
        end = self.solve(field, t, dt, dt, y, u).ys
        return jax.tree.map(lambda x, old: x[0].astype(old.dtype), end, y), state


def _solve(
    adjoint: Any, stepper: Adaptive, dense: bool, vector_field: Any, t0: Array, t1: Array, dt: Array, y: PyTree, u: Any
) -> "diffrax.Solution":
    import diffrax
    import optimistix

    solver = stepper.solver
    return diffrax.diffeqsolve(
        diffrax.ODETerm(vector_field),
        solver.tableau.diffrax() if isinstance(solver, ExplicitRungeKutta) else solver,
        t0,
        t1,
        dt,
        y,
        u,
        saveat=diffrax.SaveAt(t1=True, dense=dense),
        # the largest error of any element: with a mean, a large population would hide one bad neuron
        stepsize_controller=diffrax.PIDController(rtol=stepper.rtol, atol=stepper.atol, norm=optimistix.max_norm),
        adjoint=adjoint,
        max_steps=stepper.max_steps,
        throw=False,
    )


@eqx.filter_custom_jvp
def _solved(*args: Any) -> "diffrax.Solution":
    import diffrax

    return _solve(diffrax.RecursiveCheckpointAdjoint(), *args)


@_solved.def_jvp
def _solved_jvp(primals: Any, tangents: Any) -> Any:
    # its loops have both modes, and are slower where no derivative is asked for
    import diffrax

    return eqx.filter_jvp(lambda *args: _solve(diffrax.DirectAdjoint(), *args), primals, tangents)
