"""The native kernels, called as JAX calls them, against NumPy; and what is said of a library that is not there."""

import hashlib
import json
import pathlib
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neuropytree.ops import _bridge
from neuropytree.ops.taichi import _compile

DTYPES = {"f32": np.float32, "f64": np.float64}
PARTS = [
    (operation, dtype, a, b, batched)
    for operation, kinds in (("mv", ("homo", "edge")), ("tmv", ("homo", "edge")), ("outer", ("bool", "float")))
    for dtype in DTYPES
    for a in kinds
    for b in ("bool", "float")
    for batched in (False, True)
]
SHAPES = [(0, 7), (7, 0), (1, 1), (8, 9), (9, 8), (33, 32), (64, 31), (7, 1000), (1000, 7)]


def target(operation, dtype, a, b, batched):
    return f"npt_csr_{operation}_{dtype}_{a}_{b}" + "_batched" * batched


@pytest.fixture(scope="module")
def bridge():
    bridge = _bridge.load()
    if not bridge.available:
        pytest.skip(bridge.reason)
    for name, handler in bridge.handlers.items():
        jax.ffi.register_ffi_target(f"test_{name}", jax.ffi.pycapsule(handler), platform="cpu")
    return bridge


@pytest.fixture(autouse=True)
def x64():
    before = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def call(name, acc, *operands, in_place=True):
    out = jax.ShapeDtypeStruct(acc.shape, acc.dtype)
    aliases = {0: 0} if in_place else {}
    kernel = jax.jit(jax.ffi.ffi_call(f"test_{name}", out, input_output_aliases=aliases))
    with jax.default_device(jax.devices("cpu")[0]):
        return np.asarray(kernel(acc, *operands))


def quarters(rng, shape, dtype=np.float64):
    """Numbers other than zero whose products and sums are exact in every precision."""
    return (rng.integers(1, 9, shape) * rng.choice([-0.25, 0.25], shape)).astype(dtype)


class Edges:
    """A random CSR with empty rows and duplicate edges, and after the edges room that must never be read."""

    def __init__(self, rng, n_in, n_out, room=5):
        degrees = rng.integers(0, 12, n_in) * (rng.random(n_in) < 0.7) * (n_out > 0)
        self.n_in, self.n_out, self.count = n_in, n_out, int(degrees.sum())
        self.rows = np.repeat(np.arange(n_in), degrees)
        self.columns = rng.integers(0, max(n_out, 1), self.count)
        self.columns = self.columns[np.lexsort((self.columns, self.rows))]
        self.indices = np.concatenate([self.columns, np.full(room, 2**31 - 1)]).astype(np.int32)
        self.indptr = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int32)

    def weight(self, rng, rows, kind, dtype):
        if kind == "homo":
            return quarters(rng, (rows, 1), dtype)
        reserved = np.full((rows, len(self.indices) - self.count), np.nan)
        return np.concatenate([quarters(rng, (rows, self.count)), reserved], axis=1).astype(dtype)


def events(rng, rows, n, kind, dtype, rate=0.3):
    active = rng.random((rows, n)) < rate
    if kind == "bool":
        return active
    return np.where(active, quarters(rng, (rows, n)), rng.choice([-0.0, 0.0], (rows, n))).astype(dtype)


def expected(operation, edges, out, a, b):
    """One item in float64, edge by edge."""
    out = out.astype(np.float64)
    rows, columns = edges.rows, edges.columns
    if operation == "outer":
        p, q = a[rows].astype(np.float64), b[columns].astype(np.float64)
        out[: edges.count] += np.where((p != 0) & (q != 0), p * q, 0)
        return out
    source, destination = (rows, columns) if operation == "mv" else (columns, rows)
    event = b[source].astype(np.float64)
    weight = np.broadcast_to(a[0] if len(a) == 1 else a[: edges.count], edges.count).astype(np.float64)
    np.add.at(out, destination[event != 0], (weight * event)[event != 0])
    return out


def sizes(operation, edges):
    """Lengths of the output, of `a` where it is not a weight, and of `b`."""
    n_in, n_out = edges.n_in, edges.n_out
    if operation == "outer":
        return len(edges.indices), n_in, n_out
    return (n_out, None, n_in) if operation == "mv" else (n_in, None, n_out)


