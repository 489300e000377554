"""What all scripts of this directory share: the network's parameters, the command line, and the line they print.

Standard library only: it is imported in every peer's environment.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: mV, ms; conductances relative to the leak. `out_degree` is the mean number of targets of a neuron, at every size.
COBA = {
    "v_rest": -60.0,
    "v_th": -50.0,
    "v_reset": -60.0,
    "tau": 20.0,
    "t_ref": 5.0,
    "tau_exc": 5.0,
    "tau_inh": 10.0,
    "e_exc": 0.0,
    "e_inh": -80.0,
    "w_exc": 0.6,
    "w_inh": 6.7,
    "drive": 20.0,
    "v_mean": -55.0,
    "v_sd": 2.0,
    "dt": 0.1,
    "out_degree": 80.0,
}

#: The squid axon: mV, ms, µF/cm², mS/cm², µA/cm². Each neuron has a constant current, drawn uniformly between the two.
HH = {
    "g_na": 120.0,
    "g_k": 36.0,
    "g_l": 0.3,
    "e_na": 50.0,
    "e_k": -77.0,
    "e_l": -54.387,
    "c_m": 1.0,
    "celsius": 6.3,
    "v_init": -65.0,
    "v_th": 0.0,
    "current": (8.0, 12.0),
    "dt": 0.1,
}

#: Traub-Miles cells of 20 000 µm²: mV, ms, pF, nS. The initial values are means and standard deviations.
COBAHH = {
    "c_m": 200.0,
    "area": 20000.0,
    "g_na": 20000.0,
    "g_k": 6000.0,
    "g_l": 10.0,
    "e_na": 50.0,
    "e_k": -90.0,
    "e_l": -60.0,
    "v_sh": -63.0,
    "v_th": -20.0,
    "t_ref": 3.0,
    "tau_exc": 5.0,
    "tau_inh": 10.0,
    "e_exc": 0.0,
    "e_inh": -80.0,
    "w_exc": 6.0,
    "w_inh": 67.0,
    "v_init": (-65.0, 5.0),
    "g_exc_init": (40.0, 15.0),
    "g_inh_init": (200.0, 120.0),
    "dt": 0.1,
    "out_degree": 80.0,
}


def currents(n: int):
    """The constant current of each squid axon (µA/cm²), the same in every simulator."""
    import numpy as np  # in every peer's environment, but not needed by every script

    low, high = HH["current"]
    return np.random.default_rng(1).uniform(low, high, n)


def parts(n: int) -> tuple[int, int, float]:
    """The number of excitatory and of inhibitory neurons of COBAHH, and the connection probability."""
    n_exc = round(0.8 * n)
    return n_exc, n - n_exc, COBAHH["out_degree"] / n


def density(nanosiemens: float) -> float:
    """A conductance of a COBAHH cell as a density (mS/cm²)."""
    return nanosiemens / COBAHH["area"] * 100


def sizes(scale: float) -> tuple[int, int, int, float]:
    """The number of neurons, of excitatory and of inhibitory ones, and the connection probability."""
    n = round(4000 * scale)
    n_exc = round(0.8 * n)
    return n, n_exc, n - n_exc, COBA["out_degree"] / n


def parser(description: str | None) -> argparse.ArgumentParser:
    """The command line that every script has."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--scale", type=float, default=1.0, help="multiples of 4000 neurons")
    result.add_argument("--duration", type=float, default=1000.0, help="simulated ms of the timed run")
    return result


def cells_parser(description: str | None, *, size: int, duration: float) -> argparse.ArgumentParser:
    """The command line of the scripts with conductance-based cells."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--size", type=int, default=size, help="number of neurons")
    result.add_argument("--duration", type=float, default=duration, help="simulated ms of the timed run")
    return result


def steps_of(duration: float) -> int:
    """A duration in steps."""
    return round(duration / COBA["dt"])


class Clock:
    """Seconds since it was made or last asked."""

    def __init__(self) -> None:
        self._then = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last call; starts anew."""
        now = time.perf_counter()
        passed, self._then = now - self._then, now
        return passed


def peak_mb(who: int = resource.RUSAGE_SELF) -> float:
    """The largest resident memory so far, of this process or (`RUSAGE_CHILDREN`) of the largest that has ended."""
    unit = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(who).ru_maxrss / unit


def least(run: Callable[[], T], restore: Callable[[], object] = lambda: None, times: int = 3) -> tuple[float, T]:
    """Seconds of the quickest of some runs from the same start, and what the last gave. `run` waits for its result.

    For seconds after it began a process gets quicker, while the system moves its memory to large pages.
    """
    clock, seconds = Clock(), []
    for _ in range(times):
        restore()
        clock.lap()
        result = run()
        seconds.append(clock.lap())
    return min(seconds), result


def emit(*, versions: dict[str, str], scale: float, duration: float, **measured: Any) -> None:
    """`report` for the network with `4000 * scale` point neurons."""
    report(versions=versions, n=sizes(scale)[0], duration=duration, dt=COBA["dt"], **measured)


def report(
    *,
    versions: dict[str, str],
    n: int,
    duration: float,
    dt: float,
    build_s: float,
    compile_s: float,
    run_s: float,
    spikes: float,
    peak: float | None = None,
    **more: Any,
) -> None:
    """Prints the result as one line of JSON.

    **Arguments:**

    - `build_s`: making the network, connections included, without compiling.
    - `compile_s`: what is spent once before the first step can run: compilers, tracing, preparation.
    - `run_s`: the timed run, warm, from the same start.
    - `spikes`: of all neurons in the timed run.
    - `peak`: peak memory in MB if it isn't this process's.
    """
    result = {
        "versions": {"python": platform.python_version(), **versions},
        "n": n,
        "simulated_ms": duration,
        "steps": round(duration / dt),
        "build_s": round(float(build_s), 4),
        "compile_s": round(float(compile_s), 4),
        "run_s": round(float(run_s), 6),
        "rate_hz": round(float(spikes) / n / (duration * 1e-3), 3),
        "peak_mb": round(peak_mb() if peak is None else peak, 1),
        **more,
    }
    print(json.dumps(result), flush=True)
