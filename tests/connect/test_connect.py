"""Wiring: the laws of the rules, the operators, what is refused."""

import re
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
import scipy.stats

import neuropytree as npt
from neuropytree.connect import CSR, AllToAll, FixedProb, from_coo, from_scipy
from neuropytree.testing import connector_bank


@pytest.mark.parametrize("p", [1e-5, 0.02, 0.5, 0.9])
def test_fixed_prob_is_bernoulli(p):
    """Degrees are binomial, gaps geometric, and no pair stands twice."""
    n = 2000 if p < 0.1 else 300
    w = FixedProb(p)(n, n, key=jax.random.key(3))
    rows, cols = w.edges()
    flat = rows.astype(np.int64) * n + cols
    assert len(flat) == w.nnz and (np.diff(flat) > 0).all()
    mean, sd = n * n * p, np.sqrt(n * n * p * (1 - p))
    assert abs(w.nnz - mean) < 4 * sd
    if p > 1e-3:
        for degrees in (np.bincount(rows, minlength=n), np.bincount(cols, minlength=n)):
            # variance of the variance of n binomial samples is about 2 / n
            assert abs(degrees.var() / (n * p * (1 - p)) - 1) < 5 * np.sqrt(2 / n)
    if p < 0.1 and w.nnz > 1000:
        gaps = np.diff(flat)
        spread = gaps - 1 + np.random.default_rng(0).random(len(gaps))  # uniform within its integer: continuous

        def cdf(x):
            below = 1 - (1 - p) ** np.floor(x)
            return below + (x - np.floor(x)) * p * (1 - p) ** np.floor(x)

        assert scipy.stats.kstest(spread, cdf).pvalue > 1e-3


@pytest.mark.parametrize("p", [0, 1, 0.0, 1.0])
def test_fixed_prob_at_the_ends(p):
    np.testing.assert_array_equal(FixedProb(p)(7, 5, key=jax.random.key(0)).to_dense(), np.full((7, 5), float(p)))


def test_fixed_prob_without_self_connections():
    w = FixedProb(0.5, include_self=False)(50, 50, key=jax.random.key(0))
    assert not np.diag(w.to_dense()).any() and abs(w.nnz - 1225) < 4 * 25


def test_fixed_prob_has_room_only_where_the_weight_is_shared():
    drawn = FixedProb(0.1)(50, 60, weight=npt.init.Normal(), key=jax.random.key(0))
    assert drawn.weight.shape == drawn.indices.shape == (drawn.nnz,)
    assert drawn.outer(jnp.ones(50), jnp.ones(60)).shape == (drawn.nnz,)
    shared = FixedProb(0.1)(50, 60, weight=0.5, key=jax.random.key(0))
    assert shared.nnz == drawn.nnz < shared.indices.shape[0]
    np.testing.assert_array_equal(shared.edges()[1], drawn.indices)
    again = FixedProb(0.1)(50, 60, weight=np.arange(float(drawn.nnz)), key=jax.random.key(0))
    np.testing.assert_array_equal(again.weight, np.arange(drawn.nnz))


def test_fixed_prob_depends_on_the_key_alone():
    a, b, c = (FixedProb(0.1)(50, 60, key=jax.random.key(k)) for k in (0, 0, 1))
    np.testing.assert_array_equal(a.indices, b.indices)
    assert a.indices.shape == c.indices.shape and not np.array_equal(a.indices, c.indices)
    old = FixedProb(0.1)(50, 60, key=jax.random.PRNGKey(0))
    np.testing.assert_array_equal(a.indices, old.indices)


BUILD = """
import resource, jax, neuropytree as npt
key = jax.random.key(0)
jax.block_until_ready(npt.connect.FixedProb(0.5)(10, 10, key=key).indices)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
w = npt.connect.FixedProb(80 / 40_000)(40_000, 40_000, weight=0.6, key=key)
jax.block_until_ready(w.indices)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(w.nnz, grown / 1024)
"""


