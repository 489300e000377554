"""Sodium channels."""

import math
from typing import ClassVar

from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_exp, linoid
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta, q10


def _m3h(g: Parameter, gates: Gates) -> Array:
    m = gates["m"]
    return g * (m * m * m * gates["h"])


def _traub_miles(u: Array, phi: Parameter) -> dict[str, Relaxation]:
    """The rates of Traub & Miles, also used by Bazhenov et al."""
    # the exponentials of a gate are powers of one
    x = held_exp(-u / 20, 5)
    square = x * x
    fourth = square * square
    # y / (e^y - 1) is linoid(y) e^-y
    falling = math.exp(8) * fourth
    beta = 1.4 * falling * linoid((u - 40) / 5, falling)
    m = alpha_beta(1.28 * linoid((u - 13) / 4, math.exp(13 / 4) * (fourth * x)), beta, phi)
    x = held_exp(-u / 90, 18)
    square = x * x
    fifth = square * square * x
    ninth = fifth * square * square
    h = alpha_beta(0.128 * math.exp(17 / 18) * fifth, 4 / (1 + math.exp(8) * (ninth * ninth)), phi)
    return {"m": m, "h": h}


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
    g: Parameter = parameter(120.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-63.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

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

    Source: Bazhenov, Timofeev, Steriade & Sejnowski 2002, doi:10.1523/JNEUROSCI.22-19-08691.2002.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_Ba2002(e=50.0), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(90.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-50.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

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
    g: Parameter = parameter(120.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-45.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        # the exponentials of a gate are powers of one
        x = held_exp(-u / 90, 9)
        square = x * x
        fourth = square * square
        fifth = fourth * x
        alpha = linoid((u - 5) / 10, math.exp(0.5) * (fourth * fifth))
        m = alpha_beta(alpha, 4 * math.exp(-10 / 9) * fifth, self.phi)
        x = held_exp(-(u + 20) / 20, 2)
        h = alpha_beta(0.07 * x, 1 / (1 + math.exp(3) * (x * x)), self.phi)
        return {"m": m, "h": h}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m3h(self.g, gates)


class INa_WB1996(AbstractOhmic):
    r"""Sodium current of hippocampal interneurons, whose activation is instantaneous, $I = g\,m_\infty^3 h\,(E - v)$,

    $$m_\infty = \frac{\alpha_m}{\alpha_m + \beta_m}, \quad \alpha_m = \frac{0.1\,(v + 35)}{1 - e^{-(v + 35)/10}}, \quad
    \beta_m = 4\,e^{-(v + 60)/18}, \quad \alpha_h = 0.07\,e^{-(v + 58)/20}, \quad
    \beta_h = \frac{1}{1 + e^{-(v + 28)/10}}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"na"`.
    - `phi`: temperature factor.

    Source: Wang & Buzsáki 1996, doi:10.1523/JNEUROSCI.16-20-06402.1996.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_WB1996(), "leak": npt.channels.IL()}
        ions = {"na": npt.ions.SodiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(35.0, least=0, unit="mS/cm²")
    phi: Parameter = parameter(5.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return {"h": alpha_beta(0.07 * held_exp(-(v + 58) / 20), sigmoid((v + 28) / 10), self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        alpha = linoid((v + 35) / 10)
        m = alpha / (alpha + 4 * held_exp(-(v + 60) / 18))
        return self.g * (m * m * m * gates["h"])


class INa_CS1977(AbstractOhmic):
    r"""Sodium current of crustacean walking-leg axons, $I = g\,m^3 h\,(E - v)$,

    $$\alpha_m = \frac{0.38\,(v + 29.7)}{1 - e^{-0.1(v + 29.7)}}, \quad \beta_m = 15.2\,e^{-0.0556(v + 54.7)}, \quad
    \alpha_h = 0.266\,e^{-0.05(v + 48)}, \quad \beta_h = \frac{3.8}{1 + e^{-0.1(v + 18)}}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"na"`.
    - `phi`: temperature factor.

    Source: Connor, Walter & McKown 1977, doi:10.1016/S0006-3495(77)85598-7; in the form of Dayan & Abbott 2001,
    Theoretical Neuroscience, ch. 6.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_CS1977(), "leak": npt.channels.IL()}
        ions = {"na": npt.ions.SodiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(120.0, least=0, unit="mS/cm²")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        m = alpha_beta(3.8 * linoid((v + 29.7) / 10), 15.2 * held_exp(-0.0556 * (v + 54.7)), self.phi)
        return {"m": m, "h": alpha_beta(0.266 * held_exp(-(v + 48) / 20), 3.8 * sigmoid((v + 18) / 10), self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m3h(self.g, gates)
