"""What the documentation shows, runs: examples in docstrings, blocks on pages, the programs in `examples/`."""

import importlib
import importlib.util
import inspect
import re
import textwrap
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
import neuropytree.testing  # an attribute of it from then on, in whatever order tests are run

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FIRST = ("index.md", "changelog.md", "contributing.md")
PACKAGES = {
    name: module for name, module in vars(npt).items() if isinstance(module, types.ModuleType) and name[0] != "_"
}


def public() -> dict[str, object]:
    """Every public class and function by its full name."""
    found = {}
    for name, module in ({"": npt} | PACKAGES).items():
        for part, thing in vars(module).items():
            if part[0] != "_" and (inspect.isclass(thing) or inspect.isfunction(thing)):
                found[".".join(filter(None, ("neuropytree", name, part)))] = thing
    return found


def examples() -> dict[str, str]:
    """The Python blocks in the docstrings of public things and of their public members, each thing once."""
    found, seen = {}, set()
    for name, thing in public().items():
        members = vars(thing).items() if inspect.isclass(thing) else ()
        own = {name: thing} | {f"{name}.{m}": x for m, x in members if m[0] != "_"}
        for path, x in own.items():
            doc = inspect.getdoc(x) if id(x) not in seen else None
            seen.add(id(x))
            for n, (_, code) in enumerate(FENCE.findall(doc or "")):
                found[f"{path}[{n}]"] = textwrap.dedent(code)
    return found


@pytest.fixture(autouse=True)
def as_a_reader_would():
    """JAX as it is when nothing has been configured, and pictures without windows."""
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    plt.close("all")


@pytest.mark.parametrize("code", [pytest.param(code, id=path) for path, code in examples().items()])
def test_examples_of_docstrings_run(code):
    exec(compile(code, "<docstring>", "exec"), {})


def test_no_block_is_overlooked():
    """A fence with options, say, is none to the pattern, and what stands in it would not be run. (```py is for code of
    other simulators.)"""
    texts = {str(page): page.read_text() for page in PAGES} | {
        path: inspect.getdoc(x) or "" for path, x in public().items()
    }
    begun = {
        where: len(re.findall(r"^ *[`~]{3,} *\{?\.?py(?!\n)", text, re.MULTILINE)) for where, text in texts.items()
    }
    assert begun == {where: len(FENCE.findall(text)) for where, text in texts.items()}


# What is shown by the example of something else: what calls return and hand on, what a network or a cell is made of,
# and tools for operators of one's own. States and abstract bases have none either.
SHOWN_ELSEWHERE = {
    "neuropytree": {"Drive", "Solution"},
    "neuropytree.connect": {"Dense", "Diagonal", "Embedded", "embedded"},
    "neuropytree.delay": {"check_delay", "check_line"},
    "neuropytree.integrate": {
        "Chord",
        "FractionalMemory",
        "HybridSolution",
        "Linear",
        "Relaxation",
        "Tangent",
        "Trajectory",
    },
    "neuropytree.ions": {"Pool"},
    "neuropytree.network": {"NodeView", "Pathway"},
    "neuropytree.neurons": {
        *("AdaptiveVoltage", "CableMembrane", "ComposedNeuron", "ConductanceMembrane", "Moved", "Voltage"),
    },
    "neuropytree.ops": {
        *("CompactEvents", "CustomOp", "Fired", "KernelCache", "as_events", "check_shape", "clear_kernel_cache"),
        *("fence", "implementation", "varies", "varies_more", "vary_as", "varying_axes"),
    },
    "neuropytree.record": {"About", "Blocks", "EventList"},
    "neuropytree.testing": {
        *("OperatorError", "channel_bank", "connector_bank", "fractional_stepper_bank", "neuron_bank", "node_bank"),
        *("sde_stepper_bank", "stepper_bank", "surrogate_bank", "synapse_bank"),
    },
    "neuropytree.visualize": {"rate_plot"},
}


