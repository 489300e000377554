"""The CSR operators under every transformation, against the dense matrix."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt
from neuropytree.ops._ffi import make_operator
from neuropytree.testing import check_op

from ..helpers import DenseForm, random_csr

SIZES = [(12, 9, 40), (1, 1, 1), (1, 5, 3), (9, 1, 6), (17, 33, 0), (0, 4, 0), (4, 0, 0), (33, 40, 200)]
# sums of at most some dozens of terms, in another order than the dense product
TOLERANCE = {np.float64: dict(rtol=1e-12, atol=1e-12), np.float32: dict(rtol=1e-5, atol=1e-5)}


class Case:
    """A random connectivity, its operators as functions of (weight, x), and the same through the dense matrix."""

    def __init__(self, n_in, n_out, nnz, impl, dtype=np.float64, shared=False, room=3, seed=0):
        self.rng = np.random.default_rng(seed)
        self.n_in, self.n_out, self.impl, self.dtype, self.shared = n_in, n_out, impl, dtype, shared
        indices, indptr = random_csr(self.rng, n_in, n_out, nnz, room)
        self.nnz, self.room = int(indptr[-1]), len(indices)
        self.indices, self.indptr = jnp.asarray(indices), jnp.asarray(indptr)
        self.rows = np.repeat(np.arange(n_in), np.diff(indptr))
        self.cols = indices[: self.nnz]
        rows = np.append(self.rows, np.zeros(self.room - self.nnz, int))
        self.form = DenseForm(rows, indices, n_in, n_out, np.arange(self.room) < self.nnz)

    def weight(self, *batch):
        shape = batch if self.shared else (*batch, self.room)
        return jnp.asarray(self.rng.normal(size=shape).astype(self.dtype))

    def events(self, n, *batch, boolean=False):
        """A third of them zero."""
        x = self.rng.normal(size=(*batch, n)) * (self.rng.random((*batch, n)) < 0.67)
        return jnp.asarray(x > 0.3 if boolean else x.astype(self.dtype))

    def matvec(self, w, x):
        acc = jnp.ones(self.n_out, self.dtype)
        return npt.ops.csr_matvec(w, x, self.indices, self.indptr, acc=acc, impl=self.impl)

    def transposed(self, w, y):
        acc = jnp.ones(self.n_in, self.dtype)
        return npt.ops.csr_transposed_matvec(w, y, self.indices, self.indptr, acc=acc, impl=self.impl)

    def outer(self, p, q):
        acc = jnp.ones(self.room, self.dtype)
        return npt.ops.csr_outer(p, q, self.indices, self.indptr, acc=acc, impl=self.impl)

    def dense(self, operation):
        return functools.partial(self.form.of(operation), jnp.ones((), self.dtype))

    def by_numpy(self, operation, a, b):
        """Edge by edge."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if operation == "outer":
            return np.r_[a[self.rows] * b[self.cols], np.zeros(self.room - self.nnz)] + 1
        source, target = (self.rows, self.cols) if operation == "matvec" else (self.cols, self.rows)
        out = np.ones(self.n_out if operation == "matvec" else self.n_in)
        np.add.at(out, target, np.broadcast_to(a, (self.room,))[: self.nnz] * b[source])
        return out

    def operands(self, operation, *batch, boolean=False):
        if operation == "matvec":
            return self.weight(*batch), self.events(self.n_in, *batch, boolean=boolean)
        if operation == "transposed":
            return self.weight(*batch), self.events(self.n_out, *batch, boolean=boolean)
        return self.events(self.n_in, *batch, boolean=boolean), self.events(self.n_out, *batch)

    def close(self, got, want):
        jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, **TOLERANCE[self.dtype]), got, want)
        for g in jax.tree.leaves(got):
            assert g.dtype == self.dtype


OPERATIONS = ["matvec", "transposed", "outer"]


@functools.cache
def case_of(shared, dtype):
    """The same for both implementations, so that its dense form is compiled once."""
    return Case(12, 9, 40, "auto", dtype, shared)


