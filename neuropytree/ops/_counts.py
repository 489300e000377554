"""How many connections made just in time there are in a block of columns: the binomial law by table, in integers.

Where each pair is connected with probability `p`, the number of connections in a block is binomial, and given their
number they are any of its columns with equal chance. The number is drawn by the alias method (Walker 1977) from a table
of whole numbers that add up to 2^32, so no probability is off by more than 2^-32; which columns is a permutation of
them with keys of its own.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

HEADER = 4  # of a table: `bits`, `least`, `block_bits`, nothing; then threshold and alias of each entry
MOST = 256  # connections in a block


class Counts(NamedTuple):
    """What of a matrix depends on `p` alone. Columns come in blocks of `2**block_bits`; a block has from `least` to
    `least + 2**bits - 1` connections."""

    bits: int
    least: int
    block_bits: int
    table: np.ndarray


@functools.cache
def counts(p: float) -> Counts:
    """The table for connection probability `p`, above 0 and up to 1."""
    p = max(p, 2.0**-1000)  # below it 16 / p is infinite, and there is no connection in either case
    # a block has 16 to 32 connections, or up to 128 while it is no more than 4096 columns, and at least 256 columns
    block_bits = min(max(8, math.ceil(math.log2(16 / p)), min(12, math.ceil(math.log2(64 / p)))), 24)
    law = _binomial(2**block_bits, p)
    likely = np.flatnonzero(law >= 2.0**-33)  # what is less likely would round to 0
    bits = max(1, math.ceil(math.log2(likely[-1] - likely[0] + 1)))
    least = min(int(likely[0]), MOST + 1 - 2**bits)
    head = np.array([bits, least, block_bits, 0], np.uint32)
    entries = _alias(law[least : least + 2**bits], bits, least)
    return Counts(bits, least, block_bits, np.concatenate([head, entries.ravel()]).view(np.int32))


def _binomial(n: int, p: float) -> np.ndarray:
    """The probabilities of 0 to `MOST` of `n`, by the ratio of each to the next."""
    if p == 1:
        return (np.arange(MOST + 1) == n).astype(float)
    k = np.arange(MOST)
    with np.errstate(divide="ignore"):
        ratios = np.log(np.maximum(n - k, 0)) - np.log(k + 1) + math.log(p) - math.log1p(-p)
    log = np.concatenate([[0.0], np.cumsum(ratios)])
    law = np.exp(log - np.max(log))
    return law / math.fsum(law)


def _alias(probabilities: np.ndarray, bits: int, least: int) -> np.ndarray:
    """Threshold and alias of each of `2**bits` values from `least` on: a word's first bits choose the value, and the
    rest of it, if not below the threshold, the alias instead."""
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
        table[i] = left[i] << bits, least + j
        left[j] -= capacity - left[i]
        if left[j] < capacity:
            small.append(large.pop())
    for j in large:  # full: the alias is the value itself
        table[j] = 0, least + j
    return table
