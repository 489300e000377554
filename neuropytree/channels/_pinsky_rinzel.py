"""The channels of Pinsky and Rinzel's cell."""

import math
from typing import ClassVar

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_exp, linoid
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta


class INa_PR1994(AbstractOhmic):
    r"""Sodium current of CA3 pyramidal cells, whose activation is instantaneous, $I = g\,m_\infty^2 h\,(E - v)$, with
    $u = v - v_\mathrm{sh}$ and $m_\infty = \alpha_m/(\alpha_m + \beta_m)$,

    $$\alpha_m = \frac{0.32\,(13.1 - u)}{e^{(13.1 - u)/4} - 1}, \quad
    \beta_m = \frac{0.28\,(u - 40.1)}{e^{(u - 40.1)/5} - 1}, \quad
    \alpha_h = 0.128\,e^{(17 - u)/18}, \quad \beta_h = \frac{4}{1 + e^{(40 - u)/5}}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"na"`.
    - `v_sh`: where the rates have their origin (mV).

    Source: Pinsky & Rinzel 1994, doi:10.1007/BF00962717.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_PR1994(e=60.0), "leak": npt.channels.IL(e=-60.0)}
        cell = npt.neurons.ConductanceCell(10, channels=channels, c_m=3.0)
        ```
    """

    carries: ClassVar[str | None] = "na"
    g: Parameter = parameter(30.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-60.0, unit="mV")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        return {"h": alpha_beta(0.128 * held_exp((17 - u) / 18), 4 * sigmoid((u - 40) / 5))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        u = v - self.v_sh
        alpha = 1.28 * linoid((u - 13.1) / 4)
        m = alpha / (alpha + 1.4 * linoid((40.1 - u) / 5))
        return self.g * (m * m * gates["h"])


class IK_PR1994(AbstractOhmic):
    r"""Delayed rectifier of CA3 pyramidal cells, $I = g\,n\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_n = \frac{0.016\,(35.1 - u)}{e^{(35.1 - u)/5} - 1}, \quad \beta_n = 0.25\,e^{0.5 - 0.025 u}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: where the rates have their origin (mV).

    Source: Pinsky & Rinzel 1994, doi:10.1007/BF00962717.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IK_PR1994(e=-75.0), "leak": npt.channels.IL(e=-60.0)}
        cell = npt.neurons.ConductanceCell(10, channels=channels, c_m=3.0)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(15.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-60.0, unit="mV")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        return {"n": alpha_beta(0.08 * linoid((u - 35.1) / 5), 0.25 * held_exp(0.5 - 0.025 * u))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * gates["n"]


class ICa_PR1994(AbstractOhmic):
    r"""Calcium current of CA3 pyramidal cells, $I = g\,s^2 (E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_s = \frac{1.6}{1 + e^{-0.072 (u - 65)}}, \quad \beta_s = \frac{0.02\,(u - 51.1)}{e^{(u - 51.1)/5} - 1}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"ca"`.
    - `v_sh`: where the rates have their origin (mV).

    Source: Pinsky & Rinzel 1994, doi:10.1007/BF00962717.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICa_PR1994(), "leak": npt.channels.IL(e=-60.0)}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions={"ca": npt.ions.CalciumFirstOrder()})
        ```
    """

    carries: ClassVar[str | None] = "ca"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-60.0, unit="mV")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        return {"s": alpha_beta(1.6 * sigmoid(0.072 * (u - 65)), 0.1 * linoid((51.1 - u) / 5))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        s = gates["s"]
        return self.g * (s * s)


class IKC_PR1994(AbstractOhmic):
    r"""Fast potassium current of CA3 pyramidal cells, activated by voltage and calcium,
    $I = g\,c\,\min(\mathrm{Ca}/250, 1)\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_c = \begin{cases} e^{(u - 10)/11 - (u - 6.5)/27}/18.975 & u \le 50 \\ 2 e^{(6.5 - u)/27} & u > 50
    \end{cases}, \qquad \alpha_c + \beta_c = 2 e^{(6.5 - u)/27}.$$

    Calcium is in the units of the source. $\alpha_c$ is that of Traub et al., which is continuous; with the difference
    of two exponentials that is sometimes printed, the gate would be negative at rest and above 4 at $u = 50$. (BrainPy
    has that difference, and leaves the gate out of the current.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: where the rates have their origin (mV).

    Source: Pinsky & Rinzel 1994, doi:10.1007/BF00962717, with its erratum; Traub, Wong, Miles & Michelson 1991,
    J. Neurophysiol. 66:635.

    !!! example

        ```python
        import neuropytree as npt
        channels = {
            "ca": npt.channels.ICa_PR1994(),
            "kc": npt.channels.IKC_PR1994(e=-75.0),
            "leak": npt.channels.IL(e=-60.0),
        }
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions={"ca": npt.ions.CalciumFirstOrder()})
        ```
    """

    carries: ClassVar[str | None] = "k"
    reads: ClassVar[tuple[str, ...]] = ("ca",)
    g: Parameter = parameter(15.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-60.0, unit="mV")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        # alpha over the total, e^((u - 10)/11) / 37.95: it reaches 1 at 49.999, where the source has 50
        inf = held_exp(jnp.minimum((u - 10) / 11 - math.log(37.95), 0))
        return {"c": Relaxation(2 * held_exp((6.5 - u) / 27), inf)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * (gates["c"] * jnp.minimum(ions["ca"].c / 250, 1))


class IAHP_PR1994(AbstractOhmic):
    r"""Slow potassium current of CA3 pyramidal cells, activated by calcium, $I = g\,q\,(E - v)$,

    $$\alpha_q = \min(2 \cdot 10^{-5}\,\mathrm{Ca}, 0.01), \quad \beta_q = 0.001.$$

    Calcium is in the units of the source.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.

    Source: Pinsky & Rinzel 1994, doi:10.1007/BF00962717.

    !!! example

        ```python
        import neuropytree as npt
        channels = {
            "ca": npt.channels.ICa_PR1994(),
            "ahp": npt.channels.IAHP_PR1994(e=-75.0),
            "leak": npt.channels.IL(e=-60.0),
        }
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions={"ca": npt.ions.CalciumFirstOrder()})
        ```
    """

    carries: ClassVar[str | None] = "k"
    reads: ClassVar[tuple[str, ...]] = ("ca",)
    g: Parameter = parameter(0.8, least=0, unit="mS/cm²")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        alpha = jnp.broadcast_to(jnp.minimum(2e-5 * ions["ca"].c, 0.01), v.shape)
        return {"q": alpha_beta(alpha, jnp.full_like(alpha, 0.001))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * gates["q"]
