"""The Hindmarsh–Rose neuron."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from .._types import Drive, Scalar
from ..init import AbstractInitializer, values
from ..integrate import AbstractStepper, Relaxation
from ..surrogate import PiecewiseExp
from ._compose import ResetKind, Surrogate, compose
from ._cubic import leftmost_root
from ._membrane import AbstractMembrane, as_rule, initial
from ._point import PointNeuron
from ._refractory import RelativeRefractory


class HindmarshRoseState(eqx.Module):
    """State of a `HindmarshRoseMembrane`: voltage `v`, fast recovery `y` and slow adaptation `z`, without unit."""

    v: Float[Array, "..."]
    y: Float[Array, "..."]
    z: Float[Array, "..."]


class HindmarshRoseMembrane(AbstractMembrane):
    r"""A cubic voltage with a fast recovery and a slow adaptation,

    $$\dot v = y - a v^3 + b v^2 - z + i - g v, \qquad \dot y = c - d v^2 - y, \qquad \dot z = r\,(s\,(v -
    v_\mathrm{rest}) - z),$$

    with noise if asked for.

    **Arguments:**

    - `a`, `b`, `c`, `d`, `r`, `s`, `v_rest`: pure numbers; `a` positive.
    - `sigma`: noise amplitude of `v` ($1/\sqrt{\mathrm{ms}}$), or `None`.
    - `v_init`, `y_init`, `z_init`: initial values, numbers, arrays or initializers; `None` is the rest without input,
      for `y` and `z` that of the initial `v`.

    Source: Hindmarsh & Rose 1984, doi:10.1098/rspb.1984.0024.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.HindmarshRoseMembrane(b=2.7)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=parts.Crossing(parts.Threshold(1.0, None)))
        ```
    """

    a: Float[Array, "..."]
    b: Float[Array, "..."]
    c: Float[Array, "..."]
    d: Float[Array, "..."]
    r: Float[Array, "..."]
    s: Float[Array, "..."]
    v_rest: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None
    y_init: Float[Array, "..."] | AbstractInitializer | None
    z_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        a: ArrayLike = 1.0,
        b: ArrayLike = 3.0,
        c: ArrayLike = 1.0,
        d: ArrayLike = 5.0,
        r: ArrayLike = 0.01,
        s: ArrayLike = 4.0,
        v_rest: ArrayLike = -1.6,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
        y_init: ArrayLike | AbstractInitializer | None = None,
        z_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.a, self.b, self.c, self.d = real(a, "a", positive=True), real(b, "b"), real(c, "c"), real(d, "d")
        self.r, self.s, self.v_rest = real(r, "r"), real(s, "s"), real(v_rest, "v_rest")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init, self.y_init, self.z_init = (
            as_rule(v_init, "v_init"),
            as_rule(y_init, "y_init"),
            as_rule(z_init, "z_init"),
        )

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> HindmarshRoseState:
        rest = leftmost_root(self.a, self.d - self.b, self.s, -self.c - self.s * self.v_rest)
        rule = rest if self.v_init is None else self.v_init
        v = values(rule, shape, key=key, dtype=self.a.dtype, name="v_init")
        y = initial(self.y_init, self.c - self.d * v**2, v, key=key, name="y")
        return HindmarshRoseState(v=v, y=y, z=initial(self.z_init, self.s * (v - self.v_rest), v, key=key, name="z"))

    def vector_field(self, t: Scalar, y: HindmarshRoseState, u: Drive) -> HindmarshRoseState:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        return HindmarshRoseState(
            v=y.y - (self.a * y.v - self.b) * y.v**2 - y.z + current,
            y=self.c - self.d * y.v**2 - y.y,
            z=self.r * (self.s * (y.v - self.v_rest) - y.z),
        )

    def linear(self, t: Scalar, y: HindmarshRoseState, u: Drive) -> HindmarshRoseState:
        del t, u
        fast = Relaxation(jnp.ones_like(self.c), self.c - self.d * y.v**2)
        slow = Relaxation(self.r, self.s * (y.v - self.v_rest))
        return HindmarshRoseState(v=None, y=fast, z=slow)  # pyright: ignore[reportArgumentType]

    def diffusion(self, t: Scalar, y: HindmarshRoseState, u: Drive) -> HindmarshRoseState | None:
        del t, y, u
        if self.sigma is None:
            return None
        return HindmarshRoseState(v=self.sigma, y=None, z=None)  # pyright: ignore[reportArgumentType]


def HindmarshRose(
    size: int | tuple[int, ...],
    *,
    a: ArrayLike = 1.0,
    b: ArrayLike = 3.0,
    c: ArrayLike = 1.0,
    d: ArrayLike = 5.0,
    r: ArrayLike = 0.01,
    s: ArrayLike = 4.0,
    v_rest: ArrayLike = -1.6,
    v_th: ArrayLike = 1.0,
    v_reset: ArrayLike | None = None,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    y_init: ArrayLike | AbstractInitializer | None = None,
    z_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = None,
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Hindmarsh–Rose neurons, which burst,

    $$\dot v = y - a v^3 + b v^2 - z + i - g v, \qquad \dot y = c - d v^2 - y, \qquad \dot z = r\,(s\,(v -
    v_\mathrm{rest}) - z).$$

    A spike resets nothing unless asked for: it is where the voltage crosses `v_th` from below. Voltages and currents
    have no unit. The default stepper is of first order, and wants steps of 0.01.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `a`, `b`, `c`, `d`, `r`, `s`, `v_rest`: pure numbers; `a` positive.
    - `v_th`: what the voltage crosses in a spike.
    - `sigma`: noise amplitude ($1/\sqrt{\mathrm{ms}}$); the step is then `ExponentialEulerMaruyama` unless said
      otherwise.
    - `v_init`, `y_init`, `z_init`: initial values, numbers, arrays or initializers; `None` starts at rest without input
      (BrainPy's start at 0, -10 and 0).
    - `reset`: what a spike does to the voltage, as in `LIF`, with `v_reset` given. `None`, as the model has it, leaves
      it alone; a spike is then where the voltage crosses `v_th` from below.
    - `t_ref`, `relative`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. While the voltage is held, `y` and
      `z` go on.

    **Returns:** a `PointNeuron`; its state has `v`, `y` and `z`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Hindmarsh & Rose 1984, doi:10.1098/rspb.1984.0024. Defaults as in BrainPy's `HindmarshRose`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.HindmarshRose(10, b=2.95, stepper=npt.integrate.RK4())
        sol = npt.simulate(cell, cell.init(), 3.3, dt=0.05, duration=500.0, record=["v", "z", "spike"])
        ```
    """
    return compose(
        size,
        HindmarshRoseMembrane(
            a=a, b=b, c=c, d=d, r=r, s=s, v_rest=v_rest, sigma=sigma, v_init=v_init, y_init=y_init, z_init=z_init
        ),
        threshold=v_th,
        reset=reset,
        v_reset=v_reset,
        detach_reset=detach_reset,
        t_ref=t_ref,
        relative=relative,
        noisy=sigma is not None,
        surrogate=surrogate,
        stepper=stepper,
    )
