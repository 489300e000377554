"""What a receptor does to the membrane."""

import abc
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from .._arguments import check_parameters
from .._types import Drive, Parameter, Tick, parameter


class AbstractOutput(eqx.Module):
    """Turns what a receptor has open into a drive of the membrane.

    `is_current` says that the drive is a current that doesn't depend on the voltage. It is then propagated exactly
    together with a membrane that is linear.
    """

    is_current: ClassVar[bool] = False

    def __check_init__(self) -> None:
        check_parameters(self)

    @abc.abstractmethod
    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."], tick: Tick) -> Drive:
        """The drive of `g`, held over the step of `tick`, on cells that have the voltage `v` (mV) at its beginning."""


class COBA(AbstractOutput):
    r"""Conductance-based output, $I = g\,(E_\mathrm{rev} - v)$, inward positive.

    **Arguments:**

    - `e_rev`: reversal potential (mV).

    Source: Destexhe, Mainen & Sejnowski 1994, doi:10.1162/neco.1994.6.1.14.

    !!! example

        ```python
        import neuropytree as npt
        inhibition = npt.Receptor(npt.synapses.Exponential(tau=10.0), npt.synapses.COBA(e_rev=-80.0))
        ```
    """

    e_rev: Parameter = parameter(positional=True, unit="mV")

    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."], tick: Tick) -> Drive:
        del v, tick
        return Drive(g * self.e_rev, g)


class CUBA(AbstractOutput):
    r"""Current-based output, $I = g$: the weights are currents (pA, or mV with resistance 1), and carry their sign.

    !!! example

        ```python
        import neuropytree as npt
        current = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.CUBA())
        ```
    """

    is_current: ClassVar[bool] = True

    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."], tick: Tick) -> Drive:
        del v, tick
        return Drive(g)
