"""What `Network` adds: the same network in `Network` and as a `lax.scan` loop written by hand, each in two forms.

- *projections*: two populations and four projections, as `Network` has them. The difference is the container's own.
- *merged*: one population with excitatory and inhibitory slices, and two projections. The least that the operators
  allow: half the calls, and half the elementwise operations on longer arrays.

`Network` is run with boolean spikes, as the loops have them, and with spikes that pass gradients, which are floats and
the default. All are compiled in one process and timed in turn, so that they meet the same machine.
"""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import neuropytree as npt

from . import ours_coba
from .peers.common import COBA as P
from .peers.common import Clock, parser, sizes, steps_of

HELD = round(P["t_ref"] / P["dt"])


def advance(v, left, g_exc, g_inh):
    """The cells' part of a step: exact in the voltage with the conductances held, then spike, reset, refractory."""
    dt = jnp.float32(P["dt"])
    a = -(1 + g_exc + g_inh) * jnp.float32(1 / P["tau"])
    b = (P["v_rest"] + P["drive"] + g_exc * P["e_exc"] + g_inh * P["e_inh"]) * jnp.float32(1 / P["tau"])
    decay = jnp.exp(a * dt)
    free = left <= 0
    v = jnp.where(free, v * decay - b / a * (1 - decay), v)
    spikes = (v >= P["v_th"]) & free
    return jnp.where(spikes, P["v_reset"], v), jnp.where(spikes, HELD, left - 1), spikes


def rest(n: int, key: jax.Array):
    """The state of `n` cells: voltage, steps left to hold, two conductances."""
    v = P["v_mean"] + P["v_sd"] * jax.random.normal(key, n, jnp.float32)
    return v, jnp.zeros(n, jnp.int32), jnp.zeros(n, jnp.float32), jnp.zeros(n, jnp.float32)


def decays():
    """The conductances' factors of a step: what is left at its end, and the mean over it."""
    steps = [P["dt"] / P["tau_exc"], P["dt"] / P["tau_inh"]]
    return [jnp.float32(np.exp(-x)) for x in steps], [jnp.float32(-np.expm1(-x) / x) for x in steps]


def halves(n: int, n_exc: int, p: float) -> tuple[npt.connect.CSR, npt.connect.CSR]:
    """Connections of the excitatory and of the inhibitory cells to all `n`, each with the others' rows empty."""
    keys = jax.random.split(jax.random.key(0), 2)
    wiring = npt.connect.FixedProb(p)
    exc, inh = (wiring(rows, n, key=key) for rows, key in zip((n_exc, n - n_exc), keys, strict=True))
    exc_ptr = np.concatenate([exc.indptr, np.full(n - n_exc, exc.indptr[-1])])
    inh_ptr = np.concatenate([np.zeros(n_exc, np.int32), inh.indptr])
    return (
        npt.connect.CSR(exc.indices, exc_ptr, weight=P["w_exc"], in_size=n, out_size=n),
        npt.connect.CSR(inh.indices, inh_ptr, weight=P["w_inh"], in_size=n, out_size=n),
    )


def merged(scale: float, steps: int) -> Callable[[], float]:
    """One population, two projections."""
    n, n_exc, _, p = sizes(scale)
    weights = halves(n, n_exc, p)
    start = (*rest(n, jax.random.key(1)), jnp.int32(0))

    @eqx.filter_jit
    def run(weights, start):
        w_exc, w_inh = weights
        (decay_exc, decay_inh), (mean_exc, mean_inh) = decays()

        def step(state, _):
            v, left, g_exc, g_inh, count = state
            v, left, spikes = advance(v, left, g_exc * mean_exc, g_inh * mean_inh)
            g_exc = w_exc(spikes, g_exc * decay_exc)
            g_inh = w_inh(spikes, g_inh * decay_inh)
            return (v, left, g_exc, g_inh, count + jnp.sum(spikes, dtype=jnp.int32)), None

        return jax.lax.scan(step, start, None, length=steps)[0][-1]

    return lambda: float(run(weights, start))


