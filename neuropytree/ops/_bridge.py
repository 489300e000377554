"""The shared library of built-in kernels: whether it is there, and its FFI handlers by name."""

import ctypes
import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

RECORD = "_build.json"  # what the build made, or what it lacked
REINSTALL = "install neuropytree again (`pip install -e .` in a checkout)"


@dataclasses.dataclass(frozen=True)
class Bridge:
    """The native kernels of this installation.

    **Arguments:**

    - `available`: whether they can be called.
    - `reason`: why they cannot, in one line; empty if they can.
    - `remedy`: what to do about it, in one line; empty if nothing.
    - `path`: of the shared library, or `None`.
    - `handlers`: a function pointer for each target name, as `jax.ffi.pycapsule` takes it.
    - `register`: adds a kernel that was compiled in this process, by its name, address and arguments.
    - `build`: what the library was built with, by name.
    """

    available: bool
    reason: str = ""
    remedy: str = ""
    path: str | None = None
    handlers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    register: Any = None
    build: Mapping[str, str] = dataclasses.field(default_factory=dict)


@functools.cache
def load() -> Bridge:
    """The bridge of this installation, read on the first call."""
    return read(pathlib.Path(__file__).parent)


def read(folder: pathlib.Path) -> Bridge:
    """The bridge that a build left in `folder`. Whatever is wrong with it is in the result; nothing is raised."""
    try:
        record = _checked(json.loads((folder / RECORD).read_text()))
        reason, remedy, build = record["reason"], record["remedy"], record["build"]
        path, digest, names = folder / record["library"], record["sha256"], record["kernels"]
    except FileNotFoundError:
        return Bridge(False, f"the native kernels were never built: no {RECORD} in {folder}", REINSTALL)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Bridge(False, f"{folder / RECORD} cannot be read ({type(error).__name__}: {error})", REINSTALL)
    if reason:
        return Bridge(False, reason, remedy, build=build)
    try:
        # A damaged library can take the process down when it is loaded, so what it holds is compared first.
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return Bridge(False, f"{path} is not the library that was built here", REINSTALL, build=build)
        library = ctypes.CDLL(str(path))
        handlers = {name: getattr(library, name) for name in names}
        register = library.npt_register
    except (OSError, AttributeError) as error:
        return Bridge(False, f"{path} cannot be loaded ({' '.join(str(error).split())})", REINSTALL, build=build)
    register.restype = ctypes.c_char_p
    register.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int32)]
    return Bridge(True, path=str(path), handlers=handlers, register=register, build=build)


FIELDS = {"reason": str, "remedy": str, "library": str, "sha256": str, "kernels": list, "build": dict}


def _checked(record: Any) -> dict[str, Any]:
    """**Raises:** `TypeError` or `KeyError` unless every field is there and of its kind."""
    if not isinstance(record, dict):
        raise TypeError(f"it is a {type(record).__name__}, expected an object")
    for name, kind in FIELDS.items():
        if not isinstance(record[name], kind):
            raise TypeError(f"{name!r} is {record[name]!r}, expected a {kind.__name__}")
    if not all(isinstance(name, str) for name in record["kernels"]):
        raise TypeError("'kernels' has something else than names")
    return record
