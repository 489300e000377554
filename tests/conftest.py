"""The suite runs in float64, with strict dtype and rank promotion.

Its programs are many and run for a moment, so unless `XLA_FLAGS` says otherwise they are compiled with little
optimisation, which takes two thirds of the time. `XLA_FLAGS= python -m pytest` compiles what users get.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

QUICK_TO_COMPILE = (
    "--xla_backend_optimization_level=1",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)


def _known(flags: tuple[str, ...]) -> bool:
    """Whether this XLA has those flags; one that it hasn't ends the process. They come and go with its versions."""
    program = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(program, env=os.environ | {"XLA_FLAGS": " ".join(flags)}, capture_output=True).returncode == 0


if "XLA_FLAGS" not in os.environ:  # processes of xdist are given it
    known = _known(QUICK_TO_COMPILE)
    os.environ["XLA_FLAGS"] = " ".join(flag for flag in QUICK_TO_COMPILE if known or _known((flag,)))

import jax  # noqa: E402  after the flags
import pytest  # noqa: E402

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(params=["reference", "taichi"])
def impl(request: pytest.FixtureRequest) -> str:
    """Both implementations of the operators; the compiled one is skipped, with the reason, where it can't be had."""
    import neuropytree as npt

    try:
        npt.ops.implementation(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture(autouse=True, scope="module")
def no_programs_left():
    """Every compiled program holds several memory mappings, of which a process may have some ten thousand."""
    yield
    jax.clear_caches()


SLOW = Path(__file__).parent / "slow.txt"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests of `slow.txt`. Where all tests are collected, each of its lines must be one.

    The lines of files that are skipped whole, because they need a package that is not installed, are let be.
    """
    lines = [line for line in SLOW.read_text().splitlines() if line and line[0] != "#"]
    patterns = {line: re.compile(re.escape(line).replace(r"\*", ".*")) for line in lines}
    names = {item.nodeid.removeprefix("tests/"): item for item in items}
    for name, item in names.items():
        known_as = (name, name.split("[")[0], name.split("::")[0])
        if any(pattern.fullmatch(one) for pattern in patterns.values() for one in known_as):
            item.add_marker(pytest.mark.slow)
    if {str(path) for path in config.args} in ({"tests"}, {str(SLOW.parent)}):
        there = {one for name in names for one in (name, name.split("[")[0], name.split("::")[0])}
        skipped = {str(path.relative_to(SLOW.parent)) for path in SLOW.parent.rglob("test_*.py")} - there
        gone = [
            line
            for line, pattern in patterns.items()
            if line.split("::")[0] not in skipped and not any(map(pattern.fullmatch, there))
        ]
        if gone:
            raise pytest.UsageError(f"tests/slow.txt names tests that aren't there: {', '.join(gone)}")
