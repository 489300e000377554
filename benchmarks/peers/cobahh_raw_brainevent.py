"""COBAHH as a `lax.scan` step written by hand over brainevent's event-driven products, on its CPU kernels (Numba).

No model library on top. Gates and voltage move together, by exponential Euler.
"""

from __future__ import annotations

import brainevent
import jax
import jax.numpy as jnp
import numpy as np
from common import COBAHH as P
from common import Clock, cells_parser, least, parts, report


def csr(rng: np.random.Generator, n_pre: int, n_post: int, p: float, weight: float):
    """Connections with a binomial number of targets for each neuron."""
    count = rng.binomial(n_post, p, n_pre)
    indices = rng.integers(0, n_post, count.sum(), dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    arrays = (jnp.asarray([weight], jnp.float32), jnp.asarray(indices), jnp.asarray(indptr))
    return brainevent.CSR(arrays, shape=(n_pre, n_post))


def exprel(x):
    """(e^x - 1) / x."""
    near = jnp.abs(x) < 1e-4
    return jnp.where(near, 1 + x / 2, jnp.expm1(x) / jnp.where(near, 1, x))


def rates(v):
    """Opening and closing rates of m, h and n."""
    u = v - P["v_sh"]
    return (
        (1.28 / exprel((13 - u) / 4), 1.4 / exprel((u - 40) / 5)),
        (0.128 * jnp.exp((17 - u) / 18), 4 / (1 + jnp.exp((40 - u) / 5))),
        (0.16 / exprel((15 - u) / 5), 0.5 * jnp.exp((10 - u) / 40)),
    )


def main() -> None:
    """Reads the command line, measures and prints."""
    options = cells_parser(__doc__, size=4000, duration=1000.0).parse_args()
    n, dt = options.size, P["dt"]
    n_exc, n_inh, p = parts(n)
    rng = np.random.default_rng(1)
    clock = Clock()
    exc, inh = csr(rng, n_exc, n, p, P["w_exc"]), csr(rng, n_inh, n, p, P["w_inh"])
    v_start, g_exc, g_inh = (
        jnp.asarray(rng.normal(*P[name], n), jnp.float32) for name in ("v_init", "g_exc_init", "g_inh_init")
    )
    build_s = clock.lap()
    decay_exc, decay_inh = np.exp(-dt / P["tau_exc"]), np.exp(-dt / P["tau_inh"])
    held = round(P["t_ref"] / dt)

    def move(x, alpha, beta):
        total = alpha + beta
        return alpha / total + (x - alpha / total) * jnp.exp(-dt * total)

    def step(state, i):
        v, gates, g_exc, g_inh, last, spikes = state
        g_exc = g_exc * decay_exc + brainevent.BinaryArray(spikes[:n_exc]) @ exc
        g_inh = g_inh * decay_inh + brainevent.BinaryArray(spikes[n_exc:]) @ inh
        m, h, k = gates
        g_na, g_k = P["g_na"] * m**3 * h, P["g_k"] * k**4
        total = P["g_l"] + g_exc + g_inh + g_na + g_k
        current = P["g_l"] * P["e_l"] + g_exc * P["e_exc"] + g_inh * P["e_inh"] + g_na * P["e_na"] + g_k * P["e_k"]
        target = current / total
        gates = tuple(move(x, *ab) for x, ab in zip(gates, rates(v), strict=True))
        v = target + (v - target) * jnp.exp(-dt / P["c_m"] * total)
        spikes = (v > P["v_th"]) & (i - last > held)
        return (v, gates, g_exc, g_inh, jnp.where(spikes, i, last), spikes), jnp.sum(spikes)

    @jax.jit
    def run(v):
        gates = tuple(alpha / (alpha + beta) for alpha, beta in rates(v))
        start = (v, gates, g_exc, g_inh, jnp.full(n, -(10**6), jnp.int32), jnp.zeros(n, bool))
        return jax.lax.scan(step, start, jnp.arange(round(options.duration / dt), dtype=jnp.int32))[1]

    jax.block_until_ready(run(v_start))
    first = clock.lap()
    run_s, spikes = least(lambda: jax.block_until_ready(run(v_start)))
    report(
        versions={"brainevent": brainevent.__version__, "jax": jax.__version__},
        n=n,
        duration=options.duration,
        dt=dt,
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=np.asarray(spikes, np.float64).sum(),
    )


if __name__ == "__main__":
    main()
