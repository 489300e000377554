"""Implicit and exponential steps: stability, exactness, coupled elements, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from jax.extend.core import jaxprs_in_params

import neuropytree as npt
from neuropytree._math import exprel2
from neuropytree.integrate import AbstractField, BackwardEuler, CrankNicolson, ExponentialHeun, Linear, Relaxation
from neuropytree.integrate._newton import root

IMPLICIT = pytest.mark.parametrize(
    ("stepper", "growth"),
    [
        (BackwardEuler(), lambda z: 1 / (1 - z)),
        (CrankNicolson(), lambda z: (1 + z / 2) / (1 - z / 2)),
    ],
    ids=["BackwardEuler", "CrankNicolson"],
)


class Decay(AbstractField):
    """y' = -lam (y - 3), declared or not; or as two variables that are mixed by a rotation."""

    form: str
    lam: float = 1e5

    def vector_field(self, t, y, u):
        if self.form == "mixed":
            # eigenvalues -lam and -1
            p, q = -(self.lam + 1) / 2, -(self.lam - 1) / 2
            return [p * (y[0] - 3) + q * (y[1] - 3), q * (y[0] - 3) + p * (y[1] - 3)]
        return [-self.lam * (y[0] - 3)]

    def linear(self, t, y, u):
        if self.form == "Linear":
            return [Linear(jnp.full_like(y[0], -self.lam), jnp.full_like(y[0], 3 * self.lam))]
        if self.form == "Relaxation":
            return [Relaxation(jnp.full_like(y[0], self.lam), jnp.full_like(y[0], 3.0))]
        return None


@IMPLICIT
@pytest.mark.parametrize("form", ["Linear", "Relaxation", "plain", "mixed"])
def test_stiff_linear_steps_are_the_rational_approximation(stepper, growth, form):
    """dt lam = 1e4: the closed form of each, a hundred steps and no growth."""
    field, dt = Decay(form), 0.1
    y = [jnp.asarray([4.0, 1.0])] if form != "mixed" else [jnp.asarray(4.0), jnp.asarray(1.0)]
    step = jax.jit(lambda y: stepper.step(field, 0.0, y, None, dt)[0])
    start, got = np.concatenate([np.ravel(x) for x in y]) - 3, y
    for k in range(1, 101):
        got = step(got)
        now = np.concatenate([np.ravel(x) for x in got]) - 3
        if form == "mixed":
            # along (1, 1) decays with lam, along (1, -1) with 1
            modes = [(start[0] + start[1]) / 2, (start[0] - start[1]) / 2]
            fast, slow = modes[0] * growth(-1e4) ** k, modes[1] * growth(-0.1) ** k
            want = np.array([fast + slow, fast - slow])
        else:
            want = start * growth(-1e4) ** k
        # cancellation of terms 1e4 times as large
        np.testing.assert_allclose(now, want, rtol=1e-9, atol=1e-11)
    assert np.abs(now).max() < np.abs(start).max()


class Stiff(AbstractField):
    """Van der Pol, stiff, for many elements; or a ring of coupled elements."""

    mu: jax.Array

    def vector_field(self, t, y, u):
        return {"x": y["v"], "v": self.mu * (1 - y["x"] ** 2) * y["v"] - y["x"]}


@IMPLICIT
def test_nonlinear_steps_solve_their_equation(stepper, growth):
    """Elements with different stiffness at once, checked by putting the solution in."""
    field = Stiff(jnp.asarray([1.0, 100.0, 1e4]))
    y = {"x": jnp.asarray([2.0, 1.9, -2.0]), "v": jnp.asarray([0.0, -0.01, 0.1])}
    new = jax.jit(lambda y: stepper.step(field, 0.0, y, None, 0.05)[0])(y)
    theta = 1.0 if isinstance(stepper, BackwardEuler) else 0.5
    for key in "xv":
        begin, end = field.vector_field(0.0, y, None)[key], field.vector_field(0.0, new, None)[key]
        want = y[key] + 0.05 * ((1 - theta) * begin + theta * end)
        # rounding, times dt times the stiffness
        np.testing.assert_allclose(new[key], want, rtol=1e-10, atol=1e-10)


