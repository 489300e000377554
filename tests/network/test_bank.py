"""What every node must do, by itself and in a network."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.testing import node_bank

from ..helpers import assert_same_bits

DT = 0.1


@pytest.fixture(params=[np.float64, np.float32], ids=["f64", "f32"])
def dtype(request):
    with jax.enable_x64(request.param is np.float64):
        yield request.param


@pytest.fixture(params=list(node_bank()))
def node(request, dtype):
    return node_bank()[request.param]


def forms(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


def drive(node):
    return 60.0 if node.ports else None


def run(node, state, n_steps=50, start=0, **options):
    options = {"record": [*node.outputs], "key": jax.random.key(1)} | options
    return npt.simulate(node, state, drive(node), dt=DT, duration=n_steps * DT, start=start, **options)


def test_a_step_keeps_the_form_of_state_and_messages(node):
    state = node.init(dt=DT, key=jax.random.key(0))
    tick = npt.Tick.at(0, dt=DT, key=jax.random.key(1))
    new, messages = eqx.filter_jit(node.advance)(state, None, tick)
    assert forms(new) == forms(state)
    assert {name: x.size for name, x in messages.items()} == dict(node.messages)
    assert forms(dict(messages)) == forms(dict(node.silent(state)))
    for port, size in node.ports.items():
        after = eqx.filter_jit(lambda s, p=port: node.deliver(s, p, lambda x: x + jnp.ones_like(x), tick))(new)
        assert forms(after) == forms(state) and not eqx.tree_equal(after, new), (port, size)
        nothing = node.deliver(new, port, lambda x: x, tick)
        assert_same_bits(nothing, new)


def test_it_sends_and_a_run_is_the_same_split_and_called_twice(node):
    state = node.init(dt=DT, key=jax.random.key(0))
    whole = run(node, state)
    assert all(np.asarray(x).any() for x in whole.out.values())
    assert_same_bits(whole.out, run(node, state).out)
    first = run(node, state, 17)
    second = run(node, first.state, 33, start=first.steps)
    assert_same_bits(whole.state, second.state)
    assert_same_bits(whole.out, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first.out, second.out))


def test_in_a_network_it_does_what_it_does_alone_under_its_name(node, dtype):
    """Receptors of a node that nothing reaches do nothing, and its random numbers are those of its name."""
    net = npt.Network({"N": node})
    given = drive(node)
    state = net.init(dt=DT, key=jax.random.key(0))
    own = node.init(dt=DT, key=npt.fold_key(jax.random.key(0), "N"))
    assert_same_bits(state.nodes["N"], own)
    together = eqx.filter_jit(net.step)
    alone = eqx.filter_jit(lambda s, tick: node.advance(s, given, tick.fold("N")))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-10 if dtype is np.float64 else 1e-4)
    sent = 0.0
    for k in range(50):
        tick = npt.Tick.at(k, dt=DT, key=jax.random.key(1))
        state, output = together(state, {} if given is None else {"N": given}, tick)
        own, messages = alone(own, tick)
        # two programs, whose compiler may round a multiplication and an addition once or twice
        jax.tree.map(close, state.nodes["N"], own)
        close(output["N"], messages[node.outputs[0]])
        sent += float(np.abs(np.asarray(output["N"], float)).sum())
    assert sent > 0
