"""COBAHH in BrainPy's object-oriented interface, `brainpy.dyn`; for BrainPy 2.5 and 2.9.

One population with two projections, Bernoulli connections in CSR form. Conductances are densities, on 20 000 µm².
"""

from __future__ import annotations

import brainpy as bp
import brainpy.math as bm
import jax
import jax.numpy as jnp
import numpy as np
from common import COBAHH as P
from common import Clock, cells_parser, density, least, parts, report


class Cells(bp.dyn.CondNeuGroup):
    """Traub-Miles cells."""

    def __init__(self, n: int) -> None:
        # A = 1e-3 takes out BrainPy's factor between current densities and currents
        super().__init__(n, C=1.0, A=1e-3, V_th=P["v_th"], V_initializer=bp.init.Normal(*P["v_init"]))
        self.na = bp.dyn.INa_TM1991(n, g_max=density(P["g_na"]), V_sh=P["v_sh"], E=P["e_na"])
        self.k = bp.dyn.IK_TM1991(n, g_max=density(P["g_k"]), V_sh=P["v_sh"], E=P["e_k"])
        self.leak = bp.dyn.IL(n, E=P["e_l"], g_max=density(P["g_l"]))


class Net(bp.DynSysGroup):
    """The population and its projections."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n_exc, n_inh, self.p = parts(n)
        self.cells = Cells(n)
        self.exc = self.projection(self.n_exc, n, P["w_exc"], P["tau_exc"], P["e_exc"], "exc")
        self.inh = self.projection(n_inh, n, P["w_inh"], P["tau_inh"], P["e_inh"], "inh")

    def projection(self, n_pre, n, weight, tau, reversal, label):
        """A projection onto all cells."""
        return bp.dyn.HalfProjAlignPostMg(
            comm=bp.dnn.EventCSRLinear(bp.conn.FixedProb(self.p, pre=n_pre, post=n), density(weight)),
            syn=bp.dyn.Expon.desc(n, tau=tau),
            out=bp.dyn.COBA.desc(E=reversal),
            post=self.cells,
            out_label=label,
        )

    def update(self):
        """One step; returns the number of spikes."""
        spikes = self.cells.spike.value
        self.exc(spikes[: self.n_exc])
        self.inh(spikes[self.n_exc :])
        self.cells()
        return jnp.sum(bm.as_jax(self.cells.spike), dtype=jnp.float32)


def main() -> None:
    """Reads the command line, measures and prints."""
    options = cells_parser(__doc__, size=4000, duration=1000.0).parse_args()
    bm.set_platform("cpu")
    bm.set_dt(P["dt"])
    bm.random.seed(1)
    clock = Clock()
    net = Net(options.size)
    rng = np.random.default_rng(1)
    for synapse in net.nodes().subset(bp.dyn.Expon).unique().values():
        excitatory = float(np.asarray(bm.as_jax(synapse.tau)).ravel()[0]) == P["tau_exc"]
        mean, sd = P["g_exc_init" if excitatory else "g_inh_init"]
        synapse.g.value = jnp.asarray(rng.normal(density(mean), density(sd), options.size), jnp.float32)
    build_s = clock.lap()
    steps = round(options.duration / P["dt"])

    @bm.jit
    def run(first_step):
        def step(i):
            bp.share.save(t=i * P["dt"], dt=P["dt"], i=i)
            return net.update()

        return bm.for_loop(step, first_step + bm.arange(steps))

    start = {name: variable.value for name, variable in net.vars().unique().items()}

    def restore():
        for name, variable in net.vars().unique().items():
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
