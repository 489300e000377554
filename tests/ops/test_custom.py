"""Operators of a user's own, against NumPy; what is said where something is missing; and Taichi sessions left alone."""

import functools
import math
import os
import subprocess
import sys
import threading
import types
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.ops import _bridge, _compiler

ti = pytest.importorskip("taichi", reason="kernels are written in Taichi")

from neuropytree.ops.taichi import _common as common  # noqa: E402
from neuropytree.ops.taichi._common import share  # noqa: E402

TOLERANCE = 1e-12  # sums of few float64 numbers of size 1, in another order
SCALE = 3.0
FACTORS = (1.0, 2.0)
constants = types.ModuleType("constants")  # as a module of the user's, that another process can't import
constants.OFFSET, constants.unused = 0.5, object()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "kernels"
    monkeypatch.setenv("NEUROPYTREE_CACHE", str(folder))
    return folder


@pytest.fixture
def compiled():
    if why := _compiler.unavailable():
        pytest.skip(why)


@ti.func
def square(x):
    return x * x


@ti.func
def helper(x):
    return SCALE * square(x) + constants.OFFSET


@ti.kernel
def several(x: ti.types.ndarray(), gain: float, y: ti.types.ndarray(), total: ti.types.ndarray()):
    for i in x:
        y[i] = gain * helper(x[i]) + ti.exp(x[i]) * 0.1
    for i in range(x.shape[0]):
        for k in ti.static(range(2)):
            total[None] += FACTORS[k] * y[i]
    if total[None] > 0:
        ti.atomic_add(total[None], 1)


def several_reference(x, gain):
    one = jnp.asarray(1.0, x.dtype)
    y = gain * (SCALE * one * x * x + constants.OFFSET * one) + jnp.exp(x) * jnp.asarray(0.1, x.dtype)
    total = jnp.asarray(3.0, x.dtype) * jnp.sum(y)
    return y, jnp.where(total > 0, total + one, total)


@pytest.fixture(scope="module")
def op():
    return npt.ops.custom_op(
        kernel=several, reference=several_reference, jvp="reference", batching="sequential", name="several"
    )


def numpy_several(x, gain):
    y = gain * (3 * x**2 + 0.5) + np.exp(x) * 0.1
    return y, 3 * y.sum() + (y.sum() > 0)


def test_values_and_transformations(op, impl, compiled):
    x, f = jnp.linspace(-1, 1, 7), lambda x, gain=2.0: op(x, gain, impl=impl)
    for n in (0, 1, 7):
        for got, want in zip(f(x[:n]), numpy_several(np.asarray(x[:n]), 2.0), strict=True):
            assert got.dtype == jnp.float64 and got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE)
    loss = lambda x: jnp.sum(f(x)[0] ** 2) + f(x)[1]  # noqa: E731
    plain = lambda x: jnp.sum(several_reference(x, 2.0)[0] ** 2) + several_reference(x, 2.0)[1]  # noqa: E731
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)  # noqa: E731
    close(jax.jit(loss)(x), plain(x))
    slope = jax.jit(jax.grad(plain))
    close(jax.jit(jax.grad(loss))(x), slope(x))
    close(jax.jit(jax.hessian(loss))(x), jax.jit(jax.hessian(plain))(x))
    by_gain = jax.jit(jax.grad(lambda g: several_reference(x, g)[1]))
    close(jax.jit(jax.grad(lambda g: f(x, g)[1]))(jnp.asarray(2.0)), by_gain(2.0))
    many = jnp.stack([x, 2 * x, 3 * x])
    close(jax.vmap(f)(many)[0], [numpy_several(np.asarray(m), 2.0)[0] for m in many])
    slopes = [slope(m) for m in many]
    close(jax.jit(jax.vmap(jax.grad(loss), in_axes=1))(many.T), slopes)
    close(jax.jit(jax.grad(lambda many: jax.vmap(loss)(many).sum()))(many), slopes)
    nested = jax.vmap(jax.vmap(f, in_axes=(None, 0)), in_axes=(0, None))(many, jnp.asarray([1.0, 2.0]))
    close(nested[1], [[numpy_several(np.asarray(m), g)[1] for g in (1.0, 2.0)] for m in many])
    carry, _ = jax.jit(lambda x: jax.lax.scan(lambda c, _: (f(c)[0] * 0.1, None), x, length=3))(x)
    want = np.asarray(x)
    for _ in range(3):
        want = numpy_several(want, 2.0)[0] * 0.1
    close(carry, want)
    close(jax.jit(jax.grad(jax.checkpoint(loss)))(x), slope(x))
    with jax.checking_leaks():
        jax.jit(jax.grad(loss))(x + 1)


