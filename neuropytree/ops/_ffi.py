"""The one file that touches JAX's internals: primitives, their rules, and the registration of native kernels.

An operator here is a function `out = acc + f(a, b)`, linear in `acc` and bilinear in `a` and `b`, over some index
arrays. That is all its rules need to know: the JVP follows from linearity, and whoever makes an operator supplies the
rest.

Every floating operand has the same number of leading batch dimensions, each of size 1 or of the size in `batch`. An
output of size 1 where `batch` is larger is summed over that dimension. So the transpose of a batched operator is again
one, and no per-edge intermediate is ever batched to be summed afterwards.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

from . import _bridge
from ._batches import Shape, flat_rows, item_by_item, leading, mapped, one_by_one, row_plan
from ._varying import axes_of, vary_as


@functools.cache
def kernels() -> frozenset[str]:
    """Names of the native kernels that XLA can call in this process; the first call registers them."""
    bridge = _bridge.load()
    if not bridge.available:
        return frozenset()
    for name, handler in bridge.handlers.items():
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler), platform="cpu")
    return frozenset(bridge.handlers)


class _Operator(Primitive):
    """A primitive whose operands, inside `jax.shard_map`, are all made to vary over the devices that any varies over:
    what is the same on all devices then gets the sum of its cotangents, as for JAX's own operations."""

    def bind(self, *operands: Any, **params: Any) -> Any:
        axes = [axes_of(x) for x in operands]
        every = frozenset().union(*axes)
        if every:
            missing = [tuple(sorted(every - own, key=str)) for own in axes]
            operands = tuple(jax.lax.pcast(x, m, to="varying") for x, m in zip(operands, missing, strict=True))
        return super().bind(*operands, **params)


def export_checks() -> list[Any]:
    """What `jax.export` must be told of a function with operators in it: that their kernels may be called.

    An exported function names the kernels of the machine it was made on (`platforms=["cpu"]`, Linux on x86-64). Where
    it is called, this function or `implementation()` makes the kernels known first. With `impl="reference"` neither is
    needed, and the export runs on any platform.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt

        W = npt.connect.CSR([0, 2, 1], [0, 2, 3], weight=0.5, in_size=2, out_size=3)
        x = jnp.array([True, False])
        exported = jax.export.export(jax.jit(lambda x: W(x)), disabled_checks=npt.ops.export_checks())(x)
        data = exported.serialize()

        npt.ops.export_checks()  # in the process that loads it, if nothing else has made the kernels known
        jax.export.deserialize(data).call(x)
        ```
    """
    return [jax.export.DisabledSafetyCheck.custom_call(name) for name in sorted(kernels())]


