"""Stochastic steppers: coefficients, increments, what they refuse; and `sdeint`."""

from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree import integrate
from neuropytree.integrate import AbstractField, GeneralNoise, ScalarNoise
from neuropytree.integrate._elementwise import dependence
from neuropytree.testing import sde_stepper_bank

from ..helpers import assert_same_bits

BANK = sde_stepper_bank()
EVERY = pytest.mark.parametrize("name", list(BANK))
OWN = [name for name, (stepper, _) in BANK.items() if not stepper.takes_general]
KEY = jax.random.key(3)


class Plain(AbstractField):
    """A field of two functions of y."""

    f: object = eqx.field(static=True)
    g: object = eqx.field(static=True)

    def vector_field(self, t, y, u):
        return self.f(y)

    def diffusion(self, t, y, u):
        return self.g(y)


# Rössler 2010, transcribed once more, as whole matrices; the form of the step is written out below
THIRD, QUARTER, HALF = Fraction(1, 3), Fraction(1, 4), Fraction(1, 2)
TABLES = {
    "SRK1W1": {
        "A0": {(1, 0): 3 * QUARTER},
        "A1": {(1, 0): QUARTER, (2, 0): 1, (3, 2): QUARTER},
        "B0": {(1, 0): 3 * HALF},
        "B1": {(1, 0): HALF, (2, 0): -1, (3, 0): -5, (3, 1): 3, (3, 2): HALF},
        "alpha": [THIRD, 2 * THIRD, 0, 0],
        "beta2": [-1, 4 * THIRD, -THIRD, 0],
    },
    "SRK2W1": {
        "A0": {(1, 0): 1, (2, 0): QUARTER, (2, 1): QUARTER},
        "A1": {(1, 0): QUARTER, (2, 0): 1, (3, 2): QUARTER},
        "B0": {(2, 0): 1, (2, 1): HALF},
        "B1": {(1, 0): -HALF, (2, 0): 1, (3, 0): 2, (3, 1): -1, (3, 2): HALF},
        "alpha": [HALF * THIRD, HALF * THIRD, 2 * THIRD, 0],
        "beta2": [1, -4 * THIRD, THIRD, 0],
    },
}


def table(name):
    out = {}
    for key, value in TABLES[name].items():
        matrix = np.full((4, 4) if isinstance(value, dict) else 4, Fraction(0), dtype=object)
        for place, x in value.items() if isinstance(value, dict) else enumerate(value):
            matrix[place] = Fraction(x)
        out[key] = matrix
    out["beta1"] = np.array([Fraction(-1), 4 * THIRD, 2 * THIRD, Fraction(0)])
    out["beta3"] = np.array([Fraction(2), -4 * THIRD, -2 * THIRD, Fraction(0)])
    out["beta4"] = np.array([Fraction(-2), Fraction(5, 3), -2 * THIRD, Fraction(1)])
    return out


def rossler(c, f, g, y, dt, dW, dZ):
    """One step for one variable, as the paper writes it."""
    c = {key: value.astype(float) for key, value in c.items()}
    i1, i10, i11, i111 = dW, dZ, (dW**2 - dt) / 2, (dW**3 - 3 * dt * dW) / 6
    fs, gs = np.zeros(4), np.zeros(4)
    for n in range(4):
        h0 = y + dt * c["A0"][n] @ fs + c["B0"][n] @ gs * i10 / dt
        h1 = y + dt * c["A1"][n] @ fs + c["B1"][n] @ gs * np.sqrt(dt)
        fs[n], gs[n] = f(h0), g(h1)
    weights = c["beta1"] * i1 + c["beta2"] * i11 / np.sqrt(dt) + c["beta3"] * i10 / dt + c["beta4"] * i111 / dt
    return y + dt * c["alpha"] @ fs + weights @ gs


