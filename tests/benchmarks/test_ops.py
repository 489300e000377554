"""The parts of the operator benchmark that need no peer: cells, inputs, timing, tables."""

import importlib.util
import json
import shutil
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


def small(operation, *, weights="per-edge", events="bool", activity=0.25):
    from benchmarks.ops._cells import Cell

    return Cell(operation, "40·5", activity, weights, events)


def test_sizes_are_read():
    from benchmarks.ops import _cells

    assert _cells.parse_size("4k·80") == (4000, 80)
    assert _cells.parse_size("1Mx80") == (1_000_000, 80)
    assert _cells.normalise("100kx100") == "100k·100"
    for wrong in ("4k", "4k·0", "80·4k", "4kx80 "):
        with pytest.raises(ValueError, match="size"):
            _cells.parse_size(wrong)


def test_every_cell_once():
    from benchmarks.ops import _cells

    cells = _cells.cells()
    keys = [cell.key for cell in cells]
    assert len(set(keys)) == len(keys)
    assert [_cells.Cell.from_key(key) for key in keys] == cells
    assert _cells.from_json(json.loads(json.dumps(_cells.to_json(cells)))) == cells
    # the specified table: 5 sizes, 4 activities, 2 kinds of weights, 2 kinds of events
    for operation in ("matvec", "transposed", "matmat", "gradient"):
        assert sum(cell.operation == operation for cell in cells) == 5 * 4 * 2 * 2
    assert {cell.size for cell in cells if cell.jit} == {"1M·80", "4M·80"}
    assert {cell.size for cell in cells if cell.operation == "empty"} == {"4k·80"}


def test_inputs_are_the_same_in_every_process(tmp_path):
    from benchmarks.ops import _inputs

    first, second = _inputs.Matrix("40·5", tmp_path / "a"), _inputs.Matrix("40·5", tmp_path / "b")
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.weights, second.weights)
    assert first.indices.dtype == first.indptr.dtype == np.int32
    assert np.all(np.diff(first.indices.reshape(40, 5), axis=1) >= 0)
    # from the folder, too
    np.testing.assert_array_equal(_inputs.Matrix("40·5", tmp_path / "a").indices, first.indices)

    bools = _inputs.events(small("matvec"))
    floats = _inputs.events(small("matvec", events="float"))
    assert bools[0].dtype == bool and floats[0].dtype == np.float32
    for one, other in zip(bools, floats, strict=True):
        assert one.sum() == 10
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(bools[0], bools[1])
    assert _inputs.events(small("matmat"))[0].shape == (40, 64)


def dense(matrix):
    rows = np.repeat(np.arange(matrix.n), matrix.degree)
    result = np.zeros((matrix.n, matrix.n))
    np.add.at(result, (rows, matrix.indices), matrix.weights)
    return result


@pytest.mark.parametrize("operation", ["matvec", "transposed", "transposed-csc", "matmat"])
def test_expected_products(tmp_path, operation):
    from benchmarks.ops import _inputs

    matrix, cell = _inputs.Matrix("40·5", tmp_path), small(operation)
    x = _inputs.events(cell)[0]
    w = dense(matrix)
    wanted = w @ x if operation.startswith("transposed") else w.T @ x
    np.testing.assert_allclose(_inputs.expected(cell, matrix, x), wanted, rtol=1e-5, atol=1e-6)


def test_expected_gradients(tmp_path):
    from benchmarks.ops import _inputs

    matrix, cell = _inputs.Matrix("40·5", tmp_path), small("gradient", events="float")
    x, ct = _inputs.events(cell)[0], _inputs.cotangent(cell)
    rows = np.repeat(np.arange(40), 5)
    each = x[rows] * ct[matrix.indices]
    np.testing.assert_array_equal(_inputs.expected(cell, matrix, x), -np.float32(0.5) * each)
    shared = small("gradient", weights="homogeneous", events="float")
    x = _inputs.events(shared)[0]
    total = _inputs.expected(shared, matrix, x)
    assert total.shape == ()
    np.testing.assert_allclose(total, -0.5 * np.sum(x[rows] * ct[matrix.indices]), rtol=1e-5)


def test_columns_hold_the_same_connections(tmp_path):
    from benchmarks.ops import _inputs

    matrix = _inputs.Matrix("40·5", tmp_path)
    rows, indptr, order = matrix.csc()
    found = np.zeros((40, 40))
    columns = np.repeat(np.arange(40), np.diff(indptr))
    np.add.at(found, (rows, columns), matrix.weights[order])
    np.testing.assert_allclose(found, dense(matrix), rtol=1e-6)


def test_wrong_results_are_found():
    from benchmarks.ops import _inputs

    wanted = np.linspace(1, 2, 10, dtype=np.float32)
    assert _inputs.difference(wanted * np.float32(1 + 1e-6), wanted) is None
    assert "off by" in (_inputs.difference(wanted * np.float32(1.001), wanted) or "")
    assert "shape" in (_inputs.difference(wanted[:5], wanted) or "")
    broken = wanted.copy()
    broken[3] = np.nan
    assert "finite" in (_inputs.difference(broken, wanted) or "")
    assert _inputs.difference(np.zeros(3, np.float32), np.zeros(3, np.float32)) is None
    assert _inputs.difference(np.float32([0, 1e-3]), np.zeros(2, np.float32)) is not None


