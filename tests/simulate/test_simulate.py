"""The driver: split and chunked runs, records, inputs, errors, recompilation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import DRIVE, assert_same_bits, coba, count_compilations

RECORD = ["E.spike", "E.v", "I.exc.g"]


def network(**options):
    """Two populations with delays of several steps, and noise; with half the projections, as it is compiled often."""
    net = coba(64, 16, p=0.3, delay=0.7, **({"sigma": 0.7} | options))
    return npt.Network(net.nodes, {name: net.pathways[name] for name in ("E->E", "E->I")})


@pytest.fixture(scope="module")
def noisy():
    net = network()
    return net, net.init(dt=0.1, key=jax.random.key(1))


def simulate(noisy, duration=30.0, **options):
    net, state = noisy
    options = dict(dt=0.1, record=RECORD, key=jax.random.key(2), inputs=DRIVE, state=state) | options
    return npt.simulate(net, duration=duration, **options)


def ramp(n_steps):
    return {"E": npt.Series(jnp.linspace(15.0, 25.0, n_steps)), "I": 20.0}


@pytest.mark.parametrize(("chunk", "every"), [(3, 3), (60, 1), (99, 3), (300, 1), (600, 1)])
def test_chunks_give_the_same_bits(noisy, chunk, every):
    inputs = ramp(300)
    whole, pieces = (simulate(noisy, every=every, inputs=inputs, chunk=c) for c in (None, chunk))
    assert whole.ts.shape == (300 // every,) and np.asarray(whole.out["E.spike"]).any()
    assert_same_bits(whole.out, pieces.out)
    assert_same_bits(whole.ts, pieces.ts)
    assert_same_bits(whole.state, pieces.state)
    assert all(isinstance(x, np.ndarray) for x in pieces.out.values())


@pytest.mark.parametrize("cut", [1, 100])
def test_two_calls_give_the_same_bits(noisy, cut):
    whole = simulate(noisy)
    first = simulate(noisy, duration=cut * 0.1)
    second = simulate(noisy, duration=(300 - cut) * 0.1, state=first.state, start=first.steps)
    assert_same_bits(whole.state, second.state)
    joined = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first.out, second.out)
    assert_same_bits(whole.out, joined)
    assert_same_bits(whole.ts, np.concatenate([first.ts, second.ts]))
    assert first.steps == cut and second.steps == whole.steps == 300


def test_chunks_of_a_length_share_one_program(noisy):
    simulate(noisy, chunk=75, duration=15.0)
    with count_compilations() as compiled:
        simulate(noisy, chunk=75, duration=30.0)
        simulate(noisy, chunk=75, duration=15.0, start=7)
    assert not compiled
    with count_compilations() as compiled:
        simulate(noisy, chunk=70)
    assert len(compiled) == 1


def test_every_takes_the_last_of_each_group(noisy):
    dense, sparse = simulate(noisy), simulate(noisy, every=10)
    np.testing.assert_array_equal(dense.ts[9::10], sparse.ts)
    assert_same_bits(jax.tree.map(lambda x: x[9::10], dense.out), sparse.out)


def test_times_are_ends_of_steps_and_never_accumulate():
    cell = npt.neurons.LIF(1)
    for start in (0, 10_000_000, 2_000_000_000):
        sol = npt.simulate(cell, cell.init(dt=0.1), dt=0.1, duration=100.0, start=start)
        np.testing.assert_array_equal(sol.ts, (start + 1 + np.arange(1000)) * 0.1)
        with jax.enable_x64(False):  # nor in float32: times are made on the host
            cell32 = npt.neurons.LIF(1)
            sol = npt.simulate(cell32, cell32.init(dt=0.1), dt=0.1, duration=100.0, start=start)
            assert sol.ts.dtype == np.float64
            np.testing.assert_array_equal(sol.ts, (start + 1 + np.arange(1000)) * 0.1)


def test_lists_are_arrays_of_rows():
    """Also where there are as many steps as cells."""
    cell, rows = npt.neurons.LIF(4), np.arange(16.0).reshape(4, 4)
    options = dict(dt=0.5, duration=2.0, record=["v"])

    def v(x):
        return npt.simulate(cell, cell.init(dt=0.5), x, **options).out["v"]

    want = v(npt.Series(rows))
    lists = [rows.tolist(), tuple(map(tuple, rows.tolist())), list(rows), [jnp.asarray(row) for row in rows]]
    for x in lists:
        assert_same_bits(v(npt.Series(x)), want)
    assert_same_bits(jax.jit(lambda x: v(npt.Series([x[0], x[1], x[2], x[3]])))(jnp.asarray(rows)), want)
    assert_same_bits(v([0.0, 1.0, 2.0, 3.0]), v(rows[0]))
    with pytest.raises(TypeError, match="a series is a list; expected numbers"):
        npt.Series([[1.0, 2.0], [1.0]])
    assert npt.sources.Poisson(4, rate=npt.Series(rows.tolist())).rate.x.shape == (4, 4)


def test_record_as_a_function(noisy):
    sol = simulate(noisy, record=lambda state, out: (out["E"].sum(), state.nodes["I"].cell.v.max()))
    paths = simulate(noisy, record=["E.spike", "I.v"])
    np.testing.assert_array_equal(sol.out[0], np.asarray(paths.out["E.spike"]).sum(1))
    np.testing.assert_array_equal(sol.out[1], np.asarray(paths.out["I.v"]).max(1))


def test_nothing_is_recorded_unless_asked_for(noisy):
    assert simulate(noisy, record=()).out == {}


def test_weights_can_be_recorded(noisy):
    sol = simulate(noisy, record=["E->I.weight"], every=100)
    np.testing.assert_array_equal(sol.out["E->I.weight"], [0.6] * 3)


def test_inputs_constant_over_time_and_as_a_function():
    cell = npt.neurons.LIF(4, tau=10.0, v_th=1e9)
    state = cell.init(dt=0.1)
    series = np.sin(np.arange(200) * 0.01)

    def v(inputs):
        return npt.simulate(cell, state, inputs, dt=0.1, duration=20.0, record=["v"]).out["v"]

    by_function = v(lambda tick: jnp.sin(tick.t * 0.1) * jnp.ones(4))
    for inputs in (series, series[:, None], np.tile(series[:, None], 4)):
        np.testing.assert_allclose(v(npt.Series(inputs)), by_function, rtol=1e-12)
    for same in (np.full(4, 3.0), [3.0] * 4, np.float32(3.0), lambda tick: 3.0, lambda tick: 3):
        np.testing.assert_allclose(v(same), v(3), rtol=1e-12)
    # the input of step k is row k: the first step from 0 holds series[0], the second series[1]
    decay = np.exp(-0.01)
    rows = npt.Series(np.arange(200.0))
    np.testing.assert_allclose(v(rows)[:3, 0], [0.0, 1 - decay, (1 - decay) * (decay + 2)], rtol=1e-12)
    drive = npt.Drive(jnp.asarray(1.0), npt.Series(jnp.linspace(0.0, 1.0, 200)))
    assert v(drive)[-1, 0] < v(1.0)[-1, 0]
    whole = npt.Series(npt.Drive(jnp.ones(200), jnp.linspace(0.0, 1.0, 200)))
    np.testing.assert_array_equal(v(drive), v(whole))


@pytest.mark.parametrize("n_steps", [3, 5])
def test_an_array_is_a_constant_however_many_steps_there_are(n_steps):
    """Nothing is guessed from a shape that happens to fit."""

    class Own(npt.AbstractDynamics):
        def init(self, *, dt=None, key=None):
            return jnp.zeros(3)

        def step(self, state, input, tick):
            return state + input, state + input

    options = dict(dt=1.0, duration=float(n_steps), record=lambda state, out: out)
    for model, state in ((Own(), jnp.zeros(3)), (npt.neurons.IF(3, v_th=1e9, tau=1.0), None)):
        state = model.init(dt=1.0) if state is None else state
        for given in (np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]):
            last = npt.simulate(model, state, given, **options | {"record": lambda s, o: jax.tree.leaves(s)[0]}).out[-1]
            np.testing.assert_allclose(last, n_steps * np.array([1.0, 2.0, 3.0]))
    rows = npt.Series(np.ones((n_steps, 3)))
    np.testing.assert_array_equal(npt.simulate(Own(), jnp.zeros(3), rows, **options).out[-1], [n_steps] * 3)


def test_inputs_to_nodes_and_to_ports_in_one_dictionary():
    receptor = {
        "exc": npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.CUBA()),
        "jump": npt.synapses.Delta(),
    }
    net = npt.Network({"E": npt.Population(npt.neurons.LIF(2, v_th=1e9, tau=10.0), receptor)})
    arrivals = jnp.zeros((30, 2)).at[4, 1].set(3.0)
    inputs = {"E": 1.0, "E.exc": npt.Series(arrivals), "E.jump": lambda tick: jnp.where(tick.index == 9, 2.0, 0.0)}
    sol = npt.simulate(net, net.init(dt=0.1), inputs, dt=0.1, duration=3.0, record=["E.exc.g", "E.v"])
    # what is given for step 4 is in place at its end, whole, and relaxes from then on
    g = np.zeros((30, 2))
    g[4:, 1] = 3.0 * np.exp(-np.arange(26) * 0.1 / 5.0)
    np.testing.assert_allclose(sol.out["E.exc.g"], g, rtol=1e-12)
    v, want = np.zeros(2), []
    decay = np.exp(-0.01)
    for k in range(30):  # the closed form of current and voltage together, and the jump of step 9
        before = g[k - 1] if k else np.zeros(2)
        exact = (np.exp(-0.1 / 5.0) - decay) / (1 / 10.0 - 1 / 5.0) / 10.0
        v = decay * v + (1 - decay) * 1.0 + exact * before + (2.0 if k == 9 else 0.0)
        want.append(v)
    np.testing.assert_allclose(sol.out["E.v"], want, rtol=1e-12)


def test_input_functions_that_hold_traced_values():
    cell = npt.neurons.LIF(1, v_th=1e9, tau=10.0)
    state = cell.init(dt=0.1)

    def last(a):
        return npt.simulate(cell, state, lambda tick: a * tick.t, dt=0.1, duration=1.0, record=["v"]).out["v"][-1, 0]

    amplitudes = jnp.array([1.0, 2.0])
    alone = jnp.stack([last(float(a)) for a in amplitudes])
    for f in (jax.vmap(last), jax.jit(jax.vmap(last)), lambda x: jax.vmap(jax.value_and_grad(last))(x)[0]):
        np.testing.assert_allclose(f(amplitudes), alone, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(last))(amplitudes), [alone[0]] * 2, rtol=1e-12)  # it is linear

    def recorded(a):
        record = lambda state, out: a * state.v  # noqa: E731
        return npt.simulate(cell, state, 1.0, dt=0.1, duration=1.0, record=record).out[-1, 0]

    np.testing.assert_allclose(jax.vmap(recorded)(amplitudes), [recorded(1.0), recorded(2.0)], rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        (dict(duration=0.25), ValueError, r"duration 0.25 ms is 2.5 steps of 0.1 ms.*nearest are 0.2 and 0.3 ms"),
        (dict(duration=-1.0), ValueError, "duration is -1.0; expected a positive"),
        (dict(dt=0.2), ValueError, r"state was made for dt=0.1 ms, and this run has dt=0.2 ms"),
        (
            dict(record=["E.w"]),
            ValueError,
            r"'w' is not a variable of a LeakyMembrane neuron; it has \['refractory', 'spike', 'v'\]",
        ),
        (dict(record=["X.v"]), ValueError, r"there is no population 'X'; there are \['E', 'I'\]"),
        (dict(record=["E"]), ValueError, "'E' names a population"),
        (dict(record=["E.ampa.g"]), ValueError, r"no receptor 'ampa'; there are \['exc', 'inh'\]"),
        (dict(record=["E.exc.h"]), ValueError, r"'h' is not a variable of receptor 'exc'; it has \['g'\]"),
        (dict(record=["E->E.v"]), ValueError, r"not a variable of projection 'E->E'; it has \['weight'\]"),
        (dict(record="E.v"), TypeError, "expected a list of paths"),
        (dict(record=None), TypeError, "record is None; expected a list of paths"),
        (dict(record=["E.v", "E.v"]), ValueError, "record has 'E.v' twice"),
        (dict(record=[3]), TypeError, "expected a list of paths"),
        (dict(inputs={"E": np.ones(5)}), ValueError, r"input 'E' has shape \(5,\) in a step; expected \(\) or \(64,\)"),
        (dict(inputs={"E": np.ones(300)}), ValueError, r"input 'E' has shape \(300,\).*npt.Series\(x\) says"),
        (dict(inputs={"E": npt.Series(np.ones((300, 5)))}), ValueError, r"input 'E' has shape \(5,\) in a step"),
        (dict(inputs={"E": npt.Series(np.ones(64))}), ValueError, r"input 'E' is a series of 64 rows; expected 300"),
        (dict(inputs={"X": 1.0}), ValueError, r"inputs has \['X'\], but the model takes \['E', 'E.exc', 'E.inh', 'I'"),
        (dict(inputs={"E": {"v": 1.0}}), ValueError, r"input 'E' is a dictionary with \['v'\]; expected a number"),
        (dict(inputs={"E": lambda tick: {"v": 1.0}}), ValueError, r"input 'E' is a dictionary with \['v'\]"),
        (dict(inputs={"E.ampa": 1.0}), ValueError, r"inputs has \['E.ampa'\], but the model takes"),
        (dict(inputs=3.0), ValueError, r"expected a dictionary with any of \['E', 'E.exc'"),
        (dict(inputs={"E": "strong"}), TypeError, "input 'E' is a str"),
        (dict(inputs={"E": np.ones(64) * 1j}), TypeError, "input 'E' has dtype complex128"),
        (dict(inputs=lambda tick: {"E": jnp.ones(5)}), ValueError, r"input 'E' has shape \(5,\)"),
        (dict(every=7), ValueError, "every=7 doesn't divide the 300 steps"),
        (dict(every=0), ValueError, "every is 0"),
        (dict(every=3, chunk=10), ValueError, "chunk=10 is not a multiple of every=3"),
        (dict(start=-1), ValueError, "start is -1"),
        (dict(start=0.5), ValueError, "start is 0.5"),
        (dict(key=None), ValueError, "got no key"),
    ],
)
def test_mistakes_are_found_before_anything_is_compiled(noisy, options, error, match):
    with pytest.raises(error, match=match):
        simulate(noisy, **options)
    with count_compilations() as compiled, pytest.raises(error, match=match):
        simulate(noisy, **options)
    assert not compiled


def test_a_state_that_changes_shape_is_refused():
    class Grows(npt.AbstractDynamics):
        def init(self, *, dt=None, key=None):
            return jnp.zeros(1)

        def step(self, state, input, tick):
            return jnp.concatenate([state, state]), state

    with pytest.raises(TypeError, match="Grows.step changes the structure, shapes or dtypes of its state"):
        npt.simulate(Grows(), jnp.zeros(1), dt=0.1, duration=1.0)


def test_other_values_compile_nothing(noisy):
    """Parameters, weights, seeds of connectivity, state and noise, inputs, start."""
    net, state = noisy
    simulate(noisy, start=1, record=RECORD)

    def others(tau, weight, seed, drive, start):
        other = eqx.tree_at(lambda n: n.nodes["E"].cell.membrane.tau, net, tau)
        other = eqx.tree_at(lambda n: n.pathways["E->E"].connect.weight, other, weight)
        simulate((other, state), inputs={"E": drive, "I": np.float64(drive)}, key=jax.random.key(seed), start=start)
        again = network(sigma=0.6, seed=seed, tau=tau)
        simulate((again, again.init(dt=0.1, key=jax.random.key(seed))))
        return again.pathways["E->E"].connect.nnz

    first = others(17.0, np.float32(0.5), 12, 19.0, 77)
    with count_compilations() as compiled:
        second = others(18.5, np.float32(0.7), 13, 21, 1234)
    assert first != second and not compiled


def wave(tick):
    return 15.0 + 5.0 * jnp.sin(tick.t)


def highest(state, output):
    return jnp.max(state.v)


def test_functions_are_told_apart_by_identity():
    """What the page on runs says: one that is defined once is compiled once, and a new one anew, were it the same text.
    Arrays that a function holds are values, if it is a pytree."""
    cell = npt.neurons.LIF(2)
    state = cell.init(dt=0.1)

    def run(inputs, record):
        return npt.simulate(cell, state, inputs, dt=0.1, duration=1.0, record=record)

    def scaled(size, tick):
        return size * jnp.sin(tick.t)

    one, two = (jax.tree_util.Partial(scaled, jnp.asarray(x)) for x in (1.0, 2.0))
    run(wave, highest), run(one, ["v"])
    with count_compilations() as compiled:
        run(wave, highest), run(two, ["v"])
    assert not compiled
    for inputs, record in ((lambda tick: 15.0, highest), (wave, lambda state, output: jnp.max(state.v))):
        with count_compilations() as compiled:
            run(inputs, record)
        assert compiled


def test_non_finite_values_are_named_with_their_step(noisy):
    net, _ = noisy
    inputs = {"I": npt.Series(jnp.zeros(300).at[123].set(jnp.nan))}
    for options in ({}, {"chunk": 50}, {"start": 0}):
        with pytest.raises(FloatingPointError, match=r"variable 'v' of population 'I' .* in step 123 \(t = 12.3 ms\)"):
            simulate(noisy, inputs=inputs, **options)
    with pytest.raises(FloatingPointError, match=r"in step 1123 \(t = 112.3 ms\)"):
        simulate(noisy, inputs=inputs, start=1000)
    with pytest.raises(Exception, match="variable 'v' of population 'I' .* became non-finite during the run"):
        jax.block_until_ready(jax.jit(lambda x: simulate(noisy, inputs=x).state)(inputs))


def test_progress_needs_the_host(noisy, capsys):
    assert_same_bits(simulate(noisy, progress=True).state, simulate(noisy).state)
    assert "300/300 steps" in capsys.readouterr().err
    with pytest.raises(ValueError, match="leave them out inside jax.jit"):
        jax.jit(lambda x: simulate(noisy, inputs={"E": x}, chunk=10).state)(1.0)


def test_no_tracer_leaks(noisy):
    loss = lambda x: simulate(noisy, duration=1.0, inputs={"E": x}).out["E.v"].sum()  # noqa: E731
    with jax.checking_leaks():
        simulate(noisy, duration=1.0)
        jax.vmap(jax.grad(loss))(jnp.ones(2))


def test_an_input_for_a_node_that_takes_none_is_refused_and_none_is_no_input(noisy):
    net = npt.Network({"S": npt.sources.SpikeTimes(0, [1.0], size=1), "E": npt.Population(npt.neurons.LIF(2))})
    state = net.init(dt=0.1)
    with pytest.raises(ValueError, match="input 'S' is given to a model that takes none; leave it out"):
        npt.simulate(net, state, {"S": 1.0}, dt=0.1, duration=1.0)
    with pytest.raises(ValueError, match="the input is given to a model that takes none"):
        npt.simulate(net.nodes["S"], state.nodes["S"], 1.0, dt=0.1, duration=1.0)
    without = simulate(noisy, duration=1.0)
    assert_same_bits(without.out, simulate(noisy, duration=1.0, inputs=DRIVE | {"E.exc": None}).out)


def test_a_damaged_connectivity_is_named_before_the_run(noisy):
    net, state = noisy
    where = lambda n: n.pathways["E->I"].connect.indices  # noqa: E731
    damaged = eqx.tree_at(where, net, where(net).at[3].set(2**30))
    with pytest.raises(ValueError, match=r"pathways.E->I.connect: indices\[3\] is 1073741824; expected 0 to out_size"):
        simulate((damaged, state))
    # under a transformation nothing is known, and nothing breaks
    spikes = jax.jit(lambda n: simulate((n, state), duration=3.0).out["E.spike"])(damaged)
    assert spikes.shape == (30, 64)
