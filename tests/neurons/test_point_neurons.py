"""All point neurons: traces against SciPy, starts at rest, resets, refractoriness, noise, gradients."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import neuropytree as npt

nn = npt.neurons
DRIVE, CONDUCTANCE = 2.0, 0.3


# the equations of each model, written from the publications, of a tuple of variables and the current that flows in
def _adex(y, i):
    v, w = y
    upswing = 3.48 * np.exp((v + 59.9) / 3.48)
    return [(-(v + 65) + upswing + i - w) / 10, ((v + 65) - w) / 30]


def _gif(y, i):
    v, v_th, i1, i2 = y
    return [
        (-(v + 70) + 0.5 * (i + i1 + i2)) / 20,
        0.02 * (v + 70) - 0.01 * (v_th + 50),
        -0.2 * i1,
        -0.02 * i2,
    ]


CASES = {
    "LIF": (lambda **k: nn.LIF(1, v_th=1e3, v_rest=1.0, **k), lambda y, i: [(1 - y[0] + i) / 10], (3.0,)),
    "IF": (lambda **k: nn.IF(1, v_th=1e3, **k), lambda y, i: [i / 10], (3.0,)),
    "LeakyIntegrator": (
        lambda **k: nn.LeakyIntegrator(1, v_rest=-2.0, **k),
        lambda y, i: [(-2 - y[0] + i) / 10],
        (3.0,),
    ),
    "ExpIF": (
        lambda **k: nn.ExpIF(1, **k),
        lambda y, i: [(-(y[0] + 65) + 3.48 * np.exp((y[0] + 59.9) / 3.48) + i) / 10],
        (-67.0,),
    ),
    "AdExIF": (lambda **k: nn.AdExIF(1, **k), _adex, (-67.0, 1.5)),
    "QuaIF": (lambda **k: nn.QuaIF(1, **k), lambda y, i: [(0.07 * (y[0] + 65) * (y[0] + 50) + i) / 10], (-67.0,)),
    "AdQuaIF": (
        lambda **k: nn.AdQuaIF(1, **k),
        lambda y, i: [(0.07 * (y[0] + 65) * (y[0] + 50) + i - y[1]) / 10, (y[0] + 65 - y[1]) / 10],
        (-67.0, 1.5),
    ),
    "GIF": (lambda **k: nn.GIF(1, r=0.5, a=0.02, **k), _gif, (-72.0, -51.0, 1.0, -2.0)),
    "Izhikevich": (
        lambda **k: nn.Izhikevich(1, **k),
        lambda y, i: [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + i, 0.02 * (0.2 * y[0] - y[1])],
        (-66.0, -13.0),
    ),
    "ALIF": (lambda **k: nn.ALIF(1, tau_a=50.0, **k), lambda y, i: [(-70 - y[0] + i) / 20, -y[1] / 50], (-72.0, 2.0)),
    "FitzHughNagumo": (
        lambda **k: nn.FitzHughNagumo(1, **k),
        lambda y, i: [y[0] - y[0] ** 3 / 3 - y[1] + i, (y[0] + 0.7 - 0.8 * y[1]) / 12.5],
        (-1.0, 0.3),
    ),
    "HindmarshRose": (
        lambda **k: nn.HindmarshRose(1, **k),
        lambda y, i: [
            y[1] - y[0] ** 3 + 3 * y[0] ** 2 - y[2] + i,
            1 - 5 * y[0] ** 2 - y[1],
            0.01 * (4 * (y[0] + 1.6) - y[2]),
        ],
        (-1.3, -8.0, 0.2),
    ),
}
# resistance by which the membrane multiplies the drive is 1 but for GIF, whose equations have it


def scaled(name: str) -> float:
    """A conductance of 0.3 pulls a voltage of -65 by 20: those without unit get less."""
    return 1.0 if name in ("LIF", "IF", "LeakyIntegrator", "FitzHughNagumo", "HindmarshRose") else 0.02


def started(cell, y0):
    state = cell.init(dt=0.1)
    names = [field.name for field in dataclasses.fields(state.membrane)]
    membrane = dataclasses.replace(state.membrane, **{n: jnp.full(1, x) for n, x in zip(names, y0, strict=True)})
    return eqx.tree_at(lambda s: s.membrane, state, membrane), names


@pytest.mark.parametrize("name", list(CASES))
def test_traces_are_those_of_scipy_and_the_default_stepper_has_its_order(name):
    make, field, y0 = CASES[name]
    g = CONDUCTANCE * scaled(name)
    duration = 8.0
    drive = npt.Drive(jnp.asarray(DRIVE), jnp.asarray(g))
    reference = solve_ivp(
        lambda t, y: field(y, DRIVE - g * y[0]), (0, duration), y0, method="DOP853", rtol=1e-12, atol=1e-12
    ).y[:, -1]

    def error(stepper, dt):
        cell = make(stepper=stepper)
        state, names = started(cell, y0)
        state = dataclasses.replace(state, dt=dt)
        sol = npt.simulate(cell, state, drive, dt=dt, duration=duration)
        got = np.array([float(getattr(sol.state.membrane, n)[0]) for n in names])
        return np.abs(got - reference).max()

    assert error(npt.integrate.RK4(), 0.01) < 1e-8
    if name in ("LIF", "IF", "LeakyIntegrator", "ALIF"):
        assert error(None, 0.5) < 1e-11  # exact: linear, and nothing that moves feeds into the voltage
    else:
        steps = np.array([0.04, 0.02, 0.01, 0.005])
        errors = [error(None, float(dt)) for dt in steps]
        order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
        # linearised in the only variable there is: Rosenbrock's method; with several, each with the others held
        nominal = 2 if name in ("ExpIF", "QuaIF") else 1
        assert abs(order - nominal) < 0.15


@pytest.mark.parametrize("name", list(CASES))
def test_declared_coefficients_agree_with_the_field_and_are_linear(name):
    make, _, y0 = CASES[name]
    cell = make()
    state, names = started(cell, y0)
    for g in (None, jnp.asarray(0.4)):
        u = npt.Drive(jnp.asarray(1.7), g)
        declared = cell.membrane.linear(0.0, state.membrane, u)
        if declared is None:
            continue
        for variable in names:
            c = getattr(declared, variable)
            if c is None:
                continue
            for factor in (1.0, 0.5, -2.0):  # whatever the variable's own value
                y = dataclasses.replace(state.membrane, **{variable: factor * getattr(state.membrane, variable)})
                x = getattr(y, variable)
                got = c.rate * (c.rest - x) if isinstance(c, npt.integrate.Relaxation) else c.a * x + c.b
                want = getattr(cell.membrane.vector_field(0.0, y, u), variable)
                np.testing.assert_allclose(jnp.broadcast_to(got, want.shape), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", list(CASES))
def test_everyone_starts_at_rest(name):
    """Register, 1: those of BrainPy with an upswing start above their threshold, and spike in the first step."""
    cell = getattr(nn, name)(2)
    sol = npt.simulate(cell, cell.init(dt=0.1), dt=0.1, duration=50.0, record=lambda s, out: {"v": s.v, "out": out})
    if name != "LeakyIntegrator":
        assert not np.asarray(sol.out["out"]).any()
    # the exponential lifts the rest above v_rest; everybody else does not move
    lift = 1.2 if name in ("ExpIF", "AdExIF") else 1e-9
    assert np.abs(np.asarray(sol.out["v"]) - np.asarray(cell.init(dt=0.1).v)).max() < lift


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rests_of_odd_parameters_are_the_leftmost_roots(dtype):
    """Against NumPy's roots, built for each neuron in a vmap; and the derivative of the rest, by its implicit form."""
    rng = np.random.default_rng(0)
    n = 300
    tol = 1e-9 if dtype is np.float64 else 2e-3
    a, b = rng.normal(0, 3, n), np.exp(rng.uniform(-3, 2, n))
    hr = {"a": np.exp(rng.uniform(-2, 2, n)), "s": rng.normal(0, 5, n)}
    hr |= {k: rng.normal(0, s, n) for k, s in (("b", 4), ("c", 3), ("d", 6), ("v_rest", 2))}
    cubics = {
        "FitzHughNagumo": ({"a": a, "b": b}, [np.full(n, 1 / 3), 0 * b, 1 / b - 1, a / b]),
        "HindmarshRose": (hr, [hr["a"], hr["d"] - hr["b"], hr["s"], -hr["c"] - hr["s"] * hr["v_rest"]]),
    }
    with jax.enable_x64(dtype is np.float64):
        for name, (parameters, cubic) in cubics.items():
            given = {k: jnp.asarray(x, dtype) for k, x in parameters.items()}
            rest = lambda p, name=name: getattr(nn, name)((), **p).init().membrane  # noqa: E731
            y, slopes = jax.jit(jax.vmap(lambda p: (rest(p), jax.grad(lambda p: rest(p).v)(p))))(given)  # noqa: B023
            assert y.v.dtype == dtype
            cell = getattr(nn, name)(n, **given)
            moves = cell.vector_field(0.0, y, npt.Drive(jnp.zeros((), dtype)))
            for k, coefficients in enumerate(zip(*cubic, strict=True)):
                roots = np.roots(coefficients)
                inner = np.roots(np.polyder(coefficients))
                # a double root is one or none, as rounding has it
                if np.min(np.abs(np.polyval(coefficients, inner))) < 0.1:
                    continue
                want = roots[np.abs(roots.imag) < 1e-9].real.min()
                np.testing.assert_allclose(y.v[k], want, rtol=tol, atol=tol)
                slope = np.polyval(np.polyder(coefficients), want)
                last = {"FitzHughNagumo": 1 / parameters["b"][k], "HindmarshRose": 1 - 0 * a[k]}[name]
                by = {"FitzHughNagumo": "a", "HindmarshRose": "c"}[name]
                sign = {"FitzHughNagumo": -1, "HindmarshRose": 1}[name]
                np.testing.assert_allclose(slopes[by][k], sign * last / slope, rtol=100 * tol, atol=100 * tol)
            assert all(np.isfinite(x).all() for x in jax.tree.leaves((slopes, moves)))


