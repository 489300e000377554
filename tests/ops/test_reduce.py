"""Reductions over the edges of a neuron, and conversions of formats, against loops in NumPy and against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from jax.test_util import check_grads

import neuropytree as npt

from ..helpers import random_csr

OPS = {"sum": np.sum, "mean": np.mean, "prod": np.prod, "max": np.max, "min": np.min}
NEUTRAL = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}


class Edges:
    def __init__(self, n_in=7, n_out=6, nnz=20, room=3, seed=0):
        self.rng = np.random.default_rng(seed)
        indices, indptr = random_csr(self.rng, n_in, n_out, nnz, room)
        self.nnz, self.n_in, self.n_out = int(indptr[-1]), n_in, n_out
        indices[self.nnz :] = 2**31 - 1
        self.rows = np.repeat(np.arange(n_in), np.diff(indptr))
        self.cols = indices[: self.nnz]
        self.indices, self.indptr = jnp.asarray(indices), jnp.asarray(indptr)
        self.values = self.rng.normal(size=len(indices))
        self.values[self.nnz :] = np.nan

    def reduce(self, side, values, op, **options):
        if side == "rows":
            return npt.ops.csr_reduce_rows(values, self.indptr, op, **options)
        return npt.ops.csr_reduce_columns(values, self.indices, self.indptr, op, n_cols=self.n_out, **options)

    def softmax(self, side, values, **options):
        if side == "rows":
            return npt.ops.csr_softmax_rows(values, self.indptr, **options)
        return npt.ops.csr_softmax_columns(values, self.indices, self.indptr, n_cols=self.n_out, **options)

    def groups(self, side, where=None):
        """The entries of each neuron."""
        ends, n = (self.rows, self.n_in) if side == "rows" else (self.cols, self.n_out)
        counted = np.ones(self.nnz, bool) if where is None else where[: self.nnz]
        return [np.flatnonzero((ends == i) & counted) for i in range(n)]


@pytest.mark.parametrize("side", ["rows", "columns"])
@pytest.mark.parametrize("op", OPS)
def test_values(op, side):
    for n, size in enumerate([(7, 6, 20), (0, 3, 0), (5, 4, 0)]):
        edges = Edges(*size, seed=n)
        where = edges.rng.random(len(edges.values)) < 0.6
        for values in (edges.values, edges.values.astype(np.float32)):
            for options, chosen in (({}, None), ({"where": jnp.asarray(where)}, where)):
                got = edges.reduce(side, jnp.asarray(values), op, **options)
                want = [OPS[op](values[g]) if len(g) else NEUTRAL[op] for g in edges.groups(side, chosen)]
                assert got.dtype == values.dtype
                np.testing.assert_allclose(got, np.asarray(want), rtol=1e-13 if values.dtype == float else 1e-5)
        empty = edges.reduce(side, jnp.asarray(edges.values), op, empty=7.0)
        assert all(e == 7.0 for e, g in zip(empty, edges.groups(side), strict=True) if not len(g))


@pytest.mark.parametrize("side", ["rows", "columns"])
@pytest.mark.parametrize("op", OPS)
def test_derivatives(op, side):
    """Numerically; of the product also where one, two and all values of a neuron are zero."""
    edges = Edges(room=0)
    values = edges.values.copy()
    if op == "prod":
        for group, zeros in zip(edges.groups(side), (0, 1, 2, 9, 1, 2, 1), strict=False):
            values[group[:zeros]] = 0.0
    function = jax.jit(lambda v: edges.reduce(side, v, op, empty=0.0))
    # numerically: the step is 1e-6, and no two values are as near as that
    check_grads(function, (jnp.asarray(values),), order=2 if op == "prod" else 1, modes=["fwd", "rev"])
    batch = jnp.stack([jnp.asarray(values), jnp.asarray(values[::-1].copy())])
    np.testing.assert_allclose(jax.vmap(function)(batch), jnp.stack([function(v) for v in batch]))


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_derivatives_do_not_see_room_or_what_does_not_count(side):
    edges = Edges()
    where = jnp.asarray(edges.rng.random(len(edges.values)) < 0.6)
    for op in OPS:
        grad = jax.grad(lambda v, op=op: jnp.sum(edges.reduce(side, v, op, where=where, empty=0.0)))
        got = grad(jnp.asarray(edges.values))
        assert np.isfinite(got).all() and not np.asarray(got)[~np.asarray(where)].any()
        assert not np.asarray(got)[edges.nnz :].any()
    got = jax.grad(lambda v: jnp.sum(edges.softmax(side, v, where=where) ** 2))(jnp.asarray(edges.values))
    assert np.isfinite(got).all() and not np.asarray(got)[~np.asarray(where)].any()


def test_ties_share_the_derivative():
    indptr, values = jnp.asarray([0, 3, 3], jnp.int32), jnp.asarray([2.0, 1.0, 2.0])
    for op, sign in (("max", 1.0), ("min", -1.0)):
        grad = jax.grad(lambda v, op=op: npt.ops.csr_reduce_rows(v, indptr, op, empty=0.0).sum())
        np.testing.assert_array_equal(grad(sign * values), [0.5, 0.0, 0.5])
    infinite = jax.grad(lambda v: npt.ops.csr_reduce_rows(v, indptr, "max")[0])(jnp.full(3, -jnp.inf))
    np.testing.assert_allclose(infinite, np.full(3, 1 / 3))
    assert np.isnan(npt.ops.csr_reduce_rows(jnp.asarray([1.0, jnp.nan, 2.0]), indptr, "max")[0])


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_softmax(side):
    edges = Edges()
    where = edges.rng.random(len(edges.values)) < 0.6
    for options, chosen in (({}, None), ({"where": jnp.asarray(where)}, where)):
        for shift in (0.0, 1e4):  # no overflow
            want = np.zeros(len(edges.values))
            for group in edges.groups(side, chosen):
                want[group] = np.exp(edges.values[group]) / np.exp(edges.values[group]).sum()
            got = edges.softmax(side, jnp.asarray(edges.values) + shift, **options)
            # at 1e4 the values themselves are rounded to 1e-12
            np.testing.assert_allclose(got, want, rtol=1e-11 if shift else 1e-13)
    tight = Edges(room=0)
    check_grads(lambda v: tight.softmax(side, v), (jnp.asarray(tight.values),), order=2, modes=["fwd", "rev"])
    for size in ((0, 3, 0), (3, 0, 0)):
        assert not np.asarray(Edges(*size).softmax(side, jnp.ones(3))).any()


def test_pre_to_post_of_those_that_fired():
    """What `pre2post_event_prod` is for: silent pre neurons don't multiply."""
    edges = Edges()
    fired, pre = jnp.asarray([True, False, True, True, False, True, False]), jnp.arange(1.0, 8.0)
    rows, _ = npt.ops.csr_to_coo(edges.indices, edges.indptr)
    inside = jnp.minimum(rows, 6)
    got = edges.reduce("columns", pre[inside], "prod", where=fired[inside])
    groups = edges.groups("columns", np.r_[np.asarray(fired)[edges.rows], [False] * 3])
    np.testing.assert_allclose(got, [np.prod(np.asarray(pre)[edges.rows[g]]) for g in groups])


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda v, i, p: npt.ops.csr_reduce_rows(v, p, "median"), ValueError, "op is 'median'; expected one of 'sum'"),
        (lambda v, i, p: npt.ops.csr_reduce_rows(v[None], p), ValueError, "values has shape"),
        (lambda v, i, p: npt.ops.csr_reduce_rows(v, p.astype(float)), TypeError, "indptr is float64"),
        (lambda v, i, p: npt.ops.csr_reduce_rows(v > 0, p), TypeError, "values is bool"),
        (lambda v, i, p: npt.ops.csr_reduce_rows(v, p, where=v), TypeError, "where is float64; expected bool"),
        (lambda v, i, p: npt.ops.csr_reduce_columns(v[1:], i, p, n_cols=6), ValueError, "values has shape"),
        (lambda v, i, p: npt.ops.csr_softmax_rows(v, p, where=v[1:] > 0), ValueError, "where has shape"),
    ],
)
def test_what_does_not_fit_is_named(call, error, match):
    edges = Edges()
    with pytest.raises(error, match=match):
        call(jnp.asarray(edges.values), edges.indices, edges.indptr)


