"""Squid axons on Jaxley: `vmap` over the stimulus of a compartment with the channel `HH`.

Backward Euler, Jaxley's default, float32. Jaxley gives the voltage over the whole run; spikes are counted from it
inside the compiled program.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import jaxley as jx
import numpy as np
from common import HH as P
from common import Clock, cells_parser, currents, least, report
from jaxley.channels import HH


def main() -> None:
    """Reads the command line, measures and prints."""
    options = cells_parser(__doc__, size=100_000, duration=100.0).parse_args()
    clock = Clock()
    cell = jx.Compartment()
    cell.insert(HH())
    for name, value in (("gNa", P["g_na"]), ("gK", P["g_k"]), ("gLeak", P["g_l"])):
        cell.set(f"HH_{name}", value * 1e-3)
    for name, value in (("eNa", P["e_na"]), ("eK", P["e_k"]), ("eLeak", P["e_l"])):
        cell.set(f"HH_{name}", value)
    cell.set("v", P["v_init"])
    cell.init_states()
    cell.record("v", verbose=False)
    # a point current (nA) that is the wanted density over the compartment's lateral area
    area = 2 * math.pi * float(cell.nodes["radius"].iloc[0]) * float(cell.nodes["length"].iloc[0]) * 1e-8
    amplitudes = jnp.asarray(currents(options.size) * area * 1e3, jnp.float32)
    steps = round(options.duration / P["dt"])
    build_s = clock.lap()

    def spikes_of(amplitude):
        stimulus = cell.data_stimulate(jnp.full((steps,), amplitude), None)
        v = jx.integrate(cell, data_stimuli=stimulus, delta_t=P["dt"])[0]
        return jnp.sum((v[1:] >= P["v_th"]) & (v[:-1] < P["v_th"]))

    run = jax.jit(jax.vmap(spikes_of))
    jax.block_until_ready(run(amplitudes))
    first = clock.lap()
    run_s, spikes = least(lambda: jax.block_until_ready(run(amplitudes)))
    report(
        versions={"jaxley": jx.__version__, "jax": jax.__version__},
        n=options.size,
        duration=options.duration,
        dt=P["dt"],
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=np.asarray(spikes, np.float64).sum(),
    )


if __name__ == "__main__":
    main()
