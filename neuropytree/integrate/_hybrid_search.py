"""The first pass of a hybrid solve: adaptive steps, events sought and landed on. Nothing here has a derivative."""

from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from .._time import Base
from ._diffrax import with_scan
from ._hybrid_problem import (
    ABOVE,
    AT_ONCE,
    DONE,
    LANDED,
    MAX_STEPS,
    NODE,
    OVERFLOW,
    RELEASE,
    TOO_SMALL,
    UPSTROKE,
    Found,
    Nodes,
    Problem,
    Start,
    after_event,
    at_event,
    one_step,
    rebased,
    rises,
    select,
    write,
)

_INSIDE = (0.25, 0.5, 0.75)  # where an accepted step looks for an event, besides its end
_LANDINGS = 64
_AROUND = (-0.03, 0.0, 0.03)


class Mesh(eqx.Module):
    """The steps that were taken: where each ends and what happens there."""

    end: Float[Array, " steps"]
    what: Int[Array, " steps"]
    close: Bool[Array, " steps"]  # whether Newton's method came close to the event
    size: Int[Array, ""]


class _State(eqx.Module):
    base: Base  # times are since then
    t: Float[Array, ""]
    y: PyTree[Array]
    h: Float[Array, ""]  # wish for the next step
    lo: Float[Array, ""]  # while landing, where the event is, and where the next step ends
    hi: Float[Array, ""]
    guess: Float[Array, ""]
    landings: Int[Array, ""]  # steps spent on landing, 0 if none is under way
    armed: Bool[Array, ""]  # whether the event has been below zero since the last one
    touch: Float[Array, ""]  # how far below zero, after a crossing that left it alone, is still but rounding
    release: Float[Array, ""]
    held: Bool[Array, ""]
    node: Int[Array, ""]
    n: Int[Array, ""]
    status: Int[Array, ""]
    steps: Int[Array, ""]
    spike_times: Float[Array, " max_spikes"]
    ys: PyTree[Array]
    mesh: Mesh | None


def search(
    p: Problem, nodes: Nodes, start: Start, ys: PyTree, record: bool
) -> tuple[Found, Int[Array, ""], Int[Array, ""], Int[Array, ""], Mesh | None]:
    """The solution, the number of events, the status, the number of steps, and the steps if they are recorded."""
    p = eqx.tree_at(lambda p: p.solver, p, with_scan(p.solver, "lax"))
    zero, dtype = jnp.zeros((), jnp.int32), start.t.dtype
    never = jnp.full((p.max_steps,), jnp.inf, dtype)
    base = Base.at(start.t)
    first = p.at(base)
    state = _State(
        base=base,
        t=start.t,
        y=start.y,
        h=_first_step(first, start.t, start.y, nodes.t[-1]),
        lo=start.t,
        hi=start.t,
        guess=start.t,
        landings=zero,
        armed=jnp.asarray(not p.crossings) | (first.event(start.t, start.y, p.args) < 0),
        touch=jnp.zeros((), dtype),
        release=start.release,
        held=start.release > start.t,
        node=zero,
        n=zero,
        status=zero,
        steps=zero,
        spike_times=jnp.full((p.max_spikes,), jnp.inf, dtype),
        ys=ys,
        mesh=Mesh(never, jnp.zeros((p.max_steps,), jnp.int32), never < 0, zero) if record else None,
    )

    def goes_on(s: _State) -> Array:
        return (s.status == DONE) & (s.node < nodes.t.shape[0]) & (s.steps < p.max_steps)

    end = jax.lax.while_loop(goes_on, lambda s: _body(p, nodes, s), state)
    unfinished = (end.status == DONE) & (end.node < nodes.t.shape[0])
    status = jnp.where(unfinished, MAX_STEPS, end.status)
    return Found(end.base.total(end.t), end.y, end.spike_times, end.ys), end.n, status, end.steps, end.mesh


def _scaled(p: Problem, y: PyTree, y0: PyTree, y1: PyTree) -> Array:
    """The root mean square of `y` in units of the tolerance."""

    def parts(x: Array, a: Array, b: Array) -> Array:
        return x / (p.atol + p.rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)))

    leaves = jax.tree.leaves(jax.tree.map(parts, y, y0, y1))
    total = sum((jnp.sum(x * x) for x in leaves), jnp.zeros_like(p.rtol))
    return jnp.sqrt(total / max(1, sum(x.size for x in leaves)))


