"""Random connectivity: every pair with the same probability."""

import math
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Key

from .._arguments import flag
from .._types import fold_key
from ..init import AbstractInitializer
from ._base import AbstractConnector, Weight, check_probability, check_sizes, generator, words_of
from ._csr import CSR

_BLOCK = 1 << 20


class FixedProb(AbstractConnector):
    r"""Connects each (pre, post) pair independently with probability $p$: the Bernoulli law, for every $p$ from 0 to 1.

    In- and out-degrees are binomial, and no pair is connected twice. The edges are drawn as geometric gaps along the
    flattened matrix, so the work is that of the edges and the dense matrix is never made.

    With one weight shared by all edges, `indices` gets room for eight standard deviations more edges than expected: its
    length depends on the sizes and $p$ alone, so networks drawn from different keys share one compiled program. With a
    weight for each edge there is no room, and the arrays have exactly one entry for each edge.

    Inside `jax.jit` or `jax.vmap` a key may be traced: the edges, the same ones, are then drawn on the host when the
    program runs. There is room then in any case, and with a weight for each edge it has weights too.

    **Arguments:**

    - `p`: connection probability.
    - `include_self`: whether neuron `i` may connect to neuron `i`; without it, equal indices are never connected.

    **Raises:** `ValueError` for a `p` outside 0 to 1, for a call without a key, and for more than $2^{31} - 1$ edges.

    Source: the "pairwise Bernoulli" rule of Senk et al. 2022, doi:10.1371/journal.pcbi.1010086.

    !!! example

        ```python
        import jax, neuropytree as npt
        W = npt.connect.FixedProb(0.02)(1000, 800, weight=0.6, key=jax.random.key(0))
        ```
    """

    p: float = eqx.field(static=True)
    include_self: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        check_probability("FixedProb", self.p)
        flag(self.include_self, "include_self")

    def __call__(self, in_size: int, out_size: int, *, weight: Weight = 1.0, key: Key[Array, ""] | None = None) -> CSR:
        check_sizes(in_size, out_size)
        in_size, out_size = int(in_size), int(out_size)  # NumPy's would overflow
        pairs = in_size * out_size
        room = _room(pairs, self.p)
        if room >= 2**31:
            raise ValueError(
                f"FixedProb({self.p}) makes about {pairs * self.p:.3g} edges from {in_size} to {out_size} "
                "neurons; at most 2^31 - 1 fit"
            )
        words, weights_key = words_of(key, "FixedProb"), None if key is None else fold_key(key, "weight")
        per_edge = isinstance(weight, AbstractInitializer) or np.ndim(weight) > 0
        if isinstance(words, Tracer):
            if per_edge and not isinstance(weight, AbstractInitializer):
                raise ValueError(
                    f"weight has shape {np.shape(weight)}, but how many edges FixedProb makes of a key isn't known "
                    "inside jax.jit and jax.vmap: give a number or an initializer"
                )
            indices, indptr = self._later(words, in_size, out_size, room)
        else:
            indices, indptr = self._edges(np.asarray(words), in_size, out_size, room)
            if per_edge:
                indices = indices[: indptr[-1]]
        return CSR(indices, indptr, weight=weight, in_size=in_size, out_size=out_size, key=weights_key)

    def _edges(self, words: np.ndarray, in_size: int, out_size: int, room: int) -> tuple[np.ndarray, np.ndarray]:
        """The index arrays that a key makes."""
        indices, counts = np.zeros(room, np.int32), np.zeros(in_size, np.int32)
        n = 0
        for flat in _bernoulli(generator(words), in_size * out_size, self.p):
            rows, cols = np.divmod(flat, out_size)
            if not self.include_self:
                other = rows != cols
                rows, cols = rows[other], cols[other]
            if n + len(cols) > len(indices):  # beyond eight standard deviations: the law comes before the shape
                indices = np.resize(indices, n + len(cols))
            indices[n : n + len(cols)] = cols
            n += len(cols)
            if len(rows):
                first, last = int(rows[0]), int(rows[-1])
                counts[first : last + 1] += np.bincount(rows - first, minlength=last - first + 1).astype(np.int32)
        indices[n:] = 0
        return indices, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def _later(self, words: Array, in_size: int, out_size: int, room: int) -> tuple[Array, Array]:
        """The same when the program runs, for a key that isn't known before."""

        def draw(words: Any) -> tuple[np.ndarray, np.ndarray]:
            words = np.asarray(words)
            lead = words.shape[:-1]
            indices, indptr = np.zeros((*lead, room), np.int32), np.zeros((*lead, in_size + 1), np.int32)
            for item in np.ndindex(*lead):
                edges, indptr[item] = self._edges(words[item], in_size, out_size, room)
                if len(edges) > room:
                    raise RuntimeError(
                        f"FixedProb({self.p}) drew {len(edges)} edges from {in_size} to {out_size} neurons, more than "
                        f"the {room} that there is room for inside jax.jit and jax.vmap: take another key"
                    )
                indices[item] = edges
            return indices, indptr

        made = (jax.ShapeDtypeStruct((room,), np.int32), jax.ShapeDtypeStruct((in_size + 1,), np.int32))
        return jax.pure_callback(draw, made, words, vmap_method="broadcast_all")


def _room(pairs: int, p: float) -> int:
    if p in (0, 1):
        return int(pairs * p)
    return min(pairs, math.ceil(pairs * p + 8 * math.sqrt(pairs * p * (1 - p)) + 8))


def _bernoulli(rng: np.random.Generator, pairs: int, p: float):
    """Sorted positions of the successes among `pairs` independent trials, block by block."""
    if p == 0 or pairs == 0:
        return
    if p == 1:
        for start in range(0, pairs, _BLOCK):
            yield np.arange(start, min(start + _BLOCK, pairs))
        return
    position = -1
    size = min(_BLOCK, _room(pairs, p))
    while position < pairs:
        # gaps of more than 2^62 pairs can't occur in a matrix that fits; the cut keeps the cast to integers defined
        gaps = np.minimum(np.log1p(-rng.random(size)) / math.log1p(-p), 2.0**62 / size).astype(np.int64) + 1
        flat = position + np.cumsum(gaps)
        position = int(flat[-1])
        yield flat if position < pairs else flat[: np.searchsorted(flat, pairs)]
