"""The parts of `python -m benchmarks cells` that need no peer: sizes, tables, our two networks."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def checkout():
    """`benchmarks` is no part of the installed package: it is imported from the checkout."""
    if importlib.util.find_spec("benchmarks") is None:
        sys.path.insert(0, str(REPOSITORY))
        yield
        sys.path.remove(str(REPOSITORY))
    else:
        yield


def test_sizes_are_read():
    from benchmarks import _cells

    assert [_cells.parse_size(text) for text in ("4000", "10k", "1M")] == [4000, 10_000, 1_000_000]
    for wrong in ("0", "1G", "k", "1.5k", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="size"):
            _cells.parse_size(wrong)


def test_every_peer_has_a_script_and_an_environment():
    from benchmarks import _environments, peers

    for network in peers.CELL_PEERS.values():
        for peer in network.values():
            assert (peers.HERE / peer.script).exists() and peer.environment in _environments.SETS
            command = [str(part) for part in peer.command(Path("python"), 2000, 50.0)]
            assert command[-4:] == ["--size", "2000", "--duration", "50"]


def result(n, us, rate, **more):
    values = {"build_s": 0.5, "compile_s": 0.25, "peak_mb": 300.0, "simulated_ms": 100.0, "versions": {"x": "1"}}
    return {"n": n, "us_per_step": us, "rate_hz": rate, **values, **more}


def test_tables_of_one_or_several_files():
    from benchmarks import _cells

    def part(*entries):
        found = {"cpu": "CPU", "cores": 2, "system": "Linux", "load": 0.1}
        return {"when": "2026-11-22T10:00:00", "machine": found, "entries": list(entries)}

    def entry(network, n, skipped=(), failures=(), **results):
        return {"network": network, "n": n, "results": results, "skipped": list(skipped), "failures": list(failures)}

    compared = entry(
        "hh",
        100_000,
        skipped=["neuron: not installed"],
        neuropytree=[result(100_000, 300.0, 69.0)],
        jaxley=[result(100_000, 610.0, 70.0)],
    )
    again = entry("hh", 100_000, skipped=["neuron: not installed"], neuropytree=[result(100_000, 310.0, 69.0)])
    again["results"]["jaxley"] = [result(100_000, 900.0, 70.0, others=0.5)]  # disturbed: left out
    growing = [entry(_cells.GROWTH, n, neuropytree=[result(n, n * 3e-3, 69.0)]) for n in (10**4, 10**3)]
    parts = [part(compared), part(again), part(*growing)]
    text = _cells.tables(json.loads(json.dumps(parts)))
    assert "2026-11-22, CPU, 2 cores, Linux; 1 or 2 rounds. Versions: x 1." in text
    assert "### Squid axons, 100000 neurons" in text and "Not in the table: neuron: not installed." in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert ["**neuropytree**", "305", "300", "1.00", "0.50", "0.25", "300", "69.0", "100"] in rows
    assert ["jaxley", "610", "610", "2.00", "0.50", "0.25", "300", "70.0", "100"] in rows
    assert rows[-2:] == [
        ["1000", "3.0", "3.00", "3.00", "0.25", "300"],
        ["10000", "30.0", "3.00", "3.00", "0.25", "300"],
    ]


def test_our_networks_are_those_of_the_peers():
    """The squid axons at rest, and COBAHH's conductances, in the units of the cells."""
    import neuropytree as npt
    from benchmarks import ours_cells

    cells, state, drive = ours_cells.hodgkin_huxley(50)
    np.testing.assert_allclose(state.membrane.channels["na"]["m"], 0.0529, atol=1e-3)  # alpha 0.2236, beta 4 at -65 mV
    assert 8 <= drive.min() and drive.max() <= 12 and np.ptp(drive) > 3
    sol = npt.simulate(cells, state, drive, dt=0.1, duration=50.0, record=ours_cells.count)
    # 8 to 12 µA/cm² make the squid axon fire at 65 to 75 Hz: three or four spikes
    assert 2.9 < np.sum(sol.out) / 50 < 4.1

    net, state, drive = ours_cells.cobahh(200)
    assert drive is None
    cell = net.nodes["E"].cell
    # 200 pF and 10 nS, on 20 000 µm²
    assert float(cell.membrane.c_m) == 1.0
    np.testing.assert_allclose(cell.membrane.channels["leak"].g, 0.05, rtol=1e-6)
    np.testing.assert_allclose(np.mean(state.nodes["E"].receptors["exc"].g), 0.2, rtol=0.1)
    sol = npt.simulate(net, state, drive, dt=0.1, duration=20.0, record=ours_cells.count)
    assert 0 < np.sum(sol.out) < 200 * 20
