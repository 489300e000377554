"""Threshold, hold and reset in one kernel: bit for bit the rule that derivatives come from."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.ops import VoltageChange, _fire, fire

N = 300_000  # so many are shared between threads


def operands(n, dtype, per_neuron):
    rng = np.random.default_rng(n)
    v, new = rng.normal(-55, 5, (2, n)).astype(dtype)
    new[: n // 7] = -50.0  # at the threshold exactly
    new[n // 7 : n // 6] = np.nan
    new[n // 6 : n // 5] = np.inf
    left = rng.integers(0, 3, n).astype(np.int32)
    size = (n,) if per_neuron else ()
    v_th, v_reset = np.full(size, -50.0, dtype), np.full(size, -60.0, dtype)
    return v, left, new, v_th, v_reset, np.full(size, 20, np.int32)


@pytest.mark.parametrize("hard, hold, boolean", list(itertools.product((True, False), repeat=3)))
@pytest.mark.parametrize("n, per_neuron", [(0, False), (1, True), (37, True), (N, False)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernel_is_its_reference_bit_for_bit(dtype, n, per_neuron, hard, hold, boolean):
    if npt.ops.implementation() != "taichi":
        pytest.skip("no native kernels here")
    v, left, new, v_th, v_reset, steps = operands(n, dtype, per_neuron)

    def run(impl):
        resting = {"held": jnp.asarray(v), "left": jnp.asarray(left), "steps": jnp.asarray(steps)} if hold else {}
        change = VoltageChange(jnp.asarray(v_reset), hard=hard)
        surrogate = None if boolean else npt.surrogate.Sigmoid()
        return fire(jnp.asarray(new), jnp.asarray(v_th), change, **resting, surrogate=surrogate, impl=impl)

    for got, want in zip(run("taichi"), run("reference"), strict=True):
        assert (got is None) == (want is None)
        if got is not None:
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


def test_what_it_means():
    """By hand: held; below; at the threshold; above; not a number."""
    v, new = jnp.array([-60.0, -55.0, -51.0, -51.0, -51.0]), jnp.array([-40.0, -54.0, -50.0, -48.0, jnp.nan])
    left = jnp.array([2, 0, 0, 0, 0], jnp.int32)
    v_th, resting = jnp.asarray(-50.0), {"left": left, "steps": jnp.asarray(5, jnp.int32)}
    hard = fire(new, v_th, VoltageChange(jnp.asarray(-65.0), hard=True), held=v, **resting)
    soft = fire(new, v_th, VoltageChange(jnp.asarray(15.0), hard=False), held=v, **resting)
    free = fire(new, v_th, **resting)  # voltages that nothing holds or resets
    np.testing.assert_array_equal(hard.v, [-60.0, -54.0, -65.0, -65.0, np.nan])
    np.testing.assert_array_equal(soft.v, [-60.0, -54.0, -65.0, -63.0, np.nan])
    np.testing.assert_array_equal(free.v, new)
    for _, steps, spikes in (hard, soft, free):
        np.testing.assert_array_equal(spikes, [False, False, True, True, False])
        np.testing.assert_array_equal(steps, [1, 0, 5, 5, 0])
    below = jnp.array([True, True, False, True, True])
    crossed = fire(new, v_th, below=below).spike
    np.testing.assert_array_equal(crossed, [True, False, False, True, False])


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("t_ref", [None, 1.0])
@pytest.mark.parametrize("surrogate", [None, npt.surrogate.Sigmoid])
@pytest.mark.parametrize("shape", [(7,), (3, 5)])
def test_a_neuron_follows_the_rule(monkeypatch, reset, t_ref, surrogate, shape):
    v_th = jnp.broadcast_to(jnp.linspace(-50.0, -48.0, shape[-1]), shape)
    given = {"v_rest": -60.0, "v_th": v_th, "v_reset": -62.0, "t_ref": t_ref}
    cell = npt.neurons.LIF(shape, **given, reset=reset, surrogate=surrogate)
    drive = jnp.linspace(15.0, 60.0, cell.size).reshape(shape)

    def run(drive):
        return npt.simulate(cell, cell.init(dt=0.1), drive, dt=0.1, duration=20.0, record=["v", "spike"]).out

    fused = run(drive)
    assert int(jnp.sum(fused["spike"], dtype=int)) > 10
    with monkeypatch.context() as patched:
        patched.setattr(_fire, "_fired", lambda f, impl: _fire._rule(f))
        jax.clear_caches()
        parts = run(drive)
    jax.clear_caches()
    for name in parts:
        np.testing.assert_array_equal(fused[name], parts[name])


def test_derivatives_are_those_of_the_rule(monkeypatch):
    cell = npt.neurons.LIF(5, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, t_ref=1.0)
    state = cell.init(dt=0.1)

    def loss(given):
        cell, drive = given
        out = npt.simulate(cell, state, drive, dt=0.1, duration=10.0, record=["v", "spike"]).out
        return jnp.sum(out["spike"]) + 1e-3 * jnp.sum(out["v"] ** 2)

    given = cell, jnp.linspace(10.0, 60.0, 5)
    fused = eqx.filter_grad(loss)(given)
    with monkeypatch.context() as patched:
        patched.setattr(_fire, "_fired", lambda f, impl: _fire._rule(f))
        jax.clear_caches()
        parts = eqx.filter_grad(loss)(given)
    jax.clear_caches()
    assert float(jnp.abs(fused[1]).max()) > 1e-3
    for got, want in zip(jax.tree.leaves(fused), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_half_a_refractory_period_is_refused():
    v, v_th = jnp.zeros(2), jnp.asarray(1.0)
    with pytest.raises(ValueError, match=r"fire got \['left'\]; a refractory period needs 'left' and 'steps' both"):
        fire(v, v_th, left=jnp.zeros(2, jnp.int32))
    with pytest.raises(ValueError, match=r"fire got \['held'\]; a refractory period needs"):
        fire(v, v_th, held=v)
