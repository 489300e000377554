"""Refractoriness: a voltage that is held, and a threshold that is raised."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from .._arguments import real
from .._math import decayed
from .._types import Scalar, Spikes


class Refractory(eqx.Module):
    r"""Absolute refractoriness: the voltage is held for exactly `round(t_ref / dt)` steps after the step of the spike.

    Counted in integer steps: a spike in step $k$ holds the voltage in steps $k+1, \dots, k+n$, and it moves again in
    step $k+n+1$. The other variables of the membrane go on, and see the held voltage.

    **Arguments:**

    - `t_ref`: in ms.

    !!! example

        ```python
        import neuropytree as npt
        rule = npt.neurons.Refractory(5.0)
        ```
    """

    t_ref: Float[Array, "..."]

    def __init__(self, t_ref: ArrayLike):
        self.t_ref = real(t_ref, "t_ref", least=0, unit="ms")

    def init(self, shape: tuple[int, ...]) -> Int[Array, "..."]:
        """Steps left to hold: none."""
        return jnp.zeros(shape, jnp.int32)

    def steps(self, dt: Scalar) -> Int[Array, "..."]:
        """How many steps a spike holds the voltage for."""
        return jax.lax.stop_gradient(jnp.round(self.t_ref / dt)).astype(jnp.int32)


class RelativeRefractory(eqx.Module):
    r"""Relative refractoriness: a spike raises the threshold, by an amount $\theta$ that decays exponentially,

    $$\tau \dot\theta = -\theta, \qquad \theta \leftarrow \theta + \mathrm{raise\_by} \text{ at a spike},$$

    on top of whatever threshold the neuron has. Rises add up. The decay is exact.

    **Arguments:**

    - `raise_by`: in mV.
    - `tau`: in ms.

    Source: Gerstner & Kistler 2002, doi:10.1017/CBO9780511815706 (the dynamic threshold of the spike response model).

    !!! example

        ```python
        import neuropytree as npt
        rule = npt.neurons.RelativeRefractory(raise_by=10.0, tau=5.0)
        cell = npt.neurons.LIF(10, t_ref=1.0, relative=rule)
        ```
    """

    raise_by: Float[Array, "..."]
    tau: Float[Array, "..."]

    def __init__(self, raise_by: ArrayLike, tau: ArrayLike):
        self.raise_by, self.tau = real(raise_by, "raise_by"), real(tau, "tau", positive=True, unit="ms")

    def init(self, shape: tuple[int, ...]) -> Float[Array, "..."]:
        """What the threshold is raised by (mV): nothing."""
        return jnp.zeros(shape, self.raise_by.dtype)

    def decay(self, raised: Float[Array, "..."], dt: Scalar) -> Float[Array, "..."]:
        """What is left of the rise one step later."""
        return decayed(raised, dt / self.tau)

    def advance(self, raised: Float[Array, "..."], spike: Spikes) -> Float[Array, "..."]:
        """The rise after the spikes of a step."""
        if spike.dtype == bool:
            return jnp.where(spike, raised + self.raise_by, raised)
        return raised + self.raise_by * spike