def test_a_signature_is_compiled_once_and_literals_have_the_precision_of_operands(op, compiled):
    before = npt.ops.kernel_cache_info().loaded
    for dtype in (jnp.float32, jnp.float64, jnp.float32):
        x = jnp.ones(3, dtype)
        y, total = op(x, jnp.asarray(1.0, dtype), impl="taichi")
        assert y.dtype == total.dtype == dtype
        # a literal 0.1 of float32 would be off by 1.5e-9
        np.testing.assert_allclose(y, 3.5 + 0.1 * math.e, rtol=1e-6 if dtype == jnp.float32 else 1e-14)
    assert npt.ops.kernel_cache_info().loaded - before <= 2
    file = npt.ops.kernel_cache_info()
    assert file.files >= 2 and file.bytes > 0


@ti.kernel
def layout(
    a: ti.i8,
    x: ti.types.ndarray(),
    b: ti.f32,
    c: ti.i16,
    d: ti.types.ndarray(ndim=0),
    e: ti.u64,
    y: ti.types.ndarray(ndim=4),
    f: ti.u8,
    g: ti.u1,
    h: ti.f64,
    out: ti.types.ndarray(),
    shape: ti.types.ndarray(dtype=ti.i32, ndim=1),
    flag: ti.types.ndarray(dtype=ti.u8, ndim=2),
):
    out[0] = a
    out[1] = x[0, 1]
    out[2] = b
    out[3] = c
    out[4] = d[None]
    out[5] = ti.cast(e, ti.f64)
    out[6] = y[1, 0, 2, 1]
    out[7] = f
    out[8] = ti.cast(g, ti.f64)
    out[9] = h
    for k in ti.static(range(4)):
        shape[k] = y.shape[k]
    shape[4] = x.shape[1]
    flag[1, 2] = 1


def test_scalars_and_arrays_of_any_rank(compiled):
    outputs = lambda *_: (  # noqa: E731
        jax.ShapeDtypeStruct((10,), jnp.float64),
        jax.ShapeDtypeStruct((5,), jnp.int32),
        jax.ShapeDtypeStruct((2, 3), jnp.bool),
    )
    op = npt.ops.custom_op(kernel=layout, outputs=outputs)
    y = jnp.arange(24, dtype=jnp.float32).reshape(2, 1, 4, 3)
    x = jnp.arange(6, dtype=jnp.int16).reshape(2, 3)
    out, shape, flag = op(-3, x, 2.5, -300, jnp.asarray(7, jnp.uint32), 2**63, y, 200, True, 0.1)
    np.testing.assert_array_equal(out, [-3, 1, 2.5, -300, 7, 2.0**63, y[1, 0, 2, 1], 200, 1, 0.1])
    assert shape.tolist() == [2, 1, 4, 3, 3]
    assert flag.tolist() == [[False] * 3, [False, False, True]]


@ti.kernel
def double(x: ti.types.ndarray(), y: ti.types.ndarray()):
    for k in ti.grouped(x):
        if x[k]:
            y[k] = x[k] + x[k]


@ti.kernel
def copy(x: ti.types.ndarray(), y: ti.types.ndarray()):
    for k in ti.grouped(x):
        if x[k] != 0:
            y[k] = x[k]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32"])
def test_dtypes(dtype, compiled):
    op = npt.ops.custom_op(kernel=copy, outputs=lambda x: x)
    x = np.array([[0, 1, 100], [1, 0, 50]]).astype(dtype)
    np.testing.assert_array_equal(op(x, impl="taichi"), x)


def test_dtypes_without_kernels_take_the_reference():
    op = npt.ops.custom_op(kernel=double, reference=lambda x: x + x)
    x = jnp.ones(3, jnp.bfloat16)
    assert op(x).dtype == jnp.bfloat16
    with pytest.raises(ValueError, match=r"impl='taichi' can't be had: there are no kernels for bfloat16"):
        op(x, impl="taichi")
    with pytest.raises(ValueError, match="there are no kernels for bfloat16, and there is no reference"):
        npt.ops.custom_op(kernel=double, outputs=lambda x: x)(x)


def factory(power):
    table = np.array([0.0, 10.0])

    def shift(x):
        return x + 1

    @ti.func
    def twice(x):
        return shift(2 * x)

    @ti.kernel
    def inner(n: ti.template(), x: ti.types.ndarray(ndim=1), mode: ti.template(), y: ti.types.ndarray(ndim=1)):
        count = 0
        while count < n:
            for i in x:
                y[i] += twice(x[i]) ** power
            count += 1
        for i, j in ti.ndrange(x.shape[0], n):
            ti.atomic_max(y[i], float(table[1]) * j)
        if ti.static(mode == "negative"):
            for i in range(x.shape[0]):
                if i == 2:
                    break
                y[i] = -y[i]

    return inner


