"""The network in this library: the program of the README at any size. One process, one line of JSON."""

from __future__ import annotations

import importlib.metadata

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

import neuropytree as npt

from .peers.common import COBA as P
from .peers.common import Clock, emit, least, parser, sizes

#: At 4000 neurons the rate varies by 7 % with the connections drawn, and the work with the rate. This draw fires as the
#: peers' draws do (21.6 Hz in the first second; keys 0 to 7 give 18.8 to 22.5).
SEED = 3


def cell(n: int) -> npt.neurons.PointNeuron:
    """`n` neurons of the benchmark."""
    return npt.neurons.LIF(
        n,
        v_rest=P["v_rest"],
        v_th=P["v_th"],
        v_reset=P["v_reset"],
        tau=P["tau"],
        t_ref=P["t_ref"],
        v_init=npt.init.Normal(P["v_mean"], P["v_sd"]),
    )


def receptors() -> dict[str, npt.Receptor]:
    """The two input ports of every population."""
    return {
        "exc": npt.Receptor(npt.synapses.Exponential(tau=P["tau_exc"]), npt.synapses.COBA(e_rev=P["e_exc"])),
        "inh": npt.Receptor(npt.synapses.Exponential(tau=P["tau_inh"]), npt.synapses.COBA(e_rev=P["e_inh"])),
    }


def build(scale: float, *, seed: int = SEED) -> npt.Network:
    """The network with `4000 * scale` neurons and 80 targets each on average."""
    _, n_exc, n_inh, p = sizes(scale)
    ports = receptors()
    return npt.Network(
        populations={"E": npt.Population(cell(n_exc), ports), "I": npt.Population(cell(n_inh), ports)},
        projections={
            "E->E": npt.Projection("E", "E.exc", npt.connect.FixedProb(p), weight=P["w_exc"]),
            "E->I": npt.Projection("E", "I.exc", npt.connect.FixedProb(p), weight=P["w_exc"]),
            "I->E": npt.Projection("I", "E.inh", npt.connect.FixedProb(p), weight=P["w_inh"]),
            "I->I": npt.Projection("I", "I.inh", npt.connect.FixedProb(p), weight=P["w_inh"]),
        },
        key=jax.random.key(seed),
    )


def spike_count(state, output) -> jax.Array:
    """The number of spikes of a step: what the peers count too, and all that the timed run records."""
    return sum(npt.ops.count_events(output[name]) for name in output)


def run(net: npt.Network, state, duration: float) -> np.ndarray:
    """Simulates to the end; the number of spikes of each step."""
    inputs = {name: P["drive"] for name in net.nodes}
    sol = npt.simulate(net, state, inputs, dt=P["dt"], duration=duration, record=spike_count)
    return np.asarray(jax.block_until_ready(sol.out), np.float64)


def version() -> str:
    """The installed version."""
    try:
        return importlib.metadata.version("neuropytree")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that isn't installed
        return "not installed"


def main() -> None:
    """Reads the command line, measures and prints."""
    options = parser(__doc__).parse_args()
    # JAX starts its CPU client at the first array: once for a process, and not part of building a network.
    jax.block_until_ready(jnp.zeros(()))
    clock = Clock()
    net = build(options.scale)
    state = jax.block_until_ready(net.init(dt=P["dt"], key=jax.random.key(1)))
    jax.block_until_ready(net)
    build_s = clock.lap()
    run(net, state, options.duration)
    first = clock.lap()
    run_s, spikes = least(lambda: run(net, state, options.duration))
    emit(
        versions={
            "neuropytree": version(),
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
        },
        scale=options.scale,
        duration=options.duration,
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=spikes.sum(),
    )


if __name__ == "__main__":
    main()
