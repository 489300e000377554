"""What a receptor does to the membrane."""

import abc

import equinox as eqx
from jaxtyping import Array, ArrayLike, Float

from .._types import Drive, as_parameter


class AbstractOutput(eqx.Module):
    """Turns a receptor's conductance into a drive of the membrane."""

    @abc.abstractmethod
    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."]) -> Drive:
        """The drive of conductance `g` on cells that have the voltage `v` (mV) at the beginning of the step."""


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

    e_rev: Float[Array, "..."]

    def __init__(self, e_rev: ArrayLike):
        self.e_rev = as_parameter(e_rev)

    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."]) -> Drive:
        del v
        return Drive(g * self.e_rev, g)


class CUBA(AbstractOutput):
    r"""Current-based output, $I = g$: the weights are currents (pA, or mV with resistance 1), and carry their sign.

    !!! example

        ```python
        import neuropytree as npt
        current = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.CUBA())
        ```
    """

    def __call__(self, g: Float[Array, "..."], v: Float[Array, "..."]) -> Drive:
        del v
        return Drive(g)
