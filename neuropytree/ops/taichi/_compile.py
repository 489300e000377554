"""From a Taichi kernel to an object file: the one path, taken when the package is built and for a user's own kernels.

Every loop is made serial. So a kernel becomes one plain function, `void f(context*)`, that reads the first field of its
context, a pointer to its packed arguments, and calls nothing but the C library's mathematics. It needs no Taichi to
run. Starting Taichi discards whatever Taichi session the process has, so this file is run as a program of its own:

    python _compile.py DIRECTORY MODULE

compiles every entry of `KERNELS` in that module beside this file (a `Kernel` by name), and writes to the directory one
object file for each and `MODULE.json`. Code is generated twice, for any x86-64 processor and for those with AVX2; with
`NEUROPYTREE_NATIVE=1` in the environment, in place of the second, for this one. And

    python _compile.py DIRECTORY

compiles a user's kernel, `kernel.pickle` (see `_capture.py`) in the directory, for this processor, and writes there
`kernel.o`, or `error.txt`. Only the standard library, NumPy, Taichi and llvmlite are imported.
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

LIBM = {name + end for name in "acos asin atan2 cos exp log pow sin tan tanh fmod".split() for end in ("", "f")}
FUNCTION = "npt_kernel"  # a user's kernel in its object file


def serialize() -> None:
    """Makes every loop of every kernel serial, as `ti.loop_config(serialize=True)` before it does."""
    from taichi.lang.ast.ast_transformer import ASTTransformer

    build = ASTTransformer.build_For

    def serial(ctx: Any, node: Any) -> Any:
        ctx.ast_builder.strictly_serialize()
        return build(ctx, node)

    ASTTransformer.build_For = staticmethod(serial)


def start(precision: str = "f32") -> None:
    """Starts Taichi afresh: fields and settings of this process are lost."""
    import taichi as ti

    ti.init(
        arch=ti.x64,
        default_fp=getattr(ti, precision),
        fast_math=False,
        offline_cache=False,
        log_level=ti.ERROR,
        verbose=False,
    )


def to_ir(kernels: Mapping[str, Any], templates: Mapping[str, Any] | None = None) -> dict[str, str]:
    """LLVM IR text of Taichi kernels by name, and with the values of their templates."""
    import taichi as ti

    module = ti.aot.Module(ti.x64)
    for name, kernel in kernels.items():
        arrays = {p.name: p.annotation for p in kernel._primal.arguments if hasattr(p.annotation, "ndim")}
        arrays = {name: ti.ndarray(kind.dtype, (2,) * kind.ndim) for name, kind in arrays.items() if templates}
        module.add_kernel(kernel, {**arrays, **templates} if templates else None, name=name)
    with tempfile.TemporaryDirectory() as folder:
        module.save(folder)
        return {name: (pathlib.Path(folder) / f"{name}.ll").read_text() for name in kernels}


FETCH = 0x7072656665746368  # the address that `_fetch.mark` calls


def fetching(ir: str) -> str:
    """The text with each call of `_fetch.mark`, on an element just loaded, made a prefetch of that element."""
    loads = dict(re.findall(r"^ *(%\S+) = load \S+, (\S+ %[\w.]+), align \d+", ir, re.MULTILINE))

    def prefetch(mark: re.Match[str]) -> str:
        address = f"%fetched.{mark.start()}"
        return (
            f"{address} = bitcast {loads[mark[2]]} to i8*\n"
            f"  call void @llvm.prefetch.p0i8(i8* {address}, i32 0, i32 3, i32 1)"
        )

    changed = re.sub(rf"(?:tail )?call void inttoptr \(i64 {FETCH} to void \((\S+)\)\*\)\(\1 (%[\w.]+)\)", prefetch, ir)
    return changed if changed == ir else f"{changed}\ndeclare void @llvm.prefetch.p0i8(i8*, i32, i32, i32)\n"


def packed_type(ir: str) -> str:
    """The type of the packed arguments, or how it begins where the kernel reads none."""
    found = re.search(r"bitcast %struct\.RuntimeContext\S* %\w+ to (\{.*\})\*\*", ir)
    return found[1] if found else "{ {"


def check_layout(ir: str, parameters: Any) -> None:
    """That the bridge packs arguments as the kernel reads them."""
    views = []
    for kind, *details in parameters:
        if kind != "template":
            element = {"f32": "float", "f64": "double"}.get(details[0], "i" + details[0][1:])
            dims = ", ".join(["i32"] * max(details[1], 1)) if kind == "array" else ""
            views.append(f"{{ {{ {dims} }}, {element}* }}" if kind == "array" else element)
    if packed_type(ir) not in ("{ {", expected := f"{{ {', '.join(views)} }}"):
        raise ValueError(f"Taichi lays out arguments as {packed_type(ir)}, expected {expected}")


def sources(ir: str) -> dict[str, int]:
    """Which argument, counted as they are packed, each address in a kernel belongs to."""
    kind = re.escape(packed_type(ir))
    views = re.findall(rf"^ *(%\S+) = getelementptr {kind}, .*, i64 0, i32 (\d+), i32 1$", ir, re.MULTILINE)
    source = {value: int(argument) for value, argument in views}
    lines = re.findall(r"^ *(%\S+) = (?:load|getelementptr|bitcast|phi|select) ([^\n]*\*[^\n]*)", ir, re.MULTILINE)
    for _ in range(3):  # what comes round a loop is known the second time
        for value, operands in lines:
            for operand in re.findall(r"%[\w.]+", operands):
                if operand in source:
                    source.setdefault(value, source[operand])
    return source


def written(ir: str) -> set[int]:
    """Which arguments, counted as they are packed, a kernel writes to."""
    source = sources(ir)
    stores = re.findall(r"^ *store .*, \S+\* (%[\w.]+)", ir, re.MULTILINE)
    stores += re.findall(r"(?:atomicrmw \w+|cmpxchg|call void @llvm\.mem\w+\S*) *\(?[^%\n]*(%[\w.]+)", ir)
    return {source[value] for value in stores if value in source}


def separated(ir: str) -> str:
    """The text with it said that what a kernel writes to is no other argument's memory: XLA gives each result a buffer
    of its own, or that of an operand which nothing else reads. Loops can then be made vector instructions of."""
    source, results = sources(ir), sorted(written(ir))
    domain, scope, first = "!90000", {result: f"!{90001 + n}" for n, result in enumerate(results)}, 90001 + len(results)
    known = {(): ""}
    lines = [f"{domain} = distinct !{{{domain}}}", *(f"{s} = distinct !{{{s}, {domain}}}" for s in scope.values())]

    def among(scopes: list[str]) -> str:
        if tuple(scopes) not in known:
            known[tuple(scopes)] = f"!{first + len(known)}"
            lines.append(f"{known[tuple(scopes)]} = !{{{', '.join(scopes)}}}")
        return known[tuple(scopes)]

    def say(access: re.Match[str]) -> str:
        argument = source.get(access[1])
        if argument is None or access[1] in views:
            return access[0]
        mine, others = (
            among([scope[r] for r in results if r == argument]),
            among([scope[r] for r in results if r != argument]),
        )
        return access[0] + (f", !alias.scope {mine}" if mine else "") + (f", !noalias {others}" if others else "")

    kind = re.escape(packed_type(ir))
    views = set(re.findall(rf"^ *(%\S+) = getelementptr {kind}, ", ir, re.MULTILINE))
    ir = re.sub(r"^ *(?:%\S+ = load|store) .*\* (%[\w.]+), align \d+$", say, ir, flags=re.MULTILINE)
    return "\n".join([ir, *lines, ""])


def indexed(ir: str) -> str:
    """The text with it said that a sum which is the place of an element in an array doesn't overflow, where that
    element is accessed in any case. Elements one after the other can then be accessed by one vector instruction."""
    place = re.compile(r"^ *(%\S+) = sext i32 (%\S+) to i64$")
    access = re.compile(r"^ *%\S+ = getelementptr (?:i\d+|float|double), [^,]*, i64 (%\S+)$")
    lines, sums, places, steps = ir.split("\n"), {}, {}, set()
    for at, line in enumerate(lines):
        if line.endswith(":") or " preds = " in line:
            sums.clear(), places.clear()  # another block, which may run where this one doesn't
        elif found := re.match(r"^ *(%\S+) = (add|phi) i32 ", line):
            sums[found[1]] = at
        elif found := place.match(line):
            places[found[1]] = found[2]
        elif (found := access.match(line)) and places.get(found[1]) in sums:
            name = places[found[1]]
            number = sums[name]
            if " = phi " in lines[number]:  # arrays end 64 elements before numbers do: nor does a step from one
                steps.add(name)
            lines[number] = lines[number].replace(" = add i32 ", " = add nsw i32 ")
    step = re.compile(r"^( *%\S+ = add) (i32 (%\S+), (\d+))$")
    found = (step.match(line) for line in lines)
    return "\n".join(
        f"{match[1]} nsw {match[2]}" if match and match[3] in steps and int(match[4]) <= 64 else line
        for line, match in zip(lines, found, strict=True)
    )


def expected(ir: str) -> str:
    """The text with it said that what was read from an index array, and is compared with a size, is below it: blocks
    then follow each other as they are run, without jumps."""
    read = set(re.findall(r"^ *(%\S+) = load i32, ", ir, re.MULTILINE))
    compared = re.findall(r"^ *(%\S+) = icmp ult i32 (%\S+), ", ir, re.MULTILINE)
    inside = {result for result, value in compared if value in read}
    both = re.findall(r"^ *(%\S+) = select i1 (%\S+), i1 (%\S+), i1 false$", ir, re.MULTILINE)
    inside |= {result for result, *of in both if inside.issuperset(of)}

    def likely(branch: re.Match[str]) -> str:
        return f'{branch[0]}, !prof !{{!"branch_weights", i32 2000, i32 1}}' if branch[1] in inside else branch[0]

    return re.sub(r"^ *br i1 (%\S+), label %\S+, label %\S+$", likely, ir, flags=re.MULTILINE)


PACKED = 1024  # bytes that the packed arguments have in any case: `kPacked` in the bridge
BASELINE, MODERN = "x86-64", "x86-64-v3"  # any processor, and any with AVX2


def to_object(ir: str, symbol: str, *, cpu: str) -> bytes:
    """An object file that defines `symbol`, the function of one kernel, from its LLVM IR text.

    `cpu` is one of LLVM's names, or `"native"`. Floating-point results do not depend on it: nothing is contracted.
    """
    defined = re.findall(r"^define [^@\n]*@(\w+)\(", ir, re.MULTILINE)
    declared = re.findall(r"^declare [^@\n]*@([\w.]+)\(", ir, re.MULTILINE)
    called = [name for name in declared if name[:5] != "llvm." and name not in LIBM]
    # The other fields of the context are the runtime, with its random numbers, and the place of a returned value.
    if re.search(r"= getelementptr [^\n]*%struct\.RuntimeContext\S* %\w+, i64 0, i32 [1-9]", ir):
        called.insert(0, "its context")
    if called:
        raise ValueError(
            f"kernel {symbol!r} needs Taichi's runtime ({', '.join(called)}): no ti.random, assert, print, fields or "
            "returned values in a kernel"
        )
    if len(defined) != 1:
        raise ValueError(f"kernel {symbol!r} is {len(defined)} functions, expected 1")
    ir = fetching(ir.replace(f"@{defined[0]}(", f"@{symbol}("))
    # Nothing writes to the packed arguments, which are a structure of structures, nor to the pointer to them, and they
    # can be read at any time. Said so, the loads of addresses and dimensions leave the loops, conditional ones too.
    kind = packed_type(ir)
    views = set(re.findall(rf"^ *(%\S+) = getelementptr {re.escape(kind)}", ir, re.MULTILINE))
    contexts = set(re.findall(r"^ *(%\S+) = bitcast %struct\.RuntimeContext", ir, re.MULTILINE))

    def constant(load: re.Match[str]) -> str:
        if load[1] in contexts:
            return f"{load[0]}, !invariant.load !{{}}, !dereferenceable !{{i64 {PACKED}}}, !align !{{i64 8}}"
        return f"{load[0]}, !invariant.load !{{}}" if load[1] in views else load[0]

    ir = re.sub(r"^ *%\S+ = load .* (%\S+), align \d+$", constant, ir, flags=re.MULTILINE)
    ir = separated(ir)

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


def package() -> None:
    """Makes this folder the package `kernels`: under its name in the library it would import JAX."""
    here = pathlib.Path(__file__).parent
    spec = importlib.util.spec_from_file_location(
        "kernels", here / "__init__.py", submodule_search_locations=[str(here)]
    )
    assert spec is not None
    sys.modules["kernels"] = importlib.util.module_from_spec(spec)


def compile_module(folder: str, module: str) -> None:
    import llvmlite
    import llvmlite.binding as llvm
    import taichi

    kernels = importlib.import_module(f"kernels.{module}").KERNELS
    start()
    modern = "native" if os.environ.get("NEUROPYTREE_NATIVE") == "1" else MODERN
    out = pathlib.Path(folder)
    for name, text in to_ir({name: entry.kernel for name, entry in kernels.items()}).items():
        ir = expected(indexed(text))
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


def compile_captured(folder: str) -> None:
    out = pathlib.Path(folder)
    restore = importlib.import_module("kernels._capture").restore
    try:
        data = (out / "kernel.pickle").read_bytes()
        kernel, parameters, operands, templates, precision = restore(data, out)
        start(precision)
        ir = to_ir({kernel.__name__: kernel}, templates)[kernel.__name__]
        check_layout(ir, parameters)
        try:
            code = to_object(ir, FUNCTION, cpu="native")
        except ValueError as error:
            raise ValueError(str(error).replace(repr(FUNCTION), repr(kernel.__name__))) from None
        names = [
            p.name for p, (kind, *_) in zip(kernel._primal.arguments, parameters, strict=True) if kind != "template"
        ]
        if inputs := sorted(names[i] for i in written(ir) if i < operands):
            raise ValueError(f"it writes to its operands {inputs}, which others may still read: write to results only")
        (out / "kernel.o").write_bytes(code)
    except Exception as error:
        # Lines are counted from the first of each function: its file here is none of the user's.
        text = re.sub(r'File "[^"\n]*/(\w+)_\d+\.py", line (\d+), in \w+', r"line \2 of '\1'", str(error))
        (out / "error.txt").write_text(f"{type(error).__name__}: {text.strip()}")


if __name__ == "__main__":
    package()
    serialize()
    (compile_module if len(sys.argv) > 2 else compile_captured)(*sys.argv[1:])
