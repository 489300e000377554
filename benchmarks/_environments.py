"""The peers' virtual environments: one for each set of packages that can live together, outside the repository.

They lie in `npt-peers/peers-NAME` in the user's cache directory, or where the environment variable `NPT_PEERS` says.
A file `ready` in an environment says that its installation was completed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PeerSet:
    """Packages installed together.

    **Arguments:**

    - `pythons`: the Python versions that will do, the preferred one first.
    - `requirements`: what pip installs. The simulators are pinned, since the published numbers are theirs.
    """

    pythons: tuple[str, ...]
    requirements: tuple[str, ...]


SETS = {
    "bp": PeerSet(
        ("3.12", "3.13", "3.11"),
        ("brainpy==2.9.0", "brainevent==0.3.0", "brainstate==0.6.0", "numba==0.68.1", "scipy"),
    ),
    # The last series of BrainPy on its own C++ and Taichi operators. It refuses newer Taichi, NumPy and Python.
    "bp25": PeerSet(
        ("3.11", "3.10"),
        (
            "brainpy==2.5.0",
            "brainpylib==0.3.1",
            "jax==0.4.23",
            "jaxlib==0.4.23",
            "numpy<2",
            "scipy<1.13",
            "taichi==1.7.0",
            "numba",
        ),
    ),
    "jaxley": PeerSet(("3.12", "3.13", "3.11"), ("jaxley==0.14.0", "tridiax==0.2.1", "jax==0.12.0.1")),
    # Brian2 builds Cython modules at run time: hence setuptools.
    "sim": PeerSet(
        ("3.12", "3.13", "3.11"),
        ("brian2==2.10.1", "nest-simulator==3.10.0", "neuron==9.0.2", "cython", "setuptools"),
    ),
}


def root() -> Path:
    """The directory of the environments."""
    if chosen := os.environ.get("NPT_PEERS"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "npt-peers"


def interpreter(name: str) -> Path | None:
    """The Python of a set, or `None` if the set isn't installed."""
    home = root() / f"peers-{name}"
    return home / "bin" / "python" if (home / "ready").exists() else None


def make(name: str) -> bool:
    """Makes the environment of a set, unless it is there.

    **Returns:** whether anything had to be done.

    **Raises:** `RuntimeError` where there is no Python for it; `subprocess.CalledProcessError` where pip fails.
    """
    if interpreter(name) is not None:
        return False
    wanted = SETS[name]
    python = _find_python(wanted.pythons)
    if python is None:
        raise RuntimeError(f"peer set '{name}' needs Python {' or '.join(wanted.pythons)}, and none was found")
    home = root() / f"peers-{name}"
    if home.exists():  # an installation that was broken off
        shutil.rmtree(home)
    home.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, "-m", "venv", home], check=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted.requirements], check=True)
    (home / "ready").touch()
    return True


def _find_python(versions: tuple[str, ...]) -> str | None:
    for version in versions:
        installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        for candidate in (shutil.which(f"python{version}"), *map(str, installed)):
            # A name on the path may be a version manager's stub that runs nothing: try it.
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            if candidate is None:
                continue
            tried = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
            if tried.returncode == 0 and tried.stdout.strip() == version:
                return candidate
    return None
