"""Which variables a function depends on, and whether each element on its own alone: only then does one forward-mode
product give the diagonal slope."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, PyTree

_ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh bitcast_convert_type cbrt ceil clamp "
    "convert_element_type copy cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt imag integer_pow "
    "is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or pow real reduce_precision rem "
    "round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square "
    "stop_gradient sub tan tanh xor".split()
)
_LOOPS = frozenset(("scan", "while", "cond"))

# number of a variable, and the operation that couples its elements on the way, or None
_Dependence = dict[int, str | None]


def require_elementwise(who: str, function: Callable[[Array], Array], x: Array, name: str) -> None:
    """Checks the traced operations of `function` at `x`.

    **Raises:** `ValueError` naming the operation that couples elements.
    """
    if x.size == 1:
        return
    culprit = dependence(function, x)[0].get(0)
    if culprit is not None:
        raise ValueError(
            f"{who}: the elements of {name} are coupled (by '{culprit}'), so it can't be linearised element by "
            "element; make them variables of their own, declare its coefficients in `linear`, or use another stepper"
        )


def independent_elements(function: Callable[..., Any], xs: list[Array]) -> bool:
    """Whether each element of the results of `function(*xs)` depends on that element of each of `xs` alone."""
    if len({x.shape for x in xs}) != 1:
        return False
    if xs[0].size == 1:
        return True
    jaxpr = _traced(lambda xs: function(*xs), xs)
    if {v.aval.shape for v in jaxpr.outvars} != {xs[0].shape}:
        return False
    return not any(culprit for one in _through(jaxpr) for culprit in one.values())


def depends(function: Callable[[Any], PyTree], x: PyTree) -> bool:
    """Whether `function(x)` makes any use of the values in `x`, as far as its traced operations tell.

    **Arguments:**

    - `function`: from arrays to arrays.
    - `x`: a tree of arrays, or of their shapes and dtypes.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        npt.integrate.depends(lambda v: 0.1 * jnp.ones_like(v), jnp.zeros(3))  # False
        ```
    """
    return any(dependence(function, x))


def dependence(function: Callable[[Any], PyTree], x: PyTree) -> list[_Dependence]:
    """For each array that `function` returns: the leaves of `x` that it depends on, by number, each with the operation
    that couples its elements, or `None` where each element of the result depends on the same element alone."""
    return _through(_traced(function, x))


def _traced(function: Callable[[Any], PyTree], x: PyTree) -> Any:
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), x)
    return jax.make_jaxpr(function)(like).jaxpr


def _through(jaxpr: Any, inputs: list[_Dependence] | None = None) -> list[_Dependence]:
    inputs = [{n: None} for n in range(len(jaxpr.invars))] if inputs is None else inputs
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
