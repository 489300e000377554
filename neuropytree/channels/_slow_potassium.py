"""Slow potassium channels."""

from typing import ClassVar

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_exp
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta, inf_tau


def _k2(u: Array, phi: Parameter, plateau: float | None) -> dict[str, Relaxation]:
    """The kinetics of Huguenard & McCormick; `plateau` is the time constant of inactivation above -70 mV."""
    half = sigmoid((u + 43) / 17) ** 2
    tau_m = 1 / (held_exp((u - 81) / 25.6) + held_exp(-(u + 132) / 18)) + 9.9
    tau_h = 1 / (held_exp((u - 1329) / 200) + held_exp(-(u + 130) / 7.1)) + 120
    tau_h = tau_h if plateau is None else jnp.where(u < -70, tau_h, plateau)
    return {"m": inf_tau(half * half, tau_m, phi), "h": inf_tau(sigmoid(-(u + 58) / 10.6), tau_h, phi)}


class IKK2A_HM1992(AbstractOhmic):
    r"""The faster component of the slowly inactivating potassium current of thalamic relay cells,
    $I = g\,m\,h\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$m_\infty = \left(\frac{1}{1 + e^{-(u + 43)/17}}\right)^4, \quad
    \tau_m = \frac{1}{e^{(u - 81)/25.6} + e^{-(u + 132)/18}} + 9.9,$$

    $$h_\infty = \frac{1}{1 + e^{(u + 58)/10.6}}, \quad
    \tau_h = \frac{1}{e^{(u - 1329)/200} + e^{-(u + 130)/7.1}} + 120.$$

    (BrainPy leaves out the fourth power and the 120 ms. Both are in other transcriptions of the source, for NEURON and
    XPPAUT, from which they are taken here, with constants rounded to the digits above.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKK2A_HM1992(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _k2(v - self.v_sh, self.phi, None)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * (gates["m"] * gates["h"])


class IKK2B_HM1992(AbstractOhmic):
    r"""The slower component of the slowly inactivating potassium current of thalamic relay cells: `IKK2A_HM1992` with
    $\tau_h = 8930$ ms where $u \ge -70$ mV. (BrainPy has 8.9 ms there. The constant is that of other transcriptions of
    the source; one of them, for XPPAUT, has it below -70 mV.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKK2B_HM1992(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _k2(v - self.v_sh, self.phi, 8930.0)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * (gates["m"] * gates["h"])


class IKNI_Ya1989(AbstractOhmic):
    r"""The M current, slow and without inactivation, $I = g\,m\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$m_\infty = \frac{1}{1 + e^{-(u + 35)/10}}, \quad
    \tau_m = \frac{\tau_\mathrm{max}}{3.3\,e^{(u + 35)/20} + e^{-(u + 35)/20}}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `tau_max`: scale of the time constant (ms).
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Yamada, Koch & Adams 1989, in: Methods in Neuronal Modeling.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKNI_Ya1989(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(0.004, least=0, unit="mS/cm²")
    tau_max: Parameter = parameter(4000.0, positive=True, unit="ms")
    v_sh: Parameter = parameter(0.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        rate = (3.3 * held_exp((u + 35) / 20) + held_exp(-(u + 35) / 20)) / self.tau_max
        return {"m": Relaxation(self.phi * rate, sigmoid((u + 35) / 10))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * gates["m"]


class IAHP_De1994(AbstractOhmic):
    r"""Potassium current that calcium activates, $I = g\,m^2\,(E - v)$, with $c$ the concentration of calcium,

    $$\dot m = \phi\,(\alpha\,c^n (1 - m) - \beta m).$$

    ($\beta$ is that of the publication; BrainPy's is three times as large.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `n`: how many ions bind.
    - `alpha`: rate of binding (1/(ms·mMⁿ)).
    - `beta`: rate of unbinding (1/ms).
    - `phi`: temperature factor.

    Source: Destexhe, Contreras, Sejnowski & Steriade 1994, doi:10.1152/jn.1994.72.2.803.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IAHP_De1994(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed(), "k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    reads: ClassVar[tuple[str, ...]] = ("ca",)
    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    n: Parameter = parameter(2.0, positive=True)
    alpha: Parameter = parameter(48.0, least=0)
    beta: Parameter = parameter(0.03, positive=True)
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        bound = jnp.broadcast_to(self.alpha * ions["ca"].c ** self.n, v.shape)
        return {"m": alpha_beta(bound, self.beta, self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * (gates["m"] * gates["m"])