def make_operator(
    name: str,
    *,
    reference: Callable[..., Array] | None = None,
    kernel: Callable[..., str | None] | None = None,
    transpose_a: Callable[..., Array] | None = None,
    transpose_b: Callable[..., Array] | None = None,
    indices: int = 2,
    fill: Callable[..., tuple[Array, ...]] = lambda *indices, **_: indices,
    pays: Callable[..., Array | bool] | None = None,
) -> Primitive:
    """A primitive `(acc, a, b, *indices, *hints; batch, impl, **static) -> acc + f(a, b)` with every rule.

    **Arguments:**

    - `reference`: `(acc, a, b, *indices, batch, **static)` in plain JAX: the oracle, and the lowering wherever there is
      no kernel.
    - `kernel`: `(acc, a, b, **static)` to the name of the native kernel for operands of such shapes and dtypes, or
      `None`; with `hints=True` too where there are any. A kernel `name_batched` takes a whole batch; where there is
      none, the kernel is called for one item after the other. A kernel `name_fresh` writes `f(a, b)` to memory of its
      own; it is called where the program says that `acc` is zero.
    - `transpose_a`, `transpose_b`: `(ct, other, *indices, *hints, aval, batch, impl, **static)` to the cotangent of
      `a`, `b`.
    - `indices`: how many index arrays there are; all zero in a branch not taken of a `jax.lax.cond` in `jax.vmap`. What
      follows them are hints: more arrays for the kernel, which make no difference to the result.
    - `fill`: `(*indices, **static)` to the index arrays with those that the static parameters say, so never zero.
    - `pays`: `(acc, a, b, **static)` to whether the kernel is quicker than the reference, where both can be had and
      `impl` is `"auto"`: known now, or a scalar that is computed at run time. Always, without this rule.

    **Raises:** `TypeError` if one of the rules is missing: an operator without it would fail later, in somebody's
    gradient.
    """
    rules = {"reference": reference, "kernel": kernel, "transpose_a": transpose_a, "transpose_b": transpose_b}
    missing = [rule for rule, function in rules.items() if function is None]
    if missing:
        raise TypeError(f"operator '{name}' lacks the rules {missing}: every operator has all of them")
    assert reference is not None and kernel is not None  # for the type checker: refused above
    operator = _Operator(name)
    bind = operator.bind
    operator.def_impl(_eager(operator))
    operator.def_abstract_eval(lambda acc, *operands, **params: acc.update(weak_type=False))

    count = 3 + indices

    def plain(*operands: Array, batch: Shape, impl: str, **static: Any) -> Array:
        del impl
        if 0 in batch:
            return operands[0]  # plus the sum over no items
        return reference(*operands[:3], *fill(*operands[3:count], **static), batch=batch, **static)

    def quicker(target: str, *operands: Array, batch: Shape, impl: str, fresh: bool, **static: Any) -> Array:
        call = functools.partial(_call_fresh if fresh else _call_kernel, target, batch)

        def native(*operands: Array) -> Array:
            return call(*operands[:3], *fill(*operands[3:count], **static), *operands[count:])

        other = functools.partial(plain, batch=batch, impl=impl, **static)
        now = True if pays is None or impl == "taichi" else pays(*operands[:3], **static)
        if isinstance(now, bool):
            return (native if now else other)(*operands)
        form = jax.eval_shape(other, *operands)  # inside `jax.shard_map` branches vary over the same devices
        return jax.lax.cond(now, lambda *operands: vary_as(native(*operands), form), other, *operands)

    def native(ctx: Any, into: Any, *_: Any, batch: Shape, impl: str, **static: Any) -> Callable[..., Array] | None:
        if any(not isinstance(n, int) for x in ctx.avals_in for n in x.shape):
            return None  # an export for any size: which kernel, and how its work is shared, depends on that
        if 0 in batch:  # a loop over no items can't look at its first
            return functools.partial(plain, batch=batch, impl=impl, **static)
        acc, a, b, *rest = ctx.avals_in
        hints = {"hints": True} if len(rest) > indices else {}
        target = kernel(acc, a, b, **hints, **static)
        if target not in kernels():
            return None
        fresh = math.prod(batch) == 1 and f"{target}_fresh" in kernels() and _is_zero(into)
        return functools.partial(quicker, target, impl=impl, batch=batch, fresh=fresh, **static)

    _register_lowerings(operator, plain, native)

    def jvp(primals: Any, tangents: Any, **params: Any) -> tuple[Array, Any]:
        acc, a, b, *indices = primals
        d_acc, d_a, d_b, *_ = tangents
        tangent = d_acc
        for d_operand, pair in ((d_a, (d_a, b)), (d_b, (a, d_b))):
            if type(d_operand) is not ad.Zero:
                tangent = bind(ad.instantiate_zeros(tangent), *pair, *indices, **params)
        return bind(*primals, **params), tangent

    def transpose(ct: Any, acc: Any, a: Any, b: Any, *indices: Any, **params: Any) -> list[Any]:
        unknown = [ad.is_undefined_primal(x) for x in (acc, a, b)]
        none: list[Any] = [None] * len(indices)
        if type(ct) is ad.Zero:
            return [ad.Zero(x.aval) if u else None for x, u in zip((acc, a, b), unknown, strict=True)] + none
        d_a = transpose_a(ct, b, *indices, aval=a.aval, **params) if unknown[1] else None  # pyright: ignore
        d_b = transpose_b(ct, a, *indices, aval=b.aval, **params) if unknown[2] else None  # pyright: ignore
        return [ct if unknown[0] else None, d_a, d_b, *none]

    def batcher(operands: Any, dims: Any, **params: Any) -> tuple[Array, int]:
        sizes = {x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None}
        (size,) = sizes
        if any(d is not None for d in dims[3:]):  # hints for one connectivity are none for others
            operands, dims = operands[:count], dims[:count]
        if any(d is not None for d in dims[3:]):  # another connectivity in each: one after the other

            def item(k: Array) -> Array:
                at = functools.partial(jax.lax.dynamic_index_in_dim, index=k, keepdims=False)
                return bind(*(x if d is None else at(x, axis=d) for x, d in zip(operands, dims, strict=True)), **params)

            return jax.lax.map(item, jnp.arange(size)), 0
        moved = [*map(leading, operands[:3], dims[:3])]
        moved[0] = jnp.broadcast_to(moved[0], (size, *moved[0].shape[1:]))
        return bind(*moved, *operands[3:], **(params | {"batch": (size, *params["batch"])})), 0

    ad.primitive_jvps[operator] = jvp
    ad.primitive_transposes[operator] = transpose
    batching.primitive_batchers[operator] = batcher
    return operator


