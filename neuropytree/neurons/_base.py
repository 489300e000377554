"""What every population of neurons is."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from .._arguments import fits
from .._types import AbstractDynamics, Spikes
from ._membrane import AbstractMembrane


class AbstractNeuron(AbstractDynamics):
    """A population of neurons: its state has the voltage `v`, its output is the spike array.

    The input of a step is a current, a `Drive` or `None`.
    """

    shape: eqx.AbstractVar[tuple[int, ...]]
    membrane: eqx.AbstractVar[AbstractMembrane]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def input_shape(self) -> tuple[int, ...] | list[tuple[int, ...]]:
        return self.shape

    def place(self, where: Any, who: str) -> int:
        """The number of the compartment that `where` means.

        **Raises:** `ValueError` for one that isn't there: any but 0 in cells without compartments.
        """
        if where != 0 or isinstance(where, bool):
            raise ValueError(f"{who} is put into {where!r}, but a {type(self).__name__} has no compartments")
        return 0

    def voltage(self, state: Any, at: int) -> Array:
        """The voltage in compartment `at`."""
        del at
        return state.v

    @property
    @abc.abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names that the path of a variable may begin with, such as those of the channels."""

    @abc.abstractmethod
    def silent(self, state: Any) -> Spikes:
        """The output of a step in which nobody spikes."""


def normalise_size(size: int | tuple[int, ...]) -> tuple[int, ...]:
    """`size` as a shape. **Raises:** `ValueError` unless it is a whole number or a tuple of such, none negative."""
    shape = size if isinstance(size, tuple) else (size,)
    if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0 for n in shape):
        raise ValueError(f"size is {size!r}; expected a number of neurons or a tuple of such, at least 0")
    return tuple(map(int, shape))


def check_shapes(parts: Any, target: tuple[int, ...]) -> None:
    """**Raises:** `ValueError` naming the first parameter in `parts` that isn't one number, or one for each neuron."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(parts):
        shape = getattr(leaf, "shape", ())
        if shape != () and not fits(shape, target):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise ValueError(f"parameter '{name}' has shape {shape}; expected () or {target}, one for each neuron")
