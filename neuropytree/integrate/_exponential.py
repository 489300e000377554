"""Exponential methods: exact in every variable that is linear in itself."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._arguments import named
from .._math import exprel, fast_expm1
from .._stream import Source
from .._types import Scalar
from ..ops import fence
from ._base import (
    AbstractField,
    AbstractStepper,
    Chord,
    Linear,
    Relaxation,
    called,
    declared_by,
    derivatives,
    refuse_noise,
)
from ._elementwise import require_elementwise
from ._noise import AbstractSDEStepper, Calculus, noise_of
from ._secant import secant


def _advanced(
    stepper: AbstractStepper,
    field: AbstractField,
    t: Scalar,
    y: PyTree,
    u: Any,
    dt: Scalar,
    move: Callable[[int, Array, Linear | Relaxation], Array],
) -> PyTree:
    """`y` with variable `n` replaced by `move(n, variable, coefficients)`, in the order of `field.sequence()`."""
    leaves, structure = jax.tree.flatten(y)
    turns = jax.tree.leaves(jax.tree.broadcast(field.sequence(), y))
    for turn in sorted(set(turns)):
        mine = [n for n, other in enumerate(turns) if other == turn]
        coefficients = coefficients_of(stepper, field, t, leaves, structure, u, mine)
        held = [
            secant(c.fixed, c.moving, leaves[n], dt) if isinstance(c, Chord) else c
            for n, c in zip(mine, coefficients, strict=True)
        ]
        moved = [move(n, leaves[n], c) for n, c in zip(mine, held, strict=True)]
        if turn != max(turns):
            # what moves next needs these several times: the fence makes them once
            moved = fence(*moved)
        for n, leaf in zip(mine, moved, strict=True):
            leaves[n] = leaf
    return jax.tree.unflatten(structure, leaves)


def coefficients_of(
    stepper: AbstractStepper,
    field: AbstractField,
    t: Scalar,
    leaves: list[Array],
    structure: Any,
    u: Any,
    which: list[int],
) -> list[Linear | Relaxation]:
    """The coefficients of the variables numbered `which`: declared, or found by linearising each in itself."""
    linears = declared_by(field, t, jax.tree.unflatten(structure, leaves), u)
    found = ((n, linears[n]) for n in which)
    return [_linearised(stepper, field, t, leaves, structure, u, n) if x is None else x for n, x in found]


def _linearised(
    stepper: AbstractStepper, field: AbstractField, t: Scalar, leaves: list[Array], structure: Any, u: Any, n: int
) -> Linear:
    def own(leaf: Array) -> Array:
        y = jax.tree.unflatten(structure, [*leaves[:n], leaf, *leaves[n + 1 :]])
        return derivatives(field, t, y, u)[n]

    name = named(jax.tree.unflatten(structure, leaves))[n][0]
    require_elementwise(type(stepper).__name__, own, leaves[n], f"variable '{name}' of {called(field)}")
    value, slope = jax.jvp(own, (leaves[n],), (jnp.ones_like(leaves[n]),))
    return Linear(slope, value - slope * leaves[n])


def relaxed(y: PyTree, coefficients: PyTree, dt: Scalar) -> PyTree:
    r"""Variables after `dt`, exactly, if their coefficients stay what they are.

    **Arguments:**

    - `y`: the variables.
    - `coefficients`: a `Linear` or a `Relaxation` for each, in the structure of `y`.
    - `dt`: in ms.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        gate = npt.integrate.Relaxation(rate=jnp.asarray(0.2), rest=jnp.asarray(1.0))
        npt.integrate.relaxed({"m": jnp.zeros(3)}, {"m": gate}, 0.1)  # 1 - exp(-0.02)
        ```
    """

    def move(c: Linear | Relaxation, x: Array) -> Array:
        if isinstance(c, Relaxation):
            # each costly term is used once, so that XLA makes one loop of the whole
            return x + (x - c.rest) * fast_expm1(-dt * c.rate)
        return x + dt * exprel(c.a * dt) * (c.a * x + c.b)

    return jax.tree.map(move, coefficients, y, is_leaf=lambda c: isinstance(c, Linear | Relaxation))


class ExponentialEuler(AbstractStepper):
    r"""Exponential Euler: each variable moves as $\dot y = a y + b$ with the others held,

    $$y(t + \Delta t) = y + \Delta t\,\frac{e^{a \Delta t} - 1}{a \Delta t}\,(a y + b).$$

    Exact where the field declares a `Linear` or a `Relaxation`; of order 2, and bounded, where it declares a `Chord`,
    whose coefficients become those of `secant`; order 1 elsewhere, the variable being linearised in itself by forward
    mode. That needs each element's derivative to depend on that element alone within its variable.

    Where the field says so (`sequence`), some variables move first and the others then see them: with gates before the
    voltage this is the classical staggered scheme, of order 2 in the voltage.

    **Raises:** `ValueError` at trace time for an undeclared variable whose elements are coupled, and for a field with
    noise.

    Source: Hochbruck & Ostermann 2010, doi:10.1017/S0962492910000048.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.ExponentialEuler())
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
        return _advanced(self, field, t, y, u, dt, lambda n, leaf, c: relaxed(leaf, c, dt)), state


class ExponentialEulerMaruyama(AbstractSDEStepper):
    r"""Exponential Euler with white noise of amplitude $g$ in each variable,

    $$y(t + \Delta t) = y_\mathrm{det} + g\,\sqrt{\frac{e^{2 a \Delta t} - 1}{2 a \Delta t}}\;\Delta W.$$

    For $a$, $b$ and $g$ constant over the step this is the exact transition of the Ornstein–Uhlenbeck process, so the
    stationary variance $-g^2 / 2a$ is right at any step. Itô; strong order ½, 1 where $g$ is constant. Takes diagonal,
    scalar and general noise; the last two are exact in each element alone.

    **Raises:** `ValueError` at trace time for a field without diffusion, and for a run without a key.

    Source: Gillespie 1996, doi:10.1103/PhysRevE.54.2084.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, sigma=0.5, stepper=npt.integrate.ExponentialEulerMaruyama())
        ```
    """

    calculus: ClassVar[Calculus] = "ito"
    takes_general: ClassVar[bool] = True
    uses_integral: ClassVar[bool] = False

    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        del dZ
        increments = jax.tree.structure(y).flatten_up_to(noise_of(self, field, t, y, u).times(dW))

        def move(n: int, leaf: Array, c: Linear | Relaxation) -> Array:
            new, increment = relaxed(leaf, c, dt), increments[n]
            if increment is None:
                return new
            slope = -c.rate if isinstance(c, Relaxation) else c.a
            return new + increment * jnp.sqrt(exprel(2 * dt * slope))

        return _advanced(self, field, t, y, u, dt, move)