def test_a_neuron_without_rest_has_derivatives_of_its_start():
    """Izhikevich's parabola has no root for b above 0.2672: it starts at its minimum, and b moves that."""
    start = lambda b: nn.Izhikevich((), b=b).init().v  # noqa: E731
    for b in (0.3, 1.0):
        np.testing.assert_allclose([start(b), jax.grad(start)(b)], [-(5 - b) / 0.08, 1 / 0.08], rtol=1e-12)
    root = np.sqrt(4.8**2 - 22.4)
    np.testing.assert_allclose(jax.grad(start)(0.2), (1 + 4.8 / root) / 0.08, rtol=1e-12)


def test_gif_compares_with_the_threshold_of_the_same_step():
    """Register, 2: a threshold that has fallen below the voltage in this step, and one that has risen above it."""
    cell = nn.GIF(2, b=1.0, v_th_inf=np.array([-60.0, -40.0]), v_th_reset=-65.0, reset="soft", v_reset=-70.0)
    state = cell.init(dt=1.0)
    membrane = dataclasses.replace(state.membrane, v=jnp.full(2, -52.0), v_th=jnp.array([-50.0, -54.0]))
    state, spike = cell.step(eqx.tree_at(lambda s: s.membrane, state, membrane), 0.9, npt.Tick.at(0, dt=1.0))
    v = -52.0 + (-70.0 + 20 * 0.9 + 52.0) * (1 - np.exp(-1 / 20))
    v_th = np.array([-60.0, -40.0]) + np.array([10.0, -14.0]) * np.exp(-1.0)
    np.testing.assert_array_equal(spike, [1.0, 0.0])
    np.testing.assert_allclose(state.membrane.v_th, v_th, rtol=1e-12)
    np.testing.assert_allclose(state.v, [v - (v_th[0] + 70.0), v], rtol=1e-12)


