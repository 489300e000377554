"""What the two passes of a hybrid solve share: the problem, the times given, one step, the state at an event."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from .._time import Base

if TYPE_CHECKING:
    import diffrax

DONE, OVERFLOW, MAX_STEPS, ABOVE, TOO_SMALL = range(5)
# what happens at the end of a step; a node and a release may fall together
NODE, RELEASE, LANDED, AT_ONCE = 1, 2, 4, 8
_LONG = 100.0  # ms: a time since the last event that is shorter is told as finely as the variables can tell it
UPSTROKE = 2048  # how near in time an event counts as reached where steps can't be shorter; in units in the last place

Function = Callable[..., Any]


class Problem(eqx.Module):
    """What is solved, and how. Functions take a base and the time since then, and after `at` that time alone."""

    vector_field: Function
    hold_field: Function | None
    event: Function
    reset: Function | None
    hold: Function | None
    args: Any
    solver: "diffrax.AbstractSolver"
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    root_tol: Float[Array, ""] | None
    length: Float[Array, ""]
    dtmax: Float[Array, ""]
    max_spikes: int = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    # whether an event is a crossing from below whatever `reset` does: none at once, and each only after a time below
    crossings: bool = eqx.field(static=True)

    def at(self, base: Base) -> "Problem":
        """The problem in the time since `base`, which is that of the last event or jump: a time that is short is told
        finely, however late it is."""
        names = ("vector_field", "hold_field", "event", "reset", "hold")
        functions = ((name, getattr(self, name)) for name in names)
        return dataclasses.replace(self, **{name: f and functools.partial(f, base) for name, f in functions})

    def near(self, t: Float[Array, ""]) -> Float[Array, ""]:
        """How near to an event is there, where the time is `t`."""
        if self.root_tol is not None:
            return self.root_tol
        limits = jnp.finfo(t.dtype)
        longest = jnp.maximum(jnp.minimum(self.length, _LONG), jnp.maximum(jnp.abs(t), limits.tiny))
        return jax.lax.stop_gradient(64 * limits.eps * longest)

    def field(self, held: Bool[Array, ""]) -> Function:
        """The vector field; while the state is `held`, the other one."""

        def either(t: Any, y: PyTree, args: Any) -> PyTree:
            free = self.vector_field(t, y, args)
            return free if self.hold_field is None else select(held, self.hold_field(t, y, args), free)

        return either


class Nodes(eqx.Module):
    """Times that a step must end on, ascending; the last is the end of the solve."""

    t: Float[Array, " nodes"]
    slot: Int[Array, " nodes"]  # where the state is saved, or -1
    jump: Bool[Array, " nodes"]  # whether the field may jump there

    def at(self, index: Int[Array, ""], base: Base) -> "Node":
        """One of them, in the time since `base`."""
        k = jnp.minimum(index, self.t.shape[0] - 1)
        t, jump = base.since(self.t[k]), self.jump[k]
        end = jnp.where(jump, _just_before(t), t)
        return Node(end=end, slot=self.slot[k], jump=jump, t=t, base=Base.at(self.t[k]))


class Node(NamedTuple):
    """Where the step to a node ends (at a jump: just before it), its slot, whether it is a jump, and when it is; the
    base that it is itself."""

    end: Float[Array, ""]
    slot: Int[Array, ""]
    jump: Bool[Array, ""]
    t: Float[Array, ""]
    base: Base


class Start(eqx.Module):
    """Where a solve begins; held until `release`, if that is later."""

    t: Float[Array, ""]
    y: PyTree[Array]
    release: Float[Array, ""]


class Found(eqx.Module):
    """What a solve yields."""

    t: Float[Array, ""]
    y: PyTree[Array]
    spike_times: Float[Array, " max_spikes"]
    ys: PyTree[Array]


def stop(tree: PyTree) -> PyTree:
    """`tree` without its derivatives."""
    return jax.tree.map(jax.lax.stop_gradient, tree)


def select(which: Bool[Array, ""], a: PyTree, b: PyTree) -> PyTree:
    return jax.tree.map(lambda x, y: jnp.where(which, x, y), a, b)


def _just_before(t: Array) -> Array:
    """The number before `t`, with the derivative of `t`."""
    still = jax.lax.stop_gradient(t)
    return t + (jnp.nextafter(still, jnp.full_like(still, -jnp.inf)) - still)


def rebased(
    s: Any, node: Node, end: Array, moves: Array, at_node: Array, spikes: Array, t: Array, rest: Array
) -> tuple[Base, Array, Array]:
    """Base, time, and time of release after a step to `end`, or after a spike at `t` and how long it is held: an event
    or a jump is a new base."""
    jumps = at_node & node.jump
    base = select(spikes, s.base.plus(t), select(jumps, node.base, s.base))
    t = jnp.where(spikes | jumps, 0, jnp.where(moves, end, s.t))
    release = jnp.where(spikes, rest, jnp.where(jumps, s.release - node.t, s.release))
    return base, t, release


def write(buffer: Array, at: Int[Array, ""], value: Array, when: Bool[Array, ""]) -> Array:
    """`buffer` with `value` at that row `when` so."""
    if buffer.shape[0] == 0:
        return buffer
    return buffer.at[jnp.where(when, at, buffer.shape[0])].set(value, mode="drop")


def one_step(p: Problem, field: Function, t: Array, end: Array, y: PyTree) -> tuple[PyTree, PyTree, Any]:
    """The state at `end`, its error, and the interpolant. Starts afresh: a jump may have come before."""
    import diffrax

    term = diffrax.ODETerm(field)
    state = p.solver.init(term, t, end, y, p.args)
    y1, error, dense, _, _ = p.solver.step(term, t, end, y, p.args, state, made_jump=False)
    return y1, error, p.solver.interpolation_cls(t0=t, t1=end, **dense)


def rises(p: Problem, field: Function, t: Array, y: PyTree) -> Array:
    """How fast the event rises along the solution."""
    return jax.jvp(lambda t, y: p.event(t, y, p.args), (t, y), (jnp.ones_like(t), field(t, y, p.args)))[1]


def at_event(
    p: Problem, field: Function, landed: Bool[Array, ""], close: Bool[Array, ""], t: Array, y: PyTree
) -> tuple[Float[Array, ""], PyTree]:
    """Time and state of the event near the constant `t`, by two steps of Newton on the Taylor polynomial about it.

    In value they hardly move, the first not at all. But they are functions of `y` and of all parameters, and each
    doubles the order to which their derivatives are those of the true event: two make first and second derivatives
    right. What they seek is the root of the event over its slope, which is a simple one where the event itself has a
    root of a higher order. At such a root there are no derivatives to be had, only beside it: should the search have
    met it to the last digit, they are NaN.
    """
    one, zero = jnp.ones_like(t), jnp.zeros_like(t)
    f, df = jax.jvp(lambda t, y: field(t, y, p.args), (t, y), (one, field(t, y, p.args)))

    def at(s: Array) -> PyTree:
        return jax.tree.map(lambda y, f, df: y + s * (f + s / 2 * df), y, f, df)

    def value(s: Array) -> Array:
        return p.event(t + s, at(s), p.args)

    # where the event hardly crosses zero Newton's method may not come close: the time stays what it is
    offset = jnp.where(close, zero, stop(value(zero)))
    scale = stop(jax.jvp(value, (zero,), (one,))[1])
    scale = jnp.where(landed & (scale != 0), scale, 1)  # powers of a small slope underflow
    s = zero
    for k in range(2):
        (g, slope), (_, bend) = jax.jvp(
            lambda s: jax.jvp(lambda s: (value(s) - offset) / scale, (s,), (one,)), (s,), (one,)
        )
        flat = landed & (slope == 0)
        slope = jnp.where(landed & ~flat, slope, 1)
        u = jnp.where(flat, _no_derivative(g, flat), g / slope)
        move = u / (1 - g / slope * (bend / slope))
        s = s - (move - stop(move) if k == 0 else move)
    # in an upstroke that time can't resolve, all levels are crossed now: the state is moved on to the event's
    g, slope = stop(jax.jvp(value, (zero,), (one,)))
    far = ~close & (g < 0) & (-g <= slope * UPSTROKE * jnp.finfo(t.dtype).eps * jnp.abs(t))
    onward = jnp.where(far, -g / jnp.where(far, slope, 1), 0)
    return t + s, jax.tree.map(lambda y, f: y + onward * stop(f), at(s), f)


def _no_derivative(x: Array, where: Array) -> Array:
    """Zero, of which no derivative exists `where` so: one that is not a number."""
    return jnp.sqrt(jnp.abs(jnp.where(where, x - stop(x), 1))) * jnp.where(where, 1, 0)


def after_event(p: Problem, t: Array, y: PyTree) -> tuple[PyTree, Float[Array, ""]]:
    """The state after the reset, and how long it is held."""
    y = y if p.reset is None else p.reset(t, y, p.args)
    return y, jnp.zeros_like(t) if p.hold is None else p.hold(t, y, p.args)
