"""From a source to a port."""

import equinox as eqx
from jaxtyping import Array, Key

from ..connect import AbstractConnectivity, AbstractConnector
from ..connect._base import Weight
from ..delay import check_delay


class Projection(eqx.Module):
    """Synapses from the spikes of one population to a receptor of another.

    **Arguments:**

    - `source`: name of the pre population.
    - `target`: the port, `"population.receptor"`.
    - `connect`: a rule such as `npt.connect.FixedProb(0.02)`, which the network applies to the sizes of both
      populations; or a connectivity that is there already, such as `npt.connect.from_scipy(m)`.
    - `weight`: for a rule: a number shared by all edges, or an initializer that draws one for each (unit of the
      receptor's conductance). Default 1. A connectivity has its own weight, and none may be given.
    - `delay`: in ms; a spike of step $k$ arrives in step $k + \\max(1, \\mathrm{round}(d / \\Delta t))$. `None` is one
      step.

    In a network, `projection.connect` is the connectivity and `projection.connect.weight` the weight.

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        import neuropytree as npt
        projection = npt.Projection("E", "I.exc", npt.connect.FixedProb(0.1), weight=0.6, delay=1.5)
        ```
    """

    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    connect: AbstractConnector | AbstractConnectivity
    weight: Weight | None
    delay: float | None = eqx.field(static=True)

    def __init__(
        self,
        source: str,
        target: str,
        connect: AbstractConnector | AbstractConnectivity,
        *,
        weight: Weight | None = None,
        delay: float | None = None,
    ):
        if not isinstance(target, str) or target.count(".") != 1:
            raise ValueError(f"a projection's target is {target!r}; expected 'population.receptor'")
        if not isinstance(connect, AbstractConnector | AbstractConnectivity):
            raise TypeError(
                f"a projection's connect is a {type(connect).__name__}; expected a rule such as "
                "npt.connect.FixedProb(0.1), or a "
                "connectivity such as npt.connect.from_scipy(m)"
            )
        if isinstance(connect, AbstractConnectivity) and weight is not None:
            raise ValueError("a projection over a connectivity has the connectivity's weight; leave weight= out")
        check_delay(delay, f"the projection from '{source}' to '{target}'")
        self.source, self.target, self.connect = source, target, connect
        self.weight, self.delay = weight, delay

    @property
    def target_population(self) -> str:
        """The population part of `target`."""
        return self.target.split(".")[0]

    @property
    def target_receptor(self) -> str:
        """The receptor part of `target`."""
        return self.target.split(".")[1]

    def build(self, name: str, in_size: int, out_size: int, key: Key[Array, ""] | None) -> "Projection":
        """The projection with its connectivity made, for populations of these sizes.

        **Raises:** `ValueError` naming the projection if a connectivity that is there already has other sizes.
        """
        connect = self.connect
        if isinstance(connect, AbstractConnector):
            connect = connect(in_size, out_size, weight=1.0 if self.weight is None else self.weight, key=key)
        if (connect.in_size, connect.out_size) != (in_size, out_size):
            raise ValueError(
                f"projection '{name}' has a connectivity from {connect.in_size} to {connect.out_size} neurons, "
                f"but '{self.source}' has "
                f"{in_size} and '{self.target_population}' {out_size}"
            )
        return Projection(self.source, self.target, connect, delay=self.delay)
