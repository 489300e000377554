"""The dense, block and COO operators against NumPy's dense product and SciPy."""

import functools
import itertools

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt

from ..helpers import DenseForm

FAMILIES = ["dense", "bsr", "coo", "coo shared"]
OPERATIONS = ["matvec", "transposed", "outer"]
MATMATS = ["matmat", "transposed_matmat", "outer_matmat"]
# sums of at most some dozens of terms, in another order than the dense product
TOLERANCE = {np.float64: dict(rtol=1e-12, atol=1e-12), np.float32: dict(rtol=2e-5, atol=2e-5)}


class Case:
    """A random matrix in one of the formats, its operators as functions of (entries, x), and the same when dense."""

    def __init__(self, family, impl, n_in=12, n_out=9, dtype=np.float64, seed=0, fill=0.4):
        self.rng = rng = np.random.default_rng(seed)
        self.family, self.impl, self.n_in, self.n_out, self.dtype = family, impl, n_in, n_out, dtype
        if family == "dense":
            self.prefix, self.where, self.shape, rows, cols = "dense", (), (n_in, n_out), *np.indices((n_in, n_out))
            self.edge = np.ones((n_in, n_out), bool)
        elif family == "bsr":
            h, v = (3 if n_in % 3 == 0 else 1), (3 if n_out % 3 == 0 else 1)
            there = rng.random((n_in // h, n_out // v)) < fill
            br, bc = np.nonzero(there)
            shuffled = np.lexsort((rng.random(len(br)), br))  # columns in any order
            br, bc = np.r_[br[shuffled], br[:1]], np.r_[bc[shuffled], bc[:1]]  # and a duplicate
            order = np.argsort(br, kind="stable")
            br, bc = br[order], bc[order]
            room = 2
            indptr = np.searchsorted(br, np.arange(n_in // h + 1))
            indices = np.r_[bc, np.full(room, 2**31 - 1)]
            self.prefix, self.where = "bsr", (jnp.asarray(indices, jnp.int32), jnp.asarray(indptr, jnp.int32))
            self.shape = (len(br) + room, h, v)
            rows = np.r_[br, np.zeros(room, int)][:, None, None] * h + np.arange(h)[:, None] + np.zeros((1, 1, v), int)
            cols = np.r_[bc, np.zeros(room, int)][:, None, None] * v + np.arange(v) + np.zeros((1, h, 1), int)
            self.edge = np.broadcast_to((np.arange(len(br) + room) < len(br))[:, None, None], self.shape)
        else:
            count = int(fill * n_in * n_out) + 1 if n_in and n_out else 0
            rows, cols = rng.integers(0, max(n_in, 1), count), rng.integers(0, max(n_out, 1), count)
            for end, value in ((rows, n_in), (cols, -1), (rows, -5), (cols, 2**31 - 1)):
                if count > 4:
                    end[rng.integers(0, count)] = value  # room anywhere
            self.prefix, self.where = "coo", (jnp.asarray(rows, jnp.int32), jnp.asarray(cols, jnp.int32))
            self.edge = (rows >= 0) & (rows < n_in) & (cols >= 0) & (cols < n_out)
            rows, cols = np.where(self.edge, rows, 0), np.where(self.edge, cols, 0)
            self.shape = (count,)
        self.rows, self.cols = rows, cols
        self.weight_shape = () if family == "coo shared" else self.shape

    def weight(self):
        return jnp.asarray(self.rng.normal(size=self.weight_shape).astype(self.dtype))

    def events(self, *shape, boolean=False, rate=0.6):
        x = self.rng.normal(size=shape) * (self.rng.random(shape) < rate)
        return jnp.asarray(x > 0 if boolean else x.astype(self.dtype))

    def run(self, name, *operands, acc):
        return getattr(npt.ops, f"{self.prefix}_{name}")(*operands, *self.where, acc=acc, impl=self.impl)

    def matvec(self, w, x):
        return self.run("matvec", w, x, acc=jnp.ones(self.n_out, self.dtype))

    def transposed(self, w, y):
        return self.run("transposed_matvec", w, y, acc=jnp.ones(self.n_in, self.dtype))

    def outer(self, p, q):
        return self.run("outer", p, q, acc=jnp.ones(self.shape, self.dtype))

    def matmat(self, w, x):
        return self.run("matmat", w, x, acc=jnp.ones((self.n_out, x.shape[1]), self.dtype))

    def transposed_matmat(self, w, y):
        return self.run("transposed_matmat", w, y, acc=jnp.ones((self.n_in, y.shape[1]), self.dtype))

    def outer_matmat(self, p, q):
        return self.run("outer_matmat", p, q, acc=jnp.ones(self.shape, self.dtype))

    def dense(self, operation):
        """The oracle, for vectors and matrices alike."""
        form = DenseForm(self.rows, self.cols, self.n_in, self.n_out, self.edge)
        return functools.partial(form.of(operation), jnp.ones((), self.dtype))

    def operands(self, operation, *, columns=(), boolean=False):
        n, m = (self.n_in, *columns), (self.n_out, *columns)
        if "outer" in operation:
            return self.events(*n, boolean=boolean), self.events(*m)
        return self.weight(), self.events(*(m if "transposed" in operation else n), boolean=boolean)

    def close(self, got, want):
        jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, **TOLERANCE[self.dtype]), got, want)
        for g in jax.tree.leaves(got):
            assert g.dtype == self.dtype


def every_operation(case, boolean):
    """The operands of each operation on vectors and matrices, and two functions of them all: ours and the oracle."""
    operands = {name: case.operands(name, boolean=boolean) for name in OPERATIONS}
    operands |= {name: case.operands(name, columns=(3,), boolean=boolean) for name in MATMATS}

    def ours(every):
        return {name: getattr(case, name)(*xs) for name, xs in every.items()}

    def dense(every):
        return {name: case.dense(name)(*xs) for name, xs in every.items()}

    return operands, jax.jit(ours), jax.jit(dense)


@pytest.mark.parametrize(
    ("family", "size"),  # blocks without elements are refused
    [(f, s) for f in FAMILIES for s in [(1, 1), (17, 33), (0, 4), (4, 0)] if f != "bsr" or 0 not in s],
)
def test_values(family, size, impl):
    for boolean in (False, True)[: 1 + (size == (17, 33))]:
        case = Case(family, impl, *size, np.float32 if boolean else np.float64)
        operands, ours, dense = every_operation(case, boolean)
        case.close(ours(operands), dense(operands))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_activity_against_scipy(family, impl):
    """Long enough for every path through the scan of the events, and on both sides of where a dot is quicker."""
    case = Case(family, impl, 303, 201, fill=0.1)
    w = case.weight()
    values = np.broadcast_to(w, case.shape)[case.edge]
    rows, cols = (np.asarray(a)[case.edge] for a in (case.rows, case.cols))
    matrix = scipy.sparse.coo_array((values, (rows, cols)), shape=(303, 201)).tocsr()
    matvec, transposed = jax.jit(case.matvec), jax.jit(case.transposed)
    for rate, boolean in itertools.product((0.0, 0.01, 0.3, 1.0), (False, True)):
        x, y = case.events(303, rate=rate, boolean=boolean), case.events(201, rate=rate, boolean=boolean)
        np.testing.assert_allclose(matvec(w, x), 1 + matrix.T @ np.asarray(x, float), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(transposed(w, y), 1 + matrix @ np.asarray(y, float), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", ["bsr", "coo", "csr"])
def test_derivatives_of_a_stack_of_connectivities_at_silent_neurons(family, impl):
    """vmap over the indices: silent neurons have derivatives as well."""
    x, w, stack = jnp.zeros(2), jnp.arange(1.0, 5.0), jnp.asarray([[0, 1, 1, 0], [1, 0, 0, 1]], jnp.int32)
    operator = getattr(npt.ops, f"{family}_matvec")
    second = jnp.asarray([0, 0, 1, 1] if family == "coo" else [0, 2, 4], jnp.int32)
    weight = w[:, None, None] if family == "bsr" else w

    def total(x, i):
        where = (second, i) if family == "coo" else (i, second)
        return jnp.sum(operator(weight, x, *where, acc=jnp.zeros(2), impl=impl) * jnp.asarray([1.0, 10.0]))

    got = jax.grad(lambda x: jnp.sum(jax.vmap(total, (None, 0))(x, stack)))(x)
    np.testing.assert_allclose(got, [(1 + 20) + (10 + 2), (30 + 4) + (3 + 40)])


@pytest.mark.parametrize("zero", [0.0, -0.0, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_zero_event_meets_no_weight(family, zero, impl):
    case = Case(family, impl, 12, 9)
    bad = [jnp.full(case.weight_shape, value) for value in (jnp.inf, jnp.nan)]
    dtype = bool if zero is False else float
    silent_x, silent_y = jnp.full(12, zero, dtype), jnp.full(9, zero, dtype)
    for w in bad:
        np.testing.assert_array_equal(case.matvec(w, silent_x), np.ones(9))
        np.testing.assert_array_equal(case.transposed(w, silent_y), np.ones(12))
        np.testing.assert_array_equal(case.matmat(w, jnp.stack([silent_x] * 2, 1)), np.ones((9, 2)))
        np.testing.assert_array_equal(jax.vmap(lambda x, w=w: case.matvec(w, x))(silent_x[None]), np.ones((1, 9)))
    np.testing.assert_array_equal(case.outer(silent_x, jnp.full(9, jnp.inf)), np.ones(case.shape))
    np.testing.assert_array_equal(case.outer(jnp.full(12, jnp.inf), silent_y), np.ones(case.shape))
    two = [jnp.stack([x] * 2, 1) for x in (silent_x, jnp.full(9, jnp.inf))]
    np.testing.assert_array_equal(case.outer_matmat(*two), np.ones(case.shape))


@pytest.mark.parametrize("family", ["dense", "bsr", "coo"])
def test_infinite_weights_reach_only_the_targets_of_events(family, impl):
    """Every second neuron fires: more than where a dot is quicker, and a dot multiplies zeros too."""
    case = Case(family, impl, 12, 9)
    w = np.ones(case.shape)
    w[case.rows % 3 == 1] = np.inf
    x = jnp.asarray(np.arange(12.0) * (np.arange(12) % 2))
    m = np.zeros((12, 9))
    np.add.at(m, (case.rows[case.edge], case.cols[case.edge]), w[case.edge])
    want = m[1::2].T @ np.arange(1.0, 12, 2)
    want[np.isnan(want)] = np.inf  # 0 times infinity: no edge there
    np.testing.assert_allclose(case.matvec(jnp.asarray(w), x), 1 + want)
    got = case.matmat(jnp.asarray(w), jnp.stack([x, jnp.zeros(12), -x], 1))
    np.testing.assert_allclose(got, 1 + np.stack([want, np.zeros(9), -want], 1))
    assert np.isinf(want).any()
    assert np.isnan(case.matvec(jnp.ones(case.shape), jnp.full(12, jnp.nan))).any()


def test_a_large_dense_product_in_parts_is_the_same_as_at_once():
    """More than the bridge gives to one thread: exact numbers, so that the order makes no difference."""
    rng = np.random.default_rng(0)
    w, x, y = rng.integers(-4, 5, (700, 1100)) / 4.0, rng.integers(-1, 2, 700) * 0.5, rng.integers(-1, 2, 1100) * 0.5
    run = functools.partial(jax.tree.map, np.asarray)
    got = run(npt.ops.dense_matvec(jnp.asarray(w), jnp.asarray(x), acc=jnp.ones(1100), impl="auto"))
    np.testing.assert_array_equal(got, 1 + x @ w)
    if npt.ops.implementation() == "taichi":
        for spikes in (x, x > 0):
            got = npt.ops.dense_matvec(jnp.asarray(w), jnp.asarray(spikes), acc=jnp.ones(1100), impl="taichi")
            np.testing.assert_array_equal(got, 1 + spikes @ w)
            got = npt.ops.dense_outer(jnp.asarray(spikes), jnp.asarray(y), acc=jnp.asarray(w), impl="taichi")
            np.testing.assert_array_equal(got, w + np.outer(spikes, y))
        for spikes in (y, y > 0):
            got = npt.ops.dense_transposed_matvec(jnp.asarray(w), jnp.asarray(spikes), acc=jnp.ones(700), impl="taichi")
            np.testing.assert_array_equal(got, 1 + w @ spikes)


def test_dtypes_without_kernels_take_the_reference():
    for family in FAMILIES[:3]:
        case = Case(family, "auto", dtype=jnp.bfloat16)
        w, x = jnp.ones(case.weight_shape, jnp.bfloat16), jnp.ones(12, bool)
        np.testing.assert_allclose(case.matvec(w, x).astype(float), case.dense("matvec")(w, x).astype(float), rtol=0.02)
        case.impl = "taichi"
        with pytest.raises(ValueError, match="impl='taichi' can't be had"):
            case.matvec(w, x)


ONE = jnp.zeros(3, jnp.int32)
BLOCKS = jnp.asarray([0, 1, 3], jnp.int32)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda o: o.dense_matvec(jnp.ones(3), jnp.ones(3), acc=jnp.ones(3)), ValueError, "weight has shape"),
        (lambda o: o.dense_matvec(jnp.ones((3, 2)), jnp.ones(2), acc=jnp.ones(2)), ValueError, r"x has shape \(2,\)"),
        (lambda o: o.dense_matvec(jnp.ones((3, 2)), jnp.ones(3), acc=jnp.ones(3)), ValueError, r"acc has shape \(3,\)"),
        (lambda o: o.dense_matvec(jnp.ones((3, 2)), jnp.ones((3, 2)), acc=jnp.ones(2)), ValueError, "jax.vmap"),
        (
            lambda o: o.dense_matmat(jnp.ones((3, 2)), jnp.ones((3, 4)), acc=jnp.ones((2, 3))),
            ValueError,
            r"acc has shape \(2, 3\); expected \(2, 4\)",
        ),
        (lambda o: o.dense_outer(jnp.ones(3), jnp.ones(2), acc=jnp.ones(3)), ValueError, "acc has shape"),
        (lambda o: o.dense_outer(jnp.ones(3), jnp.ones(2), acc=jnp.ones((3, 2), int)), TypeError, "acc is int64"),
        (lambda o: o.dense_matvec(jnp.ones((3, 2)), jnp.ones(3), acc=jnp.ones(2), impl="cuda"), ValueError, "impl"),
        (lambda o: o.bsr_matvec(jnp.ones(3), jnp.ones(4), ONE, BLOCKS, acc=jnp.ones(2)), ValueError, "data has shape"),
        (
            lambda o: o.bsr_matvec(jnp.ones((3, 2, 2)), jnp.ones(3), ONE, BLOCKS, acc=jnp.ones(2)),
            ValueError,
            r"x has shape \(3,\); expected \(4\)",
        ),
        (
            lambda o: o.bsr_matvec(jnp.ones((3, 2, 2)), jnp.ones(4), ONE, BLOCKS, acc=jnp.ones(3)),
            ValueError,
            r"acc has shape \(3,\); expected \(a multiple of 2\)",
        ),
        (
            lambda o: o.bsr_matmat(jnp.ones((3, 2, 2)), jnp.ones((4, 2)), ONE, BLOCKS, acc=jnp.ones((2, 3))),
            ValueError,
            "as many columns",
        ),
        (lambda o: o.coo_matvec(1.0, jnp.ones(3), ONE, BLOCKS[:2], acc=jnp.ones(3)), ValueError, "equally long"),
        (lambda o: o.coo_matvec(1.0, jnp.ones(3), ONE, jnp.ones(3), acc=jnp.ones(3)), TypeError, "cols is float64"),
        (lambda o: o.coo_matvec(jnp.ones(2), jnp.ones(3), ONE, ONE, acc=jnp.ones(3)), ValueError, "weight has shape"),
        (lambda o: o.coo_matvec(1.0, jnp.ones((3, 1)), ONE, ONE, acc=jnp.ones(3)), ValueError, "x has shape"),
        (lambda o: o.coo_outer(jnp.ones(3), jnp.ones(3), ONE, ONE, acc=jnp.ones(2)), ValueError, "acc has shape"),
    ],
)
def test_operands_that_do_not_fit_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call(npt.ops)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_nothing(family, impl):
    case = Case(family, impl, 12, 9)
    w, none = case.weight(), jnp.zeros((0, 12))
    assert jax.vmap(lambda x: case.matvec(w, x))(none).shape == (0, 9)
    slope = jax.grad(lambda w: jnp.sum(jax.vmap(lambda x: case.matvec(w, x))(none)))(w)
    np.testing.assert_array_equal(slope, np.zeros(w.shape))


@pytest.mark.parametrize("family", FAMILIES)
def test_without_jit(family, impl):
    case = Case(family, impl, 12, 9)
    w, x = case.weight(), case.events(12)
    want = jax.value_and_grad(lambda w: jnp.sum(case.matvec(w, x)))(w)
    with jax.disable_jit():
        got = jax.value_and_grad(lambda w: jnp.sum(case.matvec(w, x)))(w)
    jax.tree.map(np.testing.assert_allclose, got, want)


@pytest.mark.parametrize("family", [*FAMILIES, "csr", "jit"])
def test_batches_that_take_different_branches(family, impl):
    """JAX runs the branch that an item does not take on zeros, index arrays among them, and drops what comes out."""
    case = Case("coo" if family in ("csr", "jit") else family, impl, 12, 9)
    matvec, w, x = case.matvec, case.weight(), case.events(12)
    if family == "csr":
        indices, indptr, order = npt.ops.coo_to_csr(*case.where, n_rows=12)
        indices = jnp.clip(indices, 0, 8)
        matvec = lambda w, x: npt.ops.csr_matvec(w[order], x, indices, indptr, acc=jnp.ones(9), impl=impl)  # noqa: E731
    if family == "jit":
        matvec = lambda w, x: npt.ops.jit_matvec(w[0], x, 3, p=0.3, acc=jnp.ones(9), impl=impl)  # noqa: E731

    def loss(w, x, there):
        product = lambda w: jnp.stack([matvec(w, x), matvec(-w, x)], 1)  # noqa: E731
        return jnp.sum(jnp.sin(jax.lax.cond(there, product, lambda w: jnp.ones((9, 2)), w)))

    slope = jax.jit(jax.grad(loss, (0, 1)))
    got = jax.jit(jax.vmap(slope, (None, None, 0)))(w, x, jnp.asarray([True, False, True]))
    for part, want in zip(got, slope(w, x, True), strict=True):
        np.testing.assert_allclose(part[0], want, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(part[0], part[2])
        assert not part[1].any() and want.any()


@pytest.mark.parametrize("family", ["csr", *FAMILIES, "jit"])
def test_an_export_for_batches_of_any_size(family):
    """Which runs the reference: the kernel, and how its work is shared, depend on the size."""
    if family == "jit":
        matvec = functools.partial(npt.ops.jit_matvec, seed=3, p=0.4, acc=jnp.ones(9))
        w, n_in = jnp.asarray(0.5), 12
    elif family == "csr":
        indices, indptr = jnp.arange(12, dtype=jnp.int32) % 9, jnp.arange(13, dtype=jnp.int32)
        w, n_in = jnp.linspace(-1, 1, 12), 12
        matvec = lambda w, x: npt.ops.csr_matvec(w, x, indices, indptr, acc=jnp.ones(9))  # noqa: E731
    else:
        case = Case(family, "auto")
        matvec, w, n_in = case.matvec, case.weight(), case.n_in
    function = jax.vmap(jax.value_and_grad(lambda w, x: jnp.sum(jnp.sin(matvec(w, x)))), (None, 0))
    (size,) = jax.export.symbolic_shape("b")
    shapes = jax.ShapeDtypeStruct(w.shape, w.dtype), jax.ShapeDtypeStruct((size, n_in), w.dtype)
    exported = jax.export.export(jax.jit(function))(*shapes)
    for n in (1, 4):
        x = jnp.asarray(np.random.default_rng(n).normal(size=(n, n_in)))
        for got, want in zip(exported.call(w, x), function(w, x), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)