def projections(scale: float, steps: int) -> Callable[[], float]:
    """Two populations, four projections."""
    _, n_exc, n_inh, p = sizes(scale)
    keys = jax.random.split(jax.random.key(0), 6)
    wiring = npt.connect.FixedProb(p)
    weights = {
        "EE": wiring(n_exc, n_exc, key=keys[0], weight=P["w_exc"]),
        "EI": wiring(n_exc, n_inh, key=keys[1], weight=P["w_exc"]),
        "IE": wiring(n_inh, n_exc, key=keys[2], weight=P["w_inh"]),
        "II": wiring(n_inh, n_inh, key=keys[3], weight=P["w_inh"]),
    }
    start = {"E": rest(n_exc, keys[4]), "I": rest(n_inh, keys[5])}

    @eqx.filter_jit
    def run(weights, start):
        (decay_exc, decay_inh), (mean_exc, mean_inh) = decays()

        def step(carry, _):
            state, count = carry
            cells, spikes, new = {}, {}, {}
            for name in "EI":
                v, left, g_exc, g_inh = state[name]
                v, left, spikes[name] = advance(v, left, g_exc * mean_exc, g_inh * mean_inh)
                cells[name] = v, left
                count = count + jnp.sum(spikes[name], dtype=jnp.int32)
            for name in "EI":
                _, _, g_exc, g_inh = state[name]
                g_exc = weights["E" + name](spikes["E"], g_exc * decay_exc)
                g_inh = weights["I" + name](spikes["I"], g_inh * decay_inh)
                new[name] = (*cells[name], g_exc, g_inh)
            return (new, count), None

        return jax.lax.scan(step, (start, jnp.int32(0)), None, length=steps)[0][1]

    return lambda: float(run(weights, start))


def network_merged(scale: float, steps: int, *, boolean: bool) -> Callable[[], float]:
    """`Network` and `simulate`, with one population and two projections as in `merged`."""
    n, n_exc, _, p = sizes(scale)
    exc, inh = halves(n, n_exc, p)
    return timed(
        npt.Network(
            {"N": npt.Population(ours_coba.cell(n), ours_coba.receptors())},
            {"exc": npt.Projection("N", "N.exc", exc), "inh": npt.Projection("N", "N.inh", inh)},
        ),
        steps,
        boolean,
    )


def network(scale: float, steps: int, *, boolean: bool) -> Callable[[], float]:
    """`Network` and `simulate`, with two populations and four projections as in `projections`."""
    return timed(ours_coba.build(scale, seed=0), steps, boolean)


def surrogates_of(net: npt.Network) -> list[npt.surrogate.AbstractSurrogate]:
    """The spike gradients of all populations."""
    return [p.cell.threshold.surrogate for p in net.nodes.values()]


def timed(net: npt.Network, steps: int, boolean: bool) -> Callable[[], float]:
    """A run of `net` that counts spikes, which are booleans (as in the loops by hand) or pass gradients."""
    if boolean:
        net = eqx.tree_at(surrogates_of, net, [None] * len(net.nodes))
    state = net.init(dt=P["dt"], key=jax.random.key(1))
    return lambda: float(ours_coba.run(net, state, steps * P["dt"]).sum())


def main() -> None:
    """Reads the command line, measures and prints."""
    line = parser(__doc__)
    line.add_argument("--repeats", type=int, default=5)
    options = line.parse_args()
    steps = steps_of(options.duration)
    makers = {
        "projections": projections,
        "projections, Network": functools.partial(network, boolean=True),
        "projections, Network, gradients": functools.partial(network, boolean=False),
        "merged": merged,
        "merged, Network": functools.partial(network_merged, boolean=True),
        "merged, Network, gradients": functools.partial(network_merged, boolean=False),
    }
    forms = {name: make(options.scale, steps) for name, make in makers.items()}
    spikes = {name: run() for name, run in forms.items()}  # compiles
    clock, times = Clock(), {name: [] for name in forms}
    for _ in range(options.repeats):
        for name, run in forms.items():
            clock.lap()
            run()
            times[name].append(clock.lap() / steps * 1e6)
    n = sizes(options.scale)[0]
    result = {
        name: {
            "median": round(statistics.median(values), 3),
            "least": round(min(values), 3),
            "all": [round(value, 3) for value in values],
            "rate_hz": round(spikes[name] / n / (steps * P["dt"] * 1e-3), 2),
        }
        for name, values in times.items()
    }
    print(json.dumps({"n": n, "steps": steps, "forms": result}), flush=True)


if __name__ == "__main__":
    main()