def _first_step(p: Problem, t: Array, y: PyTree, end: Array) -> Array:
    """A hundredth of the time in which the state changes by itself; the error has the last word."""
    size, speed = _scaled(p, y, y, y), _scaled(p, p.vector_field(t, y, p.args), y, y)
    still = (size < 1e-5) | (speed < 1e-5)
    h = jnp.where(still, 1e-3 * (end - t), 0.01 * size / jnp.where(still, 1.0, speed))
    return jnp.minimum(h, p.dtmax)


def _body(p: Problem, nodes: Nodes, s: _State) -> _State:
    p = p.at(s.base)
    field = p.field(s.held)

    def event(t: Array, y: PyTree) -> Array:
        return p.event(t, y, p.args)

    node = nodes.at(s.node, s.base)
    here = node.end
    landing = s.landings > 0
    limit = jnp.maximum(jnp.where(s.held, jnp.minimum(s.release, here), here), s.t)
    wish = s.t + s.h
    reaches = ~landing & (wish + 0.01 * s.h >= limit)  # a little further rather than leave a sliver
    ulp = jnp.finfo(s.t.dtype).eps * jnp.abs(s.t)
    # not so few that nine tenths of them are rounded to as many again
    stuck = ~reaches & ~landing & ~((s.h >= 8 * ulp) & (wish > s.t))
    end = jnp.where(landing, s.guess, jnp.where(reaches, limit, jnp.where(stuck, s.t, wish)))

    y1, error, interpolant = one_step(p, field, s.t, end, s.y)
    keep, h = _control(p, s, end, y1, error, landing, reaches)

    # an event at the beginning: at t0, at a release, or because the event itself jumped
    g0, g1 = event(s.t, s.y), event(end, y1)
    falling = rises(p, field, s.t, s.y)
    ready = s.armed & ~(_leaves(p, s.t, g0, falling) & (not p.crossings))
    at_once = ~s.held & ~landing & ready & (g0 >= 0) & (not p.crossings)

    times, values = _looked_at(p, s, end, interpolant, g0, g1)
    # an event that has just happened, and falls: has it been below zero, and is it back, before the first look?
    blind = ~ready & ~landing & ~s.held & (g0 + falling * (times[1] - s.t) < 0) & (values[1] >= 0)
    keep, h = keep & ~blind, jnp.where(blind, times[1] - s.t, h)
    armed, hit, k = _first_crossing(ready, values)
    hit = hit & keep & ~landing & ~s.held & ~at_once
    left, right = times[k - 1], times[k]
    low, high = values[k - 1], values[k]
    part = jnp.clip(jnp.where(high > low, -low / jnp.where(high > low, high - low, 1), 0), 0, 1)
    slack = 0.25 * (right - left)  # the steps that land may see the crossing a little beside the interpolant

    slope = rises(p, field, end, y1)
    lo, hi, guess, close, landed = _land(p, s, landing, g1, slope)
    # an upstroke to the event may be steeper than time can resolve: it is there all the same; and so it is at the end,
    # to rounding
    reach = UPSTROKE * ulp
    ends = keep & reaches & ~hit & ~at_once & (end >= nodes.at(jnp.asarray(nodes.t.shape[0] - 1), s.base).end)
    near = jnp.where(ends, p.near(end), jnp.where(stuck, reach, -1))
    there = s.armed & ~s.held & (slope > 0) & (g1 < 0) & (-g1 <= slope * near)
    close, landed, stuck = close & ~there, landed | there, stuck & ~there
    h = jnp.where(there & ~ends, reach, h)

    spikes = at_once | landed
    full = spikes & (s.n >= p.max_spikes)
    spikes = spikes & ~full

    t_event, y_after, rest, moved, above, touch = jax.lax.cond(
        eqxi.unvmap_any(spikes),
        lambda: _jumped(p, field, s, end, y1, landed, close),
        lambda: (s.t, s.y, jnp.zeros_like(s.t), jnp.zeros((), bool), jnp.zeros((), bool), s.touch),
    )
    rests = rest > 0
    above = spikes & above & ~rests

    moves = keep & ~landing & ~hit & ~at_once & ~stuck & ~there
    arrives = moves & reaches
    releases = arrives & s.held & (s.release <= end)
    at_node = arrives & (here <= end)
    kinds = ((NODE, at_node), (RELEASE, releases), (LANDED, landed), (AT_ONCE, at_once))
    what = sum((bit * x.astype(jnp.int32) for bit, x in kinds), jnp.zeros((), jnp.int32))
    status = jnp.where(above, ABOVE, jnp.where(full, OVERFLOW, jnp.where(stuck, TOO_SMALL, s.status)))
    still_armed = jnp.where(moves & ~s.held, armed, s.armed | hit)
    if p.crossings:
        still_armed = jnp.where(releases, g1 < -s.touch, still_armed)
    base, t, release = rebased(s, node, end, moves, at_node, spikes, t_event, rest)
    return _State(
        base=base,
        t=t,
        y=select(spikes, y_after, select(moves, y1, s.y)),
        h=h,
        lo=jnp.where(hit, jnp.maximum(left - slack, times[0]), lo),
        hi=jnp.where(hit, jnp.minimum(right + slack, end), hi),
        guess=jnp.where(hit, left + (right - left) * part, guess),
        landings=jnp.where(landing & ~landed, s.landings + 1, hit.astype(jnp.int32)),
        armed=jnp.where(spikes, moved | (rests & (not p.crossings)), still_armed),
        touch=jnp.where(spikes, touch, s.touch),
        release=release,
        # a hold of no length is one too, or its length would have no derivative
        held=jnp.where(spikes, p.hold is not None, s.held & ~releases),
        node=s.node + at_node.astype(jnp.int32),
        n=s.n + spikes.astype(jnp.int32),
        status=status,
        steps=s.steps + 1,
        spike_times=write(s.spike_times, s.n, s.base.total(t_event), spikes),
        ys=jax.tree.map(lambda b, y: write(b, node.slot, y, at_node & (node.slot >= 0)), s.ys, y1),
        mesh=None if s.mesh is None else _recorded(s.mesh, end, what, close, moves | spikes),
    )


