"""SciPy's sparse matrices, called directly: one thread, a new result for each call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
import scipy.sparse

from ._cells import WEIGHT, Cell
from ._contender import Cached, Contender, Unsupported
from ._inputs import Matrix


class Direct:
    """Calls from Python."""

    def __init__(self, call: Callable, xs: list[np.ndarray]):
        self.calls, self._call, self._xs = len(xs), call, xs

    def once(self) -> np.ndarray:
        """The result of the first call."""
        return np.asarray(self._call(self._xs[0]))

    def many(self, turns: int) -> None:
        """`turns * self.calls` calls."""
        for _ in range(turns):
            for x in self._xs:
                self._call(x)


class SciPy(Contender):
    """`m.T @ x`, with the events as float32."""

    def __init__(self, cache: Path):
        del cache
        self.versions = {"scipy": scipy.__version__, "numpy": np.__version__}
        self._matrix, self._csc = Cached(), Cached()

    def _csr(self, cell: Cell, matrix: Matrix):
        data = matrix.weights if cell.per_edge else np.full(matrix.nnz, WEIGHT, np.float32)
        arrays = (data, matrix.indices, matrix.indptr)
        return scipy.sparse.csr_matrix(arrays, shape=(cell.n, cell.n))

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Direct:
        if matrix is None or cell.operation not in ("empty", "matvec", "transposed", "matmat"):
            raise Unsupported("SciPy has no such operation")
        m = self._matrix.get((cell.size, cell.per_edge), lambda: self._csr(cell, matrix))
        if cell.operation != "transposed":
            m = m.T  # a view
        return Direct(lambda x: m @ x.astype(np.float32, copy=False), xs)


class SciPyEvents(SciPy):
    """The rows (or, by columns, the columns) of the active neurons picked out, then summed."""

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Direct:
        if matrix is None or cell.operation not in ("empty", "matvec", "transposed-csc"):
            raise Unsupported("SciPy has no such operation")
        if cell.activity >= 1:
            raise Unsupported("picking out all rows is only slower than not to")
        if cell.operation == "transposed-csc":
            m = self._csc.get((cell.size, cell.per_edge), lambda: self._csr(cell, matrix).tocsc().T)
        else:
            m = self._matrix.get((cell.size, cell.per_edge), lambda: self._csr(cell, matrix))

        def call(x):
            active = np.flatnonzero(x)
            return m[active].T @ x[active].astype(np.float32, copy=False)

        return Direct(call, xs)