def test_building_a_large_matrix_never_makes_it_dense():
    out = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True).stdout.split()
    nnz, megabytes = int(out[0]), float(out[1])
    assert abs(nnz - 3_200_000) < 4 * 1790
    # dense it would be 1.5 GB as booleans; the edges are 13 MB
    assert megabytes < 150


WEIGHTS = {"shared": 0.5, "normal": npt.init.Normal(0.0, 1.0), "uniform": npt.init.Uniform()}
WEIGHTS |= {"constant": npt.init.Constant(2.0)}
WIRINGS = {  # one that is made just in time has no weight for each edge
    f"{name}-{kind}": (rule, weight)
    for name, rule in connector_bank().items()
    for kind, weight in WEIGHTS.items()
    if not (isinstance(rule, npt.connect.JITFixedProb) and kind == "constant")
}


@pytest.mark.parametrize(("rule", "weight"), WIRINGS.values(), ids=WIRINGS)
def test_every_connectivity_is_its_matrix(rule, weight, impl):
    w = rule(23, 23, weight=weight, key=jax.random.key(0))
    m = np.asarray(w.to_dense())
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=23)), jnp.asarray(rng.normal(size=23))
    np.testing.assert_allclose(w(x, impl=impl), x @ m, atol=1e-12)
    np.testing.assert_allclose(w(x, y, impl=impl), y + x @ m, atol=1e-12)
    np.testing.assert_allclose(w.transpose(x, y, impl=impl), y + m @ x, atol=1e-12)
    boolean = np.asarray(x) > 0
    np.testing.assert_allclose(w(jnp.asarray(boolean), impl=impl), boolean @ m, atol=1e-12)
    np.testing.assert_allclose(w.transpose(jnp.asarray(boolean), impl=impl), m @ boolean, atol=1e-12)
    assert w.nnz == np.count_nonzero(m)
    assert (w.weight.ndim == 0) == isinstance(weight, float)
    grad = jax.grad(lambda v: jnp.sum(jnp.sin(w(v, impl=impl))))(x)
    np.testing.assert_allclose(grad, m @ np.cos(np.asarray(x) @ m), atol=1e-12)
    # the outer product against the derivative with respect to the weight
    outer = w.outer(x, y, impl=impl)
    want = jax.grad(lambda v: x @ eqx.tree_at(lambda w: w.weight, w, v).to_dense() @ y)(w.weight)
    assert float(outer.sum()) == pytest.approx(float(want.sum()), abs=1e-10)


def test_rectangular_all_to_all_without_self():
    for n_in, n_out in ((3, 5), (5, 3)):
        w = AllToAll(include_self=False)(n_in, n_out, weight=2.0)
        m = 2.0 * ~np.eye(n_in, n_out, dtype=bool)
        x, y = np.arange(1.0, n_in + 1), np.arange(1.0, n_out + 1)
        np.testing.assert_allclose(w(jnp.asarray(x)), x @ m)
        np.testing.assert_allclose(w.transpose(jnp.asarray(y)), m @ y)
        np.testing.assert_array_equal(w.to_dense(), m)


def test_from_coo_sorts_and_keeps_duplicates():
    pre, post, weight = [1, 0, 1, 0, 1], [2, 1, 0, 1, 2], [1.0, 2.0, 3.0, 4.0, 5.0]
    w = from_coo(pre, post, weight=weight, in_size=2, out_size=3)
    assert w.nnz == 5
    np.testing.assert_array_equal(w.indices, [1, 1, 0, 2, 2])
    np.testing.assert_array_equal(w.indptr, [0, 2, 5])
    np.testing.assert_array_equal(w.weight, [2.0, 4.0, 3.0, 1.0, 5.0])
    np.testing.assert_array_equal(w.to_dense(), [[0, 6, 0], [3, 0, 6]])
    np.testing.assert_array_equal(w(jnp.asarray([True, True])), [3, 6, 6])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "bsr"])
