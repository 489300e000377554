"""Fractional steppers: closed forms, sums written out in NumPy, orders, memory, arguments."""

import decimal
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfcx, rgamma

import neuropytree as npt
from neuropytree.integrate import CaputoEuler, CaputoL1, Euler, GLShortMemory, fdeint, odeint
from neuropytree.testing import fractional_stepper_bank

METHODS = list(fractional_stepper_bank().values())
ALPHAS = np.array([0.4, 0.6, 0.85, 1.0])


def mittag_leffler(a, z):
    """Its series, which for |z| < 2 loses no more than two digits."""
    n = np.arange(300)
    return np.sum(z**n * rgamma(a * n + 1))


def written_out(method, f, y0, a, h, n, m=None):
    """The schemes as their sources print them, each value from all before it, in plain loops."""
    m, y = n if m is None else m, [y0]
    for k in range(1, n + 1):
        slopes = [f((j) * h, y[j]) for j in range(k)]
        if method is CaputoEuler:
            total = sum(((k - j) ** a - (k - 1 - j) ** a) * slopes[j] for j in range(k))
            y.append(y0 + h**a / math.gamma(a + 1) * total)
        elif method is CaputoL1:
            past = sum((y[j + 1] - y[j]) * ((k - j) ** (1 - a) - (k - 1 - j) ** (1 - a)) for j in range(k - 1))
            y.append(h**a * math.gamma(2 - a) * slopes[-1] + y[-1] - past)
        else:
            # the oldest value in memory has been there forever
            oldest, c, total = y[max(k - 1 - m, 0)], 1.0, 0.0
            for j in range(1, min(k, m + 1) + 1):
                c *= 1 - (1 + a) / j
                total += c * (y[k - j] - oldest)
            y.append(oldest + h**a * slopes[-1] - total)
    return np.array(y[1:])


def problems(a, h):
    """Right-hand sides that are solved by 1 + t^2, by 1 + t^2, and by a Mittag-Leffler function, with what is at t."""

    def power(t):
        return 2 / jnp.exp(jax.scipy.special.gammaln(3 - a)) * t ** (2 - a)

    return {
        "polynomial": lambda polynomial, t: power(t) - (polynomial - 1 - t**2),
        # the slope that an implicit scheme would see: what is left is the error of the derivative
        "ahead": lambda ahead, t: power(t + h),
        "relaxation": lambda relaxation, t: -relaxation,
    }


@pytest.mark.parametrize("method", METHODS)
def test_order_of_convergence(method):
    """1 in all that explicit steps do, at a time when the start is over; L1's derivative itself is of order 2 - a."""
    names, steps, T = ["polynomial", "ahead", "relaxation"], np.array([40, 80, 160, 320]), 1.0
    errors = {name: [] for name in names}
    for n in steps:

        def end(a, n=n):
            sol = fdeint(problems(a, T / n), dict.fromkeys(names, 1.0), alpha=a, dt=T / n, duration=T, method=method)
            return sol.state

        state = jax.vmap(end)(jnp.asarray(ALPHAS[:3]))
        exact = {"polynomial": 2.0, "ahead": 2.0, "relaxation": [mittag_leffler(a, -1.0) for a in ALPHAS[:3]]}
        for name in names:
            errors[name].append(np.abs(state[name] - np.asarray(exact[name])))
    for name in names:
        nominal = 2 - ALPHAS[:3] if (name, method) == ("ahead", CaputoL1) else np.ones(3)
        slopes = -np.polyfit(np.log(steps), np.log(errors[name]), 1)[0]
        assert np.all(np.abs(slopes - nominal) < 0.15), (name, slopes)
        # errors are of the size of the step, whatever the slope
        assert np.max(errors[name][-1]) < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_the_sums_as_they_are_printed(method):
    """A nonlinear equation from an initial value that isn't 0 (which BrainPy's CaputoEuler scales), and its end as a
    function of the order."""

    def f(t, y, args=None):
        return y * (2 - y) + t

    def run(a):
        return fdeint(f, 0.5, alpha=a, dt=0.05, duration=3.0, method=method).ys

    for a, got in zip(ALPHAS, jax.vmap(run)(jnp.asarray(ALPHAS)), strict=True):
        # rounding of sums of 60 terms
        np.testing.assert_allclose(got, written_out(method, f, 0.5, a, 0.05, 60), rtol=1e-12)
    slope = jax.grad(lambda a: run(a)[-1])(0.6)
    ends = [written_out(method, f, 0.5, 0.6 + d, 0.05, 60)[-1] for d in (1e-5, -1e-5)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-5, rtol=1e-7)  # differences: 1e-5^2, 1e-16 / 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_order_one_is_euler(method):
    got = fdeint(lambda t, y, k: jnp.cos(t) - k * y, jnp.ones(3), 2.0, alpha=1.0, dt=0.1, duration=5.0, method=method)
    want = odeint(lambda t, y, k: jnp.cos(t) - k * y, jnp.ones(3), 2.0, dt=0.1, duration=5.0, stepper=Euler())
    # equal but for multiplications that are contracted; CaputoEuler's weights are 0 to a rounding
    np.testing.assert_allclose(got.ys, want.ys, rtol=0, atol=2e-15)
    np.testing.assert_array_equal(got.ts, want.ts)


