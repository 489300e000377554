"""Lists of events, against NumPy, and the operator that reads them, against the one that does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.testing import check_op

from ..helpers import DenseForm, random_csr


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float64])
def test_the_list_against_numpy(dtype, impl):
    rng = np.random.default_rng(0)
    for n in (0, 1, 73):
        for activity in (0.0, 0.1, 1.0):
            x = (rng.normal(size=n) * (rng.random(n) < activity)).astype(dtype)
            where = np.flatnonzero(x)
            for capacity in (0, 5, 80):
                got = npt.ops.compact(jnp.asarray(x), capacity, impl=impl)
                want = np.full(capacity, n)
                want[: len(where[:capacity])] = where[:capacity]
                np.testing.assert_array_equal(got.indices, want)
                assert got.count == len(where) and got.overflow == (len(where) > capacity)
                assert got.indices.dtype == got.count.dtype == jnp.int32


def test_negative_zero_and_nan(impl):
    got = npt.ops.compact(jnp.array([-0.0, jnp.nan, 0.0, jnp.inf]), 3, impl=impl)
    np.testing.assert_array_equal(got.indices, [1, 3, 4])
    assert got.count == 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("boolean", [False, True])
def test_the_same_bits_as_without_a_list(boolean, shared, dtype, impl):
    rng = np.random.default_rng(1)
    for n_in, n_out, nnz in ((70, 40, 300), (0, 3, 0)):
        indices, indptr = (jnp.asarray(x) for x in random_csr(rng, n_in, n_out, nnz, 2))
        x = rng.normal(size=n_in) * (rng.random(n_in) < 0.5)
        x = jnp.asarray(x > 0 if boolean else x.astype(dtype))
        w = jnp.asarray(rng.normal(size=() if shared else indices.shape).astype(dtype))
        acc = jnp.ones(n_out, dtype)
        want = npt.ops.csr_matvec(w, x, indices, indptr, acc=acc, impl=impl)
        for capacity in (3, n_in):
            events = npt.ops.compact(x, capacity, impl=impl)
            got = npt.ops.csr_matvec_compact(w, events, indices, indptr, acc=acc, impl=impl)
            np.testing.assert_array_equal(got, want)


def test_a_batch_of_lists(impl):
    """Batches in batches, some of which have more events than the lists have room for."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 73)) * (rng.random((2, 3, 73)) < np.array([0.02, 0.3, 1.0])[:, None])
    batched = jax.jit(jax.vmap(jax.vmap(lambda x: npt.ops.compact(x, 5, impl=impl))))
    got = batched(jnp.asarray(x))
    for where in np.ndindex(2, 3):
        found = np.flatnonzero(x[where])
        np.testing.assert_array_equal(got.indices[where], np.r_[found, [73] * 5][:5])
        assert got.count[where] == len(found)
    assert got.overflow.any() and not got.overflow.all()
    assert ("npt_compact_f64" in batched.lower(x).as_text()) == (impl == "taichi")

    indices, indptr = (jnp.asarray(a) for a in random_csr(rng, 73, 20, 500, 2))
    w = jnp.asarray(rng.normal(size=indices.shape))

    def carried(events):
        return npt.ops.csr_matvec_compact(w, events, indices, indptr, acc=jnp.zeros(20), impl=impl)

    want = [carried(npt.ops.compact(jnp.asarray(v), 5, impl=impl)) for v in x.reshape(6, 73)]
    np.testing.assert_array_equal(jax.vmap(jax.vmap(carried))(got).reshape(6, 20), jnp.stack(want))


def test_every_transformation():
    """Derivatives and batches are those of `csr_matvec`, for either implementation."""
    rng = np.random.default_rng(0)
    indices, indptr = random_csr(rng, 12, 9, 40, 3)
    rows, there = np.append(np.repeat(np.arange(12), np.diff(indptr)), [0] * 3), np.arange(len(indices)) < indptr[-1]
    i, p = jnp.asarray(indices), jnp.asarray(indptr)

    def op(acc, w, x):
        events = npt.ops.compact(x, 3)
        return npt.ops.csr_matvec_compact(w, events, i, p, acc=acc)

    x = rng.normal(size=12) * (rng.random(12) < 0.6)
    assert 3 < np.count_nonzero(x) < 12
    check_op(op, DenseForm(rows, indices, 12, 9, there).matvec, [rng.normal(size=9), rng.normal(size=len(indices)), x])


def test_events_are_listed_once_and_carried_by_two_projections():
    indices, indptr = (jnp.asarray(x) for x in random_csr(np.random.default_rng(0), 12, 9, 40))

    def step(x):
        events = npt.ops.compact(x, 12)
        return [
            npt.ops.csr_matvec_compact(jnp.asarray(w), events, indices, indptr, acc=jnp.zeros(9)) for w in (1.0, 2.0)
        ]

    one, two = jax.jit(step)(jnp.arange(12) % 3 == 0)
    np.testing.assert_array_equal(2 * one, two)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: npt.ops.compact(jnp.arange(3), 2), TypeError, "x is int64; expected bool or floating"),
        (lambda: npt.ops.compact(jnp.ones((3, 1)), 2), ValueError, r"x has shape \(3, 1\)"),
        (lambda: npt.ops.compact(jnp.ones(3), -1), ValueError, "capacity is -1"),
        (lambda: npt.ops.compact(jnp.ones(3), 1.5), ValueError, "capacity is 1.5"),
        (
            lambda: npt.ops.csr_matvec_compact(
                jnp.ones(()), jnp.ones(2), jnp.zeros(1, jnp.int32), jnp.zeros(3, jnp.int32), acc=jnp.ones(1)
            ),
            TypeError,
            "expected CompactEvents",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, match):
    with pytest.raises(error, match=match):
        call()
