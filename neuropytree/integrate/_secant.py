"""Variables whose declared coefficients depend on the variable itself: steps of second order that stay bounded."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._types import Scalar
from ..ops import fence
from ._base import Linear, Relaxation

# a decay within a step that is none in the precision of a dtype, by its size; and one that leaves nothing
_FLAT = {2: 1e-2, 4: 1e-4, 8: 1e-8}
_STEEP = 1e3


def secant(
    fixed: Linear, moving: Callable[[Array], Linear], y: Array, dt: Scalar, *, extra: Linear | None = None
) -> Relaxation:
    r"""Coefficients to hold over a step of $\dot y = a(y)\,y + b(y)$: the step is then of second order, and bounded.

    They make a line through the field in the middle of the step, $y^*$, whose slope is that of the secant from $y$, but
    never upwards: with $f = a y + b$ and $G = -a$,

    $$y^* = y + \frac{\Delta t}{2} \frac{f(y)}{1 + G(y)\,\Delta t/2}, \qquad
    G^* = \max\!\Big(\frac{f(y) - f(y^*)}{y^* - y},\; \min\big(G(y^*),\, 2 G(y^*) - 2/\Delta t\big),\; 0\Big), \qquad
    \dot y \approx f(y^*) - G^* (y - y^*).$$

    A line through the middle makes a step of second order whatever its slope. The second bound makes steps that are
    long for $G$ go towards where the field with $a(y^*)$ and $b(y^*)$ vanishes, and not beyond: a voltage stays between
    the reversal potentials. (The tangent of a current that activates at once has a slope upwards, along which a step of
    an exponential or implicit method runs away.) Two evaluations of `moving`, and no derivative.

    **Arguments:**

    - `fixed`: the part of the coefficients that doesn't depend on `y`, `a` in 1/ms and `b` in the unit of `y` per ms;
      of the shape of `y`, or one that broadcasts to it.
    - `moving`: the other part, at a `y`, likewise; that of each element depends on it alone.
    - `y`: the variable at the beginning of the step, such as a voltage (mV) for each cell; of any shape.
    - `dt`: length of the step (ms).
    - `extra`: what else moves the variable while it moves to the middle, such as currents between compartments; it is
      no part of the line.

    **Returns:** a `Relaxation` of the shape of `y`: $G^*$ as its `rate` (1/ms), and as its `rest` (unit of `y`) where
    the line vanishes.

    An exponential step along it is one of Rosenbrock's type with a secant in the place of the tangent; the methods with
    the tangent are in Hochbruck & Ostermann 2010, doi:10.1017/S0962492910000048.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt

        def sodium(v):  # dv/dt = g (50 - v), of which g follows the voltage at once
            g = 20 * jax.nn.sigmoid((v + 30) / 5)
            return npt.integrate.Linear(-g, 50 * g)

        leak = npt.integrate.Linear(jnp.asarray(-0.1), jnp.asarray(-6.5))
        npt.integrate.secant(leak, sodium, jnp.array([-60.0, -40.0]), 0.05)
        ```
    """
    before = moving(y)
    first_a, first_b = fixed.a + before.a, fixed.b + before.b
    f = first_a * y + first_b
    towards, decay = f, first_a
    if extra is not None:
        towards, decay = f + (extra.a * y + extra.b), decay + extra.a
    half = dt / 2 / (1 + jnp.maximum(-decay, 0) * (dt / 2))
    middle, reach = y + half * towards, jnp.abs(y) + half * jnp.abs(first_b)
    # all of it is needed by what follows: the fence makes it once
    middle, f, a, b, reach = fence(
        middle, f, jnp.broadcast_to(fixed.a, y.shape), jnp.broadcast_to(fixed.b, y.shape), reach
    )
    # a shorter secant's slope, and all of its derivatives, would be of rounding: then the middle lies on a longer one
    shortest = jax.lax.stop_gradient(reach) * jnp.finfo(y.dtype).eps ** 0.5
    moved = middle - y
    short = jnp.abs(moved) < shortest
    end = jnp.where(short, y + jnp.where(moved < 0, -shortest, shortest), middle)
    there = moving(end)
    length, g, f_end = end - y, -(a + there.a), (a + there.a) * end + (b + there.b)
    slope = jnp.where(length == 0, g, (f - f_end) / jnp.where(length == 0, 1, length))
    f_there = jnp.where(short, f - slope * moved, f_end)
    least = jnp.maximum(jnp.minimum(g, 2 * g - 2 / dt), _FLAT[y.dtype.itemsize] / dt)
    rate = jnp.clip(slope, least, jnp.maximum(least, _STEEP / dt))
    return Relaxation(rate, middle + f_there / rate)
