"""Every stepper: order, exactness, what it refuses."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from scipy.integrate import solve_ivp
from scipy.special import ellipj

import neuropytree as npt
from neuropytree.integrate import AbstractField, Linear, Relaxation
from neuropytree.testing import stepper_bank

from ..helpers import assert_same_bits, quick_jit

STEPPERS = stepper_bank()
# few enough steps that rounding stays below the smallest error, many enough to be asymptotic
STEPS = {1: (400, 800, 1600, 3200), 2: (80, 160, 320, 640), 3: (40, 80, 160, 320), 4: (20, 40, 80, 160)}
STEPS[5] = (24, 48, 96, 192)
# of order 5 the error falls to rounding so soon that the range is narrow
NARROW = {"DETEST B": (32, 48, 72, 108)}


def integrate(stepper, field, y, T, n):
    """`n` steps, which may be traced."""
    dt = T / n

    def body(k, y):
        return stepper.step(field, k.astype(float) * dt, y, None, dt)[0]

    return jax.lax.fori_loop(0, n, body, y)


class Coupled(AbstractField):
    """Two coupled variables, driven in time: u' = -u^2 + w + sin t, w' = -w - u w."""

    def vector_field(self, t, y, u):
        return {"a": -(y["a"] ** 2) + y["b"] + jnp.sin(t), "b": -y["b"] - y["a"] * y["b"]}


def coupled():
    a, b = np.array([1.0, 0.5]), np.array([0.5, -0.2])

    def f(t, y):
        a, b = y[:2], y[2:]
        return np.concatenate([-(a**2) + b + np.sin(t), -b - a * b])

    end = solve_ivp(f, (0.0, 2.0), np.concatenate([a, b]), method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
    return Coupled(), {"a": jnp.asarray(a), "b": jnp.asarray(b)}, 2.0, end


class Rotation(AbstractField):
    """A linear system whose solution is a matrix exponential."""

    matrix: jax.Array

    def vector_field(self, t, y, u):
        m = self.matrix
        return [m[0, 0] * y[0] + m[0, 1] * y[1], m[1, 0] * y[0] + m[1, 1] * y[1]]


def linear():
    m = np.array([[-0.5, 2.0], [-2.0, -0.3]])
    return Rotation(jnp.asarray(m)), [jnp.asarray(1.0), jnp.asarray(0.0)], 1.0, scipy.linalg.expm(m) @ [1.0, 0.0]


def detest_a(xp, t, y):
    """Problems A1 to A5 of DETEST (Hull, Enright, Fellen & Sedgwick 1972, doi:10.1137/0709052), each by itself."""
    a1, a2, a3, a4, a5 = y
    return [-a1, -(a2**3) / 2, a3 * xp.cos(t), a4 / 4 * (1 - a4 / 20), (a5 - t) / (a5 + t)]


def detest_b1(xp, t, y):
    return [2 * (y[0] - y[0] * y[1]), -(y[1] - y[0] * y[1])]


def detest_b(xp, t, y):
    """Problems B2 to B5 of DETEST, three variables each."""
    b2, b3, b4, b5 = y[:3], y[3:6], y[6:9], y[9:]
    r = xp.sqrt(b4[0] ** 2 + b4[1] ** 2)
    return [
        *(-b2[0] + b2[1], b2[0] - 2 * b2[1] + b2[2], b2[1] - b2[2]),
        *(-b3[0], b3[0] - b3[1] ** 2, b3[1] ** 2),
        *(-b4[1] - b4[0] * b4[2] / r, b4[0] - b4[1] * b4[2] / r, b4[0] / r),
        *(b5[1] * b5[2], -b5[0] * b5[2], -0.51 * b5[0] * b5[1]),
    ]


class Plain(AbstractField):
    function: object

    def vector_field(self, t, y, u):
        return self.function(jnp, t, y)


def detest(function, y, T):
    def f(t, y):
        return np.array(function(np, t, y))

    end = solve_ivp(f, (0.0, T), y, method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
    return Plain(function), [jnp.asarray(x) for x in y], T, end


B0 = [2.0, 0.0, 1.0, 1.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0, 1.0]
PROBLEMS = {
    "coupled": coupled,
    "linear": linear,
    "DETEST A": lambda: detest(detest_a, [1.0, 1.0, 1.0, 1.0, 4.0], 2.0),
    "DETEST B1": lambda: detest(detest_b1, [1.0, 3.0], 1.0),
    "DETEST B": lambda: detest(detest_b, B0, 1.0),
}


def test_the_references_are_the_closed_forms_of_detest():
    """Where there are any: A1 to A4, and B5, the rigid body, by Jacobi's functions."""
    end = PROBLEMS["DETEST A"]()[3]
    np.testing.assert_allclose(
        end[:4], [np.exp(-2), 1 / np.sqrt(3), np.exp(np.sin(2)), 20 / (1 + 19 * np.exp(-0.5))], rtol=1e-12
    )
    sn, cn, dn, _ = ellipj(1.0, 0.51)
    np.testing.assert_allclose(PROBLEMS["DETEST B"]()[3][-3:], [sn, cn, dn], rtol=1e-11)


