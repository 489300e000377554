"""A plain right-hand side, integrated in one call."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key, PyTree

from .._arguments import check_tree, elapsed, flag, named, whole
from .._check import broken, broken_message, first_step, whole_steps
from .._errors import check_function, listing
from .._scan import Scan, Taken, guard
from .._time import instant, time_stamps
from .._types import Scalar, Tick, as_parameter
from ._adaptive import Adaptive
from ._base import AbstractAround, AbstractField, AbstractStepper
from ._fractional import AbstractFractionalStepper
from ._joint import Joint
from ._noise import AbstractSDEStepper
from ._tableaux import RK4

if TYPE_CHECKING:
    import diffrax


class Trajectory(eqx.Module):
    """What `odeint`, `sdeint` and `fdeint` return.

    - `ts`: time of each record (ms), at the end of the step that was recorded; float64 on the host, unless `start` is
      traced.
    - `ys`: the variables at these times, time as axis 0, in the structure of `y0`.
    - `state`: the variables at the end, to go on from.
    - `dense`: Diffrax's interpolation, in the time since the run began; `None` if it wasn't asked for.
    - `begin`: when that was (ms), or `None`.
    """

    ts: Float[Array | np.ndarray, " records"]
    ys: PyTree
    state: PyTree
    dense: "diffrax.DenseInterpolation | None"
    begin: Float[Array, ""] | float | None = None

    def evaluate(self, t: Float[Array, "..."] | float) -> PyTree:
        """The variables at the time or times `t` of the run, by dense output; the axes of `t` come first.

        **Raises:** `ValueError` unless `odeint` was called with `dense=True`, and for times outside of the run (not
        checked inside of transformations).
        """
        if self.dense is None or self.begin is None:
            raise ValueError("this run has no dense output; call odeint with dense=True and stepper=Adaptive(...)")
        if self.ts.ndim > 1:
            raise ValueError(
                "these are several runs, by jax.vmap; evaluate each, by jax.vmap(lambda sol: sol.evaluate(t))"
            )
        s = elapsed(t, "t", self.begin, jnp.result_type(float), each="time")
        if not any(isinstance(x, Tracer) for x in jax.tree.leaves((s, self.dense))):
            first, last = (float(x) for x in (self.dense.t0, self.dense.t1))
            slack = 1e-6 * (last - first)  # of rounding
            if s.size and not (first - slack <= float(s.min()) and float(s.max()) <= last + slack):
                low, high, first, last = (float(self.begin) + x for x in (float(s.min()), float(s.max()), first, last))
                raise ValueError(f"times from {low} to {high} ms; the run is {first} to {last} ms")
        return _evaluate(self.dense, s, self.state)


class _Bound(AbstractAround):
    """A field with its arguments put in; what the steppers see. `u` is the row of inputs of a step."""

    field: AbstractField
    args: Any
    function: Callable[[Scalar], Any] | None

    def _u(self, t: Scalar, row: Any) -> Any:
        now = row if self.function is None else self.function(t)
        if now is None or self.args is None:
            return self.args if now is None else now
        if not isinstance(now, Mapping) or not isinstance(self.args, Mapping):
            raise ValueError(
                f"args is a {type(self.args).__name__} and inputs a {type(now).__name__}; where both are given they "
                "are dictionaries, and the right-hand side gets them as one"
            )
        both = [name for name in now if name in self.args]
        if both:
            raise ValueError(f"args and inputs both have {listing(both)}")
        return {**self.args, **now}

    def vector_field(self, t: Scalar, y: PyTree, u: Any) -> PyTree:
        slopes = self.field.vector_field(t, y, self._u(t, u))
        leaves, structure = jax.tree.flatten(y)
        if jax.tree.structure(slopes) != structure:
            raise ValueError(
                f"the right-hand side gives {_spoken(slopes)}; expected the structure of y0, {_spoken(y)}, "
                "where * is an array (jnp.stack makes one of several numbers)"
            )
        paths = [path for path, _ in named(y)]
        return jax.tree.unflatten(structure, map(_fitted, paths, leaves, jax.tree.leaves(slopes)))

    def linear(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        return self.field.linear(t, y, self._u(t, u))

    def diffusion(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        return self.field.diffusion(t, y, self._u(t, u))


class _RightHandSide(AbstractField):
    """A plain function `f(t, y, args)` as a field."""

    spoken: ClassVar[str] = "the right-hand side"
    function: Callable[[Any, PyTree, Any], PyTree]

    def vector_field(self, t: Scalar, y: PyTree, u: Any) -> PyTree:
        return self.function(t, y, u)


def odeint(
    f: Callable[[Any, PyTree, Any], PyTree] | Mapping[str, Callable[..., Any]] | AbstractField,
    y0: PyTree,
    args: PyTree = None,
    *,
    dt: float,
    duration: float,
    stepper: AbstractStepper | None = None,
    inputs: PyTree | Callable[[Any], PyTree] = None,
    every: int = 1,
    start: int | Int[Array, ""] = 0,
    dense: bool = False,
) -> Trajectory:
    r"""Integrates $\dot y = f(t, y, \mathrm{args})$ for `duration` ms.

    Step $k$ goes from $k\,\Delta t$ to $(k + 1)\,\Delta t$; times are computed from $k$ and never accumulated. A run
    that is cut in two gives the same bits. Works inside `jax.jit`, `jax.vmap` and `jax.grad`. Compiled once for each
    function (told apart by identity), stepper, number of steps and shape.

    **Arguments:**

    - `f`: a function of (t, y, args); or a dictionary of derivatives by variable, as `Joint` takes it; or an
      `AbstractField`. What it returns has the structure of `y0`, per ms.
    - `y0`: the variables at the beginning, any pytree of real numbers and arrays.
    - `args`: handed to `f`, the same in every step. Numbers become arrays.
    - `dt`: length of a step (ms).
    - `duration`: length of the run (ms), a whole number of steps.
    - `stepper`: `RK4()` unless given. With `Adaptive(...)` a step of `dt` is made of as many as the tolerances need.
    - `inputs`: arguments that change: arrays with a row for each step as axis 0, held over the step; or a function of
      the time, which is evaluated wherever the stepper evaluates `f`. Where `args` is given too, both are dictionaries
      and `f` gets one with the names of both.
    - `every`: keep the variables after every so many steps; the number of steps must be a multiple.
    - `start`: number of the first step; to go on from an earlier run, the number of steps done so far. A late run is as
      exact as an early one, but for the `t` that functions are given: the time is rounded to their dtype, which in
      float32 is 1/64 ms after two minutes.
    - `dense`: with `Adaptive(...)`, one solve over the whole run, whose steps don't stop at multiples of `dt`, and
      dense output: `Trajectory.evaluate` gives the variables at any time, and `ys` are found so too. `dt` is then the
      first step tried, and the spacing of `ts`.

    **Returns:** a `Trajectory`.

    **Raises:** `ValueError` or `TypeError` before anything is compiled: a duration that is not a whole number of steps,
    a derivative whose form is not that of `y0`, inputs without a row for each step, names that don't match (see
    `Joint`), `dense` with another stepper. `FloatingPointError` after a run in which a variable became non-finite
    (inside another transformation, `equinox.error_if` names it).

    !!! example

        ```python
        import neuropytree as npt
        decay = npt.integrate.odeint(lambda t, y, tau: -y / tau, 1.0, 10.0, dt=0.1, duration=20.0)
        fitzhugh_nagumo = {
            "v": lambda v, w, current: v - v**3 / 3 - w + current,
            "w": lambda w, v: 0.08 * (v + 0.7 - 0.8 * w),
        }
        stepper = npt.integrate.Adaptive(npt.integrate.DormandPrince(), rtol=1e-6, atol=1e-6)
        sol = npt.integrate.odeint(fitzhugh_nagumo, {"v": 0.0, "w": 0.0}, {"current": 0.5}, dt=1.0, duration=100.0,
                                   stepper=stepper, dense=True)
        v = sol.evaluate(12.34)["v"]
        ```
    """
    n_steps = whole_steps(duration, dt)
    field = as_field(f)
    stepper = RK4() if stepper is None else stepper
    if not isinstance(stepper, AbstractStepper):
        raise TypeError(f"stepper is {stepper!r}; expected a stepper such as RK4()")
    for other, call in ((AbstractSDEStepper, "noise; sdeint"), (AbstractFractionalStepper, "fractional order; fdeint")):
        if isinstance(stepper, other):
            raise TypeError(f"stepper is {stepper!r}, which is one for {call} takes it")
    bound, y0, rows = prepare(field, y0, args, inputs, n_steps, every)
    begin = first_step(start, n_steps)
    if flag(dense, "dense"):
        if not isinstance(stepper, Adaptive):
            raise ValueError(f"dense=True needs stepper=Adaptive(...); got {type(stepper).__name__}")
        if rows is not None:
            raise ValueError("dense=True takes inputs as a function of the time, not as rows: they would jump")
        ys, final, interpolation, flags = _dense(bound, stepper, y0, begin, float(dt), n_steps, int(every))
    else:
        ys, final, flags = run(bound, stepper, y0, begin, rows, float(dt), n_steps, int(every))
        interpolation = None
    since = _time(begin, float(dt)) if isinstance(begin, Tracer) else int(begin) * float(dt)
    return Trajectory(
        ts=time_stamps(start, dt, n_steps, every),
        ys=ys,
        state=checked(y0, final, flags, dt),
        dense=interpolation,
        begin=since if dense else None,
    )


def as_field(f: Any) -> AbstractField:
    """What `f` may be, as a field. **Raises:** `TypeError` for anything else."""
    if isinstance(f, Mapping):
        f = Joint(f)
    if not isinstance(f, AbstractField) and not callable(f):
        raise TypeError(
            f"f is a {type(f).__name__}; expected a function of (t, y, args) or a dictionary of derivatives"
        )
    return f if isinstance(f, AbstractField) else _RightHandSide(check_function("f", f, "t", "y", "args"))


def prepare(
    field: AbstractField, y0: PyTree, args: Any, inputs: Any, n_steps: int, every: int
) -> tuple[_Bound, PyTree, Any]:
    """The field with its arguments, the variables, and the rows of the inputs, as a run takes them."""
    if n_steps % whole(every, "every", least=1, of="steps"):
        raise ValueError(f"every is {every!r}; expected a whole number that divides the {n_steps} steps of this run")
    check_tree(y0, "y0", each="element")
    if not named(y0):
        raise ValueError(f"y0 is {y0!r}; expected at least one variable")
    y0 = jax.tree.map(as_parameter, y0)
    function = inputs if callable(inputs) and not isinstance(inputs, jax.Array | np.ndarray) else None
    if function is not None:
        check_function("inputs", function, "t")
        inputs = None
    check_tree(inputs, "inputs", each="step")
    rows = jax.tree.map(lambda x: as_parameter(x), inputs)
    _check_rows(rows, n_steps)
    return _Bound(_arrays(field), _arrays(args), function), y0, rows


def checked(y0: PyTree, final: PyTree, flags: Array, dt: float) -> PyTree:
    """`final`, if it is finite."""
    messages = [broken_message(dict(named(y0)), n, None, dt) for n in range(flags.shape[0])]
    if any(isinstance(x, Tracer) for x in jax.tree.leaves((flags, final))):
        return guard(final, flags, messages)
    if np.any(np.asarray(flags)):
        raise FloatingPointError(messages[int(np.argmax(np.asarray(flags)))])
    return final


@eqx.filter_jit
def run(
    field: _Bound,
    stepper: AbstractStepper,
    y0: PyTree,
    start: Array,
    rows: Any,
    dt: float,
    n_steps: int,
    every: int,
    key: Key[Array, ""] | None = None,
) -> tuple[PyTree, PyTree, Array]:
    """Records, the end, and which variables are no longer finite."""

    def step(state: tuple[PyTree, Any], index: Array, row: Any) -> tuple[tuple[PyTree, Any], None]:
        y, memory = state
        tick = Tick.at(index, dt=dt, key=key)
        new, memory = stepper.step(field, tick.t, y, row, dt, state=memory, key=tick.stream)
        return (jax.tree.map(_as_before, new, y), memory), None

    state = y0, stepper.init(y0)
    row = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), rows)
    scan = Scan(step, (state, row), [Taken(lambda state, _: state[0], every)])
    first = scan.begin(state, start)
    last, (ys,) = scan.blocks(first, rows, n_steps // every)
    final, _ = last.state
    return ys, final, _broken(first.state[0], final)


@eqx.filter_jit
def _dense(
    field: _Bound, stepper: Adaptive, y0: PyTree, start: Array, dt: float, n_steps: int, every: int
) -> tuple[PyTree, PyTree, Any, Array]:
    sol = stepper.solve(field, _time(start, dt), n_steps * dt, dt, y0, None, dense=True)
    final = jax.tree.map(lambda x, old: _as_before(x[0], old), sol.ys, y0)
    passed = _time(every * jnp.arange(1, n_steps // every + 1, dtype=jnp.int32), dt)
    return _evaluate(sol.interpolation, passed, y0), final, sol.interpolation, _broken(y0, final)


@eqx.filter_jit
def _evaluate(dense: Any, t: Array, like: PyTree) -> PyTree:
    ys = jax.vmap(dense.evaluate)(t.reshape(-1))
    return jax.tree.map(lambda x, y: x.reshape(*t.shape, *y.shape).astype(y.dtype), ys, like)


def _time(index: Array, dt: float) -> Array:
    return instant(index, dt).astype(jnp.result_type(float))


def _as_before(new: Array, old: Array) -> Array:
    return jnp.broadcast_to(new, old.shape).astype(old.dtype)


def _spoken(tree: PyTree) -> str:
    return str(jax.tree.structure(tree)).removeprefix("PyTreeDef(").removesuffix(")")


def _fitted(path: str, y: Array, slope: Any) -> Array:
    """A derivative in the shape and dtype of its variable."""
    slope = jnp.asarray(slope)
    try:
        fits = jnp.broadcast_shapes(slope.shape, y.shape) == y.shape
    except ValueError:
        fits = False
    if not fits or jnp.iscomplexobj(slope):
        raise ValueError(
            f"the derivative of '{path}' has shape {slope.shape} and dtype {slope.dtype}, the variable shape {y.shape} "
            f"and dtype {y.dtype}"
        )
    return _as_before(slope, y)


def _broken(before: PyTree, after: PyTree) -> Array:
    return broken(dict(named(before)), dict(named(after)))


def _check_rows(rows: Any, n_steps: int) -> None:
    for path, x in named(rows):
        if x.ndim == 0 or x.shape[0] != n_steps:
            raise ValueError(
                f"inputs '{path}' has shape {x.shape}; expected a row for each of the {n_steps} steps as axis 0 (of a "
                "list, make an array); what doesn't change belongs into args"
            )


def _arrays(tree: Any) -> Any:
    """Numbers as arrays, so that other values of them compile nothing new."""

    def convert(x: Any) -> Any:
        if isinstance(x, float | int) and not isinstance(x, bool):
            return as_parameter(x)
        if isinstance(x, jax.Array) and x.weak_type:
            return jax.lax.convert_element_type(x, jnp.dtype(x.dtype))
        return jnp.asarray(x) if isinstance(x, np.ndarray | np.generic) else x

    return jax.tree.map(convert, tree)
