"""`python -m benchmarks random`: what a random number costs, ours, JAX's and NumPy's."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from . import _runner


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    del one_of
    parser = commands.add_parser("random", help="random numbers: npt.random, jax.random and NumPy in alternation")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000], help="numbers drawn in a step")
    parser.add_argument("--repeats", type=int, default=30, help="rounds")
    parser.add_argument("--cores", type=int, default=1, help="cores that may be used")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds that the process may take")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, between its markers")


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
    text = tables(lines[1:])
    print(f"{text}\n\n{versions}; {lines[0]['implementation']}")
    if options.write and not failure:
        date = datetime.date.today().isoformat()
        head = (
            f"{date}, {_runner.describe_machine(found)}, of which {options.cores} used; ns a number, least of "
            f"{options.repeats} rounds. Versions: {versions}."
        )
        _runner.write_between(options.write, "random table", f"{head}\n\n{text}")
    return int(failure is not None)


def tables(lines: list[_runner.Result]) -> str:
    """A table for each size, with a row for each draw."""
    found = []
    for n in dict.fromkeys(line["n"] for line in lines):
        rows = []
        for line in (line for line in lines if line["n"] == n):
            times = [line[who] for who in ("ours", "jax.random", "numpy")]
            rows.append([line["draw"], *(f"{x:.1f}" for x in times), *(f"{x / times[0]:.1f}" for x in times[1:])])
        head = ["draw", "npt.random", "jax.random", "NumPy", "JAX / ours", "NumPy / ours"]
        found.append(f"### {n} numbers in a step\n\n{_runner.markdown(head, rows)}")
    return "\n\n".join(found)
