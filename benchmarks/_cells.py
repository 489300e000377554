"""`python -m benchmarks cells`: squid axons and the COBAHH network, ours and the peers in alternation."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import _documents, _environments, _runner
from .peers import CELL_PEERS

OURS = "neuropytree"
#: Name of the measurements of ours alone, at growing sizes.
GROWTH = "growth"
#: Neurons and simulated ms, unless said otherwise.
USUAL = {"hh": (100_000, 100.0), "cobahh": (4_000, 1000.0)}
TITLES = {"hh": "Squid axons", "cobahh": "COBAHH"}
#: A growth run has about so many neuron steps, but at least 20 steps: short enough for 10^6 neurons.
GROWTH_WORK = 5e7

Record = dict[str, Any]


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    every = sorted({name for peers in CELL_PEERS.values() for name in peers})
    parser = commands.add_parser("cells", help="neurons with ion channels: squid axons alone, and COBAHH")
    parser.add_argument(
        "--networks",
        nargs="*",
        type=one_of(CELL_PEERS),
        default=list(CELL_PEERS),
        metavar="NETWORK",
        help=f"some of {', '.join(CELL_PEERS)}; none given: only --growth",
    )
    parser.add_argument(
        "--sizes", nargs="+", type=parse_size, metavar="SIZE", help="numbers of neurons such as 1k 100k 1M"
    )
    parser.add_argument(
        "--growth",
        nargs="*",
        type=parse_size,
        default=[10**3, 10**4, 10**5, 10**6],
        metavar="SIZE",
        help="sizes at which our squid axons are run alone; default 1k 10k 100k 1M",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        type=one_of(every),
        default=every,
        metavar="PEER",
        help=f"some of {', '.join(every)}; none given: ours only",
    )
    parser.add_argument("--duration", type=float, help="simulated ms of a timed run; default 100, of COBAHH 1000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds that one process may take")
    parser.add_argument("--json", type=Path, help="write every single result here")
    parser.add_argument(
        "--merge", type=Path, nargs="+", metavar="JSON", help="measure nothing: tables of these results"
    )
    parser.add_argument("--write", action="store_true", help=_documents.WRITE)


def parse_size(text: str) -> int:
    """A number of neurons: digits, `k` for thousands or `M` for millions."""
    found = re.fullmatch(r"(\d+)([kM]?)", text)
    if not found or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"a size is a number of neurons such as 4000, 100k or 1M, not '{text}'")
    return int(found[1]) * {"": 1, "k": 10**3, "M": 10**6}[found[2]]


def run(options: argparse.Namespace) -> int:
    """The command: the exit status, which is 1 if anything failed."""
    parts = [json.loads(path.read_text()) for path in options.merge or ()]
    named = {entry["network"] for part in parts for entry in part["entries"]}
    if not options.merge:
        named = {*options.networks, *([GROWTH] if options.growth else [])}
    if options.write and (lacking := {*TITLES, GROWTH} - named):
        print(f"--write needs every network and the growth; there is no {', '.join(sorted(lacking))}", file=sys.stderr)
        return 2
    parts = parts or [measure(options)]
    text = tables(parts)
    print("\n" + text)
    if options.json and not options.merge:
        options.json.write_text(json.dumps(parts[0], indent=1) + "\n")
    if options.write:
        keep(parts)
        page()
    return 1 if any(entry["failures"] for part in parts for entry in part["entries"]) else 0


def measure(options: argparse.Namespace) -> Record:
    """Runs everything; what `--json` writes."""
    found = _runner.machine()
    print(_runner.describe_machine(found))
    entries = []
    for network in options.networks:
        n_usual, usual = USUAL[network]
        for n in options.sizes or [n_usual]:
            jobs, skipped = [_ours(network, n, options.duration or usual)], []
            for name, peer in CELL_PEERS[network].items():
                if name not in options.peers:
                    continue
                python = _environments.interpreter(peer.environment)
                if python is None:
                    skipped.append(f"{name}: not installed (`python -m benchmarks setup {peer.environment}`)")
                elif n > peer.largest:
                    skipped.append(f"{name}: not run above {round(peer.largest)} neurons ({peer.why})")
                else:
                    duration = min(options.duration or usual, peer.longest(n))
                    jobs.append(_runner.Job(name, peer.command(python, n, duration)))
            entries.append(_alternate(network, n, jobs, skipped, options))
    for n in options.growth:
        steps = max(20, min(2000, round(GROWTH_WORK / n)))
        entries.append(_alternate(GROWTH, n, [_ours("hh", n, steps / 10)], [], options))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"when": now, "machine": found, "entries": entries}


def _alternate(
    network: str, n: int, jobs: list[_runner.Job], skipped: list[str], options: argparse.Namespace
) -> Record:
    print(f"\n{network}, {n} neurons")
    measured = _runner.alternate(jobs, repeats=options.repeats, timeout=options.timeout)
    failures = [f"{name}: {one.failure}" for name, one in measured.items() if one.failure]
    results = {name: one.results for name, one in measured.items()}
    return {"network": network, "n": n, "results": results, "skipped": skipped, "failures": failures}


def _ours(network: str, n: int, duration: float) -> _runner.Job:
    arguments = ["--network", network, "--size", str(n), "--duration", f"{duration:g}"]
    return _runner.Job(OURS, [sys.executable, "-m", "benchmarks.ours_cells", *arguments])


def tables(parts: list[Record]) -> str:
    """The text between the markers, from one or several files of results."""
    entries = _joined([entry for part in parts for entry in part["entries"]])
    everything = [one for entry in entries for one in _measured(entry).values()]
    date, machine, rounds = _provenance(parts, entries)
    pieces = [f"{date}, {machine}; {rounds}. Versions: {_runner.describe_versions(everything)}."]
    for entry in entries:
        if entry["network"] == GROWTH:
            continue
        text = f"### {TITLES[entry['network']]}, {entry['n']} neurons"
        text += "\n\n" + _runner.coba_table(_measured(entry), base=OURS)
        if left_out := entry["skipped"] + entry["failures"]:
            text += "\n\nNot in the table: " + "; ".join(left_out) + "."
        pieces.append(text)
    growth = [_measured(entry)[OURS] for entry in entries if entry["network"] == GROWTH]
    if growth := [one for one in growth if one.results]:
        pieces.append("### Squid axons of ours, growing\n\n" + growth_table(growth))
    return "\n\n".join(pieces)


def keep(parts: list[Record]) -> None:
    """Writes the figures into `docs/data`."""
    entries = _joined([entry for part in parts for entry in part["entries"]])
    rows = [
        {"network": entry["network"], "neurons": entry["n"], **row}
        for entry in entries
        for row in _documents.measured_rows(_measured(entry))
    ]
    _documents.write("cells", rows)
    date, machine, rounds = _provenance(parts, entries)
    versions = _runner.describe_versions([one for entry in entries for one in _measured(entry).values()])
    _documents.record("cells", date=date, machine=machine, rounds=rounds, versions=versions)


def page() -> None:
    """Puts the tables into the page."""
    rows = _documents.read("cells")
    by = {name: [row for row in rows if row["network"] == name] for name in (*TITLES, GROWTH)}
    blocks = [_documents.systems_table(by["hh"], base=OURS), _documents.growth_line(by[GROWTH])]
    for name, more in (("hh", blocks), ("cobahh", [_documents.systems_table(by["cobahh"], base=OURS)])):
        _documents.put(name, "cells", *more)


def _provenance(parts: list[Record], entries: list[Record]) -> tuple[str, str, str]:
    """When, on what and how often was measured."""
    dates = " and ".join(sorted({part["when"][:10] for part in parts}))
    # what else ran is watched during each measurement, which says more than the load at the start of each piece
    machines = " and ".join(sorted({_runner.describe_machine({**part["machine"], "load": 0.0}) for part in parts}))
    counts = sorted({len(entry["results"].get(OURS, ())) for entry in entries})
    return dates, machines, " or ".join(map(str, counts)) + (" round" if counts == [1] else " rounds")


def _joined(entries: list[Record]) -> list[Record]:
    """Entries of the same network and size as one: rounds that were run in pieces.

    A round that other work disturbed counts only for a system that has no other.
    """
    joined: dict[tuple[str, int], Record] = {}
    for entry in entries:
        one = joined.setdefault(
            (entry["network"], entry["n"]),
            {"network": entry["network"], "n": entry["n"], "results": {}, "skipped": [], "failures": []},
        )
        for name, results in entry["results"].items():
            one["results"].setdefault(name, []).extend(results)
        for key in ("skipped", "failures"):
            one[key] += [said for said in entry[key] if said not in one[key]]
    for one in joined.values():
        for name, results in one["results"].items():
            quiet = [result for result in results if result.get("others", 0) <= _runner.DISTURBED]
            one["results"][name] = quiet or results
    return list(joined.values())


def _measured(entry: Record) -> dict[str, _runner.Measured]:
    return {
        name: _runner.Measured(_runner.Job(name, ()), results=results) for name, results in entry["results"].items()
    }


def growth_table(measured: list[_runner.Measured]) -> str:
    """The Markdown table of one model at several sizes."""
    rows = []
    for one in sorted(measured, key=lambda one: one.results[0]["n"]):
        n, value = one.results[0]["n"], one.median("us_per_step")
        least = one.least("us_per_step")
        row = [str(n), f"{value:.1f}", f"{value / n * 1e3:.2f}", f"{least / n * 1e3:.2f}"]
        rows.append([*row, f"{one.median('compile_s'):.2f}", f"{one.median('peak_mb'):.0f}"])
    return _runner.markdown(["neurons", "µs/step", "ns per neuron", "least", "compile s", "peak MB"], rows)
