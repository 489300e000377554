"""What drives a run: constants, series over time, and functions of the tick."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jaxtyping import Array

from .._arguments import check_real
from .._errors import check_function, listing, no_key
from .._series import Series, is_list, numbers
from .._types import AbstractDynamics, Tick


class Inputs(eqx.Module):
    """The inputs of a run: of each leaf, one of three kinds, and `None` for the other two."""

    structure: Any = eqx.field(static=True)
    constants: list[Array | None]
    series: list[Any]
    functions: list[Any]

    def at(self, tick: Tick, rows: list[Any]) -> Any:
        """The input of one step; `rows` are those of `series`."""
        leaves = []
        for constant, row, function in zip(self.constants, rows, self.functions, strict=True):
            made = None if function is None else _arrays(function(tick))
            leaves.append(constant if constant is not None else row if row is not None else made)
        return jax.tree.unflatten(self.structure, leaves)


def sort_inputs(model: AbstractDynamics, inputs: Any, n_steps: int, tick: Callable[[], Tick]) -> Inputs:
    """Checks `inputs` against the shapes that the model takes, and sorts them by kind.

    **Raises:** `ValueError` or `TypeError` naming the input that doesn't fit.
    """
    leaves, structure = jax.tree.flatten(inputs, is_leaf=_is_leaf)
    paths = [_spoken(path) for path, _ in jax.tree_util.tree_leaves_with_path(inputs, is_leaf=_is_leaf)]
    found = Inputs(structure=structure, constants=[], series=[], functions=[])
    for name, leaf in zip(paths, leaves, strict=True):
        if isinstance(leaf, Series) and len(leaf) != n_steps:
            raise ValueError(
                f"{name} is a series of {len(leaf)} rows; expected {n_steps}, one for each step of the run"
            )
        function = callable(leaf) and not isinstance(leaf, Series)
        found.constants.append(None if function or isinstance(leaf, Series) else _constant(leaf, name))
        found.series.append(leaf.x if isinstance(leaf, Series) else None)
        found.functions.append(check_function(name, leaf, "tick") if function else None)
    forms = []
    for name, leaf, series, function in zip(paths, found.constants, found.series, found.functions, strict=True):
        if function is not None:
            leaf = eqx.filter_eval_shape(lambda f=function, name=name: _made(f, tick(), name))
        elif series is not None:
            leaf = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), series)
        forms.append(leaf)
    _check_shapes(model.input_shape, jax.tree.unflatten(structure, forms))
    return found


def _constant(x: Any, name: str) -> Array:
    """**Raises:** `ValueError` where a number is known not to be finite."""
    array = numbers(x, name)
    return array if array.dtype == bool else check_real(array, name, each="element")


def _made(function: Callable[[Tick], Any], tick: Tick, name: str) -> Any:
    """What a function gives in a step. **Raises:** `ValueError` if it asks a tick without a key for one."""
    try:
        return _arrays(function(tick))
    except TypeError as error:  # JAX's own, which says nothing of where the key should come from
        if tick.stream is None and "PRNG key" in str(error):
            raise no_key(name, "by tick.key") from error
        raise


def _arrays(made: Any) -> Any:
    """What a function made of a tick, as arrays."""
    return jax.tree.map(lambda x: numbers(x, "an input"), made, is_leaf=is_list)


def _is_leaf(x: Any) -> bool:
    return isinstance(x, Series) or callable(x) or is_list(x)


def _spoken(path: Any) -> str:
    return f"input '{jax.tree_util.keystr(path, simple=True, separator='.')}'" if path else "the input"


def _check_shapes(shapes: Any, inputs: Any, name: str = "the input") -> None:
    """**Raises:** `ValueError` naming an input that a model which takes these shapes has no use for."""
    if inputs is None or shapes is None:
        return
    if not isinstance(shapes, dict):
        return _check_tree(name, inputs, shapes)
    if not shapes:
        raise ValueError(f"{name} is given to a model that takes none; leave it out")
    who = "inputs" if name == "the input" else name
    if not isinstance(inputs, Mapping):
        raise ValueError(f"{who} is a {type(inputs).__name__}; expected a dictionary with any of {listing(shapes)}")
    if unknown := [part for part in inputs if part not in shapes]:
        raise ValueError(f"{who} has {listing(unknown)}, but the model takes {listing(shapes)}")
    for part, x in inputs.items():
        _check_shapes(shapes[part], x, f"input '{part}'" if name == "the input" else f"{name}, '{part}',")


def _check_tree(name: str, tree: Any, shape: Any) -> None:
    """**Raises:** `ValueError` for something that one step's input can't be."""
    if isinstance(tree, Mapping | list | tuple):
        what = (
            f"a dictionary with {listing(tree)}" if isinstance(tree, Mapping) else f"a {type(tree).__name__} of arrays"
        )
        raise ValueError(f"{name} is {what}; expected a number or an array, for one population")
    first, *others = shape if isinstance(shape, list) else [shape]
    for leaf in jax.tree.leaves(tree):
        got = tuple(leaf.shape)
        if not _broadcasts(got, first) and not any(len(got) == len(o) and _broadcasts(got, o) for o in others):
            expected = " or ".join(["()", *(str(one) for one in (first, *others))])
            raise ValueError(
                f"{name} has shape {got} in a step; expected {expected}. An array is the same in every step: "
                "npt.Series(x) says that its rows are those of the steps"
            )


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    return len(shape) <= len(target) and all(n in (1, m) for n, m in zip(shape[::-1], target[::-1], strict=False))


def closes_over_tracers(function: Any) -> bool:
    """Whether a function holds values of a transformation that is under way."""
    cells = getattr(function, "__closure__", None) or ()
    held = [cell.cell_contents for cell in cells if _filled(cell)]
    parts = [getattr(function, name, None) for name in ("args", "keywords", "__self__", "__defaults__")]
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves([held, parts]))


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
