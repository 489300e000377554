"""What is done for the compiler's sake, and changes no number."""

import dataclasses
from typing import Any

import jax

from ..ops import fence


def once(tree: Any) -> Any:
    """`tree`, each array of which is made once: what is used several times, XLA would make again for each use."""
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, fence(*leaves)) if leaves else tree


def voltages_once(membrane: Any) -> Any:
    """The state of a membrane with its voltages made once: the state and the spikes both use them."""
    name = "voltages" if hasattr(membrane, "voltages") else "v"
    return dataclasses.replace(membrane, **{name: once(getattr(membrane, name))})
