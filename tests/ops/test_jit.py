"""Connectivity made just in time: its law, and its identity in every form."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import neuropytree as npt
from neuropytree.ops._counts import HEADER, counts

LAWS = {"constant": 2.0, "uniform": [1.0, 3.0], "normal": [0.5, 2.0]}
PROBABILITIES = [0, 1e-5, 0.02, 0.9, 1]


def entries(p: float) -> np.ndarray:
    """Probabilities of the values in the table of `p`, in units of 2^-32, worked out again from the table."""
    bits, least, _, table = counts(p)
    entry = table[HEADER:].view(np.uint32).reshape(-1, 2).astype(np.int64)
    assert entry.shape == (2**bits, 2)
    own = entry[:, 0] >> bits
    weights = own.copy()
    np.add.at(weights, entry[:, 1] - least, 2 ** (32 - bits) - own)
    return weights


@pytest.mark.parametrize("p", [5e-324, 1e-9, 1e-7, 1e-5, 8e-5, 0.004, 0.02, 0.06, 0.12, 0.5, 0.9, 1 - 1e-7, 1])
def test_the_table_holds_the_binomial_law(p):
    """To a unit of 2^-32 in each entry, and no number that it leaves out is likelier than that."""
    bits, least, block_bits, _ = counts(p)
    weights, law = entries(p), scipy.stats.binom(2**block_bits, p)
    k = np.arange(least, least + 2**bits)
    assert weights.sum() == 2**32
    assert k[-1] <= 256
    np.testing.assert_allclose(weights, law.pmf(k) * 2.0**32, rtol=1e-7, atol=1.5)
    assert law.cdf(least - 1) + law.sf(k[-1]) < 2.0**-30


@pytest.mark.parametrize(("p", "rows", "cols"), [(1e-5, 200, 300_000), (0.02, 300, 4000), (0.9, 200, 700)])
def test_degrees_and_gaps(p, rows, cols):
    """Degrees are binomial, and gaps geometric, across the blocks of columns too."""
    if cols < 10_000:
        i, j = np.nonzero(npt.ops.jit_dense(jnp.ones(()), 11, (rows, cols), p=p))
    else:
        batch = [
            np.nonzero(npt.ops.jit_dense(jnp.ones((), jnp.float32), 11, (50, cols), p=p, row_offset=k))
            for k in range(0, rows, 50)
        ]
        i = np.concatenate([k * 50 + a for k, (a, _) in enumerate(batch)])
        j = np.concatenate([b for _, b in batch])
    mean = rows * cols * p
    assert abs(len(i) - mean) < 4 * np.sqrt(mean * (1 - p))
    for degrees, n in ((np.bincount(i, minlength=rows), cols), (np.bincount(j, minlength=cols), rows)):
        # each mapped to a uniform number within its step of the distribution: continuous
        law = scipy.stats.binom(n, p)
        u = law.cdf(degrees - 1) + np.random.default_rng(0).random(len(degrees)) * law.pmf(degrees)
        assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3
    flat = i.astype(np.int64) * cols + j
    gap = np.diff(flat)
    law = scipy.stats.geom(p)
    u = law.cdf(gap - 1) + np.random.default_rng(1).random(len(gap)) * law.pmf(gap)
    assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_pairs_are_connected_independently(p):
    """In a block the columns are a permutation of few keys: neither two of them nor three in a row go together, nor
    with those of the next row or block, more often than independent ones do."""
    n = 20_000
    d = np.asarray(npt.ops.jit_dense(jnp.ones((), jnp.float32), 4, (n, 512), p=p))
    z = (d - p) / np.sqrt(p * (1 - p))
    for other in (z, np.roll(z, 1, 0)):
        together = (z.T @ other / np.sqrt(n))[~np.eye(512, dtype=bool)]
        # of a standard normal variable: its square has variance 2; of all pairs half are the same twice
        assert abs(np.mean(together**2) - 1) < 6 * np.sqrt(2 / (len(together) / 2))
        assert abs(np.mean(together)) < 6 / np.sqrt(len(together) / 2)
        assert np.max(np.abs(together)) < 6.5
    for step in (1, 2, 3, 5, 16, 64, 128):
        third = np.sum(z[:, : -2 * step] * z[:, step:-step] * z[:, 2 * step :]) / np.sqrt(n * (512 - 2 * step))
        assert abs(third) < 5


def test_the_number_of_edges_is_right_for_small_p_and_many_columns(impl):
    """A million columns, in-degree and out-degree as expected: the law has no floor."""
    for p in (1e-6, 1e-5, 8e-5)[: 2 + (impl == "taichi")]:
        x = jnp.ones(2000, bool)
        total = float(
            npt.ops.jit_matvec(
                jnp.ones((), jnp.float32), x, 3, p=p, acc=jnp.zeros(1_000_000, jnp.float32), impl=impl
            ).sum()
        )
        assert abs(total - 2e9 * p) < 4 * np.sqrt(2e9 * p)


FORMS = [(p, "constant", True) for p in PROBABILITIES]
FORMS += [(0.02, "constant", False), (1, "normal", False), (1e-5, "uniform", True), (0.02, "normal", True)]
FORMS += [(0.9, "uniform", True)]


@pytest.mark.parametrize(
    ("p", "law", "include_self", "impl"),
    [(*form, "taichi") for form in FORMS]
    # each of its calls is a loop that takes long to compile
    + [(0, "constant", True, "reference"), (0.02, "normal", True, "reference"), (1, "constant", True, "reference")],
    indirect=["impl"],
)
def test_every_form_is_the_same_matrix(p, law, include_self, impl):
    """With numbers whose sums are exact: the same bits from matvec, transposed, matmat, outer and dense, in both
    implementations, over several blocks of columns."""
    rng, (n, m) = np.random.default_rng(0), (40, 700)
    weight = jnp.asarray(LAWS[law])
    options = dict(p=p, law=law, include_self=include_self)
    d = np.asarray(npt.ops.jit_dense(weight, 5, (n, m), **options))
    exact = dict(rtol=0, atol=0 if law != "normal" else 1e-12)
    if p in (0, 1):
        assert np.count_nonzero(d) == p * (n * m - (0 if include_self else n))
    x, y = rng.integers(-2, 3, n).astype(float), rng.integers(-2, 3, m).astype(float)
    xs, ys = rng.integers(-1, 2, (n, 3)).astype(float), rng.integers(-1, 2, (m, 3)).astype(float)
    ops, options = npt.ops, options | dict(impl=impl)
    acc, acc_pre = jnp.ones(m), jnp.ones(n)
    np.testing.assert_allclose(ops.jit_matvec(weight, x, 5, acc=acc, **options), 1 + x @ d, **exact)
    np.testing.assert_allclose(
        ops.jit_matvec(weight, jnp.asarray(x > 0), 5, acc=acc, **options), 1 + (x > 0) @ d, **exact
    )
    np.testing.assert_allclose(ops.jit_transposed_matvec(weight, y, 5, acc=acc_pre, **options), 1 + d @ y, **exact)
    np.testing.assert_allclose(ops.jit_matmat(weight, xs, 5, acc=jnp.ones((m, 3)), **options), 1 + d.T @ xs, **exact)
    np.testing.assert_allclose(
        ops.jit_transposed_matmat(weight, ys, 5, acc=jnp.ones((n, 3)), **options), 1 + d @ ys, **exact
    )
    each = [
        np.asarray(npt.ops.jit_dense(jnp.asarray(w), 5, (n, m), p=p, law=law, include_self=include_self))
        for w in ([1.0] if law == "constant" else [[1.0, 0.0], [0.0, 1.0]])
    ]
    want = np.array([x @ b @ y for b in each]).reshape(weight.shape)
    np.testing.assert_allclose(
        ops.jit_outer(x, y, 5, acc=jnp.ones(weight.shape), **options), 1 + want, rtol=1e-12, atol=1e-9
    )
    want = np.array([np.sum(xs * (b @ ys)) for b in each]).reshape(weight.shape)
    np.testing.assert_allclose(
        ops.jit_outer_matmat(xs, ys, 5, acc=jnp.ones(weight.shape), **options), 1 + want, rtol=1e-12, atol=1e-9
    )


def test_the_law_of_the_weights():
    for law, weight, of in (
        ("uniform", [1.0, 3.0], scipy.stats.uniform(1, 2)),
        ("normal", [5.0, 0.5], scipy.stats.norm(5, 0.5)),
    ):
        d = np.asarray(npt.ops.jit_dense(jnp.asarray(weight), 9, (200, 500), p=0.3, law=law))
        ones = np.asarray(npt.ops.jit_dense(jnp.ones(()), 9, (200, 500), p=0.3))
        np.testing.assert_array_equal(d != 0, ones != 0)  # whether there is an edge doesn't depend on the weights
        assert scipy.stats.kstest(d[d != 0], of.cdf).pvalue > 1e-3


def test_float32_has_the_same_edges(impl):
    for law, weight in LAWS.items():
        x = jnp.asarray(np.random.default_rng(0).random(50) < 0.5)
        got = [
            npt.ops.jit_matvec(jnp.asarray(weight, dtype), x, 5, p=0.1, law=law, acc=jnp.zeros(600, dtype), impl=impl)
            for dtype in (np.float32, np.float64)
        ]
        np.testing.assert_allclose(*got, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("law", "impl"), [*((law, "taichi") for law in LAWS), ("uniform", "reference")], indirect=["impl"]
)
def test_a_piece_is_a_piece_of_the_whole(law, impl):
    """Split anywhere, at the ends of blocks and within them, by rows and by columns."""
    weight, options = jnp.asarray(LAWS[law]), dict(p=0.1, law=law, include_self=False)
    whole = np.asarray(npt.ops.jit_dense(weight, 5, (60, 1000), **options))
    pieces = [
        (20, 10, 30, 300),
        (10, 300, 40, 500),
        (17, 256, 20, 512),
        (3, 255, 1, 2),
        (59, 999, 1, 1),
        (0, 0, 60, 1000),
    ]
    for row, col, n, m in pieces[:1] if impl == "reference" else pieces:
        x, y = np.arange(1.0, n + 1), np.arange(1.0, m + 1)
        where = options | dict(row_offset=jnp.asarray(row), col_offset=col, impl=impl)
        d = whole[row : row + n, col : col + m]
        got = npt.ops.jit_matvec(weight, x, 5, acc=jnp.zeros(m), **where)
        np.testing.assert_allclose(got, x @ d, rtol=1e-13, atol=1e-12)
        got = npt.ops.jit_transposed_matvec(weight, y, 5, acc=jnp.zeros(n), **where)
        np.testing.assert_allclose(got, d @ y, rtol=1e-13, atol=1e-12)


def test_zero_events_meet_no_weight(impl):
    of = dict(p=0.5, impl=impl)
    inf = jnp.asarray(np.inf)
    for zero in (0.0, -0.0):
        np.testing.assert_array_equal(npt.ops.jit_matvec(inf, jnp.full(9, zero), 1, acc=jnp.ones(7), **of), np.ones(7))
        got = npt.ops.jit_transposed_matvec(inf, jnp.full(7, zero), 1, acc=jnp.ones(9), **of)
        np.testing.assert_array_equal(got, np.ones(9))
        got = npt.ops.jit_outer(jnp.full(9, zero), jnp.full(7, jnp.inf), 1, acc=jnp.ones(()), **of)
        assert got == 1
    assert np.isnan(npt.ops.jit_matvec(jnp.ones(()), jnp.full(9, jnp.nan), 1, acc=jnp.ones(7), **of)).any()


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_sizes_zero_and_one(n, m, impl):
    of = dict(p=1, impl=impl)
    np.testing.assert_array_equal(
        npt.ops.jit_matvec(jnp.ones(()), jnp.ones(n), 1, acc=jnp.zeros(m), **of), np.full(m, n)
    )
    got = npt.ops.jit_transposed_matvec(jnp.ones(()), jnp.ones(m), 1, acc=jnp.zeros(n), **of)
    np.testing.assert_array_equal(got, np.full(n, m))
    assert npt.ops.jit_outer(jnp.ones(n), jnp.ones(m), 1, acc=jnp.zeros(()), **of) == n * m
    assert npt.ops.jit_dense(jnp.ones(()), 1, (n, m), p=1).shape == (n, m)


def test_seeds_trace_and_batch():
    x = jnp.ones(30, bool)

    def f(seed):
        return npt.ops.jit_matvec(jnp.ones(()), x, seed, p=0.2, acc=jnp.zeros(40))

    each = jax.vmap(f)(jnp.arange(4))
    for s in range(4):
        np.testing.assert_array_equal(each[s], f(s))
        np.testing.assert_array_equal(each[s], jax.jit(f)(s))
    assert len({row.tobytes() for row in np.asarray(each)}) == 4


def test_large_work_in_parts_gives_the_same_bits(impl):
    """Beyond the budget of one call, so that the rest is done in parts, over many blocks of columns."""
    rng = np.random.default_rng(0)
    n, m = 600, 9000
    x, y = rng.integers(0, 3, n).astype(float), rng.integers(0, 2, m).astype(float)
    d = np.asarray(npt.ops.jit_dense(jnp.ones(()), 2, (n, m), p=0.05))
    of = dict(p=0.05, impl=impl)
    np.testing.assert_array_equal(npt.ops.jit_matvec(jnp.ones(()), x, 2, acc=jnp.zeros(m), **of), x @ d)
    np.testing.assert_array_equal(npt.ops.jit_transposed_matvec(jnp.ones(()), y, 2, acc=jnp.zeros(n), **of), d @ y)
    xs = np.stack([x, 0 * x, 2 * x], 1)
    np.testing.assert_array_equal(npt.ops.jit_matmat(jnp.ones(()), xs, 2, acc=jnp.zeros((m, 3)), **of), d.T @ xs)
    np.testing.assert_array_equal(npt.ops.jit_outer(x, y, 2, acc=jnp.ones(()), **of), 1 + x @ d @ y)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (dict(p=1.5), ValueError, "p is 1.5; expected a probability"),
        (dict(law="gamma"), ValueError, "law is 'gamma'"),
        (dict(law="normal"), ValueError, r"weight has shape \(\); expected \(2,\) for law='normal'"),
        (dict(weight=jnp.ones((), jnp.float32)), TypeError, "weight is float32 and acc float64"),
        (dict(acc=jnp.ones(9, jnp.int32)), TypeError, "acc is int32; it must be floating"),
        (dict(seed=0.5), TypeError, "seed is float64; expected integers"),
        (dict(seed=2**32), ValueError, "seed is 4294967296"),
        (dict(seed=jnp.arange(2)), ValueError, r"seed has shape \(2,\)"),
        (dict(x=jnp.ones((2, 12))), ValueError, "jax.vmap adds batch dimensions"),
        (dict(impl="numba"), ValueError, "impl is 'numba'"),
        (dict(col_offset=2**30 - 9), ValueError, r"the matrix has 1073741824 columns; expected fewer than 2\^30"),
    ],
)
def test_operands_that_do_not_fit_are_named(change, error, match):
    operands = dict(weight=jnp.ones(()), x=jnp.ones(12), seed=1, p=0.1, acc=jnp.ones(9)) | change
    with pytest.raises(error, match=match):
        npt.ops.jit_matvec(**operands)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: npt.connect.JIT(1.0, 1, in_size=2, out_size=2**30, p=0.1), ValueError, "has 1073741824 columns"),
        (
            lambda: npt.connect.JIT(jnp.asarray(1j), 1, in_size=2, out_size=2, p=0.1),
            TypeError,
            "weight has dtype complex",
        ),
        (lambda: npt.connect.JIT(1.0, 1, in_size=2, out_size=2, p=np.float32(0.1)), ValueError, "as a Python number"),
        (
            lambda: npt.connect.JIT(1.0, 1, in_size=2, out_size=2, p=0.1)(jnp.ones(3)),
            ValueError,
            r"x has shape \(3,\); expected shape \(2,\)",
        ),
        (lambda: npt.ops.jit_dense(jnp.ones(()), 1, (2, 2**30), p=0.1), ValueError, "has 1073741824 columns"),
        (
            lambda: npt.ops.jit_outer(jnp.ones(2), jnp.ones(2), 1, p=0.1, acc=jnp.ones(2)),
            ValueError,
            r"acc has shape \(2,\); expected \(\) for law='constant'",
        ),
    ],
)
def test_what_a_connectivity_cannot_be_is_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_edges_are_counted_exactly_beyond_what_float32_counts():
    if npt.ops.implementation() == "reference":
        pytest.skip("takes long without kernels")
    n = 2**24 + 100
    assert npt.connect.JIT(1.0, 3, in_size=2, out_size=n, p=1.0, include_self=False).nnz == 2 * n - 2


SHARDED = """
import functools, sys
import jax, jax.numpy as jnp, numpy as np
import neuropytree as npt
from jax.sharding import Mesh, PartitionSpec as P

