"""The compiled programs of a run."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from .._check import broken
from .._scan import Scan
from .._types import AbstractDynamics, Output, State, Tick
from ._inputs import Inputs
from ._recording import Recording


class Run(eqx.Module):
    """Everything that a compiled run is made from."""

    model: AbstractDynamics
    inputs: Inputs
    recording: Recording
    key: Key[Array, ""] | None
    dt: float = eqx.field(static=True)

    def step(self, state: State, index: Int[Array, ""], rows: Any) -> tuple[State, Output]:
        tick = Tick.at(index, dt=self.dt, key=self.key)
        return self.model.step(state, self.inputs.at(tick, rows), tick)

    def scan(self, state: State, rows: Any) -> Scan:
        """The scan of this run; `rows`, the series of some steps, are looked at for their form only.

        **Raises:** `TypeError` if the step changes the form of the state.
        """
        row = jax.tree.map(lambda x: jax.eval_shape(lambda x: x[0], x), rows)
        taken, gathered = self.recording.taken(self.model), self.recording.gathered(self.model)
        scan = Scan(self.step, (state, row), taken, gathered)
        forms = [jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x)), tree) for tree in (state, scan.state)]
        if jax.tree.structure(state) != jax.tree.structure(scan.state) or forms[0] != forms[1]:
            raise TypeError(
                f"{type(self.model).__name__}.step changes the structure, shapes or dtypes of its state: from "
                f"{forms[0]} to {forms[1]}"
            )
        return scan


class Done(eqx.Module):
    """What a program returns: records and lists of events in the order of the recording, the state, and which variables
    are no longer finite."""

    taken: list[PyTree]
    held: list[PyTree]
    state: State
    broken: Array


def whole(run: Run, state: State, start: Int[Array, ""], n_steps: int) -> Done:
    """A run of known length."""
    rows = run.inputs.series
    scan = run.scan(state, rows)
    first = scan.begin(state, start)
    last, taken = scan.blocks(first, rows, n_steps // scan.nest.block)
    return Done(taken=taken, held=last.held, state=last.state, broken=broken(first.state, last.state))


def piece(run: Run, state: State, start: Int[Array, ""], rows: Any, count: Int[Array, ""], room: int) -> Done:
    """`count` blocks of a piece that has room for `room`: the last piece needs no program of its own."""
    scan = run.scan(state, rows)
    first = scan.begin(state, start)
    rows = jax.tree.map(lambda x: x.reshape(room, -1, *x.shape[1:]), rows)

    def block(k: Array, carry: Any) -> Any:
        now = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, k, keepdims=False), rows)
        carry, out = carry
        carry, taken = scan.block(carry, now)
        return carry, jax.tree.map(lambda o, x: jax.lax.dynamic_update_index_in_dim(o, x, k, 0), out, taken)

    now = jax.tree.map(lambda x: jax.eval_shape(lambda x: x[0], x), rows)
    _, forms = jax.eval_shape(scan.block, first, now)
    out = jax.tree.map(lambda x: jnp.zeros((room, *x.shape), x.dtype), forms)
    last, out = jax.lax.fori_loop(jnp.zeros((), jnp.int32), count, block, (first, out))
    taken = [scan.thinned(n, x) for n, x in enumerate(out)]
    return Done(taken=taken, held=last.held, state=last.state, broken=broken(first.state, last.state))


def first_broken(run: Run, state: State, start: Array, n_steps: int, offset: int) -> tuple[Array, Array]:
    """Runs again to find in which step a variable became non-finite first, and which."""

    def body(carry: Any) -> Any:
        k, now, _ = carry
        at = lambda x: jax.lax.dynamic_index_in_dim(x, offset + k, keepdims=False)  # noqa: E731
        new, _ = run.step(now, start + k, jax.tree.map(at, run.inputs.series))
        return k + 1, new, broken(state, new)

    first = (jnp.zeros((), jnp.int32), state, jnp.zeros_like(broken(state, state)))
    k, _, flags = jax.lax.while_loop(lambda c: (c[0] < n_steps) & ~jnp.any(c[2]), body, first)
    return k - 1, jnp.argmax(flags)
