"""Sodium channels."""

from typing import ClassVar

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import linoid
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta, q10


def _m3h(g: Parameter, gates: Gates) -> Array:
    m = gates["m"]
    return g * (m * m * m * gates["h"])


def _traub_miles(u: Array, phi: Parameter) -> dict[str, Relaxation]:
    """The rates of Traub & Miles, also used by Bazhenov et al."""
    m = alpha_beta(1.28 * linoid((u - 13) / 4), 1.4 * linoid((40 - u) / 5), phi)
    return {"m": m, "h": alpha_beta(0.128 * jnp.exp((17 - u) / 18), 4 * sigmoid((u - 40) / 5), phi)}


class INa_TM1991(AbstractOhmic):
    r"""Sodium current of hippocampal pyramidal cells, $I = g\,m^3 h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_m = \frac{0.32\,(13 - u)}{e^{(13 - u)/4} - 1}, \quad \beta_m = \frac{0.28\,(u - 40)}{e^{(u - 40)/5} - 1},
    \quad \alpha_h = 0.128\,e^{(17 - u)/18}, \quad \beta_h = \frac{4}{1 + e^{(40 - u)/5}}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"na"`.
    - `v_sh`: where the rates have their origin (mV).
    - `phi`: temperature factor.

    Source: Traub & Miles 1991, Neuronal Networks of the Hippocampus.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_TM1991(e=50.0), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(120.0)
    v_sh: Parameter = parameter(-63.0)
    phi: Parameter = parameter(1.0)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _traub_miles(v - self.v_sh, self.phi)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m3h(self.g, gates)


class INa_Ba2002(AbstractOhmic):
    r"""Sodium current of thalamic cells, $I = g\,m^3 h\,(E - v)$: the rates of `INa_TM1991`, times
    $\phi = 3^{(T - 36)/10}$.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"na"`.
    - `v_sh`: where the rates have their origin (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Bazhenov, Timofeev, Steriade & Sejnowski 2002, J. Neurosci. 22:8691.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_Ba2002(e=50.0), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(90.0)
    v_sh: Parameter = parameter(-50.0)
    celsius: Parameter = parameter(36.0)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _traub_miles(v - self.v_sh, q10(3.0, self.celsius, 36.0))

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m3h(self.g, gates)


class INa_HH1952(AbstractOhmic):
    r"""Sodium current of the squid axon, $I = g\,m^3 h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_m = \frac{0.1\,(u - 5)}{1 - e^{-(u - 5)/10}}, \quad \beta_m = 4\,e^{-(u + 20)/18}, \quad
    \alpha_h = 0.07\,e^{-(u + 20)/20}, \quad \beta_h = \frac{1}{1 + e^{-(u - 10)/10}}.$$

    With the default $v_\mathrm{sh}$ the squid rests at -65 mV.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"na"`.
    - `v_sh`: shift of the rates (mV).
    - `phi`: temperature factor.

    Source: Hodgkin & Huxley 1952, doi:10.1113/jphysiol.1952.sp004764.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_HH1952(e=50.0), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(120.0)
    v_sh: Parameter = parameter(-45.0)
    phi: Parameter = parameter(1.0)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        m = alpha_beta(linoid((u - 5) / 10), 4 * jnp.exp(-(u + 20) / 18), self.phi)
        return {"m": m, "h": alpha_beta(0.07 * jnp.exp(-(u + 20) / 20), sigmoid((u - 10) / 10), self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m3h(self.g, gates)