def test_static_arguments_closures_and_nested_loops(compiled):
    x = np.array([0.5, 1.0, -0.5])
    for power in (1, 2):
        op = npt.ops.custom_op(kernel=factory(power), outputs=lambda x, **_: x)
        for n, mode in ((2, "positive"), (3, "negative")):
            want = np.maximum(n * (2 * x + 1) ** power, 10.0 * (n - 1))
            want[:2] *= -1 if mode == "negative" else 1
            np.testing.assert_allclose(op(x, n=n, mode=mode), want, rtol=TOLERANCE)
    with pytest.raises(TypeError, match=r"static arguments are missing: \['mode'\]"):
        op(x, n=2)
    with pytest.raises(TypeError, match=r"no ti.template\(\) parameters \['more'\]"):
        op(x, n=2, mode="", more=1)
    with pytest.raises(TypeError, match="must be hashable"):
        op(x, n=[2], mode="")


def test_static_arguments_that_are_equal_but_of_another_type():
    op = npt.ops.custom_op(reference=lambda x, n: x if isinstance(n[0], float) else x - x)
    x = jnp.asarray(1)
    assert [op(x, n=(n,)) for n in (1, 1.0, 1)] == [0, 1, 0]
    assert jax.jit(lambda x: [op(x, n=(n,)) for n in (1, 1.0, 1)])(x) == [0, 1, 0]


@ti.kernel
def maths(x: ti.types.ndarray(dtype=ti.f64, ndim=1), y: ti.types.ndarray(dtype=ti.f64, ndim=2)):
    for i in x:
        v = x[i]
        y[0, i], y[1, i], y[2, i], y[3, i] = ti.exp(v), ti.log(v), ti.sin(v), ti.cos(v)
        y[4, i], y[5, i], y[6, i], y[7, i] = ti.tan(v), ti.tanh(v), ti.sqrt(v), ti.asin(v)
        y[8, i], y[9, i], y[10, i], y[11, i] = ti.acos(v), ti.atan2(v, 2.0), v**2.5, ti.floor(v)
        m = ti.Matrix([[v, 1.0], [0.0, 2.0]])
        y[12, i] = m.determinant()


def test_mathematics(compiled):
    op = npt.ops.custom_op(kernel=maths, outputs=lambda x: jax.ShapeDtypeStruct((13, *x.shape), x.dtype))
    v = np.array([0.2, 0.5, 0.9])
    want = [np.exp(v), np.log(v), np.sin(v), np.cos(v), np.tan(v), np.tanh(v), np.sqrt(v), np.arcsin(v), np.arccos(v)]
    want += [np.arctan2(v, 2), v**2.5, np.floor(v), 2 * v]
    np.testing.assert_allclose(op(v), want, rtol=1e-14)


@ti.kernel
def linear(x: ti.types.ndarray(ndim=1), w: ti.types.ndarray(ndim=1), y: ti.types.ndarray(ndim=1)):
    for i in x:
        y[i] += w[i] * x[x.shape[0] - 1 - i]


@pytest.mark.parametrize("rule", ["reference", "own"])
def test_own_rules(rule, impl, compiled):
    """y = w * reverse(x): a derivative and a transpose that call the operator itself."""

    def transpose(ct, x, w):
        if isinstance(x, jax.ShapeDtypeStruct):
            return (w * ct)[::-1], None
        return None, x[::-1] * ct

    def jvp(primals, tangents):
        (x, w), (d_x, d_w) = primals, tangents
        return call(x, w), call(d_x, w) + call(x, d_w)

    def batching(size, batched, x, w):
        x, w = (v if b else jnp.broadcast_to(v, (size, *v.shape)) for v, b in zip((x, w), batched, strict=True))
        return w * x[:, ::-1], True

    reference = lambda x, w: w * x[::-1]  # noqa: E731
    op = npt.ops.custom_op(
        kernel=linear,
        reference=reference,
        jvp=jvp,
        transpose=transpose if rule == "own" else "reference",
        batching=batching if rule == "own" else "reference",
    )
    call = lambda x, w: op(x, w, impl=impl)  # noqa: E731
    x, w = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, -1.0, 3.0])
    loss = lambda f: lambda x, w: jnp.sum(jnp.sin(f(x, w)))  # noqa: E731
    for argument in (0, 1):
        got = jax.grad(loss(call), argument)(x, w)
        np.testing.assert_allclose(got, jax.grad(loss(reference), argument)(x, w), rtol=TOLERANCE)
        got = jax.jacfwd(jax.grad(loss(call), argument), 1 - argument)(x, w)
        want = jax.jacfwd(jax.grad(loss(reference), argument), 1 - argument)(x, w)
        np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE)
    xs = jnp.stack([x, -x])
    np.testing.assert_allclose(jax.vmap(call, (0, None))(xs, w), [w * x[::-1], -w * x[::-1]], rtol=TOLERANCE)
    got = jax.vmap(jax.grad(loss(call)), (0, None))(xs, w)
    np.testing.assert_allclose(got, jax.vmap(jax.grad(loss(reference)), (0, None))(xs, w), rtol=TOLERANCE)