@pytest.mark.parametrize("name", list(TABLES))
def test_srk_coefficients_satisfy_the_conditions_of_order_three_halves(name):
    """Rossler 2010: the conditions on the class SRI, in exact fractions, on what the stepper has."""
    tableau = {"SRK1W1": integrate._srk._SRI1W1, "SRK2W1": integrate._srk._SRI2W1}[name]._asdict()
    c = {}
    for key, rows in tableau.items():
        if key[0] in "AB":
            rows = [[*row, *[0] * (4 - len(row))] for row in rows]
        c[key] = np.vectorize(lambda x: Fraction(x).limit_denominator(100), otypes=[object])(np.array(rows))
    for key, value in table(name).items():
        assert (c[key] == value).all(), key
    e = np.full(4, Fraction(1))
    a0, a1, b0, b1 = (c[k] @ e for k in ("A0", "A1", "B0", "B1"))
    alpha, *beta = (c[k] for k in ("alpha", "beta1", "beta2", "beta3", "beta4"))
    assert [alpha @ e, alpha @ a0, alpha @ b0, alpha @ b0**2] == [1, HALF, 1, Fraction(3, 2)]
    conditions = {"e": [1, 0, 0, 0], "b": [0, 1, 0, 0], "a": [1, 0, -1, 0], "bb": [1, 0, -1, 2], "Bb": [0, 0, 0, 1]}
    vectors = {"e": e, "b": b1, "a": a1, "bb": b1**2, "Bb": c["B1"] @ b1}
    for key, wanted in conditions.items():
        assert [x @ vectors[key] for x in beta] == wanted, key
    mixed = c["A1"] @ b0
    assert HALF * (beta[0] @ mixed) + THIRD * (beta[2] @ mixed) == 0


@pytest.mark.parametrize("name", list(TABLES))
def test_srk_step_against_the_paper(name):
    """Register 43: with the weight of the last stage on the first drift the step would be another one."""
    c = table(name)
    dt, dW, dZ, y = 0.3, 0.45, 0.11, 0.7

    def by_hand(c):
        return rossler(c, lambda y: np.sin(3 * y) - y, lambda y: np.cos(2 * y) + 0.1 * y**2, y, dt, dW, dZ)

    field = Plain(lambda y: jnp.sin(3 * y) - y, lambda y: jnp.cos(2 * y) + 0.1 * y**2)
    got = BANK[name][0].advance(field, 0.0, jnp.asarray(y), None, dt, jnp.asarray(dW), jnp.asarray(dZ))
    np.testing.assert_allclose(got, by_hand(c), rtol=1e-14)
    c["A1"][3] = [QUARTER, 0, 0, 0]
    # in SRI1W1 both stages are at the same point
    assert (abs(by_hand(c) - got) > 1e-3) == (name == "SRK2W1")


def test_klpl_against_its_formula_and_the_other_way_to_write_it():
    field = Plain(lambda y: jnp.sin(3 * y) - y, lambda y: jnp.cos(2 * y))
    dt, dW, y = 0.3, 0.45, 0.7
    f, g, ahead = np.sin(3 * y) - y, np.cos(2 * y), 0.0
    ahead = np.cos(2 * (y + f * dt + g * np.sqrt(dt)))
    want = y + f * dt + g * dW + (ahead - g) * (dW**2 - dt) / (2 * np.sqrt(dt))
    got = integrate.KlPl().advance(field, 0.0, jnp.asarray(y), None, dt, jnp.asarray(dW), None)
    np.testing.assert_allclose(got, want, rtol=1e-14)


class Quiet(AbstractField):
    """Noise of amplitude zero on y' = cos(t) y (2 - y)."""

    def vector_field(self, t, y, u):
        return jnp.cos(t) * y * (2 - y)

    def diffusion(self, t, y, u):
        return jnp.zeros_like(y)


