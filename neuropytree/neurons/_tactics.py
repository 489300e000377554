"""What is done for the compiler's sake, and changes no number."""

import dataclasses
from typing import Any

from ..ops import fence


def once(membrane: Any) -> Any:
    """The state of a membrane with its voltages made once: the state and the spikes both use them, and XLA would make
    them again for each."""
    name = "voltages" if hasattr(membrane, "voltages") else "v"
    (made,) = fence(getattr(membrane, name))
    return dataclasses.replace(membrane, **{name: made})
