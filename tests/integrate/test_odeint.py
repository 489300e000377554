"""One call for a plain right-hand side: forms of it, inputs, continuing, derivatives, dense output, errors."""

import functools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt
from neuropytree.integrate import Adaptive, Diffrax, DormandPrince, ExponentialEuler, Joint, odeint

from ..helpers import assert_same_bits, count_compilations, quick_jit

FHN = {
    "v": lambda v, w, current, scale=1.0: scale * (v - v**3 / 3 - w + current),
    "w": lambda w, v: 0.08 * (v + 0.7 - 0.8 * w),
}


def fhn(t, y, args):
    v, w = y
    return v - v**3 / 3 - w + args, 0.08 * (v + 0.7 - 0.8 * w)


@functools.cache
def reference(current=0.5, T=20.0):
    def f(t, y):
        return [y[0] - y[0] ** 3 / 3 - y[1] + current, 0.08 * (y[0] + 0.7 - 0.8 * y[1])]

    return solve_ivp(f, (0, T), [-1.0, 0.3], method="DOP853", rtol=1e-12, atol=1e-12, dense_output=True).sol


Y0 = {"v": -1.0, "w": 0.3}


def test_functions_and_dictionaries_are_the_same_run():
    joint = odeint(FHN, Y0, {"current": 0.5}, dt=0.05, duration=20.0, every=4)
    plain = odeint(fhn, (-1.0, 0.3), 0.5, dt=0.05, duration=20.0, every=4)
    field = odeint(Joint(FHN), Y0, {"current": 0.5, "scale": 1.0}, dt=0.05, duration=20.0, every=4)
    np.testing.assert_allclose(joint.ts, 0.2 * np.arange(1, 101), rtol=1e-14)
    # error of RK4 at this step, 1e-6 dt^4
    np.testing.assert_allclose([joint.ys["v"], joint.ys["w"]], reference()(joint.ts), atol=2e-7)
    for other in (plain.ys, (field.ys["v"], field.ys["w"])):
        np.testing.assert_allclose(other, (joint.ys["v"], joint.ys["w"]), rtol=1e-12)
    assert_same_bits(joint.state, {k: x[-1] for k, x in joint.ys.items()})
    assert type(plain.ys) is tuple and joint.dense is None


def test_any_pytree_and_a_field_of_the_library():
    y0 = {"a": [jnp.ones((2, 3)), 2], "b": np.float64(3.0)}
    sol = odeint(lambda t, y, args: jax.tree.map(lambda x: -x * args["rate"], y), y0, {"rate": 1}, dt=0.1, duration=1.0)
    assert sol.ys["a"][0].shape == (10, 2, 3)
    np.testing.assert_allclose(sol.state["a"][1], 2 * np.exp(-1), rtol=1e-6)
    membrane = npt.neurons.LeakyMembrane(v_rest=-65.0, tau=10.0)
    drive = npt.Drive(jnp.asarray(5.0))
    sol = odeint(membrane, npt.neurons.Voltage(jnp.full(2, -70.0)), drive, dt=0.5, duration=10.0,
                 stepper=ExponentialEuler())  # fmt: skip
    np.testing.assert_allclose(sol.state.v, -60 - 10 * np.exp(-1), rtol=1e-13)


def test_a_field_keeps_its_order_of_moves():
    """Gates before the voltage, as in a cell: order 2 in the voltage instead of 1."""
    cell = npt.neurons.HH(1)
    y0, drive = cell.init(dt=0.01), npt.Drive(jnp.asarray(10.0))
    got = odeint(cell.membrane, y0.membrane, drive, dt=0.01, duration=5.0, stepper=ExponentialEuler())
    want = npt.simulate(cell, y0, 10.0, dt=0.01, duration=5.0, record=["v"])
    np.testing.assert_allclose(got.ys.v, want.out["v"], rtol=1e-10)


