"""The coefficients of Runge–Kutta methods, exactly: the conditions of Butcher, one for each rooted tree."""

import dataclasses
import functools
import math
from fractions import Fraction

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.integrate import AbstractField, ButcherTableau, ExplicitRungeKutta
from neuropytree.testing import stepper_bank

TABLEAUX = {
    name: stepper.tableau for name, (stepper, _) in stepper_bank().items() if isinstance(stepper, ExplicitRungeKutta)
}
PAIRS = {name: tableau for name, tableau in TABLEAUX.items() if tableau.b_embedded is not None}


@dataclasses.dataclass(frozen=True)
class Surd:
    """p + q sqrt(5), exactly."""

    p: Fraction
    q: Fraction

    def __add__(self, x):
        x = x if isinstance(x, Surd) else Surd(Fraction(x), Fraction(0))
        return Surd(self.p + x.p, self.q + x.q)

    def __mul__(self, x):
        x = x if isinstance(x, Surd) else Surd(Fraction(x), Fraction(0))
        return Surd(self.p * x.p + 5 * self.q * x.q, self.p * x.q + self.q * x.p)

    __radd__, __rmul__ = __add__, __mul__

    def __float__(self):
        return float(self.p) + float(self.q) * math.sqrt(5)


def surd(p, q, over):
    return Surd(Fraction(p, over), Fraction(q, over))


RALSTON4_A = [
    [],
    [Fraction(2, 5)],
    [surd(-2889, 1428, 1024), surd(3785, -1620, 1024)],
    [surd(-3365, 2094, 6040), surd(-975, -3046, 2552), surd(467040, 203968, 240845)],
]
RALSTON4_B = [
    surd(263, 24, 1812),
    surd(125, -1000, 3828),
    surd(1024 * 3346, 1024 * 1623, 5924787),
    surd(30, -4, 123),
]


@functools.cache
def trees(n):
    """The rooted trees with n nodes, each the sorted tuple of its branches."""
    return sorted({tuple(sorted(forest)) for forest in forests(n - 1)})


@functools.cache
def forests(n):
    if n == 0:
        return [()]
    return [(tree, *rest) for k in range(1, n + 1) for tree in trees(k) for rest in forests(n - k)]


def size(tree):
    return 1 + sum(map(size, tree))


def density(tree):
    return size(tree) * math.prod(map(density, tree))


def stage_weights(tree, a):
    """For each stage the product over the branches of what they give below it."""
    branches = [stage_weights(branch, a) for branch in tree]
    out = []
    for row in a:
        weight = Fraction(1)
        for inner in branches:
            weight = weight * sum((x * y for x, y in zip(row, inner[: len(row)], strict=True)), Fraction(0))
        out.append(weight)
    return out


def defects(a, b, order):
    """What is left of the conditions of exactly this order."""
    return [
        sum((x * y for x, y in zip(b, stage_weights(tree, a), strict=True)), Fraction(0)) + Fraction(-1, density(tree))
        for tree in trees(order)
    ]


def test_there_are_as_many_trees_as_there_should_be():
    assert [len(trees(n)) for n in range(1, 7)] == [1, 1, 2, 4, 9, 20]


@pytest.mark.parametrize("name", [n for n in TABLEAUX if n not in ("Ralston4", "RK2(0.7)")])
def test_order_conditions_hold_exactly_and_no_further(name):
    tableau = TABLEAUX[name]
    assert all(isinstance(x, Fraction) for x in (*tableau.b, *sum(tableau.a, ())))
    for weights, order in ((tableau.b, tableau.order), (tableau.b_embedded, tableau.embedded_order)):
        if weights is not None:
            assert all(x == 0 for n in range(1, order + 1) for x in defects(tableau.a, weights, n))
            assert any(x != 0 for x in defects(tableau.a, weights, order + 1))


def test_irrational_and_rounded_coefficients():
    """Ralston's: the closed form is exactly of order 4, and ours is its nearest double; RK2 at a rounded node."""
    zero = Surd(Fraction(0), Fraction(0))
    assert all(zero + x == zero for n in range(1, 5) for x in defects(RALSTON4_A, RALSTON4_B, n))
    assert any(zero + x != zero for x in defects(RALSTON4_A, RALSTON4_B, 5))
    ours = TABLEAUX["Ralston4"]
    for row, exact in zip((*ours.a, ours.b), (*RALSTON4_A, RALSTON4_B), strict=True):
        # two roundings of a difference
        np.testing.assert_allclose(np.array(row, float), np.array(exact, float), rtol=1e-14)
    # as Ralston published them, eight digits
    np.testing.assert_allclose(
        np.array(ours.b, float), [0.17476028, -0.55148066, 1.2055356, 0.17118478], rtol=0, atol=1e-8
    )
    rounded = TABLEAUX["RK2(0.7)"]
    assert all(abs(x) < 1e-15 for n in (1, 2) for x in defects(rounded.a, rounded.b, n))


def test_the_generic_method_of_order_two_has_the_named_ones_in_it():
    for beta, name in (("1/2", "MidPoint"), ("2/3", "Ralston2"), (1, "Heun2")):
        generic = npt.integrate.RK2(beta).tableau
        assert (generic.a, generic.b, generic.c) == (TABLEAUX[name].a, TABLEAUX[name].b, TABLEAUX[name].c)
    assert npt.integrate.RK2().tableau.b == TABLEAUX["Ralston2"].b


