"""What initializers have in common."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import check_dtype, fits, real, whole
from .._errors import check_key, no_key
from .._rule import AbstractInitializer


def values(
    rule: "AbstractInitializer | ArrayLike",
    shape: tuple[int, ...],
    *,
    key: Key[Array, ""] | None,
    dtype: Any,
    name: str,
) -> Float[Array, "..."]:
    """`rule` as an array of exactly `shape`: drawn if it is an initializer, broadcast if it is a number or an array.

    By it a model makes its initial values of whatever its user gave.

    **Arguments:**

    - `rule`: an initializer, a number or an array.
    - `shape`, `dtype`: of the result.
    - `key`: for initializers that draw, or `None`.
    - `name`: what the argument is called in messages.

    **Raises:** `TypeError` or `ValueError` naming `name` if it isn't made of finite numbers, or can't be broadcast, or
        if it is random and there is no key.

    !!! example

        ```python
        import jax, neuropytree as npt
        npt.init.values(npt.init.Uniform(-65.0, -50.0), (3,), key=jax.random.key(0), dtype=float, name="v_init")
        ```
    """
    check_key(key)
    if isinstance(rule, AbstractInitializer):
        return rule(shape, key=key, dtype=dtype)
    shape, dtype = checked_form(shape, dtype)
    array = real(rule, name)
    if not fits(array.shape, shape):
        raise ValueError(f"{name} has shape {array.shape}; expected a number or an array of shape {shape}")
    return jnp.broadcast_to(array.astype(dtype), shape)


def checked_form(shape: Any, dtype: Any) -> tuple[tuple[int, ...], Any]:
    """**Raises:** `TypeError` or `ValueError` unless these are a shape, and a floating dtype or `None`."""
    if not isinstance(shape, tuple):
        raise TypeError(f"shape is {shape!r}; expected a tuple of whole numbers")
    shape = tuple(whole(n, "shape") for n in shape)
    return shape, None if dtype is None else check_dtype(dtype, "dtype", "a floating dtype", jnp.floating)


def need_key(key: Key[Array, ""] | None, who: str) -> Key[Array, ""]:
    check_key(key)
    if key is None:
        raise no_key(who, "initial values")
    return key