def test_the_library_has_every_kernel(bridge):
    assert {"npt_fence", "npt_custom", *(target(*parts) for parts in PARTS)} <= set(bridge.handlers)
    assert {"taichi", "llvmlite", "compiler", "cpu", "jaxlib", "ffi"} <= set(bridge.build)


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: target(*parts))
def test_values(bridge, parts):
    operation, dtype_name, a_kind, b_kind, batched = parts
    name, dtype = target(*parts), DTYPES[dtype_name]
    rng = np.random.default_rng(len(name))
    for n_in, n_out in SHAPES:
        edges = Edges(rng, n_in, n_out)
        out_size, a_size, b_size = sizes(operation, edges)
        # Four events share two rows of the output; the weights vary fastest; or, unbatched, one row of each.
        maps = [[4, 2, 2, 1, 4, 2, 1], [6, 1, 6, 2, 3, 1, 2]] if batched else [[1, 1, 1, 1, 1, 1, 1]]
        for count, d_out, m_out, d_a, m_a, d_b, m_b in maps:
            acc = quarters(rng, (m_out, out_size), dtype)
            if operation == "outer":
                a = events(rng, m_a, a_size, a_kind, dtype)
            else:
                a = edges.weight(rng, m_a, a_kind, dtype)
            b = events(rng, m_b, b_size, b_kind, dtype)
            want = acc.astype(np.float64)
            for i in range(count):
                row = i // d_out % m_out
                want[row] = expected(operation, edges, want[row], a[i // d_a % m_a], b[i // d_b % m_b])
            if batched:
                vector = np.asarray([count, d_out, m_out, d_a, m_a, d_b, m_b], np.int32)
                got = call(name, acc, a, b, edges.indices, edges.indptr, vector)
            else:
                got = call(name, acc[0], a[0], b[0], edges.indices, edges.indptr)[None]
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, want)  # every number is a small multiple of 1/16: nothing rounds


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("operation", ["mv", "tmv"])
@pytest.mark.parametrize("kind", ["homo", "edge"])
def test_zero_events_are_skipped_and_nan_is_an_event(bridge, operation, kind, batched, dtype):
    rng, real = np.random.default_rng(3), DTYPES[dtype]
    for n in (1, 7, 8, 9, 32, 33, 65):  # within and beyond whole groups of 8 and blocks of 32
        edges = Edges(rng, n, n)
        edges.indptr, edges.columns, edges.count = np.arange(n + 1, dtype=np.int32), np.arange(n), n
        edges.indices = np.concatenate([edges.columns, np.zeros(3)]).astype(np.int32)
        weight = np.full(1 if kind == "homo" else n + 3, np.inf, real)
        one = np.asarray([1, 1, 1, 1, 1, 1, 1], np.int32)

        def run(x, weight=weight, edges=edges, one=one, n=n):
            name = target(operation, dtype, kind, "bool" if x.dtype == bool else "float", batched)
            acc = np.ones(n, real)
            if batched:
                return call(name, acc[None], weight[None], x[None], edges.indices, edges.indptr, one)[0]
            return call(name, acc, weight, x, edges.indices, edges.indptr)

        for silence in (np.zeros(n, bool), np.zeros(n, real), np.full(n, -0.0, real)):
            np.testing.assert_array_equal(run(silence), np.ones(n))
        for place in {0, n // 2, n - 1}:
            x = np.full(n, -0.0, real)
            x[place] = np.nan
            np.testing.assert_array_equal(np.isnan(run(x)), np.arange(n) == place)
            np.testing.assert_array_equal(run(np.arange(n) == place), np.where(np.arange(n) == place, np.inf, 1))


def test_an_operand_that_is_not_donated_stays_as_it_was(bridge):
    edges = Edges(np.random.default_rng(0), 40, 30)
    acc, x, w = jnp.ones(30), np.ones(40, bool), np.ones(1)
    operands = ("npt_csr_mv_f64_homo_bool", acc, w, x, edges.indices, edges.indptr)
    want = 1 + np.bincount(edges.columns, minlength=30)
    np.testing.assert_array_equal(call(*operands), want)
    np.testing.assert_array_equal(call(*operands, in_place=False), want)
    np.testing.assert_array_equal(acc, 1)


def test_a_scalar_weight(bridge):
    edges = Edges(np.random.default_rng(0), 40, 30)
    operands = (np.zeros(30), np.float64(2.0), np.ones(40, bool), edges.indices, edges.indptr)
    got = call("npt_csr_mv_f64_homo_bool", *operands)
    np.testing.assert_array_equal(got, 2 * np.bincount(edges.columns, minlength=30))


def test_threads(bridge):
    edges = Edges(np.random.default_rng(0), 1000, 1000)
    kernel = jax.jit(
        jax.ffi.ffi_call(
            "test_npt_csr_mv_f64_homo_bool", jax.ShapeDtypeStruct((1000,), np.float64), input_output_aliases={0: 0}
        )
    )
    want = np.bincount(edges.columns, minlength=1000)
    wrong = []

    def work(value):
        for _ in range(50):
            got = kernel(jnp.zeros(1000), jnp.full(1, value), jnp.ones(1000, bool), edges.indices, edges.indptr)
            if not np.array_equal(got, value * want):
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(float(i + 1),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "complaint, change",
    [
        ("operand 1: wrong element type", lambda acc, w, x, *edges: (acc, w.astype(np.float32), x, *edges)),
        ("operand 2: wrong rank", lambda acc, w, x, *edges: (acc, w, x[None], *edges)),
        ("operand 6: wrong number of operands", lambda acc, w, x, *edges: (acc, w, x, *edges, edges[0])),
        ("operand 0: shape or element type differs", lambda acc, *rest: (acc[1:], *rest)),
    ],
)
def test_a_call_that_does_not_fit_is_refused(bridge, complaint, change):
    edges = Edges(np.random.default_rng(0), 4, 3)
    operands = change(np.ones(3), np.ones(1), np.ones(4, bool), edges.indices, edges.indptr)
    kernel = jax.jit(jax.ffi.ffi_call("test_npt_csr_mv_f64_homo_bool", jax.ShapeDtypeStruct((3,), np.float64)))
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"neuropytree kernel npt_csr_mv_f64_homo_bool, {complaint}"):
        jax.block_until_ready(kernel(*operands))


def test_a_dimension_beyond_int32_is_refused(bridge):
    edges = Edges(np.random.default_rng(0), 4, 3)
    weight = jnp.zeros((2**31, 0))  # takes no memory
    maps = np.asarray([0, 1, 1, 1, 1, 1, 1], np.int32)
    with pytest.raises(jax.errors.JaxRuntimeError, match="operand 1: more than 2147483584 elements"):
        call(
            "npt_csr_mv_f64_edge_bool_batched",
            *(np.ones((1, 3)), weight, np.ones((1, 4), bool), edges.indices, edges.indptr, maps),
        )


# What is said when there is no library


def test_never_built(tmp_path):
    bridge = _bridge.read(tmp_path)
    assert not bridge.available and "never built" in bridge.reason and "pip install" in bridge.remedy
    assert not bridge.handlers and bridge.path is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"reason": ""}'])
