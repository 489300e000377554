"""A zero meets nothing: 0 times an infinite or NaN weight, event or cotangent is no NaN, in any family, either
implementation, values or derivatives. Against NumPy, product by product."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

N, M, ROOM = 7, 6, 21
RNG = np.random.default_rng(0)
ROWS, COLS = np.sort(RNG.integers(0, N, ROOM - 3)), RNG.integers(0, M, ROOM - 3)
COLS[COLS == 2] = 3  # a column that no edge reaches
INDICES = jnp.asarray(np.r_[COLS, 0, 0, 0], jnp.int32)
INDPTR = jnp.asarray(np.searchsorted(ROWS, np.arange(N + 1)), jnp.int32)
CSC = npt.ops.csr_to_csc(INDICES, INDPTR, M)
LIST = jnp.asarray(np.r_[ROWS, -1, N, -5], jnp.int32), INDICES
DENSE = np.nonzero(np.ones((N, M)))
DIAGONAL = (np.arange(N), np.arange(N))


def values(rng, *shape):
    """Zeros, numbers, and what is no number, in which a row is silent."""
    x = rng.normal(size=shape) * (rng.random(shape) < 0.6)
    x[rng.random(shape) < 0.15] = rng.choice([np.inf, np.nan, -np.inf])
    if shape[0] > 1:
        x[1] = 0
    return x


def times(w, x):
    """A weight times an event; a weight of zero is one like others."""
    with np.errstate(invalid="ignore"):
        return np.where(x == 0, 0.0, w * x)


def both(p, q):
    return np.where(p == 0, 0.0, times(p, q))


def added(size, where, x):
    out = np.zeros((size, *x.shape[1:]))
    with np.errstate(invalid="ignore"):
        np.add.at(out, where, x)
    return out


FAMILIES = ["csr", "csc", "coo", "dense", "bsr", "diagonal"]


class Family:
    def __init__(self, name, impl, columns, shared):
        o, kind = npt.ops, "matmat" if columns else "matvec"
        self.columns, self.m = columns, N if name == "diagonal" else M
        self.rows, self.cols = {"dense": DENSE, "bsr": DENSE, "diagonal": DIAGONAL}.get(name, (ROWS, COLS))
        self.shape = {"dense": (N, M), "bsr": (1, N, M), "diagonal": (N,)}.get(name, (ROOM,))
        self.edges = len(self.rows)
        self.weight = () if shared else self.shape
        where = {"csr": (INDICES, INDPTR), "csc": (INDICES, INDPTR), "coo": LIST}.get(name, ())
        if name == "bsr":
            where = (jnp.zeros(1, jnp.int32), jnp.arange(2, dtype=jnp.int32))
        prefix = "csr" if name == "csc" else name
        options = {"impl": impl, **({"csc": CSC} if name == "csc" else {})}
        cols = (columns,) if columns else ()
        if name == "diagonal":
            self.matvec = self.transposed = lambda w, x: o.diagonal_matvec(w, x, acc=jnp.zeros(N))
            self.outer = lambda p, q: o.diagonal_outer(p, q, acc=jnp.zeros(N))
            return
        of = lambda operation: getattr(o, f"{prefix}_{operation}")  # noqa: E731
        self.matvec = lambda w, x: of(kind)(w, x, *where, acc=jnp.zeros((M, *cols)), impl=impl)
        self.transposed = lambda w, y: of(f"transposed_{kind}")(w, y, *where, acc=jnp.zeros((N, *cols)), **options)
        outer = of("outer_matmat" if columns else "outer")
        self.outer = lambda p, q: outer(p, q, *where, acc=jnp.zeros(self.shape), impl=impl)

    def each(self, w):
        return np.broadcast_to(w, self.shape).reshape(-1)[: self.edges].reshape(-1, *[1] * bool(self.columns))

    def of_shape(self, x):
        """Values of edges as the weight has them."""
        x = x.sum(1) if x.ndim == 2 else x
        return np.r_[x, np.zeros(int(np.prod(self.shape)) - self.edges)].reshape(self.shape) if self.weight else x.sum()


def check(got, want):
    # sums of a few products
    np.testing.assert_allclose(
        np.nan_to_num(got, posinf=1e9, neginf=-1e9, nan=7e9),
        np.nan_to_num(want, posinf=1e9, neginf=-1e9, nan=7e9),
        rtol=1e-12,
        atol=1e-12,
    )


PRODUCTS = [
    (name, columns, shared)
    for name in FAMILIES
    for columns in ([0] if name == "diagonal" else [0, 9])
    for shared in ([False] if name in ("dense", "bsr") else [False, True])
]


@pytest.mark.parametrize(("name", "columns", "shared"), PRODUCTS)
def test_a_zero_meets_nothing(name, columns, shared, impl):
    f = Family(name, impl, columns, shared)
    i, j = f.rows, f.cols
    cols = (columns,) if columns else ()

    @jax.jit
    def carried(w, x, ct):
        out, back = jax.vjp(f.matvec, w, x)
        return out, *back(ct)

    @jax.jit
    def returned(w, y, ct):
        out, back = jax.vjp(f.transposed, w, y)
        return out, *back(ct)

    sampled = jax.jit(f.outer)
    rng = np.random.default_rng(1)
    for _ in range(4):
        w = values(rng, *f.shape) if f.weight else np.asarray(rng.choice([2.0, np.inf, np.nan]))
        x, y = values(rng, N, *cols), values(rng, f.m, *cols)
        if name != "diagonal":
            y[2] = np.nan  # where no edge ends
        each = f.each(w)
        with np.errstate(invalid="ignore"):
            out, of_w, of_x = carried(w, x, y)
            check(out, added(f.m, j, times(each, x[i])))
            check(of_x, added(N, i, times(each, y[j])))
            check(of_w, f.of_shape(both(x[i], y[j])))
            out, of_w, of_y = returned(w, y, x)
            check(out, added(N, i, times(each, y[j])))
            check(of_y, added(f.m, j, times(each, x[i])))
            check(of_w, f.of_shape(both(x[i], y[j])))
            products = both(x[i], y[j])
            want = np.r_[products.sum(1) if columns else products, np.zeros(int(np.prod(f.shape)) - f.edges)]
            check(sampled(x, y), want.reshape(f.shape))