def test_derivatives_are_fitted_to_the_variables():
    """Scalars for arrays, and float32 states whatever the dtype of the time."""
    sol = odeint(lambda t, y, args: {"x": 1.0, "y": jnp.cos(t)}, {"x": jnp.zeros(3), "y": jnp.zeros(2, jnp.float32)},
                 dt=0.1, duration=1.0)  # fmt: skip
    assert sol.state["y"].dtype == jnp.float32 and sol.state["x"].shape == (3,)
    np.testing.assert_allclose(sol.state["y"], np.sin(1.0), rtol=1e-6)


@pytest.mark.parametrize("stepper", [Diffrax(diffrax.Heun()), Adaptive(DormandPrince())], ids=["Diffrax", "Adaptive"])
def test_steppers_of_diffrax_keep_each_dtype(stepper):
    y0 = {"x": jnp.zeros(3), "y": jnp.zeros(2, jnp.float32)}
    seen = []

    def f(t, y, args):
        seen.append(y["y"].dtype)
        return {"x": 1.0, "y": jnp.cos(t)}

    sol = odeint(f, y0, dt=0.1, duration=1.0, stepper=stepper)
    assert sol.state["y"].dtype == jnp.float32 and set(seen) == {jnp.dtype("float32")}
    np.testing.assert_allclose(sol.state["y"], np.sin(1.0), rtol=1e-3)


def test_inputs_over_time_are_held_and_functions_of_it_are_not():
    rows = np.random.default_rng(0).normal(size=(20, 2))
    got = odeint(lambda t, y, args: -y + args, jnp.zeros(2), inputs=rows, dt=0.1, duration=2.0)
    y = np.zeros(2)
    for row in rows:
        y = row + (y - row) * np.exp(-0.1)
    np.testing.assert_allclose(got.state, y, rtol=1e-6)
    # exact where the step is adaptive, since it begins anew with every row
    stepper = Adaptive(DormandPrince(), 1e-10, 1e-10)
    exact = odeint({"y": lambda y, x, gain: -y + gain * x}, {"y": jnp.zeros(2)}, {"gain": 1.0}, inputs={"x": rows},
                   dt=0.1, duration=2.0, stepper=stepper)  # fmt: skip
    np.testing.assert_allclose(exact.state["y"], y, rtol=1e-8)
    # in its stages, so that the order is the stepper's
    wave = odeint({"y": lambda y, x: x}, {"y": 0.0}, inputs=lambda t: {"x": jnp.cos(t)}, dt=0.1, duration=2.0)
    np.testing.assert_allclose(wave.state["y"], np.sin(2.0), rtol=1e-7)


@pytest.mark.parametrize(
    "stepper",
    [None, ExponentialEuler(), npt.integrate.CrankNicolson(), Adaptive(DormandPrince())],
    ids=["RK4", "ExponentialEuler", "CrankNicolson", "Adaptive"],
)
def test_a_run_in_two_pieces_gives_the_same_bits(stepper):
    """At a dt whose multiples are no exact floats, with a field that reads the time and inputs over it."""
    equations = {"v": lambda v, w, t, x: v - v**3 / 3 - w + jnp.sin(t) + x, "w": FHN["w"]}
    x = np.random.default_rng(1).normal(size=60)
    y0 = {"v": jnp.asarray([-1.0, 0.5]), "w": jnp.asarray([0.3, 0.1])}

    def run(y, n, start):
        return odeint(equations, y, inputs={"x": x[start : start + n]}, dt=0.1, duration=n * 0.1, start=start,
                      every=5, stepper=stepper)  # fmt: skip

    whole = run(y0, 60, 0)
    first = run(y0, 25, 0)
    second = run(first.state, 35, 25)
    assert_same_bits(whole.state, second.state)
    assert_same_bits(whole.ys, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first.ys, second.ys))
    assert_same_bits(whole.ts, jnp.concatenate([first.ts, second.ts]))


