"""Operators of one's own: a Taichi kernel, a JAX reference, and the rules for JAX's transformations."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from . import _compiler
from ._common import Impl, check_impl
from ._ffi import custom
from .taichi._capture import capture

Static = tuple[tuple[str, Any, Any], ...]  # name, value, and its types: 1 equals 1.0, and another program is compiled
Rule = Callable[..., Any] | Literal["reference"] | None


class _Element(NamedTuple):
    """An element type: what the FFI calls it, and the Taichi types that have its memory, the usual one first."""

    code: int
    kinds: tuple[str, ...]


_ELEMENTS = {
    "bool": _Element(1, ("u1", "u8", "i8")),
    "int8": _Element(2, ("i8",)),
    "int16": _Element(3, ("i16",)),
    "int32": _Element(4, ("i32",)),
    "int64": _Element(5, ("i64",)),
    "uint8": _Element(6, ("u8",)),
    "uint16": _Element(7, ("u16",)),
    "uint32": _Element(8, ("u32",)),
    "uint64": _Element(9, ("u64",)),
    "float32": _Element(11, ("f32",)),
    "float64": _Element(12, ("f64",)),
}


def custom_op(
    *,
    kernel: Any = None,
    reference: Callable[..., Any] | None = None,
    outputs: Callable[..., Any] | None = None,
    jvp: Rule = None,
    transpose: Rule = None,
    batching: Callable[..., Any] | Literal["sequential", "reference"] | None = None,
    name: str | None = None,
) -> "CustomOp":
    r"""A function of arrays that a Taichi kernel computes, $(y_1, \dots) = f(x_1, \dots)$, under JAX's transformations.

    The kernel is compiled when a program that uses it is, once for each combination of dtypes and ranks, and kept on
    disk (`kernel_cache_info`). At run time it is a plain function that XLA calls, on the CPU. No Taichi session is
    started in this process, and one that is there is left alone.

    **Arguments:**

    - `kernel`: a function decorated with `ti.kernel`. Its parameters are the operands and then the results, which start
      as zeros. An array is a `ti.types.ndarray()`, with `dtype` and `ndim` or for any; an operand of rank 0 may be a
      scalar, such as `ti.f32`; `ti.template()` is a static argument of that name. Loops run one after the other, in one
      thread. The kernel may use `ti.func`s, atomics and constants around it, but no fields, `ti.random`, `print`,
      `assert` or return value. Floating literals are float64 where an operand or result is, float32 otherwise. Without
      a kernel the reference runs.
    - `reference`: the same function in JAX: of the operands, and of the static arguments by keyword, to an array or a
      tuple of arrays. It runs where there are no kernels (another platform, no Taichi, another dtype).
    - `outputs`: from operands as `jax.ShapeDtypeStruct` to the same of the results. Needed only without a reference.
    - `jvp`: `(primals, tangents, **static) -> (results, tangents)`, in JAX and linear in the tangents, or
      `"reference"`: the derivative of the reference. For integers a tangent is of dtype `float0`.
    - `transpose`: `(cotangents, *operands, **static)` to a tuple of cotangents, one for each operand, for a function
      that is linear in the operands that come as a `jax.ShapeDtypeStruct`; `None` for the others. Or `"reference"`.
      `cotangents` are as the results: an array or a tuple. Only needed if a `jvp` calls the function on tangents.
    - `batching`: what `jax.vmap` does: `"sequential"`, one item after the other; `"reference"`, the reference batched;
      or `(size, batched, *operands, **static) -> (results, batched)`, with the batch axis first where `batched` is
      true, as in `jax.custom_batching.custom_vmap`.
    - `name`: in messages; that of the kernel or reference if not given.

    **Returns:** a `CustomOp`, called as `f(*operands, impl="auto", **static)`. Python numbers take the dtype that the
    kernel says, static arguments must be hashable. `impl` is `"auto"`, `"taichi"` or `"reference"` as in the other
    operators.

    **Raises:** `TypeError` if something is missing, or isn't what it should be. Calls raise `TypeError` where operands
    don't fit the kernel, or for a transformation whose rule is missing, and `ValueError` for what can't be had.

    !!! example
        ```python
        import jax
        import jax.numpy as jnp
        import neuropytree as npt

        # @ti.kernel
        # def kernel(x: ti.types.ndarray(), y: ti.types.ndarray()):
        #     for i in x:
        #         y[i] = x[i] ** 3
        kernel = None  # without Taichi


        def jvp(primals, tangents):
            (x,), (d_x,) = primals, tangents
            return cube(x), 3 * x**2 * d_x


        cube = npt.ops.custom_op(kernel=kernel, reference=lambda x: x**3, jvp=jvp, batching="sequential")
        assert jax.grad(lambda x: cube(x).sum())(jnp.full(3, 2.0))[0] == 12.0
        ```
    """
    return CustomOp(kernel, reference, outputs, jvp, transpose, batching, name)


class CustomOp:
    """What `custom_op` makes."""

    def __init__(
        self,
        kernel: Any,
        reference: Callable[..., Any] | None,
        outputs: Callable[..., Any] | None,
        jvp: Rule,
        transpose: Rule,
        batching: Any,
        name: str | None,
    ):
        if kernel is not None and (not hasattr(kernel, "_primal") or kernel._primal.classkernel):
            raise TypeError(f"kernel is {kernel!r}; expected a function decorated with ti.kernel, no method")
        if reference is None and (kernel is None or outputs is None):
            raise TypeError("reference is missing: give the function in JAX, or both kernel and outputs")
        if reference is not None and outputs is not None:
            raise TypeError("outputs are those of the reference: give one of the two")
        rules = {"reference": reference, "outputs": outputs, "jvp": jvp, "transpose": transpose, "batching": batching}
        for rule, value in rules.items():
            words = {"jvp": ("reference",), "transpose": ("reference",), "batching": ("sequential", "reference")}
            allowed = words.get(rule, ())
            if value is not None and not callable(value) and value not in allowed:
                raise TypeError(
                    f"{rule} is {value!r}; expected a function{''.join(f' or {word!r}' for word in allowed)}"
                )
            if value == "reference" and reference is None:
                raise TypeError(f"{rule} is 'reference', and there is no reference")
        self._name = name or getattr(kernel or reference, "__name__", "custom_op")
        self._parameters = () if kernel is None else tuple(_parameter(self._name, p) for p in kernel._primal.arguments)
        if kernel is not None and kernel._primal.return_type is not None:
            raise TypeError(f"kernel '{self._name}' returns a value; results are its last parameters")
        self._kernel, self._reference, self._outputs = kernel, reference, outputs
        self._evaluated = functools.lru_cache(maxsize=256)(self._evaluate)
        self._kernel_name = getattr(kernel, "__name__", "")
        self._jvp, self._transpose, self._batching = jvp, transpose, batching
        self.__name__, self.__doc__ = self._name, getattr(reference or kernel, "__doc__", None)

    def __repr__(self) -> str:
        return f"<custom_op {self._name}>"

    def __call__(self, *operands: Any, impl: Impl = "auto", **static: Any) -> Any:
        check_impl(impl)
        items = tuple((name, static[name], _types(static[name])) for name in sorted(static))
        try:
            hash(items)
        except TypeError:
            raise TypeError(
                f"{self._name}: static arguments must be hashable, got {static!r}; operands are given by position"
            ) from None
        arrays = self._arrays(operands, ())
        avals = [_aval(x) for x in arrays]
        if self._kernel is not None and any(isinstance(x, float) for x in operands):
            arrays = self._arrays(operands, self.outputs(avals, items))
            avals = [_aval(x) for x in arrays]
        if self._kernel is not None and impl != "reference":
            outs = self.outputs(avals, items)
            if not _unsupported(avals, outs):
                self._arguments(avals, outs, items)  # that they fit
        results = custom(self, *arrays, impl=impl, static=items)
        return tuple(results) if self._shapes(tuple(avals), items)[1] else results[0]

    def _arrays(self, operands: Any, results: Any) -> list[Array]:
        """Operands as arrays. A Python number has the dtype of the kernel's parameter."""
        parameters = [p for p in self._parameters if p.kind != "template"]
        strong = [x.dtype for x in operands if hasattr(x, "dtype")]
        double = any(x == np.float64 for x in (*strong, *(x.dtype for x in results)))
        dtypes = {kind: dtype for dtype, element in _ELEMENTS.items() for kind in element.kinds[:1]}
        dtypes |= {"float": "float64" if double else "float32", "int": "int32"}
        arrays = []
        for i, x in enumerate(operands):
            dtype = None
            if isinstance(x, bool | int | float | complex) and i < len(parameters):
                kind = parameters[i].dtype or ("float" if isinstance(x, float) and strong else "")
                dtype = jax.dtypes.canonicalize_dtype(dtypes[kind]) if kind in dtypes else None
                if dtype is not None and not _holds(dtype, x):
                    raise TypeError(
                        f"{self._name}: operand {i}, '{parameters[i].name}' of the kernel, is {x!r}; the kernel wants "
                        f"{dtype.name}"
                    )
            arrays.append(jnp.asarray(x, dtype))
        return arrays

    def _shapes(self, avals: Any, static: Static) -> tuple[list[jax.ShapeDtypeStruct], bool]:
        """Shapes and dtypes of the results, and whether they are a tuple."""
        return self._evaluated(tuple(map(_aval, avals)), static, jax.dtypes.canonicalize_dtype(float))

    def _evaluate(self, avals: Any, static: Static, x64: Any) -> tuple[list[jax.ShapeDtypeStruct], bool]:
        del x64  # the results may depend on it, so what is kept belongs to it
        if self._reference is not None:
            out = jax.eval_shape(functools.partial(self._reference, **_named(static)), *avals)
        else:
            assert self._outputs is not None
            out = self._outputs(*avals, **_named(static))
        several = isinstance(out, tuple | list)
        out = list(out) if several else [out]
        if not out or not all(hasattr(x, "shape") and hasattr(x, "dtype") for x in out):
            what = "reference" if self._reference is not None else "outputs"
            raise TypeError(f"{self._name}: {what} gave {out}; expected an array or a tuple of arrays")
        return [jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype)) for x in out], several

    def _arguments(self, avals: Any, outs: Any, static: Static) -> tuple[tuple[Any, ...], ...]:
        """The parameters of the kernel for these operands and results. Raises `TypeError` where they don't fit."""
        templates = {p.name for p in self._parameters if p.kind == "template"}
        unknown = {name for name, *_ in static} - templates
        if unknown:
            raise TypeError(
                f"{self._name}: the kernel has no ti.template() parameters {sorted(unknown)}; operands are given by "
                "position"
            )
        given = [(f"operand {i}", x) for i, x in enumerate(avals)] + [(f"result {i}", x) for i, x in enumerate(outs)]
        arrays = [p for p in self._parameters if p.kind != "template"]
        if len(arrays) != len(given):
            raise TypeError(
                f"{self._name}: the kernel has {len(arrays)} parameters for operands and results, and got "
                f"{len(avals)} operands and {len(outs)} results"
            )
        missing = templates - {name for name, *_ in static}
        if missing:
            raise TypeError(f"{self._name}: static arguments are missing: {sorted(missing)}; give them by keyword")
        real = _precision(avals, outs)
        matched = {}
        for parameter, (place, x) in zip(arrays, given, strict=True):
            where = f"{self._name}: {place}, '{parameter.name}' of the kernel,"
            wanted = {"float": real, "int": "i32"}.get(parameter.dtype or "", parameter.dtype)
            element = _ELEMENTS[x.dtype.name]
            if wanted is not None and wanted not in element.kinds:
                more = ", which needs jax_enable_x64" if wanted[1:] == "64" and jnp.result_type(float) != "f8" else ""
                raise TypeError(f"{where} is {x.dtype.name}; the kernel wants {wanted}{more}")
            dtype = wanted or element.kinds[0]
            if parameter.kind == "scalar":
                if place.startswith("result"):
                    raise TypeError(f"{where} is a scalar, which can't be written: make it a ti.types.ndarray")
                if x.ndim > 0:
                    raise TypeError(f"{where} has shape {x.shape}; the kernel wants a scalar (rank 0)")
                matched[parameter.name] = ("scalar", dtype)
            else:
                if parameter.rank is not None and x.ndim != parameter.rank:
                    raise TypeError(f"{where} has shape {x.shape}; the kernel wants {parameter.rank} dimensions")
                matched[parameter.name] = ("array", dtype, x.ndim, parameter.boundary)
        return tuple(matched.get(p.name, ("template",)) for p in self._parameters)

    # What follows are the rules that `_ffi.custom` asks for.

    def outputs(self, avals: Any, static: Static) -> list[jax.ShapeDtypeStruct]:
        """Shapes and dtypes of the results, for operands of such."""
        return self._shapes(tuple(avals), static)[0]

    def plain(self, operands: Any, static: Static) -> list[Array]:
        """The results by the reference."""
        assert self._reference is not None  # `kernel` refused
        return _listed(self._reference(*operands, **_named(static)))

    def kernel(self, avals: Any, impl: str, static: Static, *, cpu: bool) -> str | None:
        """The name of the compiled kernel, or `None` where the reference is to run."""
        outs = self.outputs(avals, static)
        if impl == "reference":
            why = "impl is 'reference'"
        elif self._kernel is None:
            why = "no kernel was given"
        elif not cpu:
            why = "kernels run on the CPU only"
        else:
            why = _unsupported(avals, outs) or _compiler.unavailable()
        if why and self._reference is None:
            raise ValueError(f"{self._name}: {why}, and there is no reference; give one to custom_op")
        if why and impl == "taichi":
            raise ValueError(f"{self._name}: impl='taichi' can't be had: {why}; use impl='auto' or 'reference'")
        if why:
            return None
        arguments = self._arguments(avals, outs, static)
        request = capture(self._kernel, arguments, len(avals), _named(static), _precision(avals, outs))
        ranks = [-1 if part[0] == "scalar" else part[2] for part in arguments if part[0] != "template"]
        codes = [_ELEMENTS[x.dtype.name].code for x in (*avals, *outs)]
        return _compiler.load(self._kernel_name, request, len(avals), tuple(zip(codes, ranks, strict=True)))

    def jvp(self, primals: Any, tangents: Any, impl: str, static: Static) -> tuple[list[Array], list[Array]]:
        """The results and their tangents. **Raises:** `TypeError` without a rule for that."""
        if self._jvp is None:
            wanted = "a function (primals, tangents) -> (results, tangents), or 'reference'"
            raise TypeError(f"{self._name} has no derivative: give custom_op jvp=, {wanted}")
        if self._jvp == "reference":
            _, moves = jax.jvp(lambda *operands: self.plain(operands, static), tuple(primals), tuple(tangents))
            return custom(self, *primals, impl=impl, static=static), moves
        pair = self._jvp(tuple(primals), tuple(tangents), **_named(static))  # pyright: ignore[reportCallIssue]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"{self._name}: jvp gave {type(pair).__name__}; expected the pair (results, tangents)")
        out, moves = map(_listed, pair)
        expected = self.outputs(primals, static)
        self._check("jvp gave the results", out, expected)
        real = [i for i, x in enumerate(expected) if jnp.issubdtype(x.dtype, jnp.inexact)]
        if len(moves) != len(expected):
            raise TypeError(
                f"{self._name}: jvp gave {len(moves)} tangents; expected {len(expected)}, one for each result"
            )
        self._check("jvp gave the tangents", [moves[i] for i in real], [expected[i] for i in real])
        return out, moves

    def transpose(self, cts: Any, operands: Any, unknown: Any, static: Static) -> list[Any]:
        """The cotangents of the operands that are `unknown`. **Raises:** `TypeError` without a rule for that."""
        places = [i for i, u in enumerate(unknown) if u]
        if self._transpose is None:
            raise TypeError(
                f"{self._name} has no transpose, which reverse mode needs where the operator is called on tangents: "
                f"give custom_op transpose=, a function (cotangents, *operands), or 'reference' (linear in {places})"
            )
        if self._transpose == "reference":

            def of_unknown(*values: Array) -> list[Array]:
                every = list(operands)
                for i, value in zip(places, values, strict=True):
                    every[i] = value
                return self.plain(every, static)

            found = iter(jax.linear_transpose(of_unknown, *(operands[i] for i in places))(list(cts)))
            return [next(found) if u else None for u in unknown]
        several = self._shapes(tuple(operands), static)[1]
        out = self._transpose(tuple(cts) if several else cts[0], *operands, **_named(static))  # pyright: ignore
        out = _listed(out)
        if len(out) != len(operands):
            raise TypeError(
                f"{self._name}: transpose gave {len(out)} cotangents; expected {len(operands)}, one for each"
            )
        wanted = [i for i in places if out[i] is not None]
        self._check("transpose gave the cotangents", [out[i] for i in wanted], [operands[i] for i in wanted])
        return [x if u else None for x, u in zip(out, unknown, strict=True)]

    def batch(self, size: int, mapped: Any, operands: Any, impl: str, static: Static) -> tuple[list[Array], list[bool]]:
        """The results of a batch, and which of them have its axis. **Raises:** `TypeError` without a rule for that."""
        if self._batching is None:
            raise TypeError(
                f"{self._name} has no rule for jax.vmap: give custom_op batching=, 'sequential', 'reference' or a "
                "function (size, batched, *operands) -> (results, batched)"
            )
        axes = [0 if m else None for m in mapped]
        if self._batching == "reference":
            out = jax.vmap(lambda *items: self.plain(items, static), in_axes=axes)(*operands)
            return out, [True] * len(out)
        if self._batching == "sequential":

            def one(items: Any) -> list[Array]:
                rest = iter(items)
                return custom(
                    self,
                    *(next(rest) if m else x for x, m in zip(operands, mapped, strict=True)),
                    impl=impl,
                    static=static,
                )

            out = jax.lax.map(one, [x for x, m in zip(operands, mapped, strict=True) if m])
            return out, [True] * len(out)
        out, of_out = self._batching(size, list(mapped), *operands, **_named(static))
        out = _listed(out)
        of_out = [of_out] if isinstance(of_out, bool) else list(of_out)
        items = [_aval(x, m) for x, m in zip(operands, mapped, strict=True)]
        expected = self.outputs(items, static)
        if len(out) != len(expected) or len(of_out) != len(expected):
            raise TypeError(
                f"{self._name}: batching gave {len(out)} results and {len(of_out)} of whether they have the "
                f"batch axis; expected {len(expected)}"
            )
        shapes = [(size, *x.shape) if m else x.shape for x, m in zip(expected, of_out, strict=True)]
        expected = [jax.ShapeDtypeStruct(shape, x.dtype) for shape, x in zip(shapes, expected, strict=True)]
        self._check("batching gave the results", out, expected)
        return out, of_out

    def _check(self, what: str, got: Any, expected: Any) -> None:
        have = [(tuple(jnp.shape(x)), jnp.result_type(x).name) for x in got]
        want = [(tuple(x.shape), np.dtype(x.dtype).name) for x in expected]
        if have != want:
            raise TypeError(f"{self._name}: {what} {have}; expected {want}")


