"""Records on disk as plain `.npy` files."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import listing
from ._sink import About, AbstractSink, flat

_ABOUT, _LOG = "about.json", "log.jsonl"


class NpyBlocks(AbstractSink):
    """A folder with a `.npy` file for each record of each block, and a log with a line for each block that is whole.

    Files are written, and forced to disk, before their line in the log. So whatever ends the process, `npt.record.load`
    reads all blocks up to the last line, and nothing else.

    **Arguments:**

    - `folder`: a folder that doesn't exist yet or is empty; or one with the beginning of this run, which ends where
      this part of it starts (`start=sol.steps`) and has the same records: the blocks are added to it.

    **Raises:** by the run, before its first step, `ValueError` for a folder that holds something else.

    !!! example

        ```python
        import tempfile, neuropytree as npt
        folder = tempfile.mkdtemp()
        cells = npt.neurons.LIF(10)
        sol = npt.simulate(cells, cells.init(dt=0.1), 30.0, dt=0.1, duration=100.0, record=["v"],
                           chunk=250, sink=npt.record.NpyBlocks(folder))
        v = npt.record.load(folder)["v"]
        ```
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)

    def begin(self, about: About) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        form = {"format": 1, "dt": about.dt, "intervals": about.intervals}
        if (self.folder / _ABOUT).exists():
            self._check(form, about.start)
        elif any(self.folder.iterdir()):
            raise ValueError(f"folder '{self.folder}' is not empty and holds no run; give another one to NpyBlocks")
        else:
            _write(self.folder / _ABOUT, json.dumps(form | {"start": about.start}, indent=1).encode())
        self._drop_half_written()

    def _check(self, form: Mapping[str, Any], start: int) -> None:
        there = json.loads((self.folder / _ABOUT).read_text())
        different = [name for name in form if there.get(name) != form[name]]
        if different:
            raise ValueError(
                f"folder '{self.folder}' holds a run with another {listing(different)}: {there}; give another folder"
            )
        entries = _entries(self.folder)
        at = entries[-1]["first"] + entries[-1]["steps"] if entries else there["start"]
        if start != at:
            raise ValueError(
                f"folder '{self.folder}' holds a run up to step {at}, and this one starts with step {start}; go on "
                f"with start={at} and the state of that step, or give another folder"
            )

    def _drop_half_written(self) -> None:
        """What a process that was killed has left behind the last whole block."""
        log = self.folder / _LOG
        if log.exists():
            whole = b"".join(line + b"\n" for line in log.read_bytes().split(b"\n")[:-1])
            if log.stat().st_size != len(whole):
                _write(log, whole)
        known = {file for entry in _entries(self.folder) for file in entry["files"].values()}
        for file in self.folder.glob("block-*.npy*"):
            if file.name not in known:
                file.unlink()

    def write(self, first: int, steps: int, records: dict[str, Any]) -> None:
        files = {}
        for n, (name, array) in enumerate(flat(records).items()):
            files[name] = f"block-{first:010d}-{n:03d}.npy"
            with open(self.folder / files[name], "wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        _sync(self.folder)
        with open(self.folder / _LOG, "ab") as log:
            log.write(json.dumps({"first": first, "steps": steps, "files": files}).encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())

    def end(self) -> None:
        _sync(self.folder)


class Blocks(Mapping[str, np.ndarray]):
    """The records in a folder of `NpyBlocks`: `blocks["E.v"]` is all of one record, read when it is asked for.

    Of a list of events there are `"E.spike/steps"`, `"E.spike/indices"` and, unless they are booleans,
    `"E.spike/values"`.

    - `dt`: length of a step (ms).
    - `start`, `n_steps`: the first step, and how many there are.
    """

    def __init__(self, folder: Path):
        about = json.loads((folder / _ABOUT).read_text())
        self.folder, self.dt, self.start = folder, float(about["dt"]), int(about["start"])
        self._intervals, self._log = about["intervals"], _entries(folder)
        self.n_steps = sum(entry["steps"] for entry in self._log)

    def times(self, name: str) -> np.ndarray:
        """Times (ms) of a record, the ends of their steps."""
        interval = self._intervals[name.split("/")[0]]
        if interval == 0:
            return (self[f"{name.split('/')[0]}/steps"].astype(np.float64) + 1) * self.dt
        return (self.start + interval * np.arange(1, self.n_steps // interval + 1, dtype=np.float64)) * self.dt

    def blocks(self, name: str) -> list[np.ndarray]:
        """The blocks of a record, as arrays that are read from disk where they are looked at."""
        return [np.load(self.folder / entry["files"][name], mmap_mode="r") for entry in self._log]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names():
            raise KeyError(f"'{name}' is not in '{self.folder}', which has {listing(self._names())}")
        return np.concatenate(self.blocks(name))

    def _names(self) -> list[str]:
        return list(self._log[0]["files"]) if self._log else []

    def __iter__(self) -> Any:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


def load(folder: str | os.PathLike[str]) -> Blocks:
    """The records that a run has written to a folder by `NpyBlocks`, also while it goes on or after it was killed.

    **Raises:** `FileNotFoundError` for a folder without a run.

    !!! example

        ```python
        import tempfile, neuropytree as npt
        folder = tempfile.mkdtemp()
        cells = npt.neurons.LIF(10)
        npt.simulate(cells, cells.init(dt=0.1), 30.0, dt=0.1, duration=10.0, record=["v"], chunk=50,
                     sink=npt.record.NpyBlocks(folder))
        npt.record.load(folder)["v"].shape  # (100, 10)
        ```
    """
    folder = Path(folder)
    if not (folder / _ABOUT).exists():
        raise FileNotFoundError(f"'{folder}' holds no run that npt.record.NpyBlocks has written")
    return Blocks(folder)


def _entries(folder: Path) -> list[dict[str, Any]]:
    """The blocks that are whole. The last line may have been cut off."""
    log = folder / _LOG
    return [json.loads(line) for line in log.read_bytes().split(b"\n")[:-1]] if log.exists() else []


def _write(path: Path, data: bytes) -> None:
    """All of a file, or none of it."""
    new = path.with_suffix(path.suffix + ".new")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Forces the names in a folder to disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
