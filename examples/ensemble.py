"""Many networks as one program: `jax.vmap` over 8 weights, and over 8 keys.

The first ensemble has one connectivity and initial state and 8 inhibitory weights. The
second has one network and 8 keys, each of which gives initial voltages and membrane
noise of its own. It prints the rate of each, and that the members are what a loop over
them gives.

    python examples/ensemble.py
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import neuropytree as npt

INHIBITION = ("I->E", "I->I")


def network(n_exc, n_inh):
    def cell(n):
        return npt.neurons.LIF(
            n,
            v_rest=-60.0,
            v_th=-50.0,
            v_reset=-60.0,
            tau=20.0,
            t_ref=5.0,
            sigma=0.2,
            v_init=npt.init.Normal(-55.0, 2.0),
        )

    receptors = {
        "exc": npt.Receptor(
            npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0)
        ),
        "inh": npt.Receptor(
            npt.synapses.Exponential(tau=10.0), npt.synapses.COBA(e_rev=-80.0)
        ),
    }
    rule = npt.connect.FixedProb(min(1.0, 80 / (n_exc + n_inh)))
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


def main(n_exc=800, n_inh=200, duration=200.0, members=8):
    net = network(n_exc, n_inh)

    def rate(net, key):
        """Mean rate of the excitatory cells (Hz)."""
        state = net.init(dt=0.1, key=jax.random.fold_in(key, 0))
        sol = npt.simulate(
            net,
            state,
            {"E": 20.0, "I": 20.0},
            dt=0.1,
            duration=duration,
            key=jax.random.fold_in(key, 1),
            record=lambda state, output: jnp.mean(output["E"]),
        )
        return jnp.mean(sol.out) * 1000 / 0.1

    def with_inhibition(w):
        return eqx.tree_at(
            lambda n: [n.pathways[name].connect.weight for name in INHIBITION],
            net,
            [w, w],
        )

    weights = jnp.linspace(4.0, 12.0, members)
    key = jax.random.key(1)
    by_weight = jax.jit(jax.vmap(lambda w: rate(with_inhibition(w), key)))(weights)
    print("inhibitory weight", *(f"{w:6.2f}" for w in weights))
    print("rate (Hz)        ", *(f"{r:6.2f}" for r in by_weight))

    keys = jax.random.split(jax.random.key(2), members)
    by_key = jax.jit(jax.vmap(lambda k: rate(net, k)))(keys)
    print("rate by key (Hz) ", *(f"{r:6.2f}" for r in by_key))

    alone = jax.jit(lambda w: rate(with_inhibition(w), key))
    same = np.allclose(by_weight, [alone(w) for w in weights], rtol=1e-6)
    print(f"as in a loop: {same}")
    return by_weight, by_key, same


if __name__ == "__main__":
    main()