def host_op(function: Callable[..., Any], outputs: Callable[..., Any]) -> Callable[..., Any]:
    r"""A function of NumPy arrays (NumPy, Numba, SciPy, anything) as a function of JAX arrays: the slow path.

    Each call leaves XLA, copies, takes Python's lock and returns: tens of microseconds, where a kernel of `custom_op`
    takes less than one. It has no derivative; `jax.custom_jvp` around it adds one. `jax.vmap` calls it item by item.

    **Arguments:**

    - `function`: of NumPy arrays to an array or a tuple of arrays. It must depend on nothing else, for XLA may call it
      any number of times.
    - `outputs`: from operands as `jax.ShapeDtypeStruct` to the same of the results.

    **Returns:** a function of arrays.

    **Raises:** `TypeError` if one of the two isn't a function.

    !!! example
        ```python
        import jax
        import jax.numpy as jnp
        import numpy as np
        import neuropytree as npt

        ranks = npt.ops.host_op(lambda x: np.argsort(np.argsort(x)).astype(np.int32),
                                lambda x: jax.ShapeDtypeStruct(x.shape, jnp.int32))
        assert jax.jit(ranks)(jnp.array([3.0, 1.0, 2.0])).tolist() == [2, 0, 1]
        ```
    """
    if not callable(function) or not callable(outputs):
        raise TypeError(f"host_op needs two functions, got {function!r} and {outputs!r}")

    def call(*arrays: Any) -> Any:
        out = function(*(np.asarray(x) for x in arrays))
        return tuple(map(np.asarray, out)) if isinstance(out, tuple | list) else np.asarray(out)

    @functools.wraps(function)
    def op(*operands: Any) -> Any:
        arrays = [jnp.asarray(x) for x in operands]
        out = outputs(*(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arrays))
        out = tuple(out) if isinstance(out, list) else out
        return jax.pure_callback(call, out, *arrays, vmap_method="sequential")

    return op


