"""What every neuron and every receptor must pass, in float64 and float32."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.testing import channel_bank, neuron_bank, synapse_bank

from .helpers import assert_same_bits, quick_jit

N, DT = 6, 0.1


@pytest.fixture(params=[np.float64, np.float32], ids=["f64", "f32"])
def dtype(request):
    """The default float of the test."""
    with jax.enable_x64(request.param is np.float64):
        yield request.param


@pytest.fixture(params=list(neuron_bank()))
def cell(request, dtype):
    return neuron_bank()[request.param](N)


def run(cell, state, n_steps=200, current=30.0, start=0, **options):
    names = ["v"] if cell.threshold is None else ["v", "spike"]
    options = {"record": names, "key": jax.random.key(1)} | options
    return npt.simulate(cell, state, current, dt=DT, duration=n_steps * DT, start=start, **options)


def test_neuron_state_keeps_its_form_and_dtype(cell, dtype):
    state = cell.init(dt=DT, key=jax.random.key(0))
    assert state.v.shape == (N,) and state.v.dtype == dtype
    new, spike = eqx.filter_jit(cell.step)(state, 1.0, npt.Tick.at(0, dt=DT, key=jax.random.key(1)))
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert [x.dtype for x in jax.tree.leaves(new)] == [x.dtype for x in jax.tree.leaves(state)]
    boolean = cell.threshold is not None and cell.threshold.surrogate is None
    assert spike.shape == (N,) and spike.dtype == (bool if boolean else dtype)
    # without a threshold the output is the voltage
    assert_same_bits(cell.silent(state), state.v if cell.threshold is None else jnp.zeros_like(spike))


def test_neuron_rests_without_and_spikes_with_input(cell):
    state = cell.init(dt=DT, key=jax.random.key(0))
    quiet, driven = (run(cell, state, current=c).out for c in (None, 30.0))
    if cell.threshold is None:  # its output is its voltage
        np.testing.assert_array_equal(quiet["v"], jnp.broadcast_to(state.v, quiet["v"].shape))
        assert "spike" not in driven and (np.diff(driven["v"], axis=0) > 0).all()
        return
    assert not np.asarray(quiet["spike"]).any() and np.asarray(driven["spike"]).any(0).all()


def test_neuron_is_the_same_jitted_split_and_called_twice(cell):
    state = cell.init(dt=DT, key=jax.random.key(0))
    whole = run(cell, state)
    assert_same_bits(whole, run(cell, state))
    # the cell is an argument: XLA folds constants into one another, which rounds differently
    assert_same_bits(whole.out, eqx.filter_jit(lambda c, s: run(c, s).out)(cell, state))
    first = run(cell, state, 100)  # two of one length are one program to compile
    assert_same_bits(whole.state, run(cell, first.state, 100, start=100).state)


def test_neuron_under_vmap_equals_the_loop(cell, dtype):
    state = cell.init(dt=DT, key=jax.random.key(0))
    currents = jnp.linspace(5.0, 40.0, 4)
    together = jax.vmap(lambda c: run(cell, state, current=c).out)(currents)
    for n, c in enumerate(currents):
        alone = run(cell, state, current=c).out
        if cell.threshold is not None:
            np.testing.assert_array_equal(together["spike"][n], alone["spike"])
        np.testing.assert_allclose(together["v"][n], alone["v"], rtol=1e-12 if dtype is np.float64 else 1e-5)


def test_neuron_has_finite_gradients_and_the_same_values_with_them(cell):
    state = cell.init(dt=DT, key=jax.random.key(0))

    parameters, rest = eqx.partition((cell, jnp.asarray(30.0)), eqx.is_inexact_array)

    def loss(parameters):
        model, current = eqx.combine(parameters, rest)
        sol = run(model, state, current=current)
        return sum(jnp.mean(x.astype(state.v.dtype)) for x in sol.out.values())

    value, grads = quick_jit(jax.value_and_grad(loss))(parameters)
    # other kernels compute it, whose roundings an upswing multiplies
    np.testing.assert_allclose(value, loss(parameters), rtol=1e-9 if state.v.dtype == float else 1e-3)
    leaves = jax.tree.leaves(grads)
    assert all(np.isfinite(g).all() for g in leaves) and any(np.any(g != 0) for g in leaves)


def test_neuron_and_state_are_saved_and_loaded_bit_for_bit(cell, tmp_path):
    state = run(cell, cell.init(dt=DT, key=jax.random.key(0)), 100).state
    eqx.tree_serialise_leaves(tmp_path / "model.eqx", (cell, state))
    blank = jax.tree.map(lambda x: jnp.zeros_like(x) if eqx.is_array(x) else x, (cell, state))
    loaded = eqx.tree_deserialise_leaves(tmp_path / "model.eqx", blank)
    assert_same_bits(run(*loaded, 100, start=100), run(cell, state, 100, start=100))


def test_channels_keep_their_form_under_vmap_and_have_finite_gradients(dtype):
    """All in one membrane, whose area they share."""
    ions = {"na": npt.ions.SodiumFixed(), "k": npt.ions.PotassiumFixed(), "ca": npt.ions.CalciumDetailed()}
    cell = npt.neurons.ConductanceCell(N, channels=channel_bank(), ions=ions, c_m=20.0)
    state = cell.init()
    assert all(x.shape == (N,) and x.dtype == dtype for x in jax.tree.leaves(state))

    def loss(args):
        new = run(args[0], state, 50, args[1], record=["v"], key=None).state
        assert jax.tree.map(lambda x: (x.shape, x.dtype), new) == jax.tree.map(lambda x: (x.shape, x.dtype), state)
        return sum(jnp.sum(x) for x in jax.tree.leaves(new))

    values, grads = jax.vmap(lambda c: eqx.filter_value_and_grad(loss)((cell, c)))(jnp.asarray([0.0, 30.0], dtype))
    alone = jnp.stack([loss((cell, c)) for c in jnp.asarray([0.0, 30.0], dtype)])
    np.testing.assert_allclose(values, alone, rtol=1e-12 if dtype is np.float64 else 1e-4)
    for name, channel in grads[0].membrane.channels.items():
        leaves = jax.tree.leaves(eqx.filter(channel, eqx.is_inexact_array))
        assert all(np.isfinite(g).all() for g in leaves) and any(np.any(g != 0) for g in leaves), name


@pytest.mark.parametrize("name", list(synapse_bank()))
def test_receptor_is_linear_and_decays(name, dtype):
    receptor = synapse_bank()[name]
    zero = receptor.init((N,), dtype)
    connect = npt.connect.AllToAll()(3, N, weight=0.5)
    tick = npt.Tick.at(0, dt=DT)
    one, two = (
        receptor.receive(zero, lambda g, s=s: connect(jnp.asarray(s, dtype), g)) for s in ([1, 0, 0], [1, 1, 0])
    )
    np.testing.assert_allclose(jax.tree.leaves(two)[0], 2 * jax.tree.leaves(one)[0], rtol=1e-6)
    later = receptor.relax(one, tick)
    assert jax.tree.structure(later) == jax.tree.structure(zero)
    before, after = (sum(jnp.abs(x).sum() for x in jax.tree.leaves(state)) for state in (one, later))
    assert after < before
    for rate in (None, jnp.asarray(0.1, dtype)):
        drive, double = (receptor.drive(state, jnp.full(N, -60.0, dtype), tick, rate) for state in (one, two))
        assert drive.i.shape == (N,) and drive.i.dtype == dtype
        np.testing.assert_allclose(double.i, 2 * drive.i, rtol=1e-6)


def test_exponential_conductance_against_its_closed_form():
    """Arrivals at several steps: a sum of exponentials, exact, and so is the charge of each step."""
    kinetics = npt.synapses.Exponential(tau=7.0)
    state, at = kinetics.init((), float), {3: 1.0, 10: 0.5, 11: 2.0}
    for k in range(60):
        state = kinetics.relax(state, DT)
        state = kinetics.receive(state, lambda g, k=k: g + at.get(k, 0.0))
        want = sum(x * np.exp(-(k - j) * DT / 7.0) for j, x in at.items() if j <= k)
        np.testing.assert_allclose(state.g, want, rtol=0, atol=1e-12)
        delivered = sum(x * 7.0 * np.exp(-(k - j) * DT / 7.0) * -np.expm1(-DT / 7.0) for j, x in at.items() if j <= k)
        np.testing.assert_allclose(kinetics.mean(state, DT) * DT, delivered, rtol=1e-12)


def test_coba_drives_the_membrane_to_the_exact_voltage():
    """A conductance from one spike, decaying; the membrane sees its mean over each step."""
    cell = npt.neurons.LIF(1, v_rest=-60.0, v_th=1e3, tau=20.0)
    receptor = npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.COBA(e_rev=0.0))
    net = npt.Network({"A": npt.Population(cell, {"exc": receptor})})
    state = eqx.tree_at(lambda s: s.nodes["A"].receptors["exc"].g, net.init(dt=DT), jnp.asarray([2.0]))
    sol = npt.simulate(net, state, dt=DT, duration=20.0, record=["A.v", "A.exc.g"])
    v, want = -60.0, []
    for k in range(1, 201):
        g = 2.0 * np.exp(-(k - 1) * DT / 5.0) * 5.0 / DT * -np.expm1(-DT / 5.0)
        rest = -60.0 / (1 + g)
        v = rest + (v - rest) * np.exp(-(1 + g) * DT / 20.0)
        want.append(v)
    np.testing.assert_allclose(sol.out["A.v"][:, 0], want, rtol=0, atol=1e-12)