@pytest.mark.parametrize(
    "stepper",
    [None, Adaptive(DormandPrince(), 1e-10, 1e-10), Diffrax(diffrax.Heun())],
    ids=["RK4", "Adaptive", "Diffrax"],
)
def test_under_jit_vmap_scan_and_both_modes_of_differentiation(stepper):
    def end(x):
        y = {"v": x[1], "w": jnp.asarray(0.3)}
        return odeint(FHN, y, {"current": x[0]}, dt=0.1, duration=3.0, stepper=stepper).state["v"]

    def summed(xs):
        return jax.lax.scan(lambda total, x: (total + end(x), None), jnp.zeros(()), xs)[0]

    @quick_jit
    def all_of(x, xs):
        forward, backward = jax.jacfwd(end)(x), jax.grad(end)(x)
        each, of_all = jax.vmap(jax.grad(end))(xs), jax.grad(lambda xs: jax.vmap(end)(xs).sum())(xs)
        return forward, backward, each, of_all, jax.grad(summed)(xs), jax.vmap(end)(xs)

    value, h = jax.jit(end), 1e-5
    x = jnp.asarray([0.5, -1.0])
    xs = jnp.stack([jnp.linspace(0.0, 1.0, 3), jnp.full(3, -1.0)], 1)
    forward, backward, each, of_all, scanned, many = all_of(x, xs)
    want = [(value(x + d) - value(x - d)) / (2 * h) for d in h * jnp.eye(2)]
    np.testing.assert_allclose(backward, want, rtol=1e-6)
    np.testing.assert_allclose(forward, backward, rtol=1e-10)
    for other in (of_all, scanned):
        np.testing.assert_allclose(other, each, rtol=1e-10)
    np.testing.assert_allclose(many, [value(x) for x in xs], rtol=1e-8)


def test_second_derivatives_through_adaptive_steps():
    """Of the logistic equation, whose solution is 1 / (1 + (1 / y0 - 1) exp(-r t))."""
    stepper = Adaptive(DormandPrince(), 1e-10, 1e-10)

    def end(x):
        return odeint(lambda t, y, r: r * y * (1 - y), x[0], x[1], dt=1.0, duration=2.0, stepper=stepper).state

    def exact(x):
        return 1 / (1 + (1 / x[0] - 1) * jnp.exp(-2.0 * x[1]))

    x = jnp.asarray([0.2, 0.9])
    np.testing.assert_allclose(quick_jit(jax.hessian(end))(x), jax.hessian(exact)(x), rtol=1e-6, atol=1e-6)


def test_derivatives_with_respect_to_inputs_over_time():
    def end(x):
        return odeint(lambda t, y, args: -y + args, 0.0, inputs=x, dt=0.1, duration=0.5).state

    weights = np.exp(-0.1 * np.arange(4, -1, -1)) * (1 - np.exp(-0.1))
    np.testing.assert_allclose(jax.grad(end)(jnp.zeros(5)), weights, rtol=1e-6)


