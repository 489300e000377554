"""Delays whose rounding tells simulators apart, and the file that the scripts of NEST and Brian2 write. NumPy only.

`delays.json` has for each simulator

- `emitted`: the time (ms) that it gives to the spike of the sending cell, a cell like any other;
- `first`: for each of `DELAYS`, the time that its monitors give to the first value that isn't zero, of an exponential
  current and of a voltage that jumps (`null` where it refuses the delay);
- `steps`: the same as m, the number of steps from emission to arrival: what is sent in step k is in the state at the
  end of step k + m, so that m = 0 is the end of the step of the spike itself;
- `convention`: how `steps` comes out of the raw times.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_suffix(".json")
DT = 0.1
#: Whole steps, halves, and beside halves: by less than a millionth of a step, by a millionth, by more.
DELAYS = (
    (0.1, 0.14, 0.15, 0.16, 0.2, 0.25, 0.35, 0.45, 0.75, 0.95, 1.05, 1.5, 6.0)
    + (0.14999999999, 0.14999995, 0.149999, 0.1499, 0.1496, 0.1500001, 0.1501)
    + (0.04, 0.049999, 0.05)
)


def save(simulator: str, content: dict[str, Any]) -> None:
    """Puts one simulator's results into the file, beside the other's."""
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    data |= {"dt": DT, "delays": DELAYS, simulator: content}
    DATA.write_text(json.dumps(data, sort_keys=True) + "\n")
