"""Gradients through the E/I network, and whole networks under vmap."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import DRIVE, coba, quick_jit

N_STEPS = 200


def loss(net, state, inputs):
    """Of spikes and voltages, over 200 steps."""
    sol = npt.simulate(net, state, inputs, dt=0.1, duration=N_STEPS * 0.1, record=["E.spike", "E.v", "I.v"])
    rate = jnp.mean(sol.out["E.spike"]) * 1e4
    return (rate - 30.0) ** 2 + jnp.mean((sol.out["E.v"] + 55.0) ** 2) + jnp.mean((sol.out["I.v"] + 55.0) ** 2)


def network(impl, per_edge):
    weights = dict(weight_exc=0.6, weight_inh=6.7)
    if per_edge:
        weights = {name: npt.init.Constant(w) for name, w in weights.items()}
    net = coba(160, 40, impl=impl, surrogate=npt.surrogate.Sigmoid(alpha=1.0), **weights)
    return net, net.init(dt=0.1, key=jax.random.key(1))


@pytest.mark.parametrize(("impl", "per_edge"), [("taichi", False), ("taichi", True)], indirect=["impl"])
def test_gradients_equal_those_of_the_reference_and_are_finite(per_edge, impl):
    """With respect to every parameter (weights, tau, reversal potentials, ...) and to inputs over time."""
    inputs = {"E": npt.Series(jnp.full((N_STEPS, 160), 20.0)), "I": npt.Series(jnp.full((N_STEPS, 1), 20.0))}
    values, grads = [], []

    def of_all(parts, state):
        return loss(parts[0], state, parts[1])

    for which in ("reference", impl):
        net, state = network(which, per_edge)
        parameters, rest = eqx.partition((net, inputs), eqx.is_inexact_array)
        slopes = jax.value_and_grad(lambda p, rest=rest, s=state: of_all(eqx.combine(p, rest), s))
        value, grad = quick_jit(slopes)(parameters)
        values.append(float(value))
        grads.append((grad[0].nodes, grad[0].pathways, grad[1]))
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    leaves = [jax.tree.leaves(eqx.filter(g, eqx.is_inexact_array)) for g in grads]
    for a, b in zip(*leaves, strict=True):
        assert np.isfinite(a).all()
        # two orders of summation, amplified over 200 steps
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    weight = grads[1][1]["E->E"].connect.weight
    assert np.count_nonzero(weight) > 1000 or not per_edge
    assert np.any(grads[1][0]["E"].cell.membrane.tau != 0) and np.count_nonzero(grads[1][2]["E"].x) > 1000


def test_gradients_equal_finite_differences_where_nothing_spikes():
    """Without spikes the loss is smooth, and the surrogate must not disturb it."""
    net, state = network("auto", False)
    g0 = eqx.tree_at(lambda s: s.nodes["E"].receptors["exc"].g, state, jnp.full(160, 0.2))

    def value(tau, current):
        quiet = eqx.tree_at(lambda n: n.nodes["E"].cell.membrane.tau, net, tau)
        quiet = eqx.tree_at(lambda n: [p.cell.threshold.v_th for p in n.nodes.values()], quiet, [1e4, 1e4])
        sol = npt.simulate(quiet, g0, {"E": current}, dt=0.1, duration=10.0, record=["E.v"])
        return jnp.mean(sol.out["E.v"] ** 2)

    for n, x in enumerate((20.0, 5.0)):
        args = [20.0, 5.0]

        def f(x, n=n, args=args):
            args[n] = x
            return value(*args)

        numeric = (f(x + 1e-4) - f(x - 1e-4)) / 2e-4
        assert jax.grad(f)(x) == pytest.approx(float(numeric), rel=1e-6)


def test_boolean_spikes_pass_no_gradient_and_the_same_spikes():
    net, state = coba(64, 16, surrogate=None), None
    state = net.init(dt=0.1, key=jax.random.key(1))
    grad = eqx.filter_grad(
        lambda n: npt.simulate(n, state, DRIVE, dt=0.1, duration=5.0, record=["E.v"]).out["E.v"].sum()
    )(net)
    assert np.isfinite(grad.pathways["E->E"].connect.weight)


def test_vmap_over_weights_is_one_program_and_equals_the_loop(impl):
    net = coba(160, 40, impl=impl)
    state = net.init(dt=0.1, key=jax.random.key(1))
    weights = jnp.linspace(0.2, 1.0, 8)

    def rates(weight):
        varied = eqx.tree_at(lambda n: n.pathways["E->E"].connect.weight, net, weight)
        return npt.simulate(varied, state, DRIVE, dt=0.1, duration=50.0, record=["E.spike", "E.v"]).out

    together = jax.vmap(rates)(weights)
    each = [rates(w) for w in weights]
    assert together["E.spike"].shape == (8, 500, 160)
    assert len({float(x) for x in together["E.spike"].sum((1, 2))}) > 3
    for n in range(8):
        np.testing.assert_array_equal(together["E.spike"][n], each[n]["E.spike"])
        # another order of operations in the compiled batch
        np.testing.assert_allclose(together["E.v"][n], each[n]["E.v"], rtol=1e-9)


def test_vmap_over_per_edge_weights_equals_the_loop(impl):
    net = coba(64, 16, impl=impl, weight_exc=npt.init.Uniform(0.2, 1.0))
    state = net.init(dt=0.1, key=jax.random.key(1))
    one = net.pathways["E->E"].connect.weight
    weights = jnp.stack([one * s for s in (0.5, 1.0, 2.0)])

    def final(weight):
        varied = eqx.tree_at(lambda n: n.pathways["E->E"].connect.weight, net, weight)
        return npt.simulate(varied, state, DRIVE, dt=0.1, duration=20.0).state.nodes["E"].cell.v

    np.testing.assert_allclose(jax.vmap(final)(weights), jnp.stack([final(w) for w in weights]), rtol=1e-9)


def test_vmap_over_keys_of_initial_state_and_noise_equals_the_loop(impl):
    net = coba(160, 40, impl=impl, sigma=0.5, delay=0.5)
    keys = jax.random.split(jax.random.key(3), 8)

    def run(key):
        start, noise = jax.random.split(key)
        state = net.init(dt=0.1, key=start)
        return npt.simulate(net, state, DRIVE, dt=0.1, duration=20.0, record=["E.spike", "E.v"], key=noise).out

    together = jax.jit(jax.vmap(run))(keys)
    for n, key in enumerate(keys):
        alone = run(key)
        np.testing.assert_array_equal(together["E.spike"][n], alone["E.spike"])
        np.testing.assert_allclose(together["E.v"][n], alone["E.v"], rtol=1e-9)
    assert len({float(x) for x in together["E.v"].sum((1, 2))}) == 8


def test_vmap_of_grad_over_weights_equals_the_loop(impl):
    net, state = network(impl, False)
    weights = jnp.asarray([0.4, 0.6, 0.8])

    def slope(weight):
        def value(w):
            return loss(eqx.tree_at(lambda n: n.pathways["E->E"].connect.weight, net, w), state, DRIVE)

        return jax.grad(value)(weight)

    np.testing.assert_allclose(jax.vmap(slope)(weights), jnp.stack([slope(w) for w in weights]), rtol=1e-7)