def test_from_scipy(form):
    m = scipy.sparse.random(20, 30, density=0.2, random_state=0, format=form)
    np.testing.assert_array_equal(from_scipy(m).to_dense(), m.toarray())
    shared = from_scipy(scipy.sparse.coo_array(m), weight=0.25)
    assert shared.weight.shape == ()
    np.testing.assert_array_equal(shared.to_dense(), 0.25 * (m.toarray() != 0))
    integers = from_scipy(scipy.sparse.coo_array(np.eye(3, dtype=int)))
    np.testing.assert_array_equal(integers.to_dense(), np.eye(3))


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (dict(indices=[0, 3], indptr=[0, 2]), ValueError, r"indices\[1\] is 3; expected 0 to out_size - 1 = 2"),
        (dict(indices=[0, -1], indptr=[0, 2]), ValueError, r"indices\[1\] is -1"),
        (dict(indices=[2, 0], indptr=[0, 2]), ValueError, r"indices\[1\] is 0 after 2 in the same row"),
        (dict(indices=[0, 1], indptr=[0, 3]), ValueError, "indptr ends at 3, but there are 2 indices"),
        (dict(indices=[0, 1], indptr=[0, 2, 1], in_size=2), ValueError, "indptr falls from 2 to 1 at entry 2"),
        (dict(indices=[0, 1], indptr=[1, 2]), ValueError, r"indptr\[0\] is 1"),
        (dict(indices=[0, 1], indptr=[0, 1, 2]), ValueError, r"indptr has length 3; expected in_size \+ 1 = 2"),
        (dict(indices=[0.5, 1.0], indptr=[0, 2]), TypeError, "indices is float64; expected integers"),
        (dict(indices=[[0]], indptr=[0, 1]), ValueError, "indices has 2 dimensions"),
        (dict(indices=[0, 1], indptr=[0, 2], weight=[1.0, 2.0, 3.0]), ValueError, r"weight has shape \(3,\)"),
        (dict(indices=[0], indptr=[0, 1], out_size=2**31), ValueError, "out_size is 2147483648"),
    ],
)
def test_bad_arrays_are_named_by_entry(arguments, error, match):
    with pytest.raises(error, match=match):
        CSR(**(dict(in_size=1, out_size=3) | arguments))


def test_rows_may_begin_lower_than_the_last_ended():
    w = CSR([1, 2, 0, 1], [0, 2, 2, 4], in_size=3, out_size=3)
    np.testing.assert_array_equal(w.to_dense(), [[0, 1, 1], [0, 0, 0], [1, 1, 0]])


def test_other_mistakes_are_named():
    with pytest.raises(ValueError, match=r"pre\[1\] is 5; expected 0 to 1"):
        from_coo([0, 5], [0, 0], in_size=2, out_size=3)
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        from_coo([0, 1], [0], in_size=2, out_size=3)
    with pytest.raises(TypeError, match="matrix is a ndarray"):
        from_scipy(np.eye(3))
    with pytest.raises(ValueError, match="p=1.5; expected a probability"):
        FixedProb(1.5)
    with pytest.raises(ValueError, match="at most 2.31 - 1 fit"):
        FixedProb(0.5)(100_000, 100_000, key=jax.random.key(0))
    with pytest.raises(ValueError, match="make the connectivity outside jax.jit"):
        jax.jit(lambda pre: from_coo(pre, [0, 1], in_size=2, out_size=3).weight)(jnp.arange(2))
    with pytest.raises(ValueError, match=r"x has shape \(4,\); expected shape \(3,\)"):
        AllToAll()(3, 3)(jnp.ones(4))


