"""An exponential method of order 2."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .._math import exprel, exprel2
from .._stream import Source
from .._types import Scalar
from ._base import AbstractField, AbstractStepper, Relaxation, derivatives, refuse_noise
from ._exponential import _coefficients


class ExponentialHeun(AbstractStepper):
    r"""Exponential Heun, the method ETD2RK of Cox and Matthews; order 2.

    Each variable is split into $\dot y = a y + N(t, y)$, with $a$ as `ExponentialEuler` has it at the beginning of the
    step. After a step of `ExponentialEuler`, $\tilde y$, the change of the rest over the step is put in,

    $$y(t + \Delta t) = \tilde y + \Delta t\,\varphi_2(a \Delta t)\,\big(N(t + \Delta t, \tilde y) - N(t, y)\big),
    \qquad \varphi_2(z) = \frac{e^z - 1 - z}{z^2}.$$

    Exact in a variable whose coefficients don't change over the step. Two evaluations of the field.

    **Raises:** `ValueError` at trace time for an undeclared variable whose elements are coupled, and for a field with
    noise.

    Source: Cox & Matthews 2002, doi:10.1006/jcph.2002.6995, equations 20 and 22.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.ExponentialHeun())
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
        leaves, structure = jax.tree.flatten(y)
        linears = _coefficients(self, field, t, leaves, structure, u, list(range(len(leaves))))
        rates, slopes, predicted = [], [], []
        for leaf, c in zip(leaves, linears, strict=True):
            a, f = (-c.rate, c.rate * (c.rest - leaf)) if isinstance(c, Relaxation) else (c.a, c.a * leaf + c.b)
            rates.append(jnp.asarray(a))
            slopes.append(f)
            predicted.append(leaf + dt * exprel(a * dt) * f)
        ends = derivatives(field, t + dt, jax.tree.unflatten(structure, predicted), u)
        out = [
            p + dt * exprel2(a * dt) * (end - f - a * (p - leaf))
            for leaf, a, f, p, end in zip(leaves, rates, slopes, predicted, ends, strict=True)
        ]
        return jax.tree.unflatten(structure, out), state