def _eager(primitive: Primitive) -> Callable[..., Any]:
    """The primitive outside any program: compiled once for each set of its static parameters."""

    @functools.cache
    def compiled(items: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
        return jax.jit(lambda *operands: primitive.bind(*operands, **dict(items)))

    def run(*operands: Any, **params: Any) -> Any:
        with jax.disable_jit(False):  # under `jax.disable_jit()` too, or the program would come back here without end
            return compiled(tuple(sorted(params.items())))(*operands)

    return run


def _register_lowerings(primitive: Primitive, plain: Callable[..., Any], native: Callable[..., Any]) -> None:
    """`plain`, the reference with its static parameters, everywhere; on the CPU what `native` returns, if anything."""
    name, several = primitive.name, primitive.multiple_results

    def lower_elsewhere(ctx: Any, *operands: Any, impl: str, **params: Any) -> Any:
        if impl == "taichi":
            raise ValueError(f"{name}: impl='taichi' runs on the CPU only; use impl='auto' or 'reference' here")
        return mlir.lower_fun(functools.partial(plain, impl=impl, **params), multiple_results=several)(ctx, *operands)

    def lower_cpu(ctx: Any, *operands: Any, impl: str, **params: Any) -> Any:
        function = None if impl == "reference" else native(ctx, *operands, impl=impl, **params)
        if function is None:
            if impl == "taichi":
                why = _bridge.load().reason or f"there is no kernel for {', '.join(x.dtype.name for x in ctx.avals_in)}"
                raise ValueError(f"{name}: impl='taichi' can't be had: {why}; use impl='auto' or 'reference'")
            function = functools.partial(plain, impl=impl, **params)
        return mlir.lower_fun(function, multiple_results=several)(ctx, *operands)

    mlir.register_lowering(primitive, lower_elsewhere)
    mlir.register_lowering(primitive, lower_cpu, platform="cpu", cacheable=False)  # which would hide what `acc` is


def _tangents(out: list[Array], moves: list[Any]) -> list[Any]:
    """What a JVP rule returns for results of any dtype: those that are no reals do not move."""
    return [
        move if jnp.issubdtype(x.dtype, jnp.inexact) else ad.Zero(ShapedArray(x.shape, jax.dtypes.float0))
        for x, move in zip(out, moves, strict=True)
    ]


def fence(*operands: Array) -> tuple[Array, ...]:
    """The identity, which XLA can't see through: the operands are computed before whatever uses the results, and once.

    XLA's CPU backend makes one loop for each output. Where several outputs need the same values it computes them again
    in each loop, and keeps the old state alive (a copy) for as long as any loop may still read it. A fence after the
    values ends both. Derivatives pass it unchanged; where there are no native kernels it does nothing.
    """
    return tuple(_fence.bind(*operands))


def _make_fence() -> Primitive:
    name = "npt_fence"
    operator = Primitive(name)
    operator.multiple_results = True
    operator.def_impl(lambda *operands: list(operands))
    operator.def_abstract_eval(lambda *avals: list(avals))

    def lower_cpu(ctx: Any, *operands: Any) -> Any:
        if (
            _divides(ctx)
            or name not in kernels()
            or not {x.dtype.name for x in ctx.avals_in} <= {"float32", "float64", "int32", "bool"}
        ):
            return list(operands)
        out = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in ctx.avals_in]
        call = jax.ffi.ffi_call(name, out, input_output_aliases={i: i for i in range(len(out))})
        return mlir.lower_fun(call, multiple_results=True)(ctx, *operands)

    mlir.register_lowering(operator, lambda ctx, *operands: list(operands))
    mlir.register_lowering(operator, lower_cpu, platform="cpu")
    ad.primitive_jvps[operator] = lambda primals, tangents: (operator.bind(*primals), list(tangents))
    ad.primitive_transposes[operator] = lambda cts, *operands: list(cts)
    batching.primitive_batchers[operator] = lambda operands, dims: (operator.bind(*operands), list(dims))
    return operator


