"""Every stepper: order, exactness, what it refuses."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import neuropytree as npt
from neuropytree.integrate import AbstractField, Linear, Relaxation
from neuropytree.testing import stepper_bank

STEPPERS = stepper_bank()
ALL = pytest.mark.parametrize(("stepper", "order"), STEPPERS.values(), ids=STEPPERS)


class Coupled(AbstractField):
    """Two coupled variables, driven in time: u' = -u^2 + w + sin t, w' = -w - u w."""

    def vector_field(self, t, y, u):
        return {"a": -(y["a"] ** 2) + y["b"] + jnp.sin(t), "b": -y["b"] - y["a"] * y["b"]}


class Rotation(AbstractField):
    """A linear system whose solution is a matrix exponential."""

    matrix: jax.Array

    def vector_field(self, t, y, u):
        m = self.matrix
        return [m[0, 0] * y[0] + m[0, 1] * y[1], m[1, 0] * y[0] + m[1, 1] * y[1]]


def integrate(stepper, field, y, T, n):
    dt = T / n

    def body(carry, k):
        return stepper.step(field, k * dt, carry, None, dt, None), None

    return jax.lax.scan(body, y, jnp.arange(float(n)))[0]


def slope(errors, steps):
    return np.polyfit(np.log(1.0 / np.asarray(steps)), np.log(errors), 1)[0]


@ALL
def test_order(stepper, order):
    # few enough steps that rounding stays below the smallest error, many enough to be asymptotic
    steps = {1: (200, 400, 800, 1600), 2: (40, 80, 160, 320), 3: (20, 40, 80, 160), 4: (16, 32, 64, 128)}[order]
    y = {"a": jnp.asarray([1.0, 0.5]), "b": jnp.asarray([0.5, -0.2])}
    truth = integrate(npt.integrate.RK4(), Coupled(), y, 2.0, 20_000)
    errors = [
        max(float(jnp.abs(integrate(stepper, Coupled(), y, 2.0, n)[k] - truth[k]).max()) for k in "ab") for n in steps
    ]
    assert slope(errors, steps) == pytest.approx(order, abs=0.15)


@ALL
def test_order_against_the_matrix_exponential(stepper, order):
    m = np.array([[-0.5, 2.0], [-2.0, -0.3]])
    truth = scipy.linalg.expm(m) @ [1.0, 0.0]
    steps = {1: (200, 400, 800, 1600), 2: (40, 80, 160, 320), 3: (20, 40, 80, 160), 4: (10, 20, 40, 80)}[order]
    y = [jnp.asarray(1.0), jnp.asarray(0.0)]
    errors = [np.abs(np.array(integrate(stepper, Rotation(jnp.asarray(m)), y, 1.0, n)) - truth).max() for n in steps]
    assert slope(errors, steps) == pytest.approx(order, abs=0.15)


class Relaxing(AbstractField):
    """y' = a y + b with declared coefficients; `a` may vanish."""

    a: jax.Array
    form: type | None

    def vector_field(self, t, y, u):
        return self.a * y + 2.0

    def linear(self, t, y, u):
        if self.form is Relaxation:
            return Relaxation(-self.a, -2.0 / self.a)
        return Linear(self.a, jnp.full_like(self.a, 2.0)) if self.form is Linear else None


@pytest.mark.parametrize("form", [Linear, Relaxation, None])
def test_exponential_euler_is_exact_in_a_linear_variable(form):
    a = np.array([-30.0, -2.0, -1e-3, 1e-12, 0.0, 0.5])[: 3 if form is Relaxation else None]
    y = np.linspace(-1.0, 2.0, len(a))
    got = npt.integrate.ExponentialEuler().step(Relaxing(jnp.asarray(a), form), 0.0, jnp.asarray(y), None, 0.7, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        want = np.where(np.abs(a) < 1e-9, y + 1.4, y * np.exp(0.7 * a) + 2.0 * np.expm1(0.7 * a) / a)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_declared_coefficients_agree_with_the_field():
    membrane = npt.neurons.LeakyMembrane(v_rest=-65.0, tau=12.0, r=1.7)
    y = npt.neurons.Voltage(jnp.linspace(-80.0, 0.0, 7))
    for u in (npt.Drive(jnp.asarray(3.0)), npt.Drive(jnp.asarray(3.0), jnp.linspace(0.0, 2.0, 7))):
        c = membrane.linear(0.0, y, u).v
        np.testing.assert_allclose(c.rate * (c.rest - y.v), membrane.vector_field(0.0, y, u).v, rtol=1e-12)


class Ring(AbstractField):
    """Elements coupled within one variable, each in its own way."""

    kind: str

    def vector_field(self, t, y, u):
        if self.kind == "matmul":
            return -y + jnp.ones((3, 3)) @ y
        if self.kind == "roll":
            return -y + jnp.roll(y, 1)
        if self.kind == "mean":
            return -y + jnp.mean(y)
        return -y + jax.jit(jnp.cumsum)(y)


@pytest.mark.parametrize("kind", ["matmul", "roll", "mean", "inner"])
def test_coupled_elements_are_refused_and_not_summed(kind):
    with pytest.raises(ValueError, match="elements of variable 0 of Ring are coupled"):
        npt.integrate.ExponentialEuler().step(Ring(kind), 0.0, jnp.ones(3), None, 0.1, None)


class Elementwise(AbstractField):
    def vector_field(self, t, y, u):
        return jax.jit(lambda x: jnp.where(x > 0, jnp.tanh(x), jax.nn.softplus(x)))(y) + u


def test_elementwise_fields_pass_through_jit_and_custom_rules():
    y = jnp.linspace(-1.0, 1.0, 5)
    got = npt.integrate.ExponentialEuler().step(Elementwise(), 0.0, y, jnp.ones(5), 0.1, None)
    each = [npt.integrate.ExponentialEuler().step(Elementwise(), 0.0, x, jnp.ones(()), 0.1, None) for x in y]
    np.testing.assert_allclose(got, np.array(each), rtol=1e-14)


def test_noise_is_exact_in_law_and_a_pure_diffusion_at_zero_slope():
    class Wiener(AbstractField):
        def vector_field(self, t, y, u):
            return jnp.zeros_like(y)

        def diffusion(self, t, y, u):
            return jnp.full_like(y, 0.3)

    y = npt.integrate.ExponentialEulerMaruyama().step(Wiener(), 0.0, jnp.zeros(20_000), None, 2.0, jax.random.key(0))
    # four standard errors
    assert abs(float(y.std()) / (0.3 * np.sqrt(2.0)) - 1) < 4 / np.sqrt(2 * 20_000)


def test_only_single_term_one_step_solvers_are_adapted():
    for bad in (diffrax.Euler, diffrax.SemiImplicitEuler(), diffrax.LeapfrogMidpoint(), "euler"):
        with pytest.raises(TypeError, match="expected a one-step Diffrax solver"):
            npt.integrate.Diffrax(bad)


@ALL
def test_every_stepper_drives_a_spiking_cell(stepper, order):
    cell = npt.neurons.LIF(3, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=20.0, t_ref=5.0, stepper=stepper)
    exact = npt.neurons.LIF(3, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=20.0, t_ref=5.0)
    current = jnp.asarray([9.0, 15.0, 30.0])
    counts = [
        np.asarray(
            npt.simulate(c, c.init(dt=0.05), current, dt=0.05, duration=300.0, record=["spike"]).out["spike"]
        ).sum(0)
        for c in (cell, exact)
    ]
    np.testing.assert_allclose(counts[0], counts[1], atol=1)
