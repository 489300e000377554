"""`python -m benchmarks coba | cells | ops | random | overhead | setup`; see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from . import _cells, _draws, _environments, _runner
from .ops import _command as ops
from .peers import DEFAULT, PEERS

OURS = "neuropytree"


def main() -> int:
    """Reads the command line and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    coba = commands.add_parser("coba", help="the E/I conductance network, ours and the peers in alternation")
    coba.add_argument("--scale", type=float, nargs="+", default=[1.0], help="sizes in multiples of 4000 neurons")
    coba.add_argument(
        "--peers",
        nargs="*",
        type=_one_of(PEERS),
        default=list(DEFAULT),
        metavar="PEER",
        help=f"some of {', '.join(PEERS)}; none given: ours only",
    )
    coba.add_argument("--duration", type=float, default=1000.0, help="simulated ms of a timed run")
    coba.add_argument("--repeats", type=int, default=3)
    coba.add_argument("--timeout", type=float, default=900.0, help="seconds that one process may take")
    coba.add_argument("--json", type=Path, help="write every single result here")
    coba.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, between its markers")

    overhead = commands.add_parser("overhead", help="Network against hand-written loops over the same operators")
    overhead.add_argument("--scale", type=float, nargs="+", default=[1.0, 10.0])
    overhead.add_argument("--duration", type=float, default=1000.0)
    overhead.add_argument("--repeats", type=int, default=5)
    overhead.add_argument("--timeout", type=float, default=900.0)
    overhead.add_argument("--write", type=Path, metavar="PAGE")

    _cells.add_parser(commands, _one_of)
    ops.add_parser(commands, _one_of)
    _draws.add_parser(commands, _one_of)

    setup = commands.add_parser("setup", help="make the peers' virtual environments")
    sets = _one_of(_environments.SETS)
    setup.add_argument(
        "sets", nargs="*", type=sets, metavar="SET", help=f"{', '.join(_environments.SETS)}; default all"
    )

    options = parser.parse_args()
    for scale in getattr(options, "scale", ()):
        # 80 targets a neuron on average: with fewer neurons than that there is no such network.
        if scale * 4000 < 100:
            parser.error(f"--scale {scale:g} is a network of {scale * 4000:.0f} neurons; it needs at least 100")
    if getattr(options, "repeats", 1) < 1:
        parser.error("--repeats must be at least 1")
    commands_of = {"coba": _coba, "cells": _cells.run, "ops": ops.run, "random": _draws.run, "overhead": _overhead}
    commands_of["setup"] = _setup
    return commands_of[options.command](options)


def _one_of(known: Iterable[str]) -> Callable[[str], str]:
    """An argument's type: one of some names. (`choices` would refuse an empty list where none need be given.)"""

    def convert(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"unknown name '{text}'; there are {', '.join(known)}")
        return text

    return convert


def _coba(options: argparse.Namespace) -> int:
    found = _runner.machine()
    print(_runner.describe_machine(found))
    everything, tables, raw = [], [], []
    for scale in options.scale:
        n = round(4000 * scale)
        jobs, skipped = [_ours(scale, options.duration)], []
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
        print(f"\n{n} neurons")
        measured = _runner.alternate(jobs, repeats=options.repeats, timeout=options.timeout)
        skipped += [f"{name}: {one.failure}" for name, one in measured.items() if one.failure]
        text = f"### {n} neurons\n\n{_runner.coba_table(measured, base=OURS)}"
        if skipped:
            text += "\n\nNot in the table: " + "; ".join(skipped) + "."
        print("\n" + text)
        tables.append(text)
        everything += measured.values()
        raw += [{"name": name, "scale": scale, **result} for name, one in measured.items() for result in one.results]
    versions = _runner.describe_versions(everything)
    print("\n" + versions)
    if options.json:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        options.json.write_text(json.dumps({"when": now, "machine": found, "results": raw}, indent=1) + "\n")
    if options.write:
        date = datetime.date.today().isoformat()
        head = f"{date}, {_runner.describe_machine(found)}; {options.repeats} rounds. Versions: {versions}."
        _runner.write_between(options.write, "coba table", "\n\n".join([head, *tables]))
    return 1 if any(one.failure for one in everything) else 0


def _ours(scale: float, duration: float) -> _runner.Job:
    arguments = ["--scale", f"{scale:g}", "--duration", f"{duration:g}"]
    return _runner.Job(OURS, [sys.executable, "-m", "benchmarks.ours_coba", *arguments])


def _overhead(options: argparse.Namespace) -> int:
    found = _runner.machine()
    print(_runner.describe_machine(found) + "\n")
    head = ["neurons", "form", "by hand", "Network, boolean spikes", "ratio", "Network, spikes with gradients", "ratio"]
    names = {
        "projections": "two populations, four projections",
        "merged": "one population, two projections",
    }
    rows, failed = [], False
    for scale in options.scale:
        arguments = ["--scale", f"{scale:g}", "--duration", f"{options.duration:g}", "--repeats", str(options.repeats)]
        job = _runner.Job("overhead", [sys.executable, "-m", "benchmarks.hand_written", *arguments])
        try:
            result = _runner.run_job(job, timeout=options.timeout)
        except _runner.JobError as error:
            print(f"{round(4000 * scale)} neurons: {error}", file=sys.stderr)
            failed = True
            continue
        for form, name in names.items():
            hand, plain, gradients = (result["forms"][form + end] for end in ("", ", Network", ", Network, gradients"))
            row = [str(result["n"]), name, f"{hand['median']:.2f} ({hand['least']:.2f})"]
            for one in (plain, gradients):
                row += [f"{one['median']:.2f} ({one['least']:.2f})", f"{one['median'] / hand['median']:.2f}"]
            rows.append(row)
    table = _runner.markdown(head, rows)
    print(table)
    if options.write and not failed:
        date = datetime.date.today().isoformat()
        text = (
            f"{date}, {_runner.describe_machine(found)}; µs/step, median (least) of {options.repeats} rounds, "
            f"ratios of medians.\n\n{table}"
        )
        _runner.write_between(options.write, "overhead table", text)
    return int(failed)


def _setup(options: argparse.Namespace) -> int:
    failed = False
    for name in options.sets or _environments.SETS:
        print(f"{name}: ", end="", flush=True)
        try:
            print("made" if _environments.make(name) else "already there")
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(f"failed: {error}")
            failed = True
    print(f"environments are in {_environments.root()}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
