"""Who takes part: the class that runs each contender, and its environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A contender.

    **Arguments:**

    - `module`, `name`: the class in this package.
    - `title`: the head of its column.
    - `environment`: the peer set (see `benchmarks/_environments.py`) whose Python runs it; `None` is ours.
    - `cores`: how many cores the process may use; `None` is all.
    - `jit_only`: it is another setting of a contender, for connections made just in time.
    - `peer`: whether it is one of those that we compare ourselves with.
    """

    module: str
    name: str
    title: str
    environment: str | None = None
    cores: int | None = None
    jit_only: bool = False
    peer: bool = True


OURS = "neuropytree"
OURS_ONE = "neuropytree-1"
CPP = "cpp"

CONTENDERS = {
    OURS: Entry("_ours", "Ours", "neuropytree", peer=False),
    OURS_ONE: Entry("_ours", "Ours", "one thread", cores=1, peer=False),
    CPP: Entry("_cpp", "Cpp", "C++ loop", peer=False),
    "scipy": Entry("_scipy", "SciPy", "SciPy"),
    "scipy-events": Entry("_scipy", "SciPyEvents", "SciPy, rows picked"),
    "xla": Entry("_xla", "Xla", "XLA scatter"),
    "brainevent": Entry("_brainevent", "Brainevent", "brainevent", "bp"),
    "brainevent-parallel": Entry("_brainevent", "BraineventParallel", "brainevent, parallel", "bp"),
    "brainevent-fcn": Entry("_brainevent", "BraineventFcn", "brainevent, equal rows", "bp"),
    "brainevent-float": Entry("_brainevent", "BraineventFloat", "brainevent, dense", "bp"),
    "brainpy25": Entry("_brainpy25", "BrainPy25", "BrainPy 2.5", "bp25"),
    "brainpy25-events": Entry("_brainpy25", "BrainPy25Events", "BrainPy 2.5, not outdim", "bp25", jit_only=True),
}

#: Those that `--peers` may leave out.
PEERS = tuple(name for name in CONTENDERS if name not in (OURS, OURS_ONE))
