"""Arguments of models and of their parts, checked where they are given."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PyTree

from ._types import as_parameter


def real(
    x: ArrayLike,
    name: str,
    *,
    positive: bool = False,
    least: float | None = None,
    infinite: bool = False,
    shape: tuple[int, ...] | None = None,
    each: str = "neuron",
) -> Array:
    """The argument called `name` as a parameter. Its values are checked where they are known, which they aren't inside
    a transformation. `each` is what an array has one for, as messages say it.

    **Raises:** `TypeError` unless it is made of real numbers; `ValueError` where one is NaN, or infinite without
    `infinite`, or not `positive`, or below `least`; and unless it is one number or one for each neuron of `shape`.
    """
    if not isinstance(x, jax.Array):
        x = _numbers(x, name, each)
    if not _is_real(x.dtype):
        raise TypeError(f"{name} has dtype {x.dtype}; expected real numbers")
    if shape is not None and x.shape != () and not fits(x.shape, shape):
        raise ValueError(f"parameter '{name}' has shape {x.shape}; expected () or {shape}, one for each {each}")
    known = known_values(x)
    if known is not None:
        wrong = np.isnan(known) if infinite else ~np.isfinite(known)
        if positive or least is not None:
            wrong |= ~(known > 0 if positive else known >= least)
        if wrong.any():
            kind = ("positive, " if positive else "") + ("" if infinite else "finite ") + "numbers"
            below = "" if least is None else f", at least {least:g}"
            raise ValueError(f"{name} is {_shown(known, wrong)}; expected {kind}{below}")
    return as_parameter(x)


def check_parameters(module: Any) -> None:
    """Checks the fields of `module` that are made by `parameter`, as `real` does; those that are `None` are let be."""
    for f in dataclasses.fields(module):
        value = getattr(module, f.name)
        if "bounds" in f.metadata and value is not None:
            real(value, f"{f.name} of {type(module).__name__}", **f.metadata["bounds"])


def fits(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of that shape broadcasts to `target`."""
    if len(shape) > len(target):
        return False
    return all(n in (1, m) for n, m in zip(shape[::-1], target[::-1], strict=False))


def known_values(x: Any) -> np.ndarray | None:
    """The values of an array, or `None` for one that is traced, or lies elsewhere."""
    if isinstance(x, Tracer) or (isinstance(x, jax.Array) and not x.is_fully_addressable):
        return None
    return np.asarray(x)


def check_order(lower: ArrayLike, name: str, upper: ArrayLike, than: str) -> None:
    """**Raises:** `ValueError` where `lower` is known to be above `upper`."""
    below, above = known_values(lower), known_values(upper)
    if below is None or above is None or not (below > above).any():
        return
    below, above = np.broadcast_arrays(below, above)
    raise ValueError(
        f"{name} is {_shown(below, below > above)}, above {than}, which is {_shown(above, below > above)}: expected it "
        "below, since each spike would lead to the next"
    )


def check_kind(x: Any, kind: type, name: str, *, optional: bool = True) -> None:
    """**Raises:** `TypeError` unless `x` is of that kind; or, if `optional`, `None`."""
    if isinstance(x, kind) or (optional and x is None):
        return
    what = f"the class {x.__name__}" if isinstance(x, type) else repr(x)
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    raise TypeError(f"{name} is {what}; expected {article} {kind.__name__}{' or None' if optional else ''}")


def number(
    name: str, x: Any, dtype: Any, *, above: float = -math.inf, at_least: float = -math.inf, finite: bool = True
) -> Float[Array, ""]:
    """`x` as an array without axes; a value that is known is checked.

    **Raises:** `TypeError` or `ValueError` naming it.
    """
    out = _real_array(name, x, dtype)
    if out.ndim:
        raise ValueError(f"{name} has shape {out.shape}; expected one number")
    if not isinstance(out, Tracer) and not (out > above and out >= at_least and (math.isfinite(out) or not finite)):
        bound = f" above {above}" if above > -math.inf else f" of at least {at_least}" if at_least > -math.inf else ""
        raise ValueError(f"{name} is {x}; expected a {'finite ' if finite else ''}number{bound}")
    return out


def times(name: str, x: Any, dtype: Any) -> Array:
    """`x` as an array of times, empty for `None`.

    **Raises:** `TypeError` or `ValueError` naming it.
    """
    out = _real_array(name, () if x is None else x, dtype)
    if not isinstance(out, Tracer) and np.any(np.isnan(out)):
        raise ValueError(f"{name} has NaN; expected times (ms)")
    return out


def elapsed(name: str, x: Any, begin: Any, dtype: Any) -> Array:
    """The time or times `x` since `begin`: subtracted in float64 where both are known, and not in `dtype`, which may
    not tell late times apart.

    **Raises:** as `times`.
    """
    out = times(name, x, dtype)
    known, first = known_values(() if x is None else x), known_values(begin)
    if known is None or first is None:
        return out - jnp.asarray(begin, dtype)
    return jnp.asarray(known.astype(np.float64) - first.astype(np.float64), dtype)


def named(y: PyTree) -> list[tuple[str, Any]]:
    """The leaves of a tree with their places in it as names; `"y"` for one that is no tree."""
    leaves = jax.tree_util.tree_leaves_with_path(y)
    return [(jax.tree_util.keystr(path, simple=True, separator=".") or "y", x) for path, x in leaves]


def no_nan(name: str, tree: PyTree) -> None:
    """**Raises:** `ValueError` where a value that is known is NaN."""
    for path, x in named(tree):
        if not isinstance(x, Tracer) and np.any(np.isnan(x)):
            raise ValueError(f"{name} is or has NaN{'' if path == 'y' else f' in {path!r}'}; expected numbers")


def _real_array(name: str, x: Any, dtype: Any) -> Array:
    try:
        return jnp.asarray(x if isinstance(x, jax.Array) else np.asarray(x, float), dtype)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {x!r}; expected real numbers") from None


def _numbers(x: Any, name: str, each: str) -> np.ndarray:
    try:
        array = np.asarray(x)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind in "biufc":
        return array
    raise TypeError(f"{name} is {x!r}; expected a number, or an array with one for each {each}")


def _is_real(dtype: Any) -> bool:
    return np.issubdtype(dtype, np.integer) or jax.numpy.issubdtype(dtype, np.floating)


def _shown(x: np.ndarray, where: np.ndarray) -> str:
    """The first value concerned, and which it is."""
    if x.ndim == 0:
        return f"{x.item():.10g}"
    index = [int(n) for n in np.argwhere(np.broadcast_to(where, x.shape))[0]]
    return f"{x[tuple(index)].item():.10g} at index {', '.join(map(str, index))}"
