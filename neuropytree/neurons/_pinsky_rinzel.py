"""Pinsky-Rinzel."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from .. import channels
from .._arguments import check_real, check_reals, real
from .._types import as_parameter
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..ions import CalciumFirstOrder
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._cable import SIEMENS
from ._compartments import Compartments


def PinskyRinzel(
    size: int | tuple[int, ...],
    *,
    g_na: ArrayLike = 30.0,
    g_k: ArrayLike = 15.0,
    g_ca: ArrayLike = 10.0,
    g_kc: ArrayLike = 15.0,
    g_ahp: ArrayLike = 0.8,
    g_l: ArrayLike = 0.1,
    g_c: ArrayLike = 2.1,
    e_na: ArrayLike = 60.0,
    e_k: ArrayLike = -75.0,
    e_ca: ArrayLike = 80.0,
    e_l: ArrayLike = -60.0,
    p: ArrayLike = 0.5,
    c_m: ArrayLike = 3.0,
    v_init: ArrayLike | AbstractInitializer | None = None,
    ca_init: ArrayLike = 0.2,
    v_th: ArrayLike = -20.0,
    t_ref: ArrayLike | None = None,
    surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
    stepper: AbstractStepper | None = None,
) -> Compartments:
    r"""The pyramidal cell of CA3 by Pinsky and Rinzel: a soma that spikes and a dendrite with calcium,

    $$\begin{aligned} C_m \dot v_s &= g_\mathrm{Na} m_\infty^2 h\,(E_\mathrm{Na} - v_s) +
    g_\mathrm{K} n\,(E_\mathrm{K} - v_s) + g_\mathrm{L} (E_\mathrm{L} - v_s) + \tfrac{g_c}{p} (v_d - v_s) +
    \tfrac{i_s}{p}, \\ C_m \dot v_d &= g_\mathrm{Ca} s^2 (E_\mathrm{Ca} - v_d) +
    \left(g_\mathrm{AHP}\,q + g_\mathrm{KC}\,c \min(\mathrm{Ca}/250, 1)\right) (E_\mathrm{K} - v_d) \\
    &\quad + g_\mathrm{L} (E_\mathrm{L} - v_d) + \tfrac{g_c}{1 - p} (v_s - v_d) + \tfrac{i_d}{1 - p}, \\
    \dot{\mathrm{Ca}} &= 0.13\,g_\mathrm{Ca} s^2 (E_\mathrm{Ca} - v_d) - 0.075\,\mathrm{Ca}, \end{aligned}$$

    with the gates of `INa_PR1994`, `IK_PR1994`, `ICa_PR1994`, `IAHP_PR1994` and `IKC_PR1994`. (BrainPy leaves $c$ out
    of the current.) Calcium has the units of the source.

    The input of a step is the current $i_s$ (µA/cm² of the whole cell) into the soma; or, with shape (neurons, 2),
    those into soma and dendrite.

    A steady current of 0.75 into the soma makes it burst twice a second; a strong one (2.5), a loose (0.1) or a tight
    (10) coupling make it fire single spikes. The later spikes of a burst are small: one of three stays below `v_th`.

    **Arguments:** each parameter a number, or an array of shape (neurons, 1).

    - `size`: number of neurons, or their shape.
    - `g_na`, `g_k`, `g_ca`, `g_kc`, `g_ahp`, `g_l`: largest conductances (mS/cm²).
    - `g_c`: coupling of soma and dendrite (mS/cm² of the whole cell).
    - `e_na`, `e_k`, `e_ca`, `e_l`: reversal potentials (mV).
    - `p`: the part of the area that the soma has.
    - `c_m`: capacitance (µF/cm²).
    - `v_init`: initial voltage (mV); an array of two has that of the soma and that of the dendrite. `None` is -64.6 and
      -64.5.
    - `ca_init`: initial calcium.
    - `v_th`, `t_ref`, `surrogate`, `stepper`: as in `Compartments`.

    **Returns:** a `Compartments` with the sites `soma` and `dend`; its gates are `na.h`, `k.n`, `ca.s`, `kc.c`, `ahp.q`
    and its calcium is `ca.c`.

    Source: Pinsky & Rinzel 1994, doi:10.1007/BF00962717, with its erratum; Traub, Wong, Miles & Michelson 1991,
    J. Neurophysiol. 66:635.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.PinskyRinzel(10)
        sol = npt.simulate(cell, cell.init(), 0.75, dt=0.05, duration=50.0, record=["v", "dend.v", "ca.c", "spike"])
        ```
    """
    conductances = {"g_na": g_na, "g_k": g_k, "g_ca": g_ca, "g_kc": g_kc, "g_ahp": g_ahp, "g_l": g_l}
    shape = (*normalise_size(size), 1)
    check_reals(conductances, least=0, shape=shape, unit="mS/cm²")
    check_reals({"e_na": e_na, "e_k": e_k, "e_ca": e_ca, "e_l": e_l}, shape=shape, unit="mV")
    check_real(ca_init, "ca_init", least=0, shape=shape)
    check_real(g_c, "g_c", least=0, shape=shape, unit="mS/cm²")
    check_real(p, "p", positive=True)
    soma, dendrite = real(p, "p", positive=True), real(1 - as_parameter(p), "1 - p", positive=True)
    parts = {
        "na": (channels.INa_PR1994(g=g_na, e=e_na), "soma"),
        "k": (channels.IK_PR1994(g=g_k, e=e_k), "soma"),
        "ca": (channels.ICa_PR1994(g=g_ca), "dend"),
        "ahp": (channels.IAHP_PR1994(g=g_ahp, e=e_k), "dend"),
        "kc": (channels.IKC_PR1994(g=g_kc, e=e_k), "dend"),
        "leak": channels.IL(g=g_l, e=e_l),
    }
    both = jnp.stack([soma, dendrite]) if soma.ndim == 0 else jnp.concatenate([soma, dendrite], -1)
    return Compartments(
        size,
        parents=(-1, 0),
        # areas in parts of the whole, which the input and the coupling refer to
        area=both,
        input_area=1.0,
        g_axial=as_parameter(g_c) / SIEMENS,
        channels=parts,
        ions={"ca": (CalciumFirstOrder(e=e_ca, c_init=ca_init), "dend")},
        sites={"dend": 1},
        c_m=c_m,
        v_init=as_parameter(np.array([-64.6, -64.5])) if v_init is None else v_init,
        v_th=v_th,
        t_ref=t_ref,
        surrogate=surrogate,
        stepper=stepper,
    )
