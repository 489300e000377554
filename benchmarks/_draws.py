"""`python -m benchmarks random`: what a random number costs, ours, JAX's and NumPy's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from . import _documents, _runner


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    del one_of
    parser = commands.add_parser("random", help="random numbers: npt.random, jax.random and NumPy in alternation")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000], help="numbers drawn in a step")
    parser.add_argument("--repeats", type=int, default=30, help="rounds")
    parser.add_argument("--cores", type=int, default=1, help="cores that may be used")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds that the process may take")
    parser.add_argument("--write", action="store_true", help=_documents.WRITE)


def run(options: argparse.Namespace) -> int:
    """The command: the exit status."""
    found = _runner.machine()
    print(_runner.describe_machine(found) + "\n")
    sizes = list(map(str, options.sizes))
    arguments = ["--sizes", *sizes, "--rounds", str(options.repeats), "--cores", str(options.cores)]
    job = _runner.Job("random", [sys.executable, "-m", "benchmarks.draws", *arguments])
    lines, failure = _runner.run_lines(job, timeout=options.timeout)
    if failure:
        print(failure, file=sys.stderr)
    if not lines:
        return 1
    versions = ", ".join(f"{package} {version}" for package, version in lines[0]["versions"].items())
    rows = rows_of(lines[1:])
    print(f"{_documents.random_table(rows)}\n\n{versions}; {lines[0]['implementation']}")
    if options.write and not failure:
        _documents.write("random", rows)
        _documents.record(
            "random",
            date=_documents.today(),
            machine=f"{_runner.describe_machine(found)}, of which {options.cores} used",
            rounds=_documents.rounds(options.repeats),
            versions=versions,
        )
        page()
    return int(failure is not None)


def page() -> None:
    """Puts the table into the page."""
    _documents.put("random", "random", _documents.random_table(_documents.read("random")))


def rows_of(lines: list[_runner.Result]) -> list[_documents.Row]:
    """A row for each draw, in ns a number."""
    columns = {"neuropytree": "ours", "jax": "jax.random", "numpy": "numpy"}
    return [
        {"numbers": str(line["n"]), "draw": line["draw"]} | {name: f"{line[who]:.1f}" for name, who in columns.items()}
        for line in lines
    ]
