"""Connectivity in blocks, and dense connectivity by the event-driven operators."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt
from neuropytree.connect import Block, Dense, from_bsr


@pytest.mark.parametrize("blocksize", [(2, 3), (1, 1), (8, 12)])
def test_a_scipy_matrix_of_blocks(blocksize, impl):
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(8, 12)) * np.kron(rng.random((4, 4)) < 0.4, np.ones((2, 3)))
    matrix = scipy.sparse.bsr_array(dense, blocksize=blocksize)
    w = from_bsr(matrix)
    assert w.nnz == matrix.data.size and w.weight.shape[1:] == blocksize
    np.testing.assert_array_equal(w.to_dense(), dense)
    x, y = rng.normal(size=8), rng.normal(size=12)
    np.testing.assert_allclose(w(jnp.asarray(x), jnp.asarray(y), impl=impl), y + x @ matrix, atol=1e-12)
    np.testing.assert_allclose(w.transpose(jnp.asarray(y), impl=impl), matrix @ y, atol=1e-12)
    np.testing.assert_allclose(w(jnp.asarray(x > 0), impl=impl), (x > 0) @ matrix, atol=1e-12)
    outer = w.outer(jnp.asarray(x), jnp.asarray(y), impl=impl)
    sampled = scipy.sparse.bsr_array((np.asarray(outer), matrix.indices, matrix.indptr), shape=(8, 12)).toarray()
    there = scipy.sparse.bsr_array((np.ones_like(outer), matrix.indices, matrix.indptr), shape=(8, 12)).toarray()
    np.testing.assert_allclose(sampled, there * np.outer(x, y), atol=1e-12)


def test_blocks_in_any_order_twice_and_none():
    w = Block([1, 0, 1], [0, 3, 3], weight=0.5, block=(1, 2), in_size=2, out_size=4)
    np.testing.assert_array_equal(w.to_dense(), [[0.5, 0.5, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(w(jnp.asarray([2.0, 1.0])), [1, 1, 2, 2])
    none = Block([], [0, 0], block=(3, 2), in_size=3, out_size=2)
    np.testing.assert_array_equal(none(jnp.ones(3)), np.zeros(2))
    np.testing.assert_array_equal(none.to_dense(), np.zeros((3, 2)))
    drawn = Block([0], [0, 1], weight=npt.init.Normal(), block=(3, 2), in_size=3, out_size=2, key=jax.random.key(0))
    assert drawn.weight.shape == (1, 3, 2) and len(np.unique(drawn.weight)) == 6
    integers = from_bsr(scipy.sparse.bsr_array(np.eye(4, dtype=int), blocksize=(2, 2)))
    np.testing.assert_array_equal(integers.to_dense(), np.eye(4))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (dict(block=(2, 0)), ValueError, r"block is \(2, 0\)"),
        (dict(in_size=5), ValueError, "in_size is 5; expected a multiple of the height of a block, 2"),
        (dict(out_size=7), ValueError, "out_size is 7; expected a multiple of the width of a block, 3"),
        (dict(indices=[0, 2]), ValueError, r"indices\[1\] is 2; expected 0 to out_size / width - 1 = 1"),
        (dict(indices=[0.0, 1.0]), TypeError, "indices is float64"),
        (dict(indptr=[0, 2]), ValueError, "indptr has length 2; expected in_size / height [+] 1 = 3"),
        (dict(indptr=[1, 1, 2]), ValueError, r"indptr\[0\] is 1"),
        (dict(indptr=[0, 2, 1]), ValueError, "indptr falls from 2 to 1 at entry 2"),
        (dict(indptr=[0, 1, 1]), ValueError, "indptr ends at 1, but there are 2 indices"),
        (dict(weight=np.ones((2, 3, 2))), ValueError, r"weight has shape \(2, 3, 2\)"),
    ],
)
def test_what_is_no_matrix_of_blocks_is_refused(change, error, match):
    good = dict(indices=[0, 1], indptr=[0, 1, 2], block=(2, 3), in_size=4, out_size=6)
    Block(**good)
    with pytest.raises(error, match=match):
        Block(**(good | change))


def test_from_bsr_of_something_else():
    with pytest.raises(TypeError, match="matrix.tobsr"):
        from_bsr(scipy.sparse.eye_array(3).tocsr())


@pytest.mark.parametrize("include_self", [True, False])
def test_dense_events_meet_no_weight_that_they_do_not_use(include_self, impl):
    """Silent rows, and the diagonal without self-connections, may hold anything."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(40, 30))
    used = matrix * (include_self | ~np.eye(40, 30, dtype=bool))
    for rate in (0.05, 0.8):
        x, y = (np.where(rng.random(n) < rate, rng.normal(size=n), 0) for n in (40, 30))
        rows, cols = matrix.copy(), matrix.copy()
        rows[x == 0], cols[:, y == 0] = np.nan, np.inf
        if not include_self:
            np.fill_diagonal(rows, np.inf)
            np.fill_diagonal(cols, np.nan)
        w = Dense(matrix, in_size=40, out_size=30, include_self=include_self)
        make = lambda m, w=w: eqx.tree_at(lambda w: w.weight, w, jnp.asarray(m))  # noqa: E731
        np.testing.assert_allclose(make(rows)(jnp.asarray(x), impl=impl), x @ used, atol=1e-12)
        np.testing.assert_allclose(make(cols).transpose(jnp.asarray(y), impl=impl), used @ y, atol=1e-12)
        with pytest.raises(ValueError, match="x has shape"):
            make(rows)(jnp.asarray(y), impl=impl)
