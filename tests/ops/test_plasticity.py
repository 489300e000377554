"""Weights that change along rows and columns, against a loop over the edges and the derivatives of its dense form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt
from neuropytree.testing import check_op

from ..helpers import random_csr

LOW, HIGH = -0.8, 0.9
SIZES = [(12, 9, 40, 3), (1, 1, 1, 0), (9, 1, 6, 0), (17, 33, 0, 4), (0, 4, 0, 0), (4, 0, 0, 0), (70, 40, 300, 5)]


def by_loop(weight, spike, trace, edges, low, high, side):
    """The definition, edge by edge."""
    new = np.array(weight)
    for e, (i, j) in enumerate(edges):
        x, t = (spike[i], trace[j]) if side == "pre" else (spike[j], trace[i])
        if x != 0:
            new[e] = min(max(new[e] + x * t, low), high) if new[e] == new[e] and t == t else np.nan
    return new


def setup(n_in, n_out, nnz, room, dtype=np.float64, boolean=False, side="pre", seed=0):
    rng = np.random.default_rng(seed)
    indices, indptr = random_csr(rng, n_in, n_out, nnz, room)
    edges = list(zip(np.repeat(np.arange(n_in), np.diff(indptr)), indices[: indptr[-1]], strict=True))
    n_spike, n_trace = (n_in, n_out) if side == "pre" else (n_out, n_in)
    spike = rng.normal(size=n_spike) * (rng.random(n_spike) < 0.5)
    spike = spike > 0 if boolean else spike.astype(dtype)
    weight, trace = rng.normal(size=len(indices)).astype(dtype), rng.normal(size=n_trace).astype(dtype)
    return jnp.asarray(indices), jnp.asarray(indptr), edges, weight, spike, trace


def operator(side, indices, indptr, n_out, impl):
    if side == "pre":
        return lambda w, x, t, low, high: npt.ops.csr_add_on_pre(
            w, x, t, indices, indptr, w_min=low, w_max=high, impl=impl
        )
    columns = npt.ops.csr_to_csc(indices, indptr, n_out)
    return lambda w, y, t, low, high: npt.ops.csr_add_on_post(w, t, y, *columns, w_min=low, w_max=high, impl=impl)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("boolean", [False, True])
@pytest.mark.parametrize("side", ["pre", "post"])
def test_value_over_sizes(side, boolean, dtype, impl):
    for n, (n_in, n_out, nnz, room) in enumerate(SIZES):
        indices, indptr, edges, weight, spike, trace = setup(n_in, n_out, nnz, room, dtype, boolean, side, n)
        new = operator(side, indices, indptr, n_out, impl)(weight, spike, trace, -0.5, 0.75)
        want = by_loop(weight, spike, trace, edges, -0.5, 0.75, side)
        assert new.dtype == dtype
        np.testing.assert_allclose(new, want, rtol=1e-6 if dtype == np.float32 else 1e-14)


def dense_form(side, boolean):
    _, _, edges, *_ = setup(12, 9, 40, 3, boolean=boolean, side=side)
    rows, cols = (np.array(x) for x in zip(*edges, strict=True))
    by_spike, by_trace = (rows, cols) if side == "pre" else (cols, rows)
    nnz = len(edges)

    def dense(w, x, t, low=LOW, high=HIGH):
        moved = x[by_spike] if boolean else x[by_spike] != 0
        new = w[:nnz] + x[by_spike].astype(w.dtype) * t[by_trace]
        new = jnp.where(new < low, low, jnp.where(new > high, high, new))
        return jnp.concatenate([jnp.where(moved, new, w[:nnz]), w[nnz:]])

    return dense


@pytest.mark.parametrize(("side", "boolean"), [("pre", False), ("post", True)])
def test_every_transformation(side, boolean):
    """Derivatives and batches are those of the reference, so one implementation tells of both. The bounds are no
    operands in the batches: five operands have too many subsets."""
    indices, indptr, _, weight, spike, trace = setup(12, 9, 40, 3, boolean=boolean, side=side)
    op, dense = operator(side, indices, indptr, 9, "auto"), dense_form(side, boolean)
    check_op(lambda w, x, t: op(w, x, t, LOW, HIGH), dense, [weight, spike, trace])
    for transform in (jax.jacfwd, jax.jacrev):
        got, want = (transform(f, (3, 4))(weight, spike, trace, LOW, HIGH) for f in (op, dense))
        np.testing.assert_array_equal(jnp.stack(got), jnp.stack(want))
        assert np.any(got[0]) and np.any(got[1])


@pytest.mark.parametrize("side", ["pre", "post"])
def test_a_batch_is_one_call_after_the_other(side, impl):
    """Over any operands, also of batches in batches and of other edges; in the kernel, if there is, and bit by bit."""
    same = functools.partial(np.testing.assert_allclose, rtol=0 if impl == "taichi" else 1e-14)  # XLA may fuse
    cases = [setup(12, 9, 40, 3, side=side, seed=seed) for seed in range(6)]
    assert len({len(case[3]) for case in cases}) == 1
    edges = [case[:2] if side == "pre" else npt.ops.csr_to_csc(*case[:2], 9) for case in cases]
    w, x, t = (jnp.stack([case[k] for case in cases]) for k in (3, 4, 5))

    def new(w, x, t, low, *edges):
        function, given = npt.ops.csr_add_on_pre, (w, x, t)
        if side == "post":
            function, given = npt.ops.csr_add_on_post, (w, t, x)
        return function(*given, *edges, w_min=low, w_max=HIGH, impl=impl)

    low = -jnp.arange(1.0, 7.0) / 6
    every = (w, x, t, low, *(jnp.stack(each) for each in zip(*edges, strict=True)))
    one = jax.jit(new)
    for places in ((0,), (1, 2), (3,), tuple(range(len(every)))):
        axes = [0 if k in places else None for k in range(len(every))]
        taken = [x if axis == 0 else x[0] for x, axis in zip(every, axes, strict=True)]
        batched = jax.jit(jax.vmap(new, axes))
        want = [one(*(x[b] if axis == 0 else x for x, axis in zip(taken, axes, strict=True))) for b in range(6)]
        same(batched(*taken), jnp.stack(want))
        assert (f"npt_csr_on_{side}_f64_float" in batched.lower(*taken).as_text()) == (impl == "taichi")
    nested = jax.vmap(
        jax.vmap(new, (None, 0, None, None, *[None] * len(edges[0]))), (0, None, 0, None, *[None] * len(edges[0]))
    )
    got = nested(w[:2], x, t[:2], low[0], *edges[0])
    for a in range(2):
        for b in range(6):
            same(got[a, b], one(w[a], x[b], t[a], low[0], *edges[0]))
    empty = jax.vmap(lambda w: new(w, x[0], t[0], low[0], *edges[0]))(w[:0])
    assert empty.shape == (0, w.shape[1])


def test_the_derivative_at_a_bound_is_that_of_the_inside(impl):
    indices, indptr = jnp.array([0], jnp.int32), jnp.array([0, 1], jnp.int32)

    def new(w, t):
        return npt.ops.csr_add_on_pre(w, jnp.array([True]), t, indices, indptr, w_min=0.0, w_max=1.0, impl=impl)[0]

    for w, t, slope in ((1.0, 0.0, 1.0), (0.5, 0.5, 1.0), (0.0, 0.0, 1.0), (0.5, 0.6, 0.0), (0.5, -0.6, 0.0)):
        np.testing.assert_array_equal(jax.grad(new, (0, 1))(jnp.array([w]), jnp.array([t])), [[slope], [slope]])


def test_edges_of_silent_neurons_are_not_clipped(impl):
    indices, indptr = jnp.array([0, 1, 0], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
    weight, spike = jnp.array([5.0, -5.0, 7.0]), jnp.array([True, False])
    out = npt.ops.csr_add_on_pre(weight, spike, jnp.zeros(2), indices, indptr, w_min=-1.0, w_max=1.0, impl=impl)
    np.testing.assert_array_equal(out, [1.0, -1.0, 7.0])
    out = npt.ops.csr_add_on_post(
        weight, jnp.zeros(2), spike, *npt.ops.csr_to_csc(indices, indptr, 2), w_min=-1.0, w_max=1.0, impl=impl
    )
    np.testing.assert_array_equal(out, [1.0, -5.0, 1.0])


@pytest.mark.parametrize("side", ["pre", "post"])
def test_infinite_and_undefined_numbers(side, impl):
    """A zero event meets no trace; a NaN is an event; what is not a number is not clipped away."""
    indices, indptr = jnp.array([0, 1], jnp.int32), jnp.array([0, 1, 2], jnp.int32)
    op = operator(side, indices, indptr, 2, impl)
    np.testing.assert_array_equal(op(jnp.ones(2), jnp.array([0.0, -0.0]), jnp.full(2, jnp.inf), -9.0, 9.0), [1, 1])
    np.testing.assert_array_equal(op(jnp.ones(2), jnp.array([1.0, 2.0]), jnp.full(2, jnp.inf), -9.0, 9.0), [9, 9])
    np.testing.assert_array_equal(op(jnp.ones(2), jnp.array([jnp.nan, 0.0]), jnp.ones(2), -9.0, 9.0), [jnp.nan, 1])
    slope = jax.grad(lambda t: jnp.sum(op(jnp.ones(2), jnp.zeros(2), t, -9.0, 9.0)))(jnp.full(2, jnp.inf))
    np.testing.assert_array_equal(slope, [0, 0])


@pytest.mark.parametrize("side", ["pre", "post"])
def test_a_scan_makes_no_copy_of_the_weights(side):
    """One in-place call in the loop, and no copy of an array of the size of the weights anywhere but at its entry."""
    indices, indptr, _, weight, spike, trace = setup(70, 40, 300, 5, side=side)
    op = operator(side, indices, indptr, 40, "auto")
    if npt.ops.implementation() == "reference":
        pytest.skip("the reference scatters")

    def run(w, t):
        def step(carry, _):
            w, t = carry
            return (op(w, spike, t, -1.0, 1.0), t * 0.9), None

        return jax.lax.scan(step, (w, t), None, length=50)[0][0]

    program = jax.jit(run, donate_argnums=0).lower(jnp.asarray(weight), jnp.asarray(trace)).compile()
    copies = [line for line in program.as_text().splitlines() if f"f64[{len(weight)}]" in line and " copy(" in line]
    assert not copies
    given = jnp.array(weight)
    before = given.unsafe_buffer_pointer()
    assert program(given, jnp.asarray(trace)).unsafe_buffer_pointer() == before


def test_csc_against_scipy():
    for n_out in (50, 2**16 + 50):  # one pass of sorting, and two
        matrix = scipy.sparse.random(40, n_out, density=0.01 if n_out > 99 else 0.2, random_state=0, format="csr")
        matrix.data[:] = np.arange(1, matrix.nnz + 1)
        want = matrix.tocsc()
        want.sort_indices()
        rows, col_ptr, order = npt.ops.csr_to_csc(np.append(matrix.indices, [0, 0]), matrix.indptr, n_out)
        np.testing.assert_array_equal(rows, want.indices)
        np.testing.assert_array_equal(col_ptr, want.indptr)
        np.testing.assert_array_equal(np.asarray(order) + 1, want.data)
        assert rows.dtype == col_ptr.dtype == order.dtype == jnp.int32
    with pytest.raises(ValueError, match="expected 0 to n_cols - 1 = 2"):
        npt.ops.csr_to_csc([0, 3], [0, 2], 3)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (dict(weight=jnp.ones(())), ValueError, r"weight has shape \(\); expected shape \(3,\)"),
        (dict(weight=jnp.ones(3, jnp.int32)), TypeError, "weight is int32; it must be floating"),
        (dict(pre_spike=jnp.ones(3)), ValueError, r"pre_spike has shape \(3,\); expected shape \(2,\)"),
        (dict(post_trace=jnp.ones(3, jnp.float32)), TypeError, "post_trace is float32 and weight float64"),
        (dict(w_min=2.0, w_max=1.0), ValueError, r"w_min is 2.0, above w_max, 1.0"),
        (dict(w_max=jnp.ones(3)), ValueError, "w_max has shape"),
        (dict(impl="numba"), ValueError, "impl is 'numba'"),
    ],
)
def test_operands_that_do_not_fit_are_named(change, error, match):
    indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
    operands = dict(weight=jnp.ones(3), pre_spike=jnp.ones(2), post_trace=jnp.ones(3), indices=indices, indptr=indptr)
    with pytest.raises(error, match=match):
        npt.ops.csr_add_on_pre(**(operands | change))
