"""Probes and lists of events, against what is worked out of the whole record in NumPy."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import assert_same_bits


@pytest.fixture(scope="module")
def net():
    """A noisy population with a delayed connection to itself: every program is compiled anew, and this one soon is."""
    cells = npt.neurons.LIF(
        64,
        v_rest=-60.0,
        v_th=-50.0,
        v_reset=-60.0,
        tau=20.0,
        t_ref=5.0,
        v_init=npt.init.Normal(-55.0, 2.0),
        sigma=0.7,
    )
    port = {"exc": npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))}
    rule = npt.Projection("E", "E.exc", npt.connect.FixedProb(0.3), weight=0.1, delay=0.7)
    net = npt.Network({"E": npt.Population(cells, port)}, {"E->E": rule}, key=jax.random.key(0))
    return net, net.init(dt=0.1, key=jax.random.key(1))


@pytest.fixture(scope="module")
def dense(net):
    """Everything, in every step."""
    return simulate(net, ["E.spike", "E.v", "E.exc.g"])


def simulate(net, record, steps=600, **options):
    model, state = net
    options = dict(inputs={"E": 15.0}, state=state, key=jax.random.key(2), duration=steps * 0.1) | options
    return npt.simulate(model, dt=0.1, record=record, **options)


@pytest.mark.parametrize("chunk", [None, 60, 420])
@pytest.mark.parametrize("intervals", [(1, 1, 1), (1, 10, 30), (20, 5, 20), (4, 6, 10), (600, 1, 3), (6, 60, 12)])
def test_intervals_and_reductions(net, dense, intervals, chunk):
    """One after the other, multiples or not; (4, 6, 10) has the blocks 2 and 10."""
    a, b, c = intervals
    record = {
        "last": npt.Probe("E.v", every=a),
        "sum": npt.Probe("E.spike", reduce="sum", every=b),
        "mean": npt.Probe("E.exc.g", reduce="mean", every=c),
        "spikes": npt.Probe("E.spike", every=c),
        "some": npt.Probe("E.v", where=[3, 0, -1], every=b, reduce="mean"),
    }
    if chunk is not None and any(chunk % n for n in intervals):
        with pytest.raises(ValueError, match=rf"chunk={chunk} is not a multiple of every="):
            simulate(net, record, chunk=chunk)
        return
    got = simulate(net, record, chunk=chunk)
    v, spike, g = (np.asarray(dense.out[name]) for name in ("E.v", "E.spike", "E.exc.g"))
    assert_same_bits(got.state, dense.state)
    np.testing.assert_array_equal(got.out["last"], v[a - 1 :: a])
    np.testing.assert_array_equal(got.out["sum"], spike.reshape(-1, b, 64).sum(1))
    np.testing.assert_array_equal(got.out["spikes"], spike[c - 1 :: c])
    np.testing.assert_allclose(got.out["mean"], g.reshape(-1, c, 64).mean(1), rtol=1e-13)
    np.testing.assert_allclose(got.out["some"], v[:, [3, 0, -1]].reshape(-1, b, 3).mean(1), rtol=1e-13)
    for name, every in zip(("last", "sum", "mean"), intervals, strict=True):
        np.testing.assert_array_equal(got.times(name), np.arange(every, 601, every) * 0.1)


def test_the_number_of_spikes_is_that_of_all_steps(net, dense):
    """`every` with a function looks at each tenth step only; a sum looks at all."""
    total = int(np.asarray(dense.out["E.spike"]).sum())
    counts = simulate(net, [npt.Probe("E.spike", reduce="sum")], every=10).out["E.spike"]
    assert counts.sum() == total > 50
    by_function = npt.Probe(lambda state, out: out["E"].sum(), reduce="sum", every=600)
    assert simulate(net, {"n": by_function}).out["n"].tolist() == [total]
    boolean = eqx.tree_at(lambda n: n.nodes["E"].cell.threshold.surrogate, net[0], None)
    state = boolean.init(dt=0.1, key=jax.random.key(1))
    counts = simulate((boolean, state), [npt.Probe("E.spike", reduce="sum", every=600)], chunk=600).out["E.spike"]
    assert counts.dtype == np.int32 and counts.sum() == total


def test_where_takes_numbers_masks_and_slices(net, dense):
    v = np.asarray(dense.out["E.v"])
    for where, want in (
        ([5, 5, 0], v[:, [5, 5, 0]]),
        (np.arange(64) % 2 == 0, v[:, ::2]),
        (slice(2, 9, 3), v[:, 2:9:3]),
    ):
        np.testing.assert_array_equal(simulate(net, [npt.Probe("E.v", where=where)]).out["E.v"], want)
    np.testing.assert_array_equal(simulate(net, ["E.v[:3]"]).out["E.v[:3]"], v[:, :3])
    assert simulate(net, [npt.Probe("E.v", where=[])]).out["E.v"].shape == (600, 0)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (
            lambda: npt.Probe("E.v", where=[64]),
            ValueError,
            r"probe of 'E.v' has 64 in where, but there are 64 elements",
        ),
        (lambda: npt.Probe("E.v", where=[0.5]), TypeError, "where is .*expected numbers of elements"),
        (lambda: npt.Probe("E->E.weight", where=[0]), ValueError, "the variable is one number"),
        (lambda: npt.Probe("E.v[:3]", where=[0]), ValueError, "give one of the two"),
        (lambda: npt.Probe("E.v[a:3]"), ValueError, r"ends with \[a:3\]"),
        (lambda: npt.Probe("E.v", reduce="max"), ValueError, "reduce is 'max'"),
        (lambda: npt.Probe("E.v", every=0), ValueError, "every is 0"),
        (lambda: npt.Probe(3), TypeError, "path is 3"),
        (lambda: npt.Probe("E.v", every=7), ValueError, "every=7 .of the record 'E.v'. doesn't divide the 600 steps"),
        (lambda: npt.Events("E.spike", capacity=0), ValueError, "capacity of Events.'E.spike'. is 0"),
        (lambda: npt.Events("E.w", capacity=5), ValueError, "'w' is not a variable"),
        (lambda: npt.Events(None, capacity=5), TypeError, "path of Events is None"),
    ],
)
def test_mistakes_are_named(net, make, error, match):
    with pytest.raises(error, match=match):
        simulate(net, [make()])


@pytest.mark.parametrize("boolean", [False, True])
@pytest.mark.parametrize("options", [{}, {"chunk": 50}, {"start": 17}, {"chunk": 70, "start": 17}])
def test_events_are_the_raster(net, dense, boolean, options):
    model, state = net
    if boolean:
        model = eqx.tree_at(lambda n: n.nodes["E"].cell.threshold.surrogate, model, None)
        state = model.init(dt=0.1, key=jax.random.key(1))
    record = {"raster": "E.spike", "events": npt.Events("E.spike", capacity=2000)}
    got = simulate((model, state), record, **options).out
    events, raster = got["events"], np.asarray(got["raster"])
    assert raster.sum() > 50 and events.lost == 0 and events.count == np.count_nonzero(raster)
    assert_same_bits(events.raster(), raster)
    assert (events.values is None) == boolean and events.steps[0] >= options.get("start", 0)
    steps, cells = np.nonzero(raster)
    np.testing.assert_array_equal(events.indices, cells)
    np.testing.assert_array_equal(events.ts, (steps + options.get("start", 0) + 1) * 0.1)


def test_events_beyond_the_capacity_are_counted_and_said(net, dense):
    raster = np.asarray(dense.out["E.spike"])
    total = np.count_nonzero(raster)
    with pytest.warns(
        UserWarning, match=rf"{total - 50} of {total} events of 'E.spike' were not kept: its capacity is 50"
    ):
        events = simulate(net, [npt.Events("E.spike", capacity=50)]).out["E.spike"]
    steps, cells = np.nonzero(raster)
    np.testing.assert_array_equal(events.steps, steps[:50])
    np.testing.assert_array_equal(events.indices, cells[:50])
    assert events.lost == total - 50
    for use in (events.raster, lambda: npt.measure.firing_rate(events, dt=0.1, width=1.0)):
        with pytest.raises(ValueError, match="events of this list were lost"):
            use()
    with pytest.warns(UserWarning, match="were not kept"):
        pieces = simulate(net, [npt.Events("E.spike", capacity=5)], chunk=100).out["E.spike"]
    assert pieces.count == total and pieces.lost == total - len(pieces.steps)
    exact = int(np.count_nonzero(raster))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert simulate(net, [npt.Events("E.spike", capacity=exact)]).out["E.spike"].lost == 0


def test_events_under_transformations(net):
    """Padded to the capacity; gradients of other records pass by."""

    def run(drive):
        record = [npt.Events("E.spike", capacity=400), "E.v"]
        return simulate(net, record, steps=50, inputs={"E": drive}).out

    drives = jnp.array([5.0, 20.0, 60.0])
    together = jax.jit(jax.vmap(lambda d: run(d)["E.spike"]))(drives)
    for n, drive in enumerate(drives):
        alone = run(float(drive))["E.spike"]
        count = int(alone.count)
        assert int(together.count[n]) == count
        np.testing.assert_array_equal(together.steps[n, :count], alone.steps)
        np.testing.assert_array_equal(together.indices[n, :count], alone.indices)
        assert (together.steps[n, count:] == -1).all() and (together.indices[n, count:] == 64).all()
    assert np.isfinite(jax.grad(lambda d: run(d)["E.v"].sum())(20.0))


def test_a_model_of_ones_own_records_what_it_returns():
    class Own(npt.AbstractDynamics):
        def init(self, *, dt=None, key=None):
            return {"x": jnp.zeros(3)}

        def step(self, state, input, tick):
            x = state["x"] + jnp.arange(3.0)
            return {"x": jnp.where(x >= 4.0, 0.0, x)}, x >= 4.0

    record = {"x": "x", "spike": "spike", "events": npt.Events("spike", capacity=9)}
    out = npt.simulate(Own(), Own().init(), dt=1.0, duration=6.0, record=record).out
    assert out["spike"].shape == (6, 3) and np.argwhere(out["spike"]).tolist() == [[1, 2], [3, 1], [3, 2], [5, 2]]
    np.testing.assert_array_equal(out["events"].raster(), out["spike"])
    np.testing.assert_array_equal(out["x"][:4, 1], [1.0, 2.0, 3.0, 0.0])
    numbers = npt.simulate(Own(), Own().init(), dt=1.0, duration=6.0, record=lambda s, o: 1.0)
    chunks = npt.simulate(Own(), Own().init(), dt=1.0, duration=6.0, record=lambda s, o: 1.0, chunk=2)
    np.testing.assert_array_equal(numbers.out, chunks.out)


def test_measures_and_pictures_take_events(net, dense):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    events = simulate(net, [npt.Events("E.spike", capacity=2000)]).out["E.spike"]
    raster = dense.out["E.spike"]
    rate = npt.measure.firing_rate(events, dt=0.1, width=5.0)
    np.testing.assert_allclose(rate, npt.measure.firing_rate(raster, dt=0.1, width=5.0), rtol=1e-12)
    cv = npt.measure.isi_cv(dense.ts, events)
    np.testing.assert_allclose(cv, npt.measure.isi_cv(dense.ts, raster), rtol=1e-12)
    assert np.isfinite(cv).any()
    lines = [npt.visualize.raster_plot(dense.ts, x).lines[0].get_xydata() for x in (events, raster)]
    np.testing.assert_array_equal(*lines)


def test_how_long_lowering_takes_does_not_depend_on_every(net):
    """By the size of the program, which is what takes the time."""

    def size(every):
        model, state = net
        f = lambda s: npt.simulate(model, s, dt=0.1, duration=8000.0, every=every, record=["E.v"],  # noqa: E731
                                   key=jax.random.key(0)).out  # fmt: skip
        return len(jax.jit(f).lower(state).as_text())

    assert size(4000) < 1.05 * size(40)


def test_masks_of_another_length_are_refused_and_empty_ones_record_nothing():
    cell = npt.neurons.LIF(10)

    def run(where):
        probe = npt.Probe("v", where=where)
        return npt.simulate(cell, cell.init(dt=0.1), 30.0, dt=0.1, duration=1.0, record=[probe]).out["v"]

    for mask in (np.ones(9, bool), [True, False], np.ones(11, bool)):
        with pytest.raises(ValueError, match=f"a mask of {len(mask)} as where, but there are 10 elements"):
            run(mask)
    for where in (True, np.ones((10, 1), bool)):
        with pytest.raises(TypeError, match="a probe's where is"):
            run(where)
    assert run(np.zeros(10, bool)).shape == run([]).shape == (10, 0)
    assert run(np.arange(10) > 7).shape == (10, 2)


def test_lists_of_several_runs():
    cell = npt.neurons.LIF(5)

    def run(current, capacity=200):
        state = cell.init(dt=0.1)
        record = [npt.Events("spike", capacity=capacity)]
        return npt.simulate(cell, state, current, dt=0.1, duration=50.0, record=record).out["spike"]

    currents = jnp.array([0.0, 40.0, 80.0])
    lists = jax.vmap(run)(currents)
    assert lists.lost.tolist() == [0, 0, 0]
    for n, current in enumerate(currents):
        alone = run(current)
        one = lists[n]
        assert_same_bits((one.steps, one.indices, one.count), (alone.steps, alone.indices, alone.count))
        cut = jax.tree.map(lambda x, n=n: x[n] if jnp.ndim(x) else x, lists)  # what is behind the events stays
        for made in (one, cut):
            np.testing.assert_array_equal(made.raster(), alone.raster())
            rates = [npt.measure.firing_rate(x, dt=0.1, width=5.0) for x in (made, alone)]
            np.testing.assert_array_equal(*rates)
            (line,) = npt.visualize.raster_plot((), made).lines
            assert len(line.get_xdata()) == int(alone.count)
    for use in (
        lists.whole,
        lists.raster,
        lambda: npt.measure.firing_rate(lists, dt=0.1, width=5.0),
        lambda: npt.measure.isi_cv((), lists),
        lambda: npt.visualize.raster_plot((), lists),
    ):
        with pytest.raises(ValueError, match=r"those of \(3,\) runs; events\[0\] is that of the first"):
            use()
    with pytest.raises(ValueError, match=r"dt is 0.2 ms, and the list of events was made with steps of 0.1 ms"):
        npt.measure.firing_rate(lists[1], dt=0.2, width=5.0)
    with pytest.raises(TypeError, match="this is the list of one run"):
        lists[1][0]


@pytest.mark.parametrize("transform", [jax.jit, lambda f: lambda x: jax.vmap(f)(x[None])], ids=["jit", "vmap"])
def test_lost_events_are_said_inside_transformations_too(transform):
    cell = npt.neurons.LIF(5)
    state = cell.init(dt=0.1)
    record = [npt.Events("spike", capacity=3)]

    def run(current):
        return npt.simulate(cell, state, current, dt=0.1, duration=50.0, record=record).out["spike"]

    with pytest.warns(UserWarning, match="events of 'spike' were not kept: its capacity is 3"):
        lists = transform(run)(jnp.asarray(60.0))
        jax.effects_barrier()
    assert np.all(lists.lost > 0)
