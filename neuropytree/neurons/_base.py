"""What every population of neurons is."""

import abc
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, ArrayLike

from .._arguments import whole
from .._types import AbstractDynamics, Drive, Spikes, Tick
from ._membrane import AbstractMembrane
from ._threshold import AbstractThreshold


class AbstractNeuron(AbstractDynamics):
    """A population of neurons: its state has the voltage `v`, its output is the spike array; without a threshold, the
    voltage.

    The input of a step is a current, a `Drive` or `None`. A step has two halves, `move` and `fire`, between which a
    network lets voltages jump.
    """

    shape: eqx.AbstractVar[tuple[int, ...]]
    membrane: eqx.AbstractVar[AbstractMembrane]
    threshold: eqx.AbstractVar[AbstractThreshold | None]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def input_shape(self) -> tuple[int, ...] | list[tuple[int, ...]]:
        return self.shape

    @abc.abstractmethod
    def move(self, state: Any, input: ArrayLike | Drive | None, tick: Tick) -> Any:
        """The first half of a step: the membrane at its end, moved by the stepper and by nothing else."""

    @abc.abstractmethod
    def fire(self, moved: Any, tick: Tick) -> tuple[Any, Spikes]:
        """The second half: held voltages are put back, the threshold is read, and spikes do what they do. The state at
        the end of the step, and its output."""

    @abc.abstractmethod
    def jump(self, cells: Any, add: Callable[[Array], Array], at: int = 0) -> Any:
        """`cells` with `add(v)` for the voltage of each neuron, or of compartment `at` of each, where it isn't held.

        `cells` is what `move` returns, and the threshold then meets the new voltage; or a state, and the threshold
        meets it at the end of the next step, if it is still as high. Refractory neurons whose voltage is held drop the
        jump.

        **Arguments:**

        - `add`: takes the voltages (mV), in the shape of the population, and returns others.
        """

    def step(self, state: Any, input: ArrayLike | Drive | None, tick: Tick) -> tuple[Any, Spikes]:
        return self.fire(self.move(state, input, tick), tick)

    def place(self, where: Any, who: str) -> int:
        """The number of the compartment that `where` means.

        **Raises:** `ValueError` for one that isn't there: any but 0 in cells without compartments.
        """
        if where != 0 or isinstance(where, bool):
            raise ValueError(f"{who} is put into {where!r}, but a {type(self).__name__} has no compartments")
        return 0

    @abc.abstractmethod
    def voltage(self, cells: Any, at: int = 0) -> Array:
        """The voltage in compartment `at` of a state, or of what `move` returns."""

    @property
    @abc.abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names that the path of a variable may begin with, such as those of the channels."""

    @abc.abstractmethod
    def silent(self, state: Any) -> Spikes:
        """The output of a step that leaves the state as it is: no spikes; without a threshold, the voltage."""


def normalise_size(size: int | tuple[int, ...]) -> tuple[int, ...]:
    """`size` as a shape. **Raises:** `ValueError` unless it is a whole number or a tuple of such, none negative."""
    try:
        return tuple(whole(n, "size") for n in (size if isinstance(size, tuple) else (size,)))
    except ValueError:
        raise ValueError(f"size is {size!r}; expected a number of neurons or a tuple of such, at least 0") from None
