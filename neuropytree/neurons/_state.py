"""The state of neurons, and what they are in the middle of a step."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Int

from .._types import Spikes


class NeuronState(eqx.Module):
    """State of a population of neurons.

    - `membrane`: the smooth variables, the voltage `v` (mV) among them.
    - `refractory`: steps that the refractory period of each neuron still goes on, int32; `None` without one.
    - `raised`: what spikes have raised the threshold by (mV); `None` without a relative refractory period.
    - `below`: whether the voltage was below the threshold at the end of the last step, in the form of spikes; `None`
      unless the threshold is one that is crossed.
    - `stepper`: the state of the stepper, such as the past that one of fractional order remembers; `None` for most.
    - `dt`: the step in ms that the state was made for, or `None` if it wasn't said.
    """

    membrane: Any
    refractory: Int[Array, "..."] | None = None
    raised: Array | None = None
    below: Spikes | None = None
    stepper: Any = None
    dt: float | None = eqx.field(static=True, default=None)

    @property
    def v(self) -> Array:
        """The voltage (mV)."""
        return self.membrane.v


class Moved(eqx.Module):
    """Neurons that have moved over a step, and whose thresholds haven't been read.

    - `membrane`: the smooth variables at the end of the step. Voltages that are to be held have moved too.
    - `stepper`: the state of the stepper at the end of the step.
    - `before`: the state at the beginning of the step.
    """

    membrane: Any
    stepper: Any
    before: NeuronState

    @property
    def v(self) -> Array:
        """The voltage (mV)."""
        return self.membrane.v
