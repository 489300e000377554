"""Calcium that rises when calcium enters."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Parameter, parameter
from ..init import values
from ..integrate import Relaxation
from ._base import FARADAY, AbstractIon, Pool, nernst_potential


class CalciumDetailed(AbstractIon):
    r"""Calcium in a shell beneath the membrane, with influx and removal,

    $$\dot c = \left[\frac{I_\mathrm{Ca}}{2 F d}\right]_+ + \frac{c_\mathrm{rest} - c}{\tau}, \qquad
    E = \frac{R T}{2 F} \ln\frac{c_\mathrm{out}}{c},$$

    where $I_\mathrm{Ca}$ is the inward current of the channels that carry calcium; $1/2Fd$ is
    $5.18\cdot10^{-5}/d$ mM·cm²/(ms·µA) with $d$ in µm. (BrainPy's factor is a hundred times larger, and its sign such
    that calcium never rises.)

    **Arguments:**

    - `d`: depth of the shell (µm).
    - `tau`: time constant of removal (ms).
    - `c_rest`: concentration at rest (mM).
    - `c_out`: concentration outside (mM).
    - `celsius`: temperature (°C).
    - `c_init`: initial concentration (mM); `None` starts at `c_rest`.

    Source: Destexhe, Babloyantz & Sejnowski 1993, Biophys. J. 65:1538; Bazhenov, Timofeev, Steriade & Sejnowski 1998,
    J. Neurophysiol. 79:2730.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"t": npt.channels.ICaT_HM1992(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(1, channels=channels, ions={"ca": npt.ions.CalciumDetailed(d=0.5)})
        ```
    """

    d: Parameter = parameter(1.0, positive=True)
    tau: Parameter = parameter(5.0, positive=True, unit="ms")
    c_rest: Parameter = parameter(2.4e-4, positive=True, unit="mM")
    c_out: Parameter = parameter(2.0, positive=True, unit="mM")
    celsius: Parameter = parameter(36.0, least=-273.15, unit="°C")
    c_init: Parameter = parameter(None, positive=True, unit="mM")

    def init(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Array]:
        start = self.c_rest if self.c_init is None else self.c_init
        return {"c": values(start, shape, key=None, dtype=dtype, name="c_init")}

    def pool(self, state: dict[str, Array]) -> Pool:
        return Pool(c=state["c"], e=nernst_potential(state["c"], self.c_out, 2.0, self.celsius))

    def kinetics(self, state: dict[str, Array], current: Float[Array, "..."]) -> dict[str, Relaxation]:
        # µA/cm² over C/mol and µm is 10 mM/ms
        influx = jnp.maximum(current * (10 / (2 * FARADAY) / self.d), 0)
        return {"c": Relaxation(1 / self.tau, self.c_rest + self.tau * influx)}


class CalciumFirstOrder(AbstractIon):
    r"""Calcium in arbitrary units, with influx and removal,

    $$\dot c = [\alpha I_\mathrm{Ca}]_+ - \beta c,$$

    where $I_\mathrm{Ca}$ is the inward current of the channels that carry calcium. The reversal potential is constant,
    since the unit of $c$ is arbitrary. (BrainPy's sign is such that calcium never rises.)

    **Arguments:**

    - `alpha`: influx for each unit of current (cm²/(ms·µA)).
    - `beta`: rate of removal (1/ms).
    - `e`: reversal potential (mV).
    - `c_init`: initial value.

    Source: Traub, Wong, Miles & Michelson 1991, J. Neurophysiol. 66:635; Pinsky & Rinzel 1994, J. Comput. Neurosci.
    1:39, doi:10.1007/BF00962717.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"ca": npt.channels.ICaHT_Re1993(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(1, channels=channels, ions={"ca": npt.ions.CalciumFirstOrder()})
        ```
    """

    alpha: Parameter = parameter(0.13, least=0)
    beta: Parameter = parameter(0.075, positive=True)
    e: Parameter = parameter(80.0, unit="mV")
    c_init: Parameter = parameter(0.0, least=0)

    def init(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Array]:
        return {"c": values(self.c_init, shape, key=None, dtype=dtype, name="c_init")}

    def pool(self, state: dict[str, Array]) -> Pool:
        return Pool(c=state["c"], e=self.e)

    def kinetics(self, state: dict[str, Array], current: Float[Array, "..."]) -> dict[str, Relaxation]:
        return {"c": Relaxation(self.beta, jnp.maximum(self.alpha * current, 0) / self.beta)}
