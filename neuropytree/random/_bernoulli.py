"""Events of a given probability."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool

from .._arguments import real
from .._stream import Origin
from ..ops import counter_uniform, element_numbers
from ._place import AxisName, Shape, Source, fitted, one_program, place


def bernoulli(
    tick: Source, p: ArrayLike = 0.5, *, shape: Shape = None, axis_name: AxisName = None
) -> Bool[Array, "..."]:
    """Independent events, each true with probability `p`, rounded up to a multiple of 2⁻⁵³.

    An event that is true stays so where `p` is larger: of two draws at the same place, the one with the smaller `p` has
    a part of the other's events. No derivative with respect to `p`.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. See `uniform`.
    - `p`: a number, or an array, from 0 to 1. Default 0.5. Where it is only known at run time, what is below 0, or no
      number, never makes an event, and what is above 1 always does.
    - `shape`: of the result; that of `p` unless given.
    - `axis_name`: see `uniform`.

    **Raises:** `ValueError` for a tick without a key, for a `p` that is no probability, and for shapes that don't fit.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        spikes = npt.random.bernoulli(tick, 20.0 * 0.1e-3, shape=(1000,))
        ```
    """
    p = real(p, "p", least=0, most=1)
    at = place("bernoulli", tick, shape, axis_name, p=p)
    return _bernoulli(at.origin, at.first, p, shape=at.shape)


@one_program
def _bernoulli(origin: Origin, first: Array, p: Array, *, shape: tuple[int, ...]) -> Array:
    with jax.enable_x64(True):
        (p,) = fitted(shape, jnp.float64, p)
        return counter_uniform(origin, element_numbers(shape, first), dtype=jnp.float64) < p
