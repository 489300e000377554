"""Numbers over time, and what else may drive a step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ._types import as_parameter


class Series(eqx.Module):
    """Something over time: `x[k]` is its value in step `k`; as an input, of the run.

    **Arguments:**

    - `x`: an array, or a list of rows, with time as axis 0 and a row for each step; or a `Drive` of such arrays.

    **Raises:** `ValueError` or `TypeError` for something without rows.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        cells = npt.neurons.LIF(3)
        ramp = npt.Series(jnp.linspace(0.0, 20.0, 1000))
        sol = npt.simulate(cells, cells.init(dt=0.1), ramp, dt=0.1, duration=100.0, record=["v"])
        ```
    """

    x: Any

    def __init__(self, x: ArrayLike | Any):
        listed = isinstance(x, list | tuple)
        self.x = numbers(x, "a series") if listed else jax.tree.map(lambda leaf: numbers(leaf, "a series"), x)
        lengths = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves(self.x)}
        if len(lengths) != 1 or None in lengths:
            raise ValueError(f"a series is {x!r}; expected an array over time, with a row for each step as axis 0")

    def __len__(self) -> int:
        return jax.tree.leaves(self.x)[0].shape[0]


def numbers(x: Any, name: str) -> Array:
    """`x` as an array, if it is made of numbers. Python's are floats: 20 and 20.0 are the same input.

    **Raises:** `TypeError` for anything else, complex numbers too.
    """
    if isinstance(x, list | tuple) and any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x)):
        x = _stacked(x)
    if isinstance(x, jax.Array):
        array: Any = x
    else:
        try:
            array = np.asarray(x)
        except (TypeError, ValueError):
            array = np.asarray(None)
    real = array.dtype == bool or any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.integer, jnp.floating))
    if not real:
        what = f"has dtype {array.dtype}" if array.dtype.kind == "c" else f"is a {type(x).__name__}"
        raise TypeError(f"{name} {what}; expected numbers, arrays, an npt.Series, or a function of the tick")
    if isinstance(x, jax.Array):
        return x
    python = not isinstance(x, np.ndarray | np.generic) and array.dtype.kind in "iu"
    return as_parameter(array) if python or jnp.issubdtype(array.dtype, jnp.floating) else jnp.asarray(array)


def _stacked(rows: Any) -> Any:
    """A list with arrays of JAX in it, which may be traced, as an array; as it is, if the rows differ in shape."""
    rows = [_stacked(row) if isinstance(row, list | tuple) else row for row in rows]
    return jnp.stack([jnp.asarray(row) for row in rows]) if len({np.shape(row) for row in rows}) == 1 else rows


def is_list(x: Any) -> bool:
    """Whether it is a list of numbers, or of such lists, which stands for an array."""
    return isinstance(x, list | tuple) and all(isinstance(n, int | float | np.generic) or is_list(n) for n in x)