def test_shard_map(impl, compiled):
    """One device is enough to see that a value varies over the mesh, or doesn't."""
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    spread, same = jax.sharding.PartitionSpec("d"), jax.sharding.PartitionSpec()
    reference = lambda x, w: w * x[::-1]  # noqa: E731
    jvp = lambda p, t: (call(*p), call(t[0], p[1]) + call(p[0], t[1]))  # noqa: E731
    x, w = jnp.array([[1.0, 2.0, 4.0]]), jnp.array([0.5, -1.0, 3.0])
    for rule in (jvp, "reference"):
        op = npt.ops.custom_op(
            kernel=linear, reference=reference, jvp=rule, transpose="reference", batching="sequential"
        )
        call = functools.partial(op, impl=impl)

        def loss(f, x, w):
            def part(x, w):
                y, _ = jax.lax.scan(lambda y, _: (jax.vmap(f, (0, None))(y, w), None), x, length=2)
                return jax.lax.psum(jnp.sum(y**2), "d")

            return jax.shard_map(part, mesh=mesh, in_specs=(spread, same), out_specs=same)(x, w)

        got, want = (jax.jit(jax.grad(functools.partial(loss, f), (0, 1)))(x, w) for f in (call, reference))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=TOLERANCE)


def test_what_is_missing_is_said():
    op = npt.ops.custom_op(kernel=linear, reference=lambda x, w: w * x[::-1], name="mirror")
    x = jnp.ones(3)
    with pytest.raises(TypeError, match=r"mirror has no derivative: give custom_op jvp="):
        jax.grad(lambda x: op(x, x).sum())(x)
    with pytest.raises(TypeError, match=r"mirror has no rule for jax.vmap: give custom_op batching="):
        jax.vmap(op)(x[None], x[None])
    forward = npt.ops.custom_op(
        kernel=linear,
        reference=lambda x, w: w * x[::-1],
        jvp=lambda p, t: (forward(*p), forward(t[0], p[1])),
        name="no",
    )
    with pytest.raises(TypeError, match=r"no has no transpose, which reverse mode needs .*linear in \[0\]"):
        jax.grad(lambda x: forward(x, jnp.ones(3)).sum())(x)
    for jvp, message in (
        (lambda p, t: 1, "jvp gave int; expected the pair"),
        (lambda p, t: (p[0], (t[0], t[0])), "jvp gave 2 tangents; expected 1"),
        (lambda p, t: (p[0], t[0][:2]), r"jvp gave the tangents \[\(\(2,\), 'float64'\)\]; expected \[\(\(3,\)"),
    ):
        bad = npt.ops.custom_op(kernel=linear, reference=lambda x, w: w * x[::-1], jvp=jvp)
        with pytest.raises(TypeError, match=message):
            jax.jvp(bad, (x, x), (x, x))
    wrong = npt.ops.custom_op(
        kernel=linear, reference=lambda x, w: w * x[::-1], batching=lambda size, batched, x, w: (x[:1], True)
    )
    with pytest.raises(TypeError, match="batching gave the results"):
        jax.vmap(wrong)(jnp.ones((2, 3)), jnp.ones((2, 3)))


