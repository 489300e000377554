"""A user's kernels at run time: compiled in a process of their own, kept on disk, loaded into the bridge by name."""

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import threading
import warnings
from typing import Any, NamedTuple

from . import _bridge

_TAICHI = pathlib.Path(__file__).parent / "taichi"
_LOCK = threading.Lock()
_ENGINES: dict[str, Any] = {}  # what holds the code of each loaded kernel, which lives as long as the process


class KernelCache(NamedTuple):
    """The compiled kernels of custom operators.

    **Arguments:**

    - `folder`: where they are on disk.
    - `files`: how many are there.
    - `bytes`: how much room they take.
    - `loaded`: how many this process has loaded.
    """

    folder: str
    files: int
    bytes: int
    loaded: int


def kernel_cache_info() -> KernelCache:
    """Where the compiled kernels of `custom_op` are kept, how many there are and how many are loaded.

    The folder is `$NEUROPYTREE_CACHE`, or `neuropytree` in `$XDG_CACHE_HOME` or in `~/.cache`.

    !!! example
        ```python
        import neuropytree as npt

        info = npt.ops.kernel_cache_info()
        assert info.files >= 0 and info.loaded >= 0
        ```
    """
    sizes = []
    for path in _files():
        if path.suffix == ".kernel":  # others are being written
            with contextlib.suppress(FileNotFoundError):  # another process removed it
                sizes.append(path.stat().st_size)
    return KernelCache(str(_folder()), len(sizes), sum(sizes), len(_ENGINES))


def clear_kernel_cache() -> int:
    """Removes the compiled kernels of `custom_op` from disk, and returns how many. Loaded ones go on working."""
    files = _files()
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def unavailable() -> str:
    """Why a user's kernel can't be compiled or loaded here, or nothing."""
    if not _bridge.load().available:
        return _bridge.load().reason
    for name, version in (("taichi", "1.7."), ("llvmlite", "0.")):
        try:
            if not importlib.metadata.version(name).startswith(version):
                return f"{name} {importlib.metadata.version(name)} is installed, where {version}* is needed"
        except importlib.metadata.PackageNotFoundError:
            return f"{name} isn't installed"
    return ""


def load(kernel: str, request: bytes, inputs: int, arguments: tuple[tuple[int, int], ...]) -> str:
    """Compiles what `capture` made of a kernel, or takes it from the cache, and returns its name in the bridge.

    **Arguments:**

    - `kernel`: its name in messages.
    - `inputs`: how many of the arguments are inputs; the others are outputs.
    - `arguments`: element type of the FFI and rank of each, the rank -1 for a value.
    """
    with _LOCK:  # the second of two threads finds what the first has made
        return _load(kernel, request, inputs, arguments)


@functools.cache
def _load(kernel: str, request: bytes, inputs: int, arguments: tuple[tuple[int, int], ...]) -> str:
    key = hashlib.sha256(repr(_versions()).encode() + request).hexdigest()
    code = _read(key)
    if code is None:
        code = _compile(kernel, request)
        _write(key, code)
    # Named after the code: the same in every process that has the same kernel.
    name = f"{kernel}_{hashlib.sha256(repr((inputs, arguments)).encode() + code).hexdigest()[:32]}"
    if name not in _ENGINES:
        engine, address = _link(code)
        numbers = [number for argument in arguments for number in argument]
        array = (ctypes.c_int32 * max(len(numbers), 1))(*numbers)
        complaint = _bridge.load().register(name.encode(), address, inputs, len(arguments) - inputs, array)
        if complaint:
            raise ValueError(f"kernel '{kernel}': {complaint.decode()}")
        _ENGINES[name] = engine
    return name


@functools.cache
def _versions() -> tuple[str, ...]:
    """All that makes a compiled kernel what it is, but for the kernel."""
    import llvmlite.binding as llvm  # pyright: ignore[reportMissingImports]

    sources = hashlib.sha256(b"".join((_TAICHI / name).read_bytes() for name in ("_compile.py", "_capture.py")))
    packages = [importlib.metadata.version(name) for name in ("taichi", "llvmlite")]
    processor = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    return (sources.hexdigest(), *packages, platform.python_version(), *processor)


def _compile(kernel: str, request: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="neuropytree-") as folder:
        path = pathlib.Path(folder)
        (path / "kernel.pickle").write_bytes(request)
        quiet = {"ENABLE_TAICHI_HEADER_PRINT": "0", "TI_SKIP_VERSION_CHECK": "ON"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TI_")} | quiet
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
        command = [sys.executable, "-P", str(_TAICHI / "_compile.py"), folder]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
        if (path / "kernel.o").exists():
            return (path / "kernel.o").read_bytes()
        if (path / "error.txt").exists():
            raise ValueError(f"kernel '{kernel}' can't be compiled: {(path / 'error.txt').read_text()}")
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        why = next((line for line in lines if line.startswith("[E ")), lines[-1])  # Taichi's last words
        if done.returncode < 0:
            why += " (Taichi stopped: it lacks code for something in the kernel, such as ti.atomic_max of 8 bits)"
        raise RuntimeError(f"the process that compiles kernel '{kernel}' failed: {why}")


def _link(code: bytes) -> tuple[Any, int]:
    """The engine that holds the code in memory, and where in it the kernel is."""
    import llvmlite.binding as llvm  # pyright: ignore[reportMissingImports]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine, engine.get_function_address("npt_kernel")


def _folder() -> pathlib.Path:
    own = os.environ.get("NEUROPYTREE_CACHE")
    if own:
        return pathlib.Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(base or os.path.expanduser("~/.cache"), "neuropytree")


def _files() -> list[pathlib.Path]:
    try:
        return sorted(_folder().glob("*.kernel*"))
    except OSError:
        return []


def _read(key: str) -> bytes | None:
    """A file is a digest and the code: a damaged one is compiled again."""
    try:
        data = (_folder() / f"{key}.kernel").read_bytes()
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def _write(key: str, code: bytes) -> None:
    """By renaming: who reads meanwhile sees the whole file or none, and of two writers the last stays."""
    folder = _folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=key[:16], suffix=".kernel.new")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, folder / f"{key}.kernel")
        except BaseException:
            pathlib.Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _warn(str(folder), error.strerror or str(error))


@functools.cache
def _warn(folder: str, reason: str) -> None:
    warnings.warn(
        f"compiled kernels can't be kept in {folder} ({reason}), so every process compiles them again; set "
        "NEUROPYTREE_CACHE to a folder that can be written to",
        RuntimeWarning,
        stacklevel=2,
    )