def test_dense_output():
    stepper = Adaptive(DormandPrince(), 1e-8, 1e-8)
    sol = odeint(FHN, Y0, {"current": 0.5}, dt=1.0, duration=20.0, stepper=stepper, dense=True)
    t = np.random.default_rng(0).uniform(0, 20, (4, 50))
    got = sol.evaluate(t)
    assert got["v"].shape == (4, 50)
    # of order 4 within steps that the fifth chose
    np.testing.assert_allclose([got["v"], got["w"]], reference()(t.ravel()).reshape(2, 4, 50), atol=1e-6)
    np.testing.assert_allclose([sol.ys["v"], sol.ys["w"]], reference()(sol.ts), atol=1e-6)
    np.testing.assert_allclose(sol.evaluate(20.0)["v"], sol.state["v"], rtol=1e-12)
    later = odeint(FHN, sol.state, {"current": 0.5}, dt=1.0, duration=10.0, start=20, stepper=stepper, dense=True)
    assert float(later.ts[0]) == 21.0 and np.isfinite(later.evaluate(25.5)["v"])
    slope = jax.grad(lambda t: sol.evaluate(t)["w"])(7.3)
    v, w = reference()(7.3)
    np.testing.assert_allclose(slope, 0.08 * (v + 0.7 - 0.8 * w), rtol=1e-4)
    # a cubic where the pair has nothing for the middle
    cubic = odeint(FHN, Y0, {"current": 0.5}, dt=1.0, duration=20.0, dense=True,
                   stepper=Adaptive(npt.integrate.RKF45(), 1e-6, 1e-6))  # fmt: skip
    np.testing.assert_allclose(cubic.evaluate(t.ravel())["v"], reference()(t.ravel())[0], atol=1e-3)
    with pytest.raises(ValueError, match="times from 3.0 to 20.5 ms; the run is 0.0 to 20.0 ms"):
        sol.evaluate(jnp.asarray([3.0, 20.5]))
    several = jax.vmap(lambda c: odeint(FHN, Y0, {"current": c}, dt=1.0, duration=2.0, stepper=stepper, dense=True))(
        jnp.asarray([0.5, 0.7])
    )
    each = jax.vmap(lambda sol: sol.evaluate(1.5)["v"])(several)
    np.testing.assert_allclose(each[0], reference()(1.5)[0], atol=1e-6)
    with pytest.raises(ValueError, match="several runs, by jax.vmap; evaluate each"):
        several.evaluate(1.5)


def test_other_numbers_compile_nothing():
    def run(current, v, start):
        return odeint(FHN, {"v": v, "w": 0.3}, {"current": current}, dt=0.1, duration=1.0, start=start)

    run(0.5, -1.0, 0), run(0.5, -1.0, 1)
    with count_compilations() as seen:
        run(0.7, 2.0, 3), run(np.float64(0.1), np.float64(0.2), 4), run(1, 0, 5)
    assert seen == []


