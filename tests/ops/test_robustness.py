"""What must hold however the operators are called: memory, threads, sizes, index arrays, dtypes."""

import concurrent.futures
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import random_csr

MEMORY = """
import jax, jax.numpy as jnp, numpy as np
import neuropytree as npt

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

rng = np.random.default_rng(0)
indices = jnp.asarray(rng.integers(0, 64, 512, dtype=np.int32))
indptr = jnp.arange(0, 513, 8, dtype=jnp.int32)
w, x, acc = jnp.ones(512), jnp.arange(64) % 16 == 0, jnp.zeros(64)

@jax.jit
def loop(acc, n):
    return jax.lax.fori_loop(0, n, lambda _, a: 0.5 * npt.ops.csr_matvec(w, x, indices, indptr, acc=a), acc)

call = jax.jit(lambda acc: 0.5 * npt.ops.csr_matvec(w, x, indices, indptr, acc=acc))

def run(inside, outside):
    global acc
    acc = loop(acc, inside)
    for _ in range(outside):
        acc = call(acc)
    acc.block_until_ready()

run(1000, 2000)
before = resident()
run(1_000_000, 10_000)
print(resident() - before)
"""


def run_program(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def need_kernels():
    if npt.ops.implementation() == "reference":
        pytest.skip("no kernels here")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow():
    """A leak of eight bytes in a call within a program would show, 8 MB after a million; from Python, one of 420."""
    need_kernels()
    assert int(run_program(MEMORY)) < 4 * 2**20


# Large enough for every operator to be shared among threads: thousands of edges above the budget of one. Every result
# is hashed; the same hash is the same bits.
LARGE = """
import concurrent.futures, hashlib, os, sys
for core in CORES:
    os.sched_setaffinity(0, {core})
import jax, jax.numpy as jnp, numpy as np
import neuropytree as npt

rng = np.random.default_rng(0)
n, k = 3000, 100
indices = np.sort(rng.integers(0, n, (n, k), dtype=np.int32)).reshape(-1)
W = npt.connect.CSR(indices, np.arange(0, n * k + 1, k), weight=rng.normal(size=n * k), in_size=n, out_size=n)
W = W.with_csc()
x = jnp.asarray(rng.normal(size=n) * (rng.random(n) < 0.5))
y = jnp.asarray(rng.normal(size=n))
few = jnp.asarray(rng.normal(size=n) * (rng.random(n) < 0.2))
xs = jnp.stack([x, y, x > 0, x * 0])
drawn = npt.connect.JIT((0.1, 0.9), 7, in_size=n, out_size=n, p=0.05, law="uniform")
cell = npt.neurons.LIF(n, t_ref=1.0, surrogate=None)

def transposed(x):
    return npt.ops.csr_transposed_matvec(W.weight, x, W.indices, W.indptr, acc=jnp.zeros(n))

def listed(x):
    events = npt.ops.compact(x, n)
    return npt.ops.csr_matvec_compact(W.weight, events, W.indices, W.indptr, acc=jnp.zeros(n))

def through(w):
    return npt.ops.csr_matvec(w, x, W.indices, W.indptr, acc=jnp.zeros(n)) @ y

edges, rows = (W.weight, xs.T, W.indices, W.indptr), np.repeat(np.arange(n, dtype=np.int32), k)
programs = {
    "matvec": lambda: W(x),
    "transposed": lambda: transposed(y),
    "by columns": lambda: W.transpose(x),
    "outer": lambda: W.outer(x, y),
    "shared weight": lambda: jax.grad(through)(jnp.asarray(0.5)),
    "batch": lambda: jax.vmap(W)(xs),
    "batch of outer": lambda: jax.vmap(W.outer, (0, None))(xs[:2], y),
    "matrix": lambda: npt.ops.csr_matmat(W.weight, xs.T, W.indices, W.indptr, acc=jnp.zeros((n, 4))),
    "on pre": lambda: npt.ops.csr_add_on_pre(W.weight, x, y, W.indices, W.indptr, w_min=-1.0, w_max=1.0),
    "on post": lambda: npt.ops.csr_add_on_post(W.weight, y, x, *W.csc, w_min=-1.0, w_max=1.0),
    "listed": lambda: listed(x),
    "few columns": lambda: W.transpose(few),
    "dense": lambda: npt.ops.dense_matvec(DENSE, few, acc=jnp.zeros(n), impl="taichi"),
    "transposed matrix": lambda: npt.ops.csr_transposed_matmat(*edges, acc=jnp.zeros((n, 4))),
    "matrix by columns": lambda: npt.ops.csr_transposed_matmat(*edges, acc=jnp.zeros((n, 4)), csc=W.csc),
    "outer of matrices": lambda: npt.ops.csr_outer_matmat(xs.T, xs.T, *edges[2:], acc=jnp.zeros(n * k)),
    "list": lambda: npt.ops.coo_outer(x, y, rows, W.indices, acc=jnp.zeros(n * k)),
    "drawn": lambda: drawn(x),
    "drawn outer": lambda: drawn.outer(x, y),
    "cell": lambda: npt.simulate(cell, cell.init(dt=0.1), 20.0 + y, dt=0.1, duration=5.0, record=["v"]).out["v"],
}
DENSE = W.to_dense()
compiled = {name: jax.jit(f) for name, f in programs.items()}
alone = {name: np.asarray(f()) for name, f in compiled.items()}

dense = np.asarray(DENSE)
moved = np.where(np.asarray(x)[rows] != 0, np.clip(W.weight + (x[rows] * y[indices]), -1, 1), W.weight)
paired = np.where(np.asarray(x)[indices] != 0, np.clip(W.weight + (y[rows] * x[indices]), -1, 1), W.weight)
expected = {
    "matvec": dense.T @ x, "transposed": dense @ y, "by columns": dense @ x, "outer": x[rows] * y[indices],
    "shared weight": np.sum(x[rows] * y[indices]),
    "batch": xs @ dense, "matrix": dense.T @ xs.T, "on pre": moved, "on post": paired, "listed": dense.T @ x,
    "few columns": dense @ few, "dense": dense.T @ few, "drawn": drawn.to_dense().T @ x,
    "transposed matrix": dense @ xs.T, "matrix by columns": dense @ xs.T, "list": x[rows] * y[indices],
    "outer of matrices": np.sum(np.asarray(xs)[:, rows] * np.asarray(xs)[:, indices], axis=0),
}
for name, value in expected.items():
    np.testing.assert_allclose(alone[name], value, rtol=1e-9, atol=1e-9, err_msg=name)
drawn_product = np.dot((0.1, 0.9), alone["drawn outer"])  # what it is the gradient of
np.testing.assert_allclose(drawn_product, x @ (drawn.to_dense() @ y), rtol=1e-9)

def hammer(turn):
    names = list(programs)
    for k in range(40):
        name = names[(k + turn) % len(names)]
        if not np.array_equal(np.asarray(compiled[name]()), alone[name]):
            return f"{name} differs when called from several threads"

with concurrent.futures.ThreadPoolExecutor(6) as pool:
    failures = [failure for failure in pool.map(hammer, range(6)) if failure]
assert not failures, failures
print({name: hashlib.sha256(value.tobytes()).hexdigest()[:16] for name, value in alone.items()})
"""


def test_large_calls_from_many_threads_are_bitwise_the_same_for_any_number_of_threads():
    """Six Python threads, each program shared on the pool: no deadlock, and the bits of one core alone."""
    need_kernels()
    pooled = run_program(LARGE.replace("CORES", "()"))
    assert run_program(LARGE.replace("CORES", "(min(os.sched_getaffinity(0)),)")) == pooled
    one = run_program(LARGE.replace("CORES", "()"), XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")
    assert one == pooled
    # the form of the kernels for processors without AVX2, which would never run where tests do
    assert run_program(LARGE.replace("CORES", "()"), NEUROPYTREE_BASELINE="1") == pooled


def test_a_result_that_large_calls_take_long_over_is_the_same_wherever_it_lies():
    """After some milliseconds it is moved to large pages: in the middle of a loop, and again for every new buffer."""
    need_kernels()
    rng, (n, m) = np.random.default_rng(0), (4000, 700_000)
    indices = np.sort(rng.integers(0, m, (n, 20)).astype(np.int32), axis=1).reshape(-1)
    connectivity = npt.connect.CSR(indices, np.arange(0, n * 20 + 1, 20), weight=1.0, in_size=n, out_size=m)
    x, calls = jnp.ones(n, bool), 150

    @jax.jit
    def loop(acc):
        return jax.lax.fori_loop(0, calls, lambda _, acc: connectivity(x, acc), acc)

    want = calls * np.bincount(indices, minlength=m)
    for _ in range(3):
        np.testing.assert_array_equal(loop(jnp.zeros(m)), want)


def test_eight_devices_at_once():
    """One program on each of eight host devices, from eight threads: the numbers of one alone."""
    program = """
import concurrent.futures
import jax, jax.numpy as jnp, numpy as np
import neuropytree as npt
rng = np.random.default_rng(0)
n, k = 1000, 40
indices = np.sort(rng.integers(0, n, (n, k), dtype=np.int32)).reshape(-1)
W = npt.connect.CSR(indices, np.arange(0, n * k + 1, k), weight=rng.normal(size=n * k), in_size=n, out_size=n)
xs = [jnp.asarray(rng.normal(size=n)) for _ in range(8)]
step = jax.jit(lambda W, x: jax.lax.fori_loop(0, 20, lambda _, x: jnp.tanh(W(x)), x))
alone = [np.asarray(step(W, x)) for x in xs]
placed = [jax.device_put((W, x), d) for x, d in zip(xs, jax.devices(), strict=True)]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for _ in range(3):
        for got, want in zip(pool.map(lambda args: np.asarray(step(*args)), placed), alone, strict=True):
            np.testing.assert_array_equal(got, want)
"""
    run_program(program, XLA_FLAGS="--xla_force_host_platform_device_count=8")


def test_two_programs_from_two_threads(impl):
    rng = np.random.default_rng(0)
    indices, indptr = (jnp.asarray(a) for a in random_csr(rng, 60, 50, 600))
    w, x, y = (jnp.asarray(rng.normal(size=n)) for n in (600, 60, 50))
    forward = jax.jit(lambda: npt.ops.csr_matvec(w, x, indices, indptr, acc=jnp.zeros(50), impl=impl))
    back = jax.jit(lambda: npt.ops.csr_transposed_matvec(w, y, indices, indptr, acc=jnp.zeros(60), impl=impl))
    alone = [np.asarray(f()) for f in (forward, back)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for which, got in [(k % 2, pool.submit(f)) for k, f in enumerate([forward, back] * 100)]:
            np.testing.assert_array_equal(got.result(), alone[which])


LARGEST = 2**31 - 64


@pytest.mark.parametrize("operation", ["matvec", "transposed", "outer"])
def test_more_edges_than_positions_are_refused_before_any_memory_is_taken(operation):
    def call(indices, indptr, x, acc):
        if operation == "outer":
            return npt.ops.csr_outer(x, x, indices, indptr, acc=acc)
        function = npt.ops.csr_matvec if operation == "matvec" else npt.ops.csr_transposed_matvec
        return function(0.5, x, indices, indptr, acc=acc)

    def shapes(nnz):
        n = nnz if operation == "outer" else 4
        vector, index = jax.ShapeDtypeStruct((4,), jnp.float64), jnp.int32
        acc = jax.ShapeDtypeStruct((n,), jnp.float64)
        return jax.ShapeDtypeStruct((nnz,), index), jax.ShapeDtypeStruct((5,), index), vector, acc

    assert jax.eval_shape(call, *shapes(LARGEST)).dtype == jnp.float64
    with pytest.raises(ValueError, match=r"indices has 2147483585 entries, more than 2\^31 - 64"):
        jax.eval_shape(call, *shapes(LARGEST + 1))


def test_a_connectivity_of_more_edges_than_positions_is_refused():
    many = np.broadcast_to(np.int32(0), (LARGEST + 1,))
    with pytest.raises(ValueError, match=r"2147483585 edges are more than 2\^31 - 64; split the connectivity by rows"):
        npt.connect.CSR(many, [0, 0], in_size=1, out_size=1)


BIG = 2**32  # what is 0 as int32


@pytest.mark.parametrize(
    ("indices", "indptr", "error", "match"),
    [
        ([0, 3], [0, 1, 2], ValueError, r"indices\[1\] is 3; expected 0 to out_size - 1 = 2"),
        ([0, -1], [0, 1, 2], ValueError, r"indices\[1\] is -1"),
        (np.array([0, BIG]), [0, 1, 2], ValueError, r"indices\[1\] is 4294967296"),
        (np.array([0, 2**64 - 1], np.uint64), [0, 1, 2], ValueError, r"indices\[1\] is 18446744073709551615"),
        ([0, 1], np.array([0, BIG + 1, BIG + 2]), ValueError, "indptr ends at 4294967298, but there are 2 indices"),
        ([0, 1], np.array([0, 2**64 - 1, 2], np.uint64), ValueError, "indptr falls from 18446744073709551615 to 2 at"),
        ([0, 1], [0, 2, 1], ValueError, "indptr falls from 2 to 1 at entry 2"),
        ([0, 1], [1, 1, 2], ValueError, r"indptr\[0\] is 1; expected 0"),
        ([0, 1], [0, 2], ValueError, r"indptr has length 2; expected in_size \+ 1 = 3"),
        ([1, 0], [0, 2, 2], ValueError, r"indices\[1\] is 0 after 1 in the same row; sort each row"),
        ([0.0, 1.0], [0, 1, 2], TypeError, "indices is float64; expected integers"),
        ([True, False], [0, 1, 2], TypeError, "indices is bool; expected integers"),
        ([0, 1], [0.0, 1.0, 2.0], TypeError, "indptr is float64; expected integers"),
        ([[0, 1]], [0, 1, 2], ValueError, "indices has 2 dimensions; expected one"),
        ([0, 1], 2, ValueError, "indptr has 0 dimensions; expected one"),
        (np.array([0 + 1j, 1]), [0, 1, 2], TypeError, "indices is complex128; expected integers"),
    ],
)
def test_an_index_array_that_is_wrong_is_refused_by_name_and_entry(indices, indptr, error, match):
    with pytest.raises(error, match=match):
        npt.connect.CSR(indices, indptr, in_size=2, out_size=3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int64, np.uint32, np.uint64])
def test_index_arrays_of_any_integers_are_taken(dtype):
    w = npt.connect.CSR(np.array([0, 2, 1], dtype), np.array([0, 2, 3], dtype), in_size=2, out_size=3)
    assert w.indices.dtype == w.indptr.dtype == jnp.int32
    np.testing.assert_array_equal(w.to_dense(), [[1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize(("n_in", "n_out"), [(0, 0), (0, 1), (1, 0), (1, 1), (5, 1), (1, 5)])
def test_sizes_zero_and_one(n_in, n_out, impl):
    none = npt.connect.CSR([], np.zeros(n_in + 1, int), weight=0.5, in_size=n_in, out_size=n_out)
    for x, y in ((jnp.ones(n_in), jnp.ones(n_out)), (jnp.ones(n_in, bool), jnp.ones(n_out, bool))):
        np.testing.assert_array_equal(none(x, impl=impl), np.zeros(n_out))
        np.testing.assert_array_equal(none.transpose(y, impl=impl), np.zeros(n_in))
        assert none.outer(x, y, impl=impl).shape == (0,)
        assert jax.vmap(lambda x: none(x, impl=impl))(jnp.stack([x] * 3)).shape == (3, n_out)
    assert jax.vmap(lambda x: none(x, impl=impl))(jnp.ones((0, n_in))).shape == (0, n_out)


def test_an_edge_that_stands_a_hundred_times_counts_a_hundred_times(impl):
    w = npt.connect.CSR(np.zeros(100, int), [0, 100, 100], weight=np.arange(100.0), in_size=2, out_size=1)
    np.testing.assert_array_equal(w(jnp.ones(2), impl=impl), [4950.0])
    np.testing.assert_array_equal(w.transpose(jnp.ones(1), impl=impl), [4950.0, 0.0])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_floats_take_the_reference(dtype):
    w = npt.connect.CSR([0, 1, 1], [0, 2, 3], weight=jnp.array([1, 2, 4], dtype), in_size=2, out_size=2)
    x = jnp.ones(2, dtype)
    assert npt.ops.implementation(dtype=dtype) == "reference"
    for out in (w(x), w.transpose(x), w(x, impl="reference")):
        assert out.dtype == dtype
    np.testing.assert_array_equal(w(x), np.array([1, 6], dtype))
    need_kernels()
    with pytest.raises(ValueError, match=f"impl='taichi' can't be had: there is no kernel for {dtype.dtype.name}"):
        w(x, impl="taichi")


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.int32, jnp.uint8, jnp.complex64, bool])
def test_weights_that_are_no_floats_are_refused(dtype):
    indices, indptr = jnp.array([0, 1], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
    name = jnp.dtype(dtype).name
    for function in (npt.ops.csr_matvec, npt.ops.csr_transposed_matvec):
        with pytest.raises(TypeError, match=f"weight is {name}"):
            function(jnp.ones(2, dtype), jnp.ones(2), indices, indptr, acc=jnp.zeros(2))
    for function in (npt.ops.csr_matvec, npt.ops.csr_outer):
        with pytest.raises(TypeError, match=f"acc is {name}"):
            function(jnp.ones(2), jnp.ones(2), indices, indptr, acc=jnp.zeros(2, dtype))


def test_a_batch_of_none(impl):
    """No results, of the right shapes, and no gradient for what all elements of a batch share."""
    indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)

    def matrices(w, x):
        return npt.ops.csr_matmat(w, x[:, None], indices, indptr, acc=jnp.zeros((3, 1)), impl=impl)[:, 0]

    def listed(w, x):
        rows = jnp.array([0, 0, 1], jnp.int32)
        return npt.ops.coo_matvec(w, x, rows, indices, acc=jnp.zeros(3), impl=impl)

    def drawn(w, x):
        return npt.ops.jit_matvec(w, x, 1, p=0.5, acc=jnp.zeros(3), impl=impl)

    def pairs(w, x):
        return w * npt.ops.jit_outer(x, jnp.ones(3), 1, p=0.5, acc=jnp.zeros(()), impl=impl)[None]

    for f in (matrices, listed, drawn, pairs):
        batch = jax.vmap(f, (None, 0))
        assert batch(jnp.ones(()), jnp.ones((0, 2))).shape[0] == 0
        loss = jax.jit(jax.grad(lambda w, x, batch=batch: jnp.sum(batch(w, x) ** 2), (0, 1)))
        d_w, d_x = loss(jnp.ones(()), jnp.ones((0, 2)))
        assert d_w == 0
        assert d_x.shape == (0, 2)


@pytest.mark.parametrize(("dtype", "cores"), [("f64", 2), ("f32", 1)])
def test_damaged_index_arrays_never_crash(dtype, cores):
    """Some two thousand calls for each, which are compared in there, by both implementations."""
    command = ["-m", "tests.ops.tampered", dtype]
    if hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))[:cores]
        command = [
            "-c",
            f"import os, runpy, sys; os.sched_setaffinity(0, {mine}); sys.argv[1:] = ['{dtype}']; "
            "runpy.run_module('tests.ops.tampered', run_name='__main__')",
        ]
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
    assert int(done.stdout.split()[-1]) > 1000
