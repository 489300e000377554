"""Runs measurements in processes of their own, in alternation, and makes tables of them.

Keeps to the standard library: a process inherits the high-water mark of its parent's memory until it has grown
beyond it, so the parent must stay small for the peak memory of the children to be theirs.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]

Result = dict[str, Any]

#: Cores that other processes may keep busy on average while one is measured. Threads that spin while they wait for each
#: other (NEST, OpenMP) become ten times slower with one more busy process than there are cores.
DISTURBED = 0.15


class JobError(Exception):
    """A process that ended without a result; the message is what it said last."""


@dataclass(frozen=True)
class Job:
    """A process that prints its result as one line of JSON, the last line of its standard output that is any."""

    name: str
    command: Sequence[str | Path]
    note: str = ""


@dataclass
class Measured:
    """The results of one job, one for each repetition, or why there are none."""

    job: Job
    results: list[Result] = field(default_factory=list)
    failure: str | None = None

    def median(self, key: str) -> float:
        """The median over repetitions."""
        return statistics.median(result[key] for result in self.results)

    def least(self, key: str) -> float:
        """The smallest over repetitions."""
        return min(result[key] for result in self.results)


def run_job(job: Job, *, timeout: float) -> Result:
    """Runs one process to its end.

    **Raises:** `JobError` if it fails, takes longer than `timeout` seconds or prints no result.
    """
    busy, own = _busy_seconds(), _children_seconds()
    begin = time.perf_counter()
    results, failure = run_lines(job, timeout=timeout)
    if failure:
        raise JobError(failure)
    if not results:
        raise JobError("printed no result")
    result = results[-1]
    if busy is not None:
        others = (_busy_seconds() or busy) - busy - (_children_seconds() - own)
        result["others"] = round(max(0.0, others / (time.perf_counter() - begin)), 2)
    if "run_s" in result and "steps" in result:
        result["us_per_step"] = result["run_s"] / result["steps"] * 1e6
    return result


def run_lines(job: Job, *, timeout: float) -> tuple[list[Result], str | None]:
    """Runs one process to its end: all lines of JSON that it printed, and why it failed if it did.

    What a process printed before it failed, or before `timeout` seconds were over, counts.
    """
    # In a session of its own, so that on a timeout the compilers and simulations it started end with it.
    process = subprocess.Popen(
        [str(part) for part in job.command],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    failure = None
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        failure = f"took longer than {timeout:.0f} s"
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
    finally:
        if process.poll() is None:  # an interrupt of ours
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if failure is None and process.returncode != 0:
        said = (errors.strip() or output.strip() or "nothing said").splitlines()[-1]
        failure = f"exit status {process.returncode}: {said}"
    results = []
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                results.append(json.loads(line))
            except json.JSONDecodeError:  # half a line, of a process that was stopped, or no result at all
                continue
    return results, failure


def _busy_seconds() -> float | None:
    """Processor seconds that the machine has spent on anything at all, since it started."""
    try:
        counts = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except OSError:  # not Linux
        return None
    return (sum(counts[:8]) - counts[3] - counts[4]) / os.sysconf("SC_CLK_TCK")  # without idle and waiting for disks


def _children_seconds() -> float:
    """Processor seconds of the processes that this one has started and seen end, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def alternate(
    jobs: Sequence[Job], *, repeats: int, timeout: float, say: Callable[[str], None] = print
) -> dict[str, Measured]:
    """Runs all jobs once, then all of them again, and so on: drift of the machine meets all of them alike.

    A job that fails is left out of the rounds that follow.
    """
    measured = {job.name: Measured(job) for job in jobs}
    for number in range(1, repeats + 1):
        for one in measured.values():
            if one.failure is not None:
                continue
            begin = time.perf_counter()
            try:
                one.results.append(run_job(one.job, timeout=timeout))
            except JobError as error:
                one.failure, outcome = str(error), f"failed: {error}"
            else:
                value = one.results[-1].get("us_per_step")
                outcome = "done" if value is None else f"{value:.2f} µs/step"
                if one.results[-1].get("others", 0) > DISTURBED:
                    outcome += f", disturbed: other work kept {one.results[-1]['others']:.1f} cores busy"
            say(f"  round {number}/{repeats} {one.job.name}: {outcome} ({time.perf_counter() - begin:.0f} s in all)")
    return measured


def coba_table(measured: dict[str, Measured], *, base: str) -> str:
    """The Markdown table of one size; `base` is the job that the others are compared with."""
    head = ["system", "µs/step", "least", "times ours", "build s", "compile s", "peak MB", "rate Hz", "simulated ms"]
    good = [one for one in measured.values() if one.results]
    ours = measured[base].median("us_per_step") if base in measured and measured[base].results else None
    rows = []
    for one in sorted(good, key=lambda one: one.median("us_per_step")):
        value = one.median("us_per_step")
        rows.append(
            [
                f"**{one.job.name}**" if one.job.name == base else one.job.name,
                number(value),
                number(one.least("us_per_step")),
                "–" if ours is None else f"{value / ours:.2f}",
                f"{one.median('build_s'):.2f}",
                f"{one.median('compile_s'):.2f}",
                f"{one.median('peak_mb'):.0f}",
                f"{one.median('rate_hz'):.1f}",
                f"{one.results[0]['simulated_ms']:.0f}",
            ]
        )
    table = markdown(head, rows)
    disturbed = [one.job.name for one in good if any(r.get("others", 0) > DISTURBED for r in one.results)]
    return table + (f"\n\nOther work disturbed: {', '.join(disturbed)}." if disturbed else "")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned in the text too."""
    width = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(width[0]), *(c.rjust(w) for c, w in zip(cells[1:], width[1:], strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width[0], *("-" * (w - 1) + ":" for w in width[1:])]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def machine() -> dict[str, Any]:
    """What the numbers depend on beside the programs."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:  # not Linux
        pass
    # The cores that this process may use: a container or `taskset` may leave fewer than the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": cores, "system": platform.system(), "load": round(os.getloadavg()[0], 2)}


def describe_machine(found: dict[str, Any]) -> str:
    """One line about the machine, and a warning if it was busy."""
    text = f"{found['cpu']}, {found['cores']} cores, {found['system']}"
    # Two jobs on two cores disturb each other by far more than the differences measured here.
    return text + (f" (busy: load {found['load']} at the start)" if found["load"] > 0.5 else "")


def describe_versions(measured: Sequence[Measured]) -> str:
    """One line with every version that took part."""
    versions: dict[str, set[str]] = {}
    for one in measured:
        for result in one.results:
            for name, version in result.get("versions", {}).items():
                versions.setdefault(name, set()).add(version)
    return ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in sorted(versions.items()))


def write_between(path: Path, marker: str, text: str) -> None:
    """Replaces what stands in a file between `<!-- marker -->` and `<!-- /marker -->`.

    **Raises:** `ValueError` if the file doesn't have the two lines.
    """
    content = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, found, rest = content.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"{path} must contain the lines '{begin}' and '{end}'")
    path.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def number(value: float) -> str:
    """A time as the tables have it."""
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
