"""The E/I conductance network of the reference data: its parameters, and the file its statistics go to.

Needs NumPy only, so that every simulator's script can use it from its own virtual environment.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
from spike_statistics import coba_statistics

DATA = Path(__file__).with_name("coba_statistics.json")

#: ms. The same in every simulator: what is sent in step k is in place at the end of step k + delay/dt. Brian2 and NEST
#: both count so, though Brian2 gives a spike the time at which its step begins, and NEST that at which it ends.
DELAYS = (0.1, 1.5)

#: Conductances are relative to the leak, so weights and drive carry no unit but mV.
PARAMETERS: dict[str, float] = {
    "n_exc": 3200,
    "n_inh": 800,
    "v_rest": -60.0,  # mV
    "v_th": -50.0,  # mV
    "v_reset": -60.0,  # mV
    "tau": 20.0,  # ms
    "t_ref": 5.0,  # ms
    "probability": 0.02,  # Bernoulli for every ordered pair, a neuron with itself included
    "tau_exc": 5.0,  # ms
    "tau_inh": 10.0,  # ms
    "e_exc": 0.0,  # mV
    "e_inh": -80.0,  # mV
    "w_exc": 0.6,
    "w_inh": 6.7,
    "drive": 20.0,  # mV, constant
    "v_init_mean": -55.0,  # mV
    "v_init_sd": 2.0,  # mV
    "dt": 0.1,  # ms
    "duration": 1000.0,  # ms
    "discard": 200.0,  # ms, from the beginning, left out of every statistic
}


def steps_of(milliseconds: float) -> int:
    """A duration in whole steps."""
    return round(milliseconds / PARAMETERS["dt"])


def statistics_of(spike_step: np.ndarray, neuron: np.ndarray) -> dict[str, float]:
    """The statistics of one run, from the step and the neuron of every spike (excitatory neurons come first)."""
    return coba_statistics(
        spike_step,
        neuron,
        n_exc=int(PARAMETERS["n_exc"]),
        n_inh=int(PARAMETERS["n_inh"]),
        steps=steps_of(PARAMETERS["duration"]),
        discard=steps_of(PARAMETERS["discard"]),
        dt=PARAMETERS["dt"],
    )


def save(simulator: str, delay: float, versions: dict[str, str], notes: str, rows: list[dict[str, float]]) -> None:
    """Puts one simulator's rows (one for each seed) into the data file, beside those of others and of other delays."""
    content: dict[str, Any] = json.loads(DATA.read_text()) if DATA.exists() else {"delays": {}}
    content["parameters"] = PARAMETERS
    names = list(rows[0])
    content["delays"].setdefault(str(delay), {})[simulator] = {
        "versions": {"python": platform.python_version(), "numpy": np.__version__, **versions},
        "notes": notes,
        "seeds": {name: [round(float(row[name]), 6) for row in rows] for name in names},
        "mean": {name: round(float(np.mean([row[name] for row in rows])), 6) for name in names},
        "sd": {name: round(float(np.std([row[name] for row in rows], ddof=1)), 6) for name in names},
    }
    DATA.write_text(numbers_in_one_line(json.dumps(content, indent=1)) + "\n")


def numbers_in_one_line(text: str) -> str:
    """Indented JSON with one line for each list of numbers; `indent` puts every number on a line of its own."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if inside:
            inside = not line.strip().startswith("]")
            lines[-1] += (" " if inside and not lines[-1].endswith("[") else "") + line.strip()
        else:
            lines.append(line)
            inside = line.endswith("[")
    return "\n".join(lines)
