"""What the compiler is told of the order of a step, so that states are updated in place.

XLA's CPU backend copies an array that it updates before its last reader has run. A fence is the identity, which it
can't see through (`npt.ops.fence`).
"""

from typing import Any

import jax
from jaxtyping import Array

from ..delay import Line
from ..ops import fence


def after(done: Array, tree: Any) -> tuple[Array, Any]:
    """`done` and the arrays of `tree`, which nobody gets before `done` has been computed: what `done` was made from may
    then be overwritten."""
    leaves, structure = jax.tree.flatten(tree)
    done, *leaves = fence(done, *leaves)
    return done, jax.tree.unflatten(structure, leaves)


def read_first(line: Line, steps: int) -> tuple[Line, Array]:
    """A message from a line that is still to be written in this step, and the line, not to be written before."""
    data, message = fence(line.data, line.read(steps))
    return Line(data=data, head=line.head), message
