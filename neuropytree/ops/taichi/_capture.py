"""A user's kernel as bytes, and back in another process.

Starting Taichi discards the session that a process has, and there can't be two at a time. So a user's kernel is
compiled in a process of its own, which may know nothing of the notebook that it was written in. What goes there is
the source of the kernel, and with it, by value, whatever the source names: functions, numbers, strings, NumPy arrays,
containers of these; of the user's modules just the attributes used; of Taichi, NumPy and the standard library the
names.

The same kernel gives the same bytes in every process, for they are what a compiled kernel is cached under.
"""

# Only Taichi, NumPy and the standard library are imported: the other process has nothing else to do.
# pyright: reportMissingImports=false

import ast
import builtins
import importlib
import inspect
import io
import itertools
import pathlib
import pickle
import sys
import textwrap
import types
from typing import Any

_BY_NAME = frozenset({"taichi", "numpy", *sys.stdlib_module_names}) - {"__main__"}
_HERE = "kernels._capture"  # this module in the process that compiles
_PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, list, dict, set, frozenset, slice, range)


def capture(
    kernel: Any, parameters: tuple[tuple[Any, ...], ...], operands: int, static: dict[str, Any], precision: str
) -> bytes:
    """What `restore` makes a kernel of.

    **Arguments:**

    - `kernel`: a function with the decorator `ti.kernel`.
    - `parameters`: for each of its parameters `("array", dtype, rank, boundary)`, `("scalar", dtype)` or
      `("template",)`.
    - `operands`: how many of them, without the templates, are operands; the others are results.
    - `static`: the values of the templates by name.
    - `precision`: the dtype of floating literals in the kernel, `"f32"` or `"f64"`.

    **Raises:** `TypeError` if the kernel uses something that can't be sent, `ValueError` if it has no source.
    """
    function = kernel._primal.func
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, function.__name__)
    source = _source(function)
    pickler.dump((source, pickler.names(function), parameters, operands, static, precision))
    return buffer.getvalue()


