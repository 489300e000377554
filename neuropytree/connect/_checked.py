"""Index arrays that were looked at, remembered by identity: JAX arrays don't change."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

_LOOKED_AT: dict[Hashable, tuple[weakref.ref[Any], ...]] = {}


def once(look: Callable[..., None], arrays: dict[str, Any], *facts: Hashable) -> None:
    """Calls `look` with the values of int32 arrays, unless it has accepted the same arrays with the same `facts`.

    Nothing is looked at where it isn't known: inside a transformation, on other hosts, or in arrays given away. Arrays
    of NumPy may change, and are looked at each time. With leading axes, which all of them must have, it is called for
    each item.

    **Raises:** what `look` raises, and `TypeError` for something else than int32 arrays.
    """
    values = tuple(arrays.values())
    if any(isinstance(x, Tracer) for x in values):
        return
    if seen(values, *facts):
        return
    for name, x in arrays.items():
        if not hasattr(x, "dtype"):
            raise TypeError(f"{name} is a {type(x).__name__}; expected an int32 array")
        if x.dtype != np.int32:
            raise TypeError(f"{name} is {x.dtype.name}; expected int32")
    if not all(_has_values(x) for x in values):
        return
    whole = [np.asarray(x) for x in values]
    lead = whole[0].shape[:-1]
    if any(x.shape[:-1] != lead for x in whole):
        raise ValueError(
            f"{', '.join(arrays)} have shapes {', '.join(str(x.shape) for x in whole)}; expected one dimension, or the "
            "same leading ones"
        )
    for item in np.ndindex(*lead):
        look(*(x[item] for x in whole))
    if all(isinstance(x, jax.Array) for x in values):
        remember(values, *facts)


def seen(things: tuple[Any, ...], *facts: Hashable) -> bool:
    """Whether these were remembered, with these `facts`."""
    known = _LOOKED_AT.get((facts, *map(id, things)))
    return known is not None and all(made() is x for made, x in zip(known, things, strict=True))


def remember(arrays: tuple[Any, ...], *facts: Hashable) -> None:
    """That `once` needn't look at these."""
    if any(isinstance(x, Tracer) for x in arrays):
        return
    key = (facts, *map(id, arrays))
    _LOOKED_AT[key] = tuple(weakref.ref(x, lambda _: _LOOKED_AT.pop(key, None)) for x in arrays)


def _has_values(x: Any) -> bool:
    if isinstance(x, jax.Array):
        return x.is_fully_addressable and not x.is_deleted()
    return isinstance(x, np.ndarray)
