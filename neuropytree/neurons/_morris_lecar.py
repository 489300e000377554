"""Morris-Lecar."""

from jaxtyping import ArrayLike

from .. import channels
from .._arguments import check_reals
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._conductance import ConductanceCell


def MorrisLecar(
    size: int | tuple[int, ...],
    *,
    g_ca: ArrayLike = 4.4,
    g_k: ArrayLike = 8.0,
    g_l: ArrayLike = 2.0,
    e_ca: ArrayLike = 130.0,
    e_k: ArrayLike = -84.0,
    e_l: ArrayLike = -60.0,
    v_1: ArrayLike = -1.2,
    v_2: ArrayLike = 18.0,
    v_3: ArrayLike = 2.0,
    v_4: ArrayLike = 30.0,
    phi: ArrayLike = 0.04,
    c_m: ArrayLike = 20.0,
    v_init: ArrayLike | AbstractInitializer = -60.0,
    v_th: ArrayLike = 10.0,
    t_ref: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> ConductanceCell:
    r"""The barnacle muscle fibre of Morris and Lecar,

    $$C_m \dot v = g_\mathrm{Ca} m_\infty (E_\mathrm{Ca} - v) + g_\mathrm{K} n\,(E_\mathrm{K} - v) +
    g_\mathrm{L} (E_\mathrm{L} - v) + i,$$

    with the gates of `ICa_ML1981` and `IK_ML1981`.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `g_ca`, `g_k`, `g_l`: largest conductances (mS/cm²).
    - `e_ca`, `e_k`, `e_l`: reversal potentials (mV).
    - `v_1`, `v_2`: where the gate of calcium is half open, and its width (mV).
    - `v_3`, `v_4`: the same of the gate of potassium.
    - `phi`: rate of the gate of potassium (1/ms).
    - `c_m`: capacitance (µF/cm²).
    - `v_init`, `v_th`, `t_ref`, `sigma`, `surrogate`, `stepper`: as in `ConductanceCell`.

    **Returns:** a `ConductanceCell`; its gate is `k.n`.

    Source: Morris & Lecar 1981, doi:10.1016/S0006-3495(81)84782-0.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.MorrisLecar(10)
        sol = npt.simulate(cell, cell.init(), 10.0, dt=0.05, duration=50.0, record=["v", "spike"])
        ```
    """
    shape = normalise_size(size)
    check_reals({"g_ca": g_ca, "g_k": g_k, "g_l": g_l}, least=0, shape=shape, unit="mS/cm²")
    check_reals({"e_ca": e_ca, "e_k": e_k, "e_l": e_l}, shape=shape, unit="mV")
    parts = {
        "ca": channels.ICa_ML1981(g=g_ca, e=e_ca, v_1=v_1, v_2=v_2),
        "k": channels.IK_ML1981(g=g_k, e=e_k, v_3=v_3, v_4=v_4, phi=phi),
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