def test_a_spike_of_gif_jumps_currents_and_threshold():
    cell = nn.GIF(1, r1=0.5, a1=3.0, r2=1.0, a2=-2.0, b=0.0, k1=0.0, k2=0.0, v_th_inf=-55.0, v_th_reset=-50.0)
    state = cell.init(dt=0.1)
    membrane = dataclasses.replace(state.membrane, v=jnp.full(1, -54.0), i1=jnp.full(1, 4.0), i2=jnp.full(1, 1.0))
    y = cell.step(eqx.tree_at(lambda s: s.membrane, state, membrane), 0.0, npt.Tick.at(0, dt=0.1))[0].membrane
    np.testing.assert_allclose([y.v[0], y.v_th[0], y.i1[0], y.i2[0]], [-70.0, -50.0, 5.0, -1.0], rtol=1e-14)


def test_alif_lowers_its_voltage_and_starts_without_adaptation():
    """Register, 3: with a rest of -70 and a threshold of -60 mV a spike subtracts 10 mV, and never adds 60."""
    cell = nn.ALIF(1)
    state = cell.init(dt=1.0)
    assert float(state.membrane.a[0]) == 0.0
    v, a, trace = -70.0, 0.0, []
    for _ in range(300):  # Bellec et al. 2020, equations (6) to (8), with the rest at -70
        v = -70.0 + 25.0 + (v + 70.0 - 25.0) * np.exp(-1 / 20)
        a *= np.exp(-1 / 2000)
        z = v >= -60.0 + 1.6 * a
        v, a = v - 10.0 * z, a + z
        trace.append((v, a, z))
    out = npt.simulate(cell, state, 25.0, dt=1.0, duration=300.0, record=["v", "a", "spike"]).out
    got = np.stack([np.asarray(out[name])[:, 0] for name in ("v", "a", "spike")], axis=1)
    np.testing.assert_allclose(got, trace, rtol=1e-10)
    assert 5 < got[:, 2].sum() < 100


