"""Builds the native kernels: Taichi kernels compiled to object files, linked with the bridge into one shared library.

The library holds no Python and no Taichi, so one wheel serves every Python. A missing part (a C++ compiler, Taichi,
llvmlite, the FFI headers of jaxlib, another platform) never fails an installation: the pure-JAX reference runs then,
and `_build.json`, beside the library, says what was missing. The compiler is `$CXX`, or the first of g++, c++ and
clang++: `CXX=/nonexistent pip install .` installs the reference only. `NEUROPYTREE_NATIVE=1` generates code for the
processor of this machine instead of any x86-64.
"""

import concurrent.futures
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent
OPS = pathlib.Path("neuropytree", "ops")
# of neuropytree/ops/taichi, with kernels to be compiled
MODULES = (
    "_append",
    "_block",
    "_compact",
    "_coo",
    "_count",
    "_count_laws",
    "_csr",
    "_csr_mm",
    "_due",
    "_fire",
    "_jit",
    "_plasticity",
)
LIBRARY, RECORD = "libneuropytree.so", "_build.json"
DTYPES = {"f32": "XLA_FFI_DataType_F32", "f64": "XLA_FFI_DataType_F64"}
DTYPES |= {"s32": "XLA_FFI_DataType_S32", "u32": "XLA_FFI_DataType_U32", "pred": "XLA_FFI_DataType_PRED"}


class Missing(Exception):
    """Why the kernels cannot be built: the part that is missing, the reason, the remedy."""


