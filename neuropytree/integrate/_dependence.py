"""Which variables a function depends on, and through which operations."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PyTree

from ._elementwise import _ELEMENTWISE

_LOOPS = frozenset(("scan", "while", "cond"))

# number of a variable, and the operation that couples its elements on the way, or None
_Dependence = dict[int, str | None]


def dependence(function: Callable[[Any], PyTree], x: PyTree) -> list[_Dependence]:
    """For each array that `function` returns: the leaves of `x` that it depends on, by number, each with the operation
    that couples its elements, or `None` where each element of the result depends on the same element alone."""
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), x)
    jaxpr = jax.make_jaxpr(function)(like).jaxpr
    return _through(jaxpr, [{n: None} for n in range(len(jaxpr.invars))])


def _through(jaxpr: Any, inputs: list[_Dependence]) -> list[_Dependence]:
    known = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(v: Any) -> _Dependence:
        return {} if hasattr(v, "val") else known.get(v, {})

    for eqn in jaxpr.eqns:
        mine = [of(v) for v in eqn.invars]
        if not any(mine):
            continue
        inner = next((p for p in eqn.params.values() if hasattr(p, "jaxpr") or hasattr(p, "eqns")), None)
        inner = getattr(inner, "jaxpr", inner)
        if inner is not None and eqn.primitive.name not in _LOOPS and len(inner.invars) == len(mine):
            known |= dict(zip(eqn.outvars, _through(inner, mine), strict=True))
            continue
        shapes = {v.aval.shape for v in eqn.outvars}
        merged: _Dependence = {}
        for v, one in zip(eqn.invars, mine, strict=True):
            alone = eqn.primitive.name in _ELEMENTWISE and shapes == {v.aval.shape}
            for n, culprit in one.items():
                merged[n] = merged.get(n) or culprit or (None if alone else eqn.primitive.name)
        known |= dict.fromkeys(eqn.outvars, merged)
    return [of(v) for v in jaxpr.outvars]
