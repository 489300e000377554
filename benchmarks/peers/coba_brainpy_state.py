"""The network in BrainPy's newer interface, `brainpy.state` on brainstate, with units.

Both populations are one, as in BrainPy's own example of this network. Each neuron has exactly 80 targets
(`EventFixedProb`), in brainevent's format for that. Conductances in mS with R = 1 kΩ are relative to the leak, and
20 µA are 20 mV.
"""

from __future__ import annotations

import brainpy
import brainstate
import braintools
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from common import COBA as P
from common import Clock, emit, least, parser, sizes


class Net(brainstate.nn.Module):
    """One population, excitatory neurons first, and two projections."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        n, self.n_exc, n_inh, _ = sizes(scale)
        self.cells = brainpy.state.LIFRef(
            n,
            V_rest=P["v_rest"] * u.mV,
            V_th=P["v_th"] * u.mV,
            V_reset=P["v_reset"] * u.mV,
            tau=P["tau"] * u.ms,
            tau_ref=P["t_ref"] * u.ms,
            R=1e3 * u.ohm,
            spk_reset="hard",
            V_initializer=braintools.init.Normal(P["v_mean"], P["v_sd"], unit=u.mV),
        )
        self.exc = self.projection(self.n_exc, P["w_exc"], P["tau_exc"], P["e_exc"])
        self.inh = self.projection(n_inh, P["w_inh"], P["tau_inh"], P["e_inh"])

    def projection(self, n_pre: int, weight: float, tau: float, reversal: float):
        """A projection onto all cells."""
        n = self.cells.varshape[0]
        return brainpy.state.AlignPostProj(
            comm=brainstate.nn.EventFixedProb(n_pre, n, conn_num=int(P["out_degree"]), conn_weight=weight * u.mS),
            syn=brainpy.state.Expon.desc(n, tau=tau * u.ms),
            out=brainpy.state.COBA.desc(E=reversal * u.mV),
            post=self.cells,
        )

    def update(self, t, drive):
        """One step; returns the number of spikes."""
        with brainstate.environ.context(t=t):
            spikes = self.cells.get_spike() != 0.0
            self.exc(spikes[: self.n_exc])
            self.inh(spikes[self.n_exc :])
            return jnp.sum(self.cells(drive))


def main() -> None:
    """Reads the command line, measures and prints."""
    options = parser(__doc__).parse_args()
    brainstate.random.seed(1)
    brainstate.environ.set(dt=P["dt"] * u.ms)
    clock = Clock()
    net = Net(options.scale)
    brainstate.nn.init_all_states(net)
    build_s = clock.lap()
    times = u.math.arange(0.0 * u.ms, options.duration * u.ms, P["dt"] * u.ms)

    @brainstate.transform.jit
    def run():
        return brainstate.transform.for_loop(lambda t: net.update(t, P["drive"] * u.uA), times)

    start = {name: state.value for name, state in net.states().items()}
    jax.block_until_ready(run())
    first = clock.lap()

    def restore():
        for name, state in net.states().items():
            state.value = start[name]

    run_s, spikes = least(lambda: jax.block_until_ready(run()), restore)
    emit(
        versions={"brainpy": brainpy.__version__, "brainstate": brainstate.__version__, "jax": jax.__version__},
        scale=options.scale,
        duration=options.duration,
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=np.asarray(spikes, np.float64).sum(),
    )


if __name__ == "__main__":
    main()
