"""Geometric gaps from random words by table, in integers: the law of connections made just in time.

The gap from one connection to the next is geometric: minus one, it is at least `g` with probability `(1 - p)**g`. Its
binary digits are then independent, so it is drawn in two parts: `low` from 0 to 2^l - 1 and `high`, in units of 2^l.
Each is drawn by the alias method (Walker 1977) from a table of whole numbers that add up to 2^32, so no probability is
off by more than 2^-32. The last entry of the table of `high` stands for all that is left: no connection among the
next `(2^h - 1) * 2^l` columns; the law being memoryless, another draw goes on from there.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

HEADER = 4  # of a table: `high_bits`, `low_bits`, `block_bits`, nothing; then threshold and alias of each entry


class Gaps(NamedTuple):
    """What of a matrix depends on `p` alone. Columns come in blocks of `2**block_bits`, each with a stream of its own
    for each row."""

    high_bits: int
    low_bits: int
    block_bits: int
    table: np.ndarray


@functools.cache
def gaps(p: float) -> Gaps:
    """The tables for connection probability `p`, above 0 and up to 1."""
    p = max(p, 2.0**-1000)  # below it 8 / p is infinite, and there is no connection in either case
    bits = max(1, math.ceil(math.log2(8 / p)))  # beyond the table with probability below e^-8
    high_bits = min(bits, 10)
    low_bits = min(bits - high_bits, 12)
    # a block has 16 to 32 connections, or up to 128 while it is no more than 4096 columns, and at least 256 columns
    block_bits = min(max(8, math.ceil(math.log2(16 / p)), min(12, math.ceil(math.log2(64 / p)))), 24)
    log_q = math.log1p(-p) if p < 1 else -math.inf
    high = _alias(_truncated(log_q * 2**low_bits, 2**high_bits - 1, rest=True), high_bits)
    low = _alias(_truncated(log_q, 2**low_bits, rest=False), low_bits) if low_bits else np.zeros((0, 2), np.uint32)
    head = np.array([high_bits, low_bits, block_bits, 0], np.uint32)
    return Gaps(high_bits, low_bits, block_bits, np.concatenate([head, high.ravel(), low.ravel()]).view(np.int32))


def _truncated(log_q: float, n: int, *, rest: bool) -> np.ndarray:
    """Probabilities of 0 to `n - 1` under a geometric law, and of the `rest`; without it scaled to add up to 1."""
    if log_q == -math.inf:
        return np.eye(1, n + rest)[0]
    survive = np.exp(log_q * np.arange(n + 1))
    each = survive[:-1] * -math.expm1(log_q)
    return np.append(each, survive[-1]) if rest else each / -math.expm1(log_q * n)


def _alias(probabilities: np.ndarray, bits: int) -> np.ndarray:
    """Threshold and alias of each of `2**bits` values: a word's first bits choose the value, and the rest of it, if
    not below the threshold, the alias instead."""
    size, capacity = 2**bits, 2 ** (32 - bits)
    exact = probabilities / math.fsum(probabilities) * 2.0**32
    weights = np.floor(exact).astype(np.int64)
    largest = np.argsort(weights - exact, kind="stable")  # the largest remainders are rounded up
    weights[largest[: 2**32 - int(weights.sum())]] += 1
    left = weights.tolist()
    table = np.zeros((size, 2), np.uint32)
    small = [i for i in range(size) if left[i] < capacity]
    large = [i for i in range(size) if left[i] >= capacity]
    while small:
        i, j = small.pop(), large[-1]
        table[i] = left[i] << bits, j
        left[j] -= capacity - left[i]
        if left[j] < capacity:
            small.append(large.pop())
    for j in large:  # full: the alias is the value itself
        table[j] = 0, j
    return table
