"""Schemes of strong order 1: Milstein, with the derivative and without."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .._types import Scalar
from ._base import AbstractField
from ._noise import AbstractSDEStepper, Calculus, check_calculus, move, noise_of, require_own, scaled


def _second(dW: PyTree, dt: Scalar, calculus: Calculus) -> PyTree:
    """The double integral of a Wiener process against itself."""
    return jax.tree.map(lambda w: (w * w - dt) / 2 if calculus == "ito" else w * w / 2, dW)


class Milstein(AbstractSDEStepper):
    r"""Milstein's scheme,

    $$y(t + \Delta t) = y + f\,\Delta t + g\,\Delta W + \tfrac12\, g g'\,(\Delta W^2 - \Delta t),$$

    with $\Delta W^2$ alone in the last bracket in the calculus of Stratonovich. The product $g g'$ is one forward-mode
    derivative of the amplitude along itself. Strong and weak order 1. Takes diagonal noise of which each element
    depends on itself (and on variables without noise) alone, and scalar noise.

    **Arguments:**

    - `calculus`: `"ito"` or `"stratonovich"`: how the field is to be read.

    **Raises:** `ValueError` for another `calculus`; at trace time for a field without diffusion, with general noise,
    with diagonal noise that depends on other elements with noise, and for a run without a key.

    Source: Milstein 1975, doi:10.1137/1119062; Kloeden & Platen 1992, doi:10.1007/978-3-662-12616-5, §10.3.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.Milstein())
        ```
    """

    calculus: Calculus = eqx.field(static=True, default="ito")  # pyright: ignore[reportIncompatibleVariableOverride]
    takes_general: ClassVar[bool] = False
    uses_integral: ClassVar[bool] = False

    def __check_init__(self) -> None:
        check_calculus("Milstein", self.calculus)

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        noise = noise_of(self, field, t, y, u)
        require_own(self, noise, field, t, y, u)
        drift = scaled(dt, field.vector_field(t, y, u))
        _, slope = jax.jvp(lambda y: noise_of(self, field, t, y, u), (y,), (noise.along(y),))
        return move(y, drift, noise.times(dW), slope.times(_second(dW, dt, self.calculus)))


class MilsteinGradFree(AbstractSDEStepper):
    r"""Milstein's scheme with a central difference for the derivative,

    $$g g' \approx \frac{g(t, y + g \sqrt{\Delta t}) - g(t, y - g \sqrt{\Delta t})}{2 \sqrt{\Delta t}}.$$

    For amplitudes without a useful derivative. Strong and weak order 1 in both calculi, with three evaluations of $g$.
    A one-sided difference, of which BrainPy's `milstein2` and `KlPl` are made, is one evaluation cheaper, but errs by
    $\sqrt{\Delta t}$; that does no harm where $\Delta W^2 - \Delta t$ follows it, whose mean is zero, and leaves only
    order ½ in the calculus of Stratonovich. Takes diagonal noise of which each element depends on itself (and on
    variables without noise) alone, and scalar noise.

    **Arguments:**

    - `calculus`: `"ito"` or `"stratonovich"`: how the field is to be read.

    **Raises:** as `Milstein`.

    Source: Kloeden & Platen 1992, doi:10.1007/978-3-662-12616-5, §11.1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.MilsteinGradFree("stratonovich"))
        ```
    """

    calculus: Calculus = eqx.field(static=True, default="ito")  # pyright: ignore[reportIncompatibleVariableOverride]
    takes_general: ClassVar[bool] = False
    uses_integral: ClassVar[bool] = False

    def __check_init__(self) -> None:
        check_calculus("MilsteinGradFree", self.calculus)

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        noise, root = noise_of(self, field, t, y, u), jnp.sqrt(dt)
        require_own(self, noise, field, t, y, u)
        reach = scaled(root, noise.amplitude)
        up = noise_of(self, field, t, move(y, reach), u)
        down = noise_of(self, field, t, move(y, scaled(-1.0, reach)), u)
        slope = jax.tree.map(lambda a, b: (a - b) / (2 * root), up, down)
        drift = scaled(dt, field.vector_field(t, y, u))
        return move(y, drift, noise.times(dW), slope.times(_second(dW, dt, self.calculus)))


class KlPl(AbstractSDEStepper):
    r"""The explicit scheme of Kloeden and Platen of strong order 1, as a stochastic Runge–Kutta method,

    $$H = y + f\,\Delta t + g \sqrt{\Delta t}, \qquad y(t + \Delta t) = y + f\,\Delta t + \left(I_1 -
    \frac{I_{11}}{\sqrt{\Delta t}}\right) g(t, y) + \frac{I_{11}}{\sqrt{\Delta t}}\, g(t, H),$$

    $I_1 = \Delta W$, $I_{11} = \tfrac12 (\Delta W^2 - \Delta t)$. Itô; strong and weak order 1, with two evaluations of
    $g$. Takes diagonal noise of which each element depends on itself (and on variables without noise) alone, and scalar
    noise. The two weights add up to $I_1$; in BrainPy 2.5 they did not. BrainPy's `milstein2` is the same scheme,
    written otherwise.

    **Raises:** `ValueError` at trace time for a field without diffusion, with general noise, with diagonal noise that
    depends on other elements with noise, and for a run without a key.

    Source: Kloeden & Platen 1992, doi:10.1007/978-3-662-12616-5, eq. 11.1.3.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.KlPl())
        ```
    """

    calculus: ClassVar[Calculus] = "ito"
    takes_general: ClassVar[bool] = False
    uses_integral: ClassVar[bool] = False

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        noise, root = noise_of(self, field, t, y, u), jnp.sqrt(dt)
        require_own(self, noise, field, t, y, u)
        drift = scaled(dt, field.vector_field(t, y, u))
        ahead = noise_of(self, field, t, move(y, drift, scaled(root, noise.amplitude)), u)
        second = scaled(1 / root, _second(dW, dt, "ito"))
        first = jax.tree.map(lambda w, i: w - i, dW, second)
        return move(y, drift, noise.times(first), ahead.times(second))
