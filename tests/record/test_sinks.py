"""Records that go to disk block by block, and what is left of them when the process is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import neuropytree as npt

from ..helpers import assert_same_bits

RECORD = {"v": "v", "counts": npt.Probe("spike", reduce="sum", every=50), "events": npt.Events("spike", capacity=500)}


@pytest.fixture(scope="module")
def cells():
    cells = npt.neurons.LIF(20, v_rest=0.0, v_th=10.0, v_reset=0.0, tau=10.0, sigma=1.0)
    return cells, cells.init(dt=0.1)


def run(cells, duration=100.0, state=None, **options):
    options = dict(record=RECORD, chunk=150, key=jax.random.key(0)) | options
    return npt.simulate(cells[0], cells[1] if state is None else state, 15.0, dt=0.1, duration=duration, **options)


def test_blocks_on_disk_are_the_run_in_memory(cells, tmp_path):
    memory = run(cells)
    sol = run(cells, sink=npt.record.NpyBlocks(tmp_path / "run"))
    assert sol.out is None and sol.steps == 1000
    assert_same_bits(sol.state, memory.state)
    disk = npt.record.load(tmp_path / "run")
    assert set(disk) == {"v", "counts", "events"}
    assert_same_bits(disk["v"], memory.out["v"])
    assert_same_bits(disk["counts"], memory.out["counts"])
    events, want = disk["events"], memory.out["events"]
    for field in ("steps", "indices", "values"):
        assert_same_bits(getattr(events, field), getattr(want, field))
    assert [int(events.count), int(events.size), int(events.start)] == [int(want.count), int(want.size), 0]
    assert disk.n_steps == 1000 and len(disk.blocks("v")) == 7 and len(events.steps) > 100 and events.lost == 0
    np.testing.assert_array_equal(events.raster(), want.raster())
    np.testing.assert_array_equal(np.concatenate([b.raster() for b in disk.blocks("events")]), want.raster())
    np.testing.assert_array_equal(disk.times("v"), memory.times("v"))
    np.testing.assert_array_equal(disk.times("counts"), memory.times("counts"))
    np.testing.assert_array_equal(disk.times("events"), memory.times("events"))
    with pytest.raises(KeyError, match="'w' is not in"):
        disk["w"]


def test_a_run_goes_on_in_its_folder_and_in_no_other(cells, tmp_path):
    whole = run(cells)
    first = run(cells, 45.0, sink=npt.record.NpyBlocks(tmp_path))
    with pytest.raises(ValueError, match="holds a run up to step 450, and this one starts with step 0"):
        run(cells, 45.0, sink=npt.record.NpyBlocks(tmp_path))
    with pytest.raises(ValueError, match="holds a run with another .*intervals"):
        run(cells, 45.0, sink=npt.record.NpyBlocks(tmp_path), record=["v"], start=450)
    run(cells, 55.0, state=first.state, start=first.steps, sink=npt.record.NpyBlocks(tmp_path), chunk=50)
    assert_same_bits(npt.record.load(tmp_path)["v"], whole.out["v"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no run"):
        run(cells, 45.0, sink=npt.record.NpyBlocks(tmp_path / "other"))
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"
    with pytest.raises(FileNotFoundError, match="holds no run"):
        npt.record.load(tmp_path / "other")


def test_events_that_were_lost_are_known_on_disk(cells, tmp_path):
    record = [npt.Events("spike", capacity=4)]
    with pytest.warns(UserWarning, match="events of 'spike' were not kept: its capacity is 4"):
        memory = run(cells, record=record).out["spike"]
    with pytest.warns(UserWarning, match="events of 'spike' were not kept: its capacity is 4"):
        run(cells, record=record, sink=npt.record.NpyBlocks(tmp_path))
    events = npt.record.load(tmp_path)["spike"]
    assert events.lost == memory.lost > 0 and len(events.steps) == len(memory.steps)
    with pytest.raises(ValueError, match="events of this list were lost"):
        npt.measure.firing_rate(events, dt=0.1, width=5.0)


def test_a_run_with_records_of_another_form_is_not_added(cells, tmp_path):
    first = run(cells, 45.0, record=["v", RECORD["events"]], sink=npt.record.NpyBlocks(tmp_path))
    more = npt.neurons.LIF(21, v_rest=0.0, v_th=10.0, v_reset=0.0, tau=10.0)
    others = [
        ((more, more.init(dt=0.1)), {"record": ["v", RECORD["events"]]}, r"'v' is \['float64', 21\], and .* 20\]"),
        (cells, {"record": {"v": npt.Probe("v", where=[1]), "spike": RECORD["events"]}}, "'v' is .*, 1], and .* 20]"),
    ]
    for other, options, match in others:
        with pytest.raises(ValueError, match=match):
            run(other, 45.0, start=450, sink=npt.record.NpyBlocks(tmp_path), **options)
    assert npt.record.load(tmp_path)["v"].shape == (450, 20)
    run(cells, 45.0, state=first.state, start=450, record=["v", RECORD["events"]], sink=npt.record.NpyBlocks(tmp_path))
    assert npt.record.load(tmp_path)["v"].shape == (900, 20)


def test_a_sink_of_ones_own_gets_each_block_once_and_is_ended_by_an_error(cells):
    class Own(npt.record.AbstractSink):
        def __init__(self, fail_at=None):
            self.seen, self.fail_at = [], fail_at

        def begin(self, about):
            self.seen.append(("begin", about.start, about.intervals))

        def write(self, first, steps, records):
            if first == self.fail_at:
                raise OSError("no space left")
            self.seen.append((first, steps, records["v"].shape, len(records["events"].steps)))

        def end(self):
            self.seen.append("end")

    own = Own()
    run(cells, 40.0, sink=own)
    assert own.seen[0] == ("begin", 0, {"v": 1, "counts": 50, "events": 0}) and own.seen[-1] == "end"
    assert [entry[:3] for entry in own.seen[1:-1]] == [
        (0, 150, (150, 20)),
        (150, 150, (150, 20)),
        (300, 100, (100, 20)),
    ]
    own = Own(fail_at=150)
    with pytest.raises(OSError, match="no space left"):
        run(cells, 40.0, sink=own)
    assert own.seen[-1] == "end" and len(own.seen) == 3
    for sink, chunk in ((Own(), None), ("folder", 50)):
        with pytest.raises(TypeError, match="expected an npt.record.AbstractSink, and a chunk with it"):
            run(cells, 40.0, sink=sink, chunk=chunk)


SCRIPT = """
import sys, jax, neuropytree as npt
jax.config.update("jax_enable_x64", True)
cells = npt.neurons.LIF(20, v_rest=0.0, v_th=10.0, v_reset=0.0, tau=10.0, sigma=1.0)
npt.simulate(cells, cells.init(dt=0.1), 15.0, dt=0.1, duration=1e6, record=["v", "spike"], chunk=50,
             key=jax.random.key(0), sink=npt.record.NpyBlocks(sys.argv[1]))
