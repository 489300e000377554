"""Calls of a JAX operator inside one compiled loop, as a simulation makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._cells import RATE


def barrier(values: Any) -> Any:
    """`lax.optimization_barrier`, also in the JAX of 2024, which kept it private."""
    try:
        return jax.lax.optimization_barrier(values)
    except AttributeError:
        from jax._src.ad_checkpoint import _optimization_barrier

        return _optimization_barrier(values)


class Loop:
    """`call(operands, acc, x)`, which gives `acc` with one product added, compiled in a loop that carries `acc`.

    **Arguments:**

    - `operands`: a pytree of arrays, passed to the compiled program and not built into it.
    - `shape`: the shape of `acc`, which begins as float32 zeros.
    - `xs`: the event arrays that one turn of the loop goes through, one call for each; pairs with another array where
      that changes from call to call too.
    - `scan`: a `lax.scan` of fixed length instead of a loop over a number given at run time. (For the empty call, which
      is to be what it is in a simulation.)
    - `apart`: each call is a turn of its own, with its events taken from a stack of them. Without it XLA makes one loop
      of what several calls do at each edge, and goes over `acc` and the edges once for all of them.
    """

    def __init__(
        self,
        call: Callable,
        operands: Any,
        shape: tuple[int, ...],
        xs: list,
        *,
        scan: bool = False,
        apart: bool = False,
    ):
        self.calls = len(xs)
        self._first = jax.tree_util.tree_map(jnp.asarray, xs[0])
        if apart:
            self.xs = jax.tree_util.tree_map(lambda *each: jnp.stack(each), *xs)
        else:
            self.xs = tuple(jax.tree_util.tree_map(jnp.asarray, x) for x in xs)
        self.operands = operands
        self._shape = shape
        self._acc = jnp.zeros(shape, jnp.float32)

        def turn(operands, acc, xs):
            if apart:
                return jax.lax.scan(lambda acc, x: (call(operands, *barrier((acc, x))), None), acc, xs)[0]
            for x in xs:
                # Without it what doesn't depend on `acc` is the same in each turn, and XLA takes it out of the loop:
                # products, or the cotangent gathered at the edges.
                x, acc = barrier((x, acc))
                acc = call(operands, acc, x)
            return acc

        def run(operands, acc, xs, turns):
            return jax.lax.fori_loop(0, turns, lambda _, acc: turn(operands, acc, xs), acc)

        def scanned(operands, acc, xs, turns):
            def chunk(_, acc):
                return jax.lax.scan(lambda acc, _: (turn(operands, acc, xs), None), acc, None, length=1000)[0]

            return jax.lax.fori_loop(0, turns, chunk, acc)

        self.calls *= 1000 if scan else 1
        # Donated, so that a large accumulator isn't copied when a timed piece begins. (JAX before 2024 can't on a CPU,
        # and says so.)
        self._run = jax.jit(scanned if scan else run, donate_argnums=1)
        self._call = jax.jit(call)

    def once(self) -> np.ndarray:
        """The result of one call, on the first events."""
        return np.asarray(self._call(self.operands, jnp.zeros(self._shape, jnp.float32), self._first))

    def many(self, turns: int) -> None:
        """`turns * self.calls` calls."""
        self._acc = jax.block_until_ready(self._run(self.operands, self._acc, self.xs, jnp.int32(turns)))


def gradient_call(product: Callable) -> Callable:
    """A call on pairs of events and cotangent: a step of descent along the gradient of `product(weight, fixed, x)` in
    `weight`. (A bare addition would measure XLA's, which is several times slower than that of a product.)"""

    def call(operands, acc, x):
        weight, fixed = operands
        x, cotangent = x
        _, pull = jax.vjp(lambda w: product(w, fixed, x), weight)
        return acc - RATE * pull(cotangent)[0]

    return call
