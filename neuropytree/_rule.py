"""Rules for the values of arrays, and parameters that are still rules."""

import abc
from typing import Any, NoReturn

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key


class AbstractInitializer(eqx.Module):
    """A rule for the values of an array: weights of the edges, or a state variable or a parameter of the neurons."""

    @abc.abstractmethod
    def __call__(
        self, shape: tuple[int, ...], *, key: Key[Array, ""] | None = None, dtype: Any = None
    ) -> Float[Array, "..."]:
        """Values of the given shape; `dtype` defaults to JAX's default float."""

    def __check_init__(self) -> None:
        for path, x in undrawn(self):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise TypeError(f"{name} of a {type(self).__name__} is a {type(x.rule).__name__}; expected numbers")


class Undrawn(eqx.Module):
    """A parameter that is still a rule; `npt.init.draw` puts values in its place.

    - `bounds`: of the values, as `check_real` takes them; `None` where the field has them that the parameter is in.
    """

    rule: AbstractInitializer
    bounds: tuple[tuple[str, Any], ...] | None = eqx.field(static=True, default=None)

    def __jax_array__(self) -> NoReturn:
        raise ValueError(_message("a parameter", self))


def _message(name: str, x: Undrawn) -> str:
    return (
        f"{name} is a {type(x.rule).__name__}, whose values are not drawn yet; expected numbers: "
        "npt.init.draw(model, key=...) draws them, as npt.Network(..., key=...) does for its populations"
    )


def is_undrawn(x: Any) -> bool:
    return isinstance(x, Undrawn)


def undrawn(tree: Any) -> list[tuple[Any, Undrawn]]:
    """The parameters in a tree that are still rules, with their paths."""
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_undrawn)
    return [(path, x) for path, x in leaves if is_undrawn(x)]


def check_drawn(model: Any) -> None:
    """**Raises:** `ValueError` for a parameter that is still a rule."""
    for path, x in undrawn(model):
        raise ValueError(_message(jax.tree_util.keystr(path, simple=True, separator="."), x))
