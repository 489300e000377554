"""From a Taichi kernel to an object file: the one path, taken when the package is built and for a user's own kernels.

A kernel whose outermost loops all have `ti.loop_config(serialize=True)` becomes one plain function, `void f(context*)`,
that reads the first field of its context, a pointer to its packed arguments, and calls nothing. It needs no Taichi to
run. Starting Taichi discards whatever Taichi session the process has, so this file is run as a program of its own:

    python _compile.py DIRECTORY MODULE

compiles every entry of `KERNELS` in that module beside this file (a `Kernel` by name), and writes to the directory one
object file for each and `MODULE.json`. Only the standard library, Taichi and llvmlite are imported.

Code is generated twice, for any x86-64 processor and for those with AVX2; with `NEUROPYTREE_NATIVE=1` in the
environment, in place of the second, for this one.
"""

# Taichi and llvmlite are where kernels are compiled, not where types are checked.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import importlib
import importlib.util
import json
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Mapping
from typing import Any


def to_ir(kernels: Mapping[str, Any]) -> dict[str, str]:
    """LLVM IR text of Taichi kernels by name. Starts Taichi afresh: fields and settings of this process are lost."""
    import taichi as ti

    ti.init(arch=ti.x64, fast_math=False, offline_cache=False, log_level=ti.ERROR, verbose=False)
    module = ti.aot.Module(ti.x64)
    for name, kernel in kernels.items():
        module.add_kernel(kernel, name=name)
    with tempfile.TemporaryDirectory() as folder:
        module.save(folder)
        return {name: (pathlib.Path(folder) / f"{name}.ll").read_text() for name in kernels}


BASELINE, MODERN = "x86-64", "x86-64-v3"  # any processor, and any with AVX2


def to_object(ir: str, symbol: str, *, cpu: str) -> bytes:
    """An object file that defines `symbol`, the function of one kernel, from its LLVM IR text.

    `cpu` is one of LLVM's names, or `"native"`. Floating-point results do not depend on it: nothing is contracted.
    """
    defined = re.findall(r"^define [^@\n]*@(\w+)\(", ir, re.MULTILINE)
    called = [name for name in re.findall(r"^declare [^@\n]*@([\w.]+)\(", ir, re.MULTILINE) if name[:5] != "llvm."]
    remedy = "put ti.loop_config(serialize=True) before each outermost loop"
    if called:
        calls = ", ".join(called)
        raise ValueError(f"kernel {symbol!r} calls Taichi's runtime ({calls}): {remedy}, no ti.random, assert or print")
    if len(defined) != 1:
        raise ValueError(f"kernel {symbol!r} is {len(defined)} functions, expected 1: {remedy}")
    ir = ir.replace(f"@{defined[0]}(", f"@{symbol}(")
    # Nothing writes to the packed arguments, which are a structure of structures, nor to the pointer to them. Said so,
    # the loads of addresses and dimensions leave the loops.
    packed = set(re.findall(r"^ *(%\S+) = (?:getelementptr \{ \{|bitcast %struct\.RuntimeContext)", ir, re.MULTILINE))
    ir = re.sub(
        r"^ *%\S+ = load .* (%\S+), align \d+$",
        lambda load: f"{load[0]}, !invariant.load !{{}}" if load[1] in packed else load[0],
        ir,
        flags=re.MULTILINE,
    )

    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(ir)
    module.verify()
    features = ""
    if cpu == "native":
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machine = target.create_target_machine(cpu=cpu, features=features, opt=3, reloc="pic", codemodel="default")
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


def main(folder: str, module: str) -> None:
    import llvmlite
    import llvmlite.binding as llvm
    import taichi

    # As a package of another name: that of the library would import JAX.
    here = pathlib.Path(__file__).parent
    spec = importlib.util.spec_from_file_location(
        "kernels", here / "__init__.py", submodule_search_locations=[str(here)]
    )
    assert spec is not None
    sys.modules["kernels"] = importlib.util.module_from_spec(spec)
    kernels = importlib.import_module(f"kernels.{module}").KERNELS
    modern = "native" if os.environ.get("NEUROPYTREE_NATIVE") == "1" else MODERN
    out = pathlib.Path(folder)
    for name, ir in to_ir({name: entry.kernel for name, entry in kernels.items()}).items():
        (out / f"{name}.o").write_bytes(to_object(ir, f"{name}_kernel", cpu=BASELINE))
        (out / f"{name}.modern.o").write_bytes(to_object(ir, f"{name}_modern", cpu=modern))
    record = {
        "taichi": ".".join(map(str, taichi.__version__)),
        "llvmlite": llvmlite.__version__,
        "cpu": f"{BASELINE}, {llvm.get_host_cpu_name() if modern == 'native' else modern}",
        "kernels": {
            name: {
                "operands": [*entry.operands, *entry.outputs],
                "in_place": entry.in_place,
                "outputs": len(entry.outputs),
                "parts": entry.parts,
            }
            for name, entry in kernels.items()
        },
    }
    (out / f"{module}.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main(*sys.argv[1:])