_fence = _make_fence()


def make_function(
    name: str,
    *,
    reference: Callable[..., tuple[Array, ...]],
    kernel: Callable[..., str | None],
    in_place: int = 0,
    by_item: bool = True,
    prepare: Callable[..., tuple[Array, ...]] | None = None,
    divisible: bool = False,
) -> Primitive:
    """A primitive `(*operands; batch, impl, **static) -> results` that one native kernel computes.

    Its derivatives and its lowering where there is no kernel are those of the reference. Every operand has the leading
    dimensions of the batch, each of size 1 or of the size in `batch`, and every result has all of them.

    **Arguments:**

    - `reference`: `(*operands, **static)` to a tuple of arrays in plain JAX.
    - `kernel`: `(*operands, **static)` to the name of the native kernel for operands of such shapes and dtypes, or
      `None`. It gets every operand as a vector.
    - `in_place`: how many results are the first operands, updated.
    - `by_item`: whether the kernel is called for each element of a batch; otherwise a batch takes the reference.
    - `prepare`: `(*operands, **static)` to the operands of the kernel, in plain JAX with numbers of 64 bits.
    - `divisible`: whether the reference runs where XLA divides arrays among devices, as it can't divide a kernel.
    """
    function = _Operator(name)
    function.multiple_results = True

    def plain(*operands: Array, batch: Shape, impl: str, **static: Any) -> list[Array]:
        del impl
        return mapped(lambda *xs: list(reference(*xs, **static)), batch, *operands)

    def abstract(*avals: Any, **params: Any) -> list[ShapedArray]:
        out = jax.make_jaxpr(functools.partial(plain, **params))(*avals).out_avals
        return [x.update(weak_type=False) for x in out]

    def call(target: str, out: list[jax.ShapeDtypeStruct], updated: list[Array], *others: Array) -> list[Array]:
        aliases = {i: i for i in range(in_place)}
        return list(jax.ffi.ffi_call(target, out, input_output_aliases=aliases)(*updated[:in_place], *others))

    def every(target: str, avals: Any, batch: Shape, *operands: Array, **static: Any) -> list[Array]:
        out = [jax.ShapeDtypeStruct((math.prod(x.shape[len(batch) :]),), x.dtype) for x in avals]
        items = functools.partial(item_by_item, functools.partial(call, target, out), avals, batch, in_place)
        if prepare is None:
            return items(*operands)
        with jax.enable_x64(True):
            return items(*prepare(*operands, **static))

    def native(ctx: Any, *_: Any, batch: Shape, impl: str, **static: Any) -> Callable[..., list[Array]] | None:
        if math.prod(batch) == 0 or (math.prod(batch) > 1 and not by_item) or (divisible and _divides(ctx)):
            return functools.partial(plain, batch=batch, impl=impl, **static)
        items = [x.update(shape=x.shape[len(batch) :]) for x in ctx.avals_in]
        target = kernel(*items, **static)
        return functools.partial(every, target, ctx.avals_out, batch, **static) if target in kernels() else None

    def jvp(primals: Any, tangents: Any, **params: Any) -> tuple[list[Array], list[Any]]:
        moved = [i for i, d in enumerate(tangents) if type(d) is not ad.Zero]

        def of_moved(*values: Array) -> list[Array]:
            operands = list(primals)
            for i, value in zip(moved, values, strict=True):
                operands[i] = value
            return plain(*operands, **params)

        _, moves = jax.jvp(of_moved, [primals[i] for i in moved], [tangents[i] for i in moved])
        out = function.bind(*primals, **params)
        return out, _tangents(out, moves)

    def batcher(operands: Any, dims: Any, *, batch: Shape, **params: Any) -> tuple[list[Array], list[int]]:
        (size,) = {x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None}
        out = function.bind(*map(leading, operands, dims), batch=(size, *batch), **params)
        return out, [0] * len(out)

    function.def_impl(_eager(function))
    function.def_abstract_eval(abstract)
    _register_lowerings(function, plain, native)
    ad.primitive_jvps[function] = jvp
    batching.primitive_batchers[function] = batcher
    return function


