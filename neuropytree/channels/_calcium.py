"""Calcium channels."""

from typing import ClassVar

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_cosh, held_exp, linoid
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta, inf_tau, q10


def _m2h(g: Parameter, gates: Gates) -> Array:
    return g * (gates["m"] * gates["m"] * gates["h"])


def _low_threshold(u: Array, celsius: Parameter) -> dict[str, Relaxation]:
    """The T current of Huguenard & McCormick."""
    tau_m = 0.612 + 1 / (held_exp(-(u + 132) / 16.7) + held_exp((u + 16.8) / 18.2))
    tau_h = jnp.where(u < -80, held_exp((u + 467) / 66.6), 28 + held_exp(-(u + 22) / 10.5))
    m = inf_tau(sigmoid((u + 59) / 6.2), tau_m, q10(3.55, celsius, 24.0))
    return {"m": m, "h": inf_tau(sigmoid(-(u + 83) / 4), tau_h, q10(3.0, celsius, 24.0))}


class ICaT_HM1992(AbstractOhmic):
    r"""Low-threshold calcium current of thalamic relay cells, $I = g\,m^2 h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$m_\infty = \frac{1}{1 + e^{-(u + 59)/6.2}}, \quad
    \tau_m = 0.612 + \frac{1}{e^{-(u + 132)/16.7} + e^{(u + 16.8)/18.2}},$$

    $$h_\infty = \frac{1}{1 + e^{(u + 83)/4}}, \quad
    \tau_h = \begin{cases} e^{(u + 467)/66.6} & u < -80 \\ 28 + e^{-(u + 22)/10.5} & \text{else,} \end{cases}$$

    sped up by $3.55^{(T - 24)/10}$ and $3^{(T - 24)/10}$.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICaT_HM1992(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(2.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-3.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _low_threshold(v - self.v_sh, self.celsius)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m2h(self.g, gates)


class ICaHT_HM1992(AbstractOhmic):
    r"""High-threshold calcium current of thalamic relay cells: `ICaT_HM1992`, shifted.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICaHT_HM1992(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(2.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(25.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _low_threshold(v - self.v_sh, self.celsius)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m2h(self.g, gates)


class ICaT_HP1992(AbstractOhmic):
    r"""Low-threshold calcium current of thalamic reticular cells, $I = g\,m^2 h\,(E - v)$, with
    $u = v - v_\mathrm{sh}$,

    $$m_\infty = \frac{1}{1 + e^{-(u + 52)/7.4}}, \quad \tau_m = 3 + \frac{1}{e^{(u + 27)/10} + e^{-(u + 102)/15}},$$

    $$h_\infty = \frac{1}{1 + e^{(u + 80)/5}}, \quad \tau_h = 85 + \frac{1}{e^{(u + 48)/4} + e^{-(u + 407)/50}},$$

    sped up by $5^{(T - 24)/10}$ and $3^{(T - 24)/10}$.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Huguenard & Prince 1992, doi:10.1523/JNEUROSCI.12-10-03804.1992.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICaT_HP1992(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(1.75, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-3.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        tau_m = 3 + 1 / (held_exp((u + 27) / 10) + held_exp(-(u + 102) / 15))
        tau_h = 85 + 1 / (held_exp((u + 48) / 4) + held_exp(-(u + 407) / 50))
        m = inf_tau(sigmoid((u + 52) / 7.4), tau_m, q10(5.0, self.celsius, 24.0))
        return {"m": m, "h": inf_tau(sigmoid(-(u + 80) / 5), tau_h, q10(3.0, self.celsius, 24.0))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m2h(self.g, gates)


class ICaT_De1996(AbstractOhmic):
    r"""Low-threshold calcium current of thalamic relay cells whose activation is instantaneous,
    $I = g\,m_\infty^2 h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$m_\infty = \frac{1}{1 + e^{-(u + 59)/6.2}}, \quad h_\infty = \frac{1}{1 + e^{(u + 83)/4}}, \quad
    \tau_h = 3^{-(T - 24)/10} \left(30.8 + \frac{211.4 + e^{(u + 115.2)/5}}{1 + e^{(u + 86)/3.2}}\right).$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Destexhe, Bal, McCormick & Sejnowski 1996, doi:10.1152/jn.1996.76.3.2049.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"t": npt.channels.ICaT_De1996(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(2.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        tau = 30.8 + (211.4 + held_exp((u + 115.2) / 5, 1)) * sigmoid(-(u + 86) / 3.2)
        return {"h": inf_tau(sigmoid(-(u + 83) / 4), tau, q10(3.0, self.celsius, 24.0))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        m = sigmoid((v - self.v_sh + 59) / 6.2)
        return self.g * (m * m * gates["h"])


class ICaHT_Re1993(AbstractOhmic):
    r"""High-threshold calcium current of neocortical cells, $I = g\,m^2 h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_m = \frac{0.055\,(-27 - u)}{e^{(-27 - u)/3.8} - 1}, \quad \beta_m = 0.94\,e^{(-75 - u)/17},$$

    $$\alpha_h = 0.000457\,e^{(-13 - u)/50}, \quad \beta_h = \frac{0.0065}{e^{(-15 - u)/28} + 1},$$

    sped up by $2.3^{(T - 23)/10}$.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Reuveni, Friedman, Amitai & Gutnick 1993, doi:10.1523/JNEUROSCI.13-11-04609.1993.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICaHT_Re1993(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(1.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u, phi = v - self.v_sh, q10(2.3, self.celsius, 23.0)
        m = alpha_beta(0.209 * linoid((u + 27) / 3.8), 0.94 * held_exp((-75 - u) / 17), phi)
        return {"m": m, "h": alpha_beta(0.000457 * held_exp((-13 - u) / 50), 0.0065 * sigmoid((u + 15) / 28), phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m2h(self.g, gates)


class ICaL_IS2008(AbstractOhmic):
    r"""L-type calcium current, $I = g\,m^2 h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$m_\infty = \frac{1}{1 + e^{-(u + 10)/4}}, \quad \tau_m = 0.4 + \frac{0.7}{e^{-(u + 5)/15} + e^{(u + 5)/15}},$$

    $$h_\infty = \frac{1}{1 + e^{(u + 25)/2}}, \quad \tau_h = 300 + \frac{100}{e^{(u + 40)/9.5} + e^{-(u + 40)/9.5}},$$

    sped up by $3.55^{(T - 24)/10}$ and $3^{(T - 24)/10}$.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Inoue & Strowbridge 2008, doi:10.1152/jn.00526.2007.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICaL_IS2008(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(1.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        tau_m = 0.4 + 0.35 / held_cosh((u + 5) / 15)
        tau_h = 300 + 50 / held_cosh((u + 40) / 9.5)
        m = inf_tau(sigmoid((u + 10) / 4), tau_m, q10(3.55, self.celsius, 24.0))
        return {"m": m, "h": inf_tau(sigmoid(-(u + 25) / 2), tau_h, q10(3.0, self.celsius, 24.0))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m2h(self.g, gates)


class ICaN_IS2008(AbstractOhmic):
    r"""Cation current that calcium activates, $I = g\,\frac{c}{c + 0.2}\,m\,(E - v)$, with $c$ the concentration
    of calcium,

    $$m_\infty = \frac{1}{1 + e^{-(v + 43)/5.2}}, \quad \tau_m = 1.6 + \frac{2.7}{e^{-(v + 55)/15} + e^{(v + 55)/15}}.$$

    It isn't selective; so it reads calcium, and carries none.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV).
    - `phi`: temperature factor.

    Source: Destexhe, Contreras, Sejnowski & Steriade 1994, doi:10.1152/jn.1994.72.2.803; Inoue & Strowbridge 2008,
    doi:10.1152/jn.00526.2007.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"h": npt.channels.ICaN_IS2008(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    reads: ClassVar[tuple[str, ...]] = ("ca",)
    g: Parameter = parameter(1.0, least=0, unit="mS/cm²")
    e: Parameter | None = parameter(10.0)
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        tau = 1.6 + 1.35 / held_cosh((v + 55) / 15)
        return {"m": inf_tau(sigmoid((v + 43) / 5.2), tau, self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        c = ions["ca"].c
        return self.g * (c / (c + 0.2)) * gates["m"]


class ICa_ML1981(AbstractOhmic):
    r"""Calcium current of the barnacle muscle fibre, whose gate is instantaneous, $I = g\,m_\infty\,(E - v)$,

    $$m_\infty = \tfrac12\left(1 + \tanh\frac{v - v_1}{v_2}\right).$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_1`, `v_2`: where the gate is half open, and its width (mV).

    Source: Morris & Lecar 1981, doi:10.1016/S0006-3495(81)84782-0.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICa_ML1981(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(4.4, least=0, unit="mS/cm²")
    v_1: Parameter = parameter(-1.2, unit="mV")
    v_2: Parameter = parameter(18.0, positive=True, unit="mV")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return {}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * sigmoid(2 * (v - self.v_1) / self.v_2)
