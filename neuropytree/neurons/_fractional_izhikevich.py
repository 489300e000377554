"""Izhikevich's neuron, of fractional order."""

from jaxtyping import ArrayLike

from .._arguments import real
from ..init import AbstractInitializer
from ..integrate import CaputoL1
from ..surrogate import PiecewiseExp
from ._base import normalise_size
from ._compose import Orders, ResetKind, Surrogate, compose
from ._izhikevich import IzhikevichMembrane
from ._point import PointNeuron
from ._reset import Jump


def FractionalIzhikevich(
    size: int | tuple[int, ...],
    *,
    alpha: Orders,
    num_memory: int,
    a: ArrayLike = 0.02,
    b: ArrayLike = 0.2,
    c: ArrayLike = -65.0,
    d: ArrayLike = 8.0,
    v_th: ArrayLike = 30.0,
    p1: ArrayLike = 0.04,
    p2: ArrayLike = 5.0,
    p3: ArrayLike = 140.0,
    v_init: ArrayLike | AbstractInitializer | None = None,
    u_init: ArrayLike | AbstractInitializer | None = None,
    reset: ResetKind = "hard",
    detach_reset: bool = False,
    surrogate: Surrogate = PiecewiseExp,
) -> PointNeuron:
    r"""Izhikevich's neurons of fractional order,

    $$\mathrm{D}^\alpha v = p_1 v^2 + p_2 v + p_3 - u + i - g v, \qquad \mathrm{D}^\alpha u = a\,(b v - u), \qquad v \ge
    v_\mathrm{th}:\; v \leftarrow c,\; u \leftarrow u + d,$$

    with Caputo's derivative. The memory goes on over spikes: the resets are part of the past like any other change of
    `v` and `u`.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `alpha`: the order, above 0 and at most 1; or a dictionary with an order for each of `v` and `u`.
    - `num_memory`: how many steps are remembered (`CaputoL1`), at least as many as the run has.
    - `a`, `b`, `c`, `d`, `v_th`, `p1`, `p2`, `p3`: as in `Izhikevich`, with $\mathrm{ms}^\alpha$ for ms.
    - `v_init`, `u_init`: as in `Izhikevich`: `None` starts at rest without input, -70 mV with the defaults. BrainPy's
      start at -65 mV, as `v_init=-65.0` does, with `u` at `b` times that.
    - `reset`, `detach_reset`, `surrogate`: as in `Izhikevich`.

    Another method is `Izhikevich(size, stepper=...)`.

    **Returns:** a `PointNeuron`; its state has `v` and `u`, its output is the spike array.

    **Raises:** as `LIF`, and `ValueError` for an `alpha` or `num_memory` that can't be; at run time, when the run gets
    longer than `num_memory` steps.

    Source: Teka, Upadhyay & Mondal 2018, Commun. Nonlinear Sci. Numer. Simul. 56:161; the memory over spikes: Teka,
    Marinov & Santamaria 2014, doi:10.1371/journal.pcbi.1003526. Defaults as in BrainPy's `FractionalIzhikevich`; its
    `tau` and `R`, which are both 1 and only scale other parameters, are left out.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.FractionalIzhikevich(3, alpha=0.8, num_memory=2000)
        sol = npt.simulate(cell, cell.init(), 10.0, dt=0.1, duration=200.0, record=["v", "u", "spike"])
        ```
    """
    return compose(
        size,
        IzhikevichMembrane(a=a, b=b, p1=p1, p2=p2, p3=p3, v_init=v_init, u_init=u_init),
        threshold=v_th,
        reset=reset,
        v_reset=c,
        reset_name="c",
        detach_reset=detach_reset,
        jumps={"u": Jump(add=real(d, "d", shape=normalise_size(size)))},
        t_ref=None,
        relative=None,
        noisy=False,
        surrogate=surrogate,
        stepper=CaputoL1(alpha, num_memory=num_memory),
    )
