"""How long a call takes, from timed pieces of many calls each."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

#: A timed piece lasts at least this long, so that the clock and one interruption more or less don't matter.
PIECE_S = 0.02
#: And as many times as long as what it takes to begin and end one: a copy of a large array, or fresh memory for results
#: between, whose pages the system gives at the first touch.
ENTRIES = 20
#: But no longer than this for that.
LONGEST_S = 2.0
#: A call that takes longer than this is not held against what it takes to begin one.
ENTRY_S = 1.0
#: Pieces wanted in the budget. More would only find a luckier least.
PIECES = 9
#: A call that takes longer than this the first time is not made again.
LONG_S = 30.0


@dataclass(frozen=True)
class Timing:
    """Microseconds of a call: the least and the median over `pieces` timed pieces of `calls` calls each."""

    best: float
    median: float
    calls: int
    pieces: int


def repetitions(seconds: float, enough: float) -> int:
    """How often what took `seconds` must be repeated to take `enough`."""
    return max(1, math.ceil(enough / max(seconds, 1e-9)))


def measure(
    many: Callable[[int], object],
    *,
    calls: int,
    budget: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Times `many(r)`, which makes `r * calls` calls and waits for the last.

    The first run, which may compile, doesn't count unless it took longer than `LONG_S`. What a piece costs without any
    calls is how much two turns take less than twice one, or `many(0)`, which makes no calls, if that is more. Takes up
    to `PIECES` pieces while they fit in `budget` seconds, and at least one.
    """

    def piece(r: int) -> float:
        begin = clock()
        many(r)
        return clock() - begin

    seconds = piece(1)
    if seconds > LONG_S:
        return Timing(seconds / calls * 1e6, seconds / calls * 1e6, calls, 1)
    count, seconds, entry, enough = 1, piece(1), 0.0, 0.0
    if seconds < ENTRY_S:
        samples = 2 if seconds < PIECE_S else 1
        seconds = min([seconds, *(piece(1) for _ in range(samples - 1))])
        two = min(piece(2) for _ in range(samples))
        entry = max(min(piece(0) for _ in range(3)), 2 * seconds - two)
        enough = max(PIECE_S, min(LONGEST_S, ENTRIES * entry))
    while seconds < enough:
        # Not more than 20 times at once: the first estimate of a microsecond's work is mostly overhead.
        count *= min(20, max(2, repetitions(max(seconds - entry, seconds / 20), enough)))
        seconds = piece(count)
    taken, begin = [seconds], clock()
    while len(taken) < PIECES and clock() - begin + min(taken) < max(budget, 0.0):
        taken.append(piece(count))
    each = [one / (count * calls) * 1e6 for one in taken]
    return Timing(min(each), statistics.median(each), count * calls, len(each))
