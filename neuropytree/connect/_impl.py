"""Another implementation of the operators, for all of a model."""

import dataclasses
from typing import Any, TypeVar

import jax

from ..ops import Impl, implementation
from ._base import AbstractConnectivity

M = TypeVar("M")


def with_impl(model: M, impl: Impl) -> M:
    """The model with every connectivity calling the operators in one implementation.

    **Arguments:**

    - `model`: any pytree: a connectivity, a network.
    - `impl`: `"auto"` takes the compiled kernel where there is one, `"taichi"` insists on it, `"reference"` is plain
      JAX.

    **Raises:** `ValueError` for another `impl`, and for kernels that can't be had here.

    !!! example

        ```python
        import neuropytree as npt
        W = npt.connect.AllToAll()(100, 50, weight=0.1)
        npt.connect.with_impl({"E->I": W}, "reference")["E->I"].impl
        ```
    """
    implementation(impl)

    def changed(node: Any) -> Any:
        if not isinstance(node, AbstractConnectivity):
            return node
        new = object.__new__(type(node))
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            if not field.metadata.get("static", False):
                value = with_impl(value, impl)  # of connectivities in it
            object.__setattr__(new, field.name, impl if field.name == "impl" else value)
        return new

    return jax.tree.map(changed, model, is_leaf=lambda x: isinstance(x, AbstractConnectivity))
