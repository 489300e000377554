"""The step function whose derivative is a stand-in."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class AbstractSurrogate(eqx.Module):
    r"""A spike function: forward always the Heaviside step $H(x) = 1$ for $x \ge 0$, else 0; backward `derivative(x)`.

    To make one, subclass and implement `derivative`. Parameters of the surrogate receive no gradient.
    """

    @abc.abstractmethod
    def derivative(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """What stands for the derivative of the step at `x`."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The spikes, 0 or 1 in the dtype of `x`."""
        return _heaviside(jnp.asarray(x), self)


@eqx.filter_custom_jvp
def _heaviside(x: Array, surrogate: AbstractSurrogate) -> Array:
    del surrogate
    return jnp.asarray(x >= 0).astype(jnp.result_type(x))


@_heaviside.def_jvp
def _heaviside_jvp(primals: Any, tangents: Any) -> Any:
    x, surrogate = primals
    tangent, _ = tangents
    out = _heaviside(x, surrogate)
    if tangent is None:
        return out, None
    return out, jnp.asarray(surrogate.derivative(x)).astype(x.dtype) * tangent