class Cable(AbstractField):
    """Elements coupled within a variable: diffusion along a ring, as stiff as asked for."""

    matrix: jax.Array
    declared: bool = False

    def vector_field(self, t, y, u):
        return self.matrix @ y

    def linear(self, t, y, u):
        # each element by itself, as seen from the others: true, and no reason to solve them one by one
        diagonal = jnp.diag(self.matrix)
        return Linear(diagonal, self.matrix @ y - diagonal * y) if self.declared else None


@pytest.mark.parametrize("declared", [False, True])
def test_coupled_elements_are_solved_together(declared):
    n = 12
    laplacian = np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0) - 2 * np.eye(n)
    y = np.sin(np.arange(n) * 2 * np.pi / n) + 1
    for stepper, theta in ((BackwardEuler(), 1.0), (CrankNicolson(), 0.5)):
        got, _ = stepper.step(Cable(jnp.asarray(1e3 * laplacian), declared), 0.0, jnp.asarray(y), None, 1.0)
        m = 1e3 * laplacian
        want = np.linalg.solve(np.eye(n) - theta * m, (np.eye(n) + (1 - theta) * m) @ y)
        np.testing.assert_allclose(got, want, rtol=1e-10)
    # and the order of the whole
    truth = scipy.linalg.expm(laplacian) @ y
    field = Cable(jnp.asarray(laplacian), declared)
    errors = []
    for steps in (20, 40, 80, 160):
        end = npt.integrate.odeint(field, jnp.asarray(y), dt=1 / steps, duration=1.0, stepper=CrankNicolson()).state
        errors.append(np.abs(end - truth).max())
    assert -np.polyfit(np.log([20, 40, 80, 160]), np.log(errors), 1)[0] == pytest.approx(2, abs=0.15)


def test_many_variables_and_pivoting():
    """More variables than are written out, and fewer, with zeros where the first pivot would be."""
    rng = np.random.default_rng(0)
    for n in (3, 8, 9):
        m = rng.normal(size=(n, n, 5))
        m[0, 0] = 0.0
        m[1, 0, :2] = 0.0
        b = rng.normal(size=(n, 5))

        def residual(xs, m=m, b=b):
            return [sum(jnp.asarray(m[i, j]) * xs[j] for j in range(len(xs))) - b[i] for i in range(len(xs))]

        got = np.array(root(residual, [jnp.zeros(5)] * n))
        want = np.stack([np.linalg.solve(m[:, :, k], b[:, k]) for k in range(5)], -1)
        np.testing.assert_allclose(got, want, rtol=1e-9)


def test_no_root_is_not_taken_for_one():
    assert np.isnan(root(lambda x: x**2 + 1.0, jnp.asarray(0.3)))

    class Explosive(AbstractField):
        def vector_field(self, t, y, u):
            return y**2

    with pytest.raises(FloatingPointError, match="variable 'y' became non-finite"):
        npt.integrate.odeint(Explosive(), 10.0, dt=1.0, duration=2.0, stepper=BackwardEuler())


def test_derivatives_through_the_solve():
    """Both modes and the second, against finite differences and each other; under vmap the loop."""

    def end(mu):
        y = {"x": jnp.asarray(1.5), "v": jnp.asarray(0.3)}
        return npt.integrate.odeint(Stiff(mu), y, dt=0.1, duration=1.0, stepper=CrankNicolson()).state["x"]

    mu, h = jnp.asarray(3.0), 1e-5
    value = jax.jit(end)
    slope = (value(mu + h) - value(mu - h)) / (2 * h)
    reverse, forward = jax.jit(jax.grad(end))(mu), jax.jit(jax.jacfwd(end))(mu)
    np.testing.assert_allclose(reverse, slope, rtol=1e-6)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10)
    second = jax.jit(jax.hessian(end))(mu)
    grad = jax.jit(jax.grad(end))
    np.testing.assert_allclose(second, (grad(mu + h) - grad(mu - h)) / (2 * h), rtol=1e-6)
    many = jnp.asarray([0.5, 3.0, 8.0])
    np.testing.assert_allclose(jax.vmap(end)(many), [value(m) for m in many], rtol=1e-12)


