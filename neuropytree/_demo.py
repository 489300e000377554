"""The main job of the command line: the E/I network that simulators of this field are compared on."""

import math
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import connect, init, measure, neurons, synapses, visualize
from .network import Network, Population, Projection
from .ops import Impl, implementation
from .simulate import simulate
from .synapses import Receptor


def build(scale: float, seed: int, impl: Impl) -> Network:
    """The network of `scale` times 4000 neurons, 80 incoming synapses each on average."""

    def cell(n: int) -> neurons.PointNeuron:
        return neurons.LIF(
            n, v_rest=-60.0, v_th=-50.0, v_reset=-60.0, tau=20.0, t_ref=5.0, v_init=init.Normal(-55.0, 2.0)
        )

    receptors = {
        "exc": Receptor(synapses.Exponential(tau=5.0), synapses.COBA(e_rev=0.0)),
        "inh": Receptor(synapses.Exponential(tau=10.0), synapses.COBA(e_rev=-80.0)),
    }
    n_exc, n_inh = round(3200 * scale), round(800 * scale)
    rule = connect.FixedProb(min(1.0, 80 / (n_exc + n_inh)))
    net = Network(
        populations={"E": Population(cell(n_exc), receptors), "I": Population(cell(n_inh), receptors)},
        projections={
            "E->E": Projection("E", "E.exc", rule, weight=0.6),
            "E->I": Projection("E", "I.exc", rule, weight=0.6),
            "I->E": Projection("I", "E.inh", rule, weight=6.7),
            "I->I": Projection("I", "I.inh", rule, weight=6.7),
        },
        key=jax.random.key(seed),
    )
    return connect.with_impl(net, impl)


SHOWN = 4000  # neurons whose spikes are kept for the raster and the ISI statistics


def demo(*, scale: float, duration: float, dt: float, seed: int, out: Path, impl: Impl) -> None:
    """Builds, compiles and runs the network, prints what came out, and writes the picture."""
    clock = time.perf_counter()
    net = build(scale, seed, impl)
    state = net.init(dt=dt, key=jax.random.key(seed + 1))
    jax.block_until_ready(state)
    built = time.perf_counter() - clock

    sizes = {name: population.size for name, population in net.nodes.items()}
    shown = {name: math.ceil(n * min(1.0, SHOWN / sum(sizes.values()))) for name, n in sizes.items()}
    n_steps = round(duration / dt)
    chunk = max(1, n_steps // 50)
    inputs = {name: 20.0 for name in net.nodes}

    def record(state, output):
        del state
        fired = {name: spikes > 0 for name, spikes in output.items()}
        return {name: (jnp.sum(f, dtype=jnp.int32), f[: shown[name]]) for name, f in fired.items()}

    def run(steps: int, **options):
        return simulate(net, state, inputs, dt=dt, duration=steps * dt, record=record, chunk=chunk, **options)

    clock = time.perf_counter()
    run(chunk)
    compiled = time.perf_counter() - clock

    clock = time.perf_counter()
    sol = run(n_steps, progress=True)
    ran = time.perf_counter() - clock

    cvs = np.concatenate([measure.isi_cv(sol.ts, spikes) for _, spikes in sol.out.values()])
    edges = sum(p.connect.nnz for p in net.pathways.values())
    what = ", ".join(f"{n} {name}" for name, n in sizes.items())
    print(f"network      {what}; {edges} synapses; {n_steps} steps of {dt:g} ms; seed {seed}")
    for name, (counts, _) in sol.out.items():
        print(f"rate {name}       {counts.sum() / sizes[name] / duration * 1000:.2f} Hz")
    regular = cvs[np.isfinite(cvs)]
    cv = (
        f"{regular.mean():.2f} ({len(regular)} neurons with 3 spikes or more)"
        if len(regular)
        else "no neuron spiked 3 times"
    )
    print(f"ISI CV       {cv}")
    print(f"build        {built:.2f} s")
    print(f"compile      {compiled:.2f} s (with the first {chunk} steps)")
    print(f"run          {ran:.2f} s, {ran / n_steps * 1e6:.1f} µs per step with recording and the progress bar")
    print(f"operators    {implementation(impl)}")
    picture(np.asarray(sol.ts), sol.out, sizes, dt, out)
    print(f"figure       {out}")


def picture(ts: np.ndarray, recorded: Any, sizes: dict[str, int], dt: float, out: Path) -> None:
    """Raster and rates as an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    offset = 0
    for (name, (counts, spikes)), colour in zip(recorded.items(), ("tab:blue", "tab:red"), strict=True):
        visualize.raster_plot(ts, spikes, ax=top, offset=offset, color=colour)
        rate = measure.firing_rate(counts[:, None] / sizes[name], dt=dt, width=5.0)
        visualize.rate_plot(ts, rate, ax=below, color=colour, label=name)
        offset += spikes.shape[1]
    top.set(xlabel="", ylim=(0, offset), xlim=(0, ts[-1]))
    below.legend(loc="upper right", frameon=False)
    figure.savefig(out, dpi=100)