mesh = Mesh(np.array(jax.devices()).reshape(8), ("d",))
n, m = 64, 2400
x = jnp.asarray(np.random.default_rng(0).integers(0, 2, n).astype(bool))
weight = jnp.array([1.0, 3.0])
for impl in ("auto", "reference"):
    options = dict(p=0.05, law="uniform", include_self=False, impl=impl)
    whole = npt.ops.jit_matvec(weight, x, 7, acc=jnp.zeros(m), **options)

    def by_columns(w, x):
        offset = jax.lax.axis_index("d") * (m // 8)
        return npt.ops.jit_matvec(w, x, 7, acc=jnp.zeros(m // 8), col_offset=offset, **options)

    def by_rows(w, x):
        offset = jax.lax.axis_index("d") * (n // 8)
        return jax.lax.psum(npt.ops.jit_matvec(w, x, 7, acc=jnp.zeros(m), row_offset=offset, **options), "d")

    def back(w, y):
        offset = jax.lax.axis_index("d") * (n // 8)
        return npt.ops.jit_transposed_matvec(w, y, 7, acc=jnp.zeros(n // 8), row_offset=offset, **options)

    shard = functools.partial(jax.shard_map, mesh=mesh)
    columns = jax.jit(shard(by_columns, in_specs=(P(), P()), out_specs=P("d")))(weight, x)
    rows = jax.jit(shard(by_rows, in_specs=(P(), P("d")), out_specs=P()))(weight, x)
    y = jnp.arange(float(m))
    transposed = jax.jit(shard(back, in_specs=(P(), P()), out_specs=P("d")))(weight, y)
    np.testing.assert_array_equal(columns, whole)
    np.testing.assert_allclose(rows, whole, rtol=1e-6)
    np.testing.assert_allclose(
        transposed, npt.ops.jit_transposed_matvec(weight, y, 7, acc=jnp.zeros(n), **options), rtol=1e-5
    )
    grad = jax.grad(lambda w: jnp.sum(shard(by_columns, in_specs=(P(), P()), out_specs=P("d"))(w, x) ** 2))(weight)
    want = jax.grad(lambda w: jnp.sum(npt.ops.jit_matvec(w, x, 7, acc=jnp.zeros(m), **options) ** 2))(weight)
    np.testing.assert_allclose(grad, want, rtol=1e-5)
print("same")
"""


def test_sharded_over_eight_devices():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == "same", run.stderr[-3000:]