def test_vmap_over_the_weight_leaf(impl):
    w = FixedProb(0.4)(12, 9, key=jax.random.key(0))
    x = jnp.ones(12)
    import equinox as eqx

    got = jax.vmap(lambda s: eqx.tree_at(lambda c: c.weight, w, s)(x, impl=impl))(jnp.arange(3.0))
    np.testing.assert_allclose(got, np.arange(3.0)[:, None] * np.asarray(w(x)), atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("view", [True, False])
def test_transposed_is_a_connectivity_of_its_own(shared, view):
    rng = np.random.default_rng(3)
    matrix = rng.random((7, 5)) * (rng.random((7, 5)) < 0.4)
    matrix[2] = 0
    rows, cols = np.nonzero(matrix)
    rows, cols = np.append(rows, rows[:3]), np.append(cols, cols[:3])  # some edges stand twice
    weight = 0.5 if shared else jnp.asarray(rng.normal(size=len(rows)))
    w = npt.connect.from_coo(rows, cols, weight=weight, in_size=7, out_size=5)
    # room behind the edges
    w = npt.connect.CSR(
        np.append(w.indices, [0, 0]), w.indptr, weight=w.weight if shared else jnp.append(w.weight, jnp.ones(2) * 9),
        in_size=7, out_size=5,
    )  # fmt: skip
    t = (w.with_csc() if view else w).transposed()
    assert (t.in_size, t.out_size, t.nnz, t.csc, t.weight.ndim) == (5, 7, w.nnz, None, w.weight.ndim)
    np.testing.assert_array_equal(t.to_dense(), w.to_dense().T)
    np.testing.assert_array_equal(t.transposed().to_dense(), w.to_dense())
    x, y = jnp.asarray(rng.normal(size=7)), jnp.asarray(rng.random(5) < 0.5)
    np.testing.assert_allclose(t(y), w.transpose(y), rtol=1e-12)
    np.testing.assert_allclose(t.transpose(x), w(x), rtol=1e-12)
    slope = jax.jit(jax.grad(lambda s: jnp.vdot(x, eqx.tree_at(lambda w: w.weight, w, s).transposed()(y))))(w.weight)
    want = jax.grad(lambda s: jnp.vdot(x, eqx.tree_at(lambda w: w.weight, w, s).transpose(y)))(w.weight)
    np.testing.assert_allclose(slope, want, rtol=1e-12)
    with pytest.raises(ValueError, match="make the connectivity outside"):
        jax.jit(lambda w: w.transposed())(w)


def test_transposed_of_nothing():
    for n, m in ((0, 0), (0, 3), (3, 0), (2, 3)):
        t = npt.connect.CSR(np.zeros(0, int), np.zeros(n + 1, int), in_size=n, out_size=m).transposed()
        assert (t.in_size, t.out_size, t.nnz) == (m, n, 0)


def test_entries_of_edges_lie_in_large_pages():
    """Where the system takes NumPy's wish for them: in the flags of the memory, `hg`."""

    def wishes(address):
        maps, inside = Path("/proc/self/smaps"), False
        for line in maps.read_text().splitlines() if maps.exists() else ():
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                inside = int(found[1], 16) <= address < int(found[2], 16)
            elif inside and line.startswith("VmFlags"):
                return "hg" in line.split()
        return False

    n = 1 << 22
    plain = np.empty(n, np.int32)
    if not wishes(plain.ctypes.data + plain.nbytes // 2):
        pytest.skip("NumPy doesn't ask this system for large pages")
    w = npt.connect.CSR(np.arange(n) % 1024, [0, *range(1024, n + 1, 1024)], in_size=n // 1024, out_size=1024)
    given = npt.connect.CSR(w.indices, w.indptr, weight=np.ones(n), in_size=w.in_size, out_size=1024)
    drawn = npt.connect.CSR(
        w.indices, w.indptr, weight=npt.init.Uniform(0.0, 1.0), in_size=w.in_size, out_size=1024, key=jax.random.key(0)
    )
    for array in (w.indices, w.with_csc().csc[0], given.weight, drawn.weight):
        assert wishes(array.unsafe_buffer_pointer() + array.nbytes // 2)
    raised = jax.jit(lambda w: w + 1, donate_argnums=0)(given.weight)  # and can be given away
    assert given.weight.is_deleted() and float(raised.sum()) == 2 * n


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("rule", [*connector_bank().values(), "block"], ids=[*connector_bank(), "block"])
def test_operands_of_another_size_are_named(rule, shared):
    """The operators read and write wherever an index says, so it is here that a size is known to be wrong."""
    weight = 0.5 if shared else npt.init.Normal()
    if rule == "block":
        w = npt.connect.Block([1, 0], [0, 1, 2], weight=0.5, block=(3, 3), in_size=6, out_size=6)
    else:
        w = rule(6, 6, weight=weight, key=jax.random.key(0))
    right = jnp.ones(6)
    for shape in ((3,), (9,), (1,), (), (2, 6)):
        wrong = jnp.ones(shape)
        for name, call in (
            ("x", lambda z: w(z)),
            ("y", lambda z: w.transpose(z)),
            ("acc", lambda z: w(right, z)),
            ("acc", lambda z: w.transpose(right, z)),
            ("pre", lambda z: w.outer(z, right)),
            ("post", lambda z: w.outer(right, z)),
        ):
            with pytest.raises(ValueError, match=rf"^{name} has shape {re.escape(str(shape))}; expected .*6"):
                call(wrong)
    for call in (lambda z: w(z), lambda z: w(right, z), lambda z: w.transpose(right, z)):
        with pytest.raises(TypeError, match=r"(x|acc|weight).* is? ?float(64|32)"):
            call(right.astype(jnp.float32))


def test_all_to_all_without_self_never_subtracts_the_largest(impl):
    w = AllToAll(include_self=False)(3, 5, weight=2.0)
    for large in (1e20, np.inf, np.nan, -np.inf):
        x = np.asarray([1.0, large, 2.0])
        np.testing.assert_array_equal(w(jnp.asarray(x), impl=impl), 2 * np.r_[large, 3, large, large, large])
    np.testing.assert_array_equal(w.transpose(jnp.asarray([1, 2, 1e20, 0, 0]), impl=impl), [2e20, 2e20, 6])
    np.testing.assert_array_equal(w.transpose(jnp.asarray([1, 2, 3, 0, 1e20]), impl=impl), np.full(3, 2e20))
    slope = jax.jacfwd(jax.grad(lambda x: jnp.sum(jnp.sin(w(x, impl=impl)))))(jnp.asarray([0.1, 0.3, 0.2]))
    m = 2.0 * ~np.eye(3, 5, dtype=bool)
    np.testing.assert_allclose(slope, -m @ np.diag(np.sin([0.1, 0.3, 0.2] @ m)) @ m.T, atol=1e-12)


def test_the_matrix_of_a_traced_connectivity():
    w = FixedProb(0.3)(6, 4, weight=0.5, key=jax.random.key(0))
    np.testing.assert_array_equal(eqx.filter_jit(lambda w: w.to_dense())(w), w.to_dense())
    parts = jax.vmap(lambda part: part.to_dense())(w.split_rows(2))
    np.testing.assert_array_equal(parts.reshape(6, 4), w.to_dense())
    for n, m in ((0, 3), (3, 0), (0, 0)):
        assert FixedProb(0.3)(n, m, key=jax.random.key(0)).to_dense().shape == (n, m)


def test_weights_that_are_no_real_numbers_are_refused():
    matrix = scipy.sparse.coo_array(np.eye(2) * 1j)
    for make in (
        lambda: from_scipy(matrix),
        lambda: npt.connect.from_bsr(matrix.tobsr()),
        lambda: CSR([0], [0, 1], weight=jnp.ones(1, complex), in_size=1, out_size=1),
        lambda: AllToAll()(2, 2, weight=1j),
    ):
        with pytest.raises(TypeError, match="weight has dtype complex128; expected real numbers"):
            make()


def test_sizes_of_numpy_do_not_overflow():
    n = np.int32(50_000)
    w = FixedProb(1e-7)(n, n, key=jax.random.key(0))
    assert abs(w.nnz - 250) < 5 * 16 and w.edges()[0].max() > 2**31 // 50_000  # beyond where int32 ends
