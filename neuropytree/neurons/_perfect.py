"""The perfect integrate-and-fire neuron, which has no leak."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._arguments import real
from .._types import Drive, Scalar
from ..init import AbstractInitializer
from ..integrate import AbstractStepper, Linear
from ..surrogate import PiecewiseExp
from ._base import normalise_size
from ._compose import ResetKind, Surrogate, compose
from ._membrane import Voltage, VoltageMembrane, as_rule
from ._point import PointNeuron
from ._refractory import RelativeRefractory


class PerfectMembrane(VoltageMembrane):
    r"""An integrator without leak, $\tau \dot v = R\,(i - g v)$, with noise if asked for.

    **Arguments:**

    - `tau`: membrane time constant (ms); the capacitance is `tau / r`.
    - `r`: mV per unit of current.
    - `sigma`: noise amplitude ($\mathrm{mV}/\sqrt{\mathrm{ms}}$), or `None`.
    - `v_init`: initial voltage (mV): a number, an array or an initializer; `None` is 0.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.PerfectMembrane(tau=20.0)
        threshold, reset = parts.Threshold(15.0, None), parts.HardReset(0.0)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, reset=reset)
        ```
    """

    tau: Float[Array, "..."]
    r: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        tau: ArrayLike,
        r: ArrayLike = 1.0,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.tau, self.r = real(tau, "tau", positive=True, unit="ms"), real(r, "r")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init = as_rule(v_init, "v_init")

    @property
    def _begin(self) -> Array:
        return jnp.zeros_like(self.tau)  # every voltage is at rest

    @property
    def rate(self) -> Float[Array, "..."]:
        return jnp.zeros_like(self.tau)

    def vector_field(self, t: Scalar, y: Voltage, u: Drive) -> Voltage:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        return Voltage(jnp.broadcast_to(self.r * current / self.tau, y.v.shape))

    def linear(self, t: Scalar, y: Voltage, u: Drive) -> Voltage:
        del t, y
        gain = self.r / self.tau
        return Voltage(Linear(jnp.zeros_like(gain) if u.g is None else -gain * u.g, gain * u.i))  # pyright: ignore[reportArgumentType]


def IF(
    size: int | tuple[int, ...],
    *,
    v_th: ArrayLike = 20.0,
    v_reset: ArrayLike = 0.0,
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
    r"""Perfect (non-leaky) integrate-and-fire neurons,

    $$\tau \dot v = R\,(i - g v), \qquad v \ge v_\mathrm{th}:\; v \leftarrow v_\mathrm{reset}.$$

    The step is exact for input held over it. BrainPy's unexported `IF` is a leaky integrator; that is
    `LeakyIntegrator`.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_th`, `v_reset`: threshold and reset voltage (mV).
    - `tau`: membrane time constant (ms); the capacitance is `tau / r`.
    - `r`: membrane resistance; with 1, currents are in mV.
    - `v_init`: initial voltage (mV), a number, array or initializer. Every voltage is at rest; `None` starts at
      `v_reset`.
    - `t_ref`, `relative`, `sigma`, `reset`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`.

    **Returns:** a `PointNeuron`; its state has `v`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Lapicque 1907; Gerstner & Kistler 2002, doi:10.1017/CBO9780511815706.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.IF(10, v_th=15.0)
        sol = npt.simulate(cell, cell.init(), 5.0, dt=0.1, duration=100.0, record=["spike"])
        ```
    """
    v_reset = real(v_reset, "v_reset", shape=normalise_size(size), unit="mV")
    return compose(
        size,
        PerfectMembrane(tau=tau, r=r, sigma=sigma, v_init=v_reset if v_init is None else v_init),
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
