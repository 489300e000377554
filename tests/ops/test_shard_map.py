"""CSR operators over a mesh of eight devices, in a process of their own, against one device."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt

PROGRAM = """
import functools
import jax, jax.numpy as jnp, numpy as np, scipy.sparse
from jax.sharding import Mesh, PartitionSpec as P
jax.config.update("jax_enable_x64", True)
import neuropytree as npt

mesh = Mesh(np.array(jax.devices()), ("d",))
assert len(jax.devices()) == 8
matrix = scipy.sparse.random(24, 32, density=0.3, random_state=0, format="csr")
W = npt.connect.from_scipy(matrix)
rng = np.random.default_rng(0)
x = jnp.asarray(rng.normal(size=24) * (rng.random(24) < 0.5))
impl = IMPL

def own(part):  # within shard_map the leading axis is one
    return jax.tree.map(lambda leaf: leaf[0], part)

@functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("d"), P("d")), out_specs=P())
def by_rows(parts, x):
    return jax.lax.psum(own(parts)(x, impl=impl), "d")

@functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("d"), P()), out_specs=P("d"))
def by_columns(parts, x):
    return own(parts)(x, impl=impl)

@functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("d"), P()), out_specs=P("d"))
def transposed_by_rows(parts, y):
    return own(parts).transpose(y, impl=impl)

@functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("d"), P(None, "d")), out_specs=P())
def batch(parts, xs):
    return jax.lax.psum(jax.vmap(lambda x: own(parts)(x, impl=impl))(xs), "d")

import equinox as eqx
def loss(f):
    def of(w, x):
        return jnp.sum(jnp.sin(f(eqx.tree_at(lambda c: c.weight, W, w), x)))
    return jax.jit(jax.value_and_grad(of, (0, 1)))

forms = {
    "rows": lambda W, x: by_rows(W.split_rows(8), x),
    "columns": lambda W, x: by_columns(W.split_columns(8), x),
}
close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
want = loss(lambda W, x: W(x, impl=impl))(W.weight, x)
for name, form in forms.items():
    close(form(W, x), x @ matrix)
    for events in (x, jnp.asarray(x > 0)):
        close(jax.jit(functools.partial(form, W))(events), events @ matrix)
    jax.tree.map(close, loss(form)(W.weight, x), want)
shared = npt.connect.CSR(W.indices, W.indptr, weight=0.5, in_size=24, out_size=32)
for form in forms.values():
    close(form(shared, x), shared(x))
y = jnp.asarray(rng.normal(size=32))
close(transposed_by_rows(W.split_rows(8), y), matrix @ y)
close(batch(W.split_rows(8), jnp.stack([x, 2 * x])), np.stack([x, 2 * x]) @ matrix)
split = W.split_rows(8)

@functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("d"), P("d"), P()), out_specs=P())
def learn(parts, x, trace):
    part = own(parts)
    events = npt.ops.compact(x, 2, impl=impl)
    w = npt.ops.csr_add_on_pre(part.weight, x, trace, part.indices, part.indptr, w_max=0.7, impl=impl)
    out = npt.ops.csr_matvec_compact(w, events, part.indices, part.indptr, acc=jnp.zeros(32), impl=impl)
    return jax.lax.psum(out, "d")

def learn_alone(x, trace):
    w = npt.ops.csr_add_on_pre(W.weight, x, trace, W.indices, W.indptr, w_max=0.7, impl=impl)
    return eqx.tree_at(lambda c: c.weight, W, w)(x, impl=impl)

for got, want in zip(
    *(
        jax.jit(jax.value_and_grad(lambda x, t: jnp.sum(jnp.sin(f(x, t))), (0, 1)))(x, y)
        for f in (lambda x, t: learn(split, x, t), learn_alone)
    ),
    strict=True,
):
    jax.tree.map(close, got, want)

hessian = jax.jit(jax.hessian(lambda x: jnp.sum(jnp.sin(by_rows(split, x)))))(x)
close(hessian, jax.hessian(lambda x: jnp.sum(jnp.sin(W(x, impl=impl))))(x))
"""


def test_eight_devices_give_what_one_gives(impl):
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    program = PROGRAM.replace("IMPL", repr(impl))
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("weight", [0.5, "edges"])
def test_parts_are_the_whole(weight):
    matrix = scipy.sparse.random(12, 20, density=0.3, random_state=0, format="csr")
    w = npt.connect.from_scipy(matrix)
    if weight == 0.5:
        w = npt.connect.CSR(w.indices, w.indptr, weight=0.5, in_size=12, out_size=20)
    dense = np.asarray(w.to_dense())
    for n in (1, 2, 4):
        for split, axis in ((w.split_rows, 0), (w.split_columns, 1)):
            parts = split(n)
            each = [jax.tree.map(lambda leaf, k=k: leaf[k], parts).to_dense() for k in range(n)]
            np.testing.assert_array_equal(np.concatenate(each, axis), dense)


def test_empty_parts_and_no_edges():
    w = npt.connect.CSR([0], [0, 1, 1], weight=[2.0], in_size=2, out_size=2)
    np.testing.assert_array_equal(jax.vmap(lambda part: part(jnp.ones(2)))(w.split_columns(2)), [[2.0], [0.0]])
    none = npt.connect.CSR([], [0, 0, 0], weight=jnp.zeros(0), in_size=2, out_size=0)
    assert none.split_rows(2).weight.shape == (2, 0)
    assert none.split_columns(2).indptr.shape == (2, 3)


def test_sizes_that_do_not_divide_are_named():
    w = npt.connect.CSR([0], [0, 1, 1], in_size=2, out_size=3)
    with pytest.raises(ValueError, match="out_size is 3, not a multiple of n = 2"):
        w.split_columns(2)
    with pytest.raises(ValueError, match="n is 0; expected a whole number of parts from 1"):
        w.split_rows(0)
