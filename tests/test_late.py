"""Float32 late in a run: whatever has steps or times gives after 10^8 steps what it gives at the start.

What is public is walked: what is new must be made by its class alone, or have an instance or a reason in a table here.
"""

import importlib
import inspect
import pkgutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.interpreters.partial_eval import dce_jaxpr

import neuropytree as npt
from neuropytree.testing import neuron_bank, node_bank

from .helpers import assert_same_bits, quick_jit

LATE = 10**8
DTS = [0.1, 0.01, 0.025]


@pytest.fixture(autouse=True)
def float32():
    with jax.enable_x64(False):
        yield


def public(kind):
    """Every public class of that kind that isn't abstract, by name."""
    packages = [npt] + [
        importlib.import_module(f"neuropytree.{module.name}")
        for module in pkgutil.iter_modules(npt.__path__)
        if module.ispkg and not module.name.startswith("_")
    ]
    found = {x for package in packages for name, x in vars(package).items() if not name.startswith("_")}
    return {x.__name__: x for x in found if inspect.isclass(x) and issubclass(x, kind) and not inspect.isabstract(x)}


def functions(package):
    return {name: f for name, f in vars(package).items() if inspect.isfunction(f) and not name.startswith("_")}


def complete(found, table, reasons):
    """What is found must be in one of the two, and nothing else."""
    assert set(found) - set(table) - set(reasons) == set(), "give these an instance, or a reason why not"
    assert set(reasons) <= set(found) and not set(table) & set(reasons)


# ---- ticks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dt", [*DTS, 1 / 3])
def test_a_stimulus_tells_times_as_it_does_at_the_start(dt):
    """By `since` and `phase`, to the bit: by `t` a wave of 1 ms was 23 % off after 10^7 steps (register A2)."""
    ends = jnp.arange(40, dtype=jnp.int32)

    def told(start):
        def one(k):
            tick, onset = npt.Tick.at(start + k, dt=dt), (start + 5) * dt
            return tick.since(onset), tick.phase(10 * dt), tick.phase(10 * dt / 3), tick.part(3, 7).since(onset)

        return jax.vmap(one)(ends)

    early, late, latest = quick_jit(lambda: [told(start) for start in (0, LATE, 2 * 10**9)])()
    since, phase, third, part = early
    assert since.dtype == phase.dtype == jnp.float32
    for other in (late, latest):
        assert_same_bits(other[:2], early[:2])
        # what isn't a whole number of millionths of a step: to that
        apart = np.abs(np.asarray(other[2]) - np.asarray(third))
        np.testing.assert_array_less(np.minimum(apart, 1 - apart), 1e-6)
        np.testing.assert_allclose(other[3], part, rtol=1e-6, atol=1e-6 * dt)
    np.testing.assert_array_equal(since >= 0, ends >= 5)
    np.testing.assert_allclose(since, (np.arange(40) - 5) * dt, rtol=1e-7, atol=0)
    np.testing.assert_allclose(phase, np.arange(40) % 10 / 10, rtol=1e-7, atol=0)


