"""How a Brian2 network is measured as a standalone C++ program."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import brian2 as b2
from common import Clock


def measure_standalone(
    build: Callable[[], tuple[b2.Network, b2.SpikeMonitor]], duration: float, threads: int
) -> dict[str, float]:
    """Time of the network's loop as the C++ program takes it itself; its start and its connecting count as building.

    `build` makes the network and a monitor that counts; with `threads` above 0 the program uses OpenMP.
    """
    b2.prefs.devices.cpp_standalone.openmp_threads = threads
    weigh = Path(__file__).with_name("run_and_weigh.py")
    b2.prefs.devices.cpp_standalone.run_cmd_unix = [sys.executable, str(weigh), "./main"]
    directory = tempfile.mkdtemp(prefix="npt-brian2-")
    try:
        b2.set_device("cpp_standalone", build_on_run=False, directory=directory)
        clock = Clock()
        network, monitor = build()
        network.run(duration * b2.ms)
        build_s = clock.lap()
        b2.device.build(directory=directory, compile=True, run=False)
        compile_s = clock.lap()
        b2.device.run(directory=directory, with_output=False, run_args=[])
        whole = clock.lap()
        run_s = first = b2.device._last_run_time
        for _ in range(2):
            b2.device.run(directory=directory, with_output=False, run_args=[])
            run_s = min(run_s, b2.device._last_run_time)
        return {
            "build_s": build_s + whole - first,
            "compile_s": compile_s,
            "run_s": run_s,
            "spikes": monitor.num_spikes,
            "peak": float(Path(directory, "peak_mb").read_text()),
        }
    finally:
        shutil.rmtree(directory, ignore_errors=True)
