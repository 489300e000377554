"""Calls of every operator with index arrays that were damaged, in a process that they may take down.

`python -m tests.ops.tampered f64` prints how many calls there were, each compared with the edges that remain: those
whose ends are there. Where `indptr` falls, it is not said which row an entry belongs to; the results must be finite.
"""

import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import neuropytree as npt

from ..helpers import random_csr

KINDS = ["huge", "negative", "past the end", "lowest", "bit", "swapped", "constant", "shuffled", "whole"]


def damaged(rng: np.random.Generator, x: np.ndarray, kind: str, end: int) -> np.ndarray:
    """An index array of the same shape with some entries that are wrong."""
    x = x.copy()
    places = rng.integers(0, len(x), rng.integers(1, 4))
    if kind == "swapped":
        a, b = rng.integers(0, len(x), 2)
        x[a], x[b] = x[b], x[a]
    elif kind == "bit":
        x[places] ^= np.int32(1) << rng.integers(0, 31, len(places)).astype(np.int32)
    elif kind == "shuffled":
        rng.shuffle(x)
    elif kind in ("constant", "whole"):
        x[:] = rng.choice([2**31 - 1, -(2**31), -1, end, 2**30, end - 1])
    else:
        x[places] = {"huge": 2**30 + 7, "negative": -rng.integers(1, 1000), "past the end": end, "lowest": -(2**31)}[
            kind
        ]
    return x


def edges_of(indices: np.ndarray, indptr: np.ndarray, n_cols: int):
    """Row, column and entry of each edge that remains; `None` where `indptr` falls."""
    ends = np.clip(indptr.astype(np.int64), 0, len(indices))
    if (np.diff(ends) < 0).any():
        return None
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(ends))
    entries = np.arange(ends[0], ends[-1])
    keep = (indices[entries] >= 0) & (indices[entries] < n_cols)
    return rows[keep], indices[entries][keep], entries[keep]


# one program each, hardly optimised: they run for a moment only
program = functools.partial(jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})


@program
def csr(impl, indices, indptr, edge, x, y, X, Y, few, listed, count):
    """Every operator of CSR arrays."""
    ops, where, m, n, room, dtype = npt.ops, (indices, indptr), len(y), len(x), len(edge), edge.dtype
    zeros = lambda *shape: jnp.zeros(shape, dtype)  # noqa: E731
    shared = jnp.asarray(0.5, dtype)
    matvec = lambda w, x: ops.csr_matvec(w, x, *where, acc=zeros(m), impl=impl)  # noqa: E731
    transposed = lambda w, y: ops.csr_transposed_matvec(w, y, *where, acc=zeros(n), impl=impl)  # noqa: E731
    outer = lambda x, y, acc: ops.csr_outer(x, y, *where, acc=acc, impl=impl)  # noqa: E731
    over = functools.partial(jax.vmap, in_axes=1, out_axes=1)
    out = {
        "on pre": ops.csr_add_on_pre(edge, x, y, *where, w_min=-1e6, w_max=1e6, impl=impl),
        "outer": outer(x, y, jnp.ones(room, dtype)),
        "fresh outer": outer(x, y, zeros(room)),
        "total": jax.grad(lambda w: jnp.sum(matvec(w, x) * y))(shared),
        "columns reduced": ops.csr_reduce_columns(edge, *where, n_cols=m),
        "columns softmax": ops.csr_softmax_columns(edge, *where, n_cols=m),
        "rows softmax": ops.csr_softmax_rows(edge, indptr),
        "listed": _listed(impl, where, edge, few, listed, count, m),
        "matmat": ops.csr_matmat(edge, X, *where, acc=zeros(m, 9), impl=impl),
        "transposed matmat": ops.csr_transposed_matmat(edge, Y, *where, acc=zeros(n, 9), impl=impl),
        "outer matmat": ops.csr_outer_matmat(X, Y, *where, acc=zeros(room), impl=impl),
        "batch": over(lambda x: matvec(edge, x))(X),
        "batch of transposed": over(lambda y: transposed(edge, y))(Y),
        "batch of outer": over(lambda x, y: outer(x, y, zeros(room)))(X, Y),
        "dense": ops.csr_to_dense(edge, *where, n_cols=m),
    }
    for name, w in (("", edge), ("shared ", shared)):
        out |= {f"{name}matvec": matvec(w, x), f"{name}transposed": transposed(w, y)}
        out |= {f"{name}events matvec": matvec(w, x != 0), f"{name}events transposed": transposed(w, y != 0)}
    return out


def _listed(impl, where, edge, x, listed, count, m):
    events = npt.ops.CompactEvents(x, listed, jnp.asarray(count, jnp.int32))
    return npt.ops.csr_matvec_compact(edge, events, *where, acc=jnp.zeros(m, edge.dtype), impl=impl)


@functools.partial(program, static_argnums=(0, 7))
def compact(impl, indices, indptr, edge, x, listed, count, m):
    return _listed(impl, (indices, indptr), edge, x, listed, count, m)


