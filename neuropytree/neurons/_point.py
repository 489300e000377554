"""A point neuron, composed of a membrane, a threshold, a reset, jumps, refractory rules and a stepper."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array

from .._arguments import check_kind, check_mapping
from .._errors import listing
from .._types import Spikes, find
from ..integrate import AbstractFractionalStepper, AbstractStepper, ExponentialEuler
from ._base import normalise_size
from ._composed import ComposedNeuron
from ._membrane import AbstractMembrane, check_shapes
from ._refractory import Refractory, RelativeRefractory
from ._reset import AbstractJump, AbstractReset
from ._spiking import Spiking
from ._state import NeuronState
from ._threshold import AbstractThreshold


class PointNeuron(ComposedNeuron):
    """A population of point neurons, made of parts that combine freely.

    In a step the stepper moves the membrane, held voltages are put back, the threshold is read, and spikes reset the
    voltage, make other variables jump, and start the refractory periods. The output is the spike array.

    **Arguments:**

    - `size`: number of neurons, or their shape.
    - `membrane`: the smooth part.
    - `threshold`: where a spike is, and its gradient. With `None` there are no spikes, and the output is the voltage.
    - `reset`: what a spike does to the voltage; `None` leaves it alone.
    - `jumps`: what a spike does to other variables of the membrane, by their names.
    - `refractory`: absolute refractoriness, or `None`.
    - `relative`: relative refractoriness, or `None`.
    - `stepper`: how the membrane is advanced; `ExponentialEuler()` unless given. With a fractional one, such as
      `CaputoL1`, the derivatives are of fractional order. Its memory goes on over spikes: a reset is a change of the
      voltage like any other.

    The input of a step is a current (see `LIF` for its unit), a `Drive`, or `None`.

    **Raises:** `ValueError` for a parameter whose shape doesn't fit `size`, and for parts that act on spikes without a
    threshold; by `init`, for a jump of a variable that the membrane hasn't got.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        cell = parts.PointNeuron(
            10,
            membrane=parts.LeakyMembrane(v_rest=-60.0, tau=20.0),
            threshold=parts.Threshold(-50.0, npt.surrogate.Sigmoid()),
            reset=parts.HardReset(-65.0, detach=True),
            relative=parts.RelativeRefractory(raise_by=10.0, tau=15.0),
        )
        ```
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    membrane: AbstractMembrane
    threshold: AbstractThreshold | None
    reset: AbstractReset | None
    jumps: dict[str, AbstractJump]
    refractory: Refractory | None
    relative: RelativeRefractory | None
    stepper: AbstractStepper

    def __init__(
        self,
        size: int | tuple[int, ...],
        *,
        membrane: AbstractMembrane,
        threshold: AbstractThreshold | None,
        reset: AbstractReset | None = None,
        jumps: Mapping[str, AbstractJump] | None = None,
        refractory: Refractory | None = None,
        relative: RelativeRefractory | None = None,
        stepper: AbstractStepper | None = None,
    ):
        self.shape = normalise_size(size)
        self.membrane, self.threshold, self.reset = membrane, threshold, reset
        self.jumps = dict(check_mapping(jumps, "jumps", "jumps"))
        self.refractory, self.relative = refractory, relative
        self.stepper = ExponentialEuler() if stepper is None else stepper

    def __check_init__(self) -> None:
        check_kind(self.membrane, AbstractMembrane, "membrane", optional=False)
        check_kind(self.threshold, AbstractThreshold, "threshold")
        check_kind(self.reset, AbstractReset, "reset")
        for name, jump in self.jumps.items():
            check_kind(jump, AbstractJump, f"the jump of '{name}'", optional=False)
        check_kind(self.refractory, Refractory, "refractory")
        check_kind(self.relative, RelativeRefractory, "relative")
        check_kind(self.stepper, AbstractStepper, "stepper", optional=False)
        on_spikes = {"reset": self.reset, "jumps": self.jumps, "refractory": self.refractory, "relative": self.relative}
        idle = [name for name, part in on_spikes.items() if part]
        if self.threshold is None and idle:
            raise ValueError(
                f"{listing(idle)} act on spikes, but threshold is None: give a threshold, or leave them out"
            )
        for part in (self.membrane, self.threshold, *on_spikes.values()):
            check_shapes(part, self.shape)
        if isinstance(self.stepper, AbstractFractionalStepper):
            check_shapes({"alpha": self.stepper.alpha}, self.shape)
        _check_dtypes((self.membrane, self.threshold, *on_spikes.values()))

    @property
    def parts(self) -> tuple[str, ...]:
        return ("membrane",)

    @property
    def spiking(self) -> Spiking | None:
        if self.threshold is None:
            return None
        return Spiking(
            threshold=self.threshold,
            reset=self.reset,
            jumps=self.jumps,
            refractory=self.refractory,
            relative=self.relative,
        )

    def read(self, path: str, state: NeuronState, output: Spikes) -> Array:
        if path == "spike" and self.threshold is not None:
            return output
        also = () if self.threshold is None else ("spike",)
        return find(state, path, who=f"a {type(self.membrane).__name__} neuron", also=also)


def _check_dtypes(parts: Any) -> None:
    """**Raises:** `TypeError` unless all parameters have one dtype; initial values are cast in any case."""
    first: tuple[str, Any] | None = None
    for path, leaf in jax.tree_util.tree_leaves_with_path(parts):
        name = jax.tree_util.keystr(path[-1:]).lstrip(".")
        if not eqx.is_inexact_array(leaf) or any("init" in jax.tree_util.keystr((key,)) for key in path):
            continue
        first = first or (name, leaf.dtype)
        if leaf.dtype != first[1]:
            raise TypeError(
                f"parameter '{name}' is {leaf.dtype}, and '{first[0]}' {first[1]}: give JAX arrays of one dtype, or "
                "numbers, which take the default"
            )
