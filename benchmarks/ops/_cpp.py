"""The plain C++ loops of `loops.cc`, compiled here: one thread, baseline processor."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from ._cells import COLUMNS, Cell
from ._contender import Contender, Unsupported
from ._inputs import Matrix, cotangent

FLAGS = ("-O3", "-march=x86-64", "-std=c++17", "-shared", "-fPIC")
_CODES = {
    "matvec": 0,
    "empty": 0,
    "transposed": 1,
    "transposed-csc": 0,  # of the transposed matrix
    "transposed-once": 2,
    "matmat": 3,
    "outer": 4,
    "gradient": 5,
}


def _pointer(x: np.ndarray | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if x is None else x.ctypes.data)


class Loops:
    """One cell's calls; the loop around them is compiled too."""

    def __init__(self, library: ctypes.CDLL, cell: Cell, matrix: Matrix, xs: list[np.ndarray]):
        self.calls = len(xs)
        shared = cell.operation == "gradient" and not cell.per_edge
        size = {"matmat": cell.n * COLUMNS, "outer": matrix.nnz, "gradient": matrix.nnz}.get(cell.operation, cell.n)
        self._acc = np.zeros(1 if shared else size, np.float32)
        self._shape = (cell.n, COLUMNS) if cell.operation == "matmat" else () if shared else (size,)
        fresh = np.zeros(size, np.float32) if cell.operation == "gradient" and not shared else None
        ct = cotangent(cell) if cell.operation in ("gradient", "outer") else None
        if cell.operation in ("transposed-csc", "transposed-once"):
            indices, indptr, order = matrix.csc()
        else:
            indices, indptr, order = matrix.indices, matrix.indptr, None
        weight = matrix.weight(cell)
        if cell.operation == "transposed-csc" and cell.per_edge:
            weight = weight[order]
        pointers = (ctypes.c_void_p * len(xs))(*(x.ctypes.data for x in xs))
        # The arrays, since C++ has only their addresses.
        self._kept = (indices, indptr, order, weight, ct, fresh, xs, pointers)

        def run(variants: int, turns: int) -> None:
            library.npt_loops(
                6 if shared else _CODES[cell.operation],
                int(not cell.per_edge),
                int(cell.events == "bool"),
                *map(_pointer, (indices, indptr, order, weight, ct, fresh, self._acc)),
                ctypes.c_int64(cell.n),
                pointers,
                ctypes.c_int64(variants),
                ctypes.c_int64(turns),
            )

        self._run = run

    def once(self) -> np.ndarray:
        """The result of one call, on the first events."""
        self._acc[...] = 0
        self._run(1, 1)
        return self._acc.reshape(self._shape)

    def many(self, turns: int) -> None:
        """`turns * self.calls` calls."""
        self._run(self.calls, turns)


class Cpp(Contender):
    """C++, one thread."""

    def __init__(self, cache: Path):
        compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
        if compiler is None:
            raise Unsupported("no C++ compiler was found (set CXX)")
        source, target = Path(__file__).with_name("loops.cc"), cache / f"loops-{os.getpid()}.so"
        subprocess.run([compiler, *FLAGS, str(source), "-o", str(target)], check=True, capture_output=True, text=True)
        self._library = ctypes.CDLL(str(target))
        self._library.npt_loops.restype = None
        target.unlink()
        said = subprocess.run([compiler, "-dumpfullversion"], check=True, capture_output=True, text=True)
        self.versions = {Path(compiler).name: said.stdout.strip()}

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Loops:
        if matrix is None:
            raise Unsupported("there is no loop for connections made just in time")
        return Loops(self._library, cell, matrix, xs)
