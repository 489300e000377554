"""Parameters drawn by rules."""

import dataclasses
from typing import Any, TypeVar

import jax
from jaxtyping import Array, Key

from .._arguments import check_real, spoken
from .._errors import check_key
from .._node import AbstractNode
from .._rule import is_undrawn
from .._types import fold_key
from ._base import checked_form

Model = TypeVar("Model")


def draw(model: Model, *, key: Key[Array, ""], shape: tuple[int, ...] | None = None) -> Model:
    """`model` with values for all parameters given as initializers, such as `tau=npt.init.Uniform(5.0, 15.0)`.

    One value for each neuron, from a stream that the path of the parameter names: what another parameter has makes no
    difference. `npt.Network` does it for its populations by its own key. An initial value, such as `v_init`, stays a
    rule, which `init` follows.

    **Arguments:**

    - `model`: a cell, a population, or anything that has such in it.
    - `key`: random key.
    - `shape`: of the parameters that lie in no cell and no population, such as those of a receptor by itself.

    **Raises:** `ValueError` naming the parameter if a value that is drawn is not one it can have, or if no shape is
    known; `TypeError` without a key, and for something that is no shape.

    !!! example

        ```python
        import jax, neuropytree as npt
        cell = npt.neurons.LIF(100, tau=npt.init.Uniform(5.0, 15.0))
        cell = npt.init.draw(cell, key=jax.random.key(0))
        cell.membrane.tau.shape  # (100,)
        ```
    """
    check_key(key, needed=True)
    shape = None if shape is None else checked_form(shape, None)[0]
    leaves, structure = jax.tree_util.tree_flatten_with_path(model, is_leaf=is_undrawn)
    return structure.unflatten([_drawn(model, path, x, key, shape) if is_undrawn(x) else x for path, x in leaves])


def _drawn(model: Any, path: Any, x: Any, key: Key[Array, ""], shape: tuple[int, ...] | None) -> Array:
    around = [model]
    for step in path:
        around.append(_child(around[-1], step))
    for k, part in enumerate(around[:-1]):
        shape = _shape_within(part, path[k:], shape)
    if shape is None:
        raise ValueError(f"{spoken(path)} is drawn for no neurons; expected shape= to say how many there are")
    name = jax.tree_util.keystr(path, simple=True, separator=".")
    values = x.rule(shape, key=fold_key(key, name))
    bounds = dict(x.bounds) if x.bounds is not None else _bounds(around[-2], path[-1])
    return check_real(values, spoken(path), **bounds)


def _child(part: Any, step: Any) -> Any:
    if isinstance(step, jax.tree_util.GetAttrKey):
        return getattr(part, step.name)
    return part[step.key if isinstance(step, jax.tree_util.DictKey) else step.idx]  # pyright: ignore


def _shape_within(part: Any, path: Any, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """What a parameter at that path in `part` has one value for each of, where it had `shape` outside."""
    if hasattr(part, "shape_of"):
        return part.shape_of(shape, path)
    own = getattr(part, "shape", (part.size,) if isinstance(part, AbstractNode) else None)
    return own if isinstance(own, tuple) else shape


def _bounds(part: Any, step: Any) -> dict[str, Any]:
    name = getattr(step, "name", None)
    fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    return next((dict(f.metadata.get("bounds", {})) for f in fields if f.name == name), {})