def _looked_at(p: Problem, s: _State, end: Array, interpolant: Any, g0: Array, g1: Array) -> tuple[Array, Array]:
    """Times of a step, in order, and the event there, which is `g0` and `g1` at its ends."""
    share = jnp.asarray((0.0, *_INSIDE, 1.0), end.dtype)

    def at(x: Array) -> Array:
        t = s.t + (end - s.t) * x
        return p.event(t, interpolant.evaluate(t), p.args)

    within = jax.vmap(at)
    share, values = _with_top(share, jnp.stack([g0, *within(share[1:-1]), g1]), within)
    return s.t + (end - s.t) * share, values


def _jumped(p: Problem, field: Any, s: _State, end: Array, y1: PyTree, landed: Array, close: Array) -> Any:
    """Time of the event, state after it, how long it is held, whether the reset has taken the event below zero, whether
    it has left it above, and how far below zero is still but rounding."""

    def event(t: Array, y: PyTree) -> Array:
        return p.event(t, y, p.args)

    t, y = at_event(p, field, landed, close, jnp.where(landed, end, s.t), select(landed, y1, s.y))
    t, y = jnp.where(landed, t, s.t), select(landed, y, s.y)
    after, rest = after_event(p, t, y)
    # whether the reset touches the event at all: seen at two states, since one may be reset to itself
    moved = (event(t, y) != event(t, after)) | (event(t, s.y) != event(t, after_event(p, t, s.y)[0]))
    g = event(t, after)
    if p.crossings:
        return t, after, rest, moved & (g < 0), jnp.zeros((), bool), jnp.where(moved, 0, 4 * jnp.abs(g))
    # at zero, and on the way down: as good as below, from then on
    leaves = _leaves(p, t, g, rises(p, p.vector_field, t, after))
    return t, after, rest, moved & ~leaves, moved & (g >= 0) & ~leaves, s.touch


