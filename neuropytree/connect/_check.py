"""Whether all connectivities of a model are whole."""

from typing import Any

import jax

from ._base import AbstractConnectivity


def check(model: Any) -> None:
    """Looks at every connectivity in a model: whether its indices are in range and in order, and its arrays fit.

    The operators never leave their memory, whatever a connectivity holds, and count an edge whose index is out of range
    as none: a damaged one gives results without a word. Call this after a model was read from a file, or put together
    by hand. Arrays that a constructor made, or that were looked at before, cost nothing again.

    **Arguments:**

    - `model`: any pytree; with leading axes, as `jax.vmap` makes them, too. What is traced isn't looked at.

    **Raises:** `ValueError` or `TypeError` as the constructor of the connectivity does, with its path in the model.

    !!! example

        ```python
        import equinox as eqx, jax.numpy as jnp, neuropytree as npt
        W = npt.connect.CSR([0, 2, 1], [0, 2, 3], weight=0.5, in_size=2, out_size=3)
        model = {"E->I": W}
        npt.connect.check(model)
        damaged = eqx.tree_at(lambda m: m["E->I"].indices, model, jnp.array([0, 9, 1], jnp.int32))
        try:
            npt.connect.check(damaged)
        except ValueError as error:
            print(error)  # E->I: indices[1] is 9; expected 0 to out_size - 1 = 2
        ```
    """
    found = jax.tree_util.tree_flatten_with_path(model, is_leaf=lambda x: isinstance(x, AbstractConnectivity))[0]
    for path, node in found:
        if isinstance(node, AbstractConnectivity):
            try:
                node.check()
            except (TypeError, ValueError) as error:
                name = jax.tree_util.keystr(path, simple=True, separator=".")
                if not name:
                    raise
                raise type(error)(f"{name}: {error}") from None