@pytest.mark.parametrize(
    ("name", "order"), [("EulerHeun", 1), ("StochasticHeun", 2), ("KlPl", 1), ("SRK1W1", 2), ("SRK2W1", 3)]
)
def test_order_where_the_noise_vanishes(name, order):
    levels = (20, 40, 80, 160)

    @jax.jit
    def step(t, y, dt):
        return BANK[name][0].advance(Quiet(), t, y, None, dt, jnp.zeros(()), jnp.zeros(()))

    def end(n):
        y = jnp.asarray(0.2)
        for k in range(n):
            y = step(k / n, y, 1.0 / n)
        return float(y)

    errors = [abs(end(n) - 2 / (1 + 9 * np.exp(-2 * np.sin(1.0)))) for n in levels]
    assert -np.polyfit(np.log(levels), np.log(errors), 1)[0] == pytest.approx(order, abs=0.15)


class Caught(integrate.AbstractSDEStepper):
    """Hands out its increments instead of a step."""

    calculus = "ito"
    takes_general = True
    uses_integral = True

    def advance(self, field, t, y, u, dt, dW, dZ):
        return dW, dZ


N = 20_000


def test_increments_have_their_joint_law_and_their_places():
    y = {"x": jnp.zeros(N), "y": jnp.zeros(N), "z": jnp.zeros(3, jnp.float32)}
    field = Plain(lambda y: y, lambda y: {"x": jnp.ones(()), "y": None, "z": jnp.ones(3, jnp.float32)})
    (dW, dZ), _ = Caught().step(field, 0.0, y, None, 0.4, key=KEY)
    assert dW["y"] is None and dZ["y"] is None
    assert dW["z"].dtype == dZ["z"].dtype == jnp.float32
    # four standard errors
    want = np.array([[0.4, 0.4**2 / 2], [0.4**2 / 2, 0.4**3 / 3]])
    np.testing.assert_allclose(np.cov(dW["x"], dZ["x"]) / want, 1.0, atol=4 * np.sqrt(2.4 / N))
    assert abs(float(dW["x"].mean())) < 4 * np.sqrt(0.4 / N)
    # the name and the number of the element count: what else there is changes nothing, before it or behind
    other = {"a": jnp.zeros(3), "x": jnp.zeros(N + 5), "z": jnp.zeros(2, jnp.float32)}
    noisy = Plain(lambda y: y, lambda y: jax.tree.map(jnp.ones_like, y))
    more, _ = Caught().step(noisy, 0.0, other, None, 0.4, key=KEY)
    for got, want in zip(more, (dW, dZ), strict=True):
        assert_same_bits((got["x"][:N], got["z"]), (want["x"], want["z"][:2]))
        assert len({*np.asarray(got["a"]), *np.asarray(got["x"][:3]), *np.asarray(got["x"][-5:])}) == 11


@pytest.mark.parametrize(("wrap", "shape"), [(ScalarNoise, ()), (GeneralNoise, (5,))])
def test_shared_increments_have_no_axis_of_elements(wrap, shape):
    field = Plain(lambda y: y, lambda y: wrap({"x": jnp.ones((4, *shape)), "y": None}))
    (dW, dZ), _ = Caught().step(field, 0.0, {"x": jnp.zeros(4), "y": jnp.zeros(2)}, None, 0.4, key=KEY)
    assert dW.shape == dZ.shape == shape


@EVERY
def test_scalar_noise_moves_all_elements_alike_and_diagonal_noise_each_alone(name):
    stepper, y = BANK[name][0], {"x": jnp.ones(4), "y": jnp.ones(())}
    for wrap in (ScalarNoise, lambda g: g):
        field = Plain(lambda y: jax.tree.map(lambda x: -x, y), lambda y, wrap=wrap: wrap(y))
        new, _ = stepper.step(field, 0.0, y, None, 0.1, key=KEY)
        values = np.unique(np.round([*new["x"], new["y"]], 12))
        assert len(values) == (1 if wrap is ScalarNoise else 5)