class _Parameter(NamedTuple):
    """A parameter of a kernel. `dtype` and `rank` are `None` where any will do; a dtype may be Python's."""

    name: str
    kind: str  # "array", "scalar" or "template"
    dtype: str | None = None
    rank: int | None = None
    boundary: str = "unsafe"


def _parameter(kernel: str, argument: Any) -> _Parameter:
    """What the annotation of a kernel's parameter says. Taichi is here if there is a kernel."""
    annotation, name = argument.annotation, argument.name
    kind = type(annotation).__name__
    if kind == "Template":
        return _Parameter(name, "template")
    if kind == "NdarrayType":
        dtype = None if annotation.dtype is None else _dtype(annotation.dtype)
        if dtype is not None or annotation.dtype is None:
            boundary = "clamp" if "CLAMP" in str(annotation.boundary) else "unsafe"
            return _Parameter(name, "array", dtype, annotation.ndim, boundary)
    elif _dtype(annotation) is not None:
        return _Parameter(name, "scalar", _dtype(annotation))
    raise TypeError(
        f"kernel '{kernel}': parameter '{name}' is {annotation}; expected ti.types.ndarray() of numbers, a number "
        "such as ti.f32, or ti.template()"
    )


def _dtype(annotation: Any) -> str | None:
    if annotation in (float, int, bool):
        return {float: "float", int: "int", bool: "u1"}[annotation]
    return (
        annotation.to_string() if hasattr(annotation, "to_string") and "DataType" in type(annotation).__name__ else None
    )


