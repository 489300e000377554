"""A-type currents: potassium channels that inactivate fast."""

from typing import ClassVar

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_exp
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import inf_tau


def _m4h(g: Parameter, gates: Gates) -> Array:
    square = gates["m"] * gates["m"]
    return g * (square * square * gates["h"])


def _kinetics(u: Array, m_inf: Array, phi: Parameter, until: float, plateau: float) -> dict[str, Relaxation]:
    """The time constants of Huguenard & McCormick, and their inactivation; that of `h` is `plateau` above `until`."""
    tau_m = 1 / (held_exp((u + 35.8) / 19.7) + held_exp(-(u + 79.7) / 12.7)) + 0.37
    fast = 1 / (held_exp((u + 46) / 5) + held_exp(-(u + 238) / 37.5))
    tau_h = jnp.where(u < until, fast, plateau)
    return {"m": inf_tau(m_inf, tau_m, phi), "h": inf_tau(sigmoid(-(u + 78) / 6), tau_h, phi)}


class IKA1_HM1992(AbstractOhmic):
    r"""The first component of the A current of thalamic relay cells, $I = g\,m^4 h\,(E - v)$, with
    $u = v - v_\mathrm{sh}$ and $m_\infty = 1/(1 + e^{-(u + 60)/8.5})$,

    $$\tau_m = \frac{1}{e^{(u + 35.8)/19.7} + e^{-(u + 79.7)/12.7}} + 0.37, \quad
    h_\infty = \frac{1}{1 + e^{(u + 78)/6}}, \quad
    \tau_h = \begin{cases} 1/(e^{(u + 46)/5} + e^{-(u + 238)/37.5}) & u < -63 \\ 19 & \text{else.} \end{cases}$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373; Huguenard,
    Coulter & Prince 1991, J. Neurophysiol. 66:1304.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKA1_HM1992(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(30.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        return _kinetics(u, sigmoid((u + 60) / 8.5), self.phi, -63, 19.0)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m4h(self.g, gates)


class IKA2_HM1992(AbstractOhmic):
    r"""The second component of the A current of thalamic relay cells: `IKA1_HM1992` with
    $m_\infty = 1/(1 + e^{-(u + 36)/20})$, and with $\tau_h = 60$ ms where $u \ge -73$ mV. (BrainPy has the $\tau_h$ of
    the first.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Huguenard & McCormick 1992, doi:10.1152/jn.1992.68.4.1373; Huguenard,
    Coulter & Prince 1991, J. Neurophysiol. 66:1304.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKA2_HM1992(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(20.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(0.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        return _kinetics(u, sigmoid((u + 36) / 20), self.phi, -73, 60.0)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return _m4h(self.g, gates)


class IKA_CS1977(AbstractOhmic):
    r"""The A current of crustacean walking-leg axons, $I = g\,m^3 h\,(E - v)$,

    $$m_\infty = \left(\frac{0.0761\,e^{0.0314(v + 94.22)}}{1 + e^{0.0346(v + 1.17)}}\right)^{1/3}, \quad
    \tau_m = 0.3632 + \frac{1.158}{1 + e^{0.0497(v + 55.96)}},$$

    $$h_\infty = \left(\frac{1}{1 + e^{0.0688(v + 53.3)}}\right)^4, \quad
    \tau_h = 1.24 + \frac{2.678}{1 + e^{0.0624(v + 50)}}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `phi`: temperature factor.

    Source: Connor, Walter & McKown 1977, doi:10.1016/S0006-3495(77)85598-7; in the form of Dayan & Abbott 2001,
    Theoretical Neuroscience, ch. 6.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKA_CS1977(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(47.7, least=0, unit="mS/cm²")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        m_inf = jnp.cbrt(0.0761 * held_exp(0.0314 * (v + 94.22)) / (1 + held_exp(0.0346 * (v + 1.17))))
        tau_m = 0.3632 + 1.158 / (1 + held_exp(0.0497 * (v + 55.96)))
        square = sigmoid(-0.0688 * (v + 53.3)) ** 2
        tau_h = 1.24 + 2.678 / (1 + held_exp(0.0624 * (v + 50)))
        return {"m": inf_tau(m_inf, tau_m, self.phi), "h": inf_tau(square * square, tau_h, self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        m = gates["m"]
        return self.g * (m * m * m * gates["h"])
