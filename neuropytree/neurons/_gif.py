"""The generalised integrate-and-fire neuron of Mihalas and Niebur."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import check_kind, check_order, real
from .._types import Drive, Scalar
from ..init import AbstractInitializer
from ..integrate import AbstractStepper, Linear, Relaxation
from ..surrogate import PiecewiseExp
from ._base import normalise_size
from ._compose import ResetKind, Surrogate, compose, instance
from ._membrane import AbstractMembrane, LeakyMembrane, Voltage
from ._point import PointNeuron
from ._refractory import RelativeRefractory
from ._reset import Jump
from ._threshold import StateThreshold


class MihalasNieburState(eqx.Module):
    """State of a `MihalasNieburMembrane`: voltage `v` and threshold `v_th` (mV), spike-induced currents `i1`, `i2`."""

    v: Float[Array, "..."]
    v_th: Float[Array, "..."]
    i1: Float[Array, "..."]
    i2: Float[Array, "..."]


class MihalasNieburMembrane(AbstractMembrane):
    r"""Another membrane with a threshold that follows its voltage, and two currents that spikes induce,

    $$\dot v_\mathrm{th} = a\,(v - v_\mathrm{rest}) - b\,(v_\mathrm{th} - v_{\mathrm{th},\infty}), \qquad \dot I_j =
    -k_j I_j, \qquad i \rightarrow i + I_1 + I_2.$$

    **Arguments:**

    - `membrane`: a `LeakyMembrane`.
    - `v_th_inf`: where the threshold rests (mV).
    - `a`: how the threshold follows the voltage (1/ms).
    - `b`: rate of the threshold (1/ms).
    - `k1`, `k2`: rates of the currents (1/ms).

    Source: Mihalas & Niebur 2009, doi:10.1162/neco.2008.12-07-680.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        leaky = parts.LeakyMembrane(v_rest=-60.0, tau=20.0)
        membrane = parts.MihalasNieburMembrane(leaky, v_th_inf=-50.0, a=0.01, b=0.01, k1=0.2, k2=0.02)
        threshold, reset = parts.StateThreshold(None), parts.HardReset(-60.0)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, reset=reset)
        ```
    """

    membrane: LeakyMembrane
    v_th_inf: Float[Array, "..."]
    a: Float[Array, "..."]
    b: Float[Array, "..."]
    k1: Float[Array, "..."]
    k2: Float[Array, "..."]

    def __init__(
        self,
        membrane: LeakyMembrane,
        *,
        v_th_inf: ArrayLike,
        a: ArrayLike,
        b: ArrayLike,
        k1: ArrayLike,
        k2: ArrayLike,
    ):
        check_kind(membrane, LeakyMembrane, "membrane", optional=False)
        self.membrane, self.v_th_inf = membrane, real(v_th_inf, "v_th_inf")
        self.a, self.b, self.k1, self.k2 = real(a, "a"), real(b, "b"), real(k1, "k1"), real(k2, "k2")

    @property
    def rate(self) -> Float[Array, "..."] | None:
        return self.membrane.rate

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> MihalasNieburState:
        v = self.membrane.init(shape, key=key).v
        return MihalasNieburState(
            v=v, v_th=jnp.broadcast_to(self.v_th_inf, shape).astype(v.dtype), i1=jnp.zeros_like(v), i2=jnp.zeros_like(v)
        )

    def vector_field(self, t: Scalar, y: MihalasNieburState, u: Drive) -> MihalasNieburState:
        v = self.membrane.vector_field(t, Voltage(y.v), Drive(u.i + y.i1 + y.i2, u.g)).v
        v_th = self.a * (y.v - self.membrane.v_rest) - self.b * (y.v_th - self.v_th_inf)
        return MihalasNieburState(v=v, v_th=v_th, i1=-self.k1 * y.i1, i2=-self.k2 * y.i2)

    def linear(self, t: Scalar, y: MihalasNieburState, u: Drive) -> MihalasNieburState:
        v = self.membrane.linear(t, Voltage(y.v), Drive(u.i + y.i1 + y.i2, u.g)).v
        v_th = Linear(-self.b, self.a * (y.v - self.membrane.v_rest) + self.b * self.v_th_inf)
        i1, i2 = (Relaxation(k, jnp.zeros_like(k)) for k in (self.k1, self.k2))
        return MihalasNieburState(v=v, v_th=v_th, i1=i1, i2=i2)  # pyright: ignore[reportArgumentType]

    def diffusion(self, t: Scalar, y: MihalasNieburState, u: Drive) -> MihalasNieburState | None:
        inner = self.membrane.diffusion(t, Voltage(y.v), u)
        return None if inner is None else MihalasNieburState(v=inner.v, v_th=None, i1=None, i2=None)  # pyright: ignore[reportArgumentType]


def GIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = -70.0,
    v_reset: ArrayLike = -70.0,
    v_th_inf: ArrayLike = -50.0,
    v_th_reset: ArrayLike = -60.0,
    tau: ArrayLike = 20.0,
    r: ArrayLike = 20.0,
    a: ArrayLike = 0.0,
    b: ArrayLike = 0.01,
    k1: ArrayLike = 0.2,
    k2: ArrayLike = 0.02,
    r1: ArrayLike = 0.0,
    r2: ArrayLike = 1.0,
    a1: ArrayLike = 0.0,
    a2: ArrayLike = 0.0,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "hard",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Generalised integrate-and-fire neurons of Mihalas and Niebur,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + R\,(i - g v + I_1 + I_2), \qquad \dot I_j = -k_j I_j, \qquad \dot
    v_\mathrm{th} = a\,(v - v_\mathrm{rest}) - b\,(v_\mathrm{th} - v_{\mathrm{th},\infty}),$$

    $$v \ge v_\mathrm{th}:\quad v \leftarrow v_\mathrm{reset}, \quad I_j \leftarrow R_j I_j + A_j, \quad v_\mathrm{th}
    \leftarrow \max(v_{\mathrm{th},\mathrm{reset}},\, v_\mathrm{th}).$$

    Voltage and threshold are compared at the end of the step, both as they are then; a soft reset subtracts
    `v_th - v_reset` with that same threshold. (BrainPy compares with the threshold of the step before.)

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`, `v_reset`: resting and reset voltage (mV).
    - `v_th_inf`: where the threshold rests (mV).
    - `v_th_reset`: the least that the threshold is after a spike (mV).
    - `tau`: membrane time constant (ms).
    - `a`, `b`: how the threshold follows the voltage, and its rate (1/ms).
    - `k1`, `k2`: rates of the currents that spikes induce (1/ms).
    - `r1`, `r2`: what a spike multiplies them by.
    - `a1`, `a2`: what it then adds to them (unit of the input).
    - `v_init`: initial voltage (mV), a number, array or initializer; `None` starts at rest, which is `v_rest`,
      `v_th_inf` and no currents.
    - `r`, `reset`, `t_ref`, `relative`, `sigma`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. Without a reset
      a spike is where the voltage gets above the moving threshold. While the voltage is held, threshold and currents go
      on.

    **Returns:** a `PointNeuron`; its state has `v`, `v_th`, `i1` and `i2`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Mihalas & Niebur 2009, doi:10.1162/neco.2008.12-07-680; Teeter et al. 2018, doi:10.1038/s41467-017-02717-4.
    Defaults as in BrainPy's `Gif`.

    !!! example

        ```python
        import neuropytree as npt
        # spike frequency adaptation
        cell = npt.neurons.GIF(10, a=0.005, a1=0.0, a2=0.0)
        sol = npt.simulate(cell, cell.init(), 1.5, dt=0.1, duration=200.0, record=["v", "v_th", "spike"])
        ```
    """
    membrane = LeakyMembrane(v_rest=v_rest, tau=tau, r=r, sigma=sigma, v_init=v_init)
    given = {"r1": r1, "a1": a1, "r2": r2, "a2": a2, "v_th_reset": v_th_reset}
    jumps = {name: real(x, name, shape=normalise_size(size)) for name, x in given.items()}
    cell = compose(
        size,
        MihalasNieburMembrane(membrane, v_th_inf=v_th_inf, a=a, b=b, k1=k1, k2=k2),
        threshold=StateThreshold(instance(surrogate)),
        reset=reset,
        v_reset=v_reset,
        detach_reset=detach_reset,
        jumps={
            "i1": Jump(scale=jumps["r1"], add=jumps["a1"]),
            "i2": Jump(scale=jumps["r2"], add=jumps["a2"]),
            "v_th": Jump(floor=jumps["v_th_reset"]),
        },
        t_ref=t_ref,
        relative=relative,
        noisy=sigma is not None,
        surrogate=surrogate,
        stepper=stepper,
    )
    if reset is not None:
        check_order(v_reset, "v_reset", v_th_reset, "v_th_reset")
    return cell
