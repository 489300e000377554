"""Ions whose concentration does not move."""

from typing import Any

from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from ..integrate import Linear, Relaxation
from ._base import AbstractIon, Pool


class FixedIon(AbstractIon):
    """An ion at constant concentration and reversal potential.

    **Arguments:**

    - `e`: reversal potential (mV).
    - `c`: concentration inside (mM).

    !!! example

        ```python
        import neuropytree as npt
        chloride = npt.ions.FixedIon(e=-75.0, c=4.0)
        ```
    """

    e: Float[Array, "..."]
    c: Float[Array, "..."]

    def __init__(self, e: ArrayLike, c: ArrayLike):
        self.e, self.c = real(e, "e of an ion"), real(c, "c of an ion", positive=True)

    def init(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Array]:
        del shape, dtype
        return {}

    def pool(self, state: dict[str, Array]) -> Pool:
        del state
        return Pool(c=self.c, e=self.e)

    def kinetics(self, state: dict[str, Array], current: Float[Array, "..."]) -> dict[str, Relaxation | Linear]:
        del state, current
        return {}


def SodiumFixed(*, e: ArrayLike = 50.0, c: ArrayLike = 12.0) -> FixedIon:
    """Sodium at a constant concentration.

    **Arguments:**

    - `e`: reversal potential (mV).
    - `c`: concentration inside (mM).

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_TM1991(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(1, channels=channels, ions={"na": npt.ions.SodiumFixed(e=55.0)})
        ```
    """
    return FixedIon(e, c)


def PotassiumFixed(*, e: ArrayLike = -95.0, c: ArrayLike = 155.0) -> FixedIon:
    """Potassium at a constant concentration. (BrainPy's reversal potential, -950 mV, is a slip of the pen.)

    **Arguments:**

    - `e`: reversal potential (mV).
    - `c`: concentration inside (mM).

    !!! example

        ```python
        import neuropytree as npt
        channels = {"m": npt.channels.IKNI_Ya1989(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(1, channels=channels, ions={"k": npt.ions.PotassiumFixed()})
        ```
    """
    return FixedIon(e, c)


def CalciumFixed(*, e: ArrayLike = 120.0, c: ArrayLike = 2.4e-4) -> FixedIon:
    """Calcium at a constant concentration.

    **Arguments:**

    - `e`: reversal potential (mV).
    - `c`: concentration inside (mM).

    !!! example

        ```python
        import neuropytree as npt
        channels = {"t": npt.channels.ICaT_HM1992(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(1, channels=channels, ions={"ca": npt.ions.CalciumFixed()})
        ```
    """
    return FixedIon(e, c)
