"""brainevent on its CPU kernels (Numba)."""

from __future__ import annotations

from pathlib import Path

import brainevent
import jax
import jax.numpy as jnp
import numba
import numpy as np

from ._cells import COLUMNS, WEIGHT, Cell
from ._contender import Cached, Contender, Unsupported
from ._inputs import Matrix, cotangent
from ._jax_loop import Loop, gradient_call

_EVENT_OPERATIONS = ("empty", "matvec", "transposed", "transposed-csc", "matmat", "gradient")


class Brainevent(Contender):
    """`BinaryArray(x) @ CSR`, as it comes: one thread."""

    def __init__(self, cache: Path):
        del cache
        self.versions = {"brainevent": brainevent.__version__, "jax": jax.__version__, "numba": numba.__version__}
        self._matrix = Cached()

    def wrap(self, x):
        """Events as the library marks them."""
        return brainevent.BinaryArray(x)

    def check(self, cell: Cell) -> None:
        """Raises `Unsupported` where this way of using the library has no such cell."""
        if not cell.jit and cell.operation not in _EVENT_OPERATIONS:
            raise Unsupported("it has no such operation")

    def make(self, cell: Cell, matrix: Matrix):
        """The connections in the library's format."""
        weight = jnp.asarray(matrix.weights if cell.per_edge else np.float32([WEIGHT]))
        arrays = (weight, jnp.asarray(matrix.indices), jnp.asarray(matrix.indptr))
        csr = brainevent.CSR(arrays, shape=(cell.n, cell.n))
        return csr.tocsc() if cell.operation == "transposed-csc" else csr

    def make_jit(self, cell: Cell):
        """Connections made just in time.

        They are drawn by rows or by columns (`corder`), which makes one of the two operations quick. A model has to
        choose; here each operation gets its own.
        """
        shape, p = (cell.n, cell.n), cell.degree / cell.n
        corder = cell.operation == "jit-matvec"
        if cell.weights == "homogeneous":
            return brainevent.JITCScalarR((jnp.float32(WEIGHT), p, 1), shape=shape, corder=corder)
        if cell.weights == "uniform":
            parameters = (jnp.float32(0.0), jnp.float32(2 * WEIGHT), p, 1)
            return brainevent.JITCUniformR(parameters, shape=shape, corder=corder)
        parameters = (jnp.float32(WEIGHT), jnp.float32(0.1), p, 1)
        return brainevent.JITCNormalR(parameters, shape=shape, corder=corder)

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Loop:
        self.check(cell)
        if matrix is None:
            m = self.make_jit(cell)
        else:
            form = "csc" if cell.operation == "transposed-csc" else "csr"
            m = self._matrix.get((cell.size, cell.per_edge, form), lambda: self.make(cell, matrix))
        # Its matrices hold arrays where JAX wants what it can compare, so two of them must not meet in JAX's caches:
        # programs are given their arrays only.
        leaves, tree = jax.tree.flatten(m)
        wrap = self.wrap

        def rebuilt(leaves):
            return jax.tree.unflatten(tree, leaves)

        if cell.operation.endswith(("matvec", "empty")):
            scan = cell.operation == "empty"
            return Loop(lambda leaves, acc, x: acc + wrap(x) @ rebuilt(leaves), leaves, (cell.n,), xs, scan=scan)
        if "transposed" in cell.operation:
            return Loop(lambda leaves, acc, y: acc + rebuilt(leaves) @ wrap(y), leaves, (cell.n,), xs)
        if cell.operation == "matmat":
            shape = (cell.n, COLUMNS)
            return Loop(lambda leaves, acc, x: acc + rebuilt(leaves).T @ wrap(x), leaves, shape, xs)

        def product(w, leaves, x):
            return wrap(x) @ rebuilt(leaves).with_data(w)

        call = gradient_call(product)
        ct = jnp.asarray(cotangent(cell))
        pairs = [(x, ct) for x in xs]
        shape = (m.data.size,) if cell.per_edge else ()

        def flat(operands, acc, pair):  # its equal rows are an array of two dimensions, and its shared weight of one
            return call(operands, acc.reshape(m.data.shape), pair).reshape(shape)

        return Loop(flat, (m.data, leaves), shape, pairs, apart=cell.per_edge)


class BraineventParallel(Brainevent):
    """The same with its setting for parallel kernels, on all cores."""

    def __init__(self, cache: Path):
        super().__init__(cache)
        brainevent.config.set_numba_parallel(True)


class BraineventFcn(Brainevent):
    """Its format for rows of equal length, which is quicker.

    The transposed product is left out: it builds the columns and then runs the kernel of `CSC`, and takes minutes to
    compile for 10^7 connections, which are constants of the program.
    """

    def make(self, cell: Cell, matrix: Matrix):
        shape = (cell.n, matrix.degree)
        weight = jnp.asarray(matrix.weights.reshape(shape) if cell.per_edge else np.float32([WEIGHT]))
        arrays = (weight, jnp.asarray(matrix.indices.reshape(shape)))
        return brainevent.FixedNumPerPre(arrays, shape=(cell.n, cell.n))

    def check(self, cell: Cell) -> None:
        if cell.jit or cell.operation.startswith("transposed"):
            raise Unsupported("this format has no such operation")
        super().check(cell)


class BraineventFloat(Brainevent):
    """`x @ CSR` without event arrays: every edge is visited, which pays where everything is active."""

    def wrap(self, x):
        return x.astype(jnp.float32)

    def check(self, cell: Cell) -> None:
        if cell.events == "bool" or cell.activity < 0.1 or cell.operation == "transposed-csc":
            raise Unsupported("only meant for dense float events")
        super().check(cell)