class Declared(AbstractField):
    """y' = a y + 2, in each of the ways to say it."""

    a: jax.Array
    form: type | None

    def vector_field(self, t, y, u):
        return self.a * y + 2.0

    def linear(self, t, y, u):
        if self.form is Relaxation:
            return Relaxation(-self.a, -2.0 / self.a)
        return Linear(self.a, jnp.full_like(self.a, 2.0)) if self.form is Linear else None


@pytest.mark.parametrize("form", [Linear, Relaxation, None])
def test_exponential_heun_is_exact_in_a_linear_variable(form):
    a = np.array([-3e4, -30.0, -2.0, -1e-3, 1e-12, 0.0, 0.5])[: 4 if form is Relaxation else None]
    y = np.linspace(-1.0, 2.0, len(a))
    got, _ = ExponentialHeun().step(Declared(jnp.asarray(a), form), 0.0, jnp.asarray(y), None, 0.7)
    with np.errstate(divide="ignore", invalid="ignore"):
        want = np.where(np.abs(a) < 1e-9, y + 1.4, y * np.exp(0.7 * a) + 2.0 * np.expm1(0.7 * a) / a)
    # the change of the rest is a difference of terms that are a times as large
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-15)


def test_exponential_heun_is_the_published_scheme_and_bounded_where_stiff():
    """Cox and Matthews' test, y' = -c y + sin t, whose N depends on time alone; c dt = 1e4."""
    c, dt, t = 1e5, 0.1, 0.3

    class Forced(AbstractField):
        def vector_field(self, t, y, u):
            return -c * y + jnp.sin(t)

        def linear(self, t, y, u):
            return Linear(jnp.asarray(-c), jnp.sin(t))

    got, _ = ExponentialHeun().step(Forced(), jnp.asarray(t), jnp.asarray(0.5), None, dt)
    z, f0, f1 = -c * dt, np.sin(t), np.sin(t + dt)
    a = 0.5 * np.exp(z) + f0 * np.expm1(z) / -c
    want = a + (f1 - f0) * (np.exp(z) - 1 - z) / (dt * c**2)
    np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_second_exponential_function(dtype):
    """Value and slope, at the removable singularity too, against the series in exact arithmetic."""
    from fractions import Fraction
    from math import factorial

    xs = [0.0, 1e-12, -1e-5, 0.1, -0.7, 0.999, -1.0, 1.5, -4.0, 10.0]

    def series(x, derivative):
        x = Fraction(float(np.asarray(x, dtype)))
        if derivative:
            return float(sum(k * x ** (k - 1) / factorial(k + 2) for k in range(1, 90)))
        return float(sum(x**k / factorial(k + 2) for k in range(90)))

    x = jnp.asarray(xs, dtype)
    value, slope = jax.vmap(jax.value_and_grad(exprel2))(x)
    rtol = 30 * float(jnp.finfo(dtype).eps)  # of the quotient just beyond 1
    np.testing.assert_allclose(value, [series(v, 0) for v in xs], rtol=rtol)
    np.testing.assert_allclose(slope, [series(v, 1) for v in xs], rtol=4 * rtol)
    assert np.isfinite(exprel2(jnp.asarray(-1e8, dtype))) and value.dtype == dtype


@pytest.mark.parametrize("x64", [False, True], ids=["f32", "f64"])
def test_the_equations_of_a_population_are_small_systems(x64):
    """One for each cell; the fast exponential's bits couple none of them. A dense matrix would have (4 n)^2 entries."""
    n = 100
    sizes = []

    def look(jaxpr):
        for eqn in jaxpr.eqns:
            sizes.extend(v.aval.size for v in eqn.outvars)
            for inner in jaxprs_in_params(eqn.params):
                look(inner)

    with jax.enable_x64(x64):
        cell = npt.neurons.HH(n, stepper=npt.integrate.BackwardEuler())
        state, tick = cell.init(dt=0.1), npt.Tick.at(0, dt=0.1)
        look(jax.make_jaxpr(lambda state: cell.step(state, 10.0, tick))(state).jaxpr)
    assert n <= max(sizes) <= 20 * n