def test_definitions_that_are_refused():
    reference = lambda x: x  # noqa: E731
    for arguments, message in (
        ({}, "reference is missing"),
        ({"kernel": double}, "reference is missing"),
        ({"kernel": np.sin, "reference": reference}, "expected a function decorated with ti.kernel"),
        ({"kernel": double, "reference": reference, "outputs": reference}, "give one of the two"),
        ({"kernel": double, "reference": 3}, "reference is 3; expected a function"),
        (
            {"kernel": double, "reference": reference, "jvp": "self"},
            "jvp is 'self'; expected a function or 'reference'",
        ),
        ({"kernel": double, "outputs": reference, "batching": "reference"}, "and there is no reference"),
    ):
        with pytest.raises(TypeError, match=message):
            npt.ops.custom_op(**arguments)

    @ti.kernel
    def returns(x: ti.types.ndarray()) -> ti.f32:
        return x[0]

    @ti.kernel
    def vectors(x: ti.types.ndarray(dtype=ti.math.vec3, ndim=1)):
        x[0] = 0.0

    @ti.data_oriented
    class Owner:
        @ti.kernel
        def method(self, x: ti.types.ndarray(), y: ti.types.ndarray()):
            y[0] = x[0]

    for method in (Owner.method, Owner().method):
        with pytest.raises(TypeError, match="expected a function decorated with ti.kernel, no method"):
            npt.ops.custom_op(kernel=method, reference=reference)
    with pytest.raises(TypeError, match="returns a value; results are its last parameters"):
        npt.ops.custom_op(kernel=returns, reference=reference)
    with pytest.raises(TypeError, match="parameter 'x' is"):
        npt.ops.custom_op(kernel=vectors, reference=reference)


def test_operands_that_do_not_fit():
    typed = npt.ops.custom_op(kernel=maths, outputs=lambda x: x)
    with pytest.raises(TypeError, match=r"operand 0, 'x' of the kernel, is float32; the kernel wants f64"):
        typed(jnp.ones(3, jnp.float32))
    with pytest.raises(
        TypeError, match=r"result 0, 'y' of the kernel, has shape \(3,\); the kernel wants 2 dimensions"
    ):
        typed(jnp.ones(3))
    with pytest.raises(TypeError, match=r"the kernel has 2 parameters .* got 2 operands and 1 results"):
        npt.ops.custom_op(kernel=double, reference=lambda x, y: x)(1.0, 2.0)
    scaled = npt.ops.custom_op(kernel=several, reference=several_reference)
    with pytest.raises(TypeError, match=r"'gain' of the kernel, has shape \(3,\); the kernel wants a scalar"):
        scaled(jnp.ones(3), jnp.ones(3))
    scaled = npt.ops.custom_op(kernel=several, outputs=lambda x, gain: (x, x))
    with pytest.raises(TypeError, match=r"'gain' of the kernel, is int32; the kernel wants f64"):
        scaled(jnp.ones(3), jnp.asarray(1, jnp.int32))
    scaled = npt.ops.custom_op(kernel=several, reference=several_reference)
    with pytest.raises(TypeError, match=r"no ti.template\(\) parameters \['gain'\]; operands are given by position"):
        scaled(jnp.ones(3), gain=2.0)
    with pytest.raises(TypeError, match=r"must be hashable, got .*; operands are given by position"):
        scaled(jnp.ones(3), gain=jnp.ones(()))
    with pytest.raises(ValueError, match="impl is 'fast'"):
        scaled(jnp.ones(3), 1.0, impl="fast")
    with pytest.raises(TypeError, match="expected an array or a tuple of arrays"):
        npt.ops.custom_op(kernel=double, reference=lambda x: {"y": x})(jnp.ones(3))


@ti.kernel
def repeat(x: ti.types.ndarray(), n: ti.i64, k: ti.u8, gain: float, y: ti.types.ndarray()):
    for i in x:
        y[i] = gain * x[i] * n + k


def test_python_numbers_are_what_the_kernel_wants_or_are_refused(compiled):
    op = npt.ops.custom_op(kernel=repeat, outputs=lambda x, *_: jax.ShapeDtypeStruct(x.shape, float))
    # a float is as precise as a result too
    np.testing.assert_allclose(op(np.arange(3), 2**40, 255, 0.1), 0.1 * 2**40 * np.arange(3) + 255, rtol=1e-15)
    for n, k, gain, message in (
        (2.5, 1, 1.0, r"operand 1, 'n' of the kernel, is 2.5; the kernel wants int64"),
        (2**63, 1, 1.0, r"'n' of the kernel, is 9223372036854775808; the kernel wants int64"),
        (1, -1, 1.0, r"operand 2, 'k' of the kernel, is -1; the kernel wants uint8"),
        (1, 1, 1j, r"operand 3, 'gain' of the kernel, is 1j; the kernel wants float64"),
    ):
        with pytest.raises(TypeError, match=message):
            op(np.arange(3.0), n, k, gain)
    with jax.enable_x64(False):
        op = npt.ops.custom_op(kernel=several, reference=several_reference)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert op(np.ones(3), 2.0)[0].dtype == np.float32  # NumPy's default is float64
        op = npt.ops.custom_op(kernel=repeat, outputs=lambda x, *_: x)
        with pytest.raises(TypeError, match="is int32; the kernel wants i64, which needs jax_enable_x64"):
            op(np.ones(3), 1, 1, 1.0)


