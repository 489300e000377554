"""The discrete parts of a point neuron: threshold, reset, refractory rule."""

import abc
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from .._types import Scalar, Spikes, as_parameter
from ..surrogate import AbstractSurrogate


class Threshold(eqx.Module):
    r"""A neuron spikes where $v \ge v_\mathrm{th}$.

    **Arguments:**

    - `v_th`: threshold (mV).
    - `surrogate`: what stands for the derivative of a spike with respect to $v - v_\mathrm{th}$; spikes are then 0 or 1
      in the dtype of `v`. With `None` spikes are booleans: a quarter of the memory, and no gradient.
    """

    v_th: Float[Array, "..."]
    surrogate: AbstractSurrogate | None

    def __init__(self, v_th: ArrayLike, surrogate: AbstractSurrogate | None):
        self.v_th, self.surrogate = as_parameter(v_th), surrogate

    def __call__(self, v: Float[Array, "..."]) -> Spikes:
        return v >= self.v_th if self.surrogate is None else self.surrogate(v - self.v_th)

    def silent(self, v: Float[Array, "..."]) -> Spikes:
        """No spikes, in the dtype that spikes of this threshold have."""
        return jnp.zeros_like(v, dtype=bool if self.surrogate is None else None)


class AbstractReset(eqx.Module):
    """What a spike does to the membrane."""

    @abc.abstractmethod
    def __call__(self, y: Any, spike: Spikes, v_th: Float[Array, "..."]) -> Any:
        """The membrane state after the spikes of this step."""


class HardReset(AbstractReset):
    r"""$v \leftarrow v_\mathrm{reset}$ at a spike.

    **Arguments:**

    - `v_reset`: in mV.
    """

    v_reset: Float[Array, "..."]

    def __init__(self, v_reset: ArrayLike):
        self.v_reset = as_parameter(v_reset)

    def __call__(self, y: Any, spike: Spikes, v_th: Float[Array, "..."]) -> Any:
        del v_th
        if spike.dtype == bool:
            return dataclasses.replace(y, v=jnp.where(spike, self.v_reset, y.v))
        return dataclasses.replace(y, v=_interpolate(y.v, self.v_reset, spike))


class SoftReset(AbstractReset):
    r"""$v \leftarrow v - (v_\mathrm{th} - v_\mathrm{reset})$ at a spike: what lies above the threshold is kept.

    **Arguments:**

    - `v_reset`: in mV.
    """

    v_reset: Float[Array, "..."]

    def __init__(self, v_reset: ArrayLike):
        self.v_reset = as_parameter(v_reset)

    def __call__(self, y: Any, spike: Spikes, v_th: Float[Array, "..."]) -> Any:
        step = v_th - self.v_reset
        v = jnp.where(spike, y.v - step, y.v) if spike.dtype == bool else y.v - step * spike
        return dataclasses.replace(y, v=v)


@jax.custom_jvp
def _interpolate(v: Array, v_reset: Array, spike: Array) -> Array:
    """`v + (v_reset - v) * spike` for spikes of 0 or 1, exact, and finite where `v` is not."""
    return jnp.where(spike > 0, v_reset, v)


@_interpolate.defjvp
def _interpolate_jvp(primals: Any, tangents: Any) -> Any:
    v, v_reset, spike = primals
    d_v, d_reset, d_spike = tangents
    tangent = (1 - spike) * d_v + spike * d_reset + (v_reset - v) * d_spike
    return _interpolate(v, v_reset, spike), jnp.broadcast_to(tangent, v.shape)


class Refractory(eqx.Module):
    r"""Absolute refractoriness: the voltage is held for exactly `round(t_ref / dt)` steps after the step of the spike.

    Counted in integer steps: a spike in step $k$ holds the voltage in steps $k+1, \dots, k+n$, and it moves again in
    step $k+n+1$.

    **Arguments:**

    - `t_ref`: in ms.
    """

    t_ref: Float[Array, "..."]

    def __init__(self, t_ref: ArrayLike):
        self.t_ref = as_parameter(t_ref)

    def init(self, shape: tuple[int, ...]) -> Int[Array, "..."]:
        """Steps left to hold: none."""
        return jnp.zeros(shape, jnp.int32)

    def advance(self, left: Int[Array, "..."], spike: Spikes, dt: Scalar) -> Int[Array, "..."]:
        """Steps left after this step and its spikes."""
        fired: Bool[Array, ...] = spike if spike.dtype == bool else spike > 0
        return jnp.where(fired, self.steps(dt), jnp.maximum(left - 1, 0))

    def steps(self, dt: Scalar) -> Int[Array, "..."]:
        """How many steps a spike holds the voltage for."""
        return jax.lax.stop_gradient(jnp.round(self.t_ref / dt)).astype(jnp.int32)
