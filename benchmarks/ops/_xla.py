"""What JAX has without custom kernels: gather, multiply, scatter."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from ._cells import COLUMNS, WEIGHT, Cell
from ._contender import Cached, Contender, Unsupported
from ._inputs import Matrix, cotangent
from ._jax_loop import Loop, gradient_call

#: Values of all edges and columns at once, which is what a gather makes, may take this much memory.
LARGEST_BYTES = 3e9


class Xla(Contender):
    """`acc.at[indices].add(weight * x[rows])`."""

    def __init__(self, cache: Path):
        del cache
        self.versions = {"jax": jax.__version__, "jaxlib": jaxlib.__version__}
        self._arrays = Cached()

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Loop:
        if matrix is None or cell.operation in ("transposed-csc", "transposed-once"):
            raise Unsupported("XLA has no such operation")
        columns = COLUMNS if cell.operation == "matmat" else 1
        if matrix.nnz * columns * 4 > LARGEST_BYTES:
            raise Unsupported(f"its values for all edges take {matrix.nnz * columns * 4 / 1e9:.0f} GB")
        indices, rows, per_edge = self._arrays.get(
            (cell.size, cell.per_edge),
            lambda: (
                jnp.asarray(matrix.indices),
                jnp.asarray(np.repeat(np.arange(matrix.n, dtype=np.int32), matrix.degree)),
                jnp.asarray(matrix.weights) if cell.per_edge else None,
            ),
        )
        weight, n = per_edge if cell.per_edge else jnp.float32(WEIGHT), cell.n
        operands = (weight, indices, rows)
        if cell.operation in ("matvec", "empty"):

            def matvec(operands, acc, x):
                w, indices, rows = operands
                values = w * x.astype(jnp.float32)[rows]
                return acc.at[indices].add(values, mode="promise_in_bounds")

            return Loop(matvec, operands, (n,), xs, scan=cell.operation == "empty")
        if cell.operation == "transposed":

            def transposed(operands, acc, y):
                w, indices, rows = operands
                values = w * y.astype(jnp.float32)[indices]
                return acc.at[rows].add(values, indices_are_sorted=True, mode="promise_in_bounds")

            return Loop(transposed, operands, (n,), xs)
        if cell.operation == "matmat":

            def matmat(operands, acc, x):
                w, indices, rows = operands
                values = (w[:, None] if w.ndim else w) * x.astype(jnp.float32)[rows]
                return acc.at[indices].add(values, mode="promise_in_bounds")

            return Loop(matmat, operands, (n, COLUMNS), xs)
        ct = jnp.asarray(cotangent(cell))
        pairs = [(x, ct) for x in xs]
        if cell.operation == "outer":

            def outer(operands, acc, pair):
                (x, ct), (indices, rows) = pair, operands
                return acc + x.astype(jnp.float32)[rows] * ct[indices]

            return Loop(outer, (indices, rows), (matrix.nnz,), pairs, apart=True)

        def product(w, fixed, x):
            indices, rows = fixed
            values = w * x.astype(jnp.float32)[rows]
            return jnp.zeros(n, jnp.float32).at[indices].add(values, mode="promise_in_bounds")

        return Loop(gradient_call(product), (weight, (indices, rows)), weight.shape, pairs, apart=cell.per_edge)
