"""The line that `integrate.secant` holds over a step, against its formula, and its derivatives against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

DT, LEAK, REST, MOST, HALF, WIDTH, E = 0.05, 0.1, -65.0, 200.0, -30.0, 5.0, 50.0
EXTRA = npt.integrate.Linear(jnp.asarray(-3.0), jnp.asarray(-3.0 * 20))
V = np.linspace(-90.0, 60.0, 301)


def conductance(v, xp=np):
    return MOST / (1 + xp.exp(-(v - HALF) / WIDTH))


def line(v, extra=None):
    """For sodium that opens at once and a leak."""

    def moving(v):
        g = conductance(v, jnp)
        return npt.integrate.Linear(-g, g * E)

    fixed = npt.integrate.Linear(jnp.asarray(-LEAK), jnp.asarray(LEAK * REST))
    return npt.integrate.secant(fixed, moving, v, DT, extra=extra)


def by_formula(v, pull=0.0, push=0.0):
    """That of the docstring; `pull` and `push` are of what moves the voltage to the middle beside it."""

    def f(v):
        return conductance(v) * (E - v) + LEAK * (REST - v)

    G = conductance(v) + LEAK
    middle = v + DT / 2 * (f(v) + push - pull * v) / (1 + (G + pull) * DT / 2)
    slope = (f(v) - f(middle)) / (middle - v)
    there = conductance(middle) + LEAK
    bound = np.minimum(there, 2 * there - 2 / DT)
    rate = np.maximum(np.maximum(slope, bound), 0)
    which = np.select(
        [rate == slope, (rate == bound) & (there < 2 / DT), rate == bound], ["slope", "2G - 2/dt", "G"], "0"
    )
    return middle, f(middle), rate, which


@pytest.mark.parametrize("extra", [None, EXTRA], ids=["alone", "with extra"])
def test_it_is_the_line_of_the_formula_whichever_bound_holds(extra):
    with jax.enable_x64(True):
        held = line(jnp.asarray(V), extra)
        middle, f, rate, which = by_formula(V, *((3.0, -60.0) if extra is not None else ()))
        assert set(which) == {"slope", "2G - 2/dt", "G", "0"}
        sloping = which != "0"  # where there is none, a rate that is none in the last digits stands for it
        np.testing.assert_allclose(held.rate[sloping], rate[sloping], rtol=1e-8)
        assert (np.asarray(held.rate[~sloping]) * DT < 1e-7).all()
        np.testing.assert_allclose(held.rate * (held.rest - middle), f, rtol=1e-6, atol=1e-9)


def test_no_step_along_it_leaves_the_reversal_potentials():
    for dtype in (np.float32, np.float64):
        with jax.enable_x64(dtype is np.float64):
            v = jnp.asarray(V[(V > REST) & (V < E)], dtype)
            step = jax.jit(lambda v: npt.integrate.relaxed(v, line(v), DT))
            for _ in range(50):
                v = step(v)
                assert REST - 1e-3 < float(v.min()) and float(v.max()) < E + 1e-3


@pytest.mark.parametrize("bound", ["slope", "2G - 2/dt", "G", "0"])
def test_derivatives_of_a_step_whichever_bound_holds(bound):
    with jax.enable_x64(True):
        which = by_formula(V)[-1]
        inside = [k for k in range(2, len(V) - 2) if (which[k - 2 : k + 3] == bound).all()]

        def step(v):
            return npt.integrate.relaxed(v, line(v), DT)

        v, h = jnp.asarray(V[inside[:: max(1, len(inside) // 6)]]), 1e-4
        first, second = jax.vmap(jax.grad(step)), jax.vmap(jax.hessian(step))
        np.testing.assert_allclose(first(v), (step(v + h) - step(v - h)) / (2 * h), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(second(v), (first(v + h) - first(v - h)) / (2 * h), rtol=1e-4, atol=1e-6)
        forward = jax.vmap(jax.jacfwd(step))(v)
        np.testing.assert_allclose(forward, first(v), rtol=1e-10, atol=1e-12)
