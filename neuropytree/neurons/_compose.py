"""What the named constructors of point neurons have in common."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import ArrayLike

from ..integrate import AbstractStepper, ExponentialEuler, ExponentialEulerMaruyama
from ..surrogate import AbstractSurrogate
from ._crossing import Crossing
from ._membrane import AbstractMembrane
from ._point import PointNeuron
from ._refractory import Refractory, RelativeRefractory
from ._reset import AbstractJump, AbstractReset, HardReset, SoftReset
from ._threshold import AbstractThreshold, Threshold

ResetKind = Literal["hard", "soft"] | None
Surrogate = AbstractSurrogate | type[AbstractSurrogate] | None


def instance(surrogate: Surrogate) -> AbstractSurrogate | None:
    """A surrogate; a class is called for its default parameters."""
    return surrogate() if isinstance(surrogate, type) else surrogate


def compose(
    size: int | tuple[int, ...],
    membrane: AbstractMembrane,
    *,
    threshold: ArrayLike | AbstractThreshold,
    reset: ResetKind,
    v_reset: ArrayLike,
    detach_reset: bool,
    jumps: Mapping[str, AbstractJump] | None = None,
    t_ref: ArrayLike | None,
    relative: RelativeRefractory | None,
    noisy: bool,
    surrogate: Surrogate,
    stepper: AbstractStepper | None,
) -> PointNeuron:
    """A point neuron from the arguments that constructors share; `threshold` is a voltage, or a threshold.

    **Raises:** `ValueError` for an unknown `reset`.
    """
    if reset not in ("hard", "soft", None):
        raise ValueError(f"reset is {reset!r}; expected 'hard', 'soft' or None")
    if not isinstance(threshold, AbstractThreshold):
        # without a reset the voltage stays above the threshold for many steps of one spike
        threshold = (Crossing if reset is None else Threshold)(threshold, instance(surrogate))
    change: AbstractReset | None = None
    if reset is not None:
        change = (HardReset if reset == "hard" else SoftReset)(v_reset, detach=detach_reset)
    if stepper is None:
        stepper = ExponentialEulerMaruyama() if noisy else ExponentialEuler()
    return PointNeuron(
        size,
        membrane=membrane,
        threshold=threshold,
        reset=change,
        jumps=jumps,
        refractory=None if t_ref is None else Refractory(t_ref),
        relative=relative,
        stepper=stepper,
    )
