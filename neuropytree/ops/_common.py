"""What the operators of every family share: their implementations, and what they say of operands that don't fit."""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._arguments import check_choice
from . import _bridge
from ._ffi import Shape, kernels

Impl = Literal["auto", "taichi", "reference"]
Events = Float[Array, "..."] | Bool[Array, "..."]
LARGEST = 2**31 - 64  # positions are int32, and rounded up to whole blocks
KERNEL_DTYPES = {"float32": "f32", "float64": "f64"}


def implementation(impl: Impl = "auto", dtype: Any = np.float32) -> str:
    """Which implementation a call with this `impl` runs on the default backend: `"taichi"` or `"reference"`.

    **Raises:** `ValueError` if `impl` is none of `"auto"`, `"taichi"`, `"reference"`, or asks for kernels that can't be
    had here.
    """
    check_impl(impl)
    why = _bridge.load().reason
    if jax.default_backend() != "cpu":
        why = f"kernels run on the CPU, and the default backend is '{jax.default_backend()}'"
    elif np.dtype(dtype).name not in KERNEL_DTYPES:
        why = f"there are no kernels for {np.dtype(dtype).name}"
    elif not why and not kernels():
        why = "the bridge has no kernels"
    if impl == "taichi" and why:
        raise ValueError(f"impl='taichi' can't be had: {why}; use impl='auto' or 'reference'")
    return "reference" if impl == "reference" or why else "taichi"


def kernel_report() -> list[tuple[str, str]]:
    """Whether the native kernels work here, or why not and what to do about it: headings and what stands under them.

    !!! example

        ```python
        import neuropytree as npt
        for heading, text in npt.ops.kernel_report():
            print(heading, text)
        ```
    """
    bridge = _bridge.load()
    if bridge.available and kernels():
        built = ", ".join(f"{name} {version}" for name, version in bridge.build.items() if isinstance(version, str))
        return [("kernels", f"{len(kernels())} native operators work ({built})")]
    why = f"none: {bridge.reason}; the reference operators run instead"
    return [("kernels", why), ("what to do", bridge.remedy)]


def times(w: Array, x: Array) -> Array:
    """`w * x`, and 0 where `x` is, whatever `w`."""
    return jnp.where(x, w, jnp.zeros_like(w)) if x.dtype == bool else jnp.where(x != 0, w * x, jnp.zeros_like(w * x))


def happened(x: Array) -> Array:
    """Which elements are events."""
    return x if x.dtype == bool else x != 0


def kind(x: Any) -> str:
    return "bool" if x.dtype == bool else "float"


def zeros(aval: Any) -> Array:
    return jnp.zeros(aval.shape, aval.dtype)


def as_events(name: str, x: Any, dtype: Any) -> Array:
    """Events as the operators take them: booleans, or floats of the dtype of the weight.

    **Arguments:**

    - `name`: what a message calls them.
    - `x`: booleans, floats of `dtype`, whole numbers, or Python numbers.
    - `dtype`: of the weight.

    **Raises:** `TypeError` for another floating dtype.
    """
    x = jnp.asarray(x)
    if x.dtype == bool or x.dtype == dtype:
        return x
    if x.weak_type or jnp.issubdtype(x.dtype, jnp.integer):
        return x.astype(dtype)
    raise TypeError(f"{name} is {x.dtype.name}; with acc of {np.dtype(dtype).name} it must be that or bool")


def as_weight(weight: Any, acc: Any) -> Array:
    """`weight` in the dtype of `acc`.

    **Raises:** `TypeError` unless both are of the same floating dtype.
    """
    weight = jnp.asarray(weight)
    check_floating("acc", acc)
    if not jnp.issubdtype(weight.dtype, jnp.floating) or (weight.dtype != acc.dtype and not weight.weak_type):
        raise TypeError(f"weight is {weight.dtype.name} and acc {acc.dtype.name}; they must be the same floating dtype")
    return weight.astype(acc.dtype)


def check_floating(name: str, x: Any) -> None:
    if not hasattr(x, "dtype"):
        raise TypeError(f"{name} is a {type(x).__name__}; expected a floating array: jnp.asarray({name}, float)")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} is {x.dtype.name}; it must be floating")


def check_sizes(**shapes: tuple[Array, Shape]) -> None:
    """Each operand against the shape that the others give it.

    **Raises:** `ValueError` naming the first that doesn't fit.
    """
    for name, (x, shape) in shapes.items():
        if x.shape != shape:
            raise ValueError(f"{name} has shape {x.shape}; expected {shape} (jax.vmap adds batch dimensions)")


def check_impl(impl: Any) -> None:
    check_choice(impl, "impl", get_args(Impl))


def check_matrix(name: str, x: Any, shape: tuple[int | None, int | None]) -> None:
    if jnp.ndim(x) != 2 or any(n not in (None, m) for n, m in zip(shape, jnp.shape(x), strict=True)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {jnp.shape(x)}; expected ({expected}) (jax.vmap adds batch dimensions)")


def check_shape(name: str, x: Any, shape: Shape | None) -> None:
    """Whether an operand, called `name`, is a vector: of this shape, or of any length for `None`.

    **Raises:** `ValueError` naming it, what came and what was expected.
    """
    if jnp.ndim(x) != 1 or (shape is not None and jnp.shape(x) != shape):
        expected = "one dimension" if shape is None else f"shape {shape}"
        raise ValueError(f"{name} has shape {jnp.shape(x)}; expected {expected} (jax.vmap adds batch dimensions)")


def check_index_array(name: str, x: Any) -> None:
    """**Raises:** `TypeError` unless it is an int32 array of one dimension; `ValueError` for too many entries."""
    if not hasattr(x, "dtype"):
        raise TypeError(f"{name} is a {type(x).__name__}; expected an int32 array: jnp.asarray({name}, jnp.int32)")
    if x.dtype != jnp.int32 or x.ndim != 1:
        raise TypeError(f"{name} is {x.dtype.name} of {x.ndim} dimensions; expected int32 of one dimension")
    if x.shape[0] > LARGEST:
        raise ValueError(
            f"{name} has {x.shape[0]} entries, more than 2^31 - 64: positions are int32; split the connectivity"
        )


def check_indices(indices: Any, indptr: Any, *names: str) -> int:
    """The number of rows of CSR arrays, which are called `indices` and `indptr` unless `names` says otherwise."""
    for name, x in zip(names or ("indices", "indptr"), (indices, indptr), strict=True):
        check_index_array(name, x)
    if indptr.shape[0] == 0:
        raise ValueError(f"{names[1] if names else 'indptr'} has no entries; expected one more than there are rows")
    return indptr.shape[0] - 1