def test_period_of_the_quadratic_neuron_is_its_closed_form():
    i, dt = np.array([6.0, 10.0, 30.0]), 0.005
    cell = nn.QuaIF(3, stepper=npt.integrate.RK4())
    spikes = npt.simulate(cell, cell.init(), i, dt=dt, duration=200.0, record=["spike"]).out["spike"]
    width = np.sqrt((i - 0.07 * 7.5**2) / 0.07)  # c (v + 57.5)^2 + what the current exceeds the rheobase by
    period = 10 / (0.07 * width) * (np.arctan((-30 + 57.5) / width) - np.arctan((-68 + 57.5) / width))
    got = [np.diff(np.flatnonzero(s)).mean() * dt for s in np.asarray(spikes).T]
    assert ((got - period > -1e-9) & (got - period < dt)).all()  # each reset waits for the end of its step


CONSTRUCTORS = ["IF", "LIF", "ExpIF", "AdExIF", "QuaIF", "AdQuaIF", "GIF", "Izhikevich", "ALIF"]
WITHOUT_UNIT = {"FitzHughNagumo": {"v_reset": -1.0, "v_th": 1.0}, "HindmarshRose": {"v_reset": -1.0}}
UPSWING = {"ExpIF", "AdExIF", "QuaIF", "AdQuaIF", "Izhikevich"}  # without a reset they go to infinity


@pytest.mark.parametrize("name", CONSTRUCTORS + list(WITHOUT_UNIT))
def test_any_reset_with_any_refractoriness_noise_and_a_conductance(name):
    small = name in WITHOUT_UNIT
    raise_by, current = (0.1, 1.0) if small else (4.0, 30.0)
    for reset in ("hard", "soft") if name in UPSWING else ("hard", "soft", None):
        rule = nn.RelativeRefractory(raise_by=raise_by, tau=5.0)
        cell = getattr(nn, name)(
            3,
            **WITHOUT_UNIT.get(name, {}),
            reset=reset,
            detach_reset=True,
            t_ref=1.0,
            relative=rule,
            sigma=0.01 if small else 0.1,
            surrogate=npt.surrogate.Sigmoid,
        )
        drive = npt.Drive(jnp.asarray(current), jnp.asarray(0.01))
        sol = npt.simulate(
            cell,
            cell.init(dt=0.1),
            drive,
            dt=0.1,
            duration=30.0,
            record=["v", "spike", "raised"],
            key=jax.random.key(0),
        )
        v, spikes, rise = (np.asarray(sol.out[x]) for x in ("v", "spike", "raised"))
        assert spikes.any(0).all() and np.isfinite(v).all()
        assert min(np.diff(np.flatnonzero(s)).min(initial=99) for s in spikes.T) > 10
        first = int(np.flatnonzero(spikes[:, 0])[0])
        want = raise_by * np.exp(-0.1 / 5.0 * np.arange(11))
        np.testing.assert_allclose(rise[first : first + 11, 0], want, rtol=1e-10)
        np.testing.assert_array_equal(v[first : first + 11, 0], v[first, 0])


