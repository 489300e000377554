"""Poisson spikes."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .. import random
from .._arguments import axis_names, flag, real, whole
from .._errors import check_function
from .._node import AbstractNode, Add
from .._rule import AbstractInitializer
from .._series import Series, numbers
from .._types import Tick

Rate = ArrayLike | Series | Callable[[Tick], ArrayLike]


class Poisson(AbstractNode):
    r"""Cells that spike at random, each by itself, at a given rate: the message `"spike"`.

    In a step there is a spike with probability $1 - e^{-r \Delta t}$, that of one or more in a Poisson process. With
    `counts` the message is how many, a Poisson number of mean $r\,\Delta t$: for rates that are high for the step, such
    as those of many sources together. All projections from a cell carry the same spikes.

    The input of a step, if there is one, is the rate (Hz) in that step, in the place of `rate`.

    **Arguments:**

    - `size`: number of cells.
    - `rate`: in Hz: a number or an array with one for each cell; an `npt.Series` of such, by the number of the step, 0
      after its end; or a function of the tick.
    - `counts`: whether to send numbers of spikes, as floats, or booleans.
    - `axis_name`: inside `jax.shard_map`, the mesh axis that divides the cells among devices, of which `size` are here:
      they are numbered over all of them. Without, devices with one key and one rate have the same spikes.

    Needs the random key of the run. A rate that is negative or NaN, where that is only known at run time, makes no
    spikes.

    **Raises:** `ValueError` or `TypeError` for rates that are negative or not finite, or of another shape.

    !!! example

        ```python
        import jax, neuropytree as npt
        net = npt.Network({"noise": npt.sources.Poisson(100, rate=lambda tick: 20.0 + 10.0 * (tick.t > 50.0))})
        sol = npt.simulate(
            net, net.init(dt=0.1), dt=0.1, duration=100.0, record=["noise.spike"], key=jax.random.key(0)
        )
        ```
    """

    size: int = eqx.field(static=True)
    rate: Float[Array, "..."] | Series | Callable[[Tick], ArrayLike]
    counts: bool = eqx.field(static=True)
    axis_name: str | None = eqx.field(static=True)

    def __init__(self, size: int, *, rate: Rate, counts: bool = False, axis_name: str | None = None):
        self.size, self.counts = whole(size, "size", most=2**31 - 65, of="cells"), flag(counts, "counts")
        axis_names(axis_name, "axis_name")
        self.axis_name = axis_name
        if isinstance(rate, Series):
            real(rate.x, "rate", least=0)
            if rate.x.shape[1:] not in ((), (1,), (self.size,)):
                raise ValueError(
                    f"rate is a series with rows of shape {rate.x.shape[1:]}; expected () or ({self.size},), one for "
                    "each cell"
                )
            self.rate = rate
        elif callable(rate) and not isinstance(rate, AbstractInitializer):
            self.rate = check_function("rate", rate, "tick")
        else:
            self.rate = real(rate, "rate", least=0, shape=(self.size,))

    @property
    def ports(self) -> dict[str, int]:
        return {}

    @property
    def messages(self) -> dict[str, int]:
        return {"spike": self.size}

    @property
    def events(self) -> frozenset[str]:
        return frozenset(("spike",))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.size,)

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> None:
        del dt, key

    def advance(self, state: None, input: ArrayLike | None, tick: Tick) -> tuple[None, dict[str, Array]]:
        rate = self._rate(tick) if input is None else numbers(input, "the input of Poisson")
        mean = rate.astype(jnp.result_type(float)) * (tick.dt * 1e-3)
        if mean.ndim == 1 and mean.shape[0] == 1:
            mean = mean[0]
        if self.counts:
            mean = jnp.where(mean > 0, mean, 0)  # NaN is no rate either
            spikes = random.poisson(tick, mean, shape=(self.size,), dtype=mean.dtype, axis_name=self.axis_name)
        else:
            spikes = random.bernoulli(tick, -jnp.expm1(-mean), shape=(self.size,), axis_name=self.axis_name)
        return state, {"spike": spikes}

    def _rate(self, tick: Tick) -> Array:
        if isinstance(self.rate, Series):
            rows = self.rate.x
            row = jax.lax.dynamic_index_in_dim(rows, jnp.minimum(tick.index, len(rows) - 1), keepdims=False)
            return jnp.where(tick.index < len(rows), row, jnp.zeros_like(row))
        if callable(self.rate):
            return numbers(self.rate(tick), "the rate of Poisson")
        return self.rate

    def deliver(self, state: None, port: str, add: Add, tick: Tick) -> None:
        del port, add, tick
        return state  # it has no ports

    def silent(self, state: None) -> dict[str, Array]:
        del state
        return {"spike": jnp.zeros(self.size, jnp.result_type(float) if self.counts else bool)}
