"""Delayed rectifiers: potassium channels that end the spike."""

import math
from typing import ClassVar

from jax.nn import sigmoid
from jaxtyping import Array, Float

from .._math import held_cosh, held_exp, linoid
from .._types import Parameter, parameter
from ..integrate import Relaxation
from ._base import AbstractOhmic, Gates, Pools
from ._gates import alpha_beta, q10


def _traub_miles(u: Array, phi: Parameter) -> dict[str, Relaxation]:
    """The rates of Traub & Miles, also used by Bazhenov et al."""
    # both exponentials are powers of one
    x = held_exp((10 - u) / 40, 8)
    square = x * x
    fourth = square * square
    return {"n": alpha_beta(0.16 * linoid((u - 15) / 5, math.e * (fourth * fourth)), 0.5 * x, phi)}


class IK_TM1991(AbstractOhmic):
    r"""Delayed rectifier of hippocampal pyramidal cells, $I = g\,n^4\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_n = \frac{0.032\,(15 - u)}{e^{(15 - u)/5} - 1}, \quad \beta_n = 0.5\,e^{(10 - u)/40}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Traub & Miles 1991, Neuronal Networks of the Hippocampus.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IK_TM1991(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-60.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _traub_miles(v - self.v_sh, self.phi)

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        square = gates["n"] * gates["n"]
        return self.g * (square * square)


class IKDR_Ba2002(AbstractOhmic):
    r"""Delayed rectifier of thalamic cells, $I = g\,n^4\,(E - v)$: the rates of `IK_TM1991`, times
    $\phi = 3^{(T - 36)/10}$.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `celsius`: temperature $T$ (°C).

    Source: Bazhenov, Timofeev, Steriade & Sejnowski 2002, doi:10.1523/JNEUROSCI.22-19-08691.2002.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IKDR_Ba2002(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-50.0, unit="mV")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return _traub_miles(v - self.v_sh, q10(3.0, self.celsius, 36.0))

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        square = gates["n"] * gates["n"]
        return self.g * (square * square)


class IK_HH1952(AbstractOhmic):
    r"""Delayed rectifier of the squid axon, $I = g\,n^4\,(E - v)$, with $u = v - v_\mathrm{sh}$,

    $$\alpha_n = \frac{0.01\,(u + 10)}{1 - e^{-(u + 10)/10}}, \quad \beta_n = 0.125\,e^{-(u + 20)/80}.$$

    With the default $v_\mathrm{sh}$ the squid rests at -65 mV.

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_sh`: shift of the rates along the voltage (mV).
    - `phi`: temperature factor.

    Source: Hodgkin & Huxley 1952, doi:10.1113/jphysiol.1952.sp004764.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IK_HH1952(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(10.0, least=0, unit="mS/cm²")
    v_sh: Parameter = parameter(-45.0, unit="mV")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        u = v - self.v_sh
        # both exponentials are powers of one
        x = held_exp(-(u + 20) / 80, 8)
        square = x * x
        fourth = square * square
        return {"n": alpha_beta(0.1 * linoid((u + 10) / 10, math.e * (fourth * fourth)), 0.125 * x, self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        square = gates["n"] * gates["n"]
        return self.g * (square * square)


class IK_WB1996(AbstractOhmic):
    r"""Delayed rectifier of hippocampal interneurons, $I = g\,n^4\,(E - v)$,

    $$\alpha_n = \frac{0.01\,(v + 34)}{1 - e^{-(v + 34)/10}}, \quad \beta_n = 0.125\,e^{-(v + 44)/80}.$$

    (BrainPy's $\alpha_n$ is ten times as large.)

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `phi`: temperature factor.

    Source: Wang & Buzsáki 1996, doi:10.1523/JNEUROSCI.16-20-06402.1996.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IK_WB1996(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(9.0, least=0, unit="mS/cm²")
    phi: Parameter = parameter(5.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return {"n": alpha_beta(0.1 * linoid((v + 34) / 10), 0.125 * held_exp(-(v + 44) / 80), self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        square = gates["n"] * gates["n"]
        return self.g * (square * square)


class IK_CS1977(AbstractOhmic):
    r"""Delayed rectifier of crustacean walking-leg axons, $I = g\,n^4\,(E - v)$,

    $$\alpha_n = \frac{0.02\,(v + 45.7)}{1 - e^{-0.1(v + 45.7)}}, \quad \beta_n = 0.25\,e^{-0.0125(v + 55.7)}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `phi`: temperature factor.

    Source: Connor, Walter & McKown 1977, doi:10.1016/S0006-3495(77)85598-7; in the form of Dayan & Abbott 2001,
    Theoretical Neuroscience, ch. 6.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IK_CS1977(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(20.0, least=0, unit="mS/cm²")
    phi: Parameter = parameter(1.0, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        return {"n": alpha_beta(0.2 * linoid((v + 45.7) / 10), 0.25 * held_exp(-(v + 55.7) / 80), self.phi)}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        square = gates["n"] * gates["n"]
        return self.g * (square * square)


class IK_ML1981(AbstractOhmic):
    r"""Potassium current of the barnacle muscle fibre, $I = g\,n\,(E - v)$,

    $$n_\infty = \tfrac12\left(1 + \tanh\frac{v - v_3}{v_4}\right), \quad
    \frac{1}{\tau_n} = \phi \cosh\frac{v - v_3}{2 v_4}.$$

    **Arguments:**

    - `g`: largest conductance (mS/cm²).
    - `e`: reversal potential (mV); `None` takes that of the cell's ion `"k"`.
    - `v_3`, `v_4`: where the gate is half open, and its width (mV).
    - `phi`: rate (1/ms).

    Source: Morris & Lecar 1981, doi:10.1016/S0006-3495(81)84782-0.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"k": npt.channels.IK_ML1981(), "leak": npt.channels.IL()}
        ions = {"k": npt.ions.PotassiumFixed()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions=ions)
        ```
    """

    carries: ClassVar[str | None] = "k"
    g: Parameter = parameter(8.0, least=0, unit="mS/cm²")
    v_3: Parameter = parameter(2.0, unit="mV")
    v_4: Parameter = parameter(30.0, positive=True, unit="mV")
    phi: Parameter = parameter(0.04, positive=True)

    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation]:
        x = (v - self.v_3) / self.v_4
        # (1 + tanh x) / 2, without its cancellation
        return {"n": Relaxation(self.phi * held_cosh(x / 2), sigmoid(2 * x))}

    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        return self.g * gates["n"]
