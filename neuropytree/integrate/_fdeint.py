"""A plain right-hand side of a fractional equation, integrated in one call."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import ArrayLike, PyTree

from .._check import whole_steps
from .._time import time_stamps
from ._base import AbstractField
from ._fractional import AbstractFractionalStepper, CaputoL1
from ._odeint import Trajectory, as_field, checked, prepare, run


def fdeint(
    f: Callable[[Any, PyTree, Any], PyTree] | Mapping[str, Callable[..., Any]] | AbstractField,
    y0: PyTree,
    args: PyTree = None,
    *,
    alpha: ArrayLike | dict[str, Any] | tuple[Any, ...],
    dt: float,
    duration: float,
    method: type[AbstractFractionalStepper] = CaputoL1,
    num_memory: int | None = None,
    inputs: PyTree | Callable[[Any], PyTree] = None,
    every: int = 1,
) -> Trajectory:
    r"""Integrates $\mathrm{D}^\alpha y = f(t, y, \mathrm{args})$, with Caputo's derivative, for `duration` ms.

    As `odeint`, for orders $0 < \alpha \le 1$. Works inside `jax.jit`, `jax.vmap` (over orders too) and `jax.grad`.

    **Arguments:**

    - `f`, `y0`, `args`: as those of `odeint`; what `f` returns is per $\mathrm{ms}^\alpha$.
    - `alpha`: the order or orders: a number; an array of the shape of the variables; or a dictionary or tuple with an
      order for each variable, as `y0` has them.
    - `dt`, `duration`: length of a step and of the run (ms), a whole number of steps.
    - `method`: `CaputoEuler`, `CaputoL1` or `GLShortMemory`.
    - `num_memory`: how many steps are remembered; the whole run unless given. Only `GLShortMemory` takes less.
    - `inputs`, `every`: as those of `odeint`.

    A run can't go on from its last values alone, since they aren't all of its past; what must, calls the `init` and
    `step` of the method itself.

    **Returns:** a `Trajectory`; its `ys` are the history of the variables.

    **Raises:** as `odeint`; `ValueError` for orders that don't fit `y0` or aren't above 0 and at most 1, and for a
    memory shorter than the run with a method that needs the whole past.

    !!! example

        ```python
        import neuropytree as npt
        relaxation = npt.integrate.fdeint(lambda t, y, tau: -y / tau, 1.0, 10.0, alpha=0.7, dt=0.1, duration=20.0)
        equations = {
            "v": lambda v, w, current: v - v**3 / 3 - w + current,
            "w": lambda w, v: 0.08 * (v + 0.7 - 0.8 * w),
        }
        sol = npt.integrate.fdeint(equations, {"v": -1.2, "w": -0.6}, {"current": 0.5}, alpha={"v": 0.9, "w": 0.8},
                                   dt=0.1, duration=50.0, method=npt.integrate.GLShortMemory, num_memory=200)
        ```
    """
    n_steps = whole_steps(duration, dt)
    field = as_field(f)
    if not (isinstance(method, type) and issubclass(method, AbstractFractionalStepper)):
        raise TypeError(f"method is {method!r}; expected CaputoEuler, CaputoL1 or GLShortMemory, the class")
    stepper = method(alpha, num_memory=n_steps if num_memory is None else num_memory)  # pyright: ignore[reportCallIssue]
    if stepper.needs_all and stepper.num_memory < n_steps:
        raise ValueError(
            f"num_memory is {num_memory}, and the run has {n_steps} steps; {method.__name__} needs the whole past: "
            "leave num_memory out, or take method=GLShortMemory"
        )
    bound, y0, rows = prepare(field, y0, args, inputs, n_steps, every)
    ys, final, flags = run(bound, stepper, y0, jnp.zeros((), jnp.int32), rows, float(dt), n_steps, int(every))
    ts = time_stamps(0, dt, n_steps, every)
    return Trajectory(ts=ts, ys=ys, state=checked(y0, final, flags, dt), dense=None)
