"""An operator of one's own: exponential traces as a Taichi kernel with its derivative.

The trace of neuron `i` is `y[t, i] = decay[i] * y[t - 1, i] + x[t, i]`. XLA does this
step by step, in a scan; the kernel is two nested loops. The derivative is given once,
in terms of the operator itself: its tangent obeys the same recursion, and its transpose
is the recursion backwards in time. It fits time constants to given traces.

    python examples/custom_operator.py
"""

import jax
import jax.numpy as jnp

import neuropytree as npt

try:
    import taichi as ti
except ImportError:  # then the reference runs
    kernel = None
else:

    @ti.kernel
    def kernel(
        x: ti.types.ndarray(ndim=2),
        decay: ti.types.ndarray(ndim=1),
        y: ti.types.ndarray(ndim=2),
    ):
        for t in range(x.shape[0]):
            for i in range(x.shape[1]):
                y[t, i] = x[t, i]
                if t > 0:
                    y[t, i] += decay[i] * y[t - 1, i]


def reference(x, decay):
    def step(y, x):
        y = decay * y + x
        return y, y

    return jax.lax.scan(step, jnp.zeros_like(decay), x)[1]


def jvp(primals, tangents):
    (x, decay), (d_x, d_decay) = primals, tangents
    y = traces(x, decay)
    before = jnp.concatenate([jnp.zeros_like(y[:1]), y[:-1]])
    return y, traces(d_x + before * d_decay, decay)


def transpose(ct, x, decay):
    # linear in x, not in the decay
    return jnp.flip(traces(jnp.flip(ct, axis=0), decay), axis=0), None


traces = npt.ops.custom_op(
    kernel=kernel,
    reference=reference,
    jvp=jvp,
    transpose=transpose,
    batching="sequential",
    name="traces",
)


def main(steps=2000, n=50, iterations=200, rate=0.5):
    spikes = (jax.random.uniform(jax.random.key(0), (steps, n)) < 0.02).astype(
        jnp.float32
    )
    tau = jnp.linspace(10.0, 40.0, n)
    wanted = traces(spikes, jnp.exp(-1.0 / tau))

    @jax.jit
    def descend(log_tau):
        def loss(log_tau):
            return jnp.mean((traces(spikes, jnp.exp(-jnp.exp(-log_tau))) - wanted) ** 2)

        value, gradient = jax.value_and_grad(loss)(log_tau)
        return log_tau - rate * n * gradient, value

    log_tau = jnp.full(n, jnp.log(20.0))
    for k in range(iterations):
        log_tau, value = descend(log_tau)
        if k % 50 == 0:
            print(f"iteration {k}: loss {value:.2e}")
    error = jnp.max(jnp.abs(jnp.exp(log_tau) - tau))
    print(f"largest error of a time constant: {error:.2f} ms")
    by_scan = jnp.max(jnp.abs(wanted - reference(spikes, jnp.exp(-1.0 / tau))))
    print(f"largest difference from the scan: {by_scan:.1e}")
    return float(error), float(by_scan)


if __name__ == "__main__":
    main()
