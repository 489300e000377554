"""The FitzHugh–Nagumo neuron."""

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


class FitzHughNagumoState(eqx.Module):
    """State of a `FitzHughNagumoMembrane`: voltage `v` and recovery `w`, both without unit."""

    v: Float[Array, "..."]
    w: Float[Array, "..."]


class FitzHughNagumoMembrane(AbstractMembrane):
    r"""A cubic voltage with a slow linear recovery,

    $$\dot v = v - v^3/3 - w + i - g v, \qquad \tau \dot w = v + a - b w,$$

    with noise if asked for.

    **Arguments:**

    - `a`, `b`: pure numbers, `b` positive.
    - `tau`: time constant of the recovery (ms).
    - `sigma`: noise amplitude of `v` ($1/\sqrt{\mathrm{ms}}$), or `None`.
    - `v_init`, `w_init`: initial values, numbers, arrays or initializers; `None` is the rest without input, for `w`
      that of the initial `v`.

    Source: FitzHugh 1961, doi:10.1016/S0006-3495(61)86902-6; Nagumo, Arimoto & Yoshizawa 1962,
    doi:10.1109/JRPROC.1962.288235.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.FitzHughNagumoMembrane(tau=10.0)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=parts.Crossing(parts.Threshold(1.8, None)))
        ```
    """

    a: Float[Array, "..."]
    b: Float[Array, "..."]
    tau: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None
    w_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        a: ArrayLike = 0.7,
        b: ArrayLike = 0.8,
        tau: ArrayLike = 12.5,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
        w_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.a, self.b, self.tau = real(a, "a"), real(b, "b", positive=True), real(tau, "tau", positive=True, unit="ms")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init, self.w_init = as_rule(v_init, "v_init"), as_rule(w_init, "w_init")

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> FitzHughNagumoState:
        rest = leftmost_root(jnp.ones_like(self.b) / 3, jnp.zeros_like(self.b), 1 / self.b - 1, self.a / self.b)
        rule = rest if self.v_init is None else self.v_init
        v = values(rule, shape, key=key, dtype=self.b.dtype, name="v_init")
        return FitzHughNagumoState(v=v, w=initial(self.w_init, (v + self.a) / self.b, v, key=key, name="w"))

    def vector_field(self, t: Scalar, y: FitzHughNagumoState, u: Drive) -> FitzHughNagumoState:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        return FitzHughNagumoState(v=y.v - y.v**3 / 3 - y.w + current, w=(y.v + self.a - self.b * y.w) / self.tau)

    def linear(self, t: Scalar, y: FitzHughNagumoState, u: Drive) -> FitzHughNagumoState:
        del t, u
        # times the reciprocal, which is taken once, where a division would be one for each neuron
        w = Relaxation(self.b / self.tau, (y.v + self.a) * (1 / self.b))
        return FitzHughNagumoState(v=None, w=w)  # pyright: ignore[reportArgumentType]

    def diffusion(self, t: Scalar, y: FitzHughNagumoState, u: Drive) -> FitzHughNagumoState | None:
        del t, y, u
        return None if self.sigma is None else FitzHughNagumoState(v=self.sigma, w=None)  # pyright: ignore[reportArgumentType]


def FitzHughNagumo(
    size: int | tuple[int, ...],
    *,
    a: ArrayLike = 0.7,
    b: ArrayLike = 0.8,
    tau: ArrayLike = 12.5,
    v_th: ArrayLike = 1.8,
    v_reset: ArrayLike | None = None,
    t_ref: ArrayLike | None = None,
    relative: RelativeRefractory | None = None,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    w_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = None,
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""FitzHugh–Nagumo neurons,

    $$\dot v = v - v^3/3 - w + i - g v, \qquad \tau \dot w = v + a - b w.$$

    A spike resets nothing unless asked for: it is where the voltage crosses `v_th` from below. Voltages and currents
    have no unit.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `a`, `b`: pure numbers, `b` positive.
    - `tau`: time constant of the recovery (ms).
    - `v_th`: what the voltage crosses in a spike.
    - `sigma`: noise amplitude ($1/\sqrt{\mathrm{ms}}$); the step is then `ExponentialEulerMaruyama` unless said
      otherwise.
    - `v_init`, `w_init`: initial values, numbers, arrays or initializers; `None` starts at rest without input (-1.2 and
      -0.62 with the defaults; BrainPy's start at 0).
    - `reset`: what a spike does to the voltage, as in `LIF`, with `v_reset` given. `None`, as the model has it, leaves
      it alone; a spike is then where the voltage crosses `v_th` from below.
    - `t_ref`, `relative`, `detach_reset`, `surrogate`, `stepper`: as in `LIF`. While the voltage is held, `w` goes on.

    **Returns:** a `PointNeuron`; its state has `v` and `w`, its output is the spike array.

    **Raises:** as `LIF`.

    Source: FitzHugh 1961, doi:10.1016/S0006-3495(61)86902-6; Nagumo, Arimoto & Yoshizawa 1962,
    doi:10.1109/JRPROC.1962.288235. Defaults as in BrainPy's `FHN`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.FitzHughNagumo(10)
        sol = npt.simulate(cell, cell.init(), 0.5, dt=0.1, duration=100.0, record=["v", "w", "spike"])
        ```
    """
    return compose(
        size,
        FitzHughNagumoMembrane(a=a, b=b, tau=tau, sigma=sigma, v_init=v_init, w_init=w_init),
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
