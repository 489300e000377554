"""Training synaptic weights through 200 steps of spikes: `eqx.filter_grad` and Optax.

One population of 40 cells fires at random and projects to 10 others, which shall fire a
given number of times each. Only the weights of the edges are trained. The spikes of
both populations are exact in the forward pass; in the backward pass the surrogate of
the threshold stands for their derivative.

    python examples/train_weights.py
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import neuropytree as npt

DT, STEPS = 0.5, 200


def network(key):
    surrogate = npt.surrogate.PiecewiseExp(alpha=0.5)
    source = npt.neurons.LIF(
        40,
        v_rest=-60.0,
        v_th=-50.0,
        v_reset=-60.0,
        tau=20.0,
        v_init=npt.init.Uniform(-60.0, -50.0),
    )
    target = npt.neurons.LIF(
        10, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=20.0, surrogate=surrogate
    )
    receptors = {
        "exc": npt.Receptor(
            npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0)
        )
    }
    weight = npt.init.Uniform(0.0, 0.1)  # an initializer draws a weight for each edge
    return npt.Network(
        populations={
            "source": npt.Population(source),
            "target": npt.Population(target, receptors),
        },
        projections={
            "S": npt.Projection(
                "source", "target.exc", npt.connect.FixedProb(0.5), weight=weight
            )
        },
        key=key,
    )


def main(iterations=40):
    net = network(jax.random.key(0))
    state = net.init(dt=DT, key=jax.random.key(1))
    currents = {
        "source": jax.random.uniform(jax.random.key(2), (40,), minval=5.0, maxval=25.0)
    }
    wanted = jnp.arange(10) % 5 + 1.0

    def spike_counts(weight):
        model = eqx.tree_at(lambda n: n.pathways["S"].connect.weight, net, weight)
        sol = npt.simulate(
            model, state, currents, dt=DT, duration=STEPS * DT, record=["target.spike"]
        )
        return jnp.sum(sol.out["target.spike"], axis=0)

    def loss(weight):
        return jnp.mean((spike_counts(weight) - wanted) ** 2)

    optimiser = optax.adam(0.01)
    weight = net.pathways["S"].connect.weight
    memory = optimiser.init(weight)

    @eqx.filter_jit
    def improve(weight, memory):
        value, gradient = eqx.filter_value_and_grad(loss)(weight)
        updates, memory = optimiser.update(gradient, memory)
        return value, jnp.maximum(optax.apply_updates(weight, updates), 0), memory

    losses = []
    for n in range(iterations):
        value, weight, memory = improve(weight, memory)
        losses.append(float(value))
        if n % 10 == 0 or n == iterations - 1:
            print(f"iteration {n:3d}  loss {value:.2f}")
    print("wanted", *(f"{n:.0f}" for n in wanted))
    print("fired ", *(f"{n:.0f}" for n in spike_counts(weight)))
    return losses


if __name__ == "__main__":
    main()