def _types(value: Any) -> Any:
    return (type(value), *map(_types, value)) if isinstance(value, tuple) else type(value)


def _named(static: Static) -> dict[str, Any]:
    return {name: value for name, value, _ in static}


def _holds(dtype: np.dtype[Any], x: complex) -> bool:
    """Whether a Python number can be of a dtype, but for rounding."""
    if dtype.kind not in "iu":
        return not isinstance(x, complex)
    return isinstance(x, int) and np.iinfo(dtype).min <= x <= np.iinfo(dtype).max


def _aval(x: Any, first: int = 0) -> jax.ShapeDtypeStruct:
    """What the reference sees of an operand, without its `first` dimensions. It promotes a weakly typed one less."""
    return jax.ShapeDtypeStruct(x.shape[first:], x.dtype, weak_type=getattr(x, "weak_type", False))


def _unsupported(avals: Any, outs: Any) -> str:
    """Why no kernel can have these operands and results, or nothing."""
    return next(
        (f"there are no kernels for {x.dtype.name}" for x in (*avals, *outs) if x.dtype.name not in _ELEMENTS), ""
    )


def _precision(avals: Any, outs: Any) -> str:
    return "f64" if any(x.dtype == np.float64 for x in (*avals, *outs)) else "f32"


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, tuple | list) else [results]
