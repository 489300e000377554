"""A membrane as its stepper is to see it: held where it is refractory, and never above its threshold."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._types import Scalar, fields_of
from ..integrate import AbstractField, Tangent
from ._membrane import AbstractMembrane

_GROWTH = 1e10  # its product with a field of 1e15 mV/ms is still finite in float32


class Confined(AbstractField):
    """A membrane that sees its voltage held where it is refractory, and never above the threshold.

    So the other variables follow a held voltage in every stage of a stepper; and a voltage that runs away to infinity
    in finite time neither overflows nor carries the other variables along, in a step that ends with a spike anyway.

    **Arguments:**

    - `held`: the voltages at the beginning of the step (mV).
    - `free`: which of them move; `None` is all.
    - `ceiling`: up to where the field is evaluated (mV); `None` is as far as it goes.
    - `dt`: the step (ms).
    """

    membrane: AbstractMembrane
    held: Array
    free: Array | None
    ceiling: Array | None
    dt: Scalar

    def _seen(self, y: Any) -> Any:
        v = y.v
        if self.ceiling is not None:
            v = jnp.where(v < self.ceiling, v, self.ceiling)
        if self.free is not None:
            v = jnp.where(self.free, v, self.held)
        return dataclasses.replace(y, v=v)

    def vector_field(self, t: Scalar, y: Any, u: Any) -> Any:
        return self.membrane.vector_field(t, self._seen(y), u)

    def linear(self, t: Scalar, y: Any, u: Any) -> Any:
        declared = self.membrane.linear(t, self._seen(y), u)
        if self.ceiling is None:
            return declared
        if declared is None:
            declared = dataclasses.replace(y, **dict.fromkeys(fields_of(y)))
        return (
            declared
            if declared.v is not None
            else dataclasses.replace(declared, v=self._tangent(t, y, u, self.ceiling))
        )

    def _tangent(self, t: Scalar, y: Any, u: Any, most: Array) -> Tangent:
        """The voltage linearised in itself, its slope bounded: a step that would grow it more than `_GROWTH`-fold ends
        with a spike in any case, and exp would overflow. Down the tangent gets flatter, and a step that would go e-fold
        further along it than straight on goes no further than that."""

        def own(v: Array) -> Array:
            return self.vector_field(t, dataclasses.replace(y, v=v), u).v

        value, slope = jax.jvp(own, (y.v,), (jnp.ones_like(y.v),))
        bound = jnp.where(value < 0, 1, math.log(_GROWTH)).astype(slope.dtype) / self.dt
        slope = jnp.where(slope < bound, slope, bound)
        return Tangent(slope, value - slope * y.v, most)

    def sequence(self) -> Any:
        return self.membrane.sequence()

    def diffusion(self, t: Scalar, y: Any, u: Any) -> Any:
        return self.membrane.diffusion(t, self._seen(y), u)
