"""The network as a `lax.scan` step written by hand over brainevent's event-driven products, on its CPU kernels (Numba).

No model library on top: the least that anything built on brainevent can take. `--format csr` has Bernoulli-like random
connections, `--format fcn` brainevent's faster format with exactly 80 targets for each neuron.
"""

from __future__ import annotations

import brainevent
import jax
import jax.numpy as jnp
import numpy as np
from common import COBA as P
from common import Clock, emit, least, parser, sizes, steps_of


def csr(rng: np.random.Generator, n_pre: int, n_post: int, p: float, weight: float):
    """Connections with a binomial number of targets for each neuron."""
    count = rng.binomial(n_post, p, n_pre)
    indices = rng.integers(0, n_post, count.sum(), dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    arrays = (jnp.asarray([weight], jnp.float32), jnp.asarray(indices), jnp.asarray(indptr))
    return brainevent.CSR(arrays, shape=(n_pre, n_post))


def fcn(rng: np.random.Generator, n_pre: int, n_post: int, p: float, weight: float):
    """Connections with the same number of targets for each neuron."""
    indices = rng.integers(0, n_post, (n_pre, round(p * n_post)), dtype=np.int32)
    arrays = (jnp.asarray([weight], jnp.float32), jnp.asarray(indices))
    return brainevent.FixedNumPerPre(arrays, shape=(n_pre, n_post))


def main() -> None:
    """Reads the command line, measures and prints."""
    line = parser(__doc__)
    line.add_argument("--format", choices=("csr", "fcn"), default="csr")
    options = line.parse_args()
    n, n_exc, n_inh, p = sizes(options.scale)
    rng = np.random.default_rng(1)
    clock = Clock()
    connect = {"csr": csr, "fcn": fcn}[options.format]
    exc, inh = connect(rng, n_exc, n, p, P["w_exc"]), connect(rng, n_inh, n, p, P["w_inh"])
    v_start = jnp.asarray(rng.normal(P["v_mean"], P["v_sd"], n), jnp.float32)
    build_s = clock.lap()
    decay_exc, decay_inh = np.exp(-P["dt"] / P["tau_exc"]), np.exp(-P["dt"] / P["tau_inh"])
    held = round(P["t_ref"] / P["dt"])

    def step(state, i):
        v, g_exc, g_inh, last, spikes = state
        g_exc = g_exc * decay_exc + brainevent.BinaryArray(spikes[:n_exc]) @ exc
        g_inh = g_inh * decay_inh + brainevent.BinaryArray(spikes[n_exc:]) @ inh
        total = 1 + g_exc + g_inh
        target = (P["v_rest"] + P["drive"] + g_exc * P["e_exc"] + g_inh * P["e_inh"]) / total
        moved = target + (v - target) * jnp.exp(-P["dt"] / P["tau"] * total)
        v = jnp.where(i - last <= held, v, moved)
        spikes = v >= P["v_th"]
        v = jnp.where(spikes, P["v_reset"], v)
        return (v, g_exc, g_inh, jnp.where(spikes, i, last), spikes), jnp.sum(spikes)

    @jax.jit
    def run(v):
        start = (v, jnp.zeros(n), jnp.zeros(n), jnp.full(n, -(10**6), jnp.int32), jnp.zeros(n, bool))
        return jax.lax.scan(step, start, jnp.arange(steps_of(options.duration), dtype=jnp.int32))[1]

    jax.block_until_ready(run(v_start))
    first = clock.lap()
    run_s, spikes = least(lambda: jax.block_until_ready(run(v_start)))
    emit(
        versions={"brainevent": brainevent.__version__, "jax": jax.__version__},
        scale=options.scale,
        duration=options.duration,
        build_s=build_s,
        compile_s=first - run_s,
        run_s=run_s,
        spikes=np.asarray(spikes, np.float64).sum(),
    )


if __name__ == "__main__":
    main()
