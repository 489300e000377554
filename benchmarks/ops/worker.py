"""Runs one contender over a list of cells: a process of its own, in the contender's environment.

`python -m benchmarks.ops.worker CONTENDER --cells FILE --cache FOLDER` prints a line of JSON with versions, then two
for each cell: `{"begun": key}`, and `{"cell": key, "best": µs, "median": µs, ...}` or why there is no time.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from . import _inputs
from ._cells import Cell, from_json
from ._contender import Contender, Unsupported
from ._contenders import CONTENDERS
from ._timing import measure


def main() -> None:
    """Reads the command line and works through the cells."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("contender", choices=sorted(CONTENDERS))
    line.add_argument("--cells", type=Path, required=True)
    line.add_argument("--cache", type=Path, required=True)
    line.add_argument("--budget", type=float, default=0.3)
    options = line.parse_args()
    # The Taichi of BrainPy 2.5 prints greetings: results go to a copy of standard output, everything else to errors.
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**found) -> None:
        print(json.dumps(found), file=results, flush=True)

    chosen = CONTENDERS[options.contender]
    if chosen.cores is not None and hasattr(os, "sched_setaffinity"):
        # Before JAX is imported: the size of XLA's pool is the number of cores the process may use.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.cores])
    cells = from_json(json.loads(options.cells.read_text()))
    try:
        module = importlib.import_module(f"benchmarks.ops.{chosen.module}")
        contender: Contender = getattr(module, chosen.name)(options.cache)
    except Unsupported as error:
        for cell in cells:
            say(cell=cell.key, skipped=str(error))
        return
    say(versions={"python": platform.python_version(), **contender.versions})
    matrix = None
    for cell in cells:
        say(begun=cell.key)
        if cell.jit:
            matrix = None
        elif matrix is None or matrix.size != cell.size:
            matrix = None  # two of them may not fit into memory
            gc.collect()
            matrix = _inputs.Matrix(cell.size, options.cache)
        say(cell=cell.key, **run(contender, cell, matrix, options.budget))


def run(contender: Contender, cell: Cell, matrix: _inputs.Matrix | None, budget: float) -> dict:
    """Checks and times a cell: what is said about it."""
    xs = _inputs.events(cell)
    try:
        calls = contender.prepare(cell, matrix, xs)
        found = calls.once()
        if cell.jit:
            wrong = _inputs.jit_difference(cell, found, xs[0])
        else:
            assert matrix is not None
            wrong = _inputs.difference(found, _inputs.expected(cell, matrix, xs[0]))
        if wrong:
            return {"wrong": wrong}
        del found
        timing = measure(calls.many, calls=calls.calls, budget=budget)
    except Unsupported as error:
        return {"skipped": str(error)}
    except Exception as error:  # a peer's failure in one cell is a result of that cell
        said = str(error).strip().splitlines()
        return {"failed": f"{type(error).__name__}: {said[0] if said else 'nothing said'}"[:300]}
    return {
        "best": round(timing.best, 4),
        "median": round(timing.median, 4),
        "calls": timing.calls,
        "pieces": timing.pieces,
    }


if __name__ == "__main__":
    main()
