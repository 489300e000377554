"""The same numbers however arrays are divided among devices, in a process of its own with eight of them."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import functools
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
jax.config.update("jax_enable_x64", True)
import neuropytree as npt
from neuropytree import random

KEY, N = jax.random.key(0), 64
DRAWS = {
    "uniform": random.uniform,
    "normal": random.normal,
    "exponential": random.exponential,
    "bernoulli": random.bernoulli,
    "integers": lambda tick, **k: random.integers(tick, 0, 1000, **k),
    "poisson": lambda tick, **k: random.poisson(tick, 2.5, **k),
    "poisson, many": lambda tick, **k: random.poisson(tick, 250.0, **k),
    "binomial": lambda tick, **k: random.binomial(tick, 10, 0.3, **k),
}
same = np.testing.assert_array_equal

def tick(k, key=KEY):
    return npt.Tick.at(k, dt=0.1, key=key)

def meshes(*counts):
    for count in counts or (1, 2, 8):
        yield Mesh(np.array(jax.devices()[:count]), ("d",)), count

"""
PARTS = {
    "divided by XLA": """
for mesh, count in meshes():
    place = NamedSharding(mesh, P("d"))
    for shape in (N, (N, 3)):
        program = jax.jit(lambda: {name: f(tick(3), shape=shape) for name, f in DRAWS.items()}, out_shardings=place)
        compiled = program.lower().compile()
        for name, got in compiled().items():
            assert got.sharding.is_equivalent_to(place, got.ndim)
            same(got, DRAWS[name](tick(3), shape=shape))
        text = compiled.as_text()
        # each device draws its own share, by no kernel; it asks others whether they have finished, and that is all
        assert ("npt_" in text) == (count == 1 and npt.ops.implementation() == "taichi")
        assert "all-gather" not in text
    means = jax.device_put(jnp.linspace(0.0, 70.0, N), place)
    same(jax.jit(lambda m: random.poisson(tick(3), m))(means), random.poisson(tick(3), means))
""",
    "in shard_map": """
for mesh, count in meshes():
    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh, in_specs=P(), out_specs=P("d"))
    def local(key):
        return {name: f(tick(3, key), shape=(N // count, 3), axis_name="d") for name, f in DRAWS.items()}

    for name, got in local(KEY).items():
        same(got, DRAWS[name](tick(3), shape=(N, 3)))
    assert ("npt_poisson" in local.lower(KEY).compile().as_text()) == (npt.ops.implementation() == "taichi")

    @functools.partial(jax.shard_map, mesh=mesh, in_specs=P("d"), out_specs=P("d"))
    def by_parameter(means):
        return random.poisson(tick(3), means), random.normal(tick(3), means)

    means = jnp.linspace(0.0, 70.0, N)
    same(by_parameter(means)[0], random.poisson(tick(3), means))
    same(by_parameter(means)[1], jax.jit(lambda m: random.normal(tick(3), m))(means))
    assert len(np.unique(np.asarray(local(KEY)["normal"]))) == 3 * N  # no shard repeats another's

    @functools.partial(jax.shard_map, mesh=mesh, in_specs=P("d"), out_specs=P("d"))
    def own_keys(keys):  # each device has a stream of its own, of which it draws from the first element on
        return random.normal(keys[0], shape=4, axis_name=None)[None]

    keys = jax.random.split(KEY, count)
    same(own_keys(keys), [random.normal(key, shape=4) for key in keys])

mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("a", "b"))

@functools.partial(jax.shard_map, mesh=mesh, in_specs=P(("a", "b")), out_specs=P(("a", "b")))
def two_axes(means):
    return random.poisson(tick(3), means)

same(two_axes(jnp.full(N, 2.5)), random.poisson(tick(3), 2.5, shape=N))

@functools.partial(jax.shard_map, mesh=mesh, in_specs=P("a"), out_specs=P("a"))
def one_of_two(means):  # the same on all devices of the other axis
    return random.poisson(tick(3), means)

same(one_of_two(jnp.full(N, 2.5)), random.poisson(tick(3), 2.5, shape=N))
""",
    "noise of membranes": """
def steps(cell, state, key):
    def body(state, k):
        return cell.step(state, 15.0, tick(k, key))[0], None
    return jax.lax.scan(body, state, jnp.arange(20, dtype=jnp.int32))[0].v

for stepper, counts in ((npt.integrate.ExponentialEulerMaruyama(), (1, 2, 8)), (npt.integrate.SRK1W1(), (8,))):
    def cell(n):
        volts = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0}
        return npt.neurons.LIF(n, **volts, tau=20.0, sigma=0.5, t_ref=1.0, stepper=stepper)

    state = cell(N).init(dt=0.1)
    want = jax.jit(functools.partial(steps, cell(N)))(state, KEY)
    for mesh, count in meshes(*counts):
        divided = jax.device_put(state, NamedSharding(mesh, P("d")))
        np.testing.assert_allclose(jax.jit(functools.partial(steps, cell(N)))(divided, KEY), want, rtol=1e-13)
        places = {"mesh": mesh, "in_specs": (P("d"), P()), "out_specs": P("d")}
        local = jax.shard_map(functools.partial(steps, cell(N // count)), **places)
        np.testing.assert_allclose(jax.jit(local)(state, KEY), want, rtol=1e-13)

# a source has no variable, so it is told
def spikes(source, key):
    state = source.init(dt=0.1)
    sent = npt.simulate(source, state, dt=0.1, duration=2.0, record=["spike"], key=key).out["spike"]
    return sent.T

for counts in (False, True):
    options = {"rate": 900.0, "counts": counts}
    want = spikes(npt.sources.Poisson(N, **options), KEY)
    for mesh, count in meshes(8):
        part = npt.sources.Poisson(N // count, axis_name="d", **options)
        local = jax.shard_map(functools.partial(spikes, part), mesh=mesh, in_specs=P(), out_specs=P("d"))
        same(local(KEY), want)

# a process that elements share is the same on every device
def shared(y, key):
    class Field(npt.integrate.AbstractField):
        def vector_field(self, t, y, u):
            return jax.tree.map(jnp.zeros_like, y)

        def diffusion(self, t, y, u):
            return npt.integrate.ScalarNoise(jax.tree.map(jnp.ones_like, y))

    return npt.integrate.EulerMaruyama().step(Field(), 0.0, y, None, 0.1, key=tick(3, key).stream)[0]

for mesh, count in meshes(8):
    local = jax.shard_map(shared, mesh=mesh, in_specs=(P("d"), P()), out_specs=P("d"))
    assert len(np.unique(local(jnp.zeros(N), KEY))) == 1
""",
}


@pytest.mark.parametrize("part", list(PARTS))
def test_eight_devices_draw_what_one_draws(part):
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    program = PROGRAM + PARTS[part]
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
