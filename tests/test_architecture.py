"""What the layout promises: imports go one way, internals stay in one file, importing does nothing."""

import ast
import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import neuropytree

ROOT = Path(neuropytree.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "taichi" not in path.parts)
EACH = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))

# lower number: nearer to the ground; a module may import from its own package and from lower tiers
TIERS = [
    {"_types", "_stream", "_time", "_rule", "_errors", "_math", "_check", "_arguments", "_node", "_series"},
    {"surrogate", "ops", "random", "init"},
    {"_scan"},
    {"connect", "integrate", "delay"},
    {"ions", "channels"},
    {"neurons", "synapses", "sources"},
    {"network"},
    {"simulate", "record"},
    {"measure", "visualize", "testing", "_demo", "__main__"},
]
# what may read another package of its own tier, one way
WITHIN = {
    ("init", "random"),
    ("random", "ops"),
    ("channels", "ions"),
    ("simulate", "record"),
    ("_types", "_errors"),
    ("_types", "_stream"),
    ("_types", "_time"),
    ("_stream", "_errors"),
    ("_check", "_errors"),
    ("_check", "_types"),
    ("_arguments", "_types"),
    ("_arguments", "_rule"),
    ("_types", "_rule"),
    ("_node", "_types"),
    ("_node", "_errors"),
    ("_series", "_types"),
    ("_demo", "measure"),
    ("_demo", "visualize"),
    ("__main__", "_demo"),
}


def tier(name: str) -> int:
    return next(n for n, names in enumerate(TIERS) if name in names)


def unit_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path):
    """(module imported from, as a list of names within the package; whether only for type checkers) of each import.

    What is taken out of a package may be a module of it: then that is what is imported from.
    """
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
            for alias in node.names:
                inner = ROOT.joinpath(*module, alias.name)
                named = inner.is_dir() or inner.with_suffix(".py").exists()
                yield ([*module, alias.name] if named else module), id(node) in lazy
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            assert not any(name.split(".")[0] == "neuropytree" for name in names), f"{path}: import relatively"


def test_every_package_has_a_tier():
    there = {unit_of(path) for path in FILES} - {"__init__"}
    listed = [name for names in TIERS for name in names]
    assert set(listed) == there and len(listed) == len(there)


@EACH
def test_imports_go_down(path):
    me = unit_of(path)
    if me == "__init__":
        return
    for (target, *_), lazy in imports(path):
        if target == me or lazy:
            continue
        assert tier(target) < tier(me) or (me, target) in WITHIN, f"{path} imports upward from '{target}'"


def test_what_may_be_read_within_a_tier_is():
    """An exception that nothing needs any more would let the next one in."""
    used = {
        (unit_of(path), target)
        for path in FILES
        for (target, *_), lazy in imports(path)
        if not lazy and unit_of(path) != "__init__" and target != unit_of(path) and tier(target) == tier(unit_of(path))
    }
    assert used == WITHIN


@EACH
def test_no_package_imports_a_private_module_of_another(path):
    me = unit_of(path)
    for (target, *rest), _ in imports(path):
        assert target == me or not any(name[0] == "_" for name in rest), f"{path} imports from '{target}.{rest[0]}'"


@EACH
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


@EACH
def test_files_hold_one_concept(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 500
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} says not what it is for"


IMPORT = """
import json, sys
import neuropytree
from jax._src import xla_bridge
loaded = [m for m in ("taichi", "matplotlib", "diffrax", "scipy.sparse", "tqdm") if m in sys.modules]
print(json.dumps({"loaded": loaded, "backends": len(xla_bridge._backends)}))
"""


def test_importing_loads_nothing_heavy_and_starts_no_backend():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    out = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(out.stdout) == {"loaded": [], "backends": 0}


def exported():
    """(name, object) of every public class and function."""
    packages = [module for name, module in vars(neuropytree).items() if inspect.ismodule(module) and name[0] != "_"]
    for package in [neuropytree, *packages]:
        for name, thing in vars(package).items():
            if name[0] != "_" and (inspect.isclass(thing) or inspect.isfunction(thing)):
                yield f"{package.__name__}.{name}", thing


def test_every_public_name_has_a_docstring():
    """By the source: Equinox gives classes without one a signature, and `inspect` those of their bases."""
    lacking, seen = [], set()
    for name, thing in exported():
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        definition = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
        nodes = {name: definition}
        if inspect.isclass(thing):
            above = {n for base in thing.__mro__[1:] for n in (*vars(base), *getattr(base, "__annotations__", {}))}
            methods = [node for node in definition.body if isinstance(node, ast.FunctionDef)]
            nodes |= {f"{name}.{m.name}": m for m in methods if m.name[0] != "_" and m.name not in above}
        lacking += [name for name, node in nodes.items() if not ast.get_docstring(node)]
    assert len(seen) > 200 and not lacking
