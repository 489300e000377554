"""Whether a function acts on each element of an array alone: only then does one forward-mode product give its "
"diagonal slope."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

_ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp convert_element_type copy cos cosh "
    "digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt imag integer_pow is_finite le lgamma log log1p "
    "logistic lt max min mul ne neg nextafter not or pow real reduce_precision rem round rsqrt select_n sign sin sinh "
    "sqrt square stop_gradient sub tan tanh xor".split()
)


def require_elementwise(function: Callable[[Array], Array], x: Array, name: str) -> None:
    """Checks the traced operations of `function` at `x`.

    **Raises:** `ValueError` naming the operation that couples elements.
    """
    if x.size == 1:
        return
    closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct(x.shape, x.dtype))
    culprit = _coupling(closed.jaxpr, [True])[0]
    if culprit is not None:
        raise ValueError(
            f"ExponentialEuler: the elements of {name} are coupled (by '{culprit}'), so it can't be linearised "
            "element by "
            "element; declare its coefficients in `linear`, or use another stepper"
        )


def _coupling(jaxpr: Any, dependent: list[bool]) -> tuple[str | None, list[bool]]:
    """The first operation that couples elements of a dependent variable, and which outputs depend on one."""
    marked = {v for v, d in zip(jaxpr.invars, dependent, strict=True) if d}
    for eqn in jaxpr.eqns:
        mine = [v in marked if not hasattr(v, "val") else False for v in eqn.invars]
        if not any(mine):
            continue
        inner = next((p for p in eqn.params.values() if hasattr(p, "jaxpr") or hasattr(p, "eqns")), None)
        if inner is not None:
            inner = getattr(inner, "jaxpr", inner)
            if len(inner.invars) != len(mine):
                return eqn.primitive.name, []
            culprit, out = _coupling(inner, mine)
            if culprit is not None:
                return culprit, []
            marked |= {v for v, d in zip(eqn.outvars, out, strict=True) if d}
            continue
        shapes = {v.aval.shape for v, m in zip(eqn.invars, mine, strict=True) if m}
        if eqn.primitive.name not in _ELEMENTWISE or shapes != {v.aval.shape for v in eqn.outvars}:
            return eqn.primitive.name, []
        marked |= set(eqn.outvars)
    return None, [not hasattr(v, "val") and v in marked for v in jaxpr.outvars]
