"""The program and the two commands of the README."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# appended to the program: what came out of it
REPORT = """
import json
import numpy as np
spikes = np.asarray(sol.out["E.spike"])
axes = npt.visualize.raster_plot(sol.ts[:10], spikes[:10])
print(json.dumps({
    "shape": spikes.shape, "last": float(sol.ts[-1]), "values": np.unique(spikes).tolist(),
    "rate": float(spikes[2000:].mean()) / 0.1 * 1000, "silent": float((spikes.sum(axis=0) == 0).mean()),
    "drawn": type(axes).__name__,
}))
"""


def block(after: str) -> str:
    """The first fenced block behind the first line that contains `after`."""
    found = re.search(rf"^[^\n]*{re.escape(after)}[^\n]*$.*?^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no block after {after!r}"
    return found[1]


def test_the_program_runs_and_its_rates_are_sane():
    program = block("## A network")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {"MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + REPORT], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["shape"] == [10_000, 3200] and abs(found["last"] - 1000.0) < 1e-3
    assert found["values"] == [0.0, 1.0] and found["drawn"] == "Axes"
    # It fires at 18 to 22 Hz, as drawn; without inhibition it does at 190 Hz, and without excitation at 5.
    assert 14 < found["rate"] < 30
    assert found["silent"] < 0.3


def test_the_commands_are_complete_on_a_fresh_machine():
    venv = "python3.11 -m venv .venv && .venv/bin/pip install -e "
    assert block("install and run the main job") == venv + '".[viz]" && .venv/bin/python -m neuropytree demo\n'
    assert block("install and run the tests") == venv + '".[test]" && .venv/bin/python -m pytest -n auto\n'


def test_every_link_into_the_repository_leads_somewhere():
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert targets and not missing
