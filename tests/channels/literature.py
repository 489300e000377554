# ruff: noqa: E731
"""Every channel as it is printed: rates and conductances as functions of numbers, independent of the library.

A gate is ("ab", alpha, beta, phi) or ("it", steady state, time constant, phi); each is a function of the voltage `v`
and the concentration of calcium `c`. Rates with removable singularities are written as printed, singular.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy import cosh, exp, tanh

Gate = tuple[str, Callable, Callable, float]


@dataclass
class Printed:
    gates: dict[str, Gate]
    conductance: Callable  # of the gates, v, c
    e: str | float  # reversal potential, or the ion that has it
    jumps: tuple[float, ...] = field(default=())  # voltages where a time constant jumps


def constant(x: float) -> Callable:
    return lambda v, c: x + 0 * v


def sodium_tm(sh: float, phi: float = 1.0) -> dict[str, Gate]:
    am = lambda v, c: 0.32 * (13 - (v - sh)) / (exp((13 - (v - sh)) / 4) - 1)
    bm = lambda v, c: 0.28 * ((v - sh) - 40) / (exp(((v - sh) - 40) / 5) - 1)
    ah = lambda v, c: 0.128 * exp((17 - (v - sh)) / 18)
    bh = lambda v, c: 4 / (1 + exp(-((v - sh) - 40) / 5))
    return {"m": ("ab", am, bm, phi), "h": ("ab", ah, bh, phi)}


def potassium_tm(sh: float) -> dict[str, Gate]:
    alpha = lambda v, c: 0.032 * ((v - sh) - 15) / (1 - exp(-((v - sh) - 15) / 5))
    return {"n": ("ab", alpha, lambda v, c: 0.5 * exp(-((v - sh) - 10) / 40), 1.0)}


def a_current(inf: Callable, until: float, plateau: float) -> dict[str, Gate]:
    tau_m = lambda v, c: 1 / (exp((v + 35.8) / 19.7) + exp(-(v + 79.7) / 12.7)) + 0.37
    tau_h = lambda v, c: np.where(v < until, 1 / (exp((v + 46) / 5) + exp(-(v + 238) / 37.5)), plateau)
    return {"m": ("it", inf, tau_m, 1.0), "h": ("it", lambda v, c: 1 / (1 + exp((v + 78) / 6)), tau_h, 1.0)}


def k2(slow: bool) -> dict[str, Gate]:
    tau_m = lambda v, c: 1 / (exp((v - 81) / 25.6) + exp(-(v + 132) / 18)) + 9.9
    tau = lambda v, c: 1 / (exp((v - 1329) / 200) + exp(-(v + 130) / 7.1)) + 120
    tau_h = (lambda v, c: np.where(v < -70, tau(v, c), 8930.0)) if slow else tau
    inf_h = lambda v, c: 1 / (1 + exp((v + 58) / 10.6))
    return {"m": ("it", lambda v, c: (1 + exp(-(v + 43) / 17)) ** -4, tau_m, 1.0), "h": ("it", inf_h, tau_h, 1.0)}


def t_current(sh: float) -> dict[str, Gate]:
    tau_m = lambda v, c: 0.612 + 1 / (exp(-(v - sh + 132) / 16.7) + exp((v - sh + 16.8) / 18.2))
    tau_h = lambda v, c: np.where(v - sh < -80, exp((v - sh + 467) / 66.6), 28 + exp(-(v - sh + 22) / 10.5))
    return {
        "m": ("it", lambda v, c: 1 / (1 + exp(-(v - sh + 59) / 6.2)), tau_m, 3.55**1.2),
        "h": ("it", lambda v, c: 1 / (1 + exp((v - sh + 83) / 4)), tau_h, 3.0**1.2),
    }


M3H = lambda g: lambda x, v, c: g * x["m"] ** 3 * x["h"]
M4H = lambda g: lambda x, v, c: g * x["m"] ** 4 * x["h"]
M2H = lambda g: lambda x, v, c: g * x["m"] ** 2 * x["h"]
N4 = lambda g: lambda x, v, c: g * x["n"] ** 4
M1 = lambda g: lambda x, v, c: g * x["m"]


def m_of_pinsky(u):
    alpha = 0.32 * (13.1 - u) / (exp((13.1 - u) / 4) - 1)
    return alpha / (alpha + 0.28 * (u - 40.1) / (exp((u - 40.1) / 5) - 1))


def slow_of_traub(v):
    return 2 * exp((6.5 - v - 60) / 27)


PRINTED = {
    "INa_Ba2002": Printed(sodium_tm(-50.0), M3H(90.0), "na"),
    "INa_TM1991": Printed(sodium_tm(-63.0), M3H(120.0), "na"),
    "INa_HH1952": Printed(
        {
            "m": (
                "ab",
                lambda v, c: 0.1 * (v + 40) / (1 - exp(-(v + 40) / 10)),
                lambda v, c: 4 * exp(-(v + 65) / 18),
                1.0,
            ),
            "h": ("ab", lambda v, c: 0.07 * exp(-(v + 65) / 20), lambda v, c: 1 / (1 + exp(-(v + 35) / 10)), 1.0),
        },
        M3H(120.0),
        "na",
    ),
    "INa_WB1996": Printed(
        {"h": ("ab", lambda v, c: 0.07 * exp(-(v + 58) / 20), lambda v, c: 1 / (1 + exp(-0.1 * (v + 28))), 5.0)},
        lambda x, v, c: (
            35.0 * x["h"] * (1 + 4 * exp(-(v + 60) / 18) * (1 - exp(-0.1 * (v + 35))) / (0.1 * (v + 35))) ** -3
        ),
        "na",
    ),
    "INa_CS1977": Printed(
        {
            "m": (
                "ab",
                lambda v, c: 0.38 * (v + 29.7) / (1 - exp(-0.1 * (v + 29.7))),
                lambda v, c: 15.2 * exp(-0.0556 * (v + 54.7)),
                1.0,
            ),
            "h": ("ab", lambda v, c: 0.266 * exp(-0.05 * (v + 48)), lambda v, c: 3.8 / (1 + exp(-0.1 * (v + 18))), 1.0),
        },
        M3H(120.0),
        "na",
    ),
    "IKDR_Ba2002": Printed(potassium_tm(-50.0), N4(10.0), "k"),
    "IK_TM1991": Printed(potassium_tm(-60.0), N4(10.0), "k"),
    "IK_HH1952": Printed(
        {
            "n": (
                "ab",
                lambda v, c: 0.01 * (v + 55) / (1 - exp(-(v + 55) / 10)),
                lambda v, c: 0.125 * exp(-(v + 65) / 80),
                1.0,
            )
        },
        N4(10.0),
        "k",
    ),
    "IK_WB1996": Printed(
        {
            "n": (
                "ab",
                lambda v, c: 0.01 * (v + 34) / (1 - exp(-0.1 * (v + 34))),
                lambda v, c: 0.125 * exp(-(v + 44) / 80),
                5.0,
            )
        },
        N4(9.0),
        "k",
    ),
    "IK_CS1977": Printed(
        {
            "n": (
                "ab",
                lambda v, c: 0.02 * (v + 45.7) / (1 - exp(-0.1 * (v + 45.7))),
                lambda v, c: 0.25 * exp(-0.0125 * (v + 55.7)),
                1.0,
            )
        },
        N4(20.0),
        "k",
    ),
    "IK_ML1981": Printed(
        {"n": ("it", lambda v, c: 0.5 * (1 + tanh((v - 2) / 30)), lambda v, c: 1 / (0.04 * cosh((v - 2) / 60)), 1.0)},
        lambda x, v, c: 8.0 * x["n"],
        "k",
    ),
    "IKA1_HM1992": Printed(a_current(lambda v, c: 1 / (1 + exp(-(v + 60) / 8.5)), -63, 19.0), M4H(30.0), "k", (-63.0,)),
    "IKA2_HM1992": Printed(a_current(lambda v, c: 1 / (1 + exp(-(v + 36) / 20)), -73, 60.0), M4H(20.0), "k", (-73.0,)),
    "IKA_CS1977": Printed(
        {
            "m": (
                "it",
                lambda v, c: (0.0761 * exp(0.0314 * (v + 94.22)) / (1 + exp(0.0346 * (v + 1.17)))) ** (1 / 3),
                lambda v, c: 0.3632 + 1.158 / (1 + exp(0.0497 * (v + 55.96))),
                1.0,
            ),
            "h": (
                "it",
                lambda v, c: (1 / (1 + exp(0.0688 * (v + 53.3)))) ** 4,
                lambda v, c: 1.24 + 2.678 / (1 + exp(0.0624 * (v + 50))),
                1.0,
            ),
        },
        M3H(47.7),
        "k",
    ),
    "IKK2A_HM1992": Printed(k2(False), lambda x, v, c: 10.0 * x["m"] * x["h"], "k"),
    "IKK2B_HM1992": Printed(k2(True), lambda x, v, c: 10.0 * x["m"] * x["h"], "k", (-70.0,)),
    "IKNI_Ya1989": Printed(
        {
            "m": (
                "it",
                lambda v, c: 1 / (1 + exp(-(v + 35) / 10)),
                lambda v, c: 4000 / (3.3 * exp((v + 35) / 20) + exp(-(v + 35) / 20)),
                1.0,
            )
        },
        M1(0.004),
        "k",
    ),
    "IKLeak": Printed({}, lambda x, v, c: 0.005 + 0 * v, "k"),
    "IL": Printed({}, lambda x, v, c: 0.1 + 0 * v, -70.0),
    "IAHP_De1994": Printed(
        {"m": ("ab", lambda v, c: 48 * c**2 + 0 * v, constant(0.03), 1.0)}, lambda x, v, c: 10.0 * x["m"] ** 2, "k"
    ),
    "ICaT_HM1992": Printed(t_current(-3.0), M2H(2.0), "ca", (-83.0,)),
    "ICaHT_HM1992": Printed(t_current(25.0), M2H(2.0), "ca", (-55.0,)),
    "ICaT_De1996": Printed(
        {
            "h": (
                "it",
                lambda v, c: 1 / (1 + exp((v + 83) / 4)),
                lambda v, c: 30.8 + (211.4 + exp((v + 2 + 113.2) / 5)) / (1 + exp((v + 2 + 84) / 3.2)),
                3.0**1.2,
            )
        },
        lambda x, v, c: 2.0 / (1 + exp(-(v + 2 + 57) / 6.2)) ** 2 * x["h"],
        "ca",
    ),
    "ICaT_HP1992": Printed(
        {
            "m": (
                "it",
                lambda v, c: 1 / (1 + exp(-(v + 55) / 7.4)),
                lambda v, c: 3 + 1 / (exp((v + 30) / 10) + exp(-(v + 105) / 15)),
                5.0**1.2,
            ),
            "h": (
                "it",
                lambda v, c: 1 / (1 + exp((v + 83) / 5)),
                lambda v, c: 85 + 1 / (exp((v + 51) / 4) + exp(-(v + 410) / 50)),
                3.0**1.2,
            ),
        },
        M2H(1.75),
        "ca",
    ),
    "ICaHT_Re1993": Printed(
        {
            "m": (
                "ab",
                lambda v, c: 0.055 * (-27 - v) / (exp((-27 - v) / 3.8) - 1),
                lambda v, c: 0.94 * exp((-75 - v) / 17),
                2.3**1.3,
            ),
            "h": (
                "ab",
                lambda v, c: 0.000457 * exp((-13 - v) / 50),
                lambda v, c: 0.0065 / (exp((-15 - v) / 28) + 1),
                2.3**1.3,
            ),
        },
        M2H(1.0),
        "ca",
    ),
    "ICaL_IS2008": Printed(
        {
            "m": (
                "it",
                lambda v, c: 1 / (1 + exp(-(v + 10) / 4)),
                lambda v, c: 0.4 + 0.7 / (exp(-(v + 5) / 15) + exp((v + 5) / 15)),
                3.55**1.2,
            ),
            "h": (
                "it",
                lambda v, c: 1 / (1 + exp((v + 25) / 2)),
                lambda v, c: 300 + 100 / (exp((v + 40) / 9.5) + exp(-(v + 40) / 9.5)),
                3.0**1.2,
            ),
        },
        M2H(1.0),
        "ca",
    ),
    "ICaN_IS2008": Printed(
        {
            "m": (
                "it",
                lambda v, c: 1 / (1 + exp(-(v + 43) / 5.2)),
                lambda v, c: 1.6 + 2.7 / (exp(-(v + 55) / 15) + exp((v + 55) / 15)),
                1.0,
            )
        },
        lambda x, v, c: 1.0 * c / (c + 0.2) * x["m"],
        10.0,
    ),
    "ICa_ML1981": Printed({}, lambda x, v, c: 4.4 * 0.5 * (1 + tanh((v + 1.2) / 18)), "ca"),
    "Ih_HM1992": Printed(
        {
            "m": (
                "it",
                lambda v, c: 1 / (1 + exp((v + 75) / 5.5)),
                lambda v, c: 1 / (exp(-0.086 * v - 14.59) + exp(0.0701 * v - 1.87)),
                1.0,
            )
        },
        M1(10.0),
        -43.0,
    ),
    # u = v + 60
    "INa_PR1994": Printed(
        {"h": ("ab", lambda v, c: 0.128 * exp((17 - v - 60) / 18), lambda v, c: 4 / (1 + exp((40 - v - 60) / 5)), 1.0)},
        lambda x, v, c: 30.0 * m_of_pinsky(v + 60) ** 2 * x["h"],
        "na",
    ),
    "IK_PR1994": Printed(
        {
            "n": (
                "ab",
                lambda v, c: 0.016 * (35.1 - v - 60) / (exp((35.1 - v - 60) / 5) - 1),
                lambda v, c: 0.25 * exp(0.5 - 0.025 * (v + 60)),
                1.0,
            )
        },
        lambda x, v, c: 15.0 * x["n"],
        "k",
    ),
    "ICa_PR1994": Printed(
        {
            "s": (
                "ab",
                lambda v, c: 1.6 / (1 + exp(-0.072 * (v + 60 - 65))),
                lambda v, c: 0.02 * (v + 60 - 51.1) / (exp((v + 60 - 51.1) / 5) - 1),
                1.0,
            )
        },
        lambda x, v, c: 10.0 * x["s"] ** 2,
        "ca",
    ),
    "IKC_PR1994": Printed(
        {
            "c": (
                "ab",
                lambda v, c: np.where(v <= -10, exp((v + 50) / 11 - (v + 53.5) / 27) / 18.975, slow_of_traub(v)),
                lambda v, c: np.where(v <= -10, slow_of_traub(v) - exp((v + 50) / 11 - (v + 53.5) / 27) / 18.975, 0.0),
                1.0,
            )
        },
        lambda x, v, c: 15.0 * x["c"] * np.minimum(c / 250, 1.0),
        "k",
        (-10.0,),
    ),
    "IAHP_PR1994": Printed(
        {"q": ("ab", lambda v, c: np.minimum(2e-5 * c, 0.01) + 0 * v, constant(0.001), 1.0)},
        lambda x, v, c: 0.8 * x["q"],
        "k",
    ),
}


def h_of_destexhe(v, c, x):
    """The derivatives of the three gates of Ih_De1996, whose scheme couples them."""
    tau = (20 + 1000 / (exp((v + 71.5) / 14.2) + exp(-(v + 89) / 11.6))) / 3**1.2
    inf = 1 / (1 + exp((v + 75) / 5.5))
    k1, k2, k3, k4 = 4e-4 / 0.002**4, 4e-4, 0.1, 1e-3
    o, locked, p = x
    closed = 1 - o - locked
    return [
        inf / tau * closed - (1 - inf) / tau * o - k3 * p * o + k4 * locked,
        k3 * p * o - k4 * locked,
        k1 * c**4 * (1 - p) - k2 * p,
    ]


def slopes(gate: Gate, v, c, x):
    """The derivative of a gate at `x`."""
    kind, one, two, phi = gate
    if kind == "ab":
        return phi * (one(v, c) * (1 - x) - two(v, c) * x)
    return phi * (one(v, c) - x) / two(v, c)


def rate_and_rest(gate: Gate, v, c):
    """How fast a gate relaxes (1/ms), and where to."""
    kind, one, two, phi = gate
    if kind == "ab":
        return phi * (one(v, c) + two(v, c)), one(v, c) / (one(v, c) + two(v, c))
    return phi / two(v, c), one(v, c)
