"""What is measured: a cell is one operation at one size, activity, kind of weights and kind of events."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Columns of the right-hand side of `matmat`.
COLUMNS = 64

#: Of a step of descent along a gradient.
RATE = 0.5

#: Operations on stored connections (CSR), and on connections made just in time.
CSR_OPERATIONS = ("empty", "matvec", "transposed", "transposed-csc", "transposed-once", "matmat", "gradient", "outer")
JIT_OPERATIONS = ("jit-matvec", "jit-transposed")
OPERATIONS = CSR_OPERATIONS + JIT_OPERATIONS

CSR_SIZES = ("4k·80", "10k·1000", "100k·100", "100k·1000", "1M·80")
JIT_SIZES = ("1M·80", "4M·80")
EMPTY_SIZES = ("4k·80",)
SIZES = (*CSR_SIZES, "4M·80")
ACTIVITIES = (0.001, 0.01, 0.1, 1.0)

#: The one weight of homogeneous cells, and the moments of the random ones of just-in-time cells.
WEIGHT = 0.6
JIT_WEIGHTS = ("homogeneous", "uniform", "normal")

#: Operations that differ from others with a weight for each edge only.
PER_EDGE_OPERATIONS = ("transposed-once", "outer")

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}


def parse_size(text: str) -> tuple[int, int]:
    """Neurons on either side and connections of each, from `4k·80` (or `4kx80`, which is easier to type).

    **Raises:** `ValueError` for anything else.
    """
    found = re.fullmatch(r"([1-9]\d*)([kM]?)[·x]([1-9]\d*)", text)
    if not found:
        raise ValueError(f"a size is written like 4k·80 or 4kx80 (neurons, connections of each), not '{text}'")
    neurons, degree = int(found[1]) * _UNITS[found[2]], int(found[3])
    if degree > neurons:
        raise ValueError(f"size '{text}' has more connections for each neuron than there are neurons")
    return neurons, degree


@dataclass(frozen=True)
class Cell:
    """One entry of the table.

    **Arguments:**

    - `operation`: one of `OPERATIONS`.
    - `size`: as `parse_size` reads it, written with `·`.
    - `activity`: the part of the events that aren't zero.
    - `weights`: `homogeneous` or `per-edge`; for just-in-time connections one of `JIT_WEIGHTS`.
    - `events`: `bool` or `float`. Float events are 0 and 1 too: then peers for which a float is only a spike or none
      may use their quicker kernel.
    """

    operation: str
    size: str
    activity: float
    weights: str
    events: str

    @property
    def key(self) -> str:
        """Its name in results; two cells never share one."""
        return f"{self.operation}/{self.size}/{self.activity:g}/{self.weights}/{self.events}"

    @classmethod
    def from_key(cls, key: str) -> Cell:
        """The cell of that name."""
        operation, size, activity, weights, events = key.split("/")
        return cls(operation, size, float(activity), weights, events)

    @property
    def n(self) -> int:
        """Neurons on either side."""
        return parse_size(self.size)[0]

    @property
    def degree(self) -> int:
        """Connections of each presynaptic neuron."""
        return parse_size(self.size)[1]

    @property
    def jit(self) -> bool:
        """Whether its connections are made just in time."""
        return self.operation in JIT_OPERATIONS

    @property
    def per_edge(self) -> bool:
        """Whether it needs one weight for each edge."""
        return self.weights == "per-edge"

    @property
    def edges(self) -> int:
        """Products of one call that visits no more than it must."""
        total = self.n * self.degree * (COLUMNS if self.operation == "matmat" else 1)
        return round(total * self.activity)

    @property
    def variants(self) -> int:
        """How many event arrays are used in turn: several where a call is so short that one would stay in cache."""
        total = self.n * self.degree * (COLUMNS if self.operation == "matmat" else 1)
        return 4 if total <= 20_000_000 and self.operation != "empty" else 1


def normalise(size: str) -> str:
    """A size as cells have it."""
    parse_size(size)
    return size.replace("x", "·")


def cells(
    sizes: Iterable[str] = SIZES,
    activities: Sequence[float] = ACTIVITIES,
    operations: Sequence[str] = OPERATIONS,
) -> list[Cell]:
    """The cells of a run, those of a size together.

    The standard sizes have the operations that `CSR_SIZES`, `JIT_SIZES` and `EMPTY_SIZES` give them; others have all.
    The empty call doesn't depend on activity, and `PER_EDGE_OPERATIONS` have per-edge weights only.
    """
    result = []
    for size in map(normalise, sizes):
        for operation in operations:
            standard = JIT_SIZES if operation in JIT_OPERATIONS else CSR_SIZES
            if operation == "empty":
                standard = EMPTY_SIZES
            if size in SIZES and size not in standard:
                continue
            chosen = (0.0,) if operation == "empty" else activities
            if operation in JIT_OPERATIONS:
                weights: tuple[str, ...] = JIT_WEIGHTS
            else:
                weights = ("per-edge",) if operation in PER_EDGE_OPERATIONS else ("homogeneous", "per-edge")
            for kind, events, activity in itertools.product(weights, ("bool", "float"), chosen):
                result.append(Cell(operation, size, activity, kind, events))
    return result


def to_json(chosen: Iterable[Cell]) -> list[dict[str, object]]:
    """Cells as JSON can hold them."""
    return [dataclasses.asdict(cell) for cell in chosen]


def from_json(found: Iterable[dict]) -> list[Cell]:
    """The cells that `to_json` wrote."""
    return [Cell(**one) for one in found]
