"""BrainPy 2.5, the last series on its own Taichi operators, with the JAX of its time."""

from __future__ import annotations

from pathlib import Path

import brainpy
import brainpy.math as bm
import jax
import jax.numpy as jnp
import numpy as np
import taichi

from ._cells import WEIGHT, Cell
from ._contender import Cached, Contender, Unsupported
from ._inputs import Matrix, cotangent
from ._jax_loop import Loop, gradient_call


class BrainPy25(Contender):
    """`brainpy.math.event.csrmv` and `brainpy.math.jitconn.event_mv_prob_*`."""

    #: The setting `outdim_parallel` of its just-in-time operators.
    outdim_parallel = True

    def __init__(self, cache: Path):
        del cache
        bm.set_platform("cpu")
        version = ".".join(map(str, taichi.__version__))
        self.versions = {"brainpy": brainpy.__version__, "jax": jax.__version__, "taichi": version}
        self._arrays = Cached()

    def check(self, cell: Cell) -> None:
        """Raises `Unsupported` where this way of using the library has no such cell."""
        if cell.operation in ("transposed-csc", "transposed-once", "matmat", "outer"):
            raise Unsupported("it has no such operation")

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Loop:
        self.check(cell)
        shape, backwards = (cell.n, cell.n), not cell.operation.endswith("transposed")
        if matrix is None:
            return self._jit(cell, xs, shape, backwards)
        indices, indptr, per_edge = self._arrays.get(
            (cell.size, cell.per_edge),
            lambda: (
                jnp.asarray(matrix.indices),
                jnp.asarray(matrix.indptr),
                jnp.asarray(matrix.weights) if cell.per_edge else None,
            ),
        )
        weight = per_edge if cell.per_edge else jnp.float32(WEIGHT)

        def product(w, fixed, x):
            return bm.as_jax(bm.event.csrmv(w, *fixed, x, shape=shape, transpose=backwards))

        if cell.operation == "gradient":
            ct = jnp.asarray(cotangent(cell))
            pairs = [(x, ct) for x in xs]
            return Loop(gradient_call(product), (weight, (indices, indptr)), weight.shape, pairs, apart=cell.per_edge)

        def call(operands, acc, x):
            return acc + product(operands[0], operands[1:], x)

        return Loop(call, (weight, indices, indptr), (cell.n,), xs, scan=cell.operation == "empty")

    def _jit(self, cell: Cell, xs: list[np.ndarray], shape: tuple[int, int], backwards: bool) -> Loop:
        function, parameters = {
            "homogeneous": (bm.jitconn.event_mv_prob_homo, (WEIGHT,)),
            "uniform": (bm.jitconn.event_mv_prob_uniform, (0.0, 2 * WEIGHT)),
            "normal": (bm.jitconn.event_mv_prob_normal, (WEIGHT, 0.1)),
        }[cell.weights]
        how = {"seed": 1, "shape": shape, "transpose": backwards, "outdim_parallel": self.outdim_parallel}

        def call(operands, acc, x):
            return acc + bm.as_jax(function(x, *operands, cell.degree / cell.n, **how))

        return Loop(call, tuple(map(jnp.float32, parameters)), (cell.n,), xs)


class BrainPy25Events(BrainPy25):
    """Its just-in-time operators with `outdim_parallel=False`."""

    outdim_parallel = False
