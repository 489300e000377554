"""What an ion is: a concentration and a reversal potential that channels of a cell share."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import check_parameters, real
from ..integrate import Linear, Relaxation

FARADAY = 96485.33212  # C/mol
GAS = 8.31446261815324  # J/(mol K)


class Pool(eqx.Module):
    """An ion as a channel sees it.

    - `c`: concentration inside (mM).
    - `e`: reversal potential (mV).
    """

    c: Float[Array, "..."]
    e: Float[Array, "..."]


class AbstractIon(eqx.Module):
    """An ion of a cell. It owns its concentration and reversal potential; state it has only where these move.

    An ion whose concentration moves gets the current of the channels that carry it.
    """

    def __check_init__(self) -> None:
        check_parameters(self)

    @abc.abstractmethod
    def init(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Array]:
        """The initial state by variable, each of the given shape; empty if nothing moves."""

    @abc.abstractmethod
    def pool(self, state: dict[str, Array]) -> Pool:
        """Concentration and reversal potential."""

    @abc.abstractmethod
    def kinetics(self, state: dict[str, Array], current: Float[Array, "..."]) -> dict[str, Relaxation | Linear]:
        """How each variable moves while `current` (µA/cm², inward positive) flows through the channels."""


def nernst(c_in: ArrayLike, c_out: ArrayLike, z: ArrayLike = 1.0, celsius: ArrayLike = 36.0) -> Float[Array, "..."]:
    r"""The Nernst potential in mV, $\frac{R T}{z F} \ln \frac{c_\mathrm{out}}{c_\mathrm{in}}$.

    **Arguments:**

    - `c_in`, `c_out`: concentrations inside and outside (mM).
    - `z`: valence.
    - `celsius`: temperature (°C).

    Source: Hille, Ion Channels of Excitable Membranes, 2001.

    !!! example

        ```python
        import neuropytree as npt
        npt.ions.nernst(2.4e-4, 2.0, z=2)  # 120.2 mV
        ```
    """
    c_in, c_out = (real(x, name, positive=True, unit="mM") for name, x in (("c_in", c_in), ("c_out", c_out)))
    z, celsius = real(z, "z"), real(celsius, "celsius", least=-273.15, unit="°C")
    return nernst_potential(c_in, c_out, z, celsius)


def nernst_potential(c_in: Array, c_out: Array, z: ArrayLike, celsius: Array) -> Float[Array, "..."]:
    """`nernst` of what has been looked at."""
    return 1e3 * GAS / FARADAY * (celsius + 273.15) / z * (jnp.log(c_out) - jnp.log(c_in))
