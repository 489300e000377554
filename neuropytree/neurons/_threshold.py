"""Where a neuron spikes, and the gradient of that."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import check_kind, real
from .._types import Spikes
from ..surrogate import AbstractSurrogate


class AbstractThreshold(eqx.Module):
    """Where a point neuron spikes.

    A threshold reads the membrane: `level` is the voltage that the new voltage is compared with, after the membrane
    has moved. `memoryless` says that spikes are just $v \\ge$ `level`, whatever the voltage was before; otherwise a
    spike is where the voltage gets there from below.
    """

    memoryless: eqx.AbstractClassVar[bool]
    surrogate: eqx.AbstractVar[AbstractSurrogate | None]

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables that the membrane must have besides its voltage."""
        return ()

    @abc.abstractmethod
    def level(self, y: Any) -> Float[Array, "..."]:
        """The threshold (mV) of a membrane in state `y`."""

    @abc.abstractmethod
    def base(self, y: Any) -> Float[Array, "..."]:
        """The threshold (mV) without what spikes have raised it by: from here a soft reset measures."""

    def below(self, v: Float[Array, "..."], level: Float[Array, "..."]) -> Spikes:
        """Which voltages are below the threshold `level`, in the form of spikes."""
        return v < level if self.surrogate is None else 1 - self.surrogate(v - level)

    def silent(self, v: Float[Array, "..."]) -> Spikes:
        """No spikes, in the dtype that spikes of this threshold have."""
        return jnp.zeros_like(v, dtype=bool if self.surrogate is None else None)


class Threshold(AbstractThreshold):
    r"""A neuron spikes where $v \ge v_\mathrm{th}$.

    **Arguments:**

    - `v_th`: threshold (mV).
    - `surrogate`: what stands for the derivative of a spike with respect to $v - v_\mathrm{th}$; spikes are then 0 or 1
      in the dtype of `v`. With `None` spikes are booleans: a quarter of the memory, and no gradient.

    !!! example

        ```python
        import neuropytree as npt
        threshold = npt.neurons.Threshold(-50.0, npt.surrogate.Sigmoid())
        ```
    """

    memoryless = True
    v_th: Float[Array, "..."]
    surrogate: AbstractSurrogate | None

    def __init__(self, v_th: ArrayLike, surrogate: AbstractSurrogate | None):
        self.v_th, self.surrogate = real(v_th, "v_th", infinite=True), surrogate
        check_kind(surrogate, AbstractSurrogate, "surrogate")

    def level(self, y: Any) -> Float[Array, "..."]:
        del y
        return self.v_th

    def base(self, y: Any) -> Float[Array, "..."]:
        del y
        return self.v_th


class AdaptiveThreshold(AbstractThreshold):
    r"""A neuron spikes where $v \ge v_\mathrm{th} + \beta a$, with the membrane's adaptation $a$.

    **Arguments:**

    - `v_th`: threshold without adaptation (mV).
    - `beta`: mV per unit of `a`.
    - `surrogate`: as in `Threshold`.

    The membrane's state must have an `a`.

    !!! example

        ```python
        import neuropytree as npt
        threshold = npt.neurons.AdaptiveThreshold(-50.0, 1.6, npt.surrogate.Sigmoid())
        ```
    """

    memoryless = True
    v_th: Float[Array, "..."]
    beta: Float[Array, "..."]
    surrogate: AbstractSurrogate | None

    def __init__(self, v_th: ArrayLike, beta: ArrayLike, surrogate: AbstractSurrogate | None):
        self.v_th, self.beta, self.surrogate = real(v_th, "v_th", infinite=True), real(beta, "beta"), surrogate
        check_kind(surrogate, AbstractSurrogate, "surrogate")

    @property
    def reads(self) -> tuple[str, ...]:
        return ("a",)

    def level(self, y: Any) -> Float[Array, "..."]:
        return self.v_th + self.beta * y.a

    def base(self, y: Any) -> Float[Array, "..."]:
        del y
        return self.v_th


class StateThreshold(AbstractThreshold):
    r"""A neuron spikes where $v \ge v_\mathrm{th}$, and $v_\mathrm{th}$ is itself a variable of the membrane.

    Both have been moved to the end of the step when they are compared.

    **Arguments:**

    - `surrogate`: as in `Threshold`.

    The membrane's state must have a `v_th`.

    !!! example

        ```python
        import neuropytree as npt
        threshold = npt.neurons.StateThreshold(npt.surrogate.Sigmoid())
        ```
    """

    memoryless = True
    surrogate: AbstractSurrogate | None

    def __init__(self, surrogate: AbstractSurrogate | None):
        check_kind(surrogate, AbstractSurrogate, "surrogate")
        self.surrogate = surrogate

    @property
    def reads(self) -> tuple[str, ...]:
        return ("v_th",)

    def level(self, y: Any) -> Float[Array, "..."]:
        return y.v_th

    def base(self, y: Any) -> Float[Array, "..."]:
        return y.v_th
