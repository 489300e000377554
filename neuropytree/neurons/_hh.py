"""Hodgkin-Huxley."""

from jaxtyping import ArrayLike

from .. import channels
from .._arguments import check_real, check_reals
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._conductance import ConductanceCell


def HH(
    size: int | tuple[int, ...],
    *,
    g_na: ArrayLike = 120.0,
    g_k: ArrayLike = 36.0,
    g_l: ArrayLike = 0.3,
    e_na: ArrayLike = 50.0,
    e_k: ArrayLike = -77.0,
    e_l: ArrayLike = -54.387,
    celsius: ArrayLike = 6.3,
    c_m: ArrayLike = 1.0,
    v_init: ArrayLike | AbstractInitializer = -65.0,
    v_th: ArrayLike = 20.0,
    t_ref: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> ConductanceCell:
    r"""The squid axon of Hodgkin and Huxley,

    $$C_m \dot v = g_\mathrm{Na} m^3 h\,(E_\mathrm{Na} - v) + g_\mathrm{K} n^4 (E_\mathrm{K} - v) +
    g_\mathrm{L} (E_\mathrm{L} - v) + i,$$

    with the rates of `INa_HH1952` and `IK_HH1952`, sped up by $3^{(T - 6.3)/10}$. (BrainPy's leak is a tenth of this.)

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `g_na`, `g_k`, `g_l`: largest conductances (mS/cm²).
    - `e_na`, `e_k`, `e_l`: reversal potentials (mV).
    - `celsius`: temperature $T$ (°C).
    - `c_m`: capacitance (µF/cm²).
    - `v_init`, `v_th`, `t_ref`, `sigma`, `surrogate`, `stepper`: as in `ConductanceCell`.

    **Returns:** a `ConductanceCell`; its gates are `na.m`, `na.h` and `k.n`.

    Source: Hodgkin & Huxley 1952, doi:10.1113/jphysiol.1952.sp004764.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.HH(10)
        sol = npt.simulate(cell, cell.init(), 10.0, dt=0.05, duration=50.0, record=["v", "spike"])
        ```
    """
    shape = normalise_size(size)
    check_reals({"g_na": g_na, "g_k": g_k, "g_l": g_l}, least=0, shape=shape, unit="mS/cm²")
    check_reals({"e_na": e_na, "e_k": e_k, "e_l": e_l}, shape=shape, unit="mV")
    check_real(celsius, "celsius", least=-273.15, shape=shape, unit="°C")
    phi = channels.q10(3.0, celsius, 6.3)
    parts = {
        "na": channels.INa_HH1952(g=g_na, e=e_na, phi=phi),
        "k": channels.IK_HH1952(g=g_k, e=e_k, phi=phi),
        "leak": channels.IL(g=g_l, e=e_l),
    }
    return ConductanceCell(
        size,
        channels=parts,
        c_m=c_m,
        v_init=v_init,
        v_th=v_th,
        t_ref=t_ref,
        sigma=sigma,
        surrogate=surrogate,
        stepper=stepper,
    )