# what differs between dtypes and events is in the kernels; the rules are the same but for those of a shared weight
PLAIN, SHARED, BOOLEAN = ("float64", False, False), ("float64", True, False), ("float32", False, True)
FEW = {"matvec": [PLAIN, SHARED], "transposed": [PLAIN, SHARED, BOOLEAN], "outer": [BOOLEAN]}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_transformation(operation, impl):
    for dtype, shared, boolean in FEW[operation] if impl == "taichi" else [PLAIN]:
        check_case(operation, np.dtype(dtype).type, shared, boolean, impl)


def check_case(operation, dtype, shared, boolean, impl):
    case = case_of(shared, dtype)
    function = {"matvec": npt.ops.csr_matvec, "transposed": npt.ops.csr_transposed_matvec, "outer": npt.ops.csr_outer}
    size = {"matvec": case.n_out, "transposed": case.n_in, "outer": case.room}[operation]

    def op(acc, a, b):
        return function[operation](a, b, case.indices, case.indptr, acc=acc, impl=impl)

    acc = jnp.linspace(-1.0, 1.0, size, dtype=dtype)
    check_op(op, case.form.of(operation), [acc, *case.operands(operation, boolean=boolean)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("boolean", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_value_over_sizes(operation, boolean, shared, dtype, impl):
    for n, size in enumerate(SIZES):
        case = Case(*size, impl, dtype, shared, seed=n)
        operands = case.operands(operation, boolean=boolean)
        got = jax.jit(getattr(case, operation))(*operands)
        case.close(got, case.by_numpy(operation, *operands))


def test_both_sides_boolean(impl):
    case = Case(12, 9, 40, impl)
    p, q = case.events(12, boolean=True), case.events(9, boolean=True)
    case.close(case.outer(p, q), case.dense("outer")(p, q))


def test_vmap_over_the_connectivity_itself(impl):
    cases = [Case(12, 9, 40, impl, seed=s, room=0) for s in range(3)]
    w, x = cases[0].operands("matvec")
    stacked = [jnp.stack([getattr(c, name) for c in cases]) for name in ("indices", "indptr")]
    got = jax.vmap(lambda i, p: npt.ops.csr_matvec(w, x, i, p, acc=jnp.ones(9), impl=impl))(*stacked)
    cases[0].close(got, jnp.stack([c.dense("matvec")(w, x) for c in cases]))


def test_operands_are_never_changed(impl):
    case = Case(10, 10, 40, impl)
    w, x = case.operands("matvec")
    acc = jnp.arange(10.0)
    for _ in range(3):
        npt.ops.csr_matvec(w, x, case.indices, case.indptr, acc=acc, impl=impl)
    np.testing.assert_array_equal(acc, np.arange(10.0))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_zero_event_meets_no_weight(zero, impl):
    case = Case(12, 9, 40, impl, room=0)
    w = jnp.full(case.room, jnp.inf)
    np.testing.assert_array_equal(case.matvec(w, jnp.full(12, zero)), np.ones(9))
    np.testing.assert_array_equal(case.transposed(w, jnp.full(9, zero)), np.ones(12))
    np.testing.assert_array_equal(case.outer(jnp.full(12, zero), jnp.full(9, jnp.inf)), np.ones(case.room))
    assert np.isnan(case.matvec(jnp.ones(case.room), jnp.full(12, jnp.nan))).any()
    shared = Case(12, 9, 40, impl, shared=True, room=0)
    _, pull = jax.vjp(lambda w: shared.matvec(w, jnp.full(12, jnp.inf)), jnp.ones(()))
    np.testing.assert_array_equal(pull(jnp.full(9, zero))[0], 0.0)


def test_against_scipy(impl):
    """A second oracle, larger than the others, and long enough for every path through the scan of the events."""
    matrix = scipy.sparse.random(301, 203, density=0.1, random_state=1, format="csr")
    w = npt.connect.from_scipy(matrix)
    rng = np.random.default_rng(0)
    for activity in (0.0, 0.01, 0.3, 1.0):
        x = rng.normal(size=301) * (rng.random(301) < activity)
        y = rng.normal(size=203) * (rng.random(203) < activity)
        np.testing.assert_allclose(w(jnp.asarray(x), impl=impl), x @ matrix, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(w(jnp.asarray(x > 0), impl=impl), (x > 0) @ matrix, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(w.transpose(jnp.asarray(y), impl=impl), matrix @ y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_many_rows_with_events_against_scipy(shared, impl):
    """More than are gathered at once, close together and apart, and edges enough for every way to share the work."""
    n, rng = 12_000 if impl == "taichi" else 6_000, np.random.default_rng(0)
    matrix = scipy.sparse.random(n, n, density=40 / n, random_state=1, format="csr")
    if shared:
        matrix.data[:] = 0.5
    w = npt.connect.from_scipy(matrix) if not shared else npt.connect.CSR(
        matrix.indices, matrix.indptr, weight=0.5, in_size=n, out_size=n
    )  # fmt: skip
    run = jax.jit(lambda w, x, y: (w(x, impl=impl), w.transpose(y, impl=impl), w.outer(x, y, impl=impl)))
    product = lambda s, w, x, y: jnp.vdot(y, eqx.tree_at(lambda w: w.weight, w, s)(x, impl=impl))  # noqa: E731
    slope = jax.jit(jax.grad(product))
    columns = w.with_csc()
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    for activity in (0.003, 0.02, 0.1, 1.0):
        x, y = (rng.normal(size=n) * (rng.random(n) < activity) for _ in range(2))
        x[5000:5200] = 1.0
        forward, backward, outer = run(w, jnp.asarray(x), jnp.asarray(y))
        np.testing.assert_allclose(forward, x @ matrix, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(backward, matrix @ y, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(outer, x[rows] * y[matrix.indices], rtol=1e-12, atol=0)
        for events in (x, x > 0):
            np.testing.assert_allclose(
                columns.transpose(jnp.asarray(events), impl=impl), matrix @ events, rtol=1e-11, atol=1e-11
            )
        if shared:
            total = slope(0.5, w, jnp.asarray(x), jnp.asarray(y))
            np.testing.assert_allclose(total, x @ matrix @ y / 0.5, rtol=1e-10, atol=1e-10)


def test_dtypes_without_kernels_take_the_reference():
    case = Case(12, 9, 40, "auto", shared=True)
    w, x = jnp.asarray(0.5, jnp.bfloat16), case.events(12, boolean=True)
    out = npt.ops.csr_matvec(w, x, case.indices, case.indptr, acc=jnp.zeros(9, jnp.bfloat16))
    assert out.dtype == jnp.bfloat16
    with pytest.raises(ValueError, match="impl='taichi' can't be had"):
        npt.ops.csr_matvec(w, x, case.indices, case.indptr, acc=jnp.zeros(9, jnp.bfloat16), impl="taichi")


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (dict(x=jnp.ones(5)), ValueError, r"x has shape \(5,\); expected shape \(12,\)"),
        (dict(x=jnp.ones((2, 12))), ValueError, "jax.vmap adds batch dimensions"),
        (dict(x=jnp.ones(12, jnp.float32)), TypeError, "x is float32"),
        (dict(weight=jnp.ones(7)), ValueError, r"weight has shape \(7,\)"),
        (dict(weight=jnp.ones((), jnp.float32)), TypeError, "weight is float32"),
        (dict(acc=jnp.ones(9, jnp.int32)), TypeError, "acc is int32"),
        (dict(impl="numba"), ValueError, "impl is 'numba'; expected 'auto', 'taichi' or 'reference'"),
        (dict(indices=jnp.zeros(43, jnp.int64)), TypeError, "indices is int64"),
    ],
)
def test_operands_that_do_not_fit_are_named(change, error, match):
    case = Case(12, 9, 40, "auto")
    operands = dict(weight=jnp.ones(()), x=jnp.ones(12), indices=case.indices, indptr=case.indptr, acc=jnp.ones(9))
    with pytest.raises(error, match=match):
        npt.ops.csr_matvec(**(operands | change))


def test_an_operator_without_a_rule_is_refused():
    with pytest.raises(TypeError, match=r"operator 'half' lacks the rules \['kernel', 'transpose_b'\]"):
        make_operator("half", reference=lambda *a: a[0], transpose_a=lambda *a: a[0])


@pytest.mark.parametrize("size", [(12, 9, 40), (1, 5, 3), (17, 33, 0), (300, 400, 90_000)])
@pytest.mark.parametrize("boolean", [False, True])
def test_outer_into_zeros_writes_every_edge_and_the_room(size, boolean, impl):
    """Where a program says that `acc` is zero the kernel writes to fresh memory, in parts if there is much."""
    case = Case(*size, impl)
    p, q = case.events(case.n_in, boolean=boolean), case.events(case.n_out)

    @jax.jit
    def into_zeros(p, q):
        acc = jnp.zeros(case.room)
        # what was in the memory before is not zero
        junk = jax.lax.optimization_barrier(jnp.full(case.room, 7.0) * q.sum())
        return npt.ops.csr_outer(p, q, case.indices, case.indptr, acc=acc, impl=impl), junk

    if impl == "taichi" and case.room:
        assert ("_fresh" in into_zeros.lower(p, q).as_text()) is (case.n_in > 0 and case.n_out > 0)
    got = np.asarray(into_zeros(p, q)[0])
    want = np.zeros(case.room)
    want[: case.nnz] = np.asarray(p, float)[case.rows] * np.asarray(q)[case.cols]
    np.testing.assert_array_equal(got, want)


def test_outer_into_something_adds_to_it_though_it_was_made_like_zeros(impl):
    case = Case(12, 9, 40, impl)
    p, q = case.events(12), case.events(9)

    def call(acc):
        return npt.ops.csr_outer(p, q, case.indices, case.indptr, acc=acc, impl=impl)

    ones, zeros = (jax.jit(lambda v=v: call(jnp.full(case.room, v)))() for v in (1.0, 0.0))
    np.testing.assert_allclose(ones, zeros + 1, rtol=1e-14)
    # a carry that begins at zero does not stay there
    looped = jax.jit(lambda: jax.lax.fori_loop(0, 3, lambda _, acc: call(acc), jnp.zeros(case.room)))()
    np.testing.assert_allclose(looped, 3 * zeros, rtol=1e-14)


@pytest.mark.parametrize("batch", [2, 3, 64])  # below it, above it, and in many parts
@pytest.mark.parametrize("shared", [True, False], ids=["one weight", "a weight for each edge"])
@pytest.mark.parametrize("operation", ["matvec", "transposed", "outer"])
def test_sums_over_a_batch_are_whole_above_the_serial_budget(operation, shared, batch):
    """16 384 edges are what a call does at once: what was left over of a sum over the batch was once forgotten."""
    case = Case(150, 130, 6000, "taichi", shared=shared)
    try:
        npt.ops.implementation("taichi")
    except ValueError as error:
        pytest.skip(str(error))
    a, b = case.operands(operation)
    many = jax.vmap(lambda k: b * (1 + k / batch))(jnp.arange(float(batch)))

    def loss(f, a, b):  # one `a` for all
        return jnp.mean(jnp.sin(jax.vmap(lambda b: f(a, b))(b)))

    op, dense = getattr(case, operation), case.dense(operation)
    if operation == "outer":
        op, dense = (lambda p, q, f=f: f(q, p) for f in (op, dense))
        a, many = b, jax.vmap(lambda k: a * (1 + k / batch))(jnp.arange(float(batch)))
    for order in (jax.grad, lambda f, at: jax.grad(lambda *x: jnp.sum(jnp.sin(jax.grad(f, at)(*x))), at)):
        for at in (0, 1):
            got, want = (order(functools.partial(loss, f), at)(a, many) for f in (op, dense))
            # sums of up to 64 times 6000 terms
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12 + 1e-10 * float(jnp.abs(want).max()))