class Weird:
    pass


weird = Weird()


def test_kernels_that_cannot_be_compiled(compiled):
    @ti.kernel
    def random(x: ti.types.ndarray(), y: ti.types.ndarray()):
        for i in x:
            y[i] = ti.random()

    @ti.kernel
    def uses_field(x: ti.types.ndarray(), y: ti.types.ndarray()):
        y[0] = weird.value

    @ti.kernel
    def wrong(x: ti.types.ndarray(), y: ti.types.ndarray()):
        y[0] = undefined_name  # noqa: F821 # pyright: ignore

    @ti.kernel
    def checks(x: ti.types.ndarray(), y: ti.types.ndarray()):
        for i in x:
            assert x[i] > 0
            y[i] = x[i]

    @ti.kernel
    def calls(x: ti.types.ndarray(), y: ti.types.ndarray()):
        double(x, y)

    @ti.kernel
    def overwrites(x: ti.types.ndarray(), y: ti.types.ndarray()):
        for i in x:
            y[i] = x[i]
        for i in range(x.shape[0] - 1):
            x[i] += x[i + 1]

    @ti.kernel
    def clears(x: ti.types.ndarray(), y: ti.types.ndarray()):
        for i in x:
            x[i] = 0

    @ti.real_func
    def real(n: ti.i32) -> ti.i32:
        return n

    @ti.kernel
    def calls_real(x: ti.types.ndarray(), y: ti.types.ndarray()):
        y[0] = real(1)

    @ti.kernel
    def early(x: ti.types.ndarray(), y: ti.types.ndarray()):
        y[0] = later

    with pytest.raises(ValueError, match="kernel 'early' uses later, and not all of them are defined yet"):
        npt.ops.custom_op(kernel=early, outputs=lambda x: x)(jnp.ones(3))
    later = 1

    @ti.kernel
    def largest(x: ti.types.ndarray(), y: ti.types.ndarray()):
        for i in x:
            ti.atomic_max(y[0], x[i])

    with pytest.raises(RuntimeError, match=r"kernel 'largest' failed: .*Not supported.*ti.atomic_max of 8 bits"):
        npt.ops.custom_op(kernel=largest, outputs=lambda x: x)(jnp.ones(3, jnp.int8))
    x = jnp.ones(3)
    for kernel, error, message in (
        (overwrites, ValueError, r"writes to its operands \['x'\]"),
        (clears, ValueError, r"writes to its operands \['x'\]"),
        (calls_real, TypeError, "calls the real_func 'real': make that a ti.func"),
        (random, ValueError, r"needs Taichi's runtime \(its context.*no ti.random"),
        (uses_field, TypeError, r"kernel 'uses_field' uses weird, a .*Weird, which is not among its parameters"),
        (checks, ValueError, r"needs Taichi's runtime .*assert"),
        (wrong, ValueError, r"kernel 'wrong' can't be compiled: \w+: line 3 of 'wrong':.*undefined_name"),
        (calls, TypeError, r"calls the kernel 'double': make that a ti.func"),
    ):
        with pytest.raises(error, match=f"(?s){message}"):
            npt.ops.custom_op(kernel=kernel, outputs=lambda x: x)(x)


def test_without_a_kernel_the_reference_runs(monkeypatch):
    op = npt.ops.custom_op(reference=lambda x: 2 * x, jvp="reference", batching="reference")
    np.testing.assert_array_equal(jax.vmap(jax.grad(op))(jnp.ones(2)), [2.0, 2.0])
    with pytest.raises(ValueError, match="impl='taichi' can't be had: no kernel was given"):
        op(1.0, impl="taichi")
    scaled = npt.ops.custom_op(reference=lambda x, gain: x * gain, jvp="reference", batching="sequential")
    for dtype in (jnp.float16, jnp.float32):  # a Python number leaves it as it is
        x = jnp.ones(2, dtype)
        assert scaled(x, 2.0).dtype == jax.vmap(scaled, (0, None))(x, 2.0).dtype == dtype
        assert jax.jit(jax.grad(lambda x: scaled(x, 2.0).sum()))(x).dtype == dtype
    monkeypatch.setattr(_bridge, "load", lambda: _bridge.Bridge(False, "no library here"))
    op = npt.ops.custom_op(kernel=double, reference=lambda x: 2 * x)
    assert op(jnp.asarray([3.0])).tolist() == [6.0]  # and no warning
    with pytest.raises(ValueError, match="no library here"):
        op(jnp.asarray([3.0]), impl="taichi")