def test_a_threshold_that_falls_below_the_voltage_is_crossed():
    """Without a reset, a leaky voltage against a threshold raised by each spike: roots of closed forms."""
    cell = nn.LIF(1, reset=None, relative=nn.RelativeRefractory(8.0, 10.0))
    raised, at, want = 0.0, 0.0, []

    def above(t, raised, at):
        return 30 * (1 - np.exp(-t / 10)) - 20 - raised * np.exp(-(t - at) / 10)

    while True:
        # both are exponentials of the same time constant, so there is a root where the end is above
        if above(60.0, raised, at) < 0:
            break
        root = brentq(above, at + 1e-9, 60.0, args=(raised, at), xtol=1e-13)
        raised, at = raised * np.exp(-(root - at) / 10) + 8.0, root
        want.append(root)
    exact = nn.exact_spikes(cell, 30.0, duration=60.0, max_spikes=20)
    np.testing.assert_allclose(exact.spike_times[0, : len(want)], want, rtol=0, atol=1e-7)
    assert int(exact.n_spikes[0]) == len(want) == 9
    out = npt.simulate(cell, cell.init(dt=0.01), 30.0, dt=0.01, duration=60.0, record=["spike"]).out
    late = (np.flatnonzero(out["spike"][:, 0]) + 1) * 0.01 - want
    assert (late > -1e-9).all() and (late < 0.01 * np.arange(1, 10) + 1e-9).all()


def test_thresholds_are_crossed_once_and_while_held_not_at_all():
    """Moving ones of ALIF and GIF without reset; and a voltage that is held where it has crossed."""
    slow = nn.ALIF(1, reset=None, beta=0.0)
    held = nn.LIF(1, reset=None, t_ref=5.0)
    for cell, current in ((slow, 40.0), (held, 30.0), (held, 27.0), (held, 1e3)):
        out = npt.simulate(cell, cell.init(dt=0.1), current, dt=0.1, duration=80.0, record=["spike"]).out
        exact = nn.exact_spikes(cell, current, duration=80.0, max_spikes=5)
        assert np.asarray(out["spike"]).sum() == int(exact.n_spikes[0]) == 1
    cell = nn.GIF(1, reset=None, a=0.02, r1=0.5, a1=-2.0)
    out = npt.simulate(cell, cell.init(dt=0.01), 3.0, dt=0.01, duration=60.0, record=["spike"]).out
    exact = nn.exact_spikes(cell, 3.0, duration=60.0, max_spikes=20)
    times = (np.flatnonzero(out["spike"][:, 0]) + 1) * 0.01
    assert len(times) == int(exact.n_spikes[0]) > 3
    # each jump waits for the end of its step; at the last crossing the two all but touch
    np.testing.assert_allclose(times, exact.spike_times[0, : len(times)], rtol=0, atol=0.1)


def test_a_raised_threshold_stops_a_neuron_until_it_has_fallen():
    """Held at 15 mV, the threshold at 10: it spikes again when 8 exp(-t / 6) has fallen below 5."""
    cell = nn.IF(1, v_th=10.0, v_init=15.0, reset=None, relative=nn.RelativeRefractory(8.0, 6.0))
    cell = eqx.tree_at(lambda c: c.threshold, cell, nn.Threshold(10.0, None))
    spikes = np.asarray(npt.simulate(cell, cell.init(), dt=0.1, duration=20.0, record=["spike"]).out["spike"])[:, 0]
    first, second = np.flatnonzero(spikes)[:2]
    assert first == 0 and second == int(np.ceil(6 * np.log(8 / 5) / 0.1))


