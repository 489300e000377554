"""Over which devices of a `jax.shard_map` arrays vary, and making them vary over more."""

from typing import Any

import jax
import numpy as np


def axes_of(x: Any) -> frozenset[Any]:
    """The mesh axes of `jax.shard_map` over which a value varies; of a value, of its type, or of its shape as
    `jax.eval_shape` gives it."""
    of = jax.typeof(x) if isinstance(x, jax.Array | np.ndarray | np.generic | float | int) else x
    for name in ("mat", "manual_axis_type"):
        if getattr(of, name, None) is not None:
            return getattr(of, name).varying
    return getattr(of, "vma", None) or frozenset()


def varying_axes(x: Any) -> tuple[Any, ...]:
    """The mesh axes of `jax.shard_map` over which an array varies, in the order of the mesh."""
    axes = axes_of(x)
    return tuple(a for a in jax.sharding.get_abstract_mesh().axis_names if a in axes) if axes else ()


def vary_as(tree: Any, like: Any) -> Any:
    """`tree` with every array made to vary over the axes of `jax.shard_map` that the one in `like` varies over; `like`
    has arrays, or their shapes as `jax.eval_shape` gives them. Outside of `jax.shard_map` it is `tree`."""

    def one(x: Any, other: Any) -> Any:
        missing = axes_of(other) - axes_of(x)
        return jax.lax.pcast(x, tuple(sorted(missing, key=str)), to="varying") if missing else x

    return jax.tree.map(one, tree, like)


def varies_more(tree: Any, than: Any) -> bool:
    """Whether any array of `tree` varies over axes of `jax.shard_map` that the one in `than` doesn't vary over."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(than), strict=True)
    return any(axes_of(x) - axes_of(y) for x, y in pairs)


def varies(tree: Any) -> bool:
    """Whether any array differs between the devices of a `jax.shard_map`."""
    return any(axes_of(x) for x in jax.tree.leaves(tree))
