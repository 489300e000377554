"""The second pass of a hybrid solve: the steps that the first one took, as a function of everything that can vary.

Step ends that are given (asked times, jumps, the end) or found (events, releases) keep their derivatives, and all
others are constants. So the derivative of a spike time passes through the reset into all that follows it. No step that
was rejected is differentiated, and all is made of scans: both modes work, to any order.
"""

from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._time import Base
from ._diffrax import with_scan
from ._hybrid_problem import (
    AT_ONCE,
    LANDED,
    NODE,
    RELEASE,
    Found,
    Nodes,
    Problem,
    Start,
    after_event,
    at_event,
    one_step,
    rebased,
    select,
    write,
)
from ._hybrid_search import Mesh

_BLOCK = 64  # what reverse mode keeps of a solve: one state for each block, and all steps of one block


class _State(eqx.Module):
    base: Base
    t: Array
    y: PyTree[Array]
    release: Array
    held: Array
    node: Array
    n: Array
    spike_times: Array
    ys: PyTree[Array]


def replay(p: Problem, nodes: Nodes, start: Start, ys: PyTree, mesh: Mesh) -> Found:
    """The solution on the steps of `mesh`."""
    p = eqx.tree_at(lambda p: p.solver, p, with_scan(p.solver, "bounded"))
    zero = jnp.zeros((), jnp.int32)
    never = jnp.full((p.max_spikes,), jnp.inf, start.t.dtype)
    state = _State(Base.at(start.t), start.t, start.y, start.release, start.release > start.t, zero, zero, never, ys)
    blocks = -(-p.max_steps // _BLOCK)

    def rows(x: Array) -> Array:
        return jnp.pad(x, (0, blocks * _BLOCK - p.max_steps)).reshape(blocks, _BLOCK)

    @jax.checkpoint
    def run(state: _State, block: Any) -> _State:
        return jax.lax.scan(lambda s, x: (_body(p, nodes, s, *x), None), state, block)[0]

    def maybe(state: _State, block: Any) -> tuple[_State, None]:
        return jax.lax.cond(eqxi.unvmap_any(jnp.any(block[-1])), run, lambda s, _: s, state, block), None

    taken = jnp.arange(p.max_steps, dtype=jnp.int32) < mesh.size
    xs = jax.tree.map(rows, (mesh.end, mesh.what, mesh.close, taken))
    final, _ = jax.lax.scan(maybe, state, xs)
    return Found(final.base.total(final.t), final.y, final.spike_times, final.ys)


def _body(p: Problem, nodes: Nodes, s: _State, end: Array, what: Array, close: Array, taken: Array) -> _State:
    p = p.at(s.base)
    field, node = p.field(s.held), nodes.at(s.node, s.base)
    at_node, releases = (what & NODE) > 0, (what & RELEASE) > 0
    landed, at_once = (what & LANDED) > 0, (what & AT_ONCE) > 0
    spikes, moves = landed | at_once, taken & ~(landed | at_once)
    end = jnp.where(releases, s.release, jnp.where(at_node, node.end, end))
    end = jnp.where(taken & ~at_once, end, s.t)
    # a node may be a little before: asked twice, or at a jump
    end = jnp.where(end < s.t, s.t, end)
    y1, _, _ = one_step(p, field, s.t, end, s.y)

    def jump() -> Any:
        t, y = at_event(p, field, landed, close, end, y1)
        t, y = jnp.where(landed, t, s.t), select(landed, y, s.y)
        return t, *after_event(p, t, y)

    t_event, y_after, rest = jax.lax.cond(eqxi.unvmap_any(spikes), jump, lambda: (s.t, s.y, jnp.zeros_like(s.t)))
    base, t, release = rebased(s, node, end, moves, at_node, spikes, t_event, rest)
    return _State(
        base=base,
        t=t,
        y=select(spikes, y_after, select(moves, y1, s.y)),
        release=release,
        held=jnp.where(spikes, p.hold is not None, s.held & ~releases),
        node=s.node + at_node.astype(jnp.int32),
        n=s.n + spikes.astype(jnp.int32),
        spike_times=write(s.spike_times, s.n, s.base.total(t_event), spikes),
        ys=jax.tree.map(lambda b, y: write(b, node.slot, y, at_node & (node.slot >= 0)), s.ys, y1),
    )