def _leaves(p: Problem, t: Array, g: Array, slope: Array) -> Bool[Array, ""]:
    """Whether an event is at zero, to rounding, and on the way down: then it is none, but as one that has happened."""
    return (g >= 0) & (slope < 0) & (g <= -slope * p.near(t))


def _control(
    p: Problem, s: _State, end: Array, y1: PyTree, error: PyTree, landing: Array, reaches: Array
) -> tuple[Bool[Array, ""], Float[Array, ""]]:
    """Whether the step is good enough, and the wish for the next."""
    import diffrax

    ratio = _scaled(p, error, s.y, y1)
    ratio = jnp.where(jnp.isfinite(ratio), ratio, jnp.inf)
    keep = landing | (ratio <= 1)
    order: Any = p.solver.error_order(diffrax.ODETerm(p.vector_field))
    factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** (-1 / order), 0.2, 10.0)
    h = (end - s.t) * jnp.where(keep, factor, jnp.minimum(factor, 0.9))
    # a step cut short says nothing against the wish that there was
    h = jnp.where(keep & reaches, jnp.maximum(s.h, h), h)
    return keep, jnp.where(landing, s.h, jnp.minimum(h, p.dtmax))


def _with_top(share: Array, values: Array, within: Any) -> tuple[Array, Array]:
    """The samples of a step, and one more at the highest point, where it lies between them: it may just cross zero.

    Parabolas find it, first through the samples and then through three closer ones.
    """
    k = jnp.clip(jnp.argmax(values), 1, values.shape[0] - 2)
    top = _vertex(share[k], share[1], values[k - 1], values[k], values[k + 1])
    around = within(jnp.clip(top + jnp.asarray(_AROUND, share.dtype), 0, 1))
    top = jnp.clip(_vertex(top, _AROUND[-1], *around), 0, 1)
    share = jnp.append(share, top)
    order = jnp.argsort(share)
    return share[order], jnp.append(values, within(top[None]))[order]


def _vertex(x: Array, d: Array | float, left: Array, middle: Array, right: Array) -> Array:
    """Where the parabola through values at `x - d`, `x`, `x + d` is highest, within that; `x` if it isn't in there."""
    bend = left - 2 * middle + right
    return x + d * jnp.where(bend < 0, jnp.clip((left - right) / (2 * jnp.where(bend < 0, bend, 1)), -1, 1), 0)


def _first_crossing(armed: Array, values: Array) -> tuple[Bool[Array, ""], Bool[Array, ""], Int[Array, ""]]:
    """Whether the event is armed at the end, whether it crosses zero upward, and between which points it does first."""
    hit, which = jnp.zeros((), bool), jnp.ones((), jnp.int32)
    for k in range(1, values.shape[0]):
        crosses = armed & ~hit & (values[k] >= 0)
        which, hit = jnp.where(crosses, k, which), hit | crosses
        armed = armed | (values[k] < 0)
    return armed, hit, which


def _land(p: Problem, s: _State, landing: Array, g: Array, slope: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Newton's method within a bracket, on steps that end at the guess: each is as exact as the solver is.

    Returns the new bracket and guess, whether Newton's method is close, and whether the event has been reached.
    """
    move = -g / jnp.where(slope > 0, slope, 1)
    lo, hi = jnp.where(g < 0, s.guess, s.lo), jnp.where(g < 0, s.hi, s.guess)
    near = p.near(s.guess)
    close = (slope > 0) & (jnp.abs(move) <= near)
    landed = landing & (close | (hi - lo <= near) | (s.landings >= _LANDINGS))
    guess = s.guess + move
    good = (slope > 0) & (guess > lo) & (guess < hi)
    return lo, hi, jnp.where(good, guess, lo + (hi - lo) / 2), close, landed


def _recorded(mesh: Mesh, end: Array, what: Array, close: Array, taken: Array) -> Mesh:
    return Mesh(
        end=write(mesh.end, mesh.size, end, taken),
        what=write(mesh.what, mesh.size, what, taken),
        close=write(mesh.close, mesh.size, close, taken),
        size=mesh.size + taken.astype(jnp.int32),
    )
