"""The solve of a system that jumps at events: spikes at their exact times, and derivatives through them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from .._arguments import check_dtype, check_tree, elapsed, flag, real, whole
from .._errors import check_function
from .._time import Base, Clock
from ._explicit import ExplicitRungeKutta
from ._hybrid_problem import OVERFLOW, Found, Function, Nodes, Problem, Start
from ._hybrid_replay import replay
from ._hybrid_search import search

if TYPE_CHECKING:
    import diffrax


class HybridSolution(eqx.Module):
    """What `hybrid_solve` and `neurons.exact_spikes` return.

    - `spike_times`: times of the events in ascending order, and `inf` where there were fewer than there is room for.
    - `n_spikes`: how many events there were, int32.
    - `ys`: the state at the asked times, time as axis 0; right after the event where both fall together. `inf` at times
      that weren't reached.
    - `t`, `y`: time and state at the end of the solve: `t1`, unless it stopped early.
    - `status`: 0 if `t1` was reached; else why it was not: 1, there was one event more than `max_spikes`; 2,
      `max_steps` were taken; 3, a reset left the event at or above zero; 4, the steps became smaller than the
      resolution of time.
    - `n_steps`: steps taken, those included that were rejected or spent on landing on events, int32.
    """

    spike_times: Float[Array, "... max_spikes"]
    n_spikes: Int[Array, "..."]
    ys: PyTree[Array]
    t: Float[Array, "..."]
    y: PyTree[Array]
    status: Int[Array, "..."]
    n_steps: Int[Array, "..."]

    @property
    def overflow(self) -> Bool[Array, "..."]:
        """Whether the solve stopped at an event for which there was no room."""
        return self.status == OVERFLOW


class _System(eqx.Module):
    """What moves, and what happens at an event."""

    vector_field: Any
    hold_field: Any
    event: Any
    reset: Any
    hold: Any


def hybrid_solve(
    vector_field: Callable[[Any, PyTree, Any], PyTree],
    y0: PyTree[ArrayLike],
    *,
    t0: ArrayLike,
    t1: ArrayLike,
    event: Callable[[Any, PyTree, Any], ArrayLike],
    reset: Callable[[Any, PyTree, Any], PyTree] | None,
    max_spikes: int,
    args: Any = None,
    ts: ArrayLike | None = None,
    jump_ts: ArrayLike | None = None,
    hold: ArrayLike | Callable[[Any, PyTree, Any], ArrayLike] | None = None,
    hold_field: Callable[[Any, PyTree, Any], PyTree] | None = None,
    held_until: ArrayLike | None = None,
    crossings: bool | None = None,
    solver: "diffrax.AbstractSolver | ExplicitRungeKutta | None" = None,
    rtol: ArrayLike | None = None,
    atol: ArrayLike | None = None,
    root_tol: ArrayLike | None = None,
    dtmax: ArrayLike | None = None,
    max_steps: int = 4096,
    throw: bool = True,
) -> HybridSolution:
    r"""Solves an ordinary differential equation whose state jumps at events, such as a neuron with a reset:

    $$\dot y = f(t, y), \qquad g(t, y) = 0 \text{ from below}:\; y \leftarrow r(t, y).$$

    Steps are adaptive, by any embedded pair of Diffrax. A step across an event is taken again until it ends on the
    event, so that its time is as exact as the solver is, not as its interpolant. Then the state is reset and the solve
    goes on.

    Time is counted from `t0` on, and from each event and jump. So a solve that begins late is the same as one that
    begins at 0; only the times that are returned are rounded to the dtype, and the $t$ that functions are given: in
    float32 to 0.03 ms at 300 s and to 1 ms at three hours. Where that is too coarse let the solve begin at 0.

    The times of events and all states after them are differentiable, in forward and reverse mode, with respect to
    `y0`, `args`, `t0`, `t1`, `ts`, `jump_ts`, `hold` and whatever the functions close over. At an event at $t^*$,

    $$\mathrm{d}t^* = -\frac{\partial_y g\, \mathrm{d}y + \mathrm{d}g}{\partial_t g + \partial_y g\, f},$$

    and the derivative of the state passes through the reset as the saltation matrix says. First and second derivatives
    are right to the accuracy of the solver. The number of events is a step function of the parameters and has none.

    **Arguments:**

    - `vector_field`: $f$, called as `vector_field(t, y, args)`.
    - `y0`: state at `t0`: an array or a pytree of arrays of one floating dtype, which is that of times too.
    - `t0`, `t1`: begin and end (ms). An event at `t1` counts, to rounding.
    - `event`: $g$, a scalar that is negative between events. Something happens where it becomes zero or greater.
    - `reset`: $r$, which gives the new state; or `None`, which leaves the state alone and finds crossings.
      With a reset an event that is not negative at `t0` happens there; without one it must fall below zero first.
      A reset that leaves `event` just as it was (one that adds to a slow variable only) is fine: the next event comes
      when it has been below zero.
    - `max_spikes`: room for so many events.
    - `args`: any pytree, handed to all functions.
    - `ts`: times at which the state is asked for, in any order; steps end on them.
    - `jump_ts`: times at which `vector_field` or `event` jump, such as the onset of a current: steps end just before
      and begin just after. A jump that isn't declared costs many steps, and a pulse may be missed.
    - `hold`: after each event `hold_field` applies for so long (ms; a number or a function of `(t, y, args)`, with `y`
      after the reset), and no event happens. Where the event is not negative at the end of it, it happens at once.
    - `hold_field`: what moves meanwhile; `None` is nothing.
    - `held_until`: `hold_field` applies from `t0` until this time (ms), as after an event; `None` is `t0`.
    - `crossings`: whether an event must have been below zero before it happens again, or for the first time. Unless
      given, it must without a `reset`.
    - `solver`: `diffrax.Tsit5()` unless given; a Diffrax solver for one ODE with an error estimate, or a pair such as
      `DormandPrince()`.
    - `rtol`, `atol`: tolerances of a step; $10^{-9}$ each for float64 and $10^{-5}$ for float32, unless given.
    - `root_tol`: how near (ms) a step must end to an event; what remains is corrected to second order. 64 units in the
      last place of the time since the event before, or of 100 ms if that is longer, unless given.
    - `dtmax`: no step is longer (ms). An event is sought at four points of each step and at its highest point between
      them; several rises and falls within one step may be missed, and so may a short pulse in the field.
    - `max_steps`: at most so many steps, those included that are rejected or land on events. Reverse mode needs memory
      in proportion.
    - `throw`: raise where `t1` isn't reached. With `False`, see `status` in the solution.

    **Returns:** a `HybridSolution`.

    **Raises:** `ValueError` or `TypeError` for something of the wrong kind or shape. At run time, unless `throw` is
    `False`, an error from `equinox.error_if` for too many events, which names the capacity; for too many steps; for a
    reset that leaves the event at or above zero; for a field that blows up or isn't finite. Always one for times
    outside of `t0` and `t1`.

    Source: saltation: Aizerman & Gantmakher 1958, Q. J. Mech. Appl. Math.; in spiking neurons: Wunderlich & Pehle 2021,
    doi:10.1038/s41598-021-91786-z. Solvers: Kidger 2021, doi:10.5287/ora-n6qpmnvz8.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt

        def spikes(current, t_ref):
            return npt.integrate.hybrid_solve(
                lambda t, v, args: (current - v) / 10.0, jnp.array(0.0), t0=0.0, t1=50.0,
                event=lambda t, v, args: v - 1.0, reset=lambda t, v, args: 0.0, hold=t_ref, max_spikes=8,
            ).spike_times

        third = lambda current, t_ref: spikes(current, t_ref)[2]
        jax.grad(third, argnums=(0, 1))(1.5, 2.0)
        ```
    """
    y0 = _state(y0)
    dtype = jax.tree.leaves(y0)[0].dtype
    if hold is None and hold_field is not None:
        raise ValueError("hold_field is given without hold: expected hold too, which says for how long it applies")
    needed, optional = {"vector_field": vector_field, "event": event}, {"reset": reset, "hold_field": hold_field}
    functions = needed | {name: f for name, f in optional.items() if f is not None}
    for name, function in (functions | ({"hold": hold} if callable(hold) else {})).items():
        check_function(name, function, "t", "y", "args")
    if hold is not None and not callable(hold):
        hold = real(hold, "hold", least=0, shape=(), unit="ms", dtype=dtype)
    options = hybrid_options(
        dtype, solver=solver, rtol=rtol, atol=atol, root_tol=root_tol, dtmax=dtmax, max_spikes=max_spikes,
        max_steps=max_steps, throw=throw,
    )  # fmt: skip
    begin = real(t0, "t0", shape=(), unit="ms", dtype=dtype)
    jumps = real(() if jump_ts is None else jump_ts, "jump_ts", infinite=True, each="jump", unit="ms", dtype=dtype)
    clock, length = Clock(begin, jumps), elapsed(t1, "t1", t0, dtype, shape=())
    release = jnp.zeros((), dtype)
    if held_until is not None:
        release = elapsed(held_until, "held_until", t0, dtype, shape=())
    system = _System(vector_field=vector_field, hold_field=hold_field, event=event, reset=reset, hold=hold)
    options |= {"crossings": reset is None if crossings is None else flag(crossings, "crossings")}
    options |= {"ts": elapsed(() if ts is None else ts, "ts", t0, dtype, each="record")}
    return _solve(system, y0, clock, length, release, args=_numbers(args, dtype), **options)


def hybrid_options(
    dtype: Any,
    *,
    max_spikes: int,
    ts: ArrayLike | None = None,
    solver: "diffrax.AbstractSolver | ExplicitRungeKutta | None" = None,
    rtol: ArrayLike | None = None,
    atol: ArrayLike | None = None,
    root_tol: ArrayLike | None = None,
    dtmax: ArrayLike | None = None,
    max_steps: int = 4096,
    throw: bool = True,
) -> dict[str, Any]:
    """Options of `hybrid_solve`, checked, with their defaults, and numbers as arrays.

    For a function of one's own under `equinox.filter_jit` that hands them on: it then compiles nothing anew for other
    tolerances, and what is wrong with one of them is said, which it can't be inside.

    **Arguments:**

    - `dtype`: that of the state.
    - the others as in `hybrid_solve`.

    **Returns:** a dictionary of keyword arguments.

    **Raises:** `ValueError` or `TypeError` for something of the wrong kind or value.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        options = npt.integrate.hybrid_options(jnp.float32, max_spikes=8, rtol=1e-4)
        npt.integrate.hybrid_solve(
            lambda t, v, args: (15.0 - v) / 10.0, jnp.array(0.0, jnp.float32), t0=0.0, t1=50.0,
            event=lambda t, v, args: v - 10.0, reset=lambda t, v, args: 0.0, **options,
        ).n_spikes
        ```
    """
    import diffrax

    dtype = check_dtype(dtype, "dtype", "a floating dtype", jnp.floating)
    if isinstance(solver, ExplicitRungeKutta):
        solver = solver.tableau.diffrax()
    solver = diffrax.Tsit5() if solver is None else solver
    if not isinstance(solver, diffrax.AbstractAdaptiveSolver) or solver.term_structure is not diffrax.AbstractTerm:
        raise TypeError(
            f"solver is {solver!r}; expected one of Diffrax's for a single ODETerm with an error estimate, such as "
            "diffrax.Tsit5(), or a pair such as DormandPrince()"
        )
    tolerance = 1e-9 if dtype == jnp.float64 else 1e-5
    one = {"shape": (), "dtype": dtype}
    return {
        "ts": real(() if ts is None else ts, "ts", each="record", unit="ms", dtype=dtype),
        "solver": solver,
        "rtol": real(tolerance if rtol is None else rtol, "rtol", positive=True, **one),
        "atol": real(tolerance if atol is None else atol, "atol", positive=True, **one),
        "root_tol": None if root_tol is None else real(root_tol, "root_tol", least=0, unit="ms", **one),
        "dtmax": real(jnp.inf if dtmax is None else dtmax, "dtmax", positive=True, infinite=True, unit="ms", **one),
        "max_spikes": whole(max_spikes, "max_spikes", least=1),
        "max_steps": whole(max_steps, "max_steps", least=1),
        "throw": flag(throw, "throw"),
    }


@eqx.filter_jit
def _solve(
    system: _System,
    y0: PyTree[Array],
    clock: Clock,
    length: Array,
    release: Array,
    *,
    args: Any,
    ts: Array,
    solver: Any,
    rtol: Array,
    atol: Array,
    root_tol: Array | None,
    dtmax: Array,
    max_spikes: int,
    max_steps: int,
    throw: bool,
    crossings: bool,
) -> HybridSolution:
    """`hybrid_solve`, of a state that is held until `release`; `crossings` as in `Problem`. All times but those of the
    clock are since the beginning: late, they would be rounded to what the dtype can tell apart there."""
    for name, x in (("ts", ts), ("jump_ts", clock.jumps)):
        if x.ndim != 1:
            raise ValueError(f"{name} has shape {x.shape}; expected a list of times")
    length = eqx.error_if(length, ~(length >= 0), "hybrid_solve: t1 is before t0")
    ts = clock.within(ts, length)
    ts = eqx.error_if(ts, ~((ts >= 0) & (ts <= length)), "hybrid_solve: ts has times outside of t0 and t1")
    system = _converted(system, clock, y0, args)
    problem = Problem(
        vector_field=system.vector_field,
        hold_field=system.hold_field,
        event=system.event,
        reset=system.reset,
        hold=system.hold,
        args=args,
        solver=_with_tolerances(solver, rtol, atol),
        rtol=rtol,
        atol=atol,
        root_tol=root_tol,
        length=length,
        dtmax=dtmax,
        max_spikes=max_spikes,
        max_steps=max_steps,
        crossings=crossings,
    )
    ys = jax.tree.map(lambda y: jnp.full((ts.shape[0], *y.shape), jnp.inf, y.dtype), y0)
    nodes, start = _nodes(length, ts, clock.since), Start(jnp.zeros_like(length), y0, release)
    found, n, status, steps = _solved(problem, nodes, start, ys)
    if throw:
        found = eqx.branched_error_if(
            found, status > 0, jnp.maximum(status - 1, 0), _messages(max_spikes, max_steps, length.dtype)
        )
    # a jump at the end has been stepped over
    t = clock.begin + jnp.where(found.t > length, length, found.t)
    times = clock.begin + found.spike_times
    return HybridSolution(spike_times=times, n_spikes=n, ys=found.ys, t=t, y=found.y, status=status, n_steps=steps)


@eqx.filter_custom_jvp
def _solved(problem: Problem, nodes: Nodes, start: Start, ys: PyTree) -> tuple[Found, Array, Array, Array]:
    return search(problem, nodes, start, ys, record=False)[:4]


@_solved.def_jvp
def _solved_jvp(primals: Any, tangents: Any) -> Any:
    ys = primals[3]
    still = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_inexact_array(x) else x, primals)
    _, *counts, mesh = search(*still, record=True)
    assert mesh is not None  # it was asked for
    found, d_found = eqx.filter_jvp(
        lambda p, nodes, start: replay(p, nodes, start, ys, mesh), primals[:3], tangents[:3]
    )
    return (found, *counts), (d_found, *(None for _ in counts))


def _messages(max_spikes: int, max_steps: int, dtype: Any) -> list[str]:
    coarse = "" if dtype == jnp.float64 else f"; the state is {dtype}, which can't meet tolerances below 1e-6 or so"
    return [
        f"hybrid solve: there are more than max_spikes={max_spikes} events before the end; give more room, or stop "
        "there with throw=False",
        f"hybrid solve: the end was not reached in max_steps={max_steps} steps; allow more, loosen rtol and atol, or "
        f"declare jumps of the field in jump_ts; or the field blows up{coarse}",
        "hybrid solve: a reset leaves the event at or above zero, so that it would happen again at once; reset below "
        "the threshold, or give a hold (a refractory period)",
        "hybrid solve: the steps became smaller than the resolution of time; the vector field blows up or isn't finite"
        f"{coarse}",
    ]


def _state(y0: PyTree[ArrayLike]) -> PyTree[Array]:
    check_tree(y0, "y0", each="element")
    y0 = jax.tree.map(jnp.asarray, y0)
    dtypes = {jnp.dtype(x.dtype) for x in jax.tree.leaves(y0)}
    floating = {d for d in dtypes if jnp.issubdtype(d, jnp.floating)}
    if not dtypes or len(floating) > 1:
        raise ValueError(f"y0 has dtypes {sorted(map(str, dtypes))}; expected arrays of one floating dtype")
    dtype = next(iter(floating), jnp.dtype(jnp.result_type(float)))
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, dtype), y0)


def _numbers(args: Any, dtype: Any) -> Any:
    """Python numbers as arrays, so that other values of them compile nothing new."""
    return jax.tree.map(lambda x: jnp.asarray(x, dtype) if type(x) is float else x, args)


def _converted(system: _System, clock: Clock, y: PyTree, args: Any) -> _System:
    """The functions, of a base and the time since then, with all that they close over as leaves, and with their results
    checked."""
    s = jnp.zeros_like(clock.begin)
    hold_field = system.hold_field

    def like_state(function: Any, name: str) -> Function:
        return lambda base, s, y, args: _like(function(clock(s, base), y, args), y, name)

    def below_zero(t: Any, y: PyTree, args: Any) -> Any:
        value = system.event(t, y, args)
        if hasattr(value, "dtype") and value.dtype == jnp.bool_:
            raise TypeError("event returned a truth value; expected a number: negative between events, zero at one")
        return value

    def scalar(function: Any, name: str) -> Function:
        if not callable(function):
            constant = function
            function = lambda t, y, args: constant  # noqa: E731
        return lambda base, s, y, args: _like(function(clock(s, base), y, args), s, name)

    if system.hold is not None and hold_field is None:
        hold_field = lambda t, y, args: jax.tree.map(jnp.zeros_like, y)  # noqa: E731

    def closed(function: Any) -> Any:
        return eqx.filter_closure_convert(function, Base.at(s), s, y, args)

    return _System(
        vector_field=closed(like_state(system.vector_field, "vector_field")),
        hold_field=None if hold_field is None else closed(like_state(hold_field, "hold_field")),
        event=closed(scalar(below_zero, "event")),
        reset=None if system.reset is None else closed(like_state(system.reset, "reset")),
        hold=None if system.hold is None else closed(scalar(system.hold, "hold")),
    )


def _like(tree: PyTree, like: PyTree, name: str) -> PyTree:
    """`tree` with the shapes and dtypes of `like`."""
    if jax.tree.structure(tree) != jax.tree.structure(like):
        raise ValueError(f"{name} returned {jax.tree.structure(tree)}; expected {jax.tree.structure(like)}")

    def convert(x: Any, y: Array) -> Array:
        if not isinstance(x, float | int) and (not hasattr(x, "dtype") or jnp.issubdtype(x.dtype, jnp.complexfloating)):
            raise TypeError(f"{name} returned {x!r}; expected real numbers")
        if jnp.shape(x) not in ((), y.shape):
            raise ValueError(f"{name} returned an array of shape {jnp.shape(x)}; expected {y.shape}")
        return jnp.broadcast_to(jnp.asarray(x).astype(y.dtype), y.shape)

    return jax.tree.map(convert, tree, like)


def _nodes(t1: Array, ts: Array, jump_ts: Array) -> Nodes:
    jump_ts = jnp.where(jump_ts > t1, t1, jnp.where(jump_ts < 0, 0, jump_ts))
    slot = jnp.concatenate([jnp.full((jump_ts.size,), -1, jnp.int32), jnp.arange(ts.size, dtype=jnp.int32)])
    jump = jnp.concatenate([jump_ts < t1, jnp.zeros(ts.size + 1, bool)])
    t = jnp.concatenate([jump_ts, ts, t1[None]])  # of what is asked at a jump, the jump comes first
    order = jnp.argsort(jax.lax.stop_gradient(t), stable=True)
    return Nodes(t[order], jnp.append(slot, -1)[order], jump[order])


def _with_tolerances(solver: Any, rtol: Array, atol: Array) -> Any:
    """An implicit solver whose root finder was given no tolerances gets those of the steps, as in Diffrax."""
    import diffrax

    if not isinstance(solver, diffrax.AbstractImplicitSolver):
        return solver
    import optimistix

    finder: Any = solver.root_finder
    for name, value in (("rtol", rtol), ("atol", atol), ("norm", optimistix.rms_norm)):
        now = getattr(finder, name)
        if not (callable(now) if name == "norm" else isinstance(now, float | int | jax.Array)):
            finder = eqx.tree_at(lambda f, name=name: getattr(f, name), finder, value)
    return eqx.tree_at(lambda s: s.root_finder, solver, finder)