@pytest.mark.parametrize("name", [n for n in BANK if n not in OWN])
def test_general_noise_is_the_product_with_its_matrix(name):
    matrix = jnp.asarray([[1.0, 2.0, 0.0], [0.0, -1.0, 0.5]])
    field = Plain(jnp.zeros_like, lambda y: GeneralNoise(matrix))
    dW = jnp.asarray([0.1, -0.2, 0.3])
    got = BANK[name][0].advance(field, 0.0, jnp.ones(2), None, 0.1, dW, None)
    np.testing.assert_allclose(got, 1.0 + np.asarray(matrix) @ [0.1, -0.2, 0.3], rtol=1e-14)


@pytest.mark.parametrize("name", OWN)
def test_noise_for_which_a_scheme_would_lose_its_order_is_refused(name):
    stepper, y = BANK[name][0], {"x": jnp.ones(3), "y": jnp.ones(3)}

    def step(g):
        return stepper.step(Plain(lambda y: y, g), 0.0, y, None, 0.1, key=KEY)[0]

    with pytest.raises(ValueError, match="takes diagonal and scalar noise, but Plain declares general .*EulerHeun"):
        step(lambda y: GeneralNoise({"x": jnp.ones((3, 2)), "y": None}))
    with pytest.raises(ValueError, match="noise of variable 'y' of Plain depends on variable 'x'"):
        step(lambda y: {"x": y["x"], "y": y["x"]})
    with pytest.raises(ValueError, match=r"depends on its other elements \(by '.*sum.*'\)"):
        step(lambda y: {"x": y["x"] / y["x"].sum(), "y": None})
    # but it may depend on variables without noise, as the noise of a gate on the voltage
    step(lambda y: {"x": y["x"] * y["y"].sum(), "y": None})


@EVERY
def test_what_does_not_fit_is_refused(name):
    stepper, y = BANK[name][0], {"x": jnp.ones(3), "y": jnp.ones(3)}

    def step(g, key=KEY):
        return stepper.step(Plain(lambda y: y, lambda y: g), 0.0, y, None, 0.1, key=key)[0]

    with pytest.raises(ValueError, match="declares no diffusion"):
        step(None)
    with pytest.raises(ValueError, match="declares no diffusion"):
        step({"x": None, "y": None})
    with pytest.raises(ValueError, match="pass key="):
        step({"x": 1.0, "y": None}, key=None)
    with pytest.raises(ValueError, match="expected that of y"):
        step({"x": 1.0})
    with pytest.raises(ValueError, match=r"noise of 'x' has shape \(2,\); expected \(3,\)"):
        step({"x": jnp.ones(2), "y": None})
    if stepper.takes_general:
        with pytest.raises(ValueError, match="one axis more"):
            step(GeneralNoise({"x": jnp.ones(3), "y": None}))
        with pytest.raises(ValueError, match="one number of processes"):
            step(GeneralNoise({"x": jnp.ones((3, 1)), "y": jnp.ones((3, 2))}))


@pytest.mark.parametrize("stepper", [integrate.Milstein, integrate.MilsteinGradFree])
def test_the_calculus_is_one_of_two(stepper):
    with pytest.raises(ValueError, match=r"calculus of \w+ is 'itô'"):
        stepper("itô")


def test_dependence_sees_through_calls_and_past_what_is_not_used():
    def function(y):
        unused = jnp.roll(y["a"], 1) * y["b"]
        del unused
        scanned = jax.lax.scan(lambda c, x: (c + x, c + x), 0.0, y["c"])[1]
        return [jax.jit(jnp.tanh)(y["a"]) + y["b"], jnp.where(y["b"] > 0, 2.0, 1.0), scanned, jnp.ones(3)]

    found = dependence(function, {"a": jnp.ones(3), "b": jnp.ones(3), "c": jnp.ones(3)})
    assert found == [{0: None, 1: None}, {1: None}, {2: "scan"}, {}]