def test_short_memory_forgets_and_rests():
    def f(t, y, args):
        return 1.0 - y

    got = fdeint(f, 0.2, alpha=0.7, dt=0.1, duration=10.0, method=GLShortMemory, num_memory=20)
    want = written_out(GLShortMemory, lambda t, y: 1 - y, 0.2, 0.7, 0.1, 100, 20)
    np.testing.assert_allclose(got.ys, want, rtol=1e-12)
    whole = written_out(GLShortMemory, lambda t, y: 1 - y, 0.2, 0.7, 0.1, 100)
    assert np.max(np.abs(whole - want)) > 1e-3  # it isn't the whole
    # Caputo's derivative of a constant is 0, Riemann and Liouville's isn't
    rest = fdeint(lambda t, y, args: 0.0 * y, -70.0, alpha=0.7, dt=0.1, duration=10.0, method=GLShortMemory)
    np.testing.assert_array_equal(rest.ys, -70.0)


@pytest.mark.parametrize("method", METHODS)
def test_weights_have_all_digits_in_single_precision_and_far_back(method):
    m, some = 20000, np.array([1, 2, 3, 10, 99, 1000, 20000])
    for a in (0.05, 0.5, 0.99):
        want = np.array([float(far_back(method, a, int(j))) for j in some])
        # in doubles a hundred roundings of 1 - a; in floats also those of thousands of products
        for dtype, tolerance in ((jnp.float64, 1e-10), (jnp.float32, 1e-3)):
            got = method(a, num_memory=m).weights(jnp.asarray(a, dtype))
            assert got.shape == (m,) and got.dtype == dtype
            np.testing.assert_allclose(got[some - 1], want, rtol=tolerance)


def far_back(method, a, j):
    """The weight of what was j steps ago, with fifty digits."""
    with decimal.localcontext(prec=50):
        x, a, one = decimal.Decimal(j), decimal.Decimal(a), decimal.Decimal(1)
        if method is CaputoL1:
            return x ** (1 - a) - (x + 1) ** (1 - a)
        if method is CaputoEuler:
            return (x + 1) ** a - 2 * x**a + (x - 1) ** a
        return -math.prod((one - a / i for i in range(1, j + 1)), start=one)


def test_orders_by_variable_and_by_element():
    y0 = {"x": jnp.ones(2), "y": jnp.ones(2)}

    def f(t, y, args):
        return jax.tree.map(lambda v: -v, y)

    run = dict(dt=0.1, duration=2.0)
    together = fdeint(f, y0, alpha={"x": 0.5, "y": jnp.array([0.7, 0.9])}, **run).state
    alone = jax.vmap(lambda a: fdeint(f, 1.0, alpha=a, **run).state[()])(jnp.array([0.5, 0.7, 0.9]))
    # element by element another order of the sum
    np.testing.assert_allclose(together["x"], alone[0], rtol=1e-13)
    np.testing.assert_allclose(together["y"], alone[1:], rtol=1e-13)
    pair = fdeint(lambda t, y, args: (-y[0], -y[1]), (1.0, 1.0), alpha=(0.5, 0.9), **run).state
    np.testing.assert_allclose(pair, alone[jnp.array([0, 2])], rtol=1e-13)


def test_inputs_and_records_are_those_of_odeint():
    rows = jnp.sin(jnp.arange(40.0))
    got = fdeint(lambda t, y, u: u, 0.0, alpha=1.0, inputs=rows, dt=0.1, duration=4.0, every=4)
    want = odeint(lambda t, y, u: u, 0.0, inputs=rows, dt=0.1, duration=4.0, every=4, stepper=Euler())
    np.testing.assert_allclose(got.ys, want.ys, rtol=1e-13)
    np.testing.assert_array_equal(got.ts, want.ts)


FIELD, Y, U = npt.neurons.PerfectMembrane(tau=1.0), npt.neurons.Voltage(jnp.zeros(2)), npt.Drive(jnp.ones(()))