def test_the_cache(compiled, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROPYTREE_CACHE", str(tmp_path / "own"))
    load = lambda: (_compiler._load.cache_clear(), npt.ops.custom_op(kernel=linear, outputs=lambda x, w: x))[1]  # noqa: E731
    x = jnp.ones((5,), jnp.float32)
    call = lambda: np.asarray(load()(x, x))  # noqa: E731
    np.testing.assert_array_equal(call(), x)
    (file,) = (tmp_path / "own").iterdir()
    whole = file.read_bytes()
    monkeypatch.setattr(_compiler, "_compile", lambda *_: pytest.fail("compiled again"))
    np.testing.assert_array_equal(call(), x)
    monkeypatch.setattr(_compiler, "_compile", lambda *_: whole[32:])
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # damaged
    np.testing.assert_array_equal(call(), x)
    assert file.read_bytes() == whole
    (tmp_path / "own" / "other.kernel.new").write_bytes(whole)  # another process is writing
    (tmp_path / "own" / "gone.kernel").symlink_to("nothing")  # and has removed one since the folder was read
    assert npt.ops.kernel_cache_info().files == 1
    assert npt.ops.clear_kernel_cache() == 3 and npt.ops.kernel_cache_info().files == 0
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEUROPYTREE_CACHE", str(tmp_path / "file" / "below"))
    _compiler._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match="compiled kernels can't be kept in .*set NEUROPYTREE_CACHE"):
        call()
    call()  # one warning is enough
    assert npt.ops.kernel_cache_info().files == 0 and npt.ops.clear_kernel_cache() == 0