# in a cell


def cell(stepper, n=6, **options):
    options = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0, "tau": 20.0, "t_ref": 1.0, "sigma": 0.5} | options
    return npt.neurons.LIF(n, stepper=stepper, **options)


def run(model, state, n=100, start=0, key=KEY, current=15.0):
    return npt.simulate(model, state, current, dt=0.1, duration=0.1 * n, start=start, key=key, record=["v", "spike"])


@pytest.mark.parametrize("x64", [True, False])
@EVERY
def test_membrane_noise_by_every_stepper(name, x64):
    """In both precisions: the same twice, in pieces, and for copies over keys; finite gradients."""
    with jax.enable_x64(x64):
        model = cell(BANK[name][0])
        state = model.init(dt=0.1)
        whole = run(model, state)
        assert whole.out["v"].dtype == (jnp.float64 if x64 else jnp.float32)
        assert_same_bits(whole, run(model, state))
        first = run(model, state, 40)
        assert_same_bits(whole.state, run(model, first.state, 60, start=40).state)
        if x64:
            return
        keys = jax.random.split(KEY, 3)
        together = jax.vmap(lambda k: run(model, state, key=k).out["v"])(keys)
        alone = np.stack([run(model, state, key=k).out["v"] for k in keys])
        np.testing.assert_allclose(together, alone, rtol=1e-5)
        assert len(np.unique(alone[:, -1])) > 12
        slope = jax.grad(lambda i: run(model, state, current=i).out["v"].mean())(15.0)
        assert np.isfinite(slope) and slope > 0


@pytest.mark.parametrize("name", ["EulerMaruyama", "StochasticHeun", "SRK1W1"])
def test_free_membrane_has_the_variance_of_its_noise(name):
    model = cell(BANK[name][0], n=4000, v_th=1e3, sigma=0.4)
    v = run(model, model.init(dt=0.1), 1200).out["v"][-1]
    # sigma^2 tau / 2 by then; four standard errors, and what steps of dt / tau = 1/200 leave
    assert float(v.var()) == pytest.approx(0.4**2 * 20.0 / 2, rel=4 * np.sqrt(2 / 4000) + 0.01)


# sdeint


def geometric(t, y, args):
    return jax.tree.map(lambda x: args["a"] * x, y)


def amplitude(t, y, args):
    return jax.tree.map(lambda x: args["b"] * x, y)


ARGS = {"a": 0.1, "b": 0.3}


def solve(f=geometric, g=amplitude, y0=1.0, args=ARGS, *, n=50, key=KEY, **options):
    return integrate.sdeint(f, g, y0, args, dt=0.1, duration=0.1 * n, key=key, **options)


@pytest.mark.parametrize("name", ["EulerMaruyama", "Milstein, Stratonovich", "SRK2W1"])
def test_sdeint_is_the_steps_with_the_streams_of_the_run(name):
    stepper = BANK[name][0]
    sol = solve(y0={"x": jnp.ones(3), "y": 2.0}, stepper=stepper, noise="scalar", every=5, start=7)
    field = Plain(lambda y: geometric(0, y, ARGS), lambda y: ScalarNoise(amplitude(0, y, ARGS)))
    y = {"x": jnp.ones(3), "y": jnp.asarray(2.0)}
    for k in range(7, 57):
        tick = npt.Tick.at(k, dt=0.1, key=KEY)
        y, _ = stepper.step(field, tick.t, y, None, 0.1, key=tick.stream)
    for got in (sol.state, jax.tree.map(lambda x: x[-1], sol.ys)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), got, y)
    np.testing.assert_allclose(sol.ts, 0.1 * np.arange(12, 58, 5), rtol=1e-12)
    assert sol.ys["x"].shape == (10, 3) and sol.ys["y"].shape == (10,)


