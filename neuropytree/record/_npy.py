"""Records on disk as plain `.npy` files."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import listing
from ._events import EventList
from ._sink import About, AbstractSink

_ABOUT, _LOG = "about.json", "log.jsonl"


class NpyBlocks(AbstractSink):
    """A folder with a `.npy` file for each record of each block, and a log with a line for each block that is whole.

    Files are written, and forced to disk, before their line in the log. So whatever ends the process, `npt.record.load`
    reads all blocks up to the last line, and nothing else.

    **Arguments:**

    - `folder`: a folder that doesn't exist yet or is empty; or one with the beginning of this run, which ends where
      this part of it starts (`start=sol.steps`) and has the same records: the blocks are added to it.

    **Raises:** by the run, `ValueError`: before its first step for a folder that holds something else, and before its
    first block is written for records that differ in shape or dtype from those that are there.

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
        self.folder = _path(folder)
        self.forms: dict[str, Any] | None = None

    def begin(self, about: About) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        form = {"format": 2, "dt": about.dt, "intervals": about.intervals}
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
        arrays, lists = _sorted(records)
        forms = {name: [array.dtype.name, *array.shape[1:]] for name, array in arrays.items()}
        self._check_forms(forms | {name: ["events", about["size"]] for name, about in lists.items()})
        files = {}
        for n, (name, array) in enumerate(arrays.items()):
            files[name] = f"block-{first:010d}-{n:03d}.npy"
            with open(self.folder / files[name], "wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        _sync(self.folder)
        entry = {"first": first, "steps": steps, "files": files, "lists": lists}
        with open(self.folder / _LOG, "ab") as log:
            log.write(json.dumps(entry).encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())

    def _check_forms(self, forms: dict[str, Any]) -> None:
        there = self.forms or self._forms_there() or forms
        for name, form in forms.items():
            if there.get(name) != form:
                raise ValueError(
                    f"the record '{name}' is {form}, and in the folder '{self.folder}' {there.get(name)} (dtype and "
                    "shape): it holds another run; give another folder"
                )
        self.forms = forms

    def _forms_there(self) -> dict[str, Any] | None:
        entries = _entries(self.folder)
        if not entries:
            return None
        arrays = {name: np.load(self.folder / file, mmap_mode="r") for name, file in entries[-1]["files"].items()}
        forms = {name: [array.dtype.name, *array.shape[1:]] for name, array in arrays.items()}
        return forms | {name: ["events", about["size"]] for name, about in entries[-1]["lists"].items()}

    def end(self) -> None:
        _sync(self.folder)


def _sorted(records: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a block by their paths, those of a list of events as `"E.spike/steps"` and so on; and the numbers
    of each list."""
    arrays: dict[str, np.ndarray] = {}
    lists = {}
    for name, record in records.items():
        if not isinstance(record, EventList):
            arrays[name] = record
            continue
        fields = {"steps": record.steps, "indices": record.indices, "values": record.values}
        arrays |= {f"{name}/{field}": np.asarray(x) for field, x in fields.items() if x is not None}
        lists[name] = {"count": int(record.count), "size": int(record.size)}
    return arrays, lists


class Blocks(Mapping[str, Any]):
    """The records in a folder of `NpyBlocks`: `blocks["E.v"]` is all of one record, read when it is asked for; of a
    list of events, an `EventList`.

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
        record = self[name] if self._intervals.get(name) == 0 else None
        if isinstance(record, EventList):
            return record.ts
        self._check(name)
        interval = self._intervals[name]
        return (self.start + interval * np.arange(1, self.n_steps // interval + 1, dtype=np.float64)) * self.dt

    def blocks(self, name: str) -> list[Any]:
        """The blocks of a record, as arrays that are read from disk where they are looked at; or lists of such."""
        self._check(name)
        return [self._block(entry, name) for entry in self._log]

    def _block(self, entry: Mapping[str, Any], name: str) -> Any:
        def read(path: str) -> Any:
            file = entry["files"].get(path)
            return None if file is None else np.load(self.folder / file, mmap_mode="r")

        if name not in entry["lists"]:
            return read(name)
        return EventList(
            **{field: read(f"{name}/{field}") for field in ("steps", "indices", "values")},
            count=np.asarray(entry["lists"][name]["count"]),
            size=np.asarray(entry["lists"][name]["size"]),
            start=np.asarray(entry["first"]),
            n_steps=entry["steps"],
            dt=self.dt,
        )

    def _check(self, name: str) -> None:
        if name not in self._names():
            raise KeyError(f"'{name}' is not in '{self.folder}', which has {listing(self._names())}")

    def __getitem__(self, name: str) -> Any:
        blocks = self.blocks(name)
        if not isinstance(blocks[0], EventList):
            return np.concatenate(blocks)
        return EventList(
            steps=np.concatenate([block.steps for block in blocks]),
            indices=np.concatenate([block.indices for block in blocks]),
            values=None if blocks[0].values is None else np.concatenate([block.values for block in blocks]),
            count=np.asarray(sum(int(block.count) for block in blocks)),
            size=blocks[0].size,
            start=np.asarray(self.start),
            n_steps=self.n_steps,
            dt=self.dt,
        )

    def _names(self) -> list[str]:
        if not self._log:
            return []
        return list(
            dict.fromkeys(
                path.rsplit("/", 1)[0] if path.rsplit("/", 1)[0] in self._log[0]["lists"] else path
                for path in self._log[0]["files"]
            )
        )

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
    folder = _path(folder)
    if not (folder / _ABOUT).exists():
        raise FileNotFoundError(f"'{folder}' holds no run that npt.record.NpyBlocks has written")
    return Blocks(folder)


def _path(folder: Any) -> Path:
    """**Raises:** `TypeError` unless it is one."""
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder is {folder!r}; expected a path")
    return Path(folder)


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
