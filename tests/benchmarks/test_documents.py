"""The benchmarks in the documentation: files of figures, tables and a figure of them."""

import importlib.util
import shutil
import sys
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

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


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of `docs` for the commands to write to."""
    from benchmarks import _accuracy, _documents

    shutil.copytree(_documents.DATA, tmp_path / "data")
    shutil.copy(_documents.PAGE, tmp_path / "benchmarks.md")
    monkeypatch.setattr(_documents, "DATA", tmp_path / "data")
    monkeypatch.setattr(_documents, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(_accuracy, "FIGURE", tmp_path / "accuracy.svg")
    return tmp_path


def test_the_page_has_what_the_files_say(copy, monkeypatch):
    from benchmarks import __main__

    before = (copy / "benchmarks.md").read_text()
    monkeypatch.setattr(sys, "argv", ["benchmarks", "docs"])
    assert __main__.main() == 0
    assert (copy / "benchmarks.md").read_text() == before, "run `python -m benchmarks docs`"
    figure = (copy / "accuracy.svg").read_text()
    assert "<dc:date>" not in figure and ">WangBuzsaki</text>" in figure and len(figure) < 100_000


def test_every_file_is_linked_from_a_page():
    text = "".join(page.read_text() for page in (REPOSITORY / "docs").glob("*.md"))
    assert [path.name for path in (REPOSITORY / "docs" / "data").iterdir() if f"(data/{path.name})" not in text] == []


def test_files_are_read_as_they_were_written(copy):
    from benchmarks import _documents

    rows = [{"draw": 'a "quoted", name', "ours": "1.0"}, {"draw": "", "ours": "2"}]
    _documents.write("some", rows)
    assert _documents.read("some") == rows

    others = [row for row in _documents.read("runs") if row["benchmark"] != "coba"]
    _documents.record("coba", date="2030-01-01", machine="a machine", rounds=_documents.rounds(1), versions="x 1")
    assert _documents.under("coba") == "2030-01-01; a machine; 1 round. Versions: x 1."
    assert [row for row in _documents.read("runs") if row["benchmark"] != "coba"] == others


def test_measurements_come_into_the_page(copy):
    from benchmarks import _cells, _documents, _draws, _overhead
    from benchmarks.ops import _command

    def result(n, us):
        values = {"build_s": 0.5, "compile_s": 0.25, "peak_mb": 300.0, "rate_hz": 70.0, "simulated_ms": 100.0}
        return {"n": n, "us_per_step": us, "versions": {"x": "1"}} | values

    def entry(network, n, **results):
        return {"network": network, "n": n, "results": results, "skipped": [], "failures": []}

    machine = {"cpu": "CPU", "cores": 2, "system": "Linux", "load": 0.1}
    hh = entry("hh", 1000, neuropytree=[result(1000, 300.0)], jaxley=[result(1000, 660.0)])
    others = [entry(name, 1000, neuropytree=[result(1000, 5.0)]) for name in ("cobahh", _cells.GROWTH)]
    _cells.keep([{"when": "2030-01-02T03:04:05", "machine": machine, "entries": [hh, *others]}])
    _cells.page()

    times = {"median": 10.0, "least": 9.0}
    forms = {form + end: times for form in _overhead.FORMS for end in ("", ", Network", ", Network, gradients")}
    _documents.write("overhead", _overhead.rows_of({"n": 4000, "forms": forms}))
    _overhead.page()

    lines = [{"n": n, "draw": "uniform", "ours": 2.0, "jax.random": 3.0, "numpy": 4.0} for n in (40, 50)]
    _documents.write("random", _draws.rows_of(lines))
    _draws.page()

    records = [
        {"cell": "matvec/4k·80/1/per-edge/bool", "contender": name, "round": 1, "best": us, "median": us}
        for name, us in (("neuropytree", 10.0), ("brainevent", 25.0))
    ]
    found = {"when": "2030-01-02", "machine": machine, "versions": {"y": ["2"]}, "missing": [], "results": records}
    _command.keep(found, _command._report.gather(records))
    _command.page()

    page = (copy / "benchmarks.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    assert ["jaxley", "660", "2.2", "0.5", "0.25", "300", "70"] in rows
    assert "5.0 ns at 1000 neurons" in page and "2030-01-02; CPU, 2 cores, Linux; 1 round. Versions: x 1." in page
    assert ["one population, two projections", "4000", "10.00", "10.00 (1.00)", "10.00 (1.00)"] in rows
    assert ["uniform, 50 in a step", "2.0", "3.0 (1.5)", "4.0 (2.0)"] in rows
    assert ["`matvec`", "2.5 (2.50)", "1 of 1"] in rows and "1 round. Versions: y 2." in page


def test_a_part_of_a_table_is_not_written(copy, monkeypatch, capsys):
    from benchmarks import __main__

    monkeypatch.setattr(sys, "argv", ["benchmarks", "cells", "--networks", "hh", "--write"])
    assert __main__.main() == 2 and "there is no cobahh" in capsys.readouterr().err


def test_systems_by_size():
    from benchmarks import _documents, _runner

    def rows(n, **times):
        measured = {}
        for name, us in times.items():
            result = {"us_per_step": us, "build_s": 0.5, "compile_s": 0.25, "peak_mb": 300.0}
            result |= {"rate_hz": 20.0, "simulated_ms": 100.0}
            measured[name] = _runner.Measured(_runner.Job(name, ()), results=[result, result | {"us_per_step": us / 2}])
        return [{"neurons": str(n), **row} for row in _documents.measured_rows(measured)]

    found = [*rows(4000, ours=10.0, theirs=30.0, small=20.0), *rows(40_000, ours=100.0, theirs=50.0)]
    assert found[0]["us_per_step"] == "7.5" and found[0]["least"] == "5"
    table = _documents.sizes_table(found, base="ours", typical="40000").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert cells[0][:3] == ["system", "4000 neurons", "40\N{NO-BREAK SPACE}000 neurons"]
    assert cells[2:] == [
        ["**ours**", "7.50", "75.00", "0.5", "0.25", "300"],
        ["small", "15.00 (2.0)", "–", "–", "–", "–"],
        ["theirs", "22.50 (3.0)", "37.50 (0.5)", "0.5", "0.25", "300"],
    ]


def test_what_operators_say():
    from benchmarks.ops import _document, _report

    def record(key, contender, best=None, **more):
        return {"cell": key, "contender": contender, **({} if best is None else {"best": best}), **more}

    won, lost = "matvec/100k·1000/0.1/per-edge/bool", "matvec/4k·80/1/per-edge/bool"
    results = _report.gather(
        [
            record(won, "neuropytree", 10.0),
            record(won, "neuropytree-1", 18.0),
            record(won, "brainevent", 20.0),
            record(won, "brainpy25", wrong="its mean is 1, and should be near 2"),
            record(lost, "neuropytree", 30.0),
            record(lost, "brainevent", 15.0),
        ]
    )
    rows = _document.rows_of(results)
    assert rows[0]["brainpy25"] == "wrong" and rows[0]["scipy"] == "" and rows[1]["active"] == "1"
    found = _document.times_of(rows)
    table = _document.overview(found).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert cells[0] == ["operation", "4k·80", "100k·1000", "faster in"]
    assert cells[2] == ["`matvec`", "0.5 (0.50)", "2.0 (2.00)", "1 of 2"]
    said = _document.said(found)
    assert "1.8 to 1.8 times as quick" in said and "in 1 of 2 cells" in said and "`matvec` 1 (0.50)" in said


@pytest.mark.parametrize("name", ["HH", "PinskyRinzel"])
def test_a_step_of_the_schemes(name):
    """One step: those of NEURON and of Brian2 are of first order, so that its error goes with dt squared."""
    from benchmarks import accuracy

    membrane, start, drive = accuracy.membrane_of(accuracy.CASES[name])
    start = eqx.tree_at(lambda y: getattr(y, accuracy.voltages(y)), start, replace_fn=lambda v: v + 25.0)
    flat, back = ravel_pytree(start)

    slope = jax.jit(lambda x: ravel_pytree(membrane.vector_field(0.0, back(x), drive))[0])
    for step in (accuracy.like_neuron, accuracy.like_brian2):
        move, errors = jax.jit(lambda dt, step=step: ravel_pytree(step(membrane, start, drive, dt))[0]), []
        for dt in (0.001, 0.002):
            exact = solve_ivp(lambda t, x: np.asarray(slope(x)), (0.0, dt), flat, rtol=1e-10, atol=1e-12).y[:, -1]
            errors.append(np.abs(move(dt) - exact).max())
        # the rates here are some 10 to 100 per ms, so that the next term is some percent of the first
        assert errors[1] / errors[0] == pytest.approx(4.0, rel=0.05), step.__name__


def test_crossings_lie_between_steps():
    from benchmarks import accuracy

    v = np.array([-2.0, -1.0, 3.0, 0.0, -1.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(accuracy.crossings(v, 0.5, 0.0), [0.5 * 1.25, 0.5 * 5])


@pytest.mark.parametrize(
    ("name", "duration", "steps"), [("HH", 12.0, (0.02, 0.04)), ("PinskyRinzel", 26.0, (0.01, 0.02))]
)
def test_schemes_of_spike_times(name, duration, steps):
    """Toward the times of LSODA: ours with second order, those of NEURON and Brian2 with the first."""
    from benchmarks import accuracy

    case = accuracy.CASES[name]._replace(duration=duration)
    truth = accuracy.reference(case)
    assert len(truth) > 0
    orders = {"neuropytree": 2, "neuropytree, order 1": 1, "NEURON's scheme": 1, "Brian2's scheme": 1}
    for scheme, run in accuracy.schemes(name).items():
        fine, coarse = (abs(run(case, dt) - truth).max() for dt in steps)
        # two step sizes only, near the range where the leading term rules
        assert coarse / fine == pytest.approx(2 ** orders[scheme], rel=0.25), scheme
