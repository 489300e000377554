"""`python -m benchmarks coba`: the E/I conductance network, ours and the peers in alternation."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from . import _documents, _environments, _runner
from .peers import DEFAULT, PEERS

OURS = "neuropytree"
#: The size at which the page has what is not the time of a step.
TYPICAL = "40000"


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    parser = commands.add_parser("coba", help="the E/I conductance network, ours and the peers in alternation")
    parser.add_argument("--scale", type=float, nargs="+", default=[1.0], help="sizes in multiples of 4000 neurons")
    parser.add_argument(
        "--peers",
        nargs="*",
        type=one_of(PEERS),
        default=list(DEFAULT),
        metavar="PEER",
        help=f"some of {', '.join(PEERS)}; none given: ours only",
    )
    parser.add_argument("--duration", type=float, default=1000.0, help="simulated ms of a timed run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds that one process may take")
    parser.add_argument("--json", type=Path, help="write every single result here")
    parser.add_argument("--write", action="store_true", help=_documents.WRITE)


def run(options: argparse.Namespace) -> int:
    """The command: the exit status."""
    found = _runner.machine()
    print(_runner.describe_machine(found))
    everything, rows, raw = [], [], []
    for scale in options.scale:
        n = round(4000 * scale)
        jobs, skipped = _jobs(scale, options)
        print(f"\n{n} neurons")
        measured = _runner.alternate(jobs, repeats=options.repeats, timeout=options.timeout)
        skipped += [f"{name}: {one.failure}" for name, one in measured.items() if one.failure]
        print(f"\n### {n} neurons\n\n{_runner.coba_table(measured, base=OURS)}")
        if skipped:
            print("\nNot in the table: " + "; ".join(skipped) + ".")
        everything += measured.values()
        rows += [{"neurons": n, **row} for row in _documents.measured_rows(measured)]
        raw += [{"name": name, "scale": scale, **result} for name, one in measured.items() for result in one.results]
    versions = _runner.describe_versions(everything)
    print("\n" + versions)
    if options.json:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        options.json.write_text(json.dumps({"when": now, "machine": found, "results": raw}, indent=1) + "\n")
    if options.write:
        _documents.write("coba", rows)
        _documents.record(
            "coba",
            date=_documents.today(),
            machine=_runner.describe_machine(found),
            rounds=_documents.rounds(options.repeats),
            versions=versions,
        )
        page()
    return 1 if any(one.failure for one in everything) else 0


def page() -> None:
    """Puts the table into the page."""
    table = _documents.sizes_table(_documents.read("coba"), base=OURS, typical=TYPICAL)
    _documents.put("coba", "coba", table)


def _jobs(scale: float, options: argparse.Namespace) -> tuple[list[_runner.Job], list[str]]:
    """What is run at a size, and why the rest of the peers aren't."""
    arguments = ["--scale", f"{scale:g}", "--duration", f"{options.duration:g}"]
    jobs, skipped = [_runner.Job(OURS, [sys.executable, "-m", "benchmarks.ours_coba", *arguments])], []
    for name in options.peers:
        peer = PEERS[name]
        python = _environments.interpreter(peer.environment)
        if python is None:
            skipped.append(f"{name}: not installed (`python -m benchmarks setup {peer.environment}`)")
        elif scale > peer.largest:
            skipped.append(f"{name}: not run above {round(4000 * peer.largest)} neurons ({peer.why})")
        else:
            duration = min(options.duration, peer.longest(scale))
            jobs.append(_runner.Job(name, peer.command(python, scale, duration)))
    return jobs, skipped
