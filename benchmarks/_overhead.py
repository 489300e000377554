"""`python -m benchmarks overhead`: `Network` beside loops written by hand over the same operators."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from . import _documents, _runner

#: The forms of the network, by their names in `hand_written`.
FORMS = {
    "projections": "two populations, four projections",
    "merged": "one population, two projections",
}


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    del one_of
    parser = commands.add_parser("overhead", help="Network against hand-written loops over the same operators")
    parser.add_argument("--scale", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--duration", type=float, default=1000.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=900.0)
    parser.add_argument("--write", action="store_true", help=_documents.WRITE)


def run(options: argparse.Namespace) -> int:
    """The command: the exit status."""
    found = _runner.machine()
    print(_runner.describe_machine(found) + "\n")
    rows, failed = [], False
    for scale in options.scale:
        arguments = ["--scale", f"{scale:g}", "--duration", f"{options.duration:g}", "--repeats", str(options.repeats)]
        job = _runner.Job("overhead", [sys.executable, "-m", "benchmarks.hand_written", *arguments])
        try:
            rows += rows_of(_runner.run_job(job, timeout=options.timeout))
        except _runner.JobError as error:
            print(f"{round(4000 * scale)} neurons: {error}", file=sys.stderr)
            failed = True
    if rows:
        print(_documents.overhead_table(rows))
    if options.write and not failed:
        _documents.write("overhead", rows)
        _documents.record(
            "overhead",
            date=_documents.today(),
            machine=_runner.describe_machine(found),
            rounds=_documents.rounds(options.repeats),
            versions="",
        )
        page()
    return int(failed)


def page() -> None:
    """Puts the table into the page."""
    _documents.put("overhead", "overhead", _documents.overhead_table(_documents.read("overhead")))


def rows_of(result: _runner.Result) -> list[_documents.Row]:
    """The rows of one size: medians, and the least."""
    rows = []
    for form, name in FORMS.items():
        row = {"neurons": str(result["n"]), "form": name}
        for column, end in (("by_hand", ""), ("network", ", Network"), ("network_gradients", ", Network, gradients")):
            one = result["forms"][form + end]
            row |= {column: f"{one['median']:.2f}", f"{column}_least": f"{one['least']:.2f}"}
        rows.append(row)
    return rows
