"""The spikes that Brian2 and NEST give for the network on the pages for their users: `python pages.py brian2` (or
`nest`), in an environment that has it, runs the program of the page and writes its part of `pages.json`: pairs of the
number of a step and of a cell, in this order.

A spike of step k has the time k dt in Brian2 and (k + 1) dt in NEST.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np

DATA = Path(__file__).with_suffix(".json")
PAGES = Path(__file__).parents[2] / "docs"
DT = 0.1


def program(simulator: str) -> str:
    """The block of the page that isn't ours."""
    found = re.search(r"^```py\n(.*?)^```$", (PAGES / f"{simulator}.md").read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(f"docs/{simulator}.md has no program")
    return found[1]


def main(simulator: str) -> None:
    space: dict = {}
    exec(program(simulator), space)
    if simulator == "brian2":
        times, cells = np.asarray(space["spikes"].t) * 1e3, np.asarray(space["spikes"].i)
    else:
        events = space["recorder"].events
        times, cells = events["times"] - DT, events["senders"] - 1
    steps = np.rint(times / DT).astype(int)
    pairs = np.c_[steps, cells][np.lexsort((cells, steps))].tolist()
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    version = importlib.import_module(simulator).__version__
    data[simulator] = {"version": str(version), "spikes": pairs}
    DATA.write_text(json.dumps(data, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
