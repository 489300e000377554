"""Delays as numbers of steps."""

import math
from typing import Any

import numpy as np

from .._arguments import check_real
from .._time import as_dt


def delay_steps(delay: Any, dt: float) -> Any:
    r"""Steps from emission to arrival, $m = \lfloor d / \Delta t + 0.5 + 10^{-6} \rfloor$; 0 for `None`.

    What is sent in step $k$ is in place at the end of step $k + m$. Halves are rounded up, also those that a division
    makes a little smaller (0.15 ms are 2 steps of 0.1 ms), as NEST does.

    **Arguments:**

    - `delay`: ms; a number, `None`, or a NumPy array.
    - `dt`: length of a step (ms).

    **Returns:** a Python int, or an int64 array.

    **Raises:** `TypeError` or `ValueError` for a delay that isn't a finite number of ms, at least 0, or of more steps
        than can be counted; and for another `dt`.

    !!! example

        ```python
        import numpy as np, neuropytree as npt
        npt.delay.delay_steps(1.5, 0.1)  # 15
        npt.delay.delay_steps(np.array([0.0, 0.14, 0.15, 0.25]), 0.1)  # [0, 1, 2, 3]
        ```
    """
    dt = as_dt(dt)
    if delay is None:
        return 0
    delay = check_real(delay, "delay", least=0, unit="ms")
    steps = np.floor(np.asarray(delay, np.float64) / dt + (0.5 + 1e-6))
    if steps.size and not steps.max() < 2**31:
        raise ValueError(
            f"a delay of {np.max(delay)} ms is {steps.max():.6g} steps of {dt} ms; expected at most 2^31 - 1"
        )
    return int(steps) if steps.ndim == 0 else steps.astype(np.int64)


def check_delay(delay: Any, name: str) -> float | None:
    """`delay` as a Python number.

    **Raises:** `TypeError` or `ValueError` unless it is `None` or a finite number of ms, not negative.
    """
    if delay is None:
        return None
    if isinstance(delay, bool) or not isinstance(delay, int | float | np.integer | np.floating):
        raise TypeError(f"{name} has delay {delay!r}; expected None (no delay) or a number of ms")
    if not math.isfinite(delay) or delay < 0:
        raise ValueError(f"{name} has delay {delay!r}; expected None (no delay) or a number of ms, at least 0")
    return float(delay)
