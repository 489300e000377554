"""CSR on matrices and over a CSC view: SciPy for values, `check_op` for the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt
from neuropytree.testing import check_op

from ..helpers import DenseForm

ops = npt.ops


class Problem:
    """A random sparse matrix with empty rows, and duplicates of its first edges."""

    def __init__(self, n, m, seed=0, density=0.3):
        rng = self.rng = np.random.default_rng(seed)
        matrix = scipy.sparse.random(n, m, density=density, random_state=rng, format="coo")
        keep = matrix.row % 5 != 3
        rows = np.concatenate([matrix.row[keep], matrix.row[keep][:2]]).astype(np.int64)
        cols = np.concatenate([matrix.col[keep], matrix.col[keep][:2]]).astype(np.int64)
        order = np.lexsort((cols, rows))
        self.rows, self.cols = rows[order], cols[order]
        self.n, self.m, self.nnz = n, m, len(order)
        self.indices = jnp.asarray(self.cols, jnp.int32)
        self.indptr = jnp.asarray(np.searchsorted(self.rows, np.arange(n + 1)), jnp.int32)
        self.csc = ops.csr_to_csc(self.indices, self.indptr, m)

    def matrix(self, w):
        values = np.broadcast_to(np.asarray(w, np.float64), (self.nnz,))
        return scipy.sparse.coo_array((values, (self.rows, self.cols)), (self.n, self.m)).toarray()

    def events(self, shape, kind, activity, dtype):
        active = self.rng.random(shape) < activity
        return active if kind == "bool" else (active * self.rng.normal(size=shape)).astype(dtype)


SIZES = [(40, 31, 64), (17, 33, 1), (1, 1, 3), (60, 50, 11)]


# compiling takes the time: one dtype tells of the reference, which is the same for both
@pytest.mark.parametrize(
    "n, m, k, dtype, impl",
    [(*size, dtype, "auto") for size in SIZES for dtype in (np.float32, np.float64)]
    + [(*size, np.float32, "reference") for size in SIZES[1:]],
)
def test_values(n, m, k, dtype, impl):
    p = Problem(n, m, seed=n + k)
    tol = 1e-4 if dtype == np.float32 else 1e-12  # sums of some tens of products
    for homo in (True, False):
        w = jnp.asarray(0.7 if homo else p.rng.normal(size=p.nnz), dtype)
        dense = p.matrix(w)
        for kind in ("bool", "float"):
            for activity in (0.0, 0.05, 0.4, 1.0):
                x, y = p.events((n, k), kind, activity, dtype), p.events((m, k), kind, activity, dtype)
                a, b, e = (p.rng.normal(size=s).astype(dtype) for s in ((m, k), (n, k), (p.nnz,)))
                given = (p.indices, p.indptr)
                cases = [
                    (ops.csr_matmat(w, x, *given, acc=a, impl=impl), a + dense.T @ x),
                    (ops.csr_transposed_matmat(w, y, *given, acc=b, impl=impl), b + dense @ y),
                    (ops.csr_transposed_matmat(w, y, *given, acc=b, csc=p.csc, impl=impl), b + dense @ y),
                    (
                        ops.csr_transposed_matvec(w, y[:, 0], *given, acc=b[:, 0], csc=p.csc, impl=impl),
                        b[:, 0] + dense @ y[:, 0],
                    ),
                    (
                        ops.csr_outer_matmat(x, y, *given, acc=e, impl=impl),
                        e + np.sum(x[p.rows].astype(float) * y[p.cols].astype(float), axis=1),
                    ),
                ]
                for got, want in cases:
                    assert got.dtype == dtype
                    np.testing.assert_allclose(got, want, rtol=tol, atol=tol)


@pytest.mark.parametrize("view", [False, True])
def test_zeros_are_skipped_whatever_the_weight(view):
    p = Problem(20, 20)
    w = jnp.where(jnp.arange(p.nnz) % 2 == 0, jnp.inf, jnp.nan)
    zeros, ones = jnp.zeros((20, 16)), jnp.ones((20, 16))
    given, csc = (p.indices, p.indptr), p.csc if view else None
    for got in (
        ops.csr_matmat(w, zeros, *given, acc=ones),
        ops.csr_matmat(w, zeros.astype(bool), *given, acc=ones),
        ops.csr_transposed_matmat(w, -zeros, *given, acc=ones, csc=csc),
        ops.csr_transposed_matvec(w, zeros[:, 0].astype(bool), *given, acc=ones[:, 0], csc=csc),
        ops.csr_outer_matmat(jnp.full((20, 16), jnp.inf), zeros, *given, acc=jnp.ones(p.nnz)),
    ):
        np.testing.assert_array_equal(got, np.ones(got.shape))


P = Problem(7, 5, seed=3, density=0.6)
W, X, Y = P.rng.normal(size=P.nnz), P.rng.normal(size=(7, 3)), P.rng.normal(size=(5, 3))
FORM = DenseForm(P.rows, P.cols, 7, 5)


@pytest.mark.parametrize("w", [W, np.asarray(0.7)], ids=["edge", "homo"])
def test_matmat_under_every_transformation(w):
    def op(acc, w, x):
        return ops.csr_matmat(w, x, P.indices, P.indptr, acc=acc)

    check_op(op, FORM.matvec, (jnp.ones((5, 3)), jnp.asarray(w), jnp.asarray(X)))


@pytest.mark.parametrize("w", [W, np.asarray(0.7)], ids=["edge", "homo"])
def test_transposed_matmat_over_a_view_under_every_transformation(w):
    def op(acc, w, y):
        return ops.csr_transposed_matmat(w, y, P.indices, P.indptr, acc=acc, csc=P.csc)

    check_op(op, FORM.transposed, (jnp.ones((7, 3)), jnp.asarray(w), jnp.asarray(Y)))


def test_transposed_matvec_over_a_view_under_every_transformation():
    def op(acc, w, y):
        return ops.csr_transposed_matvec(w, y, P.indices, P.indptr, acc=acc, csc=P.csc)

    check_op(op, FORM.transposed, (jnp.ones(7), jnp.asarray(W), jnp.asarray(Y[:, 0])))


@pytest.mark.parametrize("batched", [False, True])
def test_a_view_makes_no_difference_where_the_connectivity_is_batched(batched):
    """A view of one of two matrices is no view of the other; given with each, it is left out as well."""
    other = np.sort(P.rng.integers(0, 5, P.nnz) + 5 * P.rows) % 5  # in the same rows, in ascending columns
    indices = jnp.stack([P.indices, jnp.asarray(other, jnp.int32)])
    views = [ops.csr_to_csc(each, P.indptr, 5) for each in indices]
    view = tuple(jnp.stack(each) for each in zip(*views, strict=True)) if batched else views[0]

    y = Y[:, 0] * (np.arange(5) == 2)  # few events, or the kernel has no use for the view

    def transposed(indices, view):
        return ops.csr_transposed_matvec(W, jnp.asarray(y), indices, P.indptr, acc=jnp.ones(7), csc=view)

    got = jax.vmap(transposed, (0, 0 if batched else None))(indices, view)
    want = [1 + np.bincount(P.rows, W * y[each], 7) for each in (P.cols, other)]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_outer_matmat_under_every_transformation():
    def op(acc, p, q):
        return ops.csr_outer_matmat(p, q, P.indices, P.indptr, acc=acc)

    check_op(op, FORM.outer, (jnp.ones(P.nnz), jnp.asarray(X), jnp.asarray(Y)))


def test_a_connectivity_with_a_view_is_the_same():
    plain = npt.connect.from_coo(P.rows, P.cols, weight=W, in_size=7, out_size=5)
    viewed = plain.with_csc()
    if ops.implementation() == "taichi":  # and what it is there for: another kernel
        called = [jax.jit(lambda y, c=c: c.transpose(y)).lower(jnp.asarray(Y[:, 0])).as_text() for c in (plain, viewed)]
        assert ["npt_csc_tmv" in text for text in called] == [False, True]
    for y in (jnp.asarray(Y[:, 0]), jnp.array([True, False, False, False, False])):
        np.testing.assert_allclose(viewed.transpose(y), plain.transpose(y), rtol=1e-12)
    np.testing.assert_array_equal(viewed.to_dense(), plain.to_dense())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.csr_matmat(0.5, X[0], P.indices, P.indptr, acc=jnp.ones((5, 3))), "x has shape"),
        (lambda: ops.csr_matmat(0.5, X, P.indices, P.indptr, acc=jnp.ones((5, 2))), "x has shape"),
        (lambda: ops.csr_matmat(0.5, X, P.indices, P.indptr, acc=jnp.ones(5)), "acc has shape"),
        (lambda: ops.csr_transposed_matmat(0.5, Y, P.indices, P.indptr, acc=jnp.ones((6, 3))), "acc has shape"),
        (
            lambda: ops.csr_transposed_matmat(
                0.5, Y, P.indices, P.indptr, acc=jnp.ones((7, 3)), csc=ops.csr_to_csc(P.indices, P.indptr, 6)
            ),
            "csc has shapes",
        ),
        (lambda: ops.csr_outer_matmat(X, Y[:, :2], P.indices, P.indptr, acc=jnp.ones(P.nnz)), "pre has shape"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
