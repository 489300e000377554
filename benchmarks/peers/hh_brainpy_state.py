"""Squid axons in BrainPy's newer interface, `brainpy.state.HH` on brainstate, with units. Exponential Euler."""

from __future__ import annotations

import brainpy
import brainstate
import braintools
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from common import HH as P
from common import Clock, cells_parser, currents, least, report


def main() -> None:
    """Reads the command line, measures and prints."""
    options = cells_parser(__doc__, size=100_000, duration=100.0).parse_args()
    brainstate.environ.set(dt=P["dt"] * u.ms)
    drive = jnp.asarray(currents(options.size), jnp.float32) * u.uA
    clock = Clock()
    cells = brainpy.state.HH(
        options.size,
        ENa=P["e_na"] * u.mV,
        gNa=P["g_na"] * u.mS,
        EK=P["e_k"] * u.mV,
        gK=P["g_k"] * u.mS,
        EL=P["e_l"] * u.mV,
        gL=P["g_l"] * u.mS,
        C=P["c_m"] * u.uF,
        V_th=P["v_th"] * u.mV,
        V_initializer=braintools.init.Constant(P["v_init"] * u.mV),
    )
    brainstate.nn.init_all_states(cells)
    build_s = clock.lap()
    times = jnp.arange(round(options.duration / P["dt"])) * P["dt"] * u.ms

    @brainstate.transform.jit
    def run():
        def step(t):
            with brainstate.environ.context(t=t):
                before = cells.V.value
                cells(drive)
                return jnp.sum((cells.V.value >= P["v_th"] * u.mV) & (before < P["v_th"] * u.mV))

        return brainstate.transform.for_loop(step, times)

    start = {name: state.value for name, state in cells.states().items()}

    def restore():
        for name, state in cells.states().items():
            state.value = start[name]

    jax.block_until_ready(run())
    first = clock.lap()
    run_s, spikes = least(lambda: jax.block_until_ready(run()), restore)
    report(
        versions={"brainpy": brainpy.__version__, "brainstate": brainstate.__version__, "jax": jax.__version__},
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
