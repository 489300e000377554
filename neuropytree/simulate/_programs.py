"""Which compiled program makes a run.

XLA's CPU backend may divide a single loop among threads. Handing over to another thread takes longer than the loop of a
few thousand neurons, so below a measured amount of work in the loops of a step the program is compiled without. The
bits are the same. (Kernels of the operators decide by themselves, in each call.)
"""

import functools
from collections.abc import Hashable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Int

from .._types import State
from . import _run
from ._inputs import closes_over_tracers
from ._run import Done, Run

_SERIAL = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
# operations of a loop, counted by `_work`, above which two threads are quicker than one. Measured on two cores: cells
# with channels from 2 500 on, leaky ones from 250 000, and the E/I network of the benchmarks, whose loops are short
# and wait for memory, from 100 000.
_WORTH = 5e5
# how many additions take the time of one of these
_COSTS = dict.fromkeys(("div", "sqrt", "rsqrt"), 4)
_COSTS = _COSTS | dict.fromkeys(("exp", "log", "expm1", "log1p", "tanh", "sin", "cos", "logistic"), 12)
_COSTS = _COSTS | dict.fromkeys(("pow", "erf_inv"), 20)

_jit: Any = eqx.filter_jit  # whose overloads don't show that it hands options on to `jax.jit`
_whole = {False: _jit(_run.whole), True: _jit(_run.whole, compiler_options=_SERIAL)}
_piece = {False: _jit(_run.piece), True: _jit(_run.piece, compiler_options=_SERIAL)}
_first_broken = eqx.filter_jit(_run.first_broken)


def is_traced(run: Run, state: State, start: Any) -> bool:
    """Whether the run is part of a transformation."""
    leaves = jax.tree.leaves((run, state, start))
    functions = [*run.inputs.functions, *(probe.path for probe in run.recording.probes)]
    return (
        any(isinstance(x, Tracer) for x in leaves)
        or any(callable(f) and closes_over_tracers(f) for f in functions)
        or isinstance(jnp.zeros(()), Tracer)
    )


def whole(run: Run, state: State, start: Int[Array, ""], n_steps: int, *, traced: bool) -> Done:
    """A run in one program."""
    serial = not traced and is_small(run, state)  # other options are for the outermost program only
    return _whole[serial](run, state, start, n_steps)


def piece(run: Run, state: State, start: Array, rows: Any, count: Array, room: int) -> Done:
    """`count` blocks of a run, by a program for up to `room`."""
    return _piece[is_small(run, state)](run, state, start, rows, count, room)


def first_broken(run: Run, state: State, start: Array, n_steps: int, offset: int) -> tuple[Array, Array]:
    """In which step a variable became non-finite, and which."""
    return _first_broken(run, state, start, n_steps, offset)


class _Form:
    """What a program depends on: the structure of a run, shapes and dtypes, and all that isn't an array."""

    def __init__(self, tree: Any):
        leaves, self.structure = jax.tree.flatten(tree)
        self.leaves: list[Any] = [
            jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype, allow_extended_dtype=True))
            if eqx.is_array(x)
            else x
            for x in leaves
        ]
        self.key: tuple[Hashable, ...] = (
            self.structure,
            *((x.shape, x.dtype) if isinstance(x, jax.ShapeDtypeStruct) else x for x in self.leaves),
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Form) and self.key == other.key


def is_small(run: Run, state: State) -> bool:
    """Whether the loops of a step have so little work that they are better not divided among threads."""
    return jax.default_backend() == "cpu" and _mean_work(_Form((run, state))) < _WORTH


@functools.lru_cache(maxsize=1024)
def _mean_work(form: _Form) -> float:
    """The work of a step in each stretch between two kernels, of which XLA makes one loop or a few."""
    run, state = jax.tree.unflatten(form.structure, form.leaves)
    dynamic, static = eqx.partition((run, state), lambda x: isinstance(x, jax.ShapeDtypeStruct))

    def step(dynamic: Any) -> Any:
        run, state = eqx.combine(dynamic, static)
        rows = jax.tree.map(lambda x: x[0], run.inputs.series)
        new, output = run.step(state, jnp.zeros((), jnp.int32), rows)
        arrays = (new, output, [taken.observe(new, output) for taken in run.recording.taken(run.model)])
        return eqx.filter(arrays, eqx.is_array)

    work, kernels = _work(jax.make_jaxpr(step)(dynamic).jaxpr)
    return work / (kernels + 1)


def _work(jaxpr: Any) -> tuple[float, int]:
    """Elementwise operations of a program, in units of an addition, and its kernels, whose work isn't counted; nor is
    what a loop does after its first time."""
    work, kernels = 0.0, 0
    for equation in jaxpr.eqns:
        for inner in _inner(equation.params):
            more, called = _work(inner)
            work, kernels = work + more, kernels + called
        if equation.primitive.name.startswith("npt_"):
            kernels += 1
        else:
            size = max((x.aval.size for x in equation.outvars if hasattr(x.aval, "size")), default=0)
            work += size * _COSTS.get(equation.primitive.name, 1)
    return work, kernels


def _inner(params: dict[str, Any]) -> list[Any]:
    """The programs within a call, a branch or a loop."""
    found = []
    for value in params.values():
        for x in value if isinstance(value, list | tuple) else [value]:
            if hasattr(x, "jaxpr"):
                found.append(x.jaxpr)
            elif hasattr(x, "eqns"):
                found.append(x)
    return found
