"""What a spike does to the membrane: to its voltage (a reset), and to its other variables (jumps)."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import flag, real
from ..ops import VoltageChange


class AbstractReset(eqx.Module):
    """What a spike does to the voltage. What it does to other variables is an `AbstractJump`."""

    detach: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def voltage(self, y: Any, v_th: Float[Array, "..."]) -> VoltageChange:
        """The change at a spike of a membrane in state `y`, whose threshold without adaptation is `v_th`."""


class HardReset(AbstractReset):
    r"""$v \leftarrow v_\mathrm{reset}$ at a spike.

    **Arguments:**

    - `v_reset`: in mV.
    - `detach`: whether no gradient flows through the spike of the reset (it does through the output).

    !!! example

        ```python
        import neuropytree as npt
        reset = npt.neurons.HardReset(-60.0, detach=True)
        ```
    """

    v_reset: Float[Array, "..."]
    detach: bool = eqx.field(static=True)

    def __init__(self, v_reset: ArrayLike, *, detach: bool = False):
        self.v_reset, self.detach = real(v_reset, "v_reset"), flag(detach, "detach")

    def voltage(self, y: Any, v_th: Float[Array, "..."]) -> VoltageChange:
        del y, v_th
        return VoltageChange(self.v_reset, hard=True)


class SoftReset(AbstractReset):
    r"""$v \leftarrow v - (v_\mathrm{th} - v_\mathrm{reset})$ at a spike: what lies above the threshold is kept.

    $v_\mathrm{th}$ is the threshold without what spikes have raised it by, so that every spike subtracts the same;
    where the threshold is a variable of the membrane (`StateThreshold`), its new value.

    **Arguments:**

    - `v_reset`: in mV.
    - `detach`: whether no gradient flows through the spike of the reset (it does through the output).

    !!! example

        ```python
        import neuropytree as npt
        reset = npt.neurons.SoftReset(-60.0)
        ```
    """

    v_reset: Float[Array, "..."]
    detach: bool = eqx.field(static=True)

    def __init__(self, v_reset: ArrayLike, *, detach: bool = False):
        self.v_reset, self.detach = real(v_reset, "v_reset"), flag(detach, "detach")

    def voltage(self, y: Any, v_th: Float[Array, "..."]) -> VoltageChange:
        del y
        return VoltageChange(v_th - self.v_reset, hard=False)


class AbstractJump(eqx.Module):
    """What a spike does to one variable of the membrane other than the voltage."""

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The variable after a spike, which found it at `x`."""


class Jump(AbstractJump):
    r"""$x \leftarrow \max(\mathrm{floor},\; \mathrm{scale}\,x + \mathrm{add})$ at a spike.

    **Arguments:** in the unit of the variable; `None` for what is not done.

    - `add`: what is added.
    - `scale`: what the variable is multiplied by, a pure number.
    - `floor`: the least that it is afterwards.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.neurons.Jump(add=2.0, scale=0.5)(jnp.asarray(4.0))  # 4.0
        ```
    """

    add: Float[Array, "..."] | None
    scale: Float[Array, "..."] | None
    floor: Float[Array, "..."] | None

    def __init__(self, add: ArrayLike | None = None, scale: ArrayLike | None = None, floor: ArrayLike | None = None):
        given = (("add", add), ("scale", scale), ("floor", floor))
        self.add, self.scale, self.floor = (None if x is None else real(x, name) for name, x in given)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.scale is not None:
            x = self.scale * x
        if self.add is not None:
            x = x + self.add
        return x if self.floor is None else jnp.maximum(self.floor, x)
