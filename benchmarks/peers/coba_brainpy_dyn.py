"""The network in BrainPy's object-oriented interface, `brainpy.dyn`; for BrainPy 2.5 and 2.9.

Two populations and four projections that share their synapses on the target (`HalfProjAlignPostMg`), with Bernoulli
connections in CSR form, as ours has.
"""

from __future__ import annotations

import brainpy as bp
import brainpy.math as bm
import jax
import jax.numpy as jnp
import numpy as np
from common import COBA as P
from common import Clock, emit, least, parser, sizes, steps_of


class Net(bp.DynSysGroup):
    """The two populations."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        _, n_exc, n_inh, self.p = sizes(scale)
        cell = {
            "V_rest": P["v_rest"],
            "V_th": P["v_th"],
            "V_reset": P["v_reset"],
            "tau": P["tau"],
            "tau_ref": P["t_ref"],
            "V_initializer": bp.init.Normal(P["v_mean"], P["v_sd"]),
        }
        self.E = bp.dyn.LifRefLTC(n_exc, **cell)
        self.I = bp.dyn.LifRefLTC(n_inh, **cell)
        self.ee = self.excitatory(self.E)
        self.ei = self.excitatory(self.I)
        self.ie = self.inhibitory(self.E)
        self.ii = self.inhibitory(self.I)

    def excitatory(self, post):
        """A projection of the excitatory neurons."""
        return self.projection(self.E.num, post, P["w_exc"], P["tau_exc"], P["e_exc"], "exc")

    def inhibitory(self, post):
        """A projection of the inhibitory neurons."""
        return self.projection(self.I.num, post, P["w_inh"], P["tau_inh"], P["e_inh"], "inh")

    def projection(self, n_pre, post, weight, tau, reversal, label):
        """A projection whose synapses are merged with those of the same label on the same target."""
        return bp.dyn.HalfProjAlignPostMg(
            comm=bp.dnn.EventCSRLinear(bp.conn.FixedProb(self.p, pre=n_pre, post=post.num), weight),
            syn=bp.dyn.Expon.desc(post.num, tau=tau),
            out=bp.dyn.COBA.desc(E=reversal),
            post=post,
            out_label=label,
        )

    def update(self, drive):
        """One step; returns the number of spikes."""
        exc, inh = self.E.spike.value, self.I.spike.value
        self.ee(exc)
        self.ei(exc)
        self.ie(inh)
        self.ii(inh)
        self.E(drive)
        self.I(drive)
        return sum(jnp.sum(bm.as_jax(group.spike), dtype=jnp.float32) for group in (self.E, self.I))


def main() -> None:
    """Reads the command line, measures and prints."""
    options = parser(__doc__).parse_args()
    bm.set_platform("cpu")
    bm.set_dt(P["dt"])
    bm.random.seed(1)
    clock = Clock()
    net = Net(options.scale)
    build_s = clock.lap()
    steps = steps_of(options.duration)

    @bm.jit
    def run(first_step):
        def step(i):
            bp.share.save(t=i * P["dt"], dt=P["dt"], i=i)
            return net.update(P["drive"])

        return bm.for_loop(step, first_step + bm.arange(steps))

    start = {name: variable.value for name, variable in net.vars().unique().items()}
    jax.block_until_ready(bm.as_jax(run(0)))
    first = clock.lap()

    def restore():
        for name, variable in net.vars().unique().items():
            variable.value = start[name]

    run_s, spikes = least(lambda: jax.block_until_ready(bm.as_jax(run(0))), restore)
    emit(
        versions={"brainpy": bp.__version__, "jax": jax.__version__},
        scale=options.scale,
        duration=options.duration,
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=np.asarray(spikes, np.float64).sum(),
    )


if __name__ == "__main__":
    main()