def test_coefficients_that_were_once_wrong_elsewhere():
    """Entry 25 of the register: a node of 1/3, an a43 of 4/0, weights of the error in place of the solution's."""
    assert TABLEAUX["RKF45"].c[-1] == Fraction(1, 2)
    bs = TABLEAUX["BogackiShampine"]
    assert bs.a[3][2] == Fraction(4, 9)
    assert bs.b_embedded == (Fraction(7, 24), Fraction(1, 4), Fraction(1, 3), Fraction(1, 8))
    with pytest.raises(ValueError, match="row 5 of a in tableau 'RKF45' add up to 1/2; expected 1/3"):
        dataclasses.replace(TABLEAUX["RKF45"], c=[*TABLEAUX["RKF45"].c[:-1], "1/3"])
    with pytest.raises(ValueError, match="b_embedded in tableau 'BogackiShampine' add up to 0; expected 1"):
        dataclasses.replace(bs, b_embedded=[x - y for x, y in zip(bs.b, bs.b_embedded, strict=True)])


def test_stages_that_only_an_error_needs_are_left_out():
    assert TABLEAUX["DormandPrince"].stages == (0, 1, 2, 3, 4, 5) and TABLEAUX["BogackiShampine"].stages == (0, 1, 2)

    class Counted(AbstractField):
        def vector_field(self, t, y, u):
            calls.append(t)
            return -y

    for name, tableau in TABLEAUX.items():
        calls = []
        ExplicitRungeKutta(tableau).step(Counted(), 0.0, jnp.ones(()), None, 1.0)
        assert calls == [float(tableau.c[n]) for n in tableau.stages], name


def test_zeros_compile_to_nothing():
    """The classical method by hand has as many operations."""

    def by_hand(y):
        def f(x):
            return -jnp.sin(x)

        a = f(y)
        b = f(y + 0.05 * a)
        c = f(y + 0.05 * b)
        d = f(y + 0.1 * c)
        return y + 0.1 / 6 * a + 0.1 / 3 * b + 0.1 / 3 * c + 0.1 / 6 * d

    class Sine(AbstractField):
        def vector_field(self, t, y, u):
            return -jnp.sin(y)

    def ours(y):
        return npt.integrate.RK4().step(Sine(), 0.0, y, None, 0.1)[0]

    count = [len(jax.make_jaxpr(f)(jnp.ones(3)).eqns) for f in (by_hand, ours)]
    assert count[0] == count[1]


@pytest.mark.parametrize("name", PAIRS)
def test_conversion_to_diffrax(name):
    tableau = PAIRS[name]
    solver = tableau.diffrax()
    assert type(tableau.diffrax()) is type(solver)  # one class: programs compiled with it are found again
    converted = type(solver).tableau
    assert converted.fsal and solver.order(None) == tableau.order
    assert solver.error_order(diffrax.ODETerm(lambda t, y, args: y)) == tableau.order
    error = np.array([float(x - y) for x, y in zip(tableau.b, tableau.b_embedded, strict=True)])
    np.testing.assert_array_equal(converted.b_error[: len(error)], error)
    # one step of Diffrax is one step of ours
    term = diffrax.ODETerm(lambda t, y, args: jnp.sin(3 * t) - y**2)
    state = solver.init(term, 0.2, 0.5, jnp.asarray(0.7), None)
    theirs = solver.step(term, 0.2, 0.5, jnp.asarray(0.7), None, state, False)[0]

    class Field(AbstractField):
        def vector_field(self, t, y, u):
            return jnp.sin(3 * t) - y**2

    ours = ExplicitRungeKutta(tableau).step(Field(), 0.2, jnp.asarray(0.7), None, 0.3)[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_the_middle_of_a_step_of_dormand_and_prince_has_order_four():
    tableau = PAIRS["DormandPrince"]
    for n in range(1, 5):
        for tree in trees(n):
            got = sum(x * y for x, y in zip(tableau.b_middle, stage_weights(tree, tableau.a), strict=True))
            assert got == Fraction(1, 2**n * density(tree))


def test_tableaux_that_cannot_be():
    good = {"name": "mine", "order": 2, "c": [0, 1], "a": [[], [1]], "b": ["1/2", "1/2"]}
    assert ButcherTableau(**good).b == (Fraction(1, 2), Fraction(1, 2))
    for change, message in (
        ({"b": ["1/2", "1/3"]}, "the weights b in tableau 'mine' add up to 5/6; expected 1"),
        ({"a": [[], ["1/2"]]}, "row 1 of a in tableau 'mine' add up to 1/2; expected 1"),
        ({"c": [0]}, "has 1 entries in c; expected 2"),
        ({"a": [[1], [1]]}, "have lengths .1, 1.; expected 0, 1, 2"),
        ({"order": 0}, "order of tableau 'mine' is 0; expected a whole number"),
        ({"b_embedded": [1, 0]}, "b_embedded .* and embedded_order None; expected both or neither"),
        ({"b_embedded": [1], "embedded_order": 1}, "has 1 entries in b_embedded"),
        ({"b_middle": [0.5]}, "entries in b_middle"),
        ({"b": [0.5, 0.4]}, "add up to 0.9; expected 1"),
    ):
        with pytest.raises(ValueError, match=message):
            ButcherTableau(**(good | change))
    with pytest.raises(ValueError, match="beta is 0; expected the node"):
        npt.integrate.RK2(0)
    with pytest.raises(TypeError, match="tableau is 'RK4'; expected a ButcherTableau"):
        ExplicitRungeKutta("RK4")
    with pytest.raises(ValueError, match="tableau 'RK4' has no embedded solution, so steps can't adapt"):
        TABLEAUX["RK4"].diffrax()