def test_unreadable_record(tmp_path, text):
    (tmp_path / _bridge.RECORD).write_text(text)
    bridge = _bridge.read(tmp_path)
    assert not bridge.available and "cannot be read" in bridge.reason and "pip install" in bridge.remedy


def record(tmp_path, **fields):
    nothing = {"reason": "", "remedy": "", "library": "libneuropytree.so", "sha256": "", "kernels": [], "build": {}}
    (tmp_path / _bridge.RECORD).write_text(json.dumps(nothing | fields))
    return _bridge.read(tmp_path)


WRONG = {"reason": None, "remedy": [], "library": 1, "sha256": 0, "build": "x", "kernels": 5}


@pytest.mark.parametrize(("field", "value"), [*WRONG.items(), ("kernels", [5]), ("kernels", {"npt_fence": 1})])
def test_a_record_with_something_else_in_a_field(tmp_path, field, value):
    bridge = record(tmp_path, **{field: value})
    assert not bridge.available and "cannot be read (TypeError: '" + field in bridge.reason
    assert "pip install" in bridge.remedy and not bridge.handlers


def test_a_part_was_missing(tmp_path):
    bridge = record(tmp_path, reason="no C++ compiler", remedy="install one")
    assert (bridge.available, bridge.reason, bridge.remedy) == (False, "no C++ compiler", "install one")


def test_missing_library(tmp_path):
    bridge = record(tmp_path)
    assert not bridge.available and "No such file" in bridge.reason and "\n" not in bridge.reason


