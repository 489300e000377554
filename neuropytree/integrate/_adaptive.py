"""Steps that adapt, by Diffrax."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
from jaxtyping import Array, Key, PyTree

from .._types import Scalar
from ._base import AbstractField, AbstractStepper, refuse_noise
from ._explicit import ExplicitRungeKutta

if TYPE_CHECKING:
    import diffrax


class Adaptive(AbstractStepper):
    r"""As many steps within one `dt` as the tolerances ask for, with the input held over the `dt`.

    The first step tried is the whole of `dt`. A step whose estimated error is beyond the tolerance is rejected and
    tried again, shorter; in every element $|\mathrm{err}| \le \mathrm{atol} + \mathrm{rtol}\,|y|$. The steps are
    Diffrax's, with an integral controller. Reverse-mode derivatives pass through the steps taken; forward mode doesn't
    work.

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

        for name, x in (("rtol", self.rtol), ("atol", self.atol), ("max_steps", self.max_steps)):
            if isinstance(x, bool) or not isinstance(x, float | int) or not x > 0:
                raise ValueError(f"Adaptive got {name}={x!r}; expected a positive number")
        if isinstance(self.solver, ExplicitRungeKutta):
            self.solver.tableau.diffrax()
        elif not isinstance(self.solver, diffrax.AbstractAdaptiveSolver) or (
            self.solver.term_structure is not diffrax.AbstractTerm
        ):
            raise TypeError(
                f"Adaptive got {self.solver!r}; expected an embedded pair such as DormandPrince(), or a solver of "
                "Diffrax for a single ODETerm that estimates its error, such as diffrax.Tsit5()"
            )

    def solve(
        self, field: AbstractField, t0: Scalar, t1: Scalar, dt: Scalar, y: PyTree, u: Any, *, dense: bool = False
    ) -> "diffrax.Solution":
        """One solve from `t0` to `t1`, beginning with a step of `dt`; Diffrax's solution, with its count of rejections.

        **Raises:** at run time where `max_steps` is exceeded.
        """
        import diffrax
        import optimistix

        refuse_noise(self, field, t0, y, u)
        solver = self.solver.tableau.diffrax() if isinstance(self.solver, ExplicitRungeKutta) else self.solver
        # the largest error of any element: with a mean, a large population would hide one bad neuron
        controller = diffrax.PIDController(rtol=self.rtol, atol=self.atol, norm=optimistix.max_norm)
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, u: field.vector_field(t, y, u)),  # pyright: ignore[reportArgumentType]
            solver,
            t0,
            t1,
            dt,
            y,
            u,
            saveat=diffrax.SaveAt(t1=True, dense=dense),
            stepsize_controller=controller,
            max_steps=self.max_steps,
        )

    def step(
        self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, key: Key[Array, ""] | None
    ) -> PyTree:
        del key
        # Diffrax takes time and state in one dtype
        return jax.tree.map(lambda x, old: x[0].astype(old.dtype), self.solve(field, t, t + dt, dt, y, u).ys, y)
