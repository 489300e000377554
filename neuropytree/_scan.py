"""The scan under every run: steps of a model, and what is recorded of them.

Records are taken at the end of every so many steps, or reduced over so many. So a run is blocks of blocks: one nest of
scans, as deep as there are different intervals, whose body is one step, traced once whatever the intervals are.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from .ops import varies, varies_more, vary_as

Reduction = Literal["sum", "mean"] | None


class Taken(NamedTuple):
    """A record of the scan: `observe(state, output)` at the end of every `every`-th step, or reduced over them."""

    observe: Callable[[Any, Any], PyTree]
    every: int
    reduce: Reduction = None


class Collector(Protocol):
    """What gathers something over the whole scan, in memory of a fixed size."""

    def begin(self, state: Any, output: Any) -> PyTree:
        """What it holds before the first step; `state` and `output` are shapes."""

    def collect(self, held: PyTree, state: Any, output: Any, index: Array) -> PyTree:
        """What it holds after step `index`."""


class Nest:
    """The order of blocks for some records.

    `lengths` are those of the blocks, each a multiple of the one before, and `places` says by which a record is taken.
    A record whose interval is no multiple of the shorter ones is taken more often, and thinned out afterwards.
    """

    def __init__(self, intervals: Sequence[int]):
        ordered = sorted(set(intervals)) or [1]
        self.lengths = sorted({math.gcd(*ordered[k:]) for k in range(len(ordered))})
        common = {every: math.gcd(*[x for x in ordered if x >= every]) for every in ordered}
        self.places = [self.lengths.index(common[every]) for every in intervals]

    @property
    def block(self) -> int:
        """Steps of the largest block."""
        return self.lengths[-1]


class Sum(NamedTuple):
    """A sum of trees of arrays, in which booleans are counted, and what has been lost of it by rounding: or else, in
    float32, the mean of a million voltages would be wrong by some 0.5 mV.

    Source: Kahan 1965, doi:10.1145/363707.363723.
    """

    total: PyTree
    lost: PyTree

    @classmethod
    def of(cls, like: PyTree) -> "Sum":
        """An empty sum of trees like that."""
        return cls(jax.tree.map(_zero, like), jax.tree.map(_zero, like))

    def add(self, x: PyTree) -> "Sum":
        totals, structure = jax.tree.flatten(self.total)
        each = zip(totals, jax.tree.leaves(self.lost), jax.tree.leaves(x), strict=True)
        totals, losts = zip(*(_added(*one) for one in each), strict=True) if totals else ((), ())
        return Sum(jax.tree.unflatten(structure, totals), jax.tree.unflatten(structure, losts))


class Carry(NamedTuple):
    """What goes from step to step: the index of the next, the state, the parts of the last output that records of
    longer blocks want, sums within blocks, and what collectors hold."""

    index: Int[Array, ""]
    state: Any
    output: Any
    sums: Any
    held: Any


class Scan:
    """Blocks of steps.

    **Arguments:**

    - `step`: from a state, an index and a row of inputs to a state and an output.
    - `like`: a state, and a row of inputs, or their shapes.
    - `records`, `collectors`: what is wanted of the steps.
    """

    def __init__(
        self,
        step: Callable[[Any, Array, Any], tuple[Any, Any]],
        like: tuple[Any, Any],
        records: Sequence[Taken] = (),
        collectors: Sequence[Collector] = (),
    ):
        self.step, self.records, self.collectors = step, tuple(records), tuple(collectors)
        self.nest = Nest([record.every for record in records])
        state, row = like
        self.state, self.output = _forms(step, state, row)
        self.observed = [jax.eval_shape(r.observe, self.state, self.output) for r in self.records]
        self.wanted = self._wanted()

    def _wanted(self) -> list[bool]:
        """For each leaf of the output, whether a record at the end of more than one step looks at it."""
        leaves = jax.tree.leaves(self.output)
        wanted = [False] * len(leaves)
        first = len(jax.tree.leaves(self.state))
        for record, place in zip(self.records, self.nest.places, strict=True):
            if record.reduce is None and self.nest.lengths[place] > 1:
                jaxpr = jax.make_jaxpr(record.observe)(self.state, self.output).jaxpr
                used = {id(x) for equation in jaxpr.eqns for x in equation.invars} | {id(x) for x in jaxpr.outvars}
                wanted = [w or id(x) in used for w, x in zip(wanted, jaxpr.invars[first:], strict=True)]
        return wanted

    def _kept(self, output: Any) -> list[Array]:
        return [x for x, wanted in zip(jax.tree.leaves(output), self.wanted, strict=True) if wanted]

    def _full(self, kept: list[Array]) -> Any:
        """An output with the parts that are wanted; the others are looked at by nobody."""
        rest = iter(kept)
        leaves, structure = jax.tree.flatten(self.output)
        full = [next(rest) if w else _zero(x, count=False) for x, w in zip(leaves, self.wanted, strict=True)]
        return jax.tree.unflatten(structure, full)

    def begin(self, state: Any, index: Int[Array, ""]) -> Carry:
        """What the first block is given."""
        state = vary_as(state, self.state)
        kept = [_zero(x, count=False) for x in self._kept(self.output)]
        sums = [Sum.of(x) if r.reduce else None for r, x in zip(self.records, self.observed, strict=True)]
        held = [self._held(collector) for collector in self.collectors]
        return Carry(index=index, state=state, output=kept, sums=sums, held=held)

    def _held(self, collector: Collector) -> PyTree:
        def collect(held: PyTree, state: Any, output: Any) -> PyTree:
            return collector.collect(held, state, output, jnp.zeros((), jnp.int32))

        held = collector.begin(self.state, self.output)
        return vary_as(held, jax.eval_shape(collect, held, self.state, self.output))

    def blocks(self, carry: Carry, rows: Any, count: int) -> tuple[Carry, list[PyTree]]:
        """`count` largest blocks, and their records, one after the other as axis 0; `rows` has a row for each step."""
        rows = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), rows)
        carry, taken = jax.lax.scan(self.block, carry, rows, length=count)
        return carry, [self.thinned(n, x) for n, x in enumerate(taken)]

    def thinned(self, n: int, taken: PyTree) -> PyTree:
        """The records number `n` of some blocks, as they were asked for."""
        record, length = self.records[n], self.nest.lengths[self.nest.places[n]]
        inner = self.nest.block // length  # records of a block
        taken = jax.tree.map(lambda x: x.reshape(x.shape[0] * inner, *x.shape[1 + self._depth(n) :]), taken)
        group = record.every // length
        if group == 1:
            return taken
        grouped = jax.tree.map(lambda x: x.reshape(-1, group, *x.shape[1:]), taken)
        if record.reduce is None:
            return jax.tree.map(lambda x: x[:, -1], grouped)
        total = jnp.mean if record.reduce == "mean" else jnp.sum
        return jax.tree.map(lambda x: total(x, axis=1, dtype=x.dtype), grouped)

    def _depth(self, n: int) -> int:
        """How many scans of blocks there are around a record, within the largest block."""
        return len(self.nest.lengths) - 1 - self.nest.places[n]

    def block(self, carry: Carry, rows: Any) -> tuple[Carry, list[PyTree]]:
        """The largest block, and its records, each with an axis for every scan within that it is in."""
        carry, _, taken = self._block(len(self.nest.lengths) - 1, carry, rows)
        return carry, taken

    def _block(self, level: int, carry: Carry, rows: Any) -> tuple[Carry, Any, list[PyTree]]:
        if level < 0:
            return self._one(carry, jax.tree.map(lambda x: x[0], rows))
        below = self.nest.lengths[level - 1] if level else 1
        count = self.nest.lengths[level] // below
        rows = jax.tree.map(lambda x: x.reshape(count, below, *x.shape[1:]), rows)
        if count == 1 and level == 0:
            carry, output, taken = self._block(level - 1, carry, jax.tree.map(lambda x: x[0], rows))
        else:

            def inner(carry: Carry, rows: Any) -> tuple[Carry, list[PyTree]]:
                carry, output, taken = self._block(level - 1, carry, rows)
                return carry._replace(output=self._kept(output)), taken

            carry, taken = jax.lax.scan(inner, carry, rows, length=count)
            output = self._full(carry.output)
        return (*self._end(level, carry, output, taken),)

    def _one(self, carry: Carry, row: Any) -> tuple[Carry, Any, list[PyTree]]:
        state, output = self.step(carry.state, carry.index, row)
        sums = [
            None if held is None else held.add(record.observe(state, output))
            for record, held in zip(self.records, carry.sums, strict=True)
        ]
        held = [c.collect(h, state, output, carry.index) for c, h in zip(self.collectors, carry.held, strict=True)]
        new = Carry(index=carry.index + 1, state=state, output=carry.output, sums=sums, held=held)
        return new, output, [None] * len(self.records)

    def _end(self, level: int, carry: Carry, output: Any, taken: list[PyTree]) -> tuple[Carry, Any, list[PyTree]]:
        """What is recorded at the end of a block."""
        taken, sums = list(taken), list(carry.sums)
        for n, (record, place) in enumerate(zip(self.records, self.nest.places, strict=True)):
            if place != level:
                continue
            if record.reduce is None:
                taken[n] = jax.tree.map(jnp.asarray, record.observe(carry.state, output))
                continue
            length = self.nest.lengths[level] if record.reduce == "mean" else None
            taken[n] = jax.tree.map(lambda x: x if length is None else _divided(x, length), sums[n].total)  # noqa: B023
            sums[n] = jax.tree.map(jnp.zeros_like, sums[n])
        return carry._replace(sums=sums), output, taken


def settle(body: Callable[[Any], Any], carry: Any) -> Any:
    """`carry`, varying over as many devices of a `jax.shard_map` as it does after `body`: a loop's carry may not change
    in that. What varies spreads with each turn, which may take several to reach all of it."""
    while True:
        new = jax.eval_shape(body, carry)
        if jax.tree.structure(carry) != jax.tree.structure(new) or not varies_more(new, carry):
            return carry
        carry = vary_as(carry, new)


def _forms(step: Callable[[Any, Array, Any], tuple[Any, Any]], state: Any, row: Any) -> tuple[Any, Any]:
    """The state after many steps and the output, as shapes."""

    def one(state: Any) -> tuple[Any, Any]:
        rows = jax.tree.map(lambda x: vary_as(jnp.zeros(x.shape, x.dtype), x), row)
        return step(state, jnp.zeros((), jnp.int32), rows)

    return jax.eval_shape(lambda state: one(settle(lambda s: one(s)[0], state)), state)


def _zero(x: Any, *, count: bool = True) -> Array:
    """The beginning of a sum of such arrays: booleans are counted."""
    zero = jnp.zeros(x.shape, jnp.int32 if count and x.dtype == bool else x.dtype)
    return vary_as(zero, x)


def _added(total: Array, lost: Array, x: Any) -> tuple[Array, Array]:
    x = jnp.asarray(x).astype(total.dtype)
    if not jnp.issubdtype(total.dtype, jnp.inexact):
        return total + x, lost
    x = x - lost
    new = total + x
    return new, jnp.where(jnp.isfinite(new), (new - total) - x, 0)


def _divided(x: Array, n: int) -> Array:
    real = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(float))
    return real / n


def guard(after: Any, broken: Array, messages: list[str]) -> Any:
    """`after`, with an error at run time for the first variable that is `broken`, by its message; for runs inside other
    transformations."""
    if broken.shape[0] == 0:
        return after
    if varies(broken):  # inside `jax.shard_map` the branches of Equinox's check are of different types
        jax.debug.callback(lambda flags: _raise(flags, messages), broken)
        return after
    return eqx.branched_error_if(after, jnp.any(broken), jnp.argmax(broken), messages)


def _raise(flags: Any, messages: list[str]) -> None:
    if np.any(flags):
        raise FloatingPointError(messages[int(np.argmax(np.asarray(flags).reshape(-1, len(messages)).any(0)))])
