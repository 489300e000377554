"""Spikes of BrainPy's FractionalIzhikevich at several orders: `python fractional_izhikevich_brainpy.py`.

From its own initial values; as numbers of steps, in `fractional_izhikevich_brainpy.json`.
"""

import json
from pathlib import Path

import brainpy as bp
import brainpy.math as bm
import numpy as np

DT, DURATION, CURRENT = 0.1, 300.0, 10.0


def spikes(alpha: float) -> list[int]:
    """The steps in which the voltage was reset; the model keeps its spikes to itself in some versions."""
    cell = bp.neurons.FractionalIzhikevich(1, alpha=alpha, num_memory=round(DURATION / DT))
    runner = bp.DSRunner(cell, inputs=("input", CURRENT), monitors=["V"], dt=DT, progress_bar=False)
    runner.run(DURATION)
    return np.flatnonzero(np.asarray(runner.mon.V)[:, 0] == -65.0).tolist()


def main() -> None:
    bm.enable_x64()
    bm.set_dt(DT)
    found = {
        "made by": f"BrainPy {bp.__version__}",
        "dt": DT,
        "duration": DURATION,
        "current": CURRENT,
        "spikes": {str(alpha): spikes(alpha) for alpha in (1.0, 0.9, 0.8, 0.7)},
    }
    path = Path(__file__).with_name("fractional_izhikevich_brainpy.json")
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
