"""Cells whose voltage is held."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Key

from .._arguments import check_kind
from .._types import AbstractDynamics, Drive, Tick
from ..integrate import relaxed
from ._conductance import ConductanceCell, ConductanceState, flowing


class VoltageClamp(AbstractDynamics):
    r"""Cells with channels under an ideal voltage clamp: the voltage is what you command, and the channels follow it.

    Within a step the voltage $V$ stands, so a gate relaxes exactly, whatever the step. Gates that depend on one another
    and concentrations see the others as they were at its beginning. Noise and spikes play no part.

    **Arguments:**

    - `cell`: a `ConductanceCell`.

    The input of a step is the voltage (mV) in that step: one number, or one for each cell, such as a family of steps.
    The state is that of the cell's membrane; it begins at rest at the cell's `v_init`. The output has

    - `"currents"`: what flows through each channel at the end of the step, by name (µA/cm², inward positive);
    - `"current"`: what the electrode passes, so that the voltage stays: minus the sum of these. Outward currents are
      positive in it, as in records of a clamp; the current that charges the membrane at a jump of $V$ isn't in it.

    **Raises:** `TypeError` for another kind of cell; `ValueError` in a run without an input.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        clamp = npt.neurons.VoltageClamp(npt.neurons.HH(5))
        levels = jnp.linspace(-60.0, 20.0, 5)
        sol = npt.simulate(clamp, clamp.init(), levels, dt=0.05, duration=10.0,
                           record=["current", "currents.na", "na.m"])
        ```
    """

    cell: ConductanceCell

    def __check_init__(self) -> None:
        check_kind(self.cell, ConductanceCell, "cell", optional=False)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.cell.shape

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> ConductanceState:
        del dt
        return self.cell.membrane.init(self.cell.shape, key=key)

    def step(self, state: ConductanceState, input: ArrayLike | None, tick: Tick) -> tuple[ConductanceState, Any]:
        if input is None:
            raise ValueError("a VoltageClamp got no input; expected the voltage (mV) to hold, such as inputs=-65.0")
        membrane = self.cell.membrane
        held = dataclasses.replace(state, v=jnp.broadcast_to(jnp.asarray(input, state.v.dtype), state.v.shape))
        rates = membrane.linear(tick.t, held, Drive.of(None, held.v.dtype))
        moved = (held.channels, held.ions), (rates.channels, rates.ions)
        channels, ions = relaxed(*moved, tick.dt)
        new = ConductanceState(v=held.v, channels=channels, ions=ions)
        drives = membrane.currents(new, membrane.pools(ions))
        currents = {name: flowing(drive, new.v) for name, drive in drives.items()}
        return new, {"currents": currents, "current": -sum(currents.values(), start=jnp.zeros_like(new.v))}
