"""Leaks."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools


class IL(AbstractOhmic):
    r"""A leak, $I = g\,(E - v)$.

    **Arguments:**

    - `g`: conductance (mS/cm²).
    - `e`: reversal potential (mV).

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.ConductanceCell(10, channels={"leak": npt.channels.IL(g=0.1, e=-70.0)})
        ```
    """

    g: Parameter = parameter(0.1, least=0, unit="mS/cm²")
    e: Parameter = parameter(-70.0, unit="mV")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return {}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return jnp.asarray(self.g)


class IKLeak(AbstractOhmic):
    r"""A leak of potassium, $I = g\,(E - v)$.

    **Arguments:**

    - `g`: conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"kl": npt.channels.IKLeak(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions={"k": npt.ions.PotassiumFixed()})
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(0.005, least=0, unit="mS/cm²")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return {}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return jnp.asarray(self.g)