"""


def test_a_run_that_is_killed_leaves_whole_blocks(cells, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)])
    log = tmp_path / "log.jsonl"
    for _ in range(600):
        if log.exists() and log.read_bytes().count(b"\n") >= 20:
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    disk = npt.record.load(tmp_path)
    assert disk.n_steps >= 1000
    whole = run(cells, 100.0, record=["v", "spike"])
    for name in ("v", "spike"):
        assert disk[name].shape == (disk.n_steps, 20)
        assert_same_bits(disk[name][:1000], whole.out[name])
    # a log that ends in the middle of a line, and files of a block that isn't in it
    with open(log, "ab") as file:
        file.write(b'{"first": 99999')
    (tmp_path / "block-0000099999-000.npy").write_bytes(b"half")
    steps = disk.n_steps
    assert npt.record.load(tmp_path).n_steps == steps
    sink = npt.record.NpyBlocks(tmp_path)
    sink.begin(npt.record.About(dt=0.1, start=steps, intervals={"v": 1, "spike": 1}))
    sink.write(steps, 2, {"v": np.zeros((2, 20)), "spike": np.zeros((2, 20))})
    assert not (tmp_path / "block-0000099999-000.npy").exists()
    assert npt.record.load(tmp_path).n_steps == steps + 2
    assert all(json.loads(line) for line in log.read_text().splitlines())
