"""Exponential integrate-and-fire."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from .._types import Drive, Scalar
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import PiecewiseExp
from ._compose import ResetKind, Surrogate, compose
from ._membrane import Voltage, VoltageMembrane, as_rule
from ._point import PointNeuron
from ._refractory import RelativeRefractory

# of the logarithm of the upswing (mV): from here on any threshold is reached within 1e-12 tau, however sharp it is
_LARGEST = 35.0


class ExponentialMembrane(VoltageMembrane):
    r"""A leaky integrator with an exponential upswing,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + \Delta_T\, e^{(v - v_T)/\Delta_T} + R\,(i - g v),$$

    with noise if asked for. The argument of the exponential goes up to 35: from there the voltage would reach infinity
    in less than $10^{-15}\tau$, so that no spike is moved by that.

    **Arguments:**

    - `v_rest`, `v_t`: resting voltage, and where the upswing begins (mV).
    - `delta_t`: sharpness of the upswing (mV).
    - `tau`: membrane time constant (ms).
    - `r`, `sigma`, `v_init`: as in `LeakyMembrane`.

    Source: Fourcaud-Trocmé, Hansel, van Vreeswijk & Brunel 2003, doi:10.1523/JNEUROSCI.23-37-11628.2003.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.ExponentialMembrane(v_rest=-65.0, v_t=-59.9, delta_t=3.48, tau=10.0)
        threshold, reset = parts.Threshold(-50.0, None), parts.HardReset(-60.0)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, reset=reset)
        ```
    """

    v_rest: Float[Array, "..."]
    v_t: Float[Array, "..."]
    delta_t: Float[Array, "..."]
    tau: Float[Array, "..."]
    r: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        v_rest: ArrayLike,
        v_t: ArrayLike,
        delta_t: ArrayLike,
        tau: ArrayLike,
        r: ArrayLike = 1.0,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.v_rest, self.v_t, self.delta_t = (
            real(v_rest, "v_rest"),
            real(v_t, "v_t"),
            real(delta_t, "delta_t", positive=True, least=1e-30, unit="mV"),
        )
        self.tau, self.r = real(tau, "tau", positive=True, unit="ms"), real(r, "r")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init = as_rule(v_init, "v_init")

    @property
    def runs_away(self) -> bool:
        return True

    @property
    def _begin(self) -> Array:
        return self.v_rest

    def vector_field(self, t: Scalar, y: Voltage, u: Drive) -> Voltage:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        # times reciprocals, which are taken once, where divisions would be one for each neuron
        x = (y.v - self.v_t) * (1 / self.delta_t) + jnp.log(self.delta_t)
        upswing = jnp.exp(jnp.where(x < _LARGEST, x, _LARGEST))
        return Voltage((self.v_rest - y.v + upswing + self.r * current) * (1 / self.tau))


def ExpIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = -65.0,
    v_th: ArrayLike = -55.0,
    v_reset: ArrayLike = -68.0,
    v_t: ArrayLike = -59.9,
    delta_t: ArrayLike = 3.48,
    tau: ArrayLike = 10.0,
    r: ArrayLike = 1.0,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "hard",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Exponential integrate-and-fire neurons,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + \Delta_T\, e^{(v - v_T)/\Delta_T} + R\,(i - g v), \qquad v \ge
    v_\mathrm{th}:\; v \leftarrow v_\mathrm{reset}.$$

    Where the upswing would pass `v_th`, the step ends with a spike, and the field is evaluated no further than that.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`, `v_th`, `v_reset`: resting, cut-off and reset voltage (mV).
    - `v_t`: where the upswing begins (mV).
    - `delta_t`: sharpness of the upswing (mV).
    - `tau`: membrane time constant (ms).
    - `v_init`: initial voltage (mV), a number, array or initializer; `None` starts at `v_rest`, the rest but for the
      little that the exponential lifts it. (BrainPy's start at 0, above the threshold, so that all of them spike in the
      first step.)
    - `r`, `t_ref`, `relative`, `sigma`, `reset`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. A soft reset
      keeps how far the step went beyond `v_th`, which for a cut-off far up says nothing: use it with a low one. Without
      a reset the voltage runs away at the first spike, and means nothing from there.

    **Returns:** a `PointNeuron`; its state has `v`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Fourcaud-Trocmé, Hansel, van Vreeswijk & Brunel 2003, doi:10.1523/JNEUROSCI.23-37-11628.2003. Defaults as in
    BrainPy's `ExpIF`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.ExpIF(10, t_ref=1.7)
        sol = npt.simulate(cell, cell.init(dt=0.1), 8.0, dt=0.1, duration=100.0, record=["v", "spike"])
        ```
    """
    membrane = ExponentialMembrane(v_rest=v_rest, v_t=v_t, delta_t=delta_t, tau=tau, r=r, sigma=sigma, v_init=v_init)
    return compose(
        size,
        membrane,
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