@program
def by_columns(impl, indices, indptr, view, edge, few, many, y, trace):
    options = {"csc": tuple(view), "impl": impl}
    n = len(trace)
    return {
        "transposed": npt.ops.csr_transposed_matvec(
            edge, few, indices, indptr, acc=jnp.zeros(n, edge.dtype), **options
        ),
        "transposed matmat": npt.ops.csr_transposed_matmat(
            edge, many, indices, indptr, acc=jnp.zeros((n, many.shape[1]), edge.dtype), **options
        ),
        "on post": npt.ops.csr_add_on_post(edge, trace, y, *view, w_min=-1e6, w_max=1e6, impl=impl),
    }


class Calls:
    """The operators, each against NumPy's sum over edges."""

    def __init__(self, dtype, impl: str, rng: np.random.Generator):
        self.dtype, self.impl, self.rng, self.count = dtype, impl, rng, 0
        # sums of at most some hundred terms of order one, in another order
        self.tolerance = dict(rtol=1e-9, atol=1e-9) if dtype == np.float64 else dict(rtol=1e-3, atol=1e-3)

    def events(self, *shape, rate: float, boolean: bool = False) -> np.ndarray:
        x = self.rng.normal(size=shape) * (self.rng.random(shape) < rate)
        return x != 0 if boolean else x.astype(self.dtype)

    def same(self, name: str, got, want) -> None:
        self.count += 1
        got = np.asarray(got)
        assert np.isfinite(got).all(), f"{name} by {self.impl} is not finite"
        if want is not None:
            np.testing.assert_allclose(got, want, err_msg=f"{name} by {self.impl}", **self.tolerance)

    def sum(self, size: int, where, values) -> np.ndarray:
        out = np.zeros((size, *values.shape[1:]))
        np.add.at(out, where, values)
        return out

    def csr(self, indices, indptr, n_cols: int) -> None:
        n, m, room, found = len(indptr) - 1, n_cols, len(indices), edges_of(indices, indptr, n_cols)
        i, j, e = (np.asarray(a, int) for a in found or ((), (), ()))
        edge, x, y = self.rng.normal(size=room), self.events(n, rate=0.5), self.events(m, rate=0.7)
        edge, X, Y = edge.astype(self.dtype), self.events(n, 9, rate=0.5), self.events(m, 9, rate=0.5)
        X[::3, 1:] = 0  # rows with few events take a way of their own
        few = self.events(n, rate=0.2)
        fired, listed = np.flatnonzero(few), np.full(n, n, np.int32)
        listed[: len(fired)] = fired
        got = csr(self.impl, jnp.asarray(indices), jnp.asarray(indptr), edge, x, y, X, Y, few, listed, len(fired))
        each, sampled = edge[e], self.sum(room, e, x[i] * y[j])
        want: dict[str, Any] = {
            "on pre": edge + sampled,
            "outer": sampled + 1,
            "fresh outer": sampled,
            "total": (x[i] * y[j]).sum(),
            "columns reduced": self.sum(m, j, each),
            "listed": self.sum(m, j, each * few[i]),
            "matmat": self.sum(m, j, each[:, None] * X[i]),
            "transposed matmat": self.sum(n, i, each[:, None] * Y[j]),
            "outer matmat": self.sum(room, e, (X[i] * Y[j]).sum(1)),
            "batch of outer": self.sum(room, e, X[i] * Y[j]),
            "dense": np.zeros((n, m)),
        }
        want["batch"], want["batch of transposed"] = want["matmat"], want["transposed matmat"]
        np.add.at(want["dense"], (i, j), each)
        for name, w, a, b in (
            ("", each, x, y),
            ("shared ", 0.5, x, y),
            ("events ", each, x != 0, y != 0),
            ("shared events ", 0.5, x != 0, y != 0),
        ):
            want[name + "matvec"] = self.sum(m, j, w * a[i])
            want[name + "transposed"] = self.sum(n, i, w * b[j])
        for name, result in got.items():
            self.same(f"csr: {name}", result, None if found is None else want.get(name))
        # the list damaged too: it says other rows than those with events
        for count in (2**31 - 1, -5, n + 1, n):
            wrong = damaged(self.rng, listed, self.rng.choice(KINDS), n)
            got = compact(self.impl, jnp.asarray(indices), jnp.asarray(indptr), edge, few, wrong, count, m)
            self.same("csr: damaged list", got, None)

    def columns(self, indices, indptr, n_cols: int, view) -> None:
        """A damaged view by columns of a matrix that is whole. The view is used where events are few."""
        n, m, room, dtype = len(indptr) - 1, n_cols, len(indices), self.dtype
        edge = self.rng.normal(size=room).astype(dtype)
        rows, starts, order = view
        found = edges_of(rows, starts, n)
        if found is not None:
            column, row, k = found
            there = (order[k] >= 0) & (order[k] < room)
            column, row, at = column[there], row[there], order[k][there]
        y, trace = self.events(m, rate=0.5), self.rng.normal(size=n).astype(dtype)
        few = self.events(m, rate=0.1), self.events(m, 3, rate=0.1)
        got = by_columns(self.impl, jnp.asarray(indices), jnp.asarray(indptr), view, edge, *few, y, trace)
        for name, Y in zip(("transposed", "transposed matmat"), few, strict=True):
            want = None
            if found is not None and self.impl == "taichi" and np.count_nonzero(Y) <= Y.size // 4:
                want = self.sum(n, row, (edge[at] * Y[column].T).T)
            self.same(f"by columns: {name}", got[name], want)
        want = None
        if found is not None and len(np.unique(at)) == len(at):
            want = edge + self.sum(room, at, trace[row] * y[column])
        self.same("by columns: on post", got["on post"], want)

    def coo(self, rows, cols, n: int, m: int) -> None:
        dtype, impl, given = self.dtype, self.impl, (jnp.asarray(rows), jnp.asarray(cols))
        edge, x, y = self.rng.normal(size=len(rows)).astype(dtype), self.events(n, rate=0.5), self.events(m, rate=0.5)
        e = np.flatnonzero((rows >= 0) & (rows < n) & (cols >= 0) & (cols < m))
        i, j = rows[e], cols[e]
        got = npt.ops.coo_matvec(edge, x, *given, acc=jnp.zeros(m, dtype), impl=impl)
        self.same("coo_matvec", got, self.sum(m, j, edge[e] * x[i]))
        got = npt.ops.coo_transposed_matvec(edge, y, *given, acc=jnp.zeros(n, dtype), impl=impl)
        self.same("coo_transposed_matvec", got, self.sum(n, i, edge[e] * y[j]))
        got = npt.ops.coo_outer(x, y, *given, acc=jnp.zeros(len(rows), dtype), impl=impl)
        self.same("coo_outer", got, self.sum(len(rows), e, x[i] * y[j]))
        npt.ops.coo_to_csr(*given, n_rows=n)[1].block_until_ready()

    def bsr(self, indices, indptr, columns: int, height: int, width: int) -> None:
        dtype, impl = self.dtype, self.impl
        blocks, given = len(indices), (jnp.asarray(indices), jnp.asarray(indptr))
        n, m = (len(indptr) - 1) * height, columns * width
        data = self.rng.normal(size=(blocks, height, width)).astype(dtype)
        found = edges_of(indices, indptr, columns)
        matrix, sampled = np.zeros((n, m)), np.zeros(data.shape)
        x, y = self.events(n, rate=0.1), self.events(m, rate=0.5)
        for r, c, b in zip(*(found or ((), (), ())), strict=True):
            at = np.s_[r * height : (r + 1) * height], np.s_[c * width : (c + 1) * width]
            matrix[at] += data[b]
            sampled[b] += np.outer(x[at[0]], y[at[1]])
        none = lambda x: None if found is None else x  # noqa: E731
        got = npt.ops.bsr_matvec(data, x, *given, acc=jnp.zeros(m, dtype), impl=impl)
        self.same("bsr_matvec", got, none(x @ matrix))
        got = npt.ops.bsr_transposed_matvec(data, y, *given, acc=jnp.zeros(n, dtype), impl=impl)
        self.same("bsr_transposed_matvec", got, none(matrix @ y))
        got = npt.ops.bsr_outer(x, y, *given, acc=jnp.zeros(data.shape, dtype), impl=impl)
        self.same("bsr_outer", got, none(sampled))


