"""What the layout promises: imports go one way, internals stay in one file, importing does nothing."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import neuropytree

ROOT = Path(neuropytree.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "taichi" not in path.parts)

# lower number: nearer to the ground; a module may import from its own tier's package and from lower tiers
TIERS = [
    {"_types", "_stream", "_time", "_errors", "_tree", "_math", "_check", "_arguments", "units"},
    {"surrogate", "ops", "random", "init"},
    {"connect", "integrate", "delay"},
    {"ions"},
    {"channels"},
    {"neurons", "synapses", "plasticity", "rates", "nn"},
    {"network"},
    {"simulate", "inputs", "encode"},
    {"train", "analysis", "measure", "visualize", "checkpoint", "parallel", "interop", "testing", "_demo"},
]
# what may read another package of its own tier, one way
WITHIN = {
    ("init", "surrogate"),
    ("init", "random"),
    ("random", "ops"),
    ("synapses", "connect"),
    ("_types", "_errors"),
    ("_types", "_stream"),
    ("_types", "_time"),
    ("_stream", "_errors"),
    ("_check", "_types"),
    ("_arguments", "_types"),
    ("_demo", "measure"),
    ("_demo", "visualize"),
}


def tier(name: str) -> int:
    return next(n for n, names in enumerate(TIERS) if name in names)


def unit_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path):
    """(unit imported from, whether only for type checkers) of each import within the package."""
    tree = ast.parse(path.read_text())
    lazy = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = path.relative_to(ROOT).parts[: depth - node.level]
            module = [*package, *(node.module.split(".") if node.module else [])]
            for target in [module[0]] if module else [alias.name for alias in node.names]:
                yield target, id(node) in lazy
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            assert not any(name.split(".")[0] == "neuropytree" for name in names), f"{path}: import relatively"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    me = unit_of(path)
    if me in ("__init__", "__main__"):
        return
    for target, lazy in imports(path):
        if target == me or lazy:
            continue
        assert tier(target) < tier(me) or (me, target) in WITHIN, f"{path} imports upward from '{target}'"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_internals_globals_and_import_effects(path):
    tree = ast.parse(path.read_text())
    internal = ("jax.extend", "jax.interpreters", "jax._src", "jax.ffi", "jaxlib")
    if path.name != "_ffi.py":
        for node in ast.walk(tree):
            text = ast.unparse(node) if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute) else ""
            assert not any(name in text for name in internal), f"{path} touches JAX's internals: {text}"
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree)), f"{path} has a global"
    for node in tree.body:
        plain = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.If
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        # attaching a rule to a function object is a definition too
        attaches = isinstance(node, ast.Expr) and "def_jvp" in ast.unparse(node)
        assert isinstance(node, plain) or docstring or attaches, f"{path}:{node.lineno} does something when imported"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_hold_one_concept(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 500
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} says not what it is for"


IMPORT = """
import json, sys, time
import jax, equinox
start = time.perf_counter()
import neuropytree
seconds = time.perf_counter() - start
from jax._src import xla_bridge
loaded = [m for m in ("taichi", "matplotlib", "diffrax", "scipy.sparse", "tqdm") if m in sys.modules]
print(json.dumps({"loaded": loaded, "backends": len(xla_bridge._backends), "seconds": seconds}))
"""


def test_importing_loads_nothing_heavy_and_starts_no_backend():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    out = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, env=environment)
    found = json.loads(out.stdout)
    assert found["loaded"] == [] and found["backends"] == 0
    # the budget of 1.2 s is for all with JAX and Equinox, which take most of it; here is what is ours, with a margin
    # for busy machines
    assert found["seconds"] < 1.2


def test_every_public_name_is_documented():
    import inspect

    for name in neuropytree.__dict__:
        module = getattr(neuropytree, name)
        if name.startswith("_"):
            continue
        for public in [n for n in vars(module) if not n.startswith("_")] if inspect.ismodule(module) else []:
            thing = getattr(module, public)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                assert inspect.getdoc(thing), f"{name}.{public} has no docstring"
