"""Quadratic integrate-and-fire."""

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


class QuadraticMembrane(VoltageMembrane):
    r"""A membrane with a quadratic upswing,

    $$\tau \dot v = c\,(v - v_\mathrm{rest})(v - v_c) + R\,(i - g v),$$

    with noise if asked for.

    **Arguments:**

    - `v_rest`, `v_c`: the stable and the unstable rest (mV).
    - `c`: curvature (1/mV).
    - `tau`: membrane time constant (ms).
    - `r`, `sigma`, `v_init`: as in `LeakyMembrane`.

    Source: Latham, Richmond, Nelson & Nirenberg 2000, doi:10.1152/jn.2000.83.2.808.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.QuadraticMembrane(v_rest=-65.0, v_c=-50.0, c=0.07, tau=10.0)
        threshold, reset = parts.Threshold(-30.0, None), parts.HardReset(-60.0)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, reset=reset)
        ```
    """

    v_rest: Float[Array, "..."]
    v_c: Float[Array, "..."]
    c: Float[Array, "..."]
    tau: Float[Array, "..."]
    r: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        v_rest: ArrayLike,
        v_c: ArrayLike,
        c: ArrayLike,
        tau: ArrayLike,
        r: ArrayLike = 1.0,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.v_rest, self.v_c, self.c = real(v_rest, "v_rest"), real(v_c, "v_c"), real(c, "c")
        self.tau, self.r = real(tau, "tau", positive=True, unit="ms"), real(r, "r")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init = as_rule(v_init, "v_init")

    @property
    def _begin(self) -> Array:
        return self.v_rest

    def vector_field(self, t: Scalar, y: Voltage, u: Drive) -> Voltage:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        upswing = (self.c / self.tau) * ((y.v - self.v_rest) * (y.v - self.v_c))
        return Voltage(upswing + (self.r / self.tau) * current)


def QuaIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = -65.0,
    v_th: ArrayLike = -30.0,
    v_reset: ArrayLike = -68.0,
    v_c: ArrayLike = -50.0,
    c: ArrayLike = 0.07,
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
    r"""Quadratic integrate-and-fire neurons,

    $$\tau \dot v = c\,(v - v_\mathrm{rest})(v - v_c) + R\,(i - g v), \qquad v \ge v_\mathrm{th}:\; v \leftarrow
    v_\mathrm{reset}.$$

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`, `v_th`, `v_reset`: resting, cut-off and reset voltage (mV).
    - `v_c`: the unstable rest, from where the voltage runs up (mV).
    - `c`: curvature (1/mV).
    - `tau`: membrane time constant (ms).
    - `v_init`: initial voltage (mV), a number, array or initializer; `None` starts at `v_rest`. (BrainPy's start at 0,
      above the threshold.)
    - `r`, `t_ref`, `relative`, `sigma`, `reset`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. Without a reset
      the voltage goes to infinity at the first spike, which ends the run with an error.

    **Returns:** a `PointNeuron`; its state has `v`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: Latham, Richmond, Nelson & Nirenberg 2000, doi:10.1152/jn.2000.83.2.808. Defaults as in BrainPy's `QuaIF`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.QuaIF(10)
        sol = npt.simulate(cell, cell.init(), 8.0, dt=0.1, duration=100.0, record=["v", "spike"])
        ```
    """
    return compose(
        size,
        QuadraticMembrane(v_rest=v_rest, v_c=v_c, c=c, tau=tau, r=r, sigma=sigma, v_init=v_init),
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