def test_without_a_reset_a_spike_is_a_crossing():
    cell = nn.LIF(1, v_rest=0.0, v_th=5.0, reset=None)
    drive = npt.Series(np.repeat([0.0, 20.0, 0.0, 20.0], 500))
    out = npt.simulate(cell, cell.init(), drive, dt=0.1, duration=200.0, record=["v", "spike"]).out
    v, spike = np.asarray(out["v"])[:, 0], np.asarray(out["spike"])[:, 0]
    np.testing.assert_array_equal(np.flatnonzero(spike), np.flatnonzero((v[:-1] < 5) & (v[1:] >= 5)) + 1)
    assert spike.sum() == 2


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_gradient_through_the_spike_with_and_without_the_reset(reset, detach):
    """ALIF for two steps, against the same written by hand; the jump of `a` keeps its gradient either way."""
    surrogate = npt.surrogate.Sigmoid(0.5)
    cell = nn.ALIF(1, tau_a=50.0, reset=reset, detach_reset=detach, surrogate=surrogate, v_init=-61.0)

    def ours(i, beta):
        c = eqx.tree_at(lambda c: c.threshold.beta, cell, beta)
        state, total = c.init(dt=1.0), 0.0
        for k in range(3):
            state, spike = c.step(state, i, npt.Tick.at(k, dt=1.0))
            total += (k + 1) * spike[0]
        return total + state.v[0] + 0.1 * state.membrane.a[0]

    def by_hand(i, beta):
        v, a, total = jnp.asarray(-61.0), jnp.asarray(0.0), 0.0
        for k in range(3):
            v = -70.0 + i + (v + 70.0 - i) * jnp.exp(-1 / 20)
            a = a * jnp.exp(-1 / 50)
            z = surrogate(v + 60.0 - beta * a)
            s = jax.lax.stop_gradient(z) if detach else z
            v, a = v + s * (-70.0 - v) if reset == "hard" else v - 10.0 * s, a + z
            total += (k + 1) * z
        return total + v + 0.1 * a

    at = jnp.asarray(35.0), jnp.asarray(1.6)
    np.testing.assert_allclose(ours(*at), by_hand(*at), rtol=1e-12)
    np.testing.assert_allclose(jax.grad(ours, (0, 1))(*at), jax.grad(by_hand, (0, 1))(*at), rtol=1e-10)


def test_a_leaky_integrator_gives_its_voltage():
    cell = nn.LeakyIntegrator(2, v_rest=1.0, tau=np.array([5.0, 10.0]))
    state = cell.init(dt=0.1)
    sol = npt.simulate(cell, state, 3.0, dt=0.1, duration=20.0, record=lambda state, out: out)
    t = np.asarray(sol.ts)[:, None]
    np.testing.assert_allclose(sol.out, 4.0 - 3.0 * np.exp(-t / np.array([5.0, 10.0])), rtol=1e-12)
    np.testing.assert_array_equal(cell.silent(state), state.v)
    with pytest.raises(ValueError, match="'spike' is not a variable"):
        npt.simulate(cell, state, dt=0.1, duration=1.0, record=["spike"])


def test_hindmarsh_rose_bursts_and_fitzhugh_nagumo_repeats():
    cell = nn.HindmarshRose(1, b=2.5, stepper=npt.integrate.RK4(), v_th=0.0)
    spikes = npt.simulate(cell, cell.init(), 3.0, dt=0.02, duration=1500.0, record=["spike"]).out["spike"]
    gaps = np.diff(np.flatnonzero(np.asarray(spikes)[:, 0])) * 0.02
    assert gaps.max() > 4 * gaps.min() and len(gaps) > 15
    cell = nn.FitzHughNagumo(3, v_th=1.0)
    count = np.asarray(
        npt.simulate(cell, cell.init(), np.array([0.1, 0.5, 2.0]), dt=0.05, duration=500.0, record=["spike"]).out[
            "spike"
        ]
    ).sum(0)
    assert count[0] == 0 and count[1] > 8 and count[2] <= 1  # at rest, repetitive, depolarised for good


def test_what_cannot_be_composed_is_refused():
    membrane = nn.LeakyMembrane(v_rest=0.0, tau=10.0)
    with pytest.raises(ValueError, match=r"\['reset'\] act on spikes, but threshold is None"):
        nn.PointNeuron(1, membrane=membrane, threshold=None, reset=nn.HardReset(0.0))
    cell = nn.PointNeuron(1, membrane=membrane, threshold=nn.Threshold(1.0, None), jumps={"w": nn.Jump(add=1.0)})
    with pytest.raises(ValueError, match=r"jumps of \['w'\]: other than the voltage, a LeakyMembrane has \[\]"):
        cell.init()
    with pytest.raises(ValueError, match=r"b has shape \(2,\)"):
        nn.AdExIF(3, b=np.ones(2))
