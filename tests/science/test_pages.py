"""The network on the pages for users of Brian2 and of NEST gives the spikes that these gave."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parents[1] / "reference"
PAGES = Path(__file__).parents[2] / "docs"
SPIKES = json.loads((HERE / "pages.json").read_text())


@pytest.mark.parametrize("simulator", sorted(SPIKES))
def test_the_program_of_the_page_has_the_same_spikes_as_theirs(simulator):
    block = re.search(r"^```python\n(.*?)^```$", (PAGES / f"{simulator}.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block and "npt.Network" in block[1]
    space = {}
    exec(block[1], space)
    ours = np.argwhere(np.asarray(space["sol"].out["cells.spike"]))
    np.testing.assert_array_equal(ours, SPIKES[simulator]["spikes"])
