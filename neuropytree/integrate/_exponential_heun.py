"""An exponential method of order 2."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._math import exprel, exprel2
from .._stream import Source
from .._types import Scalar
from ._base import (
    AbstractField,
    AbstractStepper,
    Chord,
    Linear,
    Relaxation,
    Tangent,
    declared_by,
    derivatives,
    refuse_noise,
)
from ._exponential import coefficients_of, relaxed
from ._secant import secant


class ExponentialHeun(AbstractStepper):
    r"""Exponential Heun; order 2. For coefficients $a$ that don't change it is the method ETD2RK of Cox and Matthews.

    A step of `ExponentialEuler`, of all variables at once, predicts $\tilde y$. Then each variable moves again, now by
    what its coefficients are at both ends:

    - A `Linear` or a `Relaxation` with $a_0, b_0$ and $a_1, b_1$ by the means $\bar a, \bar b$ and the change of $b$,

      $$y + \Delta t\,\varphi_1 (\bar a y + \bar b) + \Delta t\,(\varphi_2 - \tfrac12 \varphi_1)
      \left(b_1 \min(1, a_0 / a_1) - b_0 \min(1, a_1 / a_0)\right), \qquad
      \varphi_1(z) = \frac{e^z - 1}{z}, \quad \varphi_2(z) = \frac{e^z - 1 - z}{z^2}$$

      at $z = \bar a \Delta t$, and without the last term where $a$ changes its sign. It stays between where it is and
      the rests $-b/a$ at both ends, where $a$ is negative: a gate between 0 and 1, at any step.
    - A `Chord` along the line that `secant` makes of the means at both ends: bounded too.
    - One that is linearised in itself, $\dot y = a y + N(t, y)$ with $a$ as at the beginning, by the change of $N$,
      $\tilde y + \Delta t\,\varphi_2(a \Delta t)\,(N(t + \Delta t, \tilde y) - N(t, y))$. A `Tangent` that $\tilde y$
      carries to its bound stays there: the step ends with a spike.

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
        declared = declared_by(field, t, y, u)
        begin = coefficients_of(self, field, t, leaves, structure, u, list(range(len(leaves))))
        predicted = [
            relaxed(leaf, secant(c.fixed, c.moving, leaf, dt) if isinstance(c, Chord) else c, dt)
            for leaf, c in zip(leaves, begin, strict=True)
        ]
        ahead = jax.tree.unflatten(structure, predicted)
        ends = declared_by(field, t + dt, ahead, u)
        along = [c is None or isinstance(c, Tangent) for c in declared]
        slopes: list[Any] = [None] * len(leaves)
        if any(along):
            slopes = derivatives(field, t + dt, ahead, u)
        out = []
        for n, (leaf, c, p) in enumerate(zip(leaves, begin, predicted, strict=True)):
            new = _corrected(leaf, c, p, slopes[n], dt) if along[n] else _between(leaf, c, ends[n], dt)
            out.append(new)
        return jax.tree.unflatten(structure, out), state


def _corrected(y: Array, c: Any, p: Array, end: Array, dt: Scalar) -> Array:
    """From the prediction `p` along the line `c`, by the slope `end` that the field has there."""
    if not isinstance(c, Tangent):
        return p + dt * exprel2(c.a * dt) * (end - (c.a * y + c.b) - c.a * (p - y))
    change = end - (c.a * y + c.b) - c.a * (p - y)
    # downwards the tangent gets flatter: what it was is no measure of a longer way
    grown = jnp.where(change < 0, jnp.minimum(c.a * dt, 1), c.a * dt)
    return jnp.where(p < c.most, p + dt * exprel2(grown) * change, p)


def _between(y: Array, first: Any, last: Any, dt: Scalar) -> Array:
    """By coefficients that change from `first` to `last`, and so that the result lies between where these lead."""
    if isinstance(first, Chord):
        moving = _mean_of(first.moving, last.moving)
        return relaxed(y, secant(_mean(first.fixed, last.fixed), moving, y, dt), dt)
    first, last = _as_linear(first), _as_linear(last)
    c = _mean(first, last)
    z = c.a * dt
    straight = exprel(z)
    change = last.b * _part(first.a, last.a) - first.b * _part(last.a, first.a)
    return y + dt * (straight * (c.a * y + c.b) + (exprel2(z) - straight / 2) * change)


def _part(x: Array, of: Array) -> Array:
    """`x / of`, but from 0 to 1."""
    return jnp.clip(x / jnp.where(of == 0, 1, of), 0, 1)


def _as_linear(c: Any) -> Linear:
    return Linear(-c.rate, c.rate * c.rest) if isinstance(c, Relaxation) else c


def _mean(first: Linear, last: Linear) -> Linear:
    return Linear((first.a + last.a) / 2, (first.b + last.b) / 2)


def _mean_of(first: Callable[[Array], Linear], last: Callable[[Array], Linear]) -> Callable[[Array], Linear]:
    return lambda y: _mean(first(y), last(y))
