"""Embedded Runge–Kutta pairs: methods with an estimate of their error.

With a fixed step each is the method of its higher order (local extrapolation). `Adaptive` chooses the step by the
difference of the two.
"""

from ._explicit import ExplicitRungeKutta
from ._tableau import ButcherTableau


def _pair(name: str, order: int, c: str, *a: str, b: str, b_embedded: str, b_middle: str = "") -> ExplicitRungeKutta:
    """Coefficients as they stand in a table: the rows of `a` from the second stage on."""
    rows = [row.split() for row in ("", *a)]
    middle = b_middle.split() or None
    return ExplicitRungeKutta(
        ButcherTableau(name, order, c.split(), rows, b.split(), b_embedded.split(), order - 1, middle)
    )


def HeunEuler() -> ExplicitRungeKutta:
    """Heun's method with Euler's embedded; order 2(1), two stages.

    Source: Heun 1900, Z. Math. Phys. 45:23; Hairer, Nørsett & Wanner 1993, doi:10.1007/978-3-540-78862-1.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.HeunEuler(), rtol=1e-3, atol=1e-3)
        ```
    """
    return _pair("HeunEuler", 2, "0 1", "1", b="1/2 1/2", b_embedded="1 0")


def RKF12() -> ExplicitRungeKutta:
    """Fehlberg's pair of orders 1 and 2, three stages. The solution is the one of order 2.

    Fehlberg went on with the solution of the lower order. Its error is so small, by design, that the difference of the
    two tells the error only where steps are far below every time constant: `HeunEuler` and `BogackiShampine` keep to a
    tolerance where this pair doesn't.

    Source: Fehlberg 1969, NASA TR R-315.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.RKF12(), rtol=1e-3, atol=1e-3)
        ```
    """
    return _pair(
        "RKF12",
        2,
        "0 1/2 1",
        "1/2",
        "1/256 255/256",
        b="1/512 255/256 1/512",
        b_embedded="1/256 255/256 0",
    )


def BogackiShampine() -> ExplicitRungeKutta:
    r"""The pair of Bogacki and Shampine; order 3(2), four stages of which one is the next step's first.

    Without the embedded solution it is `Ralston3`. BrainPy once had 4/0 for $a_{43} = 4/9$.

    Source: Bogacki & Shampine 1989, doi:10.1016/0893-9659(89)90079-7.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.BogackiShampine(), rtol=1e-4, atol=1e-4)
        ```
    """
    return _pair(
        "BogackiShampine",
        3,
        "0 1/2 3/4 1",
        "1/2",
        "0 3/4",
        "2/9 1/3 4/9",
        b="2/9 1/3 4/9 0",
        b_embedded="7/24 1/4 1/3 1/8",
    )


def RKF45() -> ExplicitRungeKutta:
    r"""Fehlberg's pair of orders 4 and 5, six stages. The solution is the one of order 5.

    Fehlberg went on with the solution of the lower order. The last node is 1/2; BrainPy once had 1/3.

    Source: Fehlberg 1969, NASA TR R-315; Fehlberg 1970, doi:10.1007/BF02241732; Hairer, Nørsett & Wanner 1993,
    doi:10.1007/978-3-540-78862-1, table II.5.1.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.RKF45(), rtol=1e-6, atol=1e-6)
        ```
    """
    return _pair(
        "RKF45",
        5,
        "0 1/4 3/8 12/13 1 1/2",
        "1/4",
        "3/32 9/32",
        "1932/2197 -7200/2197 7296/2197",
        "439/216 -8 3680/513 -845/4104",
        "-8/27 2 -3544/2565 1859/4104 -11/40",
        b="16/135 0 6656/12825 28561/56430 -9/50 2/55",
        b_embedded="25/216 0 1408/2565 2197/4104 -1/5 0",
    )


def CashKarp() -> ExplicitRungeKutta:
    """The pair of Cash and Karp; order 5(4), six stages. Solutions of still lower order, which they give, aren't used.

    Source: Cash & Karp 1990, doi:10.1145/79505.79507.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.CashKarp(), rtol=1e-6, atol=1e-6)
        ```
    """
    return _pair(
        "CashKarp",
        5,
        "0 1/5 3/10 3/5 1 7/8",
        "1/5",
        "3/40 9/40",
        "3/10 -9/10 6/5",
        "-11/54 5/2 -70/27 35/27",
        "1631/55296 175/512 575/13824 44275/110592 253/4096",
        b="37/378 0 250/621 125/594 0 512/1771",
        b_embedded="2825/27648 0 18575/48384 13525/55296 277/14336 1/4",
    )


def DormandPrince() -> ExplicitRungeKutta:
    """The pair of Dormand and Prince; order 5(4), seven stages of which one is the next step's first.

    Dense output is of order 4. `diffrax.Dopri5` is the same method with another embedded solution.

    Source: Dormand & Prince 1980, doi:10.1016/0771-050X(80)90013-3; dense output: Hairer, Nørsett & Wanner 1993,
    doi:10.1007/978-3-540-78862-1, section II.6.

    !!! example

        ```python
        import neuropytree as npt
        stepper = npt.integrate.Adaptive(npt.integrate.DormandPrince(), rtol=1e-6, atol=1e-6)
        ```
    """
    return _pair(
        "DormandPrince",
        5,
        "0 1/5 3/10 4/5 8/9 1 1",
        "1/5",
        "3/40 9/40",
        "44/45 -56/15 32/9",
        "19372/6561 -25360/2187 64448/6561 -212/729",
        "9017/3168 -355/33 46732/5247 49/176 -5103/18656",
        "35/384 0 500/1113 125/192 -2187/6784 11/84",
        b="35/384 0 500/1113 125/192 -2187/6784 11/84 0",
        b_embedded="5179/57600 0 7571/16695 393/640 -92097/339200 187/2100 1/40",
        # the continuous extension at the middle
        b_middle="6025192743/60171106304 0 51252292925/130801643196 -2691868925/90256659456 "
        "187940372067/3189068634112 -1776094331/39487288512 11237099/470086768",
    )
