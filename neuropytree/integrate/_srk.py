"""Rößler's stochastic Runge–Kutta methods of strong order 1.5."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .._types import Scalar
from ._base import AbstractField
from ._noise import AbstractSDEStepper, Calculus, move, noise_of, require_own, scaled

_Row = tuple[float, ...]


class _Tableau(NamedTuple):
    """Coefficients of Rößler's class SRI; the rows of matrices end before the diagonal."""

    A0: tuple[_Row, ...]
    A1: tuple[_Row, ...]
    B0: tuple[_Row, ...]
    B1: tuple[_Row, ...]
    alpha: _Row
    beta1: _Row
    beta2: _Row
    beta3: _Row
    beta4: _Row


_SRI1W1 = _Tableau(
    A0=((), (3 / 4,), (0, 0), (0, 0, 0)),
    A1=((), (1 / 4,), (1, 0), (0, 0, 1 / 4)),
    B0=((), (3 / 2,), (0, 0), (0, 0, 0)),
    B1=((), (1 / 2,), (-1, 0), (-5, 3, 1 / 2)),
    alpha=(1 / 3, 2 / 3, 0, 0),
    beta1=(-1, 4 / 3, 2 / 3, 0),
    beta2=(-1, 4 / 3, -1 / 3, 0),
    beta3=(2, -4 / 3, -2 / 3, 0),
    beta4=(-2, 5 / 3, -2 / 3, 1),
)
_SRI2W1 = _Tableau(
    A0=((), (1,), (1 / 4, 1 / 4), (0, 0, 0)),
    A1=((), (1 / 4,), (1, 0), (0, 0, 1 / 4)),
    B0=((), (0,), (1, 1 / 2), (0, 0, 0)),
    B1=((), (-1 / 2,), (1, 0), (2, -1, 1 / 2)),
    alpha=(1 / 6, 1 / 6, 2 / 3, 0),
    beta1=(-1, 4 / 3, 2 / 3, 0),
    beta2=(1, -4 / 3, 1 / 3, 0),
    beta3=(2, -4 / 3, -2 / 3, 0),
    beta4=(-2, 5 / 3, -2 / 3, 1),
)


def _advance(
    tableau: _Tableau,
    stepper: AbstractSDEStepper,
    field: AbstractField,
    t: Scalar,
    y: PyTree,
    u: Any,
    dt: Scalar,
    dW: PyTree,
    dZ: PyTree,
) -> PyTree:
    root = jnp.sqrt(dt)
    # I1, I11 / sqrt(dt), I10 / dt and I111 / dt
    i10 = scaled(1 / dt, dZ)
    integrals = (
        dW,
        jax.tree.map(lambda w: (w * w - dt) / (2 * root), dW),
        i10,
        jax.tree.map(lambda w: (w * w - 3 * dt) * w / (6 * dt), dW),
    )
    flows: list[PyTree] = []  # dt f of each drift stage that is used
    noises: list[Any] = []
    for n in range(len(tableau.alpha)):
        drift_used = tableau.alpha[n] or any(len(a) > n and a[n] for a in (*tableau.A0, *tableau.A1))
        if drift_used:
            inner = [scaled(b, noises[m].times(i10)) for m, b in enumerate(tableau.B0[n]) if b]
            outer = [scaled(a, flows[m]) for m, a in enumerate(tableau.A0[n]) if a]
            flows.append(scaled(dt, field.vector_field(t + sum(tableau.A0[n]) * dt, move(y, *outer, *inner), u)))
        else:
            flows.append(None)
        reach = [scaled(b * root, noises[m].amplitude) for m, b in enumerate(tableau.B1[n]) if b]
        outer = [scaled(a, flows[m]) for m, a in enumerate(tableau.A1[n]) if a]
        noises.append(noise_of(stepper, field, t + sum(tableau.A1[n]) * dt, move(y, *outer, *reach), u))
    require_own(stepper, noises[0], field, t, y, u)
    increments = [scaled(a, f) for a, f in zip(tableau.alpha, flows, strict=True) if a]
    for noise, *weights in zip(noises, *tableau[5:], strict=True):
        terms = [scaled(b, i) for b, i in zip(weights, integrals, strict=True) if b]
        increments.append(noise.times(jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), *terms)))
    return move(y, *increments)


class SRK1W1(AbstractSDEStepper):
    r"""Rößler's SRI1W1, a stochastic Runge–Kutta method of four stages,

    $$\begin{aligned} H^{(0)}_i &= y + \sum_j A^{(0)}_{ij} f(H^{(0)}_j)\,\Delta t + \sum_j B^{(0)}_{ij}
    g(H^{(1)}_j)\,\frac{I_{10}}{\Delta t}, \\ H^{(1)}_i &= y + \sum_j A^{(1)}_{ij} f(H^{(0)}_j)\,\Delta t + \sum_j
    B^{(1)}_{ij} g(H^{(1)}_j) \sqrt{\Delta t}, \\ y(t + \Delta t) &= y + \sum_i \alpha_i f(H^{(0)}_i)\,\Delta t + \sum_i
    \left(\beta^{(1)}_i I_1 + \beta^{(2)}_i \frac{I_{11}}{\sqrt{\Delta t}} + \beta^{(3)}_i \frac{I_{10}}{\Delta t} +
    \beta^{(4)}_i \frac{I_{111}}{\Delta t}\right) g(H^{(1)}_i), \end{aligned}$$

    $I_1 = \Delta W$, $I_{10} = \int (W_s - W_t)\,\mathrm{d}s$, $I_{11} = \tfrac12 (\Delta W^2 - \Delta t)$, $I_{111} =
    \tfrac16 (\Delta W^3 - 3 \Delta t\,\Delta W)$. Itô; strong order 1.5; order 2 where the noise vanishes. Takes
    diagonal noise of which each element depends on itself (and on variables without noise) alone, and scalar noise.

    **Raises:** `ValueError` at trace time for a field without diffusion, with general noise, with diagonal noise that
    depends on other elements with noise, and for a run without a key.

    Source: Rößler 2010, doi:10.1137/09076636X.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.SRK1W1())
        ```
    """

    calculus: ClassVar[Calculus] = "ito"
    takes_general: ClassVar[bool] = False
    uses_integral: ClassVar[bool] = True

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        return _advance(_SRI1W1, self, field, t, y, u, dt, dW, dZ)


class SRK2W1(AbstractSDEStepper):
    r"""Rößler's SRI2W1, of the form of `SRK1W1` with other coefficients.

    Itô; strong and weak order 1.5 (BrainPy says weak 2; the second moment of a geometric Brownian motion, which has no
    error of sampling, says 1.5); order 3 where the noise vanishes, one drift stage dearer than `SRK1W1`. Takes the same
    noise.

    The last stage of the noise has the drift weight ¼ on the third drift stage, as in Rößler's table; BrainPy 2.5 puts
    it on the first. No condition for strong order 1.5 sees the difference, so both converge at that order, but the
    published scheme is the one here.

    **Raises:** as `SRK1W1`.

    Source: Rößler 2010, doi:10.1137/09076636X.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.SRK2W1())
        ```
    """

    calculus: ClassVar[Calculus] = "ito"
    takes_general: ClassVar[bool] = False
    uses_integral: ClassVar[bool] = True

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        return _advance(_SRI2W1, self, field, t, y, u, dt, dW, dZ)