def test_two_threads_compile_at_once(compiled, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROPYTREE_CACHE", str(tmp_path))
    op = npt.ops.custom_op(kernel=linear, outputs=lambda x, w: x)
    found = {}

    def work(k):
        x = jnp.full((3, 1)[k % 2], 1.0 + k, (jnp.int32, jnp.int16)[k % 2])
        found[k] = np.asarray(op(x, x)) == (1 + k) ** 2

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(x.all() for x in found.values())
    assert npt.ops.kernel_cache_info().files == 2


PROGRAM = """
import os, sys
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
import warnings; warnings.simplefilter("ignore")
import jax, jax.numpy as jnp, numpy as np
import taichi as ti
import neuropytree as npt
RATE, WORDS = 3.0, {"a", "b", "c", "d", "e"}  # a set has another order in every process
@ti.kernel
def grow(x: ti.types.ndarray(), y: ti.types.ndarray()):
    for i in x:
        y[i] = RATE * x[i] if ti.static("a" in WORDS) else 0
op = npt.ops.custom_op(kernel=grow, outputs=lambda x: x, batching="sequential")
x = jnp.arange(5, dtype=jnp.float32)
"""


def run(program, *arguments, **environment):
    command = [sys.executable, "-W", "ignore", str(program), *map(str, arguments)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"} | environment
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def test_processes(compiled, tmp_path, cache):
    """Two processes race for one cache; and an exported program in a process that hasn't loaded its kernel."""
    first = tmp_path / "first.py"
    first.write_text(
        PROGRAM
        + """
out = jax.pmap(op)(jnp.stack([x + k for k in range(8)]))  # eight devices
np.testing.assert_array_equal(out, [3 * (x + k) for k in range(8)])
from jax import export
check = export.DisabledSafetyCheck.custom_call("npt_custom")
data = export.export(jax.jit(op), disabled_checks=[check])(x).serialize()
open(sys.argv[1], "wb").write(data)
print("done", npt.ops.kernel_cache_info().files)
"""
    )
    racers = [
        run(first, tmp_path / f"out{k}", NEUROPYTREE_CACHE=str(tmp_path / "cache"), PYTHONHASHSEED=str(k))
        for k in range(2)
    ]
    said = [racer.communicate()[0] for racer in racers]
    assert all("done 1" in text for text in said), said
    assert (tmp_path / "out0").read_bytes() == (tmp_path / "out1").read_bytes()  # the name is the same
    second = tmp_path / "second.py"
    second.write_text(
        PROGRAM
        + """
from jax import export
call = export.deserialize(bytearray(open(sys.argv[1], "rb").read())).call
npt.ops.implementation()
try:
    jax.block_until_ready(call(x))
except Exception as error:
    assert "isn't loaded in this process" in str(error), error
else:
    raise AssertionError("no error")
op(x)
np.testing.assert_array_equal(call(x), 3 * x)
print("done", npt.ops.kernel_cache_info().files)
"""
    )
    said = run(second, tmp_path / "out0", NEUROPYTREE_CACHE=str(tmp_path / "cache")).communicate()[0]
    assert "done 1" in said, said


def test_a_taichi_session_is_left_alone(compiled, tmp_path):
    program = tmp_path / "session.py"
    program.write_text(
        PROGRAM
        + """
assert op(x)[1] == 3.0  # before any session
ti.init(arch=ti.cpu, default_fp=ti.f64, log_level=ti.ERROR)
a = ti.field(float, shape=4)
@ti.kernel
def fill(v: float):
    for i in a:
        a[i] = v + i
fill(0.5)
b = ti.field(float)  # not placed yet
assert op(x.astype(jnp.int32))[1] == 3  # another signature is compiled, with a session there
ti.root.dense(ti.i, 3).place(b)
b.fill(2.0)
fill(1.5)
assert a.to_numpy().tolist() == [1.5, 2.5, 3.5, 4.5] and b.to_numpy().tolist() == [2.0, 2.0, 2.0]
assert a.to_numpy().dtype == np.float64
mine, out = np.arange(3.0), np.zeros(3)
grow(mine, out)  # the same kernel, called by Taichi
assert out.tolist() == [0, 3, 6] and op(x)[2] == 6.0
ti.init(arch=ti.cpu, log_level=ti.ERROR)
assert op(x)[2] == 6.0 and op(x.astype(jnp.int16))[2] == 6
c = ti.field(ti.i32, shape=())
c[None] = 5
out = np.zeros(3, np.float32)
grow(mine.astype(np.float32), out)
assert c[None] == 5 and out.tolist() == [0, 3, 6]
ti.reset()
assert op(x.astype(jnp.int8))[2] == 6
print("done")
"""
    )
    said = run(program, NEUROPYTREE_CACHE=str(tmp_path / "cache")).communicate()[0]
    assert said.strip().endswith("done"), said


vector = ti.types.vector(3, ti.f64)
shifts, table, precise = [(0, 1), (1, 0)], {"a": np.float64(4)}, ti.f32


@ti.dataclass
class Pair:
    first: ti.f64
    second: ti.i32

    @ti.func
    def total(self):
        return self.first + self.second


@ti.func
def down(n: ti.template()):
    if ti.static(n == 0):
        return 1
    else:
        return 2 * down(n - 1)


@ti.kernel
def uses_much(x: ti.types.ndarray(), y: ti.types.ndarray()):
    y[0] = ti.cast(x[0], precise)
    y[1] = vector(x[0], x[1], x[2]).dot(vector(1, 1, 1)) + ti.math.clamp(x[2], 0.0, 1.0)
    for s in ti.static(shifts):
        y[2] += s[0] * 2 + s[1]
    y[3] = table["a"] * math.pi
    y[4] = down(3)
    y[5] = Pair(first=x[0], second=3).total()
    y[6] = share(10, 1, 2) + common.share(10, 1, 3)


def test_what_a_kernel_may_use(compiled):
    x = np.array([0.1, 2.0, 3.0])
    op = npt.ops.custom_op(kernel=uses_much, outputs=lambda x: jax.ShapeDtypeStruct((7,), x.dtype))
    want = [np.float32(0.1), 6.1, 3, 4 * math.pi, 8, 3.1, 8]
    np.testing.assert_allclose(op(x), want, rtol=TOLERANCE)


def test_a_kernel_from_a_file_and_from_a_cell(compiled, tmp_path):
    """A notebook's cells are sources without files, in `__main__`."""
    import linecache

    source = """@ti.kernel
def cell(x: ti.types.ndarray(), y: ti.types.ndarray()):
    for i in x:
        y[i] = x[i] + N
"""
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    space = {"ti": ti, "N": 4, "__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), space)
    x = jnp.arange(3)
    assert npt.ops.custom_op(kernel=space["cell"], outputs=lambda x: x)(x).tolist() == [4, 5, 6]
    space["N"] = 5  # as when the cell above was changed and run
    assert npt.ops.custom_op(kernel=space["cell"], outputs=lambda x: x)(x).tolist() == [5, 6, 7]


def test_host_op():
    op = npt.ops.host_op(lambda x, y: (np.sort(x), np.sum(y)), lambda x, y: (x, jax.ShapeDtypeStruct((), y.dtype)))
    x = jnp.array([3.0, 1.0, 2.0])
    first, second = jax.jit(op)(x, x)
    assert first.tolist() == [1, 2, 3] and second == 6
    assert jax.vmap(op)(x[None], x[None])[1].tolist() == [6]
    with pytest.raises(TypeError, match="needs two functions"):
        npt.ops.host_op(np.sort, 3)