def restore(data: bytes, folder: pathlib.Path) -> tuple[Any, tuple[tuple[Any, ...], ...], int, dict[str, Any], str]:
    """The kernel, its parameters, the number of operands, the values of its templates and the precision.

    Taichi reads sources from files, which are put in `folder`.
    """
    unpickler = _Unpickler(io.BytesIO(data))
    _FOLDERS.append(folder)
    source, names, parameters, operands, static, precision = unpickler.load()
    function = _define(source)
    function.__globals__.update(names)
    function.__annotations__ = dict(
        zip(inspect.signature(function).parameters, map(_annotation, parameters), strict=True)
    )

    import taichi as ti

    return ti.kernel(function), parameters, operands, static, precision


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any, kernel: str):
        super().__init__(file, protocol=5)
        self.kernel = kernel

    def names(self, function: Any) -> dict[str, Any]:
        """What a function refers to beyond its own variables, by name."""
        tree = ast.parse(_source(function))
        closure = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        try:
            outer = {name: cell.cell_contents for name, cell in closure}
        except ValueError:
            free = ", ".join(function.__code__.co_freevars)
            raise ValueError(
                f"kernel '{self.kernel}' uses {free}, and not all of them are defined yet: do so before its first call"
            ) from None
        used = {node.id for part in _body(tree) for node in ast.walk(part) if isinstance(node, ast.Name)}
        found = {}
        for name in sorted(used - _own(function.__code__) | set(outer)):
            if name in outer or name in function.__globals__:
                value = outer[name] if name in outer else function.__globals__[name]
                self.check(value, name)
                found[name] = self.attributes(value, tree, (name,)) if _foreign(value) else value
        return found

    def attributes(self, module: Any, tree: ast.AST, path: tuple[str, ...]) -> types.SimpleNamespace:
        """Of a user's module, what a function uses. The module itself is not imported elsewhere."""
        found = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _path(node.value) == path:
                value = getattr(module, node.attr)
                self.check(value, ".".join((*path, node.attr)))
                inner = (*path, node.attr)
                found[node.attr] = self.attributes(value, tree, inner) if _foreign(value) else value
        return types.SimpleNamespace(**dict(sorted(found.items())))

    def check(self, value: Any, name: str) -> None:
        kind = type(value)
        if kind in _PLAIN or isinstance(value, (types.ModuleType, types.FunctionType)):
            return
        module = getattr(value, "__module__", None) if isinstance(value, type) else kind.__module__
        fields = any(base.__name__ in ("Field", "Ndarray", "SNode") for base in kind.__mro__)
        if fields or str(module).partition(".")[0] not in _BY_NAME:
            what = f"the Taichi {kind.__name__}" if fields else f"a {kind.__module__}.{kind.__name__}"
            raise TypeError(
                f"kernel '{self.kernel}' uses {name}, {what}, which is not among its parameters: pass arrays as "
                "operands, and numbers as operands, static arguments or Python constants"
            )

    def persistent_id(self, value: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A set of strings has another order in every process."""
        return (type(value), sorted(value, key=repr)) if type(value) in (set, frozenset) else None

    def reducer_override(self, value: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(value, types.ModuleType):
            if _foreign(value):
                raise TypeError(f"kernel '{self.kernel}' uses the module {value.__name__} as a value")
            return importlib.import_module, (value.__name__,)
        if isinstance(value, types.FunctionType):
            if value.__module__ is not None and value.__module__.partition(".")[0] in _BY_NAME | {"kernels"}:
                return NotImplemented
            if value.__module__ == __name__:
                return NotImplemented
            if hasattr(value, "_is_wrapped_kernel"):
                raise TypeError(f"kernel '{self.kernel}' calls the kernel '{value.__name__}': make that a ti.func")
            inner, kind, annotations = value, "python", {}
            if getattr(value, "_is_taichi_function", False):
                if value._is_real_function:  # pyright: ignore[reportFunctionMemberAccess]
                    raise TypeError(
                        f"kernel '{self.kernel}' calls the real_func '{value.__name__}': make that a ti.func"
                    )
                func = value.func  # pyright: ignore[reportFunctionMemberAccess]
                inner, kind = func.func, "pyfunc" if func.pyfunc else "func"
                annotations = {p.name: p.annotation for p in func.arguments if p.annotation is not inspect._empty}
            arguments = (_source(inner), kind, annotations, inner.__defaults__)
            # The names come after the function, which may be among them.
            return _function, arguments, self.names(inner), None, None, _link
        # Taichi's types hold pointers, and some are known by their address: they are made again.
        kind = type(value).__name__ if type(value).__module__.startswith("taichi.") else ""
        if kind.startswith("DataType"):
            return _dtype, (value.to_string(),)
        if kind in ("VectorType", "MatrixType"):
            shape = (value.n,) if kind == "VectorType" else (value.n, value.m, value.ndim)
            return type(value), (*shape, value.dtype)
        if kind == "StructType":
            return _struct, (value.members, value.methods)
        self.check(value, repr(value)[:60])
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(_HERE if module.endswith("ops.taichi._capture") else module, name)

    def persistent_load(self, pid: Any) -> Any:
        kind, items = pid
        return kind(items)


_FOLDERS: list[pathlib.Path] = []  # where the process that compiles puts sources
_COUNT = itertools.count()


def _source(function: Any) -> str:
    try:
        lines, _ = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        where = "write it in a file or a notebook cell, not at the prompt of python"
        raise ValueError(f"the source of '{function.__name__}' can't be read ({error}): {where}") from None
    source = textwrap.dedent("".join(lines))
    if not isinstance(ast.parse(source).body[0], ast.FunctionDef):
        raise ValueError(
            f"'{function.__name__}' is not defined by a `def` statement, which a kernel's functions must be"
        )
    return source


def _body(tree: ast.Module) -> list[ast.stmt]:
    return tree.body[0].body  # pyright: ignore[reportAttributeAccessIssue]


def _own(code: types.CodeType) -> set[str]:
    """The variables of a function and of what is nested in it."""
    inner = (_own(const) for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_varnames) | set(code.co_cellvars) | set().union(*inner)


def _path(node: ast.AST) -> tuple[str, ...] | None:
    if isinstance(node, ast.Name):
        return (node.id,)
    outer = _path(node.value) if isinstance(node, ast.Attribute) else None
    return None if outer is None else (*outer, node.attr)  # pyright: ignore[reportAttributeAccessIssue]


def _foreign(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] not in _BY_NAME


def _define(source: str) -> Any:
    """The function of a source, without decorators, annotations and default values, which come as values."""
    tree = ast.parse(source)
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list, definition.returns = [], None
    parameters = definition.args
    for parameter in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs):
        parameter.annotation = None
    parameters.defaults = []
    path = _FOLDERS[-1] / f"{definition.name}_{next(_COUNT)}.py"
    path.write_text(source)
    space: dict[str, Any] = {"__builtins__": builtins, "__name__": definition.name}
    exec(compile(tree, str(path), "exec"), space)
    return space.pop(definition.name)


def _function(source: str, kind: str, annotations: dict[str, Any], defaults: Any) -> Any:
    import taichi as ti

    function = _define(source)
    function.__annotations__, function.__defaults__ = annotations, defaults
    return {"func": ti.func, "pyfunc": ti.pyfunc, "python": lambda function: function}[kind](function)


def _link(function: Any, names: dict[str, Any]) -> None:
    inner = function.func.func if getattr(function, "_is_taichi_function", False) else function
    inner.__globals__.update(names)


def _struct(members: dict[str, Any], methods: dict[str, Any]) -> Any:
    import taichi as ti

    return ti.types.struct(**members, __struct_methods=methods)


def _dtype(name: str) -> Any:
    import taichi as ti

    return getattr(ti, name)


def _annotation(parameter: tuple[Any, ...]) -> Any:
    import taichi as ti

    if parameter[0] == "array":
        _, dtype, rank, boundary = parameter
        return ti.types.ndarray(dtype=_dtype(dtype), ndim=rank, boundary=boundary)
    return _dtype(parameter[1]) if parameter[0] == "scalar" else ti.template()