def _divides(ctx: Any) -> bool:
    """Whether XLA divides the arrays of a program among devices, and not a `jax.shard_map` around it all."""
    place = ctx.module_context.axis_context
    if not hasattr(place, "mesh"):
        return getattr(place, "num_devices", 1) > 1
    return math.prod(n for axis, n in place.mesh.shape.items() if axis not in place.manual_axes) > 1


def _struct(aval: Any) -> jax.ShapeDtypeStruct:
    place: dict[str, Any] = {}
    if axes_of(aval):  # inside `jax.shard_map`
        own = {"manual_axis_type": aval.mat} if hasattr(aval, "mat") else {"vma": aval.vma}
        place = {"sharding": aval.sharding, **own}
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type, **place)


class Rules(Protocol):
    """What `custom` asks of a user's operator. `static` is the operator's own affair, and hashable."""

    def outputs(self, avals: Any, static: Any) -> list[jax.ShapeDtypeStruct]: ...
    def plain(self, operands: Any, static: Any) -> list[Array]: ...
    def kernel(self, avals: Any, impl: str, static: Any, *, cpu: bool) -> str | None: ...
    def jvp(self, primals: Any, tangents: Any, impl: str, static: Any) -> tuple[list[Array], list[Array]]: ...
    def transpose(self, cts: Any, operands: Any, unknown: Any, static: Any) -> list[Any]: ...
    def batch(
        self, size: int, mapped: Any, operands: Any, impl: str, static: Any
    ) -> tuple[list[Array], list[bool]]: ...


def custom(rules: Rules, *operands: Array, impl: str, static: Any) -> list[Array]:
    """A function with a kernel that was compiled while the program runs, under the rules that its user gave."""
    return _custom.bind(*operands, rules=rules, impl=impl, static=static)


def _make_custom() -> Primitive:
    name = "npt_custom"
    operator = _Operator(name)
    operator.multiple_results = True

    def abstract(*avals: Any, rules: Rules, static: Any, **_: Any) -> list[ShapedArray]:
        out = rules.outputs(avals, static)
        axes = tuple(sorted(frozenset().union(*map(axes_of, avals)), key=str))
        if not axes:
            return [ShapedArray(x.shape, x.dtype) for x in out]
        varying = lambda: [jax.lax.pcast(jnp.zeros(x.shape, x.dtype), axes, to="varying") for x in out]  # noqa: E731
        return jax.make_jaxpr(varying)().out_avals

    def lower(ctx: Any, *operands: Any, rules: Rules, impl: str, static: Any, cpu: bool) -> Any:
        target = rules.kernel(ctx.avals_in, impl, static, cpu=cpu)
        if target is None:
            plain = lambda *operands: rules.plain(operands, static)  # noqa: E731
            return mlir.lower_fun(plain, multiple_results=True)(ctx, *operands)
        assert name in kernels()  # registered, for there is a kernel
        out = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in ctx.avals_out]
        call = functools.partial(jax.ffi.ffi_call(name, out), kernel=target)
        return mlir.lower_fun(call, multiple_results=True)(ctx, *operands)

    def jvp(primals: Any, tangents: Any, *, rules: Rules, impl: str, static: Any) -> tuple[list[Array], list[Any]]:
        out, moves = rules.jvp(primals, [ad.instantiate_zeros(t) for t in tangents], impl, static)
        return out, _tangents(out, moves)

    def transpose(cts: Any, *operands: Any, rules: Rules, static: Any, **_: Any) -> list[Any]:
        unknown = [ad.is_undefined_primal(x) for x in operands]
        avals = [_struct(x.aval) if u else x for x, u in zip(operands, unknown, strict=True)]
        out = rules.transpose([ad.instantiate_zeros(ct) for ct in cts], avals, unknown, static)
        return [ad.Zero(x.aval) if u and d is None else d for x, u, d in zip(operands, unknown, out, strict=True)]

    def batcher(operands: Any, dims: Any, *, rules: Rules, impl: str, static: Any) -> tuple[list[Array], list[Any]]:
        mapped = [d is not None for d in dims]
        moved = [jnp.moveaxis(x, d, 0) if m else x for x, d, m in zip(operands, dims, mapped, strict=True)]
        (size,) = {x.shape[0] for x, m in zip(moved, mapped, strict=True) if m}
        out, of_out = rules.batch(size, mapped, moved, impl, static)
        return out, [0 if m else None for m in of_out]

    operator.def_impl(_eager(operator))
    operator.def_abstract_eval(abstract)
    mlir.register_lowering(operator, functools.partial(lower, cpu=False))
    mlir.register_lowering(operator, functools.partial(lower, cpu=True), platform="cpu")
    ad.primitive_jvps[operator] = jvp
    ad.primitive_transposes[operator] = transpose
    batching.primitive_batchers[operator] = batcher
    return operator


