"""Traub-Miles, the cell of the COBAHH benchmark."""

from jaxtyping import ArrayLike

from .. import channels
from .._arguments import check_reals
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._conductance import ConductanceCell


def TraubMiles(
    size: int | tuple[int, ...],
    *,
    g_na: ArrayLike = 100.0,
    g_k: ArrayLike = 30.0,
    g_l: ArrayLike = 0.05,
    e_na: ArrayLike = 50.0,
    e_k: ArrayLike = -90.0,
    e_l: ArrayLike = -60.0,
    v_sh: ArrayLike = -63.0,
    c_m: ArrayLike = 1.0,
    v_init: ArrayLike | AbstractInitializer = -60.0,
    v_th: ArrayLike = -20.0,
    t_ref: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> ConductanceCell:
    r"""Hippocampal pyramidal cells after Traub and Miles, as in the benchmark of Brette et al.,

    $$C_m \dot v = g_\mathrm{Na} m^3 h\,(E_\mathrm{Na} - v) + g_\mathrm{K} n^4 (E_\mathrm{K} - v) +
    g_\mathrm{L} (E_\mathrm{L} - v) + i,$$

    with the rates of `INa_TM1991` and `IK_TM1991`. The benchmark's cells have an area of 20 000 µm²: 200 pF, and
    1 nS is 0.005 mS/cm²; and no spike of theirs counts within 3 ms of the last (`t_ref=3.0`), for a depolarised cell
    rings about the threshold.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `g_na`, `g_k`, `g_l`: largest conductances (mS/cm²).
    - `e_na`, `e_k`, `e_l`: reversal potentials (mV).
    - `v_sh`: where the rates have their origin (mV); it sets the threshold.
    - `c_m`: capacitance (µF/cm²).
    - `v_init`, `v_th`, `t_ref`, `sigma`, `surrogate`, `stepper`: as in `ConductanceCell`.

    **Returns:** a `ConductanceCell`; its gates are `na.m`, `na.h` and `k.n`.

    Source: Traub & Miles 1991, Neuronal Networks of the Hippocampus; Brette et al. 2007,
    doi:10.1007/s10827-007-0038-6.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.TraubMiles(10)
        sol = npt.simulate(cell, cell.init(), 10.0, dt=0.05, duration=50.0, record=["v", "spike"])
        ```
    """
    shape = normalise_size(size)
    check_reals({"g_na": g_na, "g_k": g_k, "g_l": g_l}, least=0, shape=shape, unit="mS/cm²")
    check_reals({"e_na": e_na, "e_k": e_k, "e_l": e_l}, shape=shape, unit="mV")
    parts = {
        "na": channels.INa_TM1991(g=g_na, e=e_na, v_sh=v_sh),
        "k": channels.IK_TM1991(g=g_k, e=e_k, v_sh=v_sh),
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
