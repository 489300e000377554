"""Squid axons in BrainPy's object-oriented interface, `brainpy.dyn.HH`; for BrainPy 2.5 and 2.9. Exponential Euler."""

from __future__ import annotations

import brainpy as bp
import brainpy.math as bm
import jax
import jax.numpy as jnp
import numpy as np
from common import HH as P
from common import Clock, cells_parser, currents, least, report


def main() -> None:
    """Reads the command line, measures and prints."""
    options = cells_parser(__doc__, size=100_000, duration=100.0).parse_args()
    bm.set_platform("cpu")
    bm.set_dt(P["dt"])
    drive = jnp.asarray(currents(options.size), jnp.float32)
    clock = Clock()
    cells = bp.dyn.HH(
        options.size,
        ENa=P["e_na"],
        gNa=P["g_na"],
        EK=P["e_k"],
        gK=P["g_k"],
        EL=P["e_l"],
        gL=P["g_l"],
        C=P["c_m"],
        V_th=P["v_th"],
        V_initializer=bp.init.Constant(P["v_init"]),
        method="exp_auto",
    )
    build_s = clock.lap()
    steps = round(options.duration / P["dt"])

    @bm.jit
    def run(first_step):
        def step(i):
            bp.share.save(t=i * P["dt"], dt=P["dt"], i=i)
            cells.update(drive)
            return jnp.sum(bm.as_jax(cells.spike), dtype=jnp.float32)

        return bm.for_loop(step, first_step + bm.arange(steps))

    start = {name: variable.value for name, variable in cells.vars().unique().items()}

    def restore():
        for name, variable in cells.vars().unique().items():
            variable.value = start[name]

    jax.block_until_ready(bm.as_jax(run(0)))
    first = clock.lap()
    run_s, spikes = least(lambda: jax.block_until_ready(bm.as_jax(run(0))), restore)
    report(
        versions={"brainpy": bp.__version__, "jax": jax.__version__},
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