def test_errors_of_names():
    def go(equations, y0, args=None, **options):
        return odeint(equations, y0, args, dt=0.1, duration=1.0, **options)

    for equations, y0, args, message in (
        (FHN, Y0, None, "equation for 'v' takes 'current', which is neither a variable .'v', 'w'., nor the time 't', "
                        "nor an argument"),
        (FHN, Y0, {"curent": 1.0, "current": 1.0}, "the arguments have .'curent'., which no equation takes"),
        (FHN, Y0 | {"u": 1.0}, {"current": 0.5}, "state has .'u', 'v', 'w'. and the equations are for .'v', 'w'."),
        (FHN, {"v": 1.0}, {"current": 0.5}, "state has .'v'. and the equations are for .'v', 'w'."),
        (FHN, (1.0, 2.0), {"current": 0.5}, "state has a tuple and the equations"),
        (FHN, Y0, 0.5, "need a dictionary by name"),
        (FHN, Y0, {"current": 0.5, "w": 1.0}, "have .'w'., which are variables or the time"),
        ({"t": lambda t: t}, {"t": 1.0}, None, "a variable is called 't'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            go(equations, y0, args)
    for equations, message in (
        ({}, "expected a dictionary of a derivative"),
        ({"v": 1.0}, "equation for 'v' is a float; expected a function whose parameters are named"),
        ({"v": lambda *values: 1.0}, "takes any number of arguments, as .'values'."),
    ):
        with pytest.raises(TypeError, match=message):
            go(equations, {"v": 1.0})
    with pytest.raises(ValueError, match="args and inputs both have .'current'."):
        go(FHN, Y0, {"current": 1.0}, inputs={"current": np.zeros(10)})
    with pytest.raises(ValueError, match="args is a .* and inputs a dict; where both are given they are dictionaries"):
        go(FHN, Y0, 0.5, inputs={"current": np.zeros(10)})


def test_errors_of_the_rest():
    def go(f, y0=1.0, **options):
        return odeint(f, y0, **({"dt": 0.1, "duration": 1.0} | options))

    def decay(t, y, args):
        return -y

    for options, message in (
        ({"duration": 1.05}, "not a whole number"),
        ({"every": 3}, "every is 3; expected a whole number that divides the 10 steps"),
        ({"inputs": np.zeros(9)}, "inputs 'y' has shape .9,.; expected a row for each of the 10 steps"),
        ({"inputs": {"x": 1.0}}, "inputs 'x' has shape ..; expected a row"),
        ({"dense": True}, "dense=True needs stepper=Adaptive"),
        ({"dense": True, "stepper": Adaptive(DormandPrince()), "inputs": np.zeros(10)}, "as a function of the time"),
    ):
        with pytest.raises(ValueError, match=message):
            go(decay, **options)
    with pytest.raises(ValueError, match="no dense output; call odeint with dense=True"):
        go(decay).evaluate(0.5)
    with pytest.raises(
        ValueError, match="derivative of 'a.0' has shape .2,. and dtype float64, the variable shape .3,."
    ):
        go(lambda t, y, args: {"a": [jnp.zeros(2)]}, {"a": [jnp.zeros(3)]})
    with pytest.raises(ValueError, match="expected the structure of y0"):
        go(lambda t, y, args: (y, y))
    for y0, kind, message in (
        ({"a": [1j]}, TypeError, "y0 'a.0' has dtype complex128; expected real numbers"),
        ("a", TypeError, "y0 is 'a'; expected a number"),
        ({}, ValueError, "y0 is {}; expected at least one variable"),
        ({"v": np.array([0.0, np.nan])}, ValueError, "y0 'v' is nan at index 1; expected finite numbers"),
    ):
        with pytest.raises(kind, match=message):
            go(decay, y0)
    for options, kind, message in (
        ({"dt": "0.1"}, TypeError, "dt is '0.1'; expected a Python number"),
        ({"dt": jnp.asarray(0.1)}, TypeError, "dt is Array.0.1, .*; expected a Python number"),
        ({"dt": 0.0}, ValueError, "dt is 0.0; expected a positive number"),
        ({"start": 2.5}, ValueError, "start is 2.5; expected the number of the first step"),
        ({"start": -1}, ValueError, "start is -1, for a run of 10 steps"),
        ({"inputs": [1.0] * 10}, ValueError, "inputs '0' has shape .*of a list, make an array"),
        ({"inputs": "sin"}, TypeError, "inputs is 'sin'; expected a number"),
        ({"inputs": lambda a, b: 1.0}, TypeError, "inputs is a function of .a, b.; expected a function of .t."),
        ({"stepper": npt.integrate.EulerMaruyama()}, TypeError, "one for noise; sdeint takes it"),
        ({"stepper": ExponentialEuler(), "f": lambda t, y, args: jnp.stack([y[1], -y[0]]), "y0": np.ones(2)},
         ValueError, "variable 'y' of the right-hand side are coupled .*; make them variables of their own"),
    ):  # fmt: skip
        with pytest.raises(kind, match=message):
            go(**{"f": decay, **options})
    with pytest.raises(TypeError, match="f is a function of .t, y.; expected a function of .t, y, args."):
        go(lambda t, y: y)
    assert go(decay, every=np.int64(5)).ts.shape == (2,)
    with pytest.raises(TypeError, match="f is a float; expected a function"):
        go(1.0)
    with pytest.raises(TypeError, match="stepper is 'rk4'; expected a stepper such as RK4"):
        go(decay, stepper="rk4")
    with pytest.raises(FloatingPointError, match="variable 'v' became non-finite during the run"):
        go(lambda t, y, args: {"v": y["v"] ** 3}, {"v": 5.0}, dt=0.1, duration=5.0)
    with pytest.raises(Exception, match="variable 'v' became non-finite during the run"):
        jax.jit(lambda v: go(lambda t, y, args: {"v": y["v"] ** 3}, {"v": v}, duration=5.0).state)(5.0)