def test_a_library_that_is_not_the_one_built(tmp_path):
    (tmp_path / "libneuropytree.so").write_bytes(b"\x7fELF but cut short")
    bridge = record(tmp_path, sha256="0" * 64)
    assert not bridge.available and "is not the library that was built" in bridge.reason


def test_a_library_of_another_system(tmp_path):
    (tmp_path / "libneuropytree.so").write_bytes(b"\xcf\xfa\xed\xfe")
    bridge = record(tmp_path, sha256=hashlib.sha256(b"\xcf\xfa\xed\xfe").hexdigest())
    assert not bridge.available and "cannot be loaded" in bridge.reason and "\n" not in bridge.reason


def test_a_library_without_a_kernel(bridge, tmp_path):
    for name in (_bridge.RECORD, "libneuropytree.so"):
        shutil.copy(pathlib.Path(bridge.path).parent / name, tmp_path)
    fields = json.loads((tmp_path / _bridge.RECORD).read_text())
    assert _bridge.read(tmp_path).available
    bridge = record(tmp_path, **(fields | {"kernels": ["npt_absent"]}))
    assert not bridge.available and "npt_absent" in bridge.reason


# What the compiler refuses


def test_a_kernel_that_calls_the_runtime_is_refused():
    text = "define void @k(i8* %c) {\n ret void\n}\n"
    text += "declare i32 @llvm.smin.i32(i32, i32)\ndeclare void @cpu_parallel(i8*)\n"
    with pytest.raises(ValueError, match=r"'mine' needs Taichi's runtime \(cpu_parallel\)"):
        _compile.to_object(text, "mine", cpu=_compile.BASELINE)


def test_a_kernel_of_two_functions_is_refused():
    text = "define void @a(i8* %c) {\n ret void\n}\ndefine void @b(i8* %c) {\n ret void\n}\n"
    with pytest.raises(ValueError, match="'mine' is 2 functions, expected 1"):
        _compile.to_object(text, "mine", cpu=_compile.BASELINE)


def test_marked_elements_are_fetched_and_not_read():
    text = "define void @k({ { { i32 }, i32* } }* %c) {\n"
    text += "  %a = getelementptr { { { i32 }, i32* } }, { { { i32 }, i32* } }* %c, i64 0, i32 0, i32 1\n"
    text += "  %p = load i32*, i32** %a, align 8\n  %v = load i32, i32* %p, align 4\n"
    text += f"  tail call void inttoptr (i64 {_compile.FETCH} to void (i32)*)(i32 %v)\n  ret void\n}}\n"
    changed = _compile.fetching(text)
    assert "i32* %p to i8*" in changed and "@llvm.prefetch.p0i8(i8* %fetched" in changed and "inttoptr" not in changed
    assert _compile.fetching("define void @k() {\n ret void\n}\n") == "define void @k() {\n ret void\n}\n"
    pytest.importorskip("llvmlite", reason="the compiler that made the kernels isn't installed")
    assert b"\x0f\x18" in _compile.to_object(text, "mine", cpu=_compile.BASELINE)  # the instruction


def test_places_are_said_not_to_overflow_where_they_are_accessed_in_any_case():
    text = """entry:
  %guarded = add i32 %a, %b
  %ok = icmp ult i32 %guarded, 9
  br i1 %ok, label %inside, label %out

inside:                                           ; preds = %entry, %inside
  %at = phi i32 [ 0, %entry ], [ %next, %inside ]
  %far = phi i32 [ 0, %entry ], [ %jump, %inside ]
  %0 = sext i32 %guarded to i64
  %a0 = getelementptr i32, i32* %x, i64 %0
  %1 = add i32 %at, 7
  %2 = sext i32 %1 to i64
  %a1 = getelementptr float, float* %y, i64 %2
  %3 = sext i32 %at to i64
  %a2 = getelementptr i32, i32* %x, i64 %3
  %4 = sext i32 %far to i64
  %a3 = getelementptr i32, i32* %x, i64 %4
  %hash = add i32 %1, 5
  %5 = sext i32 %hash to i64
  %6 = mul i64 %5, %5
  %next = add i32 %at, 8
  %jump = add i32 %far, 65"""
    changed = _compile.indexed(text)
    said = [line.split()[0] for line in changed.splitlines() if " nsw " in line]
    assert said == ["%1", "%next"]  # neither a sum from elsewhere, nor one that is no place, nor a step too far
    assert changed.replace(" nsw", "") == text
