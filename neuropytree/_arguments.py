"""Arguments of models and of their parts, checked where they are given."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, PyTree

from ._rule import AbstractInitializer, Undrawn
from ._types import as_parameter


def real(x: ArrayLike | Sequence[Any], name: str, *, dtype: Any = None, **bounds: Any) -> Array:
    """The argument called `name` as a parameter, checked by `check_real`, which says what `bounds` there are. `dtype`
    is that of the result, where it isn't that of the argument."""
    if isinstance(x, AbstractInitializer | Undrawn) and bounds.get("shape") != ():
        return x if isinstance(x, Undrawn) else Undrawn(x, tuple(bounds.items()))  # pyright: ignore
    checked = check_real(x, name, **bounds)
    return as_parameter(checked) if dtype is None else jnp.asarray(checked, dtype)


def check_real(
    x: Any,
    name: str,
    *,
    positive: bool = False,
    least: float | None = None,
    most: float | None = None,
    infinite: bool = False,
    shape: tuple[int, ...] | None = None,
    each: str = "neuron",
    unit: str = "",
) -> Any:
    """`x`, the argument called `name`, as an array of JAX if it is one, else of NumPy. Its values are checked where
    they are known, which they aren't inside a transformation.

    **Arguments:**

    - `positive`, `least`, `most`: of the values. They must be finite, unless `infinite`; and are never NaN.
    - `shape`: what the argument must broadcast to; `()` for one number.
    - `each`: what an array has one value for each of, as messages say it.
    - `unit`: of the values, for messages.

    **Raises:** `TypeError` unless `x` is made of real numbers, and `ValueError` for other values or another shape.
    """
    if isinstance(x, Undrawn):
        return x
    one = shape == ()
    x = real_numbers(x, name, None if one else each)
    if shape is not None and x.shape != () and not fits(x.shape, shape):
        wanted = "one number" if one else f"() or {shape}, one for each {each}"
        raise ValueError(f"{name} has shape {x.shape}; expected {wanted}")
    known = known_values(x)
    if known is not None:
        wrong = np.isnan(known) if infinite else ~np.isfinite(known)
        wrong |= ~(known > 0) if positive else False
        wrong |= ~(known >= least) if least is not None else False
        wrong |= ~(known <= most) if most is not None else False
        if wrong.any():
            kinds = [kind for kind, asked in (("positive", positive), ("finite", not infinite)) if asked]
            what = f"{', '.join(kinds)} number" if kinds else "number"
            what = f"a {what}" if one else f"{what}s"
            unit = f" of {unit}" if unit else ""
            raise ValueError(f"{name} is {_shown(known, wrong)}; expected {what}{unit}{_between(least, most)}")
    return x


def check_reals(names: Mapping[str, Any], **bounds: Any) -> None:
    """Checks several arguments, given by name, which a part takes by another one; what is drawn is checked then."""
    for name, x in names.items():
        if not isinstance(x, AbstractInitializer):
            check_real(x, name, **bounds)


def check_parameters(module: Any, shape: tuple[int, ...] | None = None) -> None:
    """Checks the fields of `module` that are made by `parameter`, also against a shape if that is known; those that are
    `None` by default may be that."""
    for f in dataclasses.fields(module):
        value = getattr(module, f.name)
        if "bounds" in f.metadata and not (value is None and f.default is None):
            check_real(value, f"{f.name} of {type(module).__name__}", shape=shape, **f.metadata["bounds"])


def whole(x: Any, name: str, *, least: int = 0, most: int = 2**31 - 1, of: str = "") -> int:
    """The argument called `name` as a Python int; `of` is what it counts, for messages.

    **Raises:** `ValueError` unless it is a whole number, of Python or NumPy, within bounds.
    """
    counted = f" of {of}" if of else ""
    above = "2^31 - 1" if most == 2**31 - 1 else most
    expected = f"a whole number{counted} from {least} to {above}"
    if isinstance(x, bool) or not isinstance(x, int | np.integer) or not least <= x <= most:
        raise ValueError(f"{name} is {x!r}; expected {expected}")
    return int(x)


def flag(x: Any, name: str) -> bool:
    """**Raises:** `TypeError` unless `x` is a truth value."""
    if not isinstance(x, bool | np.bool_):
        raise TypeError(f"{name} is {x!r}; expected True or False")
    return bool(x)


def check_choice(x: Any, name: str, choices: tuple[Any, ...]) -> None:
    """**Raises:** `ValueError` unless `x` is one of the strings, or `None`, in `choices`."""
    if not (x is None or isinstance(x, str)) or x not in choices:
        *others, last = map(repr, choices)
        raise ValueError(f"{name} is {x!r}; expected {', '.join(others)} or {last}")