def find_compiler() -> list[str]:
    wanted = shlex.split(os.environ.get("CXX", ""))
    for command in [wanted] if wanted else [["g++"], ["c++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    raise Missing(
        "C++ compiler",
        f"no C++ compiler ({wanted[0] if wanted else 'g++, c++ or clang++'}) when neuropytree was installed",
        "install one (Debian: apt install g++), or set CXX to yours, and install neuropytree again",
    )


def find_tool(name: str, version: str) -> None:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        reason = f"no {name} for Python {platform.python_version()} when neuropytree was installed"
    else:
        if found.startswith(version):
            return
        reason = f"{name} {found} when neuropytree was installed, where {version} is needed"
    raise Missing(name, reason, f"install neuropytree again with a Python that has {name} {version} (3.11 to 3.13)")


def find_headers() -> tuple[pathlib.Path, str]:
    """The include directory of jaxlib and the version of the interface in it."""
    spec = importlib.util.find_spec("jaxlib")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        header = pathlib.Path(folder, "include", "xla", "ffi", "api", "c_api.h")
        if header.is_file():
            version = re.findall(r"^#define XLA_FFI_API_(?:MAJOR|MINOR) (\d+)$", header.read_text(), re.MULTILINE)
            return pathlib.Path(folder, "include"), ".".join(version)
    raise Missing(
        "FFI headers",
        "no FFI headers (jaxlib) when neuropytree was installed",
        "install neuropytree again with pip's build isolation, or with jax in this environment",
    )


def run(command: list[str], part: str) -> str:
    quiet = {"ENABLE_TAICHI_HEADER_PRINT": "0", "TI_SKIP_VERSION_CHECK": "ON"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | quiet)
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        remedy = "read the output of `pip install -v .` from this line on and install neuropytree again"
        raise Missing(part, f"building the kernels failed in {part}: {lines[-1].strip()}", remedy)
    return done.stdout


def build(folder: pathlib.Path) -> dict:
    """Builds the library in `folder` and returns the record of it."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        system = f"{platform.system()} on {platform.machine()}"
        raise Missing("platform", f"no native kernels for {system} yet, only for Linux on x86_64", "none is needed")
    compiler = find_compiler()
    find_tool("taichi", "1.7.")
    find_tool("llvmlite", "0.44.")
    headers, api = find_headers()

    compile_module = [sys.executable, "-P", str(ROOT / OPS / "taichi" / "_compile.py"), str(folder)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda module: run([*compile_module, module], "Taichi"), MODULES))
    made = [json.loads((folder / f"{module}.json").read_text()) for module in MODULES]
    kernels = {name: entry for module in made for name, entry in module["kernels"].items()}

    entries = []
    for name, entry in kernels.items():
        fields = [f"{{{DTYPES[dtype]}, {rank}, {str(words).lower()}}}" for dtype, rank, words in entry["operands"]]
        numbers = [str(entry[field]) for field in ("in_place", "outputs", "parts")]
        entries.append(f"  K({', '.join([name, *numbers, *fields])})")
    (folder / "kernels.h").write_text("#define NPT_KERNELS(K) \\\n" + " \\\n".join(entries) + "\n")
    library = folder / LIBRARY
    flags = [
        "-std=c++17",
        "-O2",
        "-fPIC",
        "-shared",
        "-pthread",
        "-fvisibility=hidden",
        "-fno-exceptions",
        "-fno-rtti",
    ]
    objects = [str(folder / f"{name}{kind}.o") for name in kernels for kind in ("", ".modern")]
    includes = [f"-I{folder}", f"-I{headers}"]
    run([*compiler, *flags, *includes, str(ROOT / OPS / "bridge.cc"), *objects, "-o", str(library)], "the C++ compiler")

    return {
        "reason": "",
        "remedy": "",
        "missing": "",
        "library": LIBRARY,
        "sha256": hashlib.sha256(library.read_bytes()).hexdigest(),
        "kernels": ["npt_fence", "npt_custom", *kernels],
        "build": {
            "taichi": made[0]["taichi"],
            "llvmlite": made[0]["llvmlite"],
            "compiler": run([*compiler, "--version"], "the C++ compiler").splitlines()[0],
            "cpu": made[0]["cpu"],
            "jaxlib": importlib.metadata.version("jaxlib"),
            "ffi": api,
        },
    }


class BuildBridge(build_ext):
    """Puts the library and its record in the wheel and beside the sources, so that a checkout has them too."""

    built = False

    def get_ext_filename(self, fullname: str) -> str:
        return str(OPS / LIBRARY)

    def get_outputs(self) -> list[str]:
        return [str(pathlib.Path(self.build_lib) / OPS / name) for name in (LIBRARY, RECORD)[not self.built :]]

    def get_output_mapping(self) -> dict[str, str]:
        return {output: str(OPS / pathlib.Path(output).name) for output in self.get_outputs()}

    def run(self) -> None:
        start = time.monotonic()
        folder = pathlib.Path(self.build_temp).resolve() / "neuropytree"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            record = build(folder)
        except Missing as missing:
            part, reason, remedy = missing.args
            record = {"reason": reason, "remedy": remedy, "missing": part}
            record |= {"library": LIBRARY, "sha256": "", "kernels": [], "build": {}}
            print(f"neuropytree: no native kernels, the pure-JAX reference will run: {reason}; {remedy}", flush=True)
        else:
            count, seconds = len(record["kernels"]), time.monotonic() - start
            print(f"neuropytree: {count} native kernels built in {seconds:.1f} s", flush=True)
        self.built = not record["reason"]
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        self.place(folder, pathlib.Path(self.build_lib) / OPS)
        try:
            self.place(folder, ROOT / OPS)
        except OSError as error:  # sources that cannot be written to: the wheel has its copy
            print(f"neuropytree: no copy of the native kernels beside the sources: {error}", flush=True)

    def place(self, folder: pathlib.Path, to: pathlib.Path) -> None:
        to.mkdir(parents=True, exist_ok=True)
        for name in (LIBRARY, RECORD):
            if (folder / name).exists():  # by renaming: a running program may have the old library in memory
                shutil.copy2(folder / name, to / f"{name}.new")
                os.replace(to / f"{name}.new", to / name)
            else:
                (to / name).unlink(missing_ok=True)


class Wheel(bdist_wheel):
    """One wheel for every Python: of this platform with the library in it, of any without."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2] if self.get_finalized_command("build_ext").built else "any"


setup(
    ext_modules=[Extension("neuropytree.ops.libneuropytree", ["neuropytree/ops/bridge.cc"])],
    cmdclass={"build_ext": BuildBridge, "bdist_wheel": Wheel},
)
