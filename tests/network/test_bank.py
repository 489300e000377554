"""What every node must do, by itself and in a network."""

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


def run(node, state, n_steps=50, start=0, **options):
    given = None if node.input_shape == {} else 30.0
    options = {"record": [*node.outputs], "key": jax.random.key(1)} | options
    return npt.simulate(node, state, given, dt=DT, duration=n_steps * DT, start=start, **options)


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


def test_it_is_the_same_in_a_network(node):
    """But for the stream of its random numbers, which is that of its name there."""
    net = npt.Network({"N": node})
    state = net.init(dt=DT, key=jax.random.key(0))
    sol = run(net, state, record=[f"N.{name}" for name in node.outputs], inputs=None) if False else npt.simulate(
        net,
        state,
        {} if node.input_shape == {} else {"N": 30.0},
        dt=DT,
        duration=5.0,
        record=[f"N.{name}" for name in node.outputs],
        key=jax.random.key(1),
    )
    inside = {"N": state.nodes["N"]}["N"]
    alone = npt.simulate(
        node,
        inside,
        None if node.input_shape == {} else 30.0,
        dt=DT,
        duration=5.0,
        record=[*node.outputs],
        key=npt.fold_key(jax.random.key(1), "N"),
    )
    for name in node.outputs:
        assert sol.out[f"N.{name}"].shape == alone.out[name].shape