def steps_of(order, problem):
    return NARROW.get(problem, STEPS[5]) if order == 5 else STEPS[order]


def errors(problem):
    """The largest error of every stepper at its four numbers of steps, from one program."""
    field, y, T, end = PROBLEMS[problem]()

    @quick_jit
    def run(n):
        return {name: integrate(stepper, field, y, T, n[name]) for name, (stepper, _) in STEPPERS.items()}

    found = {name: [] for name in STEPPERS}
    for m in range(4):
        ends = run({name: jnp.asarray(steps_of(order, problem)[m]) for name, (_, order) in STEPPERS.items()})
        for name, got in ends.items():
            found[name].append(np.abs(np.concatenate([np.ravel(x) for x in jax.tree.leaves(got)]) - end).max())
    return found


@pytest.mark.parametrize("problem", PROBLEMS)
def test_orders(problem):
    """Of all steppers, whose steps are one program."""
    found = errors(problem)
    if problem == "DETEST B1":  # whose asymptotic range begins, for order 5, where rounding does
        found = {name: error for name, error in found.items() if STEPPERS[name][1] < 5}
    orders = {name: STEPPERS[name][1] for name in found}
    slopes = {
        name: -np.polyfit(np.log(steps_of(orders[name], problem)), np.log(error), 1)[0] for name, error in found.items()
    }
    assert len(found) > 20 and slopes == pytest.approx(orders, abs=0.15), found


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
    got, _ = npt.integrate.ExponentialEuler().step(Relaxing(jnp.asarray(a), form), 0.0, jnp.asarray(y), None, 0.7)
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
    with pytest.raises(ValueError, match="elements of variable 'y' of Ring are coupled"):
        npt.integrate.ExponentialEuler().step(Ring(kind), 0.0, jnp.ones(3), None, 0.1)


class Elementwise(AbstractField):
    def vector_field(self, t, y, u):
        return jax.jit(lambda x: jnp.where(x > 0, jnp.tanh(x), jax.nn.softplus(x)))(y) + u


def test_elementwise_fields_pass_through_jit_and_custom_rules():
    y = jnp.linspace(-1.0, 1.0, 5)
    got, _ = npt.integrate.ExponentialEuler().step(Elementwise(), 0.0, y, jnp.ones(5), 0.1)
    each = [npt.integrate.ExponentialEuler().step(Elementwise(), 0.0, x, jnp.ones(()), 0.1)[0] for x in y]
    np.testing.assert_allclose(got, np.array(each), rtol=1e-14)


def test_noise_is_exact_in_law_and_a_pure_diffusion_at_zero_slope():
    class Wiener(AbstractField):
        def vector_field(self, t, y, u):
            return jnp.zeros_like(y)

        def diffusion(self, t, y, u):
            return jnp.full_like(y, 0.3)

    stepper, key = npt.integrate.ExponentialEulerMaruyama(), jax.random.key(0)
    y, _ = stepper.step(Wiener(), 0.0, jnp.zeros(20_000), None, 2.0, key=key)
    # four standard errors
    assert abs(float(y.std()) / (0.3 * np.sqrt(2.0)) - 1) < 4 / np.sqrt(2 * 20_000)


def test_only_single_term_one_step_solvers_are_adapted():
    for bad in (diffrax.Euler, diffrax.SemiImplicitEuler(), diffrax.LeapfrogMidpoint(), "euler"):
        with pytest.raises(TypeError, match="expected a one-step Diffrax solver"):
            npt.integrate.Diffrax(bad)


