"""A layer of an artificial network as a node."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .._arguments import whole
from .._errors import check_function
from .._node import AbstractNode, Add
from .._types import Tick


class LayerState(eqx.Module):
    """State of a `Layer`: what has arrived at its port, `x`, and its last output, `y`."""

    x: Float[Array, " in_size"]
    y: Float[Array, " size"]


class Layer(AbstractNode):
    """A function of one vector, such as an Equinox layer, as a node: port `"in"`, message `"out"`.

    In each step it is called with what arrived at its port at the end of the step before, plus the input of the step.

    **Arguments:**

    - `layer`: an `equinox.nn` layer, or any module or function from a vector of `in_size` numbers to a vector. Its
      arrays are parameters of the network.
    - `in_size`: number of elements that arrive.

    **Raises:** `TypeError` or `ValueError` for something that doesn't take such a vector, or returns none.

    !!! example

        ```python
        import equinox as eqx, jax, neuropytree as npt
        net = npt.Network({"layer": npt.Layer(eqx.nn.Linear(3, 2, key=jax.random.key(0)), in_size=3)})
        sol = npt.simulate(net, net.init(dt=1.0), {"layer": 1.0}, dt=1.0, duration=5.0, record=["layer.out"])
        ```
    """

    layer: Any
    in_size: int = eqx.field(static=True)
    out: jax.ShapeDtypeStruct = eqx.field(static=True)

    def __init__(self, layer: Any, in_size: int):
        check_function("layer", layer, "x")
        self.layer, self.in_size = layer, whole(in_size, "in_size", least=1)
        try:
            self.out = eqx.filter_eval_shape(layer, jnp.zeros(self.in_size))
        except Exception as error:
            raise ValueError(f"layer can't be called with a vector of in_size = {in_size} numbers: {error}") from error
        if not isinstance(self.out, jax.ShapeDtypeStruct) or len(self.out.shape) != 1:
            raise ValueError(f"layer returns {self.out}; expected one vector")

    @property
    def size(self) -> int:
        return self.out.shape[0]

    @property
    def ports(self) -> dict[str, int]:
        return {"in": self.in_size}

    @property
    def messages(self) -> dict[str, int]:
        return {"out": self.size}

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.in_size,)

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> LayerState:
        del dt, key
        return LayerState(x=jnp.zeros(self.in_size), y=jnp.zeros(self.size, self.out.dtype))

    def advance(self, state: LayerState, input: Any, tick: Tick) -> tuple[LayerState, dict[str, Array]]:
        del tick
        x = state.x if input is None else state.x + jnp.asarray(input).astype(state.x.dtype)
        y = self.layer(x)
        return LayerState(x=jnp.zeros_like(state.x), y=y), {"out": y}

    def deliver(self, state: LayerState, port: str, add: Add, tick: Tick) -> LayerState:
        del port, tick
        return LayerState(x=add(state.x), y=state.y)

    def silent(self, state: LayerState) -> dict[str, Array]:
        return {"out": state.y}
