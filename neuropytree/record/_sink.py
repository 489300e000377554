"""Where the records of a long run go, block by block."""

import abc
from typing import Any, NamedTuple


class About(NamedTuple):
    """What a sink is told before the first block.

    - `dt`: length of a step (ms).
    - `start`: number of the first step.
    - `intervals`: for each record by its name, after how many steps it is taken; 0 for a list of events.
    """

    dt: float
    start: int
    intervals: dict[str, int]


class AbstractSink(abc.ABC):
    """Takes the records of a run in pieces: `npt.simulate(..., chunk=10_000, sink=sink)`.

    `simulate` calls `begin` once, `write` after each piece, and `end` when the run is over, also by an error. It waits
    for `write`, so no more than two blocks are in memory: the one that is written and the one that is computed.

    A record of a variable is an array with time as its first axis. A list of events is the `EventList` of the block.

    !!! example

        ```python
        import neuropytree as npt

        class Total(npt.record.AbstractSink):
            def begin(self, about):
                self.spikes = 0.0

            def write(self, first, steps, records):
                self.spikes += records["spike"].sum()

            def end(self):
                print(self.spikes)

        cells = npt.neurons.LIF(10)
        npt.simulate(
            cells, cells.init(dt=0.1), 30.0, dt=0.1, duration=100.0, record=["spike"], chunk=100, sink=Total()
        )
        ```
    """

    @abc.abstractmethod
    def begin(self, about: About) -> None:
        """Called before the run. Raise an error here if the records can't be taken."""

    @abc.abstractmethod
    def write(self, first: int, steps: int, records: dict[str, Any]) -> None:
        """The records of `steps` steps from number `first` on, in host memory that is the sink's own from now on."""

    @abc.abstractmethod
    def end(self) -> None:
        """Called when nothing more comes."""