_custom = _make_custom()


def _call_kernel(target: str, batch: Shape, acc: Array, a: Array, b: Array, *indices: Array) -> Array:
    """Calls a native kernel that accumulates into `acc` in place, once for each element of the batch."""
    full = math.prod(batch)
    if full == 1:
        flat = [x.reshape(-1) for x in (acc, a, b)]
        return _ffi(target, *flat, *indices).reshape(acc.shape)
    if row_plan(acc.shape[:-1], batch) is None:  # summed over dimensions that are no neighbours: sum here
        shape = (*batch, acc.shape[-1])
        every = _call_kernel(target, batch, jnp.zeros(shape, acc.dtype), a, b, *indices)
        summed = tuple(k for k, size in enumerate(batch) if acc.shape[k] != size)
        return acc + jnp.sum(every, axis=summed, keepdims=True)
    rows = [flat_rows(x, batch) for x in (acc, a, b)]
    if target + "_batched" in kernels():
        maps = jnp.asarray(np.array([full, *(n for _, plan in rows for n in plan)], np.int32))
        return _ffi(target + "_batched", *(x for x, _ in rows), *indices, maps).reshape(acc.shape)

    def call(out: list[Array], *operands: Array) -> list[Array]:
        return [_ffi(target, *out, *operands, *indices)]

    return one_by_one(call, full, rows[:1], rows[1:])[0].reshape(acc.shape)


def _call_fresh(target: str, batch: Shape, acc: Array, a: Array, b: Array, *indices: Array) -> Array:
    """The kernel of the same name that writes what the other would add to an `acc` of zeros."""
    del batch
    out = jax.ShapeDtypeStruct((acc.size,), acc.dtype)
    return jax.ffi.ffi_call(f"{target}_fresh", out)(a.reshape(-1), b.reshape(-1), *indices).reshape(acc.shape)


def _is_zero(value: Any) -> bool:
    """Whether a value of a program that is being lowered is an array of zeros, as `jnp.zeros` makes it."""
    made: Any = getattr(value, "owner", None)  # an operation, or the block that the value is an argument of
    name = getattr(getattr(made, "operation", None), "name", getattr(made, "name", ""))
    if name == "stablehlo.broadcast_in_dim":
        return _is_zero(made.operands[0])
    if name != "stablehlo.constant":
        return False
    number = made.attributes["value"]
    return number.is_splat and float(number.get_splat_value().value) == 0


def _ffi(target: str, acc: Array, *operands: Array) -> Array:
    out = jax.ShapeDtypeStruct(acc.shape, acc.dtype)
    return jax.ffi.ffi_call(target, out, input_output_aliases={0: 0})(acc, *operands)
