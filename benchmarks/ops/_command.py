"""`python -m benchmarks ops`: runs the contenders in turn and writes the tables."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from .. import _documents, _environments, _runner
from . import _cells, _document, _report
from ._cells import Cell
from ._contenders import CONTENDERS, OURS, OURS_ONE, PEERS

#: How often a contender whose process died is started again, after the cell that it died in.
RESTARTS = 4


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    parser = commands.add_parser("ops", help="single operators, ours and the peers' in alternation")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=_size,
        default=list(_cells.SIZES),
        metavar="SIZE",
        help=f"like 4kx80: neurons, connections of each; default {', '.join(_cells.SIZES)}",
    )
    parser.add_argument("--activities", nargs="+", type=_activity, default=list(_cells.ACTIVITIES), metavar="PART")
    parser.add_argument(
        "--operations",
        nargs="+",
        type=one_of(_cells.OPERATIONS),
        default=list(_cells.OPERATIONS),
        metavar="OPERATION",
        help=f"some of {', '.join(_cells.OPERATIONS)}",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        type=one_of(PEERS),
        default=list(PEERS),
        metavar="PEER",
        help=f"some of {', '.join(PEERS)}; none given: ours only",
    )
    parser.add_argument("--repeats", type=int, default=2, help="rounds")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds of timing for a cell in a round")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds that one process may take")
    parser.add_argument("--cache", type=Path, help="a folder for the matrices (to be used again); default a new one")
    parser.add_argument("--json", type=Path, help="write every single result here")
    parser.add_argument(
        "--merge", type=Path, nargs="+", metavar="JSON", help="measure nothing: tables of these results"
    )
    parser.add_argument("--write", action="store_true", help=_documents.WRITE)


def _size(text: str) -> str:
    try:
        return _cells.normalise(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _activity(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"an activity is a part of the neurons, above 0 and at most 1, not {text}")
    return value


def run(options: argparse.Namespace) -> int:
    """The command: the exit status, which is 1 if anything of ours failed or was wrong."""
    if options.merge:
        found = _merged(options.merge)
    else:
        about = {"when": _now(), "machine": _runner.machine()}
        print(_runner.describe_machine(about["machine"]))

        def save(measured: dict) -> None:
            if options.json:
                options.json.write_text(json.dumps(about | measured, indent=1) + "\n")

        if options.cache:
            options.cache.mkdir(parents=True, exist_ok=True)
            found = _measure(options, options.cache, save)
        else:
            # Not in memory: a temporary file system would hold what the contenders need.
            with tempfile.TemporaryDirectory(prefix="npt-ops-", dir=_disk()) as folder:
                found = _measure(options, Path(folder), save)
        found = about | found
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    results = _report.gather(found["results"])
    text = _page(found, results)
    print("\n" + text)
    if options.write:
        keep(found, results)
        page()
    return int(
        any(
            "wrong" in one or "failed" in one
            for by in results.values()
            for name in (OURS, OURS_ONE)
            for one in by.get(name, ())
        )
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _disk() -> str | None:
    return "/var/tmp" if Path("/var/tmp").is_dir() else None


def _page(found: dict, results: _report.Results) -> str:
    head = (
        f"{found['when'][:10]}, {_runner.describe_machine(found['machine'])}; µs of a call, the least of "
        f"{_rounds(results)}. Versions: {_versions(found)}."
    )
    parts = [head, "### Against the targets", _report.summary(results)]
    rows = _report.not_timed(results)
    untimed = [f"{row['contender']}, {row['cells']} cells ({row['where']}): {row['why']}" for row in rows]
    if missing := found["missing"] + untimed:
        parts += ["### Not timed", "\n".join(f"- {line}" for line in missing)]
    return "\n\n".join([*parts, "### All cells", *_report.tables(results)])


def keep(found: dict, results: _report.Results) -> None:
    """Writes the figures into `docs/data`."""
    _documents.write("ops", _document.rows_of(results))
    if untimed := _report.not_timed(results):
        _documents.write("ops-not-timed", untimed)
    machine = _runner.describe_machine(found["machine"])
    _documents.record(
        "ops", date=found["when"][:10], machine=machine, rounds=_rounds(results), versions=_versions(found)
    )


def page() -> None:
    """Puts the table into the page."""
    found = _document.times_of(_documents.read("ops"))
    _documents.put("ops", "ops", _document.overview(found), _document.said(found))


def _versions(found: dict) -> str:
    return ", ".join(f"{name} {' and '.join(known)}" for name, known in sorted(found["versions"].items()))


def _rounds(results: _report.Results) -> str:
    counts = {sum("best" in one for one in said) for by in results.values() for said in by.values()} - {0}
    return " or ".join(map(str, sorted(counts))) + (" round" if counts == {1} else " rounds")


def _merged(paths: list[Path]) -> dict:
    """The results of several runs as one. A cell measured in two of them counts with both."""
    runs = [json.loads(path.read_text()) for path in paths]
    versions: dict[str, set[str]] = {}
    for one in runs:
        for name, known in one["versions"].items():
            versions.setdefault(name, set()).update(known)
    return {
        "when": max(one["when"] for one in runs),
        "machine": max((one["machine"] for one in runs), key=lambda machine: machine["load"]),
        "versions": {name: sorted(known) for name, known in versions.items()},
        "missing": list(dict.fromkeys(line for one in runs for line in one["missing"])),
        "results": [record for one in runs for record in one["results"]],
    }


def _measure(options: argparse.Namespace, cache: Path, save: Callable[[dict], None]) -> dict:
    """Runs all contenders; `save` is given the results so far after each, since a run may take hours."""
    names, pythons, missing = [], {}, []
    for name, entry in CONTENDERS.items():
        if name in PEERS and name not in options.peers:
            continue
        python = sys.executable if entry.environment is None else _environments.interpreter(entry.environment)
        if python is None:
            missing.append(f"{entry.title}: not installed (`python -m benchmarks setup {entry.environment}`)")
            continue
        names.append(name)
        pythons[name] = str(python)
    records: list[dict] = []
    versions: dict[str, set[str]] = {}

    def so_far() -> dict:
        known = {name: sorted(known) for name, known in versions.items()}
        return {"versions": known, "missing": missing, "results": records}

    for size in dict.fromkeys(options.sizes):
        cells = _cells.cells([size], options.activities, options.operations)
        left = {name: [cell for cell in cells if cell.jit or not CONTENDERS[name].jit_only] for name in names}
        for number in range(1, options.repeats + 1):
            for name in names:
                if not left[name]:
                    continue
                said = _contender(name, pythons[name], left[name], cache, options)
                for one in said:
                    if "versions" in one:
                        for package, version in one["versions"].items():
                            versions.setdefault(package, set()).add(version)
                    elif "cell" in one:
                        records.append({"contender": name, "round": number, **one})
                timed = {one["cell"] for one in said if "best" in one}
                left[name] = [cell for cell in left[name] if cell.key in timed]
                print(f"  {size} round {number}/{options.repeats} {name}: {len(timed)} cells timed", flush=True)
                save(so_far())
        for file in cache.glob(f"*{size}-*.npy"):
            if not options.cache:
                file.unlink()
    return so_far()


def _contender(name: str, python: str, cells: list[Cell], cache: Path, options: argparse.Namespace) -> list[dict]:
    """What one contender says about the cells, in as many processes as it takes."""
    said: list[dict] = []
    left = list(cells)
    for _ in range(1 + RESTARTS):
        listed = cache / f"cells-{os.getpid()}.json"
        listed.write_text(json.dumps(_cells.to_json(left)))
        command = [python, "-m", "benchmarks.ops.worker", name, "--cells", listed, "--cache", cache]
        job = _runner.Job(name, [*command, "--budget", f"{options.budget:g}"])
        found, failure = _runner.run_lines(job, timeout=options.timeout)
        said += found
        done = {one["cell"] for one in found if "cell" in one}
        begun = [one["begun"] for one in found if "begun" in one]
        left = [cell for cell in left if cell.key not in done]
        if not failure or not left:
            return said
        if not begun:  # it can't be imported, say: so it would go on
            return said + [{"cell": cell.key, "failed": failure} for cell in left]
        said.append({"cell": begun[-1], "failed": failure})
        left = [cell for cell in left if cell.key != begun[-1]]
    return said + [{"cell": cell.key, "failed": "its process died too often"} for cell in left]
