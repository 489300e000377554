"""The FitzHugh–Rinzel neuron, of fractional order."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from .._types import Drive, Scalar
from ..init import AbstractInitializer, values
from ..integrate import GLShortMemory, Relaxation
from ..surrogate import PiecewiseExp
from ._compose import Orders, ResetKind, Surrogate, compose
from ._cubic import leftmost_root
from ._membrane import AbstractMembrane, as_rule, initial
from ._point import PointNeuron


class FitzHughRinzelState(eqx.Module):
    """State of a `FitzHughRinzelMembrane`: voltage `v`, recovery `w` and slow current `y`, all without unit."""

    v: Float[Array, "..."]
    w: Float[Array, "..."]
    y: Float[Array, "..."]


class FitzHughRinzelMembrane(AbstractMembrane):
    r"""A FitzHugh–Nagumo neuron with a slow current, which makes it burst,

    $$\dot v = v - v^3/3 - w + y + i - g v, \qquad \dot w = \delta\,(a + v - b w), \qquad \dot y = \mu\,(c - v - d
    y).$$

    **Arguments:**

    - `a`, `b`, `c`, `d`: pure numbers, `b` and `d` positive.
    - `delta`, `mu`: rates of the recovery and of the slow current (1/ms), positive.
    - `v_init`, `w_init`, `y_init`: initial values, numbers, arrays or initializers; `None` is the rest without input,
      for `w` and `y` that of the initial `v`.

    Source: Mondal, Sharma, Upadhyay & Mondal 2019, doi:10.1038/s41598-019-52061-4.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.FitzHughRinzelMembrane()
        cell = parts.PointNeuron(3, membrane=membrane, threshold=parts.Threshold(1.8, None))  # of order 1
        ```
    """

    a: Float[Array, "..."]
    b: Float[Array, "..."]
    c: Float[Array, "..."]
    d: Float[Array, "..."]
    delta: Float[Array, "..."]
    mu: Float[Array, "..."]
    v_init: Float[Array, "..."] | AbstractInitializer | None
    w_init: Float[Array, "..."] | AbstractInitializer | None
    y_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        a: ArrayLike = 0.7,
        b: ArrayLike = 0.8,
        c: ArrayLike = -0.775,
        d: ArrayLike = 1.0,
        delta: ArrayLike = 0.08,
        mu: ArrayLike = 1e-4,
        v_init: ArrayLike | AbstractInitializer | None = None,
        w_init: ArrayLike | AbstractInitializer | None = None,
        y_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.a, self.b = real(a, "a"), real(b, "b", positive=True)
        self.c, self.d = real(c, "c"), real(d, "d", positive=True)
        self.delta, self.mu = real(delta, "delta", positive=True), real(mu, "mu", positive=True)
        self.v_init, self.w_init = as_rule(v_init, "v_init"), as_rule(w_init, "w_init")
        self.y_init = as_rule(y_init, "y_init")

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> FitzHughRinzelState:
        slope = 1 / self.b + 1 / self.d - 1
        rest = leftmost_root(jnp.ones_like(slope) / 3, jnp.zeros_like(slope), slope, self.a / self.b - self.c / self.d)
        v = values(rest if self.v_init is None else self.v_init, shape, key=key, dtype=self.b.dtype, name="v_init")
        w = initial(self.w_init, (v + self.a) / self.b, v, key=key, name="w")
        return FitzHughRinzelState(v=v, w=w, y=initial(self.y_init, (self.c - v) / self.d, v, key=key, name="y"))

    def vector_field(self, t: Scalar, y: FitzHughRinzelState, u: Drive) -> FitzHughRinzelState:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        return FitzHughRinzelState(
            v=y.v - y.v**3 / 3 - y.w + y.y + current,
            w=self.delta * (self.a + y.v - self.b * y.w),
            y=self.mu * (self.c - y.v - self.d * y.y),
        )

    def linear(self, t: Scalar, y: FitzHughRinzelState, u: Drive) -> FitzHughRinzelState:
        del t, u
        w = Relaxation(self.delta * self.b, (self.a + y.v) / self.b)
        slow = Relaxation(self.mu * self.d, (self.c - y.v) / self.d)
        return FitzHughRinzelState(v=None, w=w, y=slow)  # pyright: ignore[reportArgumentType]


def FractionalFHR(
    size: int | tuple[int, ...],
    *,
    alpha: Orders,
    num_memory: int = 1000,
    a: ArrayLike = 0.7,
    b: ArrayLike = 0.8,
    c: ArrayLike = -0.775,
    d: ArrayLike = 1.0,
    delta: ArrayLike = 0.08,
    mu: ArrayLike = 1e-4,
    v_th: ArrayLike = 1.8,
    v_reset: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    w_init: ArrayLike | AbstractInitializer | None = None,
    y_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = None,
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
) -> PointNeuron:
    r"""FitzHugh–Rinzel neurons of fractional order,

    $$\begin{aligned} \mathrm{D}^\alpha v &= v - v^3/3 - w + y + i - g v, \\ \mathrm{D}^\alpha w &= \delta\,(a + v - b
    w), \\ \mathrm{D}^\alpha y &= \mu\,(c - v - d y), \end{aligned}$$

    with Caputo's derivative. A spike resets nothing unless asked for: it is where the voltage crosses `v_th` from
    below. Voltages and currents have no unit.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `alpha`: the order, above 0 and at most 1; or a dictionary with an order for each of `v`, `w` and `y`.
    - `num_memory`: how many steps are remembered (`GLShortMemory`); what is older is lost.
    - `a`, `b`, `c`, `d`: pure numbers, `b` and `d` positive.
    - `delta`, `mu`: rates of the recovery and of the slow current ($1/\mathrm{ms}^\alpha$).
    - `v_th`: what the voltage crosses in a spike.
    - `v_init`, `w_init`, `y_init`: initial values, numbers, arrays or initializers; `None` starts at rest without input
      (about -1.03 for the voltage with the defaults). BrainPy's start at 2.5, 0 and 0.
    - `reset`, `v_reset`, `detach_reset`, `surrogate`: as in `FitzHughNagumo`.

    Another method is `PointNeuron(size, membrane=FitzHughRinzelMembrane(...), stepper=CaputoL1(...), ...)`.

    **Returns:** a `PointNeuron`; its state has `v`, `w` and `y`, its output is the spike array.

    **Raises:** as `LIF`, and `ValueError` for an `alpha` or `num_memory` that can't be.

    Source: Mondal, Sharma, Upadhyay & Mondal 2019, doi:10.1038/s41598-019-52061-4. Defaults as in BrainPy's
    `FractionalFHR`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.FractionalFHR(3, alpha=0.9, num_memory=500)
        sol = npt.simulate(cell, cell.init(), 0.5, dt=0.1, duration=100.0, record=["v", "w", "y", "spike"])
        ```
    """
    return compose(
        size,
        FitzHughRinzelMembrane(a=a, b=b, c=c, d=d, delta=delta, mu=mu, v_init=v_init, w_init=w_init, y_init=y_init),
        threshold=v_th,
        reset=reset,
        v_reset=v_reset,
        detach_reset=detach_reset,
        t_ref=None,
        relative=None,
        noisy=False,
        surrogate=surrogate,
        stepper=GLShortMemory(alpha, num_memory=num_memory),
    )
