"""Connor-Stevens."""

from jaxtyping import ArrayLike

from .. import channels
from .._arguments import check_reals
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._conductance import ConductanceCell


def ConnorStevens(
    size: int | tuple[int, ...],
    *,
    g_na: ArrayLike = 120.0,
    g_k: ArrayLike = 20.0,
    g_a: ArrayLike = 47.7,
    g_l: ArrayLike = 0.3,
    e_na: ArrayLike = 55.0,
    e_k: ArrayLike = -72.0,
    e_a: ArrayLike = -75.0,
    e_l: ArrayLike = -17.0,
    c_m: ArrayLike = 1.0,
    v_init: ArrayLike | AbstractInitializer = -68.0,
    v_th: ArrayLike = 0.0,
    t_ref: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> ConductanceCell:
    r"""Crustacean walking-leg axons, which an A current lets fire slowly,

    $$C_m \dot v = g_\mathrm{Na} m^3 h\,(E_\mathrm{Na} - v) + g_\mathrm{K} n^4 (E_\mathrm{K} - v) +
    g_\mathrm{A} a^3 b\,(E_\mathrm{A} - v) + g_\mathrm{L} (E_\mathrm{L} - v) + i,$$

    with the rates of `INa_CS1977`, `IK_CS1977` and `IKA_CS1977` (whose gates are called `m` and `h` here).

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `g_na`, `g_k`, `g_a`, `g_l`: largest conductances (mS/cm²).
    - `e_na`, `e_k`, `e_a`, `e_l`: reversal potentials (mV).
    - `c_m`: capacitance (µF/cm²).
    - `v_init`, `v_th`, `t_ref`, `sigma`, `surrogate`, `stepper`: as in `ConductanceCell`.

    **Returns:** a `ConductanceCell`; its gates are `na.m`, `na.h`, `k.n`, `a.m` and `a.h`.

    Source: Connor, Walter & McKown 1977, doi:10.1016/S0006-3495(77)85598-7; in the form of Dayan & Abbott 2001,
    Theoretical Neuroscience, ch. 6.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.ConnorStevens(10)
        sol = npt.simulate(cell, cell.init(), 10.0, dt=0.05, duration=50.0, record=["v", "spike"])
        ```
    """
    shape = normalise_size(size)
    check_reals({"g_na": g_na, "g_k": g_k, "g_a": g_a, "g_l": g_l}, least=0, shape=shape, unit="mS/cm²")
    check_reals({"e_na": e_na, "e_k": e_k, "e_a": e_a, "e_l": e_l}, shape=shape, unit="mV")
    parts = {
        "na": channels.INa_CS1977(g=g_na, e=e_na),
        "k": channels.IK_CS1977(g=g_k, e=e_k),
        "a": channels.IKA_CS1977(g=g_a, e=e_a),
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