def test_sdeint_goes_on_and_is_vmapped_over_keys_and_differentiated():
    y0 = jnp.ones(4)
    whole, first = solve(y0=y0), solve(y0=y0, n=20)
    rest = solve(y0=first.state, n=30, start=20)
    assert_same_bits(whole.ys, jnp.concatenate([first.ys, rest.ys]))
    assert_same_bits(whole.state, rest.state)
    assert_same_bits(whole.ys, jax.jit(lambda y: solve(y0=y).ys)(y0))
    keys = jax.random.split(KEY, 3)
    together = jax.vmap(lambda k: solve(y0=y0, key=k).ys)(keys)
    for k, ys in zip(keys, together, strict=True):
        np.testing.assert_allclose(solve(y0=y0, key=k).ys, ys, rtol=1e-12)

    def end(b, y0):
        return solve(y0=y0, args={"a": 0.1, "b": b}).state

    # on a fixed path: against central differences, whose error is that of the square of the step
    slopes = jax.grad(end, argnums=(0, 1))(0.3, 1.0)
    h = 1e-6
    want = (end(0.3 + h, 1.0) - end(0.3 - h, 1.0)) / (2 * h), (end(0.3, 1.0 + h) - end(0.3, 1.0 - h)) / (2 * h)
    np.testing.assert_allclose(slopes, want, rtol=1e-7)


def test_sdeint_reads_the_equation_in_the_calculus_asked_for():
    """The mean of a geometric Brownian motion tells which."""
    means = {}
    for calculus in ("ito", "stratonovich"):
        y = solve(y0=jnp.ones(40_000), args={"a": 0.0, "b": 0.3}, calculus=calculus).state
        means[calculus] = float(y.mean())
    # standard deviation of the end 0.75 and 0.94; four standard errors, and 5 % of steps for the drift by the noise
    assert means["ito"] == pytest.approx(1.0, abs=4 * 0.75 / 200)
    assert means["stratonovich"] == pytest.approx(np.exp(0.045 * 5), abs=4 * 0.94 / 200 + 0.01)
    default = solve(y0=jnp.ones(9), stepper=integrate.StochasticHeun())
    assert_same_bits(default, solve(y0=jnp.ones(9), stepper=integrate.StochasticHeun(), calculus="stratonovich"))


def test_sdeint_takes_dictionaries_of_derivatives():
    equations = {"v": lambda v, w, t: v - v**3 / 3 - w + jnp.sin(t), "w": lambda w, v, rate=0.08: rate * (v - w)}
    noise = {"v": lambda sigma, v: sigma * v}
    by_name = solve(equations, noise, {"v": 0.5, "w": 0.0}, {"sigma": 0.2})

    def f(t, y, sigma):
        return {"v": y["v"] - y["v"] ** 3 / 3 - y["w"] + jnp.sin(t), "w": 0.08 * (y["v"] - y["w"])}

    plain = solve(f, lambda t, y, sigma: {"v": sigma * y["v"], "w": None}, {"v": 0.5, "w": 0.0}, 0.2)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), by_name.ys, plain.ys)
    with pytest.raises(ValueError, match=r"noise for \['x'\]; the variables are \['v', 'w'\]"):
        solve(equations, {"x": lambda sigma: sigma}, {"v": 0.5, "w": 0.0}, {"sigma": 0.2})
    with pytest.raises(ValueError, match="the noise of 'v' takes 'sigma'"):
        solve(equations, noise, {"v": 0.5, "w": 0.0}, {})
    with pytest.raises(ValueError, match="ODE|has no noise"):
        field = integrate.Joint(equations, noise)
        integrate.odeint(field, {"v": 0.5, "w": 0.0}, {"sigma": 0.2}, dt=0.1, duration=1.0)


