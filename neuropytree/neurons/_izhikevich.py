"""Izhikevich's neuron."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from .._types import Drive, Scalar
from ..init import AbstractInitializer, values
from ..integrate import AbstractStepper, Relaxation
from ..surrogate import PiecewiseExp
from ._base import normalise_size
from ._compose import ResetKind, Surrogate, compose
from ._membrane import AbstractMembrane, as_rule, initial
from ._point import PointNeuron
from ._refractory import RelativeRefractory
from ._reset import Jump


class IzhikevichState(eqx.Module):
    """State of an `IzhikevichMembrane`: voltage `v` (mV) and recovery `u` (mV/ms)."""

    v: Float[Array, "..."]
    u: Float[Array, "..."]


class IzhikevichMembrane(AbstractMembrane):
    r"""Quadratic voltage with a recovery variable,

    $$\dot v = p_1 v^2 + p_2 v + p_3 - u + i - g v, \qquad \dot u = a\,(b v - u),$$

    with noise if asked for.

    **Arguments:**

    - `a`, `b`: rate (1/ms) and coupling (1/ms) of the recovery.
    - `p1`, `p2`, `p3`: coefficients in 1/(mV ms), 1/ms and mV/ms; `p1` positive.
    - `sigma`: noise amplitude of `v` ($\mathrm{mV}/\sqrt{\mathrm{ms}}$), or `None`.
    - `v_init`: initial voltage (mV), a number, an array or an initializer; `None` is the stable rest without input, the
      lower root of $p_1 v^2 + (p_2 - b)\,v + p_3$, or, where there is none, the minimum of that parabola.
    - `u_init`: initial recovery; `None` is `b` times the initial voltage.

    Source: Izhikevich 2003, doi:10.1109/TNN.2003.820440.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.IzhikevichMembrane(a=0.02, b=0.2)
        jumps = {"u": parts.Jump(add=8.0)}
        cell = parts.PointNeuron(
            3, membrane=membrane, threshold=parts.Threshold(30.0, None), reset=parts.HardReset(-65.0), jumps=jumps
        )
        ```
    """

    a: Float[Array, "..."]
    b: Float[Array, "..."]
    p1: Float[Array, "..."]
    p2: Float[Array, "..."]
    p3: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None
    u_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        a: ArrayLike,
        b: ArrayLike,
        p1: ArrayLike = 0.04,
        p2: ArrayLike = 5.0,
        p3: ArrayLike = 140.0,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
        u_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.a, self.b = real(a, "a"), real(b, "b")
        self.p1, self.p2, self.p3 = real(p1, "p1", positive=True), real(p2, "p2"), real(p3, "p3")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init, self.u_init = as_rule(v_init, "v_init"), as_rule(u_init, "u_init")

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> IzhikevichState:
        slope = self.p2 - self.b
        square = slope**2 - 4 * self.p1 * self.p3
        # without a rest the root's derivative, infinite at 0, must not get in
        root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        rest = -(slope + root) / (2 * self.p1)
        rule = rest if self.v_init is None else self.v_init
        v = values(rule, shape, key=key, dtype=self.p1.dtype, name="v_init")
        return IzhikevichState(v=v, u=initial(self.u_init, self.b * v, v, key=key, name="u"))

    def vector_field(self, t: Scalar, y: IzhikevichState, u: Drive) -> IzhikevichState:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        return IzhikevichState(
            v=(self.p1 * y.v + self.p2) * y.v + self.p3 - y.u + current, u=self.a * (self.b * y.v - y.u)
        )

    def linear(self, t: Scalar, y: IzhikevichState, u: Drive) -> IzhikevichState:
        del t, u
        return IzhikevichState(v=None, u=Relaxation(self.a, self.b * y.v))  # pyright: ignore[reportArgumentType]

    def diffusion(self, t: Scalar, y: IzhikevichState, u: Drive) -> IzhikevichState | None:
        del t, y, u
        return None if self.sigma is None else IzhikevichState(v=self.sigma, u=None)  # pyright: ignore[reportArgumentType]


def Izhikevich(
    size: int | tuple[int, ...],
    *,
    a: ArrayLike = 0.02,
    b: ArrayLike = 0.2,
    c: ArrayLike = -65.0,
    d: ArrayLike = 8.0,
    v_th: ArrayLike = 30.0,
    p1: ArrayLike = 0.04,
    p2: ArrayLike = 5.0,
    p3: ArrayLike = 140.0,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    u_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "hard",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Izhikevich's neurons,

    $$\dot v = p_1 v^2 + p_2 v + p_3 - u + i - g v, \qquad \dot u = a\,(b v - u), \qquad v \ge v_\mathrm{th}:\; v
    \leftarrow c,\; u \leftarrow u + d.$$

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `a`, `b`: rate and coupling of the recovery (1/ms).
    - `c`: reset voltage (mV).
    - `d`: what a spike adds to the recovery (mV/ms).
    - `v_th`: the peak, at which a spike ends (mV).
    - `p1`, `p2`, `p3`: coefficients in 1/(mV ms), 1/ms and mV/ms; `p1` positive.
    - `v_init`, `u_init`: initial voltage (mV) and recovery, a number, array or initializer; `None` starts at rest
      without input (-70 mV with the defaults), or, where a neuron has none, where its voltage moves most slowly; and at
      `b` times the voltage.
    - `reset`: as in `LIF`, with `c` for `v_reset`. Without a reset the voltage goes to infinity at the first
      spike, which ends the run with an error.
    - `t_ref`, `relative`, `sigma`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. While the voltage is held, `u`
      goes on.

    **Returns:** a `PointNeuron`; its state has `v` and `u`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Izhikevich 2003, doi:10.1109/TNN.2003.820440; Izhikevich 2004, doi:10.1109/TNN.2004.832719. Defaults as in
    BrainPy's `Izhikevich`; its `tau` and `R`, which do nothing there, are left out.

    !!! example

        ```python
        import neuropytree as npt
        chattering = npt.neurons.Izhikevich(10, c=-50.0, d=2.0)
        sol = npt.simulate(chattering, chattering.init(), 10.0, dt=0.1, duration=200.0, record=["v", "u", "spike"])
        ```
    """
    return compose(
        size,
        IzhikevichMembrane(a=a, b=b, p1=p1, p2=p2, p3=p3, sigma=sigma, v_init=v_init, u_init=u_init),
        threshold=v_th,
        reset=reset,
        v_reset=c,
        reset_name="c",
        detach_reset=detach_reset,
        jumps={"u": Jump(add=real(d, "d", shape=normalise_size(size)))},
        t_ref=t_ref,
        relative=relative,
        noisy=sigma is not None,
        surrogate=surrogate,
        stepper=stepper,
    )