def main(dtype) -> None:
    total = 0
    for impl in ("reference", npt.ops.implementation()):
        rng = np.random.default_rng(1)
        calls = Calls(dtype, impl, rng)
        # the second so large that kernels give calls up and go on in parts
        sizes = [(40, 30, 300, KINDS), (300, 250, 40_000, KINDS[::2])]
        for n, m, nnz, kinds in sizes[: 1 + (impl == "taichi")]:
            indices, indptr = random_csr(rng, n, m, nnz, room=5)
            view = [np.asarray(x) for x in npt.ops.csr_to_csc(indices, indptr, m)]
            rows = np.repeat(np.arange(n), np.diff(indptr)).astype(np.int32)
            for kind in kinds:
                calls.csr(damaged(rng, indices, kind, m), indptr, m)
                calls.csr(indices, damaged(rng, indptr, kind, len(indices)), m)
                for k, end in enumerate((n, len(indices), len(indices))):
                    wrong = list(view)
                    wrong[k] = damaged(rng, view[k], kind, end)
                    calls.columns(indices, indptr, m, wrong)
                calls.coo(damaged(rng, rows, kind, n), damaged(rng, indices[: len(rows)], kind, m), n, m)
                calls.bsr(damaged(rng, indices, kind, m), indptr, m, 2, 3)
                calls.bsr(indices, damaged(rng, indptr, kind, len(indices)), m, 2, 3)
            if n == 40:  # shortened: of other shapes, so that all is compiled again
                calls.csr(indices[: len(indices) // 2], indptr, m)
            calls.bsr(indices[: len(indices) // 2], indptr, m, 2, 3)
        total += calls.count
    print(total)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main({"f32": np.float32, "f64": np.float64}[sys.argv[1]])
