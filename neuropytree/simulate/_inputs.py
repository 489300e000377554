"""What drives a run: a constant, an array over time, or a function of the tick."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._errors import listing
from .._types import AbstractDynamics, Tick


class Inputs(eqx.Module):
    """Inputs of a run, sorted by kind. `series` has time as axis 0 of its leaves and `None` where a leaf is "
    "constant."""

    constant: Any
    series: Any
    function: Callable[[Tick], Any] | None

    def at(self, tick: Tick, now: Any) -> Any:
        """The input of one step; `now` is the slice of `series` for it."""
        return eqx.combine(self.constant, now) if self.function is None else self.function(tick)


def sort_inputs(model: AbstractDynamics, inputs: Any, n_steps: int, tick: Callable[[], Tick]) -> Inputs:
    """Checks `inputs` against the shapes that the model takes, and tells constants from series.

    **Raises:** `ValueError` naming the input whose shape doesn't fit.
    """
    if callable(inputs) and not isinstance(inputs, jax.Array | np.ndarray):
        shapes = eqx.filter_eval_shape(lambda: inputs(tick()))
        _classify(model, shapes, None)
        return Inputs(None, None, inputs)
    inputs = jax.tree.map(lambda x: x if isinstance(x, jax.Array) else jnp.asarray(_number(x)), inputs)
    mask = _classify(model, inputs, n_steps)
    series, constant = eqx.partition(inputs, mask)
    return Inputs(constant, series, None)


def _number(x: Any) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype == object or not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise TypeError(f"an input is a {type(x).__name__}; expected numbers, arrays, or a function of the tick")
    number = isinstance(x, int | float) and not isinstance(x, bool)  # 20 and 20.0 are the same input
    return array.astype(jnp.result_type(float)) if number or np.issubdtype(array.dtype, np.floating) else array


def _classify(model: AbstractDynamics, inputs: Any, n_steps: int | None) -> Any:
    """For each leaf, whether it is a series; `n_steps` is `None` where none may be."""
    shapes = model.input_shape
    if inputs is None:
        return None
    if not isinstance(shapes, dict):
        return _classify_tree("the input", inputs, shapes, n_steps)
    if not isinstance(inputs, Mapping):
        raise ValueError(f"inputs is a {type(inputs).__name__}; expected a dictionary with any of {listing(shapes)}")
    unknown = [name for name in inputs if name not in shapes]
    if unknown:
        raise ValueError(f"inputs has {listing(unknown)}, but the model takes {listing(shapes)}")
    return {name: _classify_tree(f"input '{name}'", x, shapes[name], n_steps) for name, x in inputs.items()}


def _classify_tree(name: str, tree: Any, shape: Any, n_steps: int | None) -> Any:
    return jax.tree.map(lambda leaf: _is_series(name, tuple(leaf.shape), shape, n_steps), tree)


def _is_series(name: str, got: tuple[int, ...], shape: Any, n_steps: int | None) -> bool:
    if shape is None:
        return n_steps is not None and len(got) > 0 and got[0] == n_steps
    first, *others = shape if isinstance(shape, list) else [shape]

    def taken(x: tuple[int, ...]) -> bool:
        return _broadcasts(x, first) or any(len(x) == len(other) and _broadcasts(x, other) for other in others)

    constant, series = taken(got), n_steps is not None and len(got) > 0 and got[0] == n_steps and taken(got[1:])
    if constant and series and n_steps != 1 and len(got) in map(len, (first, *others)):
        say = f"give a series the shape ({n_steps}, 1) or {(n_steps, *first)}"
        if len(got) > len(first):
            say = "say which by a function of the tick, lambda tick: x or lambda tick: x[tick.index]"
        raise ValueError(
            f"{name} has shape {got}, which is one value for each of {n_steps} neurons and one for each of "
            f"{n_steps} steps; {say}"
        )
    if not constant and not series:
        shapes = " or ".join(["()", *(str(one) for one in (first, *others))])
        over_time = "" if n_steps is None else f", or over time ({n_steps},) or {(n_steps, *first)}"
        raise ValueError(f"{name} has shape {got}; expected {shapes} for a constant{over_time}")
    return series and not constant


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    return len(shape) <= len(target) and all(n in (1, m) for n, m in zip(shape[::-1], target[::-1], strict=False))
