"""Spikes of neurons that have no reset: the voltage crosses a threshold from below."""

from typing import Any, ClassVar

from jaxtyping import Array, Float

from .._arguments import check_kind
from ..surrogate import AbstractSurrogate
from ._threshold import AbstractThreshold


class Crossing(AbstractThreshold):
    r"""A neuron without reset spikes where its voltage gets above its threshold from below,

    $$s = [v_\mathrm{old} < v_\mathrm{th,old}]\,[v_\mathrm{new} \ge v_\mathrm{th,new}],$$

    between the ends of two steps, whichever of them has moved: the voltage, by itself or by a jump, or the threshold.

    The surrogate $g$ stands for the derivative of either bracket: $\partial s/\partial v_\mathrm{new} =
    g(v_\mathrm{new} - v_\mathrm{th,new})\,[v_\mathrm{old} < v_\mathrm{th,old}]$ and $\partial s/\partial
    v_\mathrm{old} = -g(v_\mathrm{old} - v_\mathrm{th,old})\,[v_\mathrm{new} \ge v_\mathrm{th,new}]$.

    **Arguments:**

    - `threshold`: the threshold that is crossed, whose surrogate is used.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.TracedMembrane(parts.LeakyMembrane(v_rest=-60.0, tau=20.0), tau_a=200.0)
        threshold = parts.Crossing(parts.AdaptiveThreshold(-50.0, 1.6, None))
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, jumps={"a": parts.Jump(add=1.0)})
        ```
    """

    memoryless: ClassVar[bool] = False
    threshold: AbstractThreshold

    def __init__(self, threshold: AbstractThreshold):
        check_kind(threshold, AbstractThreshold, "threshold", optional=False)
        self.threshold = threshold

    @property
    def surrogate(self) -> AbstractSurrogate | None:
        return self.threshold.surrogate

    @property
    def reads(self) -> tuple[str, ...]:
        return self.threshold.reads

    def level(self, y: Any) -> Float[Array, "..."]:
        return self.threshold.level(y)

    def base(self, y: Any) -> Float[Array, "..."]:
        return self.threshold.base(y)