def test_a_run_beyond_the_memory_is_an_error():
    for method in METHODS:
        stepper = method(0.5, num_memory=3)

        @jax.jit
        def run(n, stepper=stepper):
            def step(_, now):
                return stepper.step(FIELD, 0.0, now[0], U, 0.1, state=now[1])

            return jax.lax.fori_loop(0, n, step, (Y, stepper.init(Y)))[1].count

        assert run(3) == 3
        if not stepper.needs_all:
            assert run(4) == 4
            continue
        with pytest.raises(Exception, match="needs the whole past, but num_memory=3 .* make num_memory at least"):
            jax.block_until_ready(run(4))


def decay(t, y, args):
    return -y


RUN = dict(dt=0.1, duration=1.0)
WRONG = {
    "order 0": (
        lambda: CaputoL1(0.0, num_memory=3),
        ValueError,
        "alpha is 0; expected positive, finite",
    ),
    "order above 1": (lambda: GLShortMemory([0.5, 1.2], num_memory=3), ValueError, "alpha is 1.2 at index 1; expected"),
    "NaN": (lambda: CaputoEuler(np.nan, num_memory=3), ValueError, "alpha is nan; expected"),
    "text": (lambda: CaputoL1("half", num_memory=3), TypeError, "alpha is 'half'; expected a number"),
    "no orders": (lambda: CaputoL1({}, num_memory=3), ValueError, "alpha is {}; expected an order for each"),
    "no memory": (lambda: CaputoL1(0.5, num_memory=0), ValueError, "num_memory is 0; expected a whole number of steps"),
    "half a step": (lambda: CaputoL1(0.5, num_memory=2.5), ValueError, "num_memory is 2.5; expected"),
    "too short": (
        lambda: fdeint(decay, 1.0, alpha=0.5, num_memory=9, **RUN),
        ValueError,
        "num_memory is 9, and the run has 10 steps; CaputoL1 needs the whole past: leave num_memory out",
    ),
    "other names": (
        lambda: fdeint(decay, 1.0, alpha={"x": 0.5}, **RUN),
        ValueError,
        r"alpha has orders for \['x'\], but the variables are \['y'\]",
    ),
    "other shape": (
        lambda: fdeint(decay, jnp.ones(3), alpha=jnp.full(2, 0.5), **RUN),
        ValueError,
        r"alpha has shape \(2,\), but the variable 'y' \(3,\); expected \(\) or that",
    ),
    "method by name": (
        lambda: fdeint(decay, 1.0, alpha=0.5, method="l1", **RUN),
        TypeError,
        "method is 'l1'; expected",
    ),
    "no function": (lambda: fdeint(3.0, 1.0, alpha=0.5, **RUN), TypeError, "f is a float; expected a function"),
    "memory of others": (
        lambda: CaputoL1(0.5, num_memory=3).step(FIELD, 0.0, Y, U, 0.1, state=CaputoL1(0.5, num_memory=4).init(Y)),
        ValueError,
        r"CaputoL1 got a memory of shapes \[\(4, 2\)\]; expected \[\(3, 2\)\]: make it by its init",
    ),
    "step without memory": (
        lambda: CaputoL1(0.5, num_memory=3).step(FIELD, 0.0, Y, U, 0.1),
        ValueError,
        r"CaputoL1 got no memory; expected \[\(3, 2\)\]: make it by its init",
    ),
    "another call": (
        lambda: npt.integrate.odeint(decay, 1.0, dt=0.1, duration=1.0, stepper=CaputoL1(0.5, num_memory=10)),
        TypeError,
        "stepper is CaputoL1.*, which is one for fractional order; fdeint takes it",
    ),
    "noise": (
        lambda: npt.neurons.LIF(2, sigma=1.0, stepper=CaputoL1(0.5, num_memory=3)).step(
            npt.neurons.LIF(2, sigma=1.0, stepper=CaputoL1(0.5, num_memory=3)).init(), 1.0, npt.Tick.at(0, dt=0.1)
        ),
        ValueError,
        "CaputoL1 has no noise, but LeakyMembrane declares a diffusion",
    ),
    "part of a step": (lambda: fdeint(decay, 1.0, alpha=0.5, dt=0.3, duration=1.0), ValueError, "not a whole number"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_argument_is_named(name):
    make, kind, message = WRONG[name]
    with pytest.raises(kind, match=message):
        make()


def test_a_run_that_breaks_says_so():
    with pytest.raises(FloatingPointError, match="variable 'y' became non-finite"):
        fdeint(lambda t, y, args: y**3, 10.0, alpha=0.5, dt=0.1, duration=5.0)


def test_the_reference_itself():
    """The series against cases with a closed form."""
    np.testing.assert_allclose(mittag_leffler(1.0, -1.5), np.exp(-1.5), rtol=1e-13)
    np.testing.assert_allclose(mittag_leffler(0.5, -1.2), erfcx(1.2), rtol=1e-12)
