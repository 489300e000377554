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


class CellPeer(Peer):
    """One way of running cells with channels: `scale` is the number of neurons."""

    def command(self, python: Path, scale: float, duration: float) -> list[str | Path]:
        """The command line of one measurement."""
        sizes = ["--size", str(round(scale)), "--duration", f"{duration:g}"]
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

_MEMORY = "its sections would need about 10 GB"
_SLOW_CELLS = "its connectivity takes minutes to build"

#: The networks of `python -m benchmarks cells`, and who runs them.
CELL_PEERS: dict[str, dict[str, CellPeer]] = {
    "hh": {
        "neuron": CellPeer("sim", "hh_neuron.py", limits=((100_000, 50.0),), largest=200_000, why=_MEMORY),
        "neuron-2": CellPeer(
            "sim", "hh_neuron.py", ("--threads", "2"), limits=((100_000, 50.0),), largest=200_000, why=_MEMORY
        ),
        "coreneuron": CellPeer("sim", "hh_neuron.py", ("--core",), largest=200_000, why=_MEMORY),
        "coreneuron-2": CellPeer("sim", "hh_neuron.py", ("--core", "--threads", "2"), largest=200_000, why=_MEMORY),
        "brian2-cpp": CellPeer("sim", "hh_brian2.py", limits=((1_000_000, 20.0),)),
        "brian2-cpp-omp2": CellPeer("sim", "hh_brian2.py", ("--threads", "2"), limits=((1_000_000, 20.0),)),
        "brian2-cpp-omp2-f32": CellPeer("sim", "hh_brian2.py", ("--threads", "2", "--float32")),
        "jaxley": CellPeer("jaxley", "hh_jaxley.py", limits=((1_000_000, 20.0),)),
        "brainpy-state": CellPeer("bp", "hh_brainpy_state.py"),
        "brainpy-dyn": CellPeer("bp", "hh_brainpy_dyn.py"),
        "brainpy-dyn-2.5": CellPeer("bp25", "hh_brainpy_dyn.py"),
    },
    "cobahh": {
        "neuron": CellPeer("sim", "cobahh_neuron.py", largest=10_000, why=_SLOW_CELLS),
        "brian2-cpp": CellPeer("sim", "cobahh_brian2.py"),
        "brian2-cpp-omp2": CellPeer("sim", "cobahh_brian2.py", ("--threads", "2")),
        "brian2-cpp-omp2-f32": CellPeer("sim", "cobahh_brian2.py", ("--threads", "2", "--float32")),
        "brainpy-dyn": CellPeer("bp", "cobahh_brainpy_dyn.py", largest=40_000, why=_SLOW_CELLS),
        "brainpy-dyn-2.5": CellPeer("bp25", "cobahh_brainpy_dyn.py", largest=40_000, why=_SLOW_CELLS),
        "raw-brainevent": CellPeer("bp", "cobahh_raw_brainevent.py"),
        "nest": CellPeer("sim", "cobahh_nest.py", limits=((40_000, 200.0),)),
    },
}
