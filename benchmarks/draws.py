"""What a random number costs in a loop of compiled steps: `npt.random`, `jax.random`, and NumPy's generator in a loop
of its own. All in one process and in turn, so that they meet the same machine; prints a line of JSON for each draw.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import time
from collections.abc import Callable
from typing import Any

STEPS = 50

Draw = Callable[[Any, int], Any]


def cases() -> dict[str, tuple[Draw, Draw, Draw]]:
    """By name a draw of ours from a tick, one of JAX from a key, and one of NumPy from a generator."""
    import jax.numpy as jnp
    import jax.random as jr
    import numpy as np

    from neuropytree import random

    found: dict[str, tuple[Draw, Draw, Draw]] = {
        "uniform": (
            lambda tick, n: random.uniform(tick, shape=n),
            lambda key, n: jr.uniform(key, (n,)),
            lambda rng, n: rng.random(n, np.float32),
        ),
        "normal": (
            lambda tick, n: random.normal(tick, shape=n),
            lambda key, n: jr.normal(key, (n,)),
            lambda rng, n: rng.standard_normal(n, np.float32),
        ),
        "exponential": (
            lambda tick, n: random.exponential(tick, shape=n),
            lambda key, n: jr.exponential(key, (n,)),
            lambda rng, n: rng.standard_exponential(n, np.float32),
        ),
        "bernoulli, p 0.01": (
            lambda tick, n: random.bernoulli(tick, 0.01, shape=n),
            lambda key, n: jr.bernoulli(key, 0.01, (n,)),
            lambda rng, n: rng.random(n, np.float32) < 0.01,
        ),
        "integers below 800": (
            lambda tick, n: random.integers(tick, 0, 800, shape=n),
            lambda key, n: jr.randint(key, (n,), 0, 800),
            lambda rng, n: rng.integers(0, 800, n, np.int32),
        ),
    }
    for mean in (0.01, 1.6, 10.0, 30.0, 100.0):
        found[f"poisson, mean {mean:g}"] = (
            lambda tick, n, m=mean: random.poisson(tick, m, shape=n),
            lambda key, n, m=mean: jr.poisson(key, m, (n,)),
            lambda rng, n, m=mean: rng.poisson(m, n),
        )
        found[f"poisson, mean {mean:g} for each"] = (
            lambda tick, n, m=mean: random.poisson(tick, jnp.full(n, m)),
            lambda key, n, m=mean: jr.poisson(key, jnp.full(n, m)),
            lambda rng, n, m=mean: rng.poisson(np.full(n, m)),
        )
    for many, p in ((100, 0.02), (1000, 0.3)):
        found[f"binomial, {many} of {p:g}"] = (
            lambda tick, n, k=many, p=p: random.binomial(tick, k, p, shape=n),
            lambda key, n, k=many, p=p: jr.binomial(key, float(k), p, (n,)),
            lambda rng, n, k=many, p=p: rng.binomial(k, p, n),
        )
        found[f"binomial, {many} of {p:g} for each"] = (
            lambda tick, n, k=many, p=p: random.binomial(tick, jnp.full(n, k), jnp.full(n, p)),
            lambda key, n, k=many, p=p: jr.binomial(key, jnp.full(n, float(k)), jnp.full(n, p)),
            lambda rng, n, k=many, p=p: rng.binomial(np.full(n, k), np.full(n, p)),
        )
    return found


def loops(draws: tuple[Draw, Draw, Draw], n: int) -> dict[str, Callable[[], object]]:
    """By name a function that takes `STEPS` steps and waits for the last."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import neuropytree as npt

    ours, of_jax, of_numpy = draws

    def compiled(draw: Callable[[Any, Any], Any]) -> Callable[[], object]:
        @jax.jit
        def run(key):
            def step(total, k):
                return total + draw(key, k).astype(jnp.float32), None

            return jax.lax.scan(step, jnp.zeros(n, jnp.float32), jnp.arange(STEPS, dtype=jnp.int32))[0]

        key = jax.random.key(0)
        return lambda: run(key).block_until_ready()

    rng, total = np.random.default_rng(0), np.zeros(n, np.float32)

    def by_numpy() -> None:
        for _ in range(STEPS):
            np.add(total, of_numpy(rng, n), out=total, casting="unsafe")

    return {
        "ours": compiled(lambda key, k: ours(npt.Tick.at(k, dt=0.1, key=key), n)),
        "jax.random": compiled(lambda key, k: of_jax(jax.random.fold_in(key, k), n)),
        "numpy": by_numpy,
    }


def measure(n: int, name: str, draws: tuple[Draw, Draw, Draw], rounds: int) -> dict[str, Any]:
    """The least nanoseconds a number over some rounds, in which each has its turn."""
    runs, best = loops(draws, n), {}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for who, run in runs.items():
            begin = time.perf_counter()
            run()
            best[who] = min(best.get(who, float("inf")), time.perf_counter() - begin)
    return {"n": n, "draw": name, **{who: 1e9 * seconds / STEPS / n for who, seconds in best.items()}}


def main() -> None:
    """Reads the command line and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # before XLA counts them
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    import jax

    import neuropytree

    versions = {package: importlib.metadata.version(package) for package in ("neuropytree", "jax", "numpy")}
    print(json.dumps({"versions": versions, "implementation": neuropytree.ops.implementation()}))
    for n in options.sizes:
        for name, draws in cases().items():
            print(json.dumps(measure(n, name, draws, options.rounds)), flush=True)
            jax.clear_caches()


if __name__ == "__main__":
    main()
