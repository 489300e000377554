"""The same inputs for every contender, made by NumPy from a seed that is the cell's name, and the results expected."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np

from ._cells import COLUMNS, RATE, WEIGHT, Cell, parse_size

#: Results may differ by rounding of float32 sums over thousands of terms in another order.
RTOL = 1e-4


def generator(name: str) -> np.random.Generator:
    """The random numbers that belong to a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


class Matrix:
    """CSR arrays in memory: exactly `degree` connections a row, columns ascending, some of them twice.

    The arrays are made once for each size and kept in `cache`, which the processes share.
    """

    def __init__(self, size: str, cache: Path):
        self.size, self.cache = size, cache
        self.n, self.degree = parse_size(size)
        self.nnz = self.n * self.degree
        self.indices = self._kept("indices", self._draw_indices)
        self.indptr = np.arange(0, self.nnz + 1, self.degree, dtype=np.int32)
        self._weights: np.ndarray | None = None
        self._csc: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    @property
    def weights(self) -> np.ndarray:
        """One weight for each edge."""
        if self._weights is None:
            self._weights = self._kept(
                "weights", lambda: generator(f"{self.size} weights").random(self.nnz, np.float32)
            )
        return self._weights

    def weight(self, cell: Cell) -> np.ndarray:
        """The weights of a cell: an array of shape `()` or one for each edge."""
        return self.weights if cell.per_edge else np.asarray(WEIGHT, np.float32)

    def csc(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, column pointers, and the place in CSR order of each entry: the matrix by columns."""
        if self._csc is None:
            counts = np.bincount(self.indices, minlength=self.n)
            indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
            order = self._kept("csc-order", lambda: np.argsort(self.indices, kind="stable").astype(np.int32))
            self._csc = (order // np.int32(self.degree)).astype(np.int32), indptr, order
        return self._csc

    def _draw_indices(self) -> np.ndarray:
        drawn = generator(f"{self.size} indices").integers(0, self.n, (self.n, self.degree), dtype=np.int32)
        drawn.sort(axis=1)
        return drawn.reshape(-1)

    def _kept(self, what: str, make) -> np.ndarray:
        return kept(self.cache / f"{self.size}-{what}.npy", make)


def kept(path: Path, make) -> np.ndarray:
    """The array in a file, which is made if it isn't there."""
    if path.exists():
        return np.load(path)
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: a process that is stopped meanwhile must not leave half of it.
    partial = path.with_name(f"{os.getpid()}-{path.name}")
    np.save(partial, value)
    partial.replace(path)
    return value


def events(cell: Cell) -> list[np.ndarray]:
    """The event arrays of a cell, `cell.variants` of them; of shape `(n, COLUMNS)` for `matmat`.

    Those with boolean and with float events have the same entries, and exactly the part that `activity` says.
    """
    rng = generator(f"{cell.operation} {cell.size} {cell.activity:g} events")
    dtype = np.bool_ if cell.events == "bool" else np.float32
    result = []
    for _ in range(cell.variants):
        if cell.operation == "matmat":
            active = rng.random((cell.n, COLUMNS), np.float32) < cell.activity
        else:
            active = np.zeros(cell.n, np.bool_)
            active[rng.permutation(cell.n)[: round(cell.activity * cell.n)]] = True
        result.append(active.astype(dtype))
    return result


def cotangent(cell: Cell) -> np.ndarray:
    """What the gradient is taken against: a value for each postsynaptic neuron, none of them zero."""
    return generator(f"{cell.size} cotangent").uniform(0.5, 1.5, cell.n).astype(np.float32)


def expected(cell: Cell, matrix: Matrix, x: np.ndarray) -> np.ndarray:
    """What one call must give, by SciPy (the gradient of per-edge weights by NumPy).

    A step along the gradient of a shared weight has shape `()`; along that of per-edge weights, an entry for each edge.
    """
    if cell.operation in ("gradient", "outer") and cell.per_edge:
        # One gradient of this size is 400 MB at the largest: cheaper to make again than to keep.
        each = np.repeat(x.astype(np.float32), matrix.degree) * cotangent(cell)[matrix.indices]
        return each if cell.operation == "outer" else -np.float32(RATE) * each
    name = f"{cell.operation}-{cell.size}-{cell.activity:g}-{cell.weights}-expected.npy"
    return kept(matrix.cache / name, lambda: _product(cell, matrix, x))


def _product(cell: Cell, matrix: Matrix, x: np.ndarray) -> np.ndarray:
    import scipy.sparse

    data = matrix.weights if cell.per_edge else np.full(matrix.nnz, WEIGHT, np.float32)
    if cell.operation == "gradient":
        data = np.ones(matrix.nnz, np.float32)
    m = scipy.sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=(matrix.n, matrix.n))
    x = x.astype(np.float32)
    if cell.operation == "gradient":
        return np.asarray(-RATE * np.dot((m @ cotangent(cell)).astype(np.float64), x))
    return m @ x if cell.operation.startswith("transposed") else m.T @ x


def difference(found: np.ndarray, wanted: np.ndarray) -> str | None:
    """Why a result is not the one expected, or `None` if it is."""
    found = np.asarray(found)
    if found.shape != wanted.shape:
        return f"its shape is {found.shape}, and should be {wanted.shape}"
    if wanted.size == 0:
        return None
    # In slices: the arrays may have 10^8 entries, and memory is for the contender.
    found, wanted = found.reshape(-1), wanted.reshape(-1)
    scale, worst = float(np.max(np.abs(wanted))), 0.0
    for begin in range(0, wanted.size, 1 << 22):
        a, b = found[begin : begin + (1 << 22)], wanted[begin : begin + (1 << 22)]
        here = float(np.max(np.abs(a - b) / (np.abs(b) + 1e-3 * scale + 1e-30)))
        if not np.isfinite(here):
            return "it isn't finite"
        worst = max(worst, here)
    return f"it is off by {worst:.1g} of the value" if worst > RTOL else None


def jit_difference(cell: Cell, found: np.ndarray, x: np.ndarray) -> str | None:
    """The same for just-in-time connections, which every library draws in its own way: the mean must be right."""
    mean = float(np.mean(np.asarray(found), dtype=np.float64))
    wanted = cell.degree * float(np.mean(x, dtype=np.float64)) * WEIGHT
    # At least 80 000 connections act in the smallest cell, so their number has a deviation below 0.4 %.
    if not np.isfinite(mean) or abs(mean - wanted) > 0.02 * wanted:
        return f"its mean is {mean:.4g}, and should be near {wanted:.4g}"
    return None
