"""Currents that hyperpolarisation activates."""

from typing import ClassVar

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_exp
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta, q10


class Ih_HM1992(AbstractOhmic):
    r"""The h current of thalamic relay cells, $I = g\,m\,(E - v)$,

    $$m_\infty = \frac{1}{1 + e^{(v + 75)/5.5}}, \quad \tau_m = \frac{1}{e^{-0.086 v - 14.59} + e^{0.0701 v - 1.87}}.$$

    (BrainPy's reversal potential lacks its sign.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV).
    - `phi`: temperature factor.

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"h": npt.channels.Ih_HM1992(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels)
        ```
    """

    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    e: Parameter | None = parameter(-43.0)
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        rate = held_exp(-0.086 * v - 14.59) + held_exp(0.0701 * v - 1.87)
        return {"m": Relaxation(self.phi * rate, sigmoid(-(v + 75) / 5.5))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * gates["m"]


class Ih_De1996(AbstractOhmic):
    r"""The h current of thalamic relay cells, regulated by calcium, $I = g\,(O + g_\mathrm{inc} O_L)\,(E - v)$.

    Channels are closed, open ($O$) or locked open ($O_L$) by a protein that calcium has bound to ($P_1$),

    $$\dot O = \alpha\,(1 - O - O_L) - \beta O - k_3 P_1 O + k_4 O_L, \quad \dot O_L = k_3 P_1 O - k_4 O_L, \quad
    \dot P_1 = k_1 c^4 (1 - P_1) - k_2 P_1,$$

    with $k_1 = k_2 / c_\mathrm{half}^4$, $k_3 = k_4 / 0.01$, $\alpha = h_\infty/\tau$, $\beta = (1 - h_\infty)/\tau$,
    $u = v - v_\mathrm{sh}$,

    $$h_\infty = \frac{1}{1 + e^{(u + 75)/5.5}}, \quad
    \tau = 3^{-(T - 24)/10} \left(20 + \frac{1000}{e^{(u + 71.5)/14.2} + e^{-(u + 89)/11.6}}\right).$$

    The gates are `open`, `locked` and `bound`. (BrainPy leaves out the exchange with $O_L$ in $\dot O$.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV).
    - `g_inc`: how much better a locked channel conducts.
    - `k_2`, `k_4`: rates of unbinding (1/ms).
    - `c_half`: concentration of calcium that half of the protein binds at (mM).
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Destexhe, Bal, McCormick & Sejnowski 1996, doi:10.1152/jn.1996.76.3.2049.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"h": npt.channels.Ih_De1996(), "leak": npt.channels.IL()}
        ions = {"ca": npt.ions.CalciumDetailed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    reads: ClassVar[tuple[str, ...]] = ("ca",)
    g: Parameter = parameter(0.02, least=0, unit="mS/cm²")
    e: Parameter | None = parameter(-40.0)
    g_inc: Parameter = parameter(2.0, least=0, unit="mS/cm²")
    k_2: Parameter = parameter(0.0004, positive=True)
    k_4: Parameter = parameter(0.001, positive=True)
    c_half: Parameter = parameter(0.002, positive=True, unit="mM")
    v_sh: Parameter = parameter(0.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def init(self, v: Float[Array, "..."], ions: Pools) -> Gates:
        inf, bound = sigmoid(-(v - self.v_sh + 75) / 5.5), self._binding(ions)
        protein = jnp.broadcast_to(bound.rest, v.shape).astype(v.dtype)
        lock = protein / 0.01
        half = inf / (1 + inf * lock)
        return {"open": half, "locked": lock * half, "bound": protein}

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        bell = 1000 / (held_exp((u + 71.5) / 14.2) + held_exp(-(u + 89) / 11.6))
        rate = q10(3.0, self.celsius, 24.0) / (20 + bell)  # opening and closing together
        lock = self.k_4 / 0.01 * gates["bound"]
        leaving = rate + lock
        into = rate * sigmoid(-(u + 75) / 5.5) * (1 - gates["locked"]) + self.k_4 * gates["locked"]
        locked = Relaxation(self.k_4, lock / self.k_4 * gates["open"])
        return {"open": Relaxation(leaving, into / leaving), "locked": locked, "bound": self._binding(ions)}

    def _binding(self, ions: Pools) -> Relaxation:
        square = (ions["ca"].c / self.c_half) ** 2
        return alpha_beta(self.k_2 * (square * square), self.k_2)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * (gates["open"] + self.g_inc * gates["locked"])
