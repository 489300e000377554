"""The other simulators: which script runs each, in which environment, and how far.

Each script is a process of its own in its own environment; beside the standard library it imports its simulator and
`common.py`, which lies next to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """One way of running the network.

    **Arguments:**

    - `environment`: the peer set (see `benchmarks/_environments.py`) whose Python runs it.
    - `script`: the file in this directory.
    - `arguments`: what is passed beside `--scale` and `--duration`.
    - `limits`: pairs (scale, ms): from this scale on, at most so many simulated ms, where a second would take minutes.
    - `largest`, `why`: the largest scale it is run at, and why no larger one.
    """

    environment: str
    script: str
    arguments: tuple[str, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()
    largest: float = math.inf
    why: str = ""

    def longest(self, scale: float) -> float:
        """The longest run at a scale, in simulated ms."""
        return min((limit for at, limit in self.limits if scale >= at), default=math.inf)

    def command(self, python: Path, scale: float, duration: float) -> list[str | Path]:
        """The command line of one measurement."""
        sizes = ["--scale", f"{scale:g}", "--duration", f"{duration:g}"]
        return [python, HERE / self.script, *self.arguments, *sizes]


_SLOW_BUILD = "its connectivity takes minutes to build"

PEERS = {
    "brian2-cpp": Peer("sim", "coba_brian2.py", ("--mode", "cpp")),
    "brian2-cpp-omp2": Peer("sim", "coba_brian2.py", ("--mode", "cpp", "--threads", "2")),
    "brian2-cpp-f32": Peer("sim", "coba_brian2.py", ("--mode", "cpp", "--float32")),
    "brian2-cpp-omp2-f32": Peer("sim", "coba_brian2.py", ("--mode", "cpp", "--threads", "2", "--float32")),
    "brian2-cython": Peer("sim", "coba_brian2.py", ("--mode", "cython")),
    "brainpy-state": Peer("bp", "coba_brainpy_state.py"),
    "brainpy-dyn": Peer("bp", "coba_brainpy_dyn.py", largest=10, why=_SLOW_BUILD),
    "brainpy-dyn-2.5": Peer("bp25", "coba_brainpy_dyn.py", largest=10, why=_SLOW_BUILD),
    "raw-brainevent": Peer("bp", "coba_raw_brainevent.py", ("--format", "csr")),
    "raw-brainevent-fcn": Peer("bp", "coba_raw_brainevent.py", ("--format", "fcn")),
    "nest": Peer("sim", "coba_nest.py", ("--threads", "2"), limits=((10, 200.0), (100, 20.0))),
}

#: What `python -m benchmarks coba` runs when no peer is named: each simulator at what was its best setting.
DEFAULT = (
    "brian2-cpp",
    "brian2-cpp-omp2",
    "brainpy-state",
    "brainpy-dyn",
    "raw-brainevent",
    "raw-brainevent-fcn",
    "nest",
)
