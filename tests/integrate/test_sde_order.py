"""Strong and weak orders of the stochastic steppers; all step sizes share the paths, so that few paths do."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from neuropytree import integrate
from neuropytree.integrate import AbstractField, AbstractSDEStepper, GeneralNoise, ScalarNoise
from neuropytree.testing import sde_stepper_bank

T = 1.0
LEVELS = (16, 32, 64, 128)
FINEST = 512
PATHS = 2000

STRONG = sde_stepper_bank()
EVERY = pytest.mark.parametrize("name", list(STRONG))


@functools.cache
def wiener(shape=()):
    """Increments of W and its integrals over each step of the finest grid, for all paths: their exact joint law."""
    h = T / FINEST
    a, b = jax.random.normal(jax.random.key(0), (2, PATHS, FINEST, *shape))
    dW = np.sqrt(h) * a
    return dW, h / 2 * (dW + np.sqrt(h / 3) * b)


def coarse(dW, dZ, n):
    """One path in `n` steps: an integral over a step is that of its parts and of what W had gone when each began."""
    k = FINEST // n
    dW, dZ = (x.reshape(n, k, *x.shape[1:]) for x in (dW, dZ))
    return dW.sum(1), (dZ + (jnp.cumsum(dW, 1) - dW) * (T / FINEST)).sum(1)


@functools.partial(jax.jit, static_argnums=(1, 4))
def ends(field, form, dW, dZ, n, stepper, y0):
    def path(dW, dZ):
        w, z = coarse(dW, dZ, n)

        def body(y, x):
            k, w, z = x
            return stepper.advance(field, k * (T / n), y, None, T / n, form(w), form(z)), None

        return jax.lax.scan(body, y0, (jnp.arange(float(n)), w, z))[0]

    return jax.vmap(path)(dW, dZ)


def as_it_is(w):
    return w


def strong_errors(stepper, field, y0, exact, noise, levels=LEVELS, form=as_it_is):
    """Root of the mean square error at the end, over paths and variables."""
    out = []
    for n in levels:
        y = ends(field, form, *noise, n, stepper, y0)
        square = sum(jnp.mean((a - b) ** 2) for a, b in zip(jax.tree.leaves(y), jax.tree.leaves(exact), strict=True))
        out.append(float(jnp.sqrt(square)))
    return out


def order_of(errors, levels=LEVELS):
    return -np.polyfit(np.log(levels), np.log(errors), 1)[0]


class Problem(AbstractField):
    ito: bool = eqx.field(static=True)


class Geometric(Problem):
    """dX = cos(t) X dt + (1 + t)/2 X dW."""

    y0 = 1.0

    def vector_field(self, t, y, u):
        return jnp.cos(t) * y

    def diffusion(self, t, y, u):
        return 0.5 * (1 + t) * y

    def exact(self, W, Z):
        # the integral of (1 + t) dW, by parts; the square of (1 + t)/2 has the integral 7/12
        return np.exp(np.sin(T) - (7 / 24 if self.ito else 0.0) + 0.5 * ((1 + T) * W - Z))


class Tanh(Problem):
    """dX = -(a + b^2 X)(1 - X^2) dt + b (1 - X^2) dW; Kloeden & Platen 1992, section 4.4."""

    y0 = 0.5

    def vector_field(self, t, y, u):
        return -(0.3 + (0.64 * y if self.ito else 0.0)) * (1 - y**2)

    def diffusion(self, t, y, u):
        return 0.8 * (1 - y**2)

    def exact(self, W, Z):
        return np.tanh(-0.3 * T + 0.8 * W + np.arctanh(self.y0))


class Sinh(Problem):
    """X = sinh(t/2 + W + arsinh X0): an amplitude that is no polynomial."""

    y0 = 0.3

    def vector_field(self, t, y, u):
        return 0.5 * jnp.sqrt(1 + y**2) + (0.5 * y if self.ito else 0.0)

    def diffusion(self, t, y, u):
        return jnp.sqrt(1 + y**2)

    def exact(self, W, Z):
        return np.sinh(0.5 * T + W + np.arcsinh(self.y0))


def measured(stepper, problem, levels=LEVELS):
    field = problem(stepper.calculus == "ito")
    noise = wiener()
    W, Z = (np.asarray(x[:, 0]) for x in jax.vmap(lambda a, b: coarse(a, b, 1))(*noise))
    return order_of(strong_errors(stepper, field, jnp.asarray(field.y0), field.exact(W, Z), noise, levels), levels)


@EVERY
@pytest.mark.parametrize("problem", [Geometric, Tanh, Sinh])
def test_strong_order(name, problem):
    stepper, order = STRONG[name]
    assert measured(stepper, problem) == pytest.approx(order, abs=0.15)


class Relaxing(AbstractField):
    """An Ornstein-Uhlenbeck process, dX = (1 - 2 X) dt + 0.7 dW."""

    def vector_field(self, t, y, u):
        return 1.0 - 2.0 * y

    def diffusion(self, t, y, u):
        return jnp.full_like(y, 0.7)


ADDITIVE = dict.fromkeys(STRONG, 1.0) | {"SRK1W1": 2.0, "SRK2W1": 2.0}


@EVERY
def test_strong_order_with_additive_noise(name):
    dW, dZ = wiener()
    h = T / FINEST
    left = np.exp(-2.0 * (T - h * np.arange(1, FINEST + 1)))
    # of the integral of exp(-2 (T - s)) dW over a step of h what is left out has variance h^5 / 5 or so
    exact = 0.5 + (2.0 - 0.5) * np.exp(-2.0 * T) + 0.7 * ((np.asarray(dW) - 2.0 * np.asarray(dZ)) * left).sum(1)
    errors = strong_errors(STRONG[name][0], Relaxing(), jnp.asarray(2.0), exact, (dW, dZ))
    # the drift is linear: nothing is left of order 1.5
    assert order_of(errors) == pytest.approx(ADDITIVE[name], abs=0.15)


@functools.cache
def nodes():
    """Quadrature over W and its integral in units of one step, exact for polynomials of degree 39."""
    x, w = np.polynomial.hermite_e.hermegauss(20)
    a, b = (jnp.asarray(z.ravel()) for z in np.meshgrid(x, x))
    return a, (a + b / np.sqrt(3.0)) / 2, jnp.asarray(np.outer(w, w).ravel() / (2 * np.pi))


def moments(stepper, field, y0, n):
    """The first two moments after `n` steps of a linear field: those of one step, iterated, without sampling."""
    a, z, weight = nodes()
    dt = T / n
    dW, dZ = np.sqrt(dt) * a, dt**1.5 * z

    def step(y):
        return stepper.advance(field, 0.0, y, None, dt, dW, dZ)

    # a step is affine in y: X -> slope X + shift
    shift = step(jnp.zeros_like(a))
    slope = step(jnp.ones_like(a)) - shift
    s, b, ss, sb, bb = (float((weight * x).sum()) for x in (slope, shift, slope**2, slope * shift, shift**2))
    one = np.array([[1, 0, 0], [b, s, 0], [bb, 2 * sb, ss]])
    return (np.linalg.matrix_power(one, n) @ [1.0, y0, y0**2])[1:]


class Linear(Problem):
    def vector_field(self, t, y, u):
        return 0.5 * y

    def diffusion(self, t, y, u):
        return 0.8 * y


@EVERY
def test_weak_order_with_multiplicative_noise(name):
    stepper, nominal = STRONG[name][0], max(1.0, STRONG[name][1])
    rate = 0.5 + (0.0 if stepper.calculus == "ito" else 0.32)
    exact = np.exp([rate * T, (2 * rate + 0.64) * T])
    field = Linear(stepper.calculus == "ito")
    mean, square = zip(*(np.abs(moments(stepper, field, 1.0, n) - exact) for n in LEVELS), strict=True)
    # exact in the mean of a linear field, which is no order; a stochastic Runge-Kutta method may do better than it must
    assert max(mean) < 1e-12 or order_of(mean) > nominal - 0.15
    if nominal == 1.0:
        assert order_of(square) == pytest.approx(nominal, abs=0.15)
    else:
        assert order_of(square) > nominal - 0.15


ADDITIVE_WEAK = ADDITIVE | {"StochasticHeun": 2.0}


@EVERY
def test_moments_of_the_ornstein_uhlenbeck_process(name):
    mean = 0.5 + 1.5 * np.exp(-2.0 * T)
    exact = [mean, mean**2 + 0.49 * (1 - np.exp(-4.0 * T)) / 4.0]
    errors = np.array([np.abs(moments(STRONG[name][0], Relaxing(), 2.0, n) - exact) for n in LEVELS])
    if name == "ExponentialEulerMaruyama":
        np.testing.assert_allclose(errors, 0.0, atol=1e-12)
        return
    assert order_of(errors[:, 1]) == pytest.approx(ADDITIVE_WEAK[name], abs=0.15)
    assert order_of(errors[:, 0]) > ADDITIVE_WEAK[name] - 0.15


class Commuting(Problem):
    """Two variables, three Wiener processes that reach both: dX_i = X_i (a_i dt + sum_j s_ij dW_j)."""

    s = np.array([[0.5, 0.3, -0.2], [0.1, -0.4, 0.6]])
    a = np.array([0.3, -0.5])

    def vector_field(self, t, y, u):
        return {"x": self.a[0] * y["x"], "y": self.a[1] * y["y"]}

    def diffusion(self, t, y, u):
        return GeneralNoise({"x": self.s[0] * y["x"], "y": self.s[1] * y["y"]})

    def exact(self, W):
        drift = self.a - (0.5 * (self.s**2).sum(1) if self.ito else 0.0)
        x = np.exp(drift * T + W @ self.s.T)
        return {"x": x[:, 0], "y": x[:, 1]}


GENERAL = [name for name, (stepper, _) in STRONG.items() if stepper.takes_general]


@pytest.mark.parametrize("name", GENERAL)
def test_strong_order_with_general_noise_that_commutes(name):
    stepper, order = STRONG[name]
    field, noise = Commuting(stepper.calculus == "ito"), wiener((3,))
    exact = field.exact(np.asarray(noise[0]).sum(1))
    errors = strong_errors(stepper, field, {"x": jnp.asarray(1.0), "y": jnp.asarray(1.0)}, exact, noise)
    assert order_of(errors) == pytest.approx(order, abs=0.15)


class Turning(Problem):
    """Two variables and one Wiener process: dX = A X dt + B X dW with matrices that commute."""

    A, B = np.array([[-0.3, 1.0], [-1.0, -0.3]]), np.array([[0.4, -0.6], [0.6, 0.4]])

    def vector_field(self, t, y, u):
        (a, b), (c, d) = self.A
        return {"x": a * y["x"] + b * y["y"], "y": c * y["x"] + d * y["y"]}

    def diffusion(self, t, y, u):
        (a, b), (c, d) = self.B
        return ScalarNoise({"x": a * y["x"] + b * y["y"], "y": c * y["x"] + d * y["y"]})

    def exact(self, W):
        drift = self.A - (0.5 * self.B @ self.B if self.ito else 0.0)
        x = scipy.linalg.expm(drift * T + self.B * W[:, None, None]) @ [1.0, 0.5]
        return {"x": x[:, 0], "y": x[:, 1]}


@EVERY
def test_strong_order_with_noise_that_is_shared(name):
    stepper, order = STRONG[name]
    field, noise = Turning(stepper.calculus == "ito"), wiener()
    exact = field.exact(np.asarray(noise[0]).sum(1))
    errors = strong_errors(stepper, field, {"x": jnp.asarray(1.0), "y": jnp.asarray(0.5)}, exact, noise)
    assert order_of(errors) == pytest.approx(order, abs=0.15)


class Area(AbstractField):
    """dX = dW1, dY = X dW2: diagonal noise that does not commute; the same equation in both calculi."""

    def vector_field(self, t, y, u):
        return {"x": jnp.zeros(()), "y": jnp.zeros(())}

    def diffusion(self, t, y, u):
        return {"x": jnp.ones(()), "y": y["x"]}


def pair(w):
    return {"x": w[0], "y": w[1]}


@pytest.mark.parametrize("name", ["EulerMaruyama", "EulerHeun", "StochasticHeun"])
def test_noise_that_does_not_commute_leaves_order_one_half(name):
    dW, dZ = wiener((2,))
    one, two = np.moveaxis(np.asarray(dW), -1, 0)
    before = np.cumsum(one, 1) - one
    # given the increments, what is left out of the integral over a fine step has mean zero; coarse steps dwarf it
    exact = {"x": one.sum(1), "y": ((before + one / 2) * two).sum(1)}
    y0 = {"x": jnp.zeros(()), "y": jnp.zeros(())}
    levels = (8, 16, 32, 64)
    errors = strong_errors(STRONG[name][0], Area(), y0, exact, (dW, dZ), levels, pair)
    assert order_of(errors, levels) == pytest.approx(0.5, abs=0.15)


# what earlier libraries did, and what became of it


class Formula(AbstractSDEStepper):
    """A scheme as a formula of one variable."""

    calculus: str = eqx.field(static=True)
    formula: object = eqx.field(static=True)
    takes_general = False
    uses_integral = True

    def advance(self, field, t, y, u, dt, dW, dZ):
        def f(y, t=t):
            return field.vector_field(t, y, u)

        def g(y, t=t):
            return field.diffusion(t, y, u)

        return self.formula(f, g, y, dt, dW, dZ)


def predictor_without_root(f, g, y, dt, dW, dZ):
    return y + f(y) * dt + (g(y) + g(y + g(y) * dW / np.sqrt(dt))) / 2 * dW


def klpl_with_old_weights(f, g, y, dt, dW, dZ):
    i11 = (dW**2 - dt) / 2 / np.sqrt(dt)
    return y + f(y) * dt + (-dW + i11 + dZ / dt) * g(y) + i11 * g(y + f(y) * dt + g(y) * np.sqrt(dt))


def one_sided(f, g, y, dt, dW, dZ):
    ahead = g(y + f(y) * dt + g(y) * np.sqrt(dt))
    return y + f(y) * dt + g(y) * dW + (ahead - g(y)) / (2 * np.sqrt(dt)) * dW**2


def test_euler_heun_whose_predictor_lacks_the_root_of_dt_does_not_converge():
    """Register 26."""
    assert measured(Formula("stratonovich", predictor_without_root), Geometric) < 0.3
    assert measured(integrate.EulerHeun(), Geometric) > 0.85


def test_klpl_with_the_old_weights_does_not_converge():
    """Register 27."""
    assert measured(Formula("ito", klpl_with_old_weights), Geometric) < 0.3
    assert measured(integrate.KlPl(), Geometric) > 0.85


def test_a_one_sided_difference_loses_order_in_the_calculus_of_stratonovich():
    """Why MilsteinGradFree takes a central one."""
    levels = (32, 64, 128, 256)
    assert measured(Formula("stratonovich", one_sided), Sinh, levels) < 0.7
    assert measured(integrate.MilsteinGradFree("stratonovich"), Sinh, levels) > 0.85
