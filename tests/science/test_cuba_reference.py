"""An E/I network with currents against NEST, by its statistics, and against the NumPy step spike by spike.

On NEST's connections that NumPy step gives all of NEST's spikes in 1.2 s (`tests/reference/cuba_nest.py --check`).
"""

from __future__ import annotations

import json

import jax
import numpy as np

import neuropytree as npt

from ..reference import network_numpy
from ..reference.spike_statistics import cuba_statistics, disagreements, spikes_to_events
from ..reference.step_order import current_cell, delay_steps
from ..reference.trains import HERE

DATA = json.loads((HERE / "cuba_statistics.json").read_text())
P, CELL = DATA["parameters"], DATA["cell"]
N_EXC, N = P["n_exc"], P["n_exc"] + P["n_inh"]

#: Seven statistics, some of which follow others: three standard errors would fail one right program in a hundred or so.
SIGMAS = 3.0


def _edges(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sources and targets, excitatory and inhibitory: for each target so many others, drawn with replacement."""
    edges = []
    for first, size, inputs in ((0, N_EXC, P["inputs_exc"]), (N_EXC, N - N_EXC, P["inputs_inh"])):
        post = np.repeat(np.arange(N), inputs)
        # without itself: one fewer to draw from, and the later ones move up by one
        own = (post >= first) & (post < first + size)
        pre = first + np.floor(rng.random(post.size) * (size - own)).astype(int)
        edges.append((pre + (own & (pre >= post)), post))
    return edges


def _network(edges: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator | None) -> npt.Network:
    """The network, with a kick if there is a generator for it."""
    sizes, kinds = {"E": (0, N_EXC), "I": (N_EXC, N)}, {"exc": CELL["tau_syn_ex"], "inh": CELL["tau_syn_in"]}
    ports = {name: npt.Receptor(npt.synapses.Exponential(tau), npt.synapses.CUBA()) for name, tau in kinds.items()}
    nodes, projections = {}, {}
    for name, (begin, end) in sizes.items():
        cell = npt.neurons.LIF(
            end - begin,
            v_rest=CELL["E_L"],
            v_th=CELL["V_th"],
            v_reset=CELL["V_reset"],
            tau=CELL["tau_m"],
            r=CELL["tau_m"] / CELL["C_m"],
            t_ref=CELL["t_ref"],
            v_init=npt.init.Uniform(*P["v_init"]),
        )
        nodes[name] = npt.Population(cell, ports)
        for source, kind, (pre, post) in zip("EI", kinds, edges, strict=True):
            mine, (first, last) = (post >= begin) & (post < end), sizes[source]
            wiring = npt.connect.from_coo(
                pre[mine] - first, post[mine] - begin, weight=P[f"w_{kind}"], in_size=last - first, out_size=end - begin
            )
            projections[f"{source}->{name}"] = npt.Projection(source, f"{name}.{kind}", wiring, delay=P["delay"])
    if rng is not None:
        start, stop = (round(t / P["dt"]) for t in P["kick"])
        counts = rng.poisson(P["kick_rate"] * P["dt"] * 1e-3, (stop - start, P["kicked"]))
        step, cell = np.nonzero(counts)
        cell, times = (np.repeat(x, counts[step, cell]) for x in (cell, (start + 1 + step) * P["dt"]))
        # as many for every seed, some after the end, so that one compilation does
        more = 1000 - len(times)
        cell, times = np.pad(cell, (0, more)), np.pad(times, (0, more), constant_values=2 * P["duration"])
        nodes["kick"] = npt.sources.SpikeTimes(cell, times, size=P["kicked"], counts=True)
        projections["kick->E"] = npt.Projection(
            "kick", f"E[:{P['kicked']}].exc", npt.connect.OneToOne(), weight=P["w_exc"], delay=P["delay"]
        )
    return npt.Network(nodes, projections)


def _raster(net: npt.Network, state, duration: float) -> np.ndarray:
    sol = npt.simulate(net, state, dt=P["dt"], duration=duration, record=["E.spike", "I.spike"])
    return np.concatenate([np.asarray(sol.out["E.spike"]), np.asarray(sol.out["I.spike"])], axis=1)


def test_statistics_agree_with_nest():
    steps, discard, rows = round(P["duration"] / P["dt"]), round(P["discard"] / P["dt"]), []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        net = _network(_edges(rng), rng)
        spikes = spikes_to_events(_raster(net, net.init(dt=P["dt"], key=jax.random.key(seed)), P["duration"]))
        rows.append(cuba_statistics(*spikes, n=N, steps=steps, discard=discard, dt=P["dt"]))
    ours = {name: [row[name] for row in rows] for name in rows[0]}
    wrong = disagreements(ours, DATA["seeds"], sigmas=SIGMAS)
    assert not wrong, "\n".join(wrong.values())
    changed = ours | {"rate": [1.05 * x for x in ours["rate"]]}
    assert set(disagreements(changed, DATA["seeds"], sigmas=SIGMAS)) == {"rate"}


def test_spikes_equal_those_of_the_numpy_step():
    """200 ms without the kick: some three thousand spikes in the same steps."""
    edges = _edges(np.random.default_rng(10))
    net = _network(edges, None)
    state = net.init(dt=P["dt"], key=jax.random.key(11))
    v = np.concatenate([np.asarray(state.nodes[name].cell.membrane.v) for name in "EI"])
    tau, steps = np.array([CELL["tau_syn_ex"], CELL["tau_syn_in"]]), round(200.0 / P["dt"])
    synapses = network_numpy.all_alike(edges, [P["w_exc"], P["w_inh"]], int(delay_steps(P["delay"], P["dt"])))
    move = current_cell(CELL, tau, P["dt"])
    step, neuron, _ = network_numpy.simulate(CELL, move, tau, synapses, v, dt=P["dt"], steps=steps)
    expected = np.zeros((steps, N), bool)
    expected[step, neuron] = True
    assert expected.sum() > 2000
    np.testing.assert_array_equal(_raster(net, state, 200.0) != 0, expected)
