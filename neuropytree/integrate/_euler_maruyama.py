"""Stochastic schemes that take any noise: Euler–Maruyama, and those of Heun's type."""

from typing import Any, ClassVar

from jaxtyping import PyTree

from .._types import Scalar
from ._base import AbstractField
from ._noise import AbstractSDEStepper, Calculus, move, noise_of, scaled


class EulerMaruyama(AbstractSDEStepper):
    r"""Euler–Maruyama, $y + f(t, y)\,\Delta t + g(t, y)\,\Delta W$. Itô.

    Strong order ½, and 1 where $g$ is constant; weak order 1. Takes diagonal, scalar and general noise.

    **Raises:** `ValueError` at trace time for a field without diffusion, and for a run without a key.

    Source: Maruyama 1955, doi:10.1007/BF02846028; Kloeden & Platen 1992, doi:10.1007/978-3-662-12616-5, §10.2.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.EulerMaruyama())
        ```
    """

    calculus: ClassVar[Calculus] = "ito"
    takes_general: ClassVar[bool] = True
    uses_integral: ClassVar[bool] = False

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        return move(y, scaled(dt, field.vector_field(t, y, u)), noise_of(self, field, t, y, u).times(dW))


class EulerHeun(AbstractSDEStepper):
    r"""Euler in the drift and Heun in the noise,

    $$\bar y = y + g(t, y)\,\Delta W, \qquad y(t + \Delta t) = y + f(t, y)\,\Delta t + \tfrac12 \left(g(t, y) + g(t +
    \Delta t, \bar y)\right) \Delta W.$$

    Stratonovich. Strong order 1 for noise that commutes (scalar noise; diagonal noise of which each element depends on
    itself alone), ½ for other noise; weak order 1. Takes diagonal, scalar and general noise. The predictor moves by
    $g\,\Delta W$: in BrainPy 2.5 its noise lacked $\sqrt{\Delta t}$, and the scheme did not converge to the solution.

    **Raises:** `ValueError` at trace time for a field without diffusion, and for a run without a key.

    Source: Rümelin 1982, doi:10.1137/0719041; Kloeden & Platen 1992, doi:10.1007/978-3-662-12616-5.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.EulerHeun())
        ```
    """

    calculus: ClassVar[Calculus] = "stratonovich"
    takes_general: ClassVar[bool] = True
    uses_integral: ClassVar[bool] = False

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        first = noise_of(self, field, t, y, u).times(dW)
        second = noise_of(self, field, t + dt, move(y, first), u).times(dW)
        return move(y, scaled(dt, field.vector_field(t, y, u)), scaled(0.5, first), scaled(0.5, second))


class StochasticHeun(AbstractSDEStepper):
    r"""Heun's method in the drift and in the noise,

    $$\bar y = y + f\,\Delta t + g\,\Delta W, \qquad y(t + \Delta t) = y + \tfrac12 (f + \bar f)\,\Delta t + \tfrac12 (g
    + \bar g)\,\Delta W,$$

    with $\bar f$, $\bar g$ at $(t + \Delta t, \bar y)$. Stratonovich. Strong order 1 for noise that commutes (scalar
    noise; diagonal noise of which each element depends on itself alone), ½ for other noise; weak order 1; order 2 where
    the noise vanishes. Takes diagonal, scalar and general noise. What BrainPy calls `heun` is `EulerHeun`.

    **Raises:** `ValueError` at trace time for a field without diffusion, and for a run without a key.

    Source: Rümelin 1982, doi:10.1137/0719041.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.StochasticHeun())
        ```
    """

    calculus: ClassVar[Calculus] = "stratonovich"
    takes_general: ClassVar[bool] = True
    uses_integral: ClassVar[bool] = False

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        f, g = scaled(dt / 2, field.vector_field(t, y, u)), noise_of(self, field, t, y, u).times(dW)
        ahead = move(y, f, f, g)
        f_ahead = scaled(dt / 2, field.vector_field(t + dt, ahead, u))
        g_ahead = noise_of(self, field, t + dt, ahead, u).times(dW)
        return move(y, f, f_ahead, scaled(0.5, g), scaled(0.5, g_ahead))