def check_dtype(x: Any, name: str, expected: str, *kinds: Any) -> Any:
    """`x` as a dtype that JAX has.

    **Raises:** `TypeError` unless it is one of these kinds, which `expected` names.
    """
    try:
        if x is None or isinstance(x, np.ndarray):  # NumPy takes them for float64, and for a list of fields
            raise TypeError
        dtype = jax.dtypes.canonicalize_dtype(x)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {x!r}; expected {expected}") from None
    if not any(jnp.issubdtype(dtype, kind) for kind in kinds):
        raise TypeError(f"{name} is {dtype.name}; expected {expected}")
    return dtype


def check_mapping(x: Any, name: str, of: str) -> Mapping[Any, Any]:
    """`x`, or an empty dictionary for `None`.

    **Raises:** `TypeError` unless it is a dictionary; `of` says of what.
    """
    if x is None:
        return {}
    if not isinstance(x, Mapping):
        raise TypeError(f"{name} is {x!r}; expected a dictionary of {of} by name")
    return x


def axis_names(x: Any, name: str) -> tuple[str, ...]:
    """The names of mesh axes that `x` has. **Raises:** `TypeError` unless it is one, or a tuple of them, or `None`."""
    names = () if x is None else x if isinstance(x, tuple) else (x,)
    if not all(isinstance(axis, str) for axis in names):
        raise TypeError(f"{name} is {x!r}; expected the name of a mesh axis, a tuple of them, or None")
    return names


def fits(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of that shape broadcasts to `target`."""
    if len(shape) > len(target):
        return False
    return all(n in (1, m) for n, m in zip(shape[::-1], target[::-1], strict=False))


def known_values(x: Any) -> np.ndarray | None:
    """The values of an array, or `None` for one that is traced, or lies elsewhere, or isn't drawn yet."""
    if isinstance(x, Tracer | Undrawn | AbstractInitializer) or (
        isinstance(x, jax.Array) and not x.is_fully_addressable
    ):
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


def elapsed(x: Any, name: str, begin: Any, dtype: Any, **bounds: Any) -> Array:
    """The time or times `x` since `begin`: subtracted in float64 where both are known, and not in `dtype`, which may
    not tell late times apart.

    **Raises:** as `real`.
    """
    out = real(x, name, unit="ms", dtype=dtype, **bounds)
    known, first = known_values(x), known_values(begin)
    if known is None or first is None:
        return out - jnp.asarray(begin, dtype)
    return jnp.asarray(known.astype(np.float64) - first.astype(np.float64), dtype)


def named(y: PyTree) -> list[tuple[str, Any]]:
    """The leaves of a tree with their places in it as names; `"y"` for one that is no tree."""
    leaves = jax.tree_util.tree_leaves_with_path(y)
    return [(jax.tree_util.keystr(path, simple=True, separator=".") or "y", x) for path, x in leaves]


def spoken(path: Any) -> str:
    """The path of a leaf in a tree as messages have it: the path of the part, and the name in it."""
    *part, name = (jax.tree_util.keystr((key,), simple=True) for key in path)
    return f'"{".".join(part)}": {name}' if part else name


def check_tree(tree: PyTree, name: str, **bounds: Any) -> None:
    """Checks all leaves of a tree as `check_real` does."""
    alone = jax.tree.structure(tree) == jax.tree.structure(0)
    for path, x in named(tree):
        check_real(x, name if alone else f"{name} '{path}'", **bounds)


def real_numbers(x: Any, name: str, each: str | None) -> Any:
    """`x` as an array, of whatever values. **Raises:** `TypeError` unless it is made of real numbers."""
    try:
        array = x if isinstance(x, jax.Array) else np.asarray(x)
    except ValueError:
        array = np.asarray(None)
    if _is_real(array.dtype):
        return array
    if array.dtype.kind in "bc":
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected {'a real number' if each is None else 'real numbers'}"
        )
    several = "" if each is None else f", or an array with one for each {each}"
    raise TypeError(f"{name} is {x!r}; expected a number{several}")


def _is_real(dtype: Any) -> bool:
    return np.issubdtype(dtype, np.integer) or jax.numpy.issubdtype(dtype, np.floating)


def _between(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least:.10g} to {most:.10g}"
    return f", at least {least:.10g}" if least is not None else f", at most {most:.10g}" if most is not None else ""


def _shown(x: np.ndarray, where: np.ndarray) -> str:
    """The first value concerned, and which it is."""
    if x.ndim == 0:
        return f"{x.item():.10g}"
    index = [int(n) for n in np.argwhere(np.broadcast_to(where, x.shape))[0]]
    return f"{x[tuple(index)].item():.10g} at index {', '.join(map(str, index))}"
