"""Leaky integrate-and-fire."""

from jaxtyping import ArrayLike

from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import PiecewiseExp
from ._compose import ResetKind, Surrogate, compose
from ._membrane import LeakyMembrane
from ._point import PointNeuron
from ._refractory import RelativeRefractory


def LIF(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = 0.0,
    v_th: ArrayLike = 20.0,
    v_reset: ArrayLike = -5.0,
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
    r"""Leaky integrate-and-fire neurons,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + R\,(i - g v), \qquad v \ge v_\mathrm{th}:\; v \leftarrow
    v_\mathrm{reset}.$$

    The step is exact for input held over it. The input of a step is a current $i$, or a `Drive(i, g)` with a
    conductance $g$.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`, `v_th`, `v_reset`: resting, threshold and reset voltage (mV).
    - `tau`: membrane time constant (ms).
    - `r`: membrane resistance; with 1, currents are in mV and conductances in units of the leak. In GΩ, currents are in
      pA and conductances in nS.
    - `t_ref`: absolute refractory period (ms), during which the voltage is held; rounded to whole steps. `None` for
      none.
    - `relative`: relative refractoriness, `RelativeRefractory(raise_by, tau)`, a threshold raised by each spike.
    - `sigma`: membrane noise ($\mathrm{mV}/\sqrt{\mathrm{ms}}$); the step is then `ExponentialEulerMaruyama` unless
      said otherwise.
    - `v_init`: initial voltage (mV), a number, array or initializer; `None` starts at `v_rest`.
    - `reset`: `"hard"` sets `v_reset`, `"soft"` subtracts `v_th - v_reset`. `None` leaves the voltage alone; a spike is
      then where it crosses `v_th` from below.
    - `detach_reset`: whether gradients leave out the spike in the reset. They never leave out the output's.
    - `surrogate`: gradient of a spike, or its class for its default parameters. `None` makes spikes booleans without
      gradient.
    - `stepper`: `ExponentialEuler()` unless given.

    **Returns:** a `PointNeuron`; its state has `v`, its output is the spike array.

    **Raises:** `ValueError` for a shape that doesn't fit, an unknown `reset`; at trace time, noise with a stepper that
    has none.

    Source: Lapicque 1907; Abbott 1999, doi:10.1016/S0361-9230(99)00161-6. Defaults as in BrainPy's `Lif`.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(100, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=20.0, t_ref=5.0)
        sol = npt.simulate(cell, cell.init(dt=0.1), 20.0, dt=0.1, duration=100.0, record=["v", "spike"])
        ```
    """
    return compose(
        size,
        LeakyMembrane(v_rest=v_rest, tau=tau, r=r, sigma=sigma, v_init=v_init),
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