def test_sdeint_with_correlated_noise():
    """Two processes that reach two variables: the covariance of the end is the square of their matrix."""
    m = np.array([[0.5, 0.0], [0.3, 0.4]])
    y0 = {"x": jnp.zeros(()), "y": jnp.zeros(())}

    def g(t, y, args):
        return {"x": jnp.asarray(m[0]), "y": jnp.asarray(m[1])}

    def end(key):
        return solve(lambda t, y, args: jax.tree.map(jnp.zeros_like, y), g, y0, None, key=key, noise="general").state

    y = jax.vmap(end)(jax.random.split(KEY, 10_000))
    # four standard errors of the largest entry
    np.testing.assert_allclose(np.cov(y["x"], y["y"]), 5.0 * m @ m.T, atol=4 * 1.25 * np.sqrt(2 / 10_000))


def test_sdeint_of_a_field_with_noise_of_its_own():
    options = {"dt": 0.1, "duration": 5.0, "key": KEY}
    drift, noise = {"x": lambda x: -x}, {"x": lambda x: 1.0}
    own = integrate.sdeint(integrate.Joint(drift, noise), None, {"x": jnp.zeros(3)}, **options).state["x"]
    plain = integrate.sdeint(drift, noise, {"x": jnp.zeros(3)}, **options).state["x"]
    np.testing.assert_array_equal(own, plain)
    assert np.ptp(own) > 0
    # it says itself of which kind its noise is
    shared = Plain(lambda y: -y, lambda y: ScalarNoise(jnp.ones(3)))
    one = integrate.sdeint(shared, None, jnp.zeros(3), **options).state
    np.testing.assert_array_equal(one, one[0])


def test_sdeint_refuses_what_cannot_be():
    with pytest.raises(TypeError, match="expected one for noise"):
        solve(stepper=integrate.RK4())
    with pytest.raises(ValueError, match="calculus is 'stratonovich', but SRK1W1 is a scheme for 'ito'"):
        solve(stepper=integrate.SRK1W1(), calculus="stratonovich")
    with pytest.raises(ValueError, match="calculus of sdeint is 'both'; expected 'ito' or 'stratonovich'"):
        solve(calculus="both")
    with pytest.raises(ValueError, match="noise is 'vector'"):
        solve(noise="vector")
    with pytest.raises(ValueError, match="takes diagonal and scalar noise"):
        solve(noise="general", g=lambda t, y, args: jnp.ones(2), stepper=integrate.Milstein())
    for key, kind, message in (
        (3, TypeError, "key is 3; expected a random key"),
        (jax.random.split(KEY, 3), ValueError, "key has shape .3,.; expected one random key"),
        (None, TypeError, "key is None; expected a random key"),
    ):
        with pytest.raises(kind, match=message):
            solve(key=key)
    with pytest.raises(TypeError, match="g is a function of .t, y.; expected a function of .t, y, args."):
        solve(g=lambda t, y: y)
    with pytest.raises(TypeError, match="noise of 'y' has dtype complex128; expected real numbers"):
        solve(g=lambda t, y, args: jax.lax.complex(y, y))
    with pytest.raises(TypeError, match="noise of 'y' is 'a'; expected an array or a number"):
        solve(g=lambda t, y, args: "a")
    with pytest.raises(ValueError, match="the equation declares no diffusion"):
        solve(g=lambda t, y, args: None)
    with pytest.raises(ValueError, match="start is 2.5"):
        solve(start=2.5)
    with pytest.raises(TypeError, match="f is a LeakyMembrane, whose own diffusion is the noise; expected None for g"):
        solve(npt.neurons.LeakyMembrane(v_rest=0.0, tau=10.0, sigma=0.5))
    with pytest.raises(TypeError, match="two functions .* or two dictionaries"):
        solve({"x": lambda x: x}, amplitude, {"x": 1.0})
    with pytest.raises(ValueError, match="not a whole number"):
        solve(n=0.55)
    with pytest.raises(FloatingPointError, match="non-finite"):
        solve(f=lambda t, y, args: y**3 * 1e9, y0=10.0)