def test_every_public_thing_has_an_example():
    paths = [*examples()]
    beginnings = {path: (f"{path}[", f"{path}.")[: 1 + inspect.isclass(x)] for path, x in public().items()}
    shown = {id(x) for path, x in public().items() if any(p.startswith(beginnings[path]) for p in paths)}
    found: dict[str, set[str]] = {}
    for path, x in public().items():
        package, name = path.rsplit(".", 1)
        if id(x) not in shown and not re.match("Abstract|.*State$", name):
            found.setdefault(package, set()).add(name)
            shown.add(id(x))
    assert found == SHOWN_ELSEWHERE


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "docs")))
def test_blocks_of_a_page_run(page, capsys):
    """In order, sharing their names."""
    space: dict[str, object] = {}
    blocks = [code for _, code in FENCE.findall(page.read_text()) if "--8<--" not in code]
    for n, code in enumerate(blocks):
        exec(compile(textwrap.dedent(code), f"<{page.name}, block {n}>", "exec"), space)


def test_lines_of_code_fit_the_page():
    """Longer ones are wrapped. (The programs of `examples/` have a limit of ruff's.)"""
    fence = re.compile(r"^( *)```[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    long = [
        f"{page.name}: {line.strip()}"
        for page in PAGES
        for spaces, code in fence.findall(page.read_text())
        for line in code.splitlines()
        if len(line) - len(spaces) > 88
    ]
    assert not long, "\n".join(["lines of code with more than 88 columns:", *long])


def test_every_public_thing_stands_on_an_api_page():
    text = "\n".join(page.read_text() for page in PAGES)
    shown = {id(thing(path)) for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    missing = sorted(path for path, x in public().items() if id(x) not in shown)
    assert not missing, f"no API page has {missing}"


def thing(path: str) -> object:
    """What a line of an API page names; `simulate` is both a package and a function in it."""
    package, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(package), name)


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    listed = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    assert sorted(listed) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES)


@pytest.mark.parametrize("where, prefix", [("README.md", "docs/"), ("docs/index.md", "")])
def test_the_first_pages_link_every_other(where, prefix):
    """But for those of the interface, and those that only show a file of the repository."""
    text = (ROOT / where).read_text()
    others = [page.name for page in (ROOT / "docs").glob("*.md") if page.name not in FIRST]
    assert not [name for name in others if not re.search(rf"\]\({prefix}{re.escape(name)}[)#]", text)]


def program(name: str):
    """The `main` of a program in `examples/`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert inspect.getdoc(module)
    return module.main


def test_the_network_by_hand_gives_the_same_bits(capsys):
    assert program("coba_by_hand")(n_exc=320, n_inh=80, duration=50.0)
    assert "spikes the same bit for bit: True; final voltages: True" in capsys.readouterr().out


def test_training_of_weights_lowers_the_loss(capsys):
    losses = program("train_weights")(iterations=12)
    assert losses[-1] < 0.3 * losses[0]


def test_weights_become_the_first_eigenvector(capsys):
    learned, first = program("oja")()
    # the stationary spread of the weights, of the order of the root of the learning rate, eta / 2 = 0.03
    np.testing.assert_allclose(learned, first, atol=0.06)


def test_spikes_are_trained_to_come_at_their_times(capsys):
    losses = program("exact_spikes")()
    assert losses[-1] < 0.01 < 10 < losses[0]


def test_ensembles_differ_among_each_other_and_equal_the_loop(capsys):
    by_weight, by_key, same = program("ensemble")(n_exc=640, n_inh=160, duration=150.0)
    assert by_weight.shape == by_key.shape == (8,) and same
    assert by_weight[0] > 1.5 * by_weight[-1] and len(jnp.unique(by_key)) == 8


def test_the_large_network_fires_as_the_small_one(capsys):
    """In a smaller size: what is asynchronous and irregular at 4000 neurons is so at any."""
    rates, _ = program("million_neurons")(n_exc=3200, n_inh=800, duration=50.0)
    assert 10 < rates["E"] < 40 and "µs a step" in capsys.readouterr().out


def test_a_custom_operator_fits_time_constants(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROPYTREE_CACHE", str(tmp_path))
    error, by_scan = program("custom_operator")(steps=500, n=5, iterations=120)
    assert error < 0.1 and by_scan < 1e-4  # float32; the loss is nearly quadratic


def test_every_example_is_tested_and_linked():
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == {
        "coba_by_hand",
        "train_weights",
        "exact_spikes",
        "ensemble",
        "oja",
        "custom_operator",
        "million_neurons",
    }
    page = (ROOT / "docs" / "examples.md").read_text()
    assert all(f'"examples/{name}.py"' in page for name in names)
