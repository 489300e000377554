"""Spikes at times that are asked for: gradient descent through exact spike times.

Four leaky integrate-and-fire neurons receive a current that oscillates about a mean of
its own for each. The means are trained until each neuron's third spike comes at its
target. There is no time step and no surrogate: the solver lands on every spike, and the
derivative of the third spike time passes through two resets.

    python examples/exact_spikes.py
"""

import jax
import jax.numpy as jnp
import optax

import neuropytree as npt

TARGETS = jnp.array([30.0, 36.0, 42.0, 48.0])


def oscillating(mean, t):
    return mean + 3.0 * jnp.sin(0.4 * t)


def third_spikes(mean):
    cell = npt.neurons.LIF(4, v_th=20.0, v_reset=0.0, tau=10.0, t_ref=2.0)
    drive = jax.tree_util.Partial(oscillating, mean)
    return npt.neurons.exact_spikes(
        cell, drive, duration=100.0, max_spikes=20
    ).spike_times[:, 2]


def loss(mean):
    times = third_spikes(mean)
    return jnp.mean((times - TARGETS) ** 2), times


def main(iterations=200):
    # not jnp.full, whose weak type would have it all compiled again
    mean = jnp.array([30.0, 30.0, 30.0, 30.0])
    optimiser = optax.adam(optax.cosine_decay_schedule(0.3, iterations))
    memory = optimiser.init(mean)

    @jax.jit
    def improve(mean, memory):
        (value, times), gradient = jax.value_and_grad(loss, has_aux=True)(mean)
        updates, memory = optimiser.update(gradient, memory)
        return value, times, optax.apply_updates(mean, updates), memory

    losses = []
    for n in range(iterations):
        value, times, mean, memory = improve(mean, memory)
        losses.append(float(value))
        if n % 40 == 0 or n == iterations - 1:
            print(f"iteration {n:3d}  loss {value:.4f} ms²")
    print("wanted", *(f"{t:6.2f}" for t in TARGETS))
    print("found ", *(f"{t:6.2f}" for t in times))
    return losses


if __name__ == "__main__":
    main()
