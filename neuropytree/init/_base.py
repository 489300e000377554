"""The base of every initializer."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._errors import no_key
from .._types import as_parameter


class AbstractInitializer(eqx.Module):
    """A rule for the values of an array: weights of the edges, or a state variable of the neurons."""

    @abc.abstractmethod
    def __call__(
        self, shape: tuple[int, ...], *, key: Key[Array, ""] | None = None, dtype: Any = None
    ) -> Float[Array, "..."]:
        """Values of the given shape; `dtype` defaults to JAX's default float."""


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

    **Raises:** `ValueError` naming `name` if it can't be broadcast, or if it is random and there is no key.

    !!! example

        ```python
        import jax, neuropytree as npt
        npt.init.values(npt.init.Uniform(-65.0, -50.0), (3,), key=jax.random.key(0), dtype=float, name="v_init")
        ```
    """
    if isinstance(rule, AbstractInitializer):
        return rule(shape, key=key, dtype=dtype)
    array = as_parameter(rule).astype(dtype)
    try:
        return jnp.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} has shape {array.shape}; expected a number or an array of shape {shape}") from None


def need_key(key: Key[Array, ""] | None, who: str) -> Key[Array, ""]:
    if key is None:
        raise no_key(who, "initial values")
    return key
