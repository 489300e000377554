"""Whether all connectivities of a model are whole."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from ._base import AbstractConnectivity
from ._checked import remember, seen


def check(model: Any) -> None:
    """Looks at every connectivity in a model: whether its indices are in range and in order, and its arrays fit.

    The operators never leave their memory, whatever a connectivity holds, and count an edge whose index is out of range
    as none. `npt.simulate` calls this for its model; call it where a model that was read from a file, or put together
    by hand, is stepped otherwise. Arrays that a constructor made, or that were looked at before, cost nothing again.

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

    def is_one(x: Any) -> bool:
        return isinstance(x, AbstractConnectivity)

    if isinstance(model, eqx.Module) and seen((model,)):
        return
    leaves = jax.tree.leaves(model, is_leaf=is_one)
    for n, node in enumerate(leaves):
        if is_one(node):
            try:
                node.check()
            except (TypeError, ValueError) as error:
                path, _ = jax.tree_util.tree_leaves_with_path(model, is_leaf=is_one)[n]
                name = jax.tree_util.keystr(path, simple=True, separator=".")
                if not name:
                    raise
                raise type(error)(f"{name}: {error}") from None
    if isinstance(model, eqx.Module) and not any(isinstance(x, np.ndarray) for x in jax.tree.leaves(model)):
        remember((model,))
