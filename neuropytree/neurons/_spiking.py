"""What a spike is, and what it does: the second half of a step."""

import dataclasses
from typing import Any

import equinox as eqx
from jaxtyping import Array

from .._arguments import check_kind, check_mapping, flag
from .._errors import listing
from .._types import Scalar, Spikes, fields_of
from ..ops import fire, where_spike
from ._refractory import Refractory, RelativeRefractory
from ._reset import AbstractJump, AbstractReset
from ._state import Moved, NeuronState
from ._tactics import voltages_once
from ._threshold import AbstractThreshold


class Spiking(eqx.Module):
    """The rule of the spikes of a population.

    **Arguments:**

    - `threshold`, `reset`, `jumps`, `refractory`, `relative`: as those of a `PointNeuron`.
    - `hold`: whether the voltage is held within the refractory period; otherwise only spikes don't count there.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        rule = parts.Spiking(threshold=parts.Threshold(-50.0, None), reset=parts.HardReset(-60.0))
        cell = parts.LIF(3, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, surrogate=None)
        moved = cell.move(cell.init(), 500.0, npt.Tick.at(0, dt=0.5))
        state, spikes = rule.after(moved, 0.5)
        ```
    """

    threshold: AbstractThreshold
    reset: AbstractReset | None = None
    jumps: dict[str, AbstractJump] = dataclasses.field(default_factory=dict)
    refractory: Refractory | None = None
    relative: RelativeRefractory | None = None
    hold: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        check_kind(self.threshold, AbstractThreshold, "threshold", optional=False)
        check_kind(self.reset, AbstractReset, "reset")
        for name, jump in check_mapping(self.jumps, "jumps", "jumps").items():
            check_kind(jump, AbstractJump, f"the jump of '{name}'", optional=False)
        check_kind(self.refractory, Refractory, "refractory")
        check_kind(self.relative, RelativeRefractory, "relative")
        flag(self.hold, "hold")

    def check(self, membrane: Any, who: str) -> None:
        """**Raises:** `ValueError` for a jump, or a threshold, of a variable that the membrane, a `who`, hasn't got."""
        mine = set(fields_of(membrane))
        unknown, missing = set(self.jumps) - (mine - {"v"}), set(self.threshold.reads) - mine
        if unknown:
            raise ValueError(
                f"jumps of {listing(unknown)}: other than the voltage, a {who} has {listing(mine - {'v'})}"
            )
        if missing:
            raise ValueError(
                f"{type(self.threshold).__name__} reads {listing(missing)}, but the variables of {who} are "
                f"{listing(mine)}"
            )

    def begin(self, membrane: Any, shape: tuple[int, ...]) -> dict[str, Any]:
        """What the state of neurons that have not spiked yet has beside that of the membrane."""
        raised = None if self.relative is None else self.relative.init(shape)
        return {
            "refractory": None if self.refractory is None else self.refractory.init(shape),
            "raised": raised,
            "below": self._below(membrane, raised),
        }

    def level(self, membrane: Any, raised: Array | None) -> Array:
        """The threshold (mV) with what spikes have raised it by."""
        level = self.threshold.level(membrane)
        return level if raised is None else level + raised

    def decayed(self, raised: Array | None, dt: Scalar) -> Array | None:
        """What is left of the rise of the threshold one step later."""
        return raised if self.relative is None or raised is None else self.relative.decay(raised, dt)

    def struck(self, membrane: Any, raised: Array | None, spike: Spikes) -> tuple[Any, Array | None]:
        """The membrane, but for its voltage, and the rise of the threshold after these spikes."""
        after = {}
        for name, jump in self.jumps.items():
            x = getattr(membrane, name)
            after[name] = where_spike(spike, jump(x), x)
        if self.relative is not None and raised is not None:
            raised = self.relative.advance(raised, spike)
        return dataclasses.replace(membrane, **after) if after else membrane, raised

    def after(self, moved: Moved, dt: Scalar) -> tuple[NeuronState, Spikes]:
        """The state at the end of a step of `dt`, and its spikes."""
        y, before = moved.membrane, moved.before
        held = before.v if self.hold and self.refractory is not None else None
        changes = self.reset is not None or held is not None
        if not changes:
            y = voltages_once(y)
        raised = self.decayed(before.raised, dt)
        fired = fire(
            y.v,
            self.level(y, raised),
            None if self.reset is None else self.reset.voltage(y, self.threshold.base(y)),
            held=held,
            left=before.refractory,
            steps=None if self.refractory is None else self.refractory.steps(dt),
            below=before.below,
            surrogate=self.threshold.surrogate,
            detach=self.reset is not None and self.reset.detach,
        )
        if changes:
            y = dataclasses.replace(y, v=fired.v)
        y, raised = self.struck(y, raised, fired.spike)
        state = NeuronState(
            membrane=y,
            refractory=fired.left,
            raised=raised,
            below=self._below(y, raised),
            stepper=moved.stepper,
            dt=before.dt,
        )
        return state, fired.spike

    def _below(self, membrane: Any, raised: Array | None) -> Spikes | None:
        if self.threshold.memoryless:
            return None
        return self.threshold.below(membrane.v, self.level(membrane, raised))
