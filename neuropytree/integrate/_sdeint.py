"""A plain drift and amplitude, integrated in one call."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from jaxtyping import Array, Int, Key, PyTree

from .._arguments import check_choice
from .._check import first_step, whole_steps
from .._errors import check_function, check_key
from .._time import time_stamps
from .._types import Scalar
from ._base import AbstractAround, AbstractField
from ._euler_maruyama import EulerHeun, EulerMaruyama
from ._joint import Joint
from ._noise import AbstractSDEStepper, Calculus, GeneralNoise, Kind, ScalarNoise, check_calculus
from ._odeint import Trajectory, checked, prepare, run

_WRAPS: dict[str, Callable[[PyTree], PyTree]] = {
    "diagonal": lambda g: g,
    "scalar": ScalarNoise,
    "general": GeneralNoise,
}


class _Equation(AbstractField):
    """Plain functions `f(t, y, args)` and `g(t, y, args)` as a field."""

    spoken: ClassVar[str] = "the equation"
    drift: Callable[[Any, PyTree, Any], PyTree]
    amplitude: Callable[[Any, PyTree, Any], PyTree]

    def vector_field(self, t: Scalar, y: PyTree, u: Any) -> PyTree:
        return self.drift(t, y, u)

    def diffusion(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        return self.amplitude(t, y, u)


class _OfKind(AbstractAround):
    """A field whose amplitudes are declared to be of a kind."""

    field: AbstractField
    wrap: Callable[[PyTree], PyTree]

    def vector_field(self, t: Scalar, y: PyTree, u: Any) -> PyTree:
        return self.field.vector_field(t, y, u)

    def linear(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        return self.field.linear(t, y, u)

    def diffusion(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        return self.wrap(self.field.diffusion(t, y, u))


def sdeint(
    f: Callable[[Any, PyTree, Any], PyTree] | Mapping[str, Callable[..., Any]] | AbstractField,
    g: Callable[[Any, PyTree, Any], PyTree] | Mapping[str, Callable[..., Any]] | None,
    y0: PyTree,
    args: PyTree = None,
    *,
    dt: float,
    duration: float,
    key: Key[Array, ""],
    noise: Kind = "diagonal",
    calculus: Calculus | None = None,
    stepper: AbstractSDEStepper | None = None,
    inputs: PyTree | Callable[[Any], PyTree] = None,
    every: int = 1,
    start: int | Int[Array, ""] = 0,
) -> Trajectory:
    r"""Integrates $\mathrm{d}y = f\,\mathrm{d}t + g\,\mathrm{d}W$ for `duration` ms.

    As `odeint`, with noise. What is drawn in a step for an element of a variable depends on the key, the number of the
    step, the name of the variable and the number of the element alone: a run that is cut in two gives the same bits,
    and another variable, or more elements, change none of the numbers. Works inside `jax.jit`, `jax.vmap` (over keys
    too) and `jax.grad`.

    **Arguments:**

    - `f`: the drift, a function of (t, y, args) that returns the structure of `y0`, per ms; or a dictionary of
      derivatives by variable, as `Joint` takes it; or an `AbstractField` with a `diffusion` of its own.
    - `g`: the amplitude of the noise, per $\sqrt{\mathrm{ms}}$: a function of (t, y, args) that returns the structure
      of `y0`, with `None` for a variable without noise; or, if `f` is a dictionary, one too, of the variables that have
      noise; `None` for a field.
    - `y0`: the variables at the beginning, any pytree of real numbers and arrays.
    - `args`: handed to `f` and `g`, the same in every step. Numbers become arrays.
    - `dt`: length of a step (ms).
    - `duration`: length of the run (ms), a whole number of steps.
    - `key`: random key of the run.
    - `noise`: `"diagonal"`, each element of each variable has a Wiener process of its own; `"scalar"`, all share one;
      `"general"`, there are $m$, and each amplitude has a last axis of that length, over which the products are summed.
      A field says itself of which kind its noise is.
    - `calculus`: `"ito"` or `"stratonovich"`: how the equation is to be read. That of the stepper unless given; without
      either, Itô.
    - `stepper`: `EulerMaruyama()` (Itô) or `EulerHeun()` (Stratonovich) unless given.
    - `inputs`: arguments that change, as in `odeint`.
    - `every`: keep the variables after every so many steps; the number of steps must be a multiple.
    - `start`: number of the first step; to go on from an earlier run, the number of steps done so far.

    **Returns:** a `Trajectory`.

    **Raises:** `ValueError` or `TypeError` before anything is compiled: a duration that is not a whole number of steps,
    a stepper without noise, of the other calculus, or that doesn't take noise of this kind, and what `odeint` raises.
    `FloatingPointError` after a run in which a variable became non-finite (inside another transformation,
    `equinox.error_if` names it).

    !!! example

        ```python
        import jax, neuropytree as npt
        growth = npt.integrate.sdeint(
            lambda t, y, args: args["a"] * y, lambda t, y, args: args["b"] * y, 1.0, {"a": 0.1, "b": 0.2},
            dt=0.01, duration=10.0, key=jax.random.key(0), stepper=npt.integrate.Milstein(),
        )
        fitzhugh_nagumo = {
            "v": lambda v, w, current: v - v**3 / 3 - w + current,
            "w": lambda w, v: 0.08 * (v + 0.7 - 0.8 * w),
        }
        noisy = npt.integrate.sdeint(
            fitzhugh_nagumo, {"v": lambda sigma: sigma}, {"v": 0.0, "w": 0.0}, {"current": 0.3, "sigma": 0.1},
            dt=0.1, duration=100.0, key=jax.random.key(0), calculus="stratonovich",
        )
        ```
    """
    n_steps = whole_steps(duration, dt)
    check_choice(noise, "noise", tuple(_WRAPS))
    check_key(key, needed=True)
    field = _field(f, g, _WRAPS[noise])
    stepper = _stepper(stepper, calculus)
    bound, y0, rows = prepare(field, y0, args, inputs, n_steps, every)
    begin = first_step(start, n_steps)
    ys, final, flags = run(bound, stepper, y0, begin, rows, float(dt), n_steps, int(every), key)
    ts = time_stamps(start, dt, n_steps, every)
    return Trajectory(ts=ts, ys=ys, state=checked(y0, final, flags, dt), dense=None)


def _field(f: Any, g: Any, wrap: Callable[[PyTree], PyTree]) -> AbstractField:
    if isinstance(f, AbstractField):
        if g is not None:
            raise TypeError(f"f is a {type(f).__name__}, whose own diffusion is the noise; expected None for g")
        return f
    if isinstance(f, Mapping) and isinstance(g, Mapping):
        return _OfKind(Joint(f, g), wrap)
    if callable(f) and callable(g):
        f, g = (check_function(name, x, "t", "y", "args") for name, x in (("f", f), ("g", g)))
        return _OfKind(_Equation(f, g), wrap)
    raise TypeError(
        f"f is a {type(f).__name__} and g a {type(g).__name__}; expected two functions of (t, y, args), or two "
        "dictionaries by variable, or a field with a diffusion of its own and None"
    )


def _stepper(stepper: Any, calculus: Any) -> AbstractSDEStepper:
    if calculus is not None:
        check_calculus("sdeint", calculus)
    if stepper is None:
        return EulerHeun() if calculus == "stratonovich" else EulerMaruyama()
    if not isinstance(stepper, AbstractSDEStepper):
        raise TypeError(f"stepper is {stepper!r}; expected one for noise, such as EulerMaruyama()")
    if calculus is not None and calculus != stepper.calculus:
        raise ValueError(
            f"calculus is {calculus!r}, but {type(stepper).__name__} is a scheme for {stepper.calculus!r}; Milstein "
            "and MilsteinGradFree take either, EulerHeun and StochasticHeun are for 'stratonovich', the others for "
            "'ito'"
        )
    return stepper
