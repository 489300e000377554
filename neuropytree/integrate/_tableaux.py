"""The explicit Runge–Kutta methods without an error estimate that have a name."""

import math
from fractions import Fraction

from ._explicit import ExplicitRungeKutta
from ._tableau import ButcherTableau


def _method(name: str, order: int, c: str, *a: str, b: str) -> ExplicitRungeKutta:
    """Coefficients as they stand in a table: the rows of `a` from the second stage on."""
    rows = [row.split() for row in ("", *a)]
    return ExplicitRungeKutta(ButcherTableau(name, order, c=c.split(), a=rows, b=b.split()))


def Euler() -> ExplicitRungeKutta:
    r"""Forward Euler, $y + \Delta t\, f(t, y)$; order 1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Euler())
        ```
    """
    return _method("Euler", 1, "0", b="1")


def MidPoint() -> ExplicitRungeKutta:
    r"""The explicit midpoint method, $y + \Delta t\, f(t + \Delta t/2,\, y + \tfrac{\Delta t}{2} f(t, y))$; order 2.

    Source: Runge 1895, doi:10.1007/BF01446807.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.MidPoint())
        ```
    """
    return _method("MidPoint", 2, "0 1/2", "1/2", b="0 1")


def Heun2() -> ExplicitRungeKutta:
    """Heun's method, the explicit trapezoidal rule; order 2.

    Source: Heun 1900, Z. Math. Phys. 45:23; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Heun2())
        ```
    """
    return _method("Heun2", 2, "0 1", "1", b="1/2 1/2")


def Ralston2() -> ExplicitRungeKutta:
    """Ralston's method, whose bound on the local error is the least of order 2 with two stages.

    Source: Ralston 1962, doi:10.1090/S0025-5718-1962-0150954-0.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Ralston2())
        ```
    """
    return _method("Ralston2", 2, "0 2/3", "2/3", b="1/4 3/4")


def RK2(beta: float | Fraction | str = Fraction(2, 3)) -> ExplicitRungeKutta:
    r"""The methods of order 2 with two stages.

    Their nodes are $0, \beta$ and their weights $1 - \tfrac{1}{2\beta}, \tfrac{1}{2\beta}$. With $\beta = \tfrac12$ it
    is `MidPoint`, with $\tfrac23$ `Ralston2`, with $1$ `Heun2`.

    **Arguments:**

    - `beta`: node of the second stage, not 0. Exact as a `Fraction` or a string.

    **Raises:** `ValueError` for `beta` 0.

    Source: Butcher 2016, doi:10.1002/9781119121534.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.RK2(beta="3/4"))
        ```
    """
    expected = f"beta is {beta!r}; expected the node of the second stage, which isn't 0"
    try:
        node = beta if isinstance(beta, float) else Fraction(beta)
    except (TypeError, ValueError):
        raise TypeError(expected) from None
    if not node or not math.isfinite(node):
        raise ValueError(expected)
    last = 1 / (2 * node)
    return ExplicitRungeKutta(ButcherTableau(f"RK2({beta})", 2, c=[0, node], a=[[], [node]], b=[1 - last, last]))


def RK3() -> ExplicitRungeKutta:
    """Kutta's method of order 3.

    Source: Kutta 1901, Z. Math. Phys. 46:435; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.RK3())
        ```
    """
    return _method("RK3", 3, "0 1/2 1", "1/2", "-1 2", b="1/6 2/3 1/6")


def Heun3() -> ExplicitRungeKutta:
    """Heun's method of order 3.

    Source: Heun 1900, Z. Math. Phys. 45:23; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Heun3())
        ```
    """
    return _method("Heun3", 3, "0 1/3 2/3", "1/3", "0 2/3", b="1/4 0 3/4")


def Ralston3() -> ExplicitRungeKutta:
    """Ralston's method of order 3, whose bound on the local error is the least with three stages.

    Source: Ralston 1962, doi:10.1090/S0025-5718-1962-0150954-0.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Ralston3())
        ```
    """
    return _method("Ralston3", 3, "0 1/2 3/4", "1/2", "0 3/4", b="2/9 1/3 4/9")


def SSPRK3() -> ExplicitRungeKutta:
    """The method of Shu and Osher, strong-stability-preserving; order 3.

    A convex combination of Euler steps: what one Euler step of `dt` doesn't enlarge, it doesn't either.

    Source: Shu & Osher 1988, doi:10.1016/0021-9991(88)90177-5.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.SSPRK3())
        ```
    """
    return _method("SSPRK3", 3, "0 1 1/2", "1", "1/4 1/4", b="1/6 1/6 2/3")


def RK4() -> ExplicitRungeKutta:
    """The classical Runge–Kutta method; order 4.

    Source: Kutta 1901, Z. Math. Phys. 46:435; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1, table
    II.1.2.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.RK4())
        ```
    """
    return _method("RK4", 4, "0 1/2 1/2 1", "1/2", "0 1/2", "0 0 1", b="1/6 1/3 1/3 1/6")


def RK4Rule38() -> ExplicitRungeKutta:
    """Kutta's 3/8 rule; order 4.

    Source: Kutta 1901, Z. Math. Phys. 46:435; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1, table
    II.1.2.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.RK4Rule38())
        ```
    """
    return _method("RK4Rule38", 4, "0 1/3 2/3 1", "1/3", "-1/3 1", "1 -1 1", b="1/8 3/8 3/8 1/8")


def Ralston4() -> ExplicitRungeKutta:
    r"""Ralston's method of order 4, whose bound on the local error is the least with four stages.

    Its coefficients are irrational, in $\sqrt 5$; here they have all digits of a double.

    Source: Ralston 1962, doi:10.1090/S0025-5718-1962-0150954-0.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, stepper=npt.integrate.Ralston4())
        ```
    """
    s = math.sqrt(5)
    c3 = (14 - 3 * s) / 16
    row3 = [(-2889 + 1428 * s) / 1024, (3785 - 1620 * s) / 1024]
    row4 = [(-3365 + 2094 * s) / 6040, (-975 - 3046 * s) / 2552, (467040 + 203968 * s) / 240845]
    b = [(263 + 24 * s) / 1812, (125 - 1000 * s) / 3828, 1024 * (3346 + 1623 * s) / 5924787, (30 - 4 * s) / 123]
    return ExplicitRungeKutta(ButcherTableau("Ralston4", 4, c=[0, "2/5", c3, 1], a=[[], ["2/5"], row3, row4], b=b))
