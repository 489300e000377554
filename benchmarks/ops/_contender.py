"""What a contender is: something that prepares the calls of a cell."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ._cells import Cell
from ._inputs import Matrix


class Unsupported(Exception):
    """A contender doesn't have this cell; the message says why."""


class Calls(Protocol):
    """The calls of one cell, ready to be made."""

    #: How many calls `many(1)` makes.
    calls: int

    def once(self) -> np.ndarray:
        """The result of one call, on the first events."""
        ...

    def many(self, turns: int) -> None:
        """`turns * self.calls` calls, and waits for the last."""
        ...


class Contender:
    """One library, or one way of using it.

    A subclass takes the folder that the processes share, sets `versions`, and prepares cells.
    """

    #: What takes part, with versions.
    versions: dict[str, str]

    def prepare(self, cell: Cell, matrix: Matrix | None, xs: list[np.ndarray]) -> Calls:
        """The calls of a cell with these events; `matrix` is `None` where connections are made just in time.

        **Raises:** `Unsupported` if it can't do that.
        """
        raise NotImplementedError


class Cached:
    """The last value made, so that the next cell with the same arrays needs no copy of its own, and no two are kept."""

    def __init__(self) -> None:
        self._key, self._value = None, None

    def get(self, key, make):
        """The value for a key; any other is let go first, since memory may not hold two."""
        if key != self._key:
            self._key = self._value = None
            self._value = make()
            self._key = key
        return self._value
