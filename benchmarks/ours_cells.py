"""Squid axons and COBAHH in this library. One process, one line of JSON."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

import neuropytree as npt

from .ours_coba import version
from .peers.common import COBAHH, HH, Clock, cells_parser, currents, density, least, parts, report


def hodgkin_huxley(n: int):
    """The squid axons: the model, its initial state and its input."""
    names = ("g_na", "g_k", "g_l", "e_na", "e_k", "e_l", "celsius", "c_m", "v_init", "v_th")
    cells = npt.neurons.HH(n, **{name: HH[name] for name in names}, surrogate=None)
    return cells, cells.init(), jnp.asarray(currents(n), jnp.float32)


def cobahh(n: int, *, seed: int = 1):
    """The network: the model, its initial state and its input, which is none."""
    P = COBAHH
    n_exc, n_inh, p = parts(n)

    def population(n: int) -> npt.Population:
        cells = npt.neurons.TraubMiles(
            n,
            **{name: density(P[name]) for name in ("g_na", "g_k", "g_l")},
            **{name: P[name] for name in ("e_na", "e_k", "e_l", "v_sh", "v_th")},
            v_init=npt.init.Normal(*P["v_init"]),
            surrogate=None,
        )
        ports = {
            kind: npt.Receptor(npt.synapses.Exponential(tau=P[f"tau_{kind}"]), npt.synapses.COBA(e_rev=P[f"e_{kind}"]))
            for kind in ("exc", "inh")
        }
        return npt.Population(cells, ports)

    def projection(pre: str, post: str, kind: str) -> npt.Projection:
        return npt.Projection(pre, f"{post}.{kind}", npt.connect.FixedProb(p), weight=density(P[f"w_{kind}"]))

    net = npt.Network(
        populations={"E": population(n_exc), "I": population(n_inh)},
        projections={
            f"{pre}->{post}": projection(pre, post, kind) for pre, kind in (("E", "exc"), ("I", "inh")) for post in "EI"
        },
        key=jax.random.key(seed),
    )
    state = net.init(dt=P["dt"], key=jax.random.key(seed))
    rng = np.random.default_rng(seed)
    for name, cells in state.nodes.items():
        for kind in ("exc", "inh"):
            mean, sd = P[f"g_{kind}_init"]
            g = cells.receptors[kind].g
            drawn = jnp.asarray(rng.normal(density(mean), density(sd), g.shape), g.dtype)
            state = eqx.tree_at(lambda s, name=name, kind=kind: s.nodes[name].receptors[kind].g, state, drawn)
    return net, state, None


NETWORKS = {"hh": hodgkin_huxley, "cobahh": cobahh}


def count(state, output) -> jax.Array:
    """The number of spikes of a step."""
    return sum(npt.ops.count_events(spikes) for spikes in jax.tree.leaves(output))


def main() -> None:
    """Reads the command line, measures and prints."""
    line = cells_parser(__doc__, size=100_000, duration=100.0)
    line.add_argument("--network", choices=list(NETWORKS), default="hh")
    options = line.parse_args()
    dt = {"hh": HH, "cobahh": COBAHH}[options.network]["dt"]
    # with as many steps as neurons, an input for each neuron could be a series
    duration = options.duration + (dt if round(options.duration / dt) == options.size else 0)
    # JAX starts its CPU client at the first array: once for a process, and not part of building a network.
    jax.block_until_ready(jnp.zeros(()))
    clock = Clock()
    model, state, drive = jax.block_until_ready(NETWORKS[options.network](options.size))
    build_s = clock.lap()

    def run() -> np.ndarray:
        sol = npt.simulate(model, state, drive, dt=dt, duration=duration, record=count)
        return np.asarray(jax.block_until_ready(sol.out), np.float64)

    run()
    first = clock.lap()
    run_s, spikes = least(run)
    report(
        versions={"neuropytree": version(), "jax": jax.__version__, "jaxlib": jaxlib.__version__},
        n=options.size,
        duration=duration,
        dt=dt,
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=spikes.sum(),
    )


if __name__ == "__main__":
    main()
