"""Runge–Kutta methods as data."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from .._arguments import whole

if TYPE_CHECKING:
    import diffrax

Number = Fraction | float
Numbers = Sequence[Number | int | str]


@dataclasses.dataclass(frozen=True)
class ButcherTableau:
    r"""The coefficients of an explicit Runge–Kutta method,

    $$k_i = f\Big(t + c_i \Delta t,\; y + \Delta t \sum_{j < i} a_{ij} k_j\Big), \qquad y(t + \Delta t) = y + \Delta t
    \sum_i b_i k_i.$$

    Coefficients are exact: whole numbers, `fractions.Fraction`, or what `Fraction` reads, such as `"1/3"`. Floats stay
    floats.

    **Arguments:**

    - `name`: as it stands in messages.
    - `order`: of the solution with weights `b`.
    - `c`: nodes, the first of them 0.
    - `a`: rows of the strict lower triangle; the row of stage $i$ (counted from 0) has $i$ entries.
    - `b`: weights.
    - `b_embedded`: weights $\hat b$ of the embedded solution, whose difference from the other is the estimate of the
      error; `None` for none.
    - `embedded_order`: order of the solution with weights $\hat b$.
    - `b_middle`: weights of the solution at $t + \Delta t / 2$, one more than stages where the last stage isn't at the
      end of the step (the one more is for the derivative there). With them dense output is a quartic, else a cubic.

    **Raises:** `ValueError` for lengths that don't fit, weights that don't add up to 1, or a row of `a` that doesn't
    add up to its node.

    Source: Butcher 1963, doi:10.1017/S1446788700027932; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1.

    !!! example

        ```python
        import neuropytree as npt
        tableau = npt.integrate.ButcherTableau("Heun", 2, c=[0, 1], a=[[], [1]], b=["1/2", "1/2"])
        stepper = npt.integrate.ExplicitRungeKutta(tableau)
        ```
    """

    name: str
    order: int
    c: Numbers
    a: Sequence[Numbers]
    b: Numbers
    b_embedded: Numbers | None = None
    embedded_order: int | None = None
    b_middle: Numbers | None = None

    def __post_init__(self) -> None:
        def put(field: str, value: Any) -> None:
            object.__setattr__(self, field, value)

        if not isinstance(self.name, str):
            raise TypeError(f"name is {self.name!r}; expected a string")
        put("c", _exact(self.c, "c"))
        if isinstance(self.a, str) or not isinstance(self.a, Sequence):
            raise TypeError(f"a is {self.a!r}; expected a list of rows")
        put("a", tuple(_exact(row, "a row of a") for row in self.a))
        put("b", _exact(self.b, "b"))
        for field in ("b_embedded", "b_middle"):
            weights = getattr(self, field)
            put(field, None if weights is None else _exact(weights, field))
        self._check_lengths()
        _check_sum(self, "the weights b", self.b, 1)
        if self.b_embedded is not None:
            _check_sum(self, "the weights b_embedded", self.b_embedded, 1)
        if self.b_middle is not None:
            _check_sum(self, "the weights b_middle", self.b_middle, Fraction(1, 2))
        for n, (row, node) in enumerate(zip(self.a, self.c, strict=True)):
            _check_sum(self, f"row {n} of a", row, node)

    def _check_lengths(self) -> None:
        stages = len(self.b)
        whole(self.order, f"order of tableau '{self.name}'", least=1)
        lengths = {"c": len(self.c), "a": len(self.a), "b_embedded": len(self.b_embedded or self.b)}
        for field, length in lengths.items():
            if length != stages:
                raise ValueError(f"tableau '{self.name}' has {length} entries in {field}; expected {stages}, as in b")
        rows = [len(row) for row in self.a]
        if rows != list(range(stages)):
            raise ValueError(f"the rows of a in tableau '{self.name}' have lengths {rows}; expected 0, 1, 2, ...")
        if (self.b_embedded is None) != (self.embedded_order is None):
            raise ValueError(
                f"tableau '{self.name}' has b_embedded {self.b_embedded} and embedded_order {self.embedded_order!r}; "
                "expected both or neither"
            )
        if self.embedded_order is not None:
            whole(self.embedded_order, f"embedded_order of tableau '{self.name}'", least=1)
        want = stages + (not self.ends_at_the_solution)
        if self.b_middle is not None and len(self.b_middle) != want:
            raise ValueError(f"tableau '{self.name}' has {len(self.b_middle)} entries in b_middle; expected {want}")

    @property
    def stages(self) -> tuple[int, ...]:
        """The stages that the solution needs: an embedded one may need others too."""
        needed: set[int] = set()
        for n in range(len(self.b) - 1, -1, -1):
            if self.b[n] or any(self.a[m][n] for m in needed):
                needed.add(n)
        return tuple(sorted(needed))

    @property
    def ends_at_the_solution(self) -> bool:
        """Whether the last stage is the derivative at the end of the step (first same as last)."""
        return len(self.b) > 1 and tuple(self.a[-1]) == tuple(self.b[:-1]) and not self.b[-1]

    def diffrax(self) -> "diffrax.AbstractERK":
        """The pair as a solver of Diffrax, for adaptive steps.

        Where the last stage isn't at the end of the step, one more is added there. It costs nothing, since it is the
        first of the next step, and gives the derivative that dense output needs.

        **Raises:** `ValueError` where there is no embedded solution.

        !!! example

            ```python
            import diffrax, neuropytree as npt
            solver = npt.integrate.RKF45().tableau.diffrax()
            sol = diffrax.diffeqsolve(diffrax.ODETerm(lambda t, y, args: -y), solver, 0.0, 1.0, 0.1, 1.0,
                                      stepsize_controller=diffrax.PIDController(rtol=1e-5, atol=1e-5))
            ```
        """
        if self.b_embedded is None:
            raise ValueError(
                f"tableau '{self.name}' has no embedded solution, so steps can't adapt; take one that has, such as "
                "DormandPrince, BogackiShampine or RKF45"
            )
        return _erk(self)()


def _exact(numbers: Any, name: str) -> tuple[Number, ...]:
    """**Raises:** `TypeError` unless these are numbers."""
    try:
        if isinstance(numbers, str):
            raise TypeError
        exact = tuple(x if isinstance(x, float) else Fraction(x) for x in numbers)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {numbers!r}; expected numbers, or strings such as '1/3'") from None
    if not all(map(math.isfinite, exact)):
        raise ValueError(f"{name} is {numbers!r}; expected finite numbers")
    return exact


def _check_sum(tableau: ButcherTableau, what: str, numbers: Numbers, total: Any) -> None:
    got = sum(numbers)  # pyright: ignore[reportArgumentType, reportCallIssue]
    # exact for fractions; irrational coefficients are rounded to floats
    if got != total and abs(float(got) - float(total)) > (1e-13 if isinstance(got, float) else 0):
        raise ValueError(f"{what} in tableau '{tableau.name}' add up to {got}; expected {total}")


@functools.cache
def _erk(tableau: ButcherTableau) -> Any:
    """The class of the Diffrax solver. One for each tableau, so that programs compiled with it are found again."""
    import diffrax
    import numpy as np

    a, b, c, b_hat = (cast(Any, x) for x in (tableau.a, tableau.b, tableau.c, tableau.b_embedded))
    assert b_hat is not None and tableau.embedded_order is not None
    if not tableau.ends_at_the_solution:
        a, b, c, b_hat = (*a, b), (*b, 0), (*c, 1), (*b_hat, 0)

    def floats(numbers: Any) -> Any:
        return np.array([float(x) for x in numbers])

    converted = diffrax.ButcherTableau(
        c=floats(c[1:]),
        b_sol=floats(b),
        b_error=floats([x - y for x, y in zip(b, b_hat, strict=True)]),
        a_lower=tuple(floats(row) for row in a[1:]),
    )
    interpolation: Any = diffrax.ThirdOrderHermitePolynomialInterpolation.from_k
    if tableau.b_middle is not None:
        middle = floats(tableau.b_middle)

        class Quartic(diffrax.FourthOrderPolynomialInterpolation):
            c_mid = middle

        interpolation = Quartic
    order, error_order = tableau.order, min(tableau.order, tableau.embedded_order) + 1

    class Solver(diffrax.AbstractERK):
        tableau = converted
        interpolation_cls = interpolation

        def order(self, terms: Any) -> int:
            del terms
            return order

        def error_order(self, terms: Any) -> int:
            del terms
            return error_order

    Solver.__name__ = Solver.__qualname__ = tableau.name
    return Solver
