"""The leaky integrator, which never spikes."""

from jaxtyping import ArrayLike

from ..init import AbstractInitializer
from ..integrate import AbstractStepper, ExponentialEuler, ExponentialEulerMaruyama
from ._membrane import LeakyMembrane
from ._point import PointNeuron


def LeakyIntegrator(
    size: int | tuple[int, ...],
    *,
    v_rest: ArrayLike = 0.0,
    tau: ArrayLike = 10.0,
    r: ArrayLike = 1.0,
    sigma: ArrayLike | None = None,
    v_init: ArrayLike | AbstractInitializer | None = None,
    stepper: AbstractStepper | None = None,
) -> PointNeuron:
    r"""Leaky integrators without a threshold,

    $$\tau \dot v = -(v - v_\mathrm{rest}) + R\,(i - g v).$$

    Their output is their voltage: they read out what a network does.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `v_rest`: resting voltage (mV).
    - `tau`: membrane time constant (ms).
    - `r`, `sigma`, `v_init`, `stepper`: as in `LIF`.

    **Returns:** a `PointNeuron` without threshold; its state has `v`, its output is the voltage.

    **Raises:** `ValueError` for a shape that doesn't fit.

    Source: Abbott 1999, doi:10.1016/S0361-9230(99)00161-6. Defaults as in BrainPy's `LeakyIntegrator`.

    !!! example

        ```python
        import neuropytree as npt
        readout = npt.neurons.LeakyIntegrator(10, tau=20.0)
        sol = npt.simulate(readout, readout.init(), 1.0, dt=0.1, duration=10.0, record=["v"])
        ```
    """
    if stepper is None:
        stepper = ExponentialEuler() if sigma is None else ExponentialEulerMaruyama()
    membrane = LeakyMembrane(v_rest=v_rest, tau=tau, r=r, sigma=sigma, v_init=v_init)
    return PointNeuron(size, membrane=membrane, threshold=None, stepper=stepper)