def test_every_stepper_drives_a_spiking_cell():
    def cell(stepper):
        return npt.neurons.LIF(3, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=20.0, t_ref=5.0, stepper=stepper)

    @jax.jit
    def counts():
        found = {}
        for name, (stepper, _) in STEPPERS.items():
            c = cell(stepper)
            current = jnp.asarray([9.0, 15.0, 30.0])
            sol = npt.simulate(c, c.init(dt=0.05), current, dt=0.05, duration=150.0, record=["spike"])
            found[name] = sol.out["spike"].sum(0)
        return found

    found = counts()
    assert found["ExponentialEuler"][2] > 5
    for name, spikes in found.items():
        np.testing.assert_allclose(spikes, found["ExponentialEuler"], atol=1, err_msg=name)


class AdamsBashforth(npt.integrate.AbstractStepper):
    """A stepper with a state: of order 2 with one evaluation, since it knows the last slope. It begins with Euler."""

    def init(self, y):
        return {"slope": jax.tree.map(jnp.zeros_like, y), "first": jnp.ones((), bool)}

    def step(self, field, t, y, u, dt, *, state=None, key=None):
        slope = field.vector_field(t, y, u)
        move = lambda x, new, old: x + dt * jnp.where(state["first"], new, 1.5 * new - 0.5 * old)  # noqa: E731
        return jax.tree.map(move, y, slope, state["slope"]), {"slope": slope, "first": jnp.zeros((), bool)}


def test_a_stepper_may_have_a_state_in_a_call_and_in_a_cell():
    """Order 2 says that it is handed on from step to step; a cell goes on from its state bit for bit."""
    errors = []
    for n in (40, 80, 160, 320):
        run = npt.integrate.odeint(lambda t, y, args: -y, 1.0, dt=2 / n, duration=2.0, stepper=AdamsBashforth())
        errors.append(abs(float(run.state) - np.exp(-2.0)))
    slope = -np.polyfit(np.log([40, 80, 160, 320]), np.log(errors), 1)[0]
    assert slope == pytest.approx(2.0, abs=0.15)
    cell = npt.neurons.LIF(2, v_th=1e3, tau=10.0, stepper=AdamsBashforth())
    whole = npt.simulate(cell, cell.init(), 5.0, dt=0.1, duration=10.0)
    half = npt.simulate(cell, cell.init(), 5.0, dt=0.1, duration=5.0)
    rest = npt.simulate(cell, half.state, 5.0, dt=0.1, duration=5.0, start=50)
    assert_same_bits(whole.state, rest.state)
    # 5 (1 - e^-1); the error of order 2 is about (dt/tau)^2 / 2 of it, that of Euler dt/tau / 2
    np.testing.assert_allclose(whole.state.v, 5.0 * -np.expm1(-1.0), rtol=2e-4)
    plain = npt.neurons.LIF(2, v_th=1e3, tau=10.0)
    with pytest.raises(ValueError, match="the cell has a memory of the past, and the state has none"):
        cell.step(plain.init(), 5.0, npt.Tick.at(0, dt=0.1))
    other = npt.neurons.LIF(2, v_th=1e3, tau=10.0, stepper=npt.integrate.CaputoL1(0.5, num_memory=5))
    with pytest.raises(ValueError, match="the state has a memory of another stepper than AdamsBashforth"):
        cell.step(other.init(), 5.0, npt.Tick.at(0, dt=0.1))


@pytest.mark.parametrize("name", ["ExponentialEuler", "ExponentialHeun", "BackwardEuler", "CrankNicolson"])
@pytest.mark.parametrize("form", ["Relaxation", "Linear"])
def test_slow_variables_in_float32(name, form):
    """Rising from 0 to 1 in steps of 0.01 ms for 100 ms: what is small beside 1 isn't lost.

    The bound is what the sum leaves: 10 000 additions, each rounded.
    """
    with jax.enable_x64(False):
        tau = jnp.asarray([1e1, 1e3, 1e4, 1e5, 1e6], jnp.float32)

        class Rising(AbstractField):
            def vector_field(self, t, y, u):
                return (1 - y) / tau

            def linear(self, t, y, u):
                return Relaxation(1 / tau, jnp.ones_like(y)) if form == "Relaxation" else Linear(-1 / tau, 1 / tau)

        stepper = STEPPERS[name][0]
        run = jax.jit(lambda y: integrate(stepper, Rising(), y, 100.0, 10_000))
        got = np.asarray(run(jnp.zeros(5, jnp.float32)), float)
    want = -np.expm1(-100.0 / np.array([1e1, 1e3, 1e4, 1e5, 1e6]))
    np.testing.assert_allclose(got, want, rtol=3e-4)
