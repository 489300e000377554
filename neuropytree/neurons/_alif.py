"""Leaky integrate-and-fire with a threshold that adapts."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import check_kind, real
from .._types import Drive, Scalar
from ..init import AbstractInitializer
from ..integrate import AbstractStepper, Relaxation
from ..surrogate import PiecewiseExp
from ._compose import ResetKind, Surrogate, compose, instance
from ._membrane import AbstractMembrane, LeakyMembrane, Voltage, as_rule, initial
from ._point import PointNeuron
from ._refractory import RelativeRefractory
from ._reset import Jump
from ._threshold import AdaptiveThreshold


class TracedState(eqx.Module):
    """State of a `TracedMembrane`: its voltage `v` (mV), and the trace `a` of its spikes (a pure number)."""

    v: Float[Array, "..."]
    a: Float[Array, "..."]


class TracedMembrane(AbstractMembrane):
    r"""Another membrane, and a decaying trace of its spikes, $\tau_a \dot a = -a$, for a threshold to read.

    **Arguments:**

    - `membrane`: a membrane whose only variable is its voltage.
    - `tau_a`: time constant of the trace (ms).
    - `a_init`: initial trace, a number, an array or an initializer; `None` is 0.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.TracedMembrane(parts.LeakyMembrane(v_rest=-60.0, tau=20.0), tau_a=200.0)
        cell = parts.PointNeuron(
            3,
            membrane=membrane,
            threshold=parts.AdaptiveThreshold(-50.0, 1.6, None),
            jumps={"a": parts.Jump(add=1.0)},
        )
        ```
    """

    membrane: AbstractMembrane
    tau_a: Float[Array, "..."]
    a_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self, membrane: AbstractMembrane, *, tau_a: ArrayLike, a_init: ArrayLike | AbstractInitializer | None = None
    ):
        check_kind(membrane, AbstractMembrane, "membrane", optional=False)
        self.membrane, self.a_init = membrane, as_rule(a_init, "a_init")
        self.tau_a = real(tau_a, "tau_a", positive=True, unit="ms")

    @property
    def runs_away(self) -> bool:
        return self.membrane.runs_away

    @property
    def rate(self) -> Float[Array, "..."] | None:
        return self.membrane.rate

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> TracedState:
        v = self.membrane.init(shape, key=key).v
        return TracedState(v=v, a=initial(self.a_init, jnp.zeros((), v.dtype), v, key=key, name="a"))

    def vector_field(self, t: Scalar, y: TracedState, u: Drive) -> TracedState:
        return TracedState(v=self.membrane.vector_field(t, Voltage(y.v), u).v, a=-y.a / self.tau_a)

    def linear(self, t: Scalar, y: TracedState, u: Drive) -> TracedState:
        inner = self.membrane.linear(t, Voltage(y.v), u)
        a = Relaxation(1 / self.tau_a, jnp.zeros_like(self.tau_a))
        return TracedState(v=None if inner is None else inner.v, a=a)  # pyright: ignore[reportArgumentType]

    def diffusion(self, t: Scalar, y: TracedState, u: Drive) -> TracedState | None:
        inner = self.membrane.diffusion(t, Voltage(y.v), u)
        return None if inner is None else TracedState(v=inner.v, a=None)  # pyright: ignore[reportArgumentType]


def ALIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = -70.0,
    v_th: ArrayLike = -60.0,
    beta: ArrayLike = 1.6,
    tau: ArrayLike = 20.0,
    tau_a: ArrayLike = 2000.0,
    r: ArrayLike = 1.0,
    v_reset: ArrayLike | None = None,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    a_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "soft",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Leaky integrate-and-fire neurons with an adaptive threshold,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + R\,(i - g v), \qquad \tau_a \dot a = -a,$$

    $$v \ge v_\mathrm{th} + \beta a:\quad v \leftarrow v - (v_\mathrm{th} - v_\mathrm{reset}), \quad a \leftarrow a +
    1.$$

    In the publication the voltage rests at 0, and a spike subtracts $v_\mathrm{th}$: with `v_reset` left at `v_rest`
    this is the same with the rest anywhere. (BrainPy's `ALIFBellec2020` subtracts the absolute `v_th`: with its
    default of -60 mV a spike raises the voltage. Its adaptation starts at -50; here it starts at 0.) The step is exact
    for input held over it.

    Both of BrainPy's forms are this one: `ALIFBellec2020(eprop=True)` is `detach_reset=True`, and `LIF_SFA_Bellec2020`
    its training alone. The argument of the surrogate is $v - v_\mathrm{th} - \beta a$ in mV, not divided by the
    threshold.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`: resting voltage (mV).
    - `v_th`: threshold without adaptation (mV).
    - `beta`: how much a spike raises the threshold (mV).
    - `tau`, `tau_a`: time constants of membrane and adaptation (ms).
    - `v_reset`: in mV; `v_rest` unless given. What is subtracted doesn't depend on the adaptation.
    - `v_init`, `a_init`: initial voltage (mV) and adaptation, a number, array or initializer; `None` starts at rest,
      which is `v_rest` and 0.
    - `reset`: as in `LIF`; with `None` a spike is where the voltage gets above the moving threshold.
    - `detach_reset`: as in `LIF`; the spike that raises the threshold keeps its gradient.
    - `r`, `t_ref`, `relative`, `sigma`, `surrogate`, `stepper`: as in `LIF`. While the voltage is held, `a` goes on.

    **Returns:** a `PointNeuron`; its state has `v` and `a`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Bellec et al. 2020, doi:10.1038/s41467-020-17236-y.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.ALIF(10, v_rest=0.0, v_th=1.0, beta=0.2, tau_a=200.0)
        sol = npt.simulate(cell, cell.init(), 2.0, dt=1.0, duration=400.0, record=["v", "a", "spike"])
        ```
    """
    membrane = LeakyMembrane(v_rest=v_rest, tau=tau, r=r, sigma=sigma, v_init=v_init)
    return compose(
        size,
        TracedMembrane(membrane, tau_a=tau_a, a_init=a_init),
        threshold=AdaptiveThreshold(v_th, beta, instance(surrogate)),
        reset=reset,
        v_reset=v_rest if v_reset is None else v_reset,
        reset_name="v_rest" if v_reset is None else "v_reset",
        detach_reset=detach_reset,
        jumps={"a": Jump(add=1.0)},
        t_ref=t_ref,
        relative=relative,
        noisy=sigma is not None,
        surrogate=surrogate,
        stepper=stepper,
    )
