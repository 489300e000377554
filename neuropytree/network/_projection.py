"""The recipe of a pathway."""

import equinox as eqx
from jaxtyping import Array, Key

from .._arguments import check_real
from ..connect import AbstractConnectivity, AbstractConnector, Weight
from ..delay import check_delay
from ..init import AbstractInitializer
from ._names import parse_end
from ._pathway import Pathway

SOURCE_FORM = "a node's name, such as 'E', with a message, 'E.v', or a slice, 'E[0:800]'"
TARGET_FORM = "'node.port', such as 'I.exc', or with a slice, 'I[:100].exc'"


class Projection(eqx.Module):
    r"""Connections from a message of one node to a port of another: what a `Network` is told to build.

    **Arguments:**

    - `source`: a node, `"E"`, whose spikes are meant (its first message); or one of its messages, `"E.v"`; or of some
      of its elements, `"E[0:800]"`, `"E[::2].v"`.
    - `target`: a port, `"I.exc"`; or of some elements, `"I[:100].exc"`.
    - `connect`: a rule such as `npt.connect.FixedProb(0.02)`, which the network applies to the numbers of elements at
      both ends; or a connectivity that is there already, such as `npt.connect.from_scipy(m)`.
    - `weight`: for a rule: a number shared by all edges, or an initializer that draws one for each (unit of the port).
      Default 1. A connectivity has its own weight, and none may be given.
    - `delay`: in ms. What is sent in step $k$ is in place at the end of step $k + m$, $m = \lfloor d / \Delta t + 0.5 +
      10^{-6} \rfloor$: $d$ ms after it was sent. `None` is $m = 0$.

    In the network there is a `Pathway` in its place: `net.pathways[name].connect` is the connectivity.

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
        parse_end(source, "a projection's source", SOURCE_FORM)
        if not parse_end(target, "a projection's target", TARGET_FORM).name:
            raise ValueError(f"a projection's target is {target!r}; expected {TARGET_FORM}")
        if not isinstance(connect, AbstractConnector | AbstractConnectivity):
            raise TypeError(
                f"a projection's connect is a {type(connect).__name__}; expected a rule such as "
                "npt.connect.FixedProb(0.1), or a connectivity such as npt.connect.from_scipy(m)"
            )
        if isinstance(connect, AbstractConnectivity) and weight is not None:
            raise ValueError("a projection over a connectivity has the connectivity's weight; leave weight= out")
        if weight is not None and not isinstance(weight, AbstractInitializer):
            check_real(weight, "weight", each="edge")
        self.source, self.target, self.connect, self.weight = source, target, connect, weight
        self.delay = check_delay(delay, f"the projection from '{source}' to '{target}'")

    def build(self, in_size: int, out_size: int, key: Key[Array, ""] | None) -> Pathway:
        """The pathway, for ends with so many elements. Connections and weights are drawn from `key`."""
        connect = self.connect
        if isinstance(connect, AbstractConnector):
            connect = connect(in_size, out_size, weight=1.0 if self.weight is None else self.weight, key=key)
        return Pathway(connect=connect, source=self.source, target=self.target, delay=self.delay)
