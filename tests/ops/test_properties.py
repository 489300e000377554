"""Drawn operands and drawn nestings of transformations, against the dense form and against SciPy.

Shapes come from a few, and programs are compiled without optimisation: drawing is cheap, compiling is not.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import neuropytree as npt

ROOM = 24
SHAPES = [(5, 7), (9, 4), (1, 1), (33, 8)]
BATCH = {"f": 2, "s": 3}  # a first and a second batch size, so that dimensions are not mistaken for each other
TOLERANCE = {"float64": 1e-11, "float32": 2e-5}
SETTINGS = settings(deadline=None, derandomize=True, database=None, max_examples=40)


class Drawn(NamedTuple):
    n_in: int
    n_out: int
    rows: np.ndarray
    cols: np.ndarray
    shared: bool
    boolean: bool
    dtype: str
    seed: int

    @property
    def arrays(self):
        indices = np.concatenate([self.cols, np.zeros(ROOM - len(self.cols), int)])
        indptr = np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.n_in))])
        return jnp.asarray(indices, jnp.int32), jnp.asarray(indptr, jnp.int32)


@st.composite
def drawn(draw):
    n_in, n_out = draw(st.sampled_from(SHAPES))
    edge = st.tuples(st.integers(0, n_in - 1), st.integers(0, n_out - 1))
    edges = sorted(draw(st.lists(edge, max_size=ROOM)))  # duplicates and empty rows come by themselves
    rows, cols = (np.array([e[k] for e in edges], int) for k in (0, 1))
    boolean, shared, dtype = draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from(["float64", "float32"]))
    return Drawn(n_in, n_out, rows, cols, shared, boolean, dtype, draw(st.integers(0, 2**16)))


def operands(case, operation):
    """Weight or pre events, and events: from a few values that are exact in both dtypes, zeros of both signs among
    them."""
    rng = np.random.default_rng(case.seed)
    values = np.array([0.0, -0.0, 0.0, 1.0, 0.5, -1.5, 2.0])
    acc_size = {"matvec": case.n_out, "transposed": case.n_in, "outer": ROOM}[operation]
    x_size = case.n_in if operation == "matvec" else case.n_out
    x = rng.choice(values, x_size)
    first = rng.choice(values, case.n_in) if operation == "outer" else rng.normal(size=() if case.shared else ROOM)
    acc = rng.normal(size=acc_size)
    acc, first, x = (np.asarray(v, case.dtype) for v in (acc, first, x))
    return jnp.asarray(acc), jnp.asarray(first), jnp.asarray(x > 0 if case.boolean else x)


@functools.cache
def forms(operation, impl, n_in):
    """The operator and its dense form, of the operands and the edges as arrays, so that one program serves many."""

    def op(edges, acc, a, x):
        indices, indptr, *_ = edges
        function = {
            "matvec": npt.ops.csr_matvec,
            "transposed": npt.ops.csr_transposed_matvec,
            "outer": npt.ops.csr_outer,
        }
        return function[operation](a, x, indices, indptr, acc=acc, impl=impl)

    def dense(edges, acc, a, x):
        _, _, pre, post, valid = edges  # one-hot rows: (room, rows) and (room, cols)
        pre, post, x = pre.astype(acc.dtype), post.astype(acc.dtype), x.astype(acc.dtype)
        if operation == "outer":
            return acc + (pre @ a) * (post @ x)
        w = jnp.where(valid, a, jnp.zeros_like(a))
        return acc + ((w * (pre @ x)) @ post if operation == "matvec" else (w * (post @ x)) @ pre)

    return op, dense


def edges_of(case):
    pre, post = np.zeros((ROOM, case.n_in)), np.zeros((ROOM, case.n_out))
    pre[np.arange(len(case.rows)), case.rows] = 1
    post[np.arange(len(case.cols)), case.cols] = 1
    return *case.arrays, jnp.asarray(pre), jnp.asarray(post), jnp.asarray(np.arange(ROOM) < len(case.rows))


# A word is applied from its last letter to its first. vmap: over the operands whose places are named, 0 to 2.
LETTERS = ["vmap 0", "vmap 1", "vmap 2", "vmap 12", "vmap 012", "jvp", "vjp", "jit", "checkpoint"]
words = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4).filter(
    lambda word: 1 <= sum(w.startswith("vmap") for w in word) <= 2 or not any(w.startswith("vmap") for w in word)
)


def scaled(x, size):
    """A batch of an operand: permuted and scaled, so that no two items are the same."""
    items = [jnp.roll(x, k, -1) if x.ndim else x for k in range(size)]
    return jnp.stack([x if x.dtype == bool else x * (1 + k / 4) for k, x in enumerate(items)])


def nest(word, f, xs):
    """The function of the floating operands that a word makes of `f`, and its operands."""
    float_places = [k for k, x in enumerate(xs) if x.dtype != bool]
    size = iter([2, 3, 2, 3])
    for letter in reversed(word):
        name, _, places = letter.partition(" ")
        if name == "vmap":
            axes = tuple(0 if str(k) in places else None for k in range(3))
            n = next(size)
            xs = [scaled(x, n) if axis == 0 else x for x, axis in zip(xs, axes, strict=True)]
            f = jax.vmap(f, axes)
        elif name == "jvp":
            f = functools.partial(_jvp, f, float_places)
        elif name == "vjp":
            f = functools.partial(_vjp, f, float_places)
        else:
            f = {"jit": jax.jit, "checkpoint": jax.checkpoint}[name](f)
    return f, xs


def _of(f, places, xs):
    def of(*values):
        every = list(xs)
        for k, value in zip(places, values, strict=True):
            every[k] = value
        return f(*every)

    return of, [xs[k] for k in places]


def _jvp(f, places, *xs):
    of, at = _of(f, places, xs)
    return jax.jvp(of, at, [jnp.cos(x) for x in at])[1]


def _vjp(f, places, *xs):
    of, at = _of(f, places, xs)
    out, pull = jax.vjp(of, *at)
    return pull(jax.tree.map(jnp.cos, out))


@pytest.mark.parametrize("operation", ["matvec", "transposed", "outer"])
def test_any_nesting_of_transformations(operation, impl):
    @settings(SETTINGS, max_examples=25)
    @given(drawn(), words)
    def check(case, word):
        edges, xs = edges_of(case), operands(case, operation)
        results = []
        for form in forms(operation, impl, case.n_in):
            f, args = nest(word, functools.partial(form, edges), list(xs))
            results.append(f(*args))
        for got, want in zip(*map(jax.tree.leaves, results), strict=True):
            assert got.dtype == want.dtype and got.shape == want.shape
            limit = TOLERANCE[case.dtype] * max(1.0, float(jnp.max(jnp.abs(want), initial=0.0)))
            np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=" of ".join(word))

    check()


@functools.cache
def compiled(operation, impl):
    return jax.jit(functools.partial(forms(operation, impl, 0)[0]))


def test_values_against_scipy(impl):
    """Weights of skipped edges may be infinite, or not a number: they make no difference."""

    @settings(SETTINGS, max_examples=40 if impl == "taichi" else 15)  # which compiles longer
    @given(drawn(), st.sampled_from([np.inf, -np.inf, np.nan, 3.0]))
    def check(case, odd):
        acc, w, x = operands(case, "matvec")
        y = operands(case, "transposed")[2]
        edge_w = np.broadcast_to(np.asarray(w), (ROOM,)).astype(np.float64)[: len(case.rows)]
        matrix = scipy.sparse.coo_array((edge_w, (case.rows, case.cols)), (case.n_in, case.n_out)).tocsr()
        for operation, event, want, silent in (
            ("matvec", x, np.asarray(x, np.float64) @ matrix, np.asarray(x)[case.rows] == 0),
            ("transposed", y, matrix @ np.asarray(y, np.float64), np.asarray(y)[case.cols] == 0),
        ):
            acc = operands(case, operation)[0]
            weight = w
            if not case.shared:
                weight = np.array(w)
                weight[: len(case.rows)][silent] = odd
                weight[len(case.rows) :] = np.nan  # room
            elif silent.all():
                weight = np.asarray(odd, case.dtype)
            got = compiled(operation, impl)(edges_of(case), acc, jnp.asarray(weight), event)
            limit = TOLERANCE[case.dtype] * max(1.0, float(np.max(np.abs(want), initial=0.0)))
            np.testing.assert_allclose(np.asarray(got - acc), want, rtol=0, atol=limit)

    check()
