"""A network of a million neurons whose synapses are stored nowhere: made just in time.

The excitatory–inhibitory network of the first page with 80 synapses for each neuron on
average, 80 million in all. It prints how long a step takes, the rates, and the most
memory that the process has taken.

    python examples/million_neurons.py
"""

import resource
import time

import jax
import jax.numpy as jnp

import neuropytree as npt


def network(n_exc, n_inh):
    def cell(n):
        return npt.neurons.LIF(
            n,
            v_rest=-60.0,
            v_th=-50.0,
            v_reset=-60.0,
            tau=20.0,
            t_ref=5.0,
            v_init=npt.init.Normal(-55.0, 2.0),
            surrogate=None,
        )

    receptors = {
        "exc": npt.Receptor(
            npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0)
        ),
        "inh": npt.Receptor(
            npt.synapses.Exponential(tau=10.0), npt.synapses.COBA(e_rev=-80.0)
        ),
    }
    rule = npt.connect.JITFixedProb(min(1.0, 80 / (n_exc + n_inh)))
    return npt.Network(
        populations={
            "E": npt.Population(cell(n_exc), receptors),
            "I": npt.Population(cell(n_inh), receptors),
        },
        projections={
            "E->E": npt.Projection("E", "E.exc", rule, weight=0.6),
            "E->I": npt.Projection("E", "I.exc", rule, weight=0.6),
            "I->E": npt.Projection("I", "E.inh", rule, weight=6.7),
            "I->I": npt.Projection("I", "I.inh", rule, weight=6.7),
        },
        key=jax.random.key(0),
    )


def main(n_exc=800_000, n_inh=200_000, duration=100.0, dt=0.1):
    net = network(n_exc, n_inh)
    state = net.init(dt=dt, key=jax.random.key(1))

    def count(state, output):
        return {name: jnp.sum(output[name], dtype=jnp.int32) for name in output}

    def run(duration):
        inputs = {"E": 20.0, "I": 20.0}
        sol = npt.simulate(net, state, inputs, dt=dt, duration=duration, record=count)
        return jax.block_until_ready(sol.out)

    run(duration)  # compiles
    start = time.perf_counter()
    spikes = run(duration)
    seconds = time.perf_counter() - start

    rates = {
        "E": float(spikes["E"].sum()) / n_exc,
        "I": float(spikes["I"].sum()) / n_inh,
    }
    rates = {name: count * 1000 / duration for name, count in rates.items()}
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{n_exc + n_inh} neurons, {duration:g} ms in {seconds:.2f} s, "
        f"{seconds / duration * dt * 1e6:.0f} µs a step"
    )
    print(
        f"rates: E {rates['E']:.1f} Hz, I {rates['I']:.1f} Hz; "
        f"at most {megabytes:.0f} MB of memory"
    )
    return rates, megabytes


if __name__ == "__main__":
    main()
