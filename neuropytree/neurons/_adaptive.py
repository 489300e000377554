"""An adaptation current on any membrane; the adaptive exponential and the adaptive quadratic neuron."""

from typing import Protocol

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import real
from .._types import Drive, Scalar
from ..init import AbstractInitializer
from ..integrate import AbstractStepper, Relaxation
from ..surrogate import PiecewiseExp
from ._base import normalise_size
from ._compose import ResetKind, Surrogate, compose
from ._exponential import ExponentialMembrane
from ._membrane import AbstractMembrane, Voltage, as_rule, initial
from ._point import PointNeuron
from ._quadratic import QuadraticMembrane
from ._refractory import RelativeRefractory
from ._reset import Jump


class AdaptiveVoltage(eqx.Module):
    """State of a membrane with an adaptation current: its voltage `v` (mV), and the current `w` (unit of the input)."""

    v: Float[Array, "..."]
    w: Float[Array, "..."]


class _Resting(Protocol):
    v_rest: Float[Array, "..."]


class AdaptiveMembrane(AbstractMembrane):
    r"""Another membrane with an adaptation current $w$, which is taken from its input,

    $$\tau_w \dot w = a\,(v - v_\mathrm{rest}) - w, \qquad i \rightarrow i - w.$$

    **Arguments:**

    - `membrane`: a membrane whose only variable is its voltage, and that has a `v_rest`: `LeakyMembrane`,
      `ExponentialMembrane`, `QuadraticMembrane`.
    - `a`: current per mV.
    - `tau_w`: time constant (ms).
    - `w_init`: initial current, a number, an array or an initializer; `None` is 0, that of `v_rest`.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.AdaptiveMembrane(parts.LeakyMembrane(v_rest=-60.0, tau=20.0), a=0.5, tau_w=100.0)
        cell = parts.PointNeuron(
            3,
            membrane=membrane,
            threshold=parts.Threshold(-50.0, None),
            reset=parts.HardReset(-60.0),
            jumps={"w": parts.Jump(add=1.0)},
        )
        ```
    """

    membrane: AbstractMembrane
    a: Float[Array, "..."]
    tau_w: Float[Array, "..."]
    w_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        membrane: AbstractMembrane,
        *,
        a: ArrayLike,
        tau_w: ArrayLike,
        w_init: ArrayLike | AbstractInitializer | None = None,
    ):
        if not isinstance(membrane, AbstractMembrane) or not hasattr(membrane, "v_rest"):
            raise TypeError(
                f"membrane is a {type(membrane).__name__}, which has no v_rest; expected a LeakyMembrane, an "
                "ExponentialMembrane or a QuadraticMembrane"
            )
        self.membrane, self.a, self.tau_w = membrane, real(a, "a"), real(tau_w, "tau_w", positive=True, unit="ms")
        self.w_init = as_rule(w_init, "w_init")

    @property
    def runs_away(self) -> bool:
        return self.membrane.runs_away

    @property
    def rate(self) -> Float[Array, "..."] | None:
        return self.membrane.rate

    @property
    def v_rest(self) -> Float[Array, "..."]:
        """Resting voltage (mV)."""
        inner: _Resting = self.membrane  # pyright: ignore[reportAssignmentType]
        return inner.v_rest

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> AdaptiveVoltage:
        v = self.membrane.init(shape, key=key).v
        return AdaptiveVoltage(v=v, w=initial(self.w_init, jnp.zeros((), v.dtype), v, key=key, name="w"))

    def vector_field(self, t: Scalar, y: AdaptiveVoltage, u: Drive) -> AdaptiveVoltage:
        inner = self.membrane.vector_field(t, Voltage(y.v), Drive(u.i - y.w, u.g))
        return AdaptiveVoltage(v=inner.v, w=(self.a * (y.v - self.v_rest) - y.w) / self.tau_w)

    def linear(self, t: Scalar, y: AdaptiveVoltage, u: Drive) -> AdaptiveVoltage:
        inner = self.membrane.linear(t, Voltage(y.v), Drive(u.i - y.w, u.g))
        w = Relaxation(1 / self.tau_w, self.a * (y.v - self.v_rest))
        return AdaptiveVoltage(v=None if inner is None else inner.v, w=w)  # pyright: ignore[reportArgumentType]

    def diffusion(self, t: Scalar, y: AdaptiveVoltage, u: Drive) -> AdaptiveVoltage | None:
        inner = self.membrane.diffusion(t, Voltage(y.v), u)
        return None if inner is None else AdaptiveVoltage(v=inner.v, w=None)  # pyright: ignore[reportArgumentType]


def AdExIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = -65.0,
    v_th: ArrayLike = -55.0,
    v_reset: ArrayLike = -68.0,
    v_t: ArrayLike = -59.9,
    delta_t: ArrayLike = 3.48,
    a: ArrayLike = 1.0,
    b: ArrayLike = 1.0,
    tau: ArrayLike = 10.0,
    tau_w: ArrayLike = 30.0,
    r: ArrayLike = 1.0,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    w_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "hard",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Adaptive exponential integrate-and-fire neurons,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + \Delta_T\, e^{(v - v_T)/\Delta_T} + R\,(i - g v - w), \qquad \tau_w \dot w
    = a\,(v - v_\mathrm{rest}) - w,$$

    $$v \ge v_\mathrm{th}:\quad v \leftarrow v_\mathrm{reset}, \quad w \leftarrow w + b.$$

    With `tau` $= C/g_L$ and `r` $= 1/g_L$ these are the equations of the publication, currents in pA, conductances in
    nS and `r` in GΩ.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`, `v_th`, `v_reset`: resting, cut-off and reset voltage (mV).
    - `v_t`: where the upswing begins (mV).
    - `delta_t`: sharpness of the upswing (mV).
    - `a`: adaptation below the threshold (current per mV).
    - `b`: adaptation by a spike (current).
    - `tau`, `tau_w`: time constants of membrane and adaptation (ms).
    - `v_init`, `w_init`: initial voltage (mV) and adaptation, a number, array or initializer; `None` starts at `v_rest`
      and 0, the rest but for the little that the exponential lifts it. (BrainPy's start at 0 mV, above the threshold.)
    - `r`, `t_ref`, `relative`, `sigma`, `reset`, `detach_reset`, `surrogate`, `stepper`: as in `LIF` and
      `ExpIF`. While the voltage is held, `w` goes on.

    **Returns:** a `PointNeuron`; its state has `v` and `w`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Brette & Gerstner 2005, doi:10.1152/jn.00686.2005. Defaults as in BrainPy's `AdExIF`.

    !!! example

        ```python
        import neuropytree as npt
        # regular spiking: 281 pF, 30 nS
        cell = npt.neurons.AdExIF(10, v_rest=-70.6, v_th=20.0, v_reset=-70.6, v_t=-50.4, delta_t=2.0, a=4.0, b=80.5,
                                  tau=281 / 30, tau_w=144.0, r=1 / 30)
        sol = npt.simulate(cell, cell.init(), 1000.0, dt=0.05, duration=100.0, record=["v", "w", "spike"])
        ```
    """
    membrane = ExponentialMembrane(v_rest=v_rest, v_t=v_t, delta_t=delta_t, tau=tau, r=r, sigma=sigma, v_init=v_init)
    return compose(
        size,
        AdaptiveMembrane(membrane, a=a, tau_w=tau_w, w_init=w_init),
        threshold=v_th,
        reset=reset,
        v_reset=v_reset,
        detach_reset=detach_reset,
        jumps={"w": Jump(add=real(b, "b", shape=normalise_size(size)))},
        t_ref=t_ref,
        relative=relative,
        noisy=sigma is not None,
        surrogate=surrogate,
        stepper=stepper,
    )


def AdQuaIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = -65.0,
    v_th: ArrayLike = -30.0,
    v_reset: ArrayLike = -68.0,
    v_c: ArrayLike = -50.0,
    c: ArrayLike = 0.07,
    a: ArrayLike = 1.0,
    b: ArrayLike = 0.1,
    tau: ArrayLike = 10.0,
    tau_w: ArrayLike = 10.0,
    r: ArrayLike = 1.0,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    w_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "hard",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Adaptive quadratic integrate-and-fire neurons,

    $$\tau \dot v = c\,(v - v_\mathrm{rest})(v - v_c) + R\,(i - g v - w), \qquad \tau_w \dot w = a\,(v -
    v_\mathrm{rest}) - w,$$

    $$v \ge v_\mathrm{th}:\quad v \leftarrow v_\mathrm{reset}, \quad w \leftarrow w + b.$$

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`, `v_th`, `v_reset`: resting, cut-off and reset voltage (mV).
    - `v_c`: the unstable rest, from where the voltage runs up (mV).
    - `c`: curvature (1/mV).
    - `a`: adaptation below the threshold (current per mV).
    - `b`: adaptation by a spike (current).
    - `tau`, `tau_w`: time constants of membrane and adaptation (ms).
    - `v_init`, `w_init`: initial voltage (mV) and adaptation, a number, array or initializer; `None` starts at `v_rest`
      and 0. (BrainPy's start at 0 mV, above the threshold.)
    - `r`, `t_ref`, `relative`, `sigma`, `reset`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. While the voltage
      is held, `w` goes on.

    **Returns:** a `PointNeuron`; its state has `v` and `w`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Izhikevich 2004, doi:10.1109/TNN.2004.832719; Touboul 2008, doi:10.1137/070687268. Defaults as in BrainPy's
    `AdQuaIF`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.AdQuaIF(10)
        sol = npt.simulate(cell, cell.init(), 20.0, dt=0.1, duration=100.0, record=["v", "w", "spike"])
        ```
    """
    membrane = QuadraticMembrane(v_rest=v_rest, v_c=v_c, c=c, tau=tau, r=r, sigma=sigma, v_init=v_init)
    return compose(
        size,
        AdaptiveMembrane(membrane, a=a, tau_w=tau_w, w_init=w_init),
        threshold=v_th,
        reset=reset,
        v_reset=v_reset,
        detach_reset=detach_reset,
        jumps={"w": Jump(add=real(b, "b", shape=normalise_size(size)))},
        t_ref=t_ref,
        relative=relative,
        noisy=sigma is not None,
        surrogate=surrogate,
        stepper=stepper,
    )
