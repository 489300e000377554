"""Thalamic relay cells, which burst after hyperpolarisation."""

from jaxtyping import ArrayLike

from .. import channels, ions
from .._arguments import check_reals
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._conductance import ConductanceCell


def ThalamicRelay(
    size: int | tuple[int, ...],
    *,
    g_na: ArrayLike = 90.0,
    g_k: ArrayLike = 10.0,
    g_t: ArrayLike = 2.0,
    g_h: ArrayLike = 0.0175,
    g_kl: ArrayLike = 0.0138,
    g_l: ArrayLike = 0.01,
    e_na: ArrayLike = 50.0,
    e_k: ArrayLike = -100.0,
    e_h: ArrayLike = -40.0,
    e_l: ArrayLike = -70.0,
    v_sh: ArrayLike = -25.0,
    c_m: ArrayLike = 1.0,
    v_init: ArrayLike | AbstractInitializer = -68.9,
    v_th: ArrayLike = 0.0,
    t_ref: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> ConductanceCell:
    r"""Thalamic relay cells, which fire single spikes when depolarised, and bursts after hyperpolarisation,

    $$C_m \dot v = I_\mathrm{Na} + I_\mathrm{K} + I_\mathrm{T} + I_\mathrm{h} + I_\mathrm{KL} + I_\mathrm{L} + i,$$

    the single-compartment cell of Destexhe et al., of 29 000 µm²: `INa_TM1991` and `IK_TM1991` of high threshold,
    `ICaT_De1996`, `Ih_De1996` regulated by calcium, leaks of potassium and of everything, and `CalciumDetailed`.

    It begins at its equilibrium, which the T current and the h current make unstable: left alone for some seconds, it
    bursts at about 5 Hz, until calcium has locked enough channels of the h current open; after ten seconds or more of
    silence it begins anew. A smaller potassium leak (`g_kl=0.005`, `v_init=-61.0`) gives it a stable rest.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `g_na`, `g_k`, `g_t`, `g_h`, `g_kl`, `g_l`: largest conductances (mS/cm²).
    - `e_na`, `e_k`, `e_h`, `e_l`: reversal potentials (mV).
    - `v_sh`: where the rates of sodium and potassium have their origin (mV).
    - `c_m`: capacitance (µF/cm²).
    - `v_init`, `v_th`, `t_ref`, `sigma`, `surrogate`, `stepper`: as in `ConductanceCell`.

    **Returns:** a `ConductanceCell`; its concentration of calcium is `ca.c`.

    Source: Destexhe, Bal, McCormick & Sejnowski 1996, doi:10.1152/jn.1996.76.3.2049.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.ThalamicRelay(10)
        sol = npt.simulate(cell, cell.init(), 10.0, dt=0.05, duration=50.0, record=["v", "spike"])
        ```
    """
    shape = normalise_size(size)
    conductances = {"g_na": g_na, "g_k": g_k, "g_t": g_t, "g_h": g_h, "g_kl": g_kl, "g_l": g_l}
    check_reals(conductances, least=0, shape=shape, unit="mS/cm²")
    check_reals({"e_na": e_na, "e_k": e_k, "e_h": e_h, "e_l": e_l}, shape=shape, unit="mV")
    parts = {
        "na": channels.INa_TM1991(g=g_na, v_sh=v_sh),
        "k": channels.IK_TM1991(g=g_k, v_sh=v_sh),
        "t": channels.ICaT_De1996(g=g_t),
        "h": channels.Ih_De1996(g=g_h, e=e_h),
        "kl": channels.IKLeak(g=g_kl),
        "leak": channels.IL(g=g_l, e=e_l),
    }
    pools = {
        "na": ions.SodiumFixed(e=e_na),
        "k": ions.PotassiumFixed(e=e_k),
        "ca": ions.CalciumDetailed(c_init=3.18e-4),
    }
    return ConductanceCell(
        size,
        channels=parts,
        ions=pools,
        c_m=c_m,
        v_init=v_init,
        v_th=v_th,
        t_ref=t_ref,
        sigma=sigma,
        surrogate=surrogate,
        stepper=stepper,
    )
