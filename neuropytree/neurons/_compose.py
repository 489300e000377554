"""What the named constructors of point neurons have in common."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from jaxtyping import ArrayLike

from .._arguments import check_choice, check_kind, check_order, flag, real
from ..integrate import AbstractStepper, ExponentialEuler, ExponentialEulerMaruyama
from ..surrogate import AbstractSurrogate
from ._base import normalise_size
from ._crossing import Crossing
from ._membrane import AbstractMembrane
from ._point import PointNeuron
from ._refractory import Refractory, RelativeRefractory
from ._reset import AbstractJump, AbstractReset, HardReset, SoftReset
from ._threshold import AbstractThreshold, AdaptiveThreshold, Threshold

ResetKind = Literal["hard", "soft"] | None
Surrogate = AbstractSurrogate | type[AbstractSurrogate] | None
Orders = ArrayLike | dict[str, ArrayLike]


def instance(surrogate: Surrogate) -> AbstractSurrogate | None:
    """A surrogate; a class is called for its default parameters.

    **Raises:** `TypeError` for anything else.
    """
    given: Any = surrogate
    made: Any = given() if inspect.isclass(given) else given
    check_kind(made, AbstractSurrogate, "surrogate")
    return made


def compose(
    size: int | tuple[int, ...],
    membrane: AbstractMembrane,
    *,
    threshold: ArrayLike | AbstractThreshold,
    reset: ResetKind,
    v_reset: ArrayLike | None,
    detach_reset: bool,
    jumps: Mapping[str, AbstractJump] | None = None,
    t_ref: ArrayLike | None,
    relative: RelativeRefractory | None,
    noisy: bool,
    surrogate: Surrogate,
    stepper: AbstractStepper | None,
    reset_name: str = "v_reset",
) -> PointNeuron:
    """A point neuron from the arguments that constructors share; `threshold` is a voltage, or a threshold.

    `reset_name` is what the constructor calls its `v_reset`.

    **Raises:** `ValueError` for an unknown `reset`, one without a voltage, or one that leads above the threshold.
    """
    check_choice(reset, "reset", ("hard", "soft", None))
    flag(detach_reset, "detach_reset")
    if v_reset is not None:
        v_reset = real(v_reset, reset_name, shape=normalise_size(size))
    if not isinstance(threshold, AbstractThreshold):
        threshold = Threshold(threshold, instance(surrogate))
    if reset is None:  # the voltage stays above the threshold for many steps of one spike
        threshold = Crossing(threshold)
    change: AbstractReset | None = None
    if reset is not None:
        if v_reset is None:
            raise ValueError(f"{reset_name} is None, and reset {reset!r}; expected the voltage that a spike leads to")
        change = (HardReset if reset == "hard" else SoftReset)(v_reset, detach=detach_reset)
    if stepper is None:
        stepper = ExponentialEulerMaruyama() if noisy else ExponentialEuler()
    cell = PointNeuron(
        size,
        membrane=membrane,
        threshold=threshold,
        reset=change,
        jumps=jumps,
        refractory=None if t_ref is None else Refractory(t_ref),
        relative=relative,
        stepper=stepper,
    )
    if v_reset is not None and isinstance(threshold, Threshold | AdaptiveThreshold):
        check_order(v_reset, reset_name, threshold.v_th, "v_th")
    return cell