def test_derivatives_of_told_times():
    @quick_jit
    def told(x):
        at = npt.Tick.at(5, dt=0.1)
        return jax.grad(at.since)(x), jax.grad(at.phase)(x), at.since(np.array([0.0, 0.5]))

    # 0.5 / p - 2 at p = 0.2
    for got, want in zip(told(jnp.float32(0.2)), (-1.0, -12.5, [0.5, 0.0]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


# ---- steppers -------------------------------------------------------------------------------------------------------

TAUS = np.array([1e2, 1e4, 1e6])  # ms


class Mixed(npt.integrate.AbstractField):
    """Two variables that oscillate; and slow ones: declared either way, and not at all."""

    noisy: bool = eqx.field(static=True, default=False)

    def vector_field(self, t, y, u):
        slow = {name: (1 - y[name]) / jnp.float32(TAUS) for name in ("relaxing", "linear", "plain")}
        return {"v": y["v"] - y["v"] ** 3 / 3 - y["w"] + 0.5, "w": 0.08 * (y["v"] + 0.7 - 0.8 * y["w"]), **slow}

    def linear(self, t, y, u):
        rate = 1 / jnp.float32(TAUS)
        known = {
            "relaxing": npt.integrate.Relaxation(rate, jnp.ones_like(rate)),
            "linear": npt.integrate.Linear(-rate, rate),
        }
        return dict.fromkeys(y) | known

    def diffusion(self, t, y, u):
        return dict.fromkeys(y) | {"v": 0.1 * jnp.ones(2, jnp.float32)} if self.noisy else None


class Driven(npt.integrate.AbstractField):
    """Something that follows a wave of 1 ms."""

    noisy: bool = eqx.field(static=True, default=False)

    def vector_field(self, t, y, u):
        return {"v": 3 * jnp.sin(2 * jnp.pi * t) - y["v"]}

    def diffusion(self, t, y, u):
        return {"v": 0.1 * jnp.ones(2, jnp.float32)} if self.noisy else None


def tableaux():
    """Every explicit method that has a name."""
    found = {}
    for name, function in functions(npt.integrate).items():
        needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        if inspect.signature(function).return_annotation in ("ExplicitRungeKutta", npt.integrate.ExplicitRungeKutta):
            found[name] = function(*[0.7] * len(needed))
    return found


def steppers():
    import diffrax

    pair = npt.integrate.DormandPrince()
    made = {
        "ExplicitRungeKutta": tableaux(),
        "Adaptive": {"Adaptive": npt.integrate.Adaptive(pair, rtol=1e-4, atol=1e-6)},
        "Diffrax": {
            "Diffrax, Bosh3": npt.integrate.Diffrax(diffrax.Bosh3()),
            "Diffrax, ImplicitEuler": npt.integrate.Diffrax(
                diffrax.ImplicitEuler(root_finder=diffrax.VeryChord(rtol=1e-5, atol=1e-5))
            ),
        },
    }
    for name, kind in public(npt.integrate.AbstractStepper).items():
        if issubclass(kind, npt.integrate.AbstractFractionalStepper):
            made[name] = {name: kind(0.8, num_memory=STEPS)}
        elif name not in made and name not in NO_STEPPER_OF_ANY_FIELD:
            made[name] = {name: kind()}
    return made


STEPS = 160
NO_STEPPER_OF_ANY_FIELD = {"Hines": "moves cables alone: they are among the cells"}


def trajectories(steppers, field, y0, dt):
    """What each stepper makes of a field, as a function of the first step. Noise is that of the steps since then."""

    def run(start):
        def one(stepper):
            known = field(isinstance(stepper, npt.integrate.AbstractSDEStepper))

            def step(carry, k):
                y, memory = carry
                t, key = npt.Tick.at(start + k, dt=dt).t, jax.random.fold_in(jax.random.key(0), k)
                y, memory = stepper.step(known, t, y, None, dt, state=memory, key=key)
                return (y, memory), y

            return jax.lax.scan(step, (y0, stepper.init(y0)), jnp.arange(STEPS, dtype=jnp.int32))[1]

        return {name: one(stepper) for name, stepper in steppers.items()}

    return quick_jit(run)


def test_every_stepper_is_known():
    found = public(npt.integrate.AbstractStepper)
    complete(found, steppers(), NO_STEPPER_OF_ANY_FIELD)
    assert len(tableaux()) >= 18


@pytest.mark.parametrize("kind", sorted(set(public(npt.integrate.AbstractStepper)) - set(NO_STEPPER_OF_ANY_FIELD)))
def test_steppers_move_what_has_no_time_of_its_own_as_at_the_start(kind):
    """Registers A1 and A6."""
    zero = jnp.zeros(3, jnp.float32)
    y0 = {"v": jnp.float32([-1.0, 0.5]), "w": jnp.float32([0.3, 0.0])}
    y0 |= {"relaxing": zero, "linear": zero, "plain": zero}
    run = trajectories(steppers()[kind], Mixed, y0, 0.1)
    early = run(jnp.int32(0))
    assert_same_bits(run(jnp.int32(LATE)), early)
    exact = -np.expm1(-0.1 * np.arange(1, STEPS + 1)[:, None] / TAUS)
    for name, ys in early.items():
        if issubclass(public(npt.integrate.AbstractStepper)[kind], npt.integrate.AbstractFractionalStepper):
            continue  # of another order
        for slow in ("relaxing", "linear", "plain"):
            # 160 sums of float32; a method of order 1 is off by dt/2 tau, which is 5e-4 for the first
            np.testing.assert_allclose(ys[slow], exact, rtol=6e-4, atol=0, err_msg=f"{name}, {slow}")


@pytest.mark.parametrize("kind", ["Diffrax", "CrankNicolson", "StochasticHeun"])
def test_steppers_hand_on_a_time_that_is_rounded_once(kind):
    """16 s late the time of a stage is known to 1/1024 ms, and the wave to 2 pi/1024 of 3."""
    run = trajectories(steppers()[kind], Driven, {"v": jnp.zeros(2, jnp.float32)}, 1 / 16)
    early, late = run(jnp.int32(0)), run(jnp.int32(2**18))
    for name in early:
        np.testing.assert_allclose(late[name]["v"], early[name]["v"], rtol=0, atol=0.02, err_msg=name)


# ---- cells and nodes ------------------------------------------------------------------------------------------------

GO_BY_NUMBERS = {"SpikeTimes", "SpikeTimes, counts"}  # of the steps: see below


def cells():
    """Every cell of the bank, and every other that has a name."""
    others = {name: f for name, f in functions(npt.neurons).items() if name[0].isupper()}
    return {**{name: f for name, f in others.items() if name not in neuron_bank()}, **neuron_bank()}


def uses_the_number_of_the_step(step, dynamics, given):
    """Whether anything but random numbers depends on it, as far as the traced operations tell."""

    def at(index):
        state = dynamics.init(dt=0.1, key=jax.random.key(0))
        stream = npt.Tick.at(0, dt=0.1, key=jax.random.key(0)).stream
        return eqx.filter(step(state, given, npt.Tick(index, 0.1, stream)), eqx.is_array)

    jaxpr = jax.make_jaxpr(at)(jnp.int32(0)).jaxpr
    return any(dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[1])


@pytest.mark.parametrize("name", sorted(cells()))
def test_cells_have_no_time_of_their_own(name):
    cell = cells()[name](3)
    assert not uses_the_number_of_the_step(cell.step, cell, 10.0)


def test_every_node_is_known():
    complete(public(npt.AbstractNode), {type(node).__name__ for node in node_bank().values()}, {})


@pytest.mark.parametrize("name", sorted(set(node_bank()) - GO_BY_NUMBERS))
def test_nodes_have_no_time_of_their_own(name):
    node = node_bank()[name]
    given = 10.0 if name.startswith(("Population", "Substeps", "Poisson")) else None
    assert not uses_the_number_of_the_step(node.advance, node, given)


def test_what_uses_the_number_of_the_step_is_told():
    """The walk above can fail."""
    node = node_bank()["SpikeTimes"]
    assert uses_the_number_of_the_step(node.advance, node, None)
    cell = npt.neurons.LIF(3)
    step = lambda state, given, tick: cell.step(state, given + tick.t, tick)  # noqa: E731
    assert uses_the_number_of_the_step(step, cell, 10.0)


def test_spikes_at_given_times_come_in_their_steps():
    """Also where float32 has no such times: `Substeps` counts on in parts of steps, up to 2^31."""
    for late, dt in ((LATE, 0.025), (2**31 - 100, 0.01)):
        steps = np.array([0, 1, 2, 7, 7, 20])
        source = npt.sources.SpikeTimes([0, 1, 2, 0, 1, 0], (late + steps + 1) * dt, size=3)
        state = source.init(dt=dt)
        send = lambda k, source=source, state=state, late=late, dt=dt: source.advance(  # noqa: E731
            state, None, npt.Tick.at(late + k, dt=dt)
        )[1]["spike"]
        sent = quick_jit(jax.vmap(send))(jnp.arange(25, dtype=jnp.int32))
        np.testing.assert_array_equal(np.nonzero(sent), np.array([[0, 1, 2, 7, 7, 20], [0, 1, 2, 0, 1, 0]]))


def test_random_sources_keep_their_law():
    """Poisson spikes in the last steps that can be counted, by a rate that is a function of the tick."""
    source = npt.sources.Poisson(500, rate=lambda tick: jnp.where(tick.phase(1.0) < 0.45, 1000.0, 0.0))
    key = jax.random.key(3)

    def spikes(start):
        at = lambda k: source.advance(None, None, npt.Tick.at(start + k, dt=0.1, key=key))[1]["spike"]  # noqa: E731
        return jax.vmap(at)(jnp.arange(90, dtype=jnp.int32))

    early, late = (np.asarray(quick_jit(spikes)(jnp.int32(start))) for start in (0, 2**31 - 108))
    assert (early != late).any()
    for x, first in ((early, 0), (late, (2**31 - 108) % 10)):
        on = (first + np.arange(90)) % 10 < 5
        assert not x[~on].any()
        p, n = 1 - np.exp(-0.1), on.sum() * 500
        assert abs(x[on].mean() - p) < 4 * np.sqrt(p * (1 - p) / n)  # four standard errors


# ---- runs and records -----------------------------------------------------------------------------------------------


def network(start, dt=0.1):
    """Cells of both kinds of spikes, delays, a source by times and one in parts of steps."""
    times = (start + np.array([3, 4, 9, 30]) + 1) * dt
    cell = npt.neurons.LIF(4, tau=10.0, t_ref=2.0, surrogate=None)
    nodes = {
        "E": npt.Population(cell, {"in": npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())}),
        "fine": npt.Substeps(npt.Population(npt.neurons.LIF(4, tau=50.0), {"jump": npt.synapses.Delta()}), 2),
        "S": npt.sources.SpikeTimes([0, 1, 2, 3], times, size=4),
    }
    ways = {
        "S->E": npt.Projection("S", "E.in", npt.connect.AllToAll(), weight=30.0, delay=1.5),
        "E->fine": npt.Projection("E", "fine.jump", npt.connect.OneToOne(), weight=2.0, delay=0.3),
        "E->E": npt.Projection("E", "E.in", npt.connect.AllToAll(include_self=False), weight=1.0),
    }
    return npt.Network(nodes, ways, key=jax.random.key(0))


def test_a_run_and_its_records_are_those_of_the_start(tmp_path):
    onsets = [(start + 30) * 0.1 for start in (0, LATE)]

    def drive(tick):
        pulse = sum(((tick.since(t) >= 0) & (tick.since(t) < 4.0)).astype(jnp.float32) for t in onsets)
        return 25.0 + 5.0 * jnp.sin(2 * jnp.pi * tick.phase(1.0)) + 9.0 * pulse

    records = {
        "v": "E.v",
        "fine": "fine.v",
        "mean": npt.Probe("E.v", reduce="mean", every=60),
        "count": npt.Probe("E.spike", reduce="sum", every=20),
        "events": npt.Events("fine.spike", capacity=200),
    }

    def run(start, **options):
        net = network(start)
        inputs = {"E": drive, "fine": npt.Series(60.0 + jnp.arange(120.0))}
        given = {"dt": 0.1, "duration": 12.0, "record": records, "start": start} | options
        return npt.simulate(net, net.init(dt=0.1), inputs, **given)

    early, late = run(0), run(LATE)
    for name in ("v", "fine", "mean", "count"):
        assert_same_bits(late.out[name], early.out[name])
        np.testing.assert_array_equal(late.times(name), (np.round(early.times(name) / 0.1) + LATE) * 0.1)
    assert early.out["count"].sum() >= 8 and len(early.out["events"].steps) == 4
    np.testing.assert_array_equal(late.out["events"].steps, early.out["events"].steps + LATE)
    np.testing.assert_array_equal(late.out["events"].raster(), early.out["events"].raster())
    assert_same_bits(late.state.nodes["E"], early.state.nodes["E"])
    assert_same_bits(late.state.lines, early.state.lines)
    assert late.steps == LATE + 120 and late.out["events"].ts.dtype == np.float64
    spikes, cv = early.out["events"], npt.measure.isi_cv
    np.testing.assert_allclose(cv(late.ts, late.out["events"]), cv(early.ts, spikes), rtol=1e-6)
    rate = npt.measure.firing_rate
    assert_same_bits(rate(late.out["events"], dt=0.1, width=2.0), rate(spikes, dt=0.1, width=2.0))
    run(LATE, chunk=60, sink=npt.record.NpyBlocks(tmp_path / "late"))
    disk = npt.record.load(tmp_path / "late")
    np.testing.assert_array_equal(disk["v"], early.out["v"])
    np.testing.assert_array_equal(disk.times("v"), late.times("v"))
    np.testing.assert_array_equal(disk.times("events"), late.out["events"].ts)


def test_means_and_sums_of_many_steps_lose_nothing():
    """The mean of 300 000 voltages was off by 0.1 mV."""
    rest = np.array([-59.3, -60.1, -61.7])
    cell = npt.neurons.LIF(3, v_rest=rest, v_th=0.0, v_reset=-70.0)
    probes = {how: npt.Probe("v", reduce=how, every=300_000) for how in ("mean", "sum")}
    out = npt.simulate(cell, cell.init(dt=0.01), dt=0.01, duration=3000.0, record=probes).out
    np.testing.assert_allclose(out["mean"][0], rest, rtol=2e-7)
    np.testing.assert_allclose(out["sum"][0], 300_000 * rest, rtol=2e-7)


# ---- solvers --------------------------------------------------------------------------------------------------------

NO_SOLVERS = {
    "depends": "looks at operations",
    "relaxed": "has no time",
    "secant": "has no time",
    "hybrid_options": "checks options",
    "fdeint": "always begins at 0: Caputo's derivative is from there",
}


def test_every_solver_is_known():
    found = {name: f for name, f in functions(npt.integrate).items() if name not in tableaux()}
    complete(found, ("odeint", "sdeint", "hybrid_solve"), NO_SOLVERS)


def test_trajectories_begin_late(dt=0.01):
    """Register A1: from 300 s on, steps that adapt stood still."""
    stepper = npt.integrate.Adaptive(npt.integrate.DormandPrince(), rtol=1e-5, atol=1e-6)

    def decay(start, **options):
        return npt.integrate.odeint(
            lambda t, y, a: -y / 10, 1.0, dt=dt, duration=20 * dt, start=start, stepper=stepper, **options
        )

    early, late = (decay(start, dense=True) for start in (0, LATE))
    assert_same_bits((late.ys, late.state), (early.ys, early.state))
    np.testing.assert_array_equal(late.ts, (LATE + np.arange(1, 21)) * dt)
    np.testing.assert_allclose(early.state, np.exp(-2 * dt), rtol=1e-5)
    at = np.array([0.0, 3.3, 20.0])  # steps
    np.testing.assert_allclose(late.evaluate((LATE + at) * dt), np.exp(-at * dt / 10), rtol=1e-5)
    with pytest.raises(ValueError, match="the run is"):
        late.evaluate((LATE + 21) * dt)


def test_noise_of_late_steps_has_its_law():
    def walk(start):
        return npt.integrate.sdeint(
            lambda t, y, a: 0 * y, lambda t, y, a: jnp.ones_like(y), jnp.zeros(400), dt=0.01, duration=0.2,
            key=jax.random.key(0), start=start,
        ).state  # fmt: skip

    early, late = np.asarray(walk(0)), np.asarray(walk(LATE))
    assert (early != late).all()
    assert abs(late.std() / np.sqrt(0.2) - 1) < 4 / np.sqrt(800)  # four standard errors


def test_exact_spikes_are_those_of_the_start_and_of_short_solves():
    """Register A7: from 300 s on there was a spike at t0, and the others came late. Late in a long solve, after five
    minutes of silence, they are those of a short one."""
    cell = npt.neurons.LIF(3, v_th=20.0, v_reset=0.0, tau=10.0, t_ref=2.0)
    state = eqx.tree_at(lambda s: s.refractory, cell.init(dt=0.1), jnp.array([0, 3, 17], jnp.int32))

    @quick_jit
    def solve(t0, on, duration):
        drive = jax.tree_util.Partial(lambda on, i, t: jnp.where(t >= on, i, 0.0), on, jnp.float32([15.0, 25.0, 35.0]))
        options = {"ts": t0 + jnp.float32([0.0, 33.0]), "jump_ts": on[None], "state": state, "max_spikes": 12}
        return npt.neurons.exact_spikes(cell, drive, t0=t0, duration=duration, **options)

    early, *lates, long = (
        solve(jnp.float32(t0), jnp.float32(t0 + on), jnp.float32(on + 92.03))
        for t0, on in ((0.0, 8.0), (3e4, 8.0), (3e5, 8.0), (1e7, 8.0), (0.0, 3e5))
    )
    assert list(early.n_spikes) == [0, 5, 8]
    first, period = 10 * np.log(5), 10 * np.log(5) + 2
    np.testing.assert_allclose(early.spike_times[1, :5], 8.0 + first + period * np.arange(5), rtol=0, atol=2e-3)
    for t0, late in zip((3e4, 3e5, 1e7), lates, strict=True):
        for name in ("ys", "y", "n_steps", "n_spikes"):
            assert_same_bits(getattr(late, name), getattr(early, name))
        np.testing.assert_array_equal(late.spike_times, np.float32(t0) + np.asarray(early.spike_times))
    np.testing.assert_array_equal(long.n_spikes, early.n_spikes)
    shifted = np.asarray(early.spike_times, float) + (3e5 - 8.0)
    np.testing.assert_allclose(long.spike_times, shifted, rtol=0, atol=0.016 + 2e-3)  # float32 tells 1/32 ms apart


def test_a_late_solve_sees_each_side_of_a_jump():
    """Whether the jump itself counts to what comes before or after; float32 tells 1/32 ms apart."""

    def on(t, at, strictly):
        return jnp.where(strictly, t > at, t >= at)

    def solve(t0, strictly):
        return npt.integrate.hybrid_solve(
            lambda t, v, args: jnp.where(on(t, t0 + 7.5, strictly), 4.0, 0.0), jnp.float32(0.0), t0=t0, t1=t0 + 10.5,
            event=lambda t, v, args: v - 5.0, reset=lambda t, v, args: v - 5.0, max_spikes=3,
            ts=t0 + jnp.float32([7.5, 8.0]), jump_ts=t0 + jnp.float32([7.5, np.inf]),
        )  # fmt: skip

    begins = jnp.float32([0.0, 3e5, 0.0, 3e5])
    sol = quick_jit(jax.vmap(solve))(begins, jnp.array([False, False, True, True]))
    for k in range(4):
        assert_same_bits(sol.ys[k], sol.ys[0])
        np.testing.assert_array_equal(sol.spike_times[k], begins[k] + jnp.float32([8.75, 10.0, np.inf]))
    np.testing.assert_allclose(sol.ys[0], [0.0, 2.0], rtol=3e-6)  # of sums
    assert (sol.n_steps < 20).all()


@pytest.mark.parametrize("delta_t", [1e-6, 1e-14, 1e-30])
def test_a_sharp_upswing_reaches_the_threshold(delta_t):
    """Register A7: the leaky limit spikes where it crosses `v_t`. With 1e-14 it rose by 16 mV and no more."""
    cell = npt.neurons.AdExIF(1, delta_t=delta_t, v_rest=-65.0, v_t=-59.9, v_th=20.0, v_reset=-65.0, a=0.0, b=0.0)
    spikes = npt.simulate(cell, cell.init(dt=0.01), 6.0, dt=0.01, duration=60.0, record=["spike"]).out["spike"]
    period = 10 * np.log(6 / 0.9)  # of tau, current and v_t
    # two steps for each spike
    np.testing.assert_allclose((np.flatnonzero(spikes) + 1) * 0.01, period * np.arange(1, 4), rtol=0, atol=0.06)


# ---- slow decays ----------------------------------------------------------------------------------------------------


def test_slow_decays_are_those_of_float64():
    """Register A6. A factor that is rounded each time was 8e-4 off for 10^5 steps, and 1 % for 10^6."""
    x = jnp.asarray(np.random.default_rng(0).uniform(0.1, 10.0, 64), jnp.float32)
    relaxed = npt.synapses.Exponential(1e3)
    rule = npt.neurons.RelativeRefractory(1.0, 1e3)

    @quick_jit
    def after(x):
        def step(_, carry):
            state, raised = carry
            return relaxed.relax(state, 0.01), rule.decay(raised, 0.01)

        state = relaxed.receive(relaxed.init(x.shape, x.dtype), lambda g: g + x)
        state, raised = jax.lax.fori_loop(0, 30_000, step, (state, x))
        return state.g, raised

    lost = np.asarray(x, float) * -np.expm1(-0.3)
    for left in after(x):
        np.testing.assert_allclose(np.asarray(x, float) - left, lost, rtol=2e-4)