class FakeClock:
    """A clock that only the calls move."""

    def __init__(self, seconds: float, first: float = 0.0):
        self.now, self.seconds, self.first, self.turns = 0.0, seconds, first, 0

    def __call__(self) -> float:
        return self.now

    def many(self, turns: int) -> None:
        self.now += turns * self.seconds + self.first
        self.first = 0.0
        self.turns += turns


@pytest.mark.parametrize("seconds", [1e-6, 3e-4, 0.5])
def test_timing(seconds):
    from benchmarks.ops import _timing

    clock = FakeClock(seconds, first=2.0)
    timing = _timing.measure(clock.many, calls=4, budget=0.3, clock=clock)
    assert timing.best == pytest.approx(seconds / 4 * 1e6)
    assert timing.median == pytest.approx(timing.best)
    assert timing.calls / 4 * seconds >= _timing.PIECE_S
    assert timing.pieces == (1 if seconds > 0.3 else _timing.PIECES) or timing.pieces >= 3
    assert clock.now < 2 + 5 * seconds + 1  # a budget is kept, but for finding the number of calls


def test_a_piece_is_long_beside_what_it_takes_to_begin_one():
    from benchmarks.ops import _timing

    class Copies(FakeClock):
        def many(self, turns: int) -> None:
            super().many(turns)
            self.now += 0.01

    timing = _timing.measure((clock := Copies(1e-4)).many, calls=1, budget=0.3, clock=clock)
    assert timing.calls * 1e-4 > 0.1
    assert timing.best == pytest.approx(100, rel=0.1)


def test_what_the_first_call_of_a_piece_costs_does_not_count():
    """Memory for results between, new in each piece, which a piece without calls doesn't take."""
    from benchmarks.ops import _timing

    class Fresh(FakeClock):
        def many(self, turns: int) -> None:
            super().many(turns)
            self.now += 0.02 * (turns > 0)

    timing = _timing.measure((clock := Fresh(0.004)).many, calls=4, budget=0.3, clock=clock)
    assert timing.best == pytest.approx(1000, rel=0.06)


def test_a_call_that_takes_minutes_is_made_once():
    from benchmarks.ops import _timing

    clock = FakeClock(100.0)
    timing = _timing.measure(clock.many, calls=1, budget=0.3, clock=clock)
    assert clock.turns == 1 and timing.pieces == 1 and timing.best == pytest.approx(1e8)


def record(key, contender, best=None, **more):
    timed = {} if best is None else {"best": best, "median": best * 1.1}
    return {"cell": key, "contender": contender, "round": 1, **timed, **more}


def test_report():
    from benchmarks.ops import _report

    won, lost = "matvec/100k·1000/0.1/per-edge/bool", "matvec/100k·1000/1/per-edge/bool"
    results = _report.gather(
        [
            record("empty/4k·80/0/homogeneous/bool", "neuropytree", 0.42),
            record(won, "neuropytree", 12.0),
            record(won, "neuropytree", 10.0),
            record(won, "neuropytree-1", 18.0),
            record(won, "cpp", 12.0),
            record(won, "brainevent", 20.0),
            record(won, "brainpy25", wrong="its mean is 1, and should be near 2"),
            record(lost, "neuropytree", 30.0),
            record(lost, "brainevent", 15.0),
            record(lost, "cpp", 1.0),  # the C++ loop is no peer
            record(lost, "scipy-events", skipped="picking out all rows is only slower than not to"),
        ]
    )
    text = _report.summary(results)
    assert "takes 0.42 to 0.42 µs" in text
    assert "in 0 of 1 cells" in text and "18.0 µs, 1.50 times the loop's 12.0" in text
    assert "per-edge, bool: 1.80" in text
    assert "Faster than every peer in 1 of 2 cells (50%)" in text and "slower than 0.8 of the best in 1" in text
    assert "0.50 of the speed of brainevent (15.0)" in text
    table = _report.table(results, "matvec", "100k·1000")
    assert table is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert rows[0][1:5] == ["neuropytree", "one thread", "C++ loop", "brainevent"]
    assert rows[2] == ["per-edge, bool, 10 %", "**10.0**", "18.0", "12.0", "20.0", "2.00", "1.50"]
    assert rows[3][-2:] == ["0.50", "–"]
    assert _report.table(results, "matmat", "100k·1000") is None
    why = "wrong: its mean is 1, and should be near 2"
    assert _report.not_timed(results) == [
        {"contender": "BrainPy 2.5", "cells": "1", "where": "matvec 100k·1000", "why": why}
    ]


def test_runner_keeps_what_a_process_said_before_it_died():
    from benchmarks import _runner

    code = "import os; print('{\"cell\": 1}', flush=True); print('noise'); print('{\"half', flush=True); os._exit(3)"
    found, failure = _runner.run_lines(_runner.Job("dies", [sys.executable, "-c", code]), timeout=60)
    assert found == [{"cell": 1}] and failure is not None and "exit status 3" in failure
    code = "import time; print('{\"cell\": 1}', flush=True); time.sleep(60)"
    found, failure = _runner.run_lines(_runner.Job("waits", [sys.executable, "-c", code]), timeout=2)
    assert found == [{"cell": 1}] and failure is not None and "longer" in failure


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_loops_agree_with_scipy(tmp_path):
    from benchmarks.ops import _cells, _cpp, _inputs
    from benchmarks.ops.worker import run

    contender, matrix = _cpp.Cpp(tmp_path), _inputs.Matrix("40·5", tmp_path)
    cells = [cell for cell in _cells.cells(["40x5"], (0.1, 1.0)) if not cell.jit]
    for cell in cells:
        assert "best" in run(contender, cell, matrix, 0.0), cell.key