@pytest.mark.parametrize("size", [(7, 6, 20), (0, 3, 0), (3, 0, 0)])
def test_conversions(size):
    edges = Edges(*size)
    weight = jnp.where(jnp.arange(len(edges.values)) < edges.nnz, jnp.nan_to_num(jnp.asarray(edges.values)), jnp.nan)
    rows, cols = jax.jit(npt.ops.csr_to_coo)(edges.indices, edges.indptr)
    np.testing.assert_array_equal(rows, np.r_[edges.rows, [size[0]] * 3])
    np.testing.assert_array_equal(cols, np.r_[edges.cols, [0] * 3])
    values = np.asarray(weight)[: edges.nnz]
    oracle = scipy.sparse.coo_array((values, (edges.rows, edges.cols)), shape=size[:2]).toarray()
    for w, m in ((weight, oracle), (jnp.asarray(0.5), None)):
        dense = jax.jit(lambda w: npt.ops.csr_to_dense(w, edges.indices, edges.indptr, n_cols=size[1]))(w)
        counts = np.zeros(size[:2])
        np.add.at(counts, (edges.rows, edges.cols), 0.5)
        np.testing.assert_allclose(dense, counts if m is None else m)
    shuffle = edges.rng.permutation(len(edges.values))
    back = jax.jit(lambda r, c: npt.ops.coo_to_csr(r, c, n_rows=size[0]))(rows[shuffle], cols[shuffle])
    np.testing.assert_array_equal(back[1], edges.indptr)
    np.testing.assert_array_equal(back[0][: edges.nnz], edges.cols)
    # the order of two edges between the same neurons is that of the list, so compare their sums
    again = npt.ops.csr_to_dense(weight[shuffle][back[2]], *back[:2], n_cols=size[1])
    np.testing.assert_allclose(again, oracle, atol=1e-14)


def test_entries_of_a_list_that_are_no_edges_become_room():
    rows, cols = jnp.asarray([1, -1, 0, 2, 1], jnp.int32), jnp.asarray([3, 0, -1, 1, 0], jnp.int32)
    indices, indptr, order = npt.ops.coo_to_csr(rows, cols, n_rows=2)
    np.testing.assert_array_equal(indptr, [0, 0, 2])
    np.testing.assert_array_equal(indices, [0, 3, 0, 0, 0])
    np.testing.assert_array_equal(order[:2], [4, 0])


def test_a_dense_matrix_from_csr_passes_derivatives():
    edges = Edges()
    ct = edges.rng.normal(size=(7, 6))
    grad = jax.grad(lambda w: jnp.sum(npt.ops.csr_to_dense(w, edges.indices, edges.indptr, n_cols=6) * ct))
    np.testing.assert_allclose(grad(jnp.ones(23)), np.r_[ct[edges.rows, edges.cols], np.zeros(3)])
