"""Random spike trains onto one cell, and the files that hold them with what a simulator made of them. NumPy only.

A file is an `.npz`. Its entry `about` is JSON: who made it, the parameters of the cell, and for each set the step `dt`
and the `seed`. The arrays of a set are called `<set>/<name>`:

- `step`, `train`: one for each spike of the trains, of which train, and its stamp `step * dt`: the end of the step in
  which it is emitted. So it is emitted in step `step - 1`, the first step being 0.
- `delay` (ms) and `weight`, one for each train. Delays are any numbers: how they are rounded is part of the test.
- what the simulator gave; entry k of anything sampled is the value at `(k + 1) * dt`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
HALF = (0.5, 1.5, 2.5, 3.5, 4.5, 7.5, 10.5, 22.5)  # steps


def random_trains(
    seed: int, dt: float, duration: float, *, trains: int, rate: float, weight: tuple[float, float]
) -> dict[str, np.ndarray]:
    """Trains of `rate` Hz from 1 ms to 20 ms before the end, delays between .05 and 6 ms, and of `weight` mean and sd.

    Some delays lie half-way between two steps. Three in ten of the trains inhibit, and are stronger by half.
    """
    rng = np.random.default_rng(seed)
    steps, number = round(duration / dt), rng.poisson(rate * duration * 1e-3, trains)
    step = [np.unique(rng.integers(round(1 / dt), steps - round(20 / dt), n)) for n in number]
    delay = rng.uniform(0.05, 6.0, trains)
    delay[: len(HALF)] = np.round(np.array(HALF) * dt, 6)
    return {
        "step": np.concatenate(step).astype(np.int32),
        "train": np.repeat(np.arange(trains, dtype=np.int32), [len(s) for s in step]),
        "delay": delay,
        "weight": rng.normal(*weight, trains) * np.where(rng.random(trains) < 0.3, -1.5, 1.0),
    }


def save(name: str, about: dict[str, Any], sets: dict[str, dict[str, np.ndarray]]) -> None:
    """Writes the file; the same content gives the same bytes."""
    arrays: dict[str, Any] = {
        f"{key}/{entry}": array for key, values in sets.items() for entry, array in values.items()
    }
    np.savez_compressed(HERE / f"{name}.npz", about=np.array(json.dumps(about)), **arrays)


def load(name: str) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """What `save` has written: `about`, and the arrays of each set."""
    with np.load(HERE / f"{name}.npz") as file:
        about = json.loads(str(file["about"]))
        sets: dict[str, dict[str, np.ndarray]] = {key: {} for key in about["sets"]}
        for entry in file.files:
            if entry != "about":
                key, part = entry.split("/")
                sets[key][part] = file[entry]
    return about, sets
