"""Normal numbers."""

from typing import Any

from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from .._stream import Origin
from ..ops import counter_normal, element_numbers
from ._parameters import floating
from ._place import AxisName, Shape, Source, fitted, one_program, place


def normal(
    tick: Source,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    *,
    shape: Shape = None,
    dtype: Any = None,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Independent normal numbers, $\mathcal{N}(\mathrm{mean}, \mathrm{std}^2)$.

    $\mathrm{mean} + \mathrm{std}\,z$, where $z$ is the quantile of a word of 32 bits, correct to 2·10⁻⁷, and at most
    6.34 in absolute value. Derivatives with respect to `mean` and `std` are those of this product at fixed $z$.

    **Arguments:**

    - `tick`: of the step, with a key; or a `Stream`; or a JAX key, for numbers outside of steps. See `uniform`.
    - `mean`, `std`: numbers, or arrays that broadcast; `std` at least 0. Defaults 0 and 1.
    - `shape`: of the result; that of `mean` and `std` together unless given.
    - `dtype`: floating; that of the arrays among `mean` and `std`, or JAX's default float, unless given.
    - `axis_name`: see `uniform`.

    **Raises:** `ValueError` for a tick without a key, numbers that are not finite, a negative `std`, and shapes that
    don't fit; `TypeError` for another dtype.

    !!! example

        ```python
        import jax, neuropytree as npt
        tick = npt.Tick.at(3, dt=0.1, key=jax.random.key(0))
        x = npt.random.normal(tick.fold("noise"), 0.0, 0.5, shape=(10,))
        ```
    """
    dtype = floating(dtype, mean, std)
    mean, std = real(mean, "mean"), real(std, "std", least=0)
    at = place("normal", tick, shape, axis_name, mean=mean, std=std)
    return _normal(at.origin, at.first, mean, std, shape=at.shape, dtype=dtype)


@one_program
def _normal(origin: Origin, first: Array, mean: Array, std: Array, *, shape: tuple[int, ...], dtype: Any) -> Array:
    mean, std = fitted(shape, dtype, mean, std)
    return mean + std * counter_normal(origin, element_numbers(shape, first), dtype=dtype)
