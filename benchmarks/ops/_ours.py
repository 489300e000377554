"""This library's operators, on its compiled kernels."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

import neuropytree as npt

from ._cells import COLUMNS, WEIGHT, Cell
from ._contender import Cached, Contender, Unsupported
from ._inputs import Matrix, cotangent
from ._jax_loop import Loop, gradient_call


def _have(module, name: str):
    found = getattr(module, name, None)
    if found is None:
        raise Unsupported(f"this version has no {module.__name__}.{name}")
    return found


class Ours(Contender):
    """neuropytree, `impl="auto"`."""

    def __init__(self, cache: Path):
        del cache
        implementation = npt.ops.implementation()
        if implementation != "taichi":
            raise Unsupported("the kernels aren't built (`python setup.py build_ext`), and the reference isn't timed")
        try:
            version = importlib.metadata.version("neuropytree")
        except importlib.metadata.PackageNotFoundError:  # run from a checkout that isn't installed
            version = "not installed"
        self.versions = {"neuropytree": version, "jax": jax.__version__, "jaxlib": jaxlib.__version__}
        self._arrays, self._csc = Cached(), Cached()

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Loop:
        if matrix is None:
            return _jit_loop(cell, xs)
        if cell.operation in ("transposed-csc", "transposed-once"):
            self._arrays.get(None, lambda: None)
            return self._by_columns(cell, matrix, xs)
        self._csc.get(None, lambda: None)
        wiring = self._arrays.get((cell.size, cell.per_edge), lambda: _wiring(cell, matrix))
        weight, indices, indptr = wiring.weight, wiring.indices, wiring.indptr
        operands, n = (weight, indices, indptr), cell.n
        if cell.operation in ("matvec", "empty"):

            def matvec(operands, acc, x):
                w, indices, indptr = operands
                return npt.ops.csr_matvec(w, x, indices, indptr, acc=acc)

            return Loop(matvec, operands, (n,), xs, scan=cell.operation == "empty")
        if cell.operation == "transposed":

            def transposed(operands, acc, y):
                w, indices, indptr = operands
                return npt.ops.csr_transposed_matvec(w, y, indices, indptr, acc=acc)

            return Loop(transposed, operands, (n,), xs)
        if cell.operation == "matmat":
            csr_matmat = _have(npt.ops, "csr_matmat")

            def matmat(operands, acc, x):
                w, indices, indptr = operands
                return csr_matmat(w, x, indices, indptr, acc=acc)

            return Loop(matmat, operands, (n, COLUMNS), xs)
        ct = jnp.asarray(cotangent(cell))
        pairs = [(x, ct) for x in xs]
        if cell.operation == "outer":

            def outer(operands, acc, pair):
                (x, ct), (indices, indptr) = pair, operands
                return npt.ops.csr_outer(x, ct, indices, indptr, acc=acc)

            return Loop(outer, (indices, indptr), (matrix.nnz,), pairs, apart=True)
        if cell.operation == "gradient":

            def product(w, fixed, x):
                return npt.ops.csr_matvec(w, x, *fixed, acc=jnp.zeros(n, jnp.float32))

            return Loop(gradient_call(product), (weight, (indices, indptr)), weight.shape, pairs, apart=cell.per_edge)
        raise Unsupported(f"'{cell.operation}' isn't written for this contender")

    def _by_columns(self, cell: Cell, matrix: Matrix, xs: list[np.ndarray]) -> Loop:
        # A shared weight needs no second copy: then the view, which has the rows too, is what one would take.
        if cell.per_edge and cell.operation == "transposed-csc":
            wiring = self._csc.get((cell.size, "transposed"), lambda: _wiring(cell, matrix).transposed())
            return Loop(lambda wiring, acc, y: wiring(y, acc), wiring, (cell.n,), xs)
        wiring = self._csc.get((cell.size, cell.per_edge), lambda: _wiring(cell, matrix).with_csc())
        return Loop(lambda wiring, acc, y: wiring.transpose(y, acc), wiring, (cell.n,), xs)


def _wiring(cell: Cell, matrix: Matrix) -> npt.connect.CSR:
    weight = matrix.weights if cell.per_edge else WEIGHT
    return npt.connect.CSR(matrix.indices, matrix.indptr, weight=weight, in_size=cell.n, out_size=cell.n)


def _jit_loop(cell: Cell, xs: list[np.ndarray]) -> Loop:
    rule = _have(npt.connect, "JITFixedProb")
    weight = {
        "homogeneous": WEIGHT,
        "uniform": npt.init.Uniform(0.0, 2 * WEIGHT),
        "normal": npt.init.Normal(WEIGHT, 0.1),
    }[cell.weights]
    wiring = rule(cell.degree / cell.n)(cell.n, cell.n, weight=weight, key=jax.random.key(0))

    # For the transposed product the matrix is drawn from post to pre, as those of the peers are.
    return Loop(lambda wiring, acc, x: wiring(x, acc), wiring, (cell.n,), xs)
