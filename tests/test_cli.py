"""The command line: what the demonstration and `info` print, and what impossible options get."""

import re
import subprocess
import sys

import pytest

from neuropytree import _demo
from neuropytree.__main__ import main


def command(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "neuropytree", *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, f"{pattern!r} is not in:\n{text}"
    return float(found[1])


@pytest.mark.parametrize("implementation", ["auto", "reference"])
def test_demo_prints_what_came_out_and_draws_it(tmp_path, implementation):
    out = tmp_path / "picture.png"
    done = command("demo", "--scale", 0.1, "--duration", 200, "--out", out, "--impl", implementation, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "320 E, 80 I" in text and "2000 steps of 0.1 ms; seed 0" in text
    # in-degree 80 at any size, so much the same rates as at full size, but far more variable
    assert 3 < number(r"^rate E +([\d.]+) Hz$", text) < 80
    assert 3 < number(r"^rate I +([\d.]+) Hz$", text) < 80
    assert 0 < number(r"^ISI CV +([\d.]+) ", text) < 4
    for line in (r"^build +([\d.]+) s$", r"^compile +([\d.]+) s ", r"^run +([\d.]+) s, [\d.]+ µs per step"):
        number(line, text)
    ran = re.search(r"^operators +(\w+)$", text, re.MULTILINE)
    assert ran and ran[1] in (("taichi", "reference") if implementation == "auto" else ("reference",))
    assert str(out) in text and out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "2000/2000 steps" in done.stderr  # the progress bar


def test_demo_depends_on_the_seed_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def rates(seed):
        main(["demo", "--scale", "0.02", "--duration", "20", "--seed", seed])
        return re.findall(r"^(?:network|rate).*$", capsys.readouterr().out, re.MULTILINE)

    drawn, picture = [], _demo.picture
    monkeypatch.setattr(
        _demo, "picture", lambda ts, recorded, *rest: drawn.append(recorded) or picture(ts, recorded, *rest)
    )
    first = rates("3")
    assert len(first) == 3 and first == rates("3") != rates("4")
    # 64 and 16 neurons for 20 ms
    for line, name, size in zip(first[1:], "EI", (64, 16), strict=True):
        assert line.split() == ["rate", name, f"{drawn[0][name][0].sum() / size / 0.02:.2f}", "Hz"]
    assert (tmp_path / "neuropytree-demo.png").is_file()  # where it goes unless told otherwise


def test_info_prints_versions_devices_and_kernels(tmp_path):
    done = command("info", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert {"neuropytree", "jax", "jaxlib", "equinox", "diffrax", "optax", "numpy", "devices", "kernels"} <= set(lines)
    if "none:" in lines["kernels"]:
        assert "the reference operators run instead" in lines["kernels"] and lines["what"].startswith("to do")
    else:
        assert re.match(r"\d+ .* work ", lines["kernels"])


IMPOSSIBLE = [
    (["--duration", "1", "--dt", "0.3"], "not a whole number"),
    (["--duration", "0.01"], "not a whole number"),
    (["--duration", "-5"], "-5 is not a positive number"),
    (["--duration", "nan"], "nan is not a positive number"),
    (["--dt", "0"], "0 is not a positive number"),
    (["--dt", "fast"], "'fast' is not a number"),
    (["--scale", "-1"], "-1 is not a positive number"),
    (["--scale", "two"], "'two' is not a number"),
    (["--scale", "1e-6"], "leaves a population without neurons"),
    (["--scale", "1e6"], "more than 2^31 - 1 synapses"),
    (["--scale", "inf"], "inf is not a positive number"),
    (["--scale", "1e308"], "more than 2^31 - 1 synapses"),
    (["--scale", "6000"], "GiB of memory"),
    (["--duration", "1e8"], "GiB of memory"),
    (["--duration", "1e12"], "at most 2^31 - 1 can be counted"),
    (["--dt", "1e-300", "--duration", "1e-300"], "float32 can't tell it from 0"),
    (["--out", "/proc/a.png"], "can't be written"),
    (["--seed", "-1"], "'-1' is not a whole number"),
    (["--seed", "1.5"], "'1.5' is not a whole number"),
    (["--seed", "99999999999"], "is not a whole number from 0"),
    (["--impl", "fast"], "invalid choice: 'fast'"),
    (["--out", "no/such/folder/a.png"], "there is no folder"),
    (["--out", "picture.pdf"], "ends in .png"),
    (["--out", "picture"], "ends in .png"),
    (["--speed", "3"], "unrecognized arguments"),
    (["--scale"], "expected one argument"),
]


def assert_refused(code: int | str | None, out: str, err: str, reason: str) -> None:
    assert code == 2 and out == ""
    assert err.endswith("\n") and err.count("\n") == 1, f"not one line: {err}"
    assert err.startswith("neuropytree") and reason in err


@pytest.mark.parametrize(("options", "reason"), IMPOSSIBLE, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_an_impossible_option_gets_one_line_and_status_2(options, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["demo", *options])
    assert_refused(stopped.value.code, *capsys.readouterr(), reason)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("arguments", "reason"), [([], "required"), (["fly"], "invalid choice"), (["info", "x"], "x")])
def test_an_impossible_command_too(arguments, reason, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert_refused(stopped.value.code, *capsys.readouterr(), reason)


def test_the_status_and_the_line_reach_the_shell(tmp_path):
    done = command("demo", "--duration", 1, "--dt", 0.3, cwd=tmp_path)
    assert_refused(done.returncode, done.stdout, done.stderr, "not a whole number")


def test_without_matplotlib_it_says_what_to_install(capsys, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else find(name, *a))
    with pytest.raises(SystemExit) as stopped:
        main(["demo"])
    assert_refused(stopped.value.code, *capsys.readouterr(), "pip install 'neuropytree[viz]'")
