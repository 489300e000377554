"""Whether an operator is right under every transformation: the whole matrix of them against its dense form."""

import functools
import importlib.util
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..ops import export_checks

Function = Callable[..., Any]
Check = Callable[[Function, Any], Any]
# of the largest value in a result; what a few dozen roundings in another order come to
RTOL = {"float64": 1e-11, "float32": 2e-5, "float16": 2e-2, "bfloat16": 1e-1}
# Kernels give a call up, to go on in parts, after 16 384 edges or elements. So many are several times that, and with a
# batch of them there is no kernel that doesn't.
WORK = 16384
LARGE = "vmap of a large batch"


class OperatorError(AssertionError):
    """An operator that is wrong, or fails, under a transformation."""


def check_op(
    op: Function,
    dense: Function,
    operands: Sequence[ArrayLike],
    *,
    differentiable: Sequence[int] | None = None,
    acc: int | None = 0,
    rtol: float | None = None,
) -> None:
    """Runs an operator under the whole matrix of transformations and holds every result against its dense form.

    That is: the value, eager and under `jit`; JVP in each operand and in all; VJP; second order in all four ways, and
    the Hessian-vector product; `vmap` over every subset of the operands, over a last axis, over different axes, in
    another `vmap`, of tangents, of batches of one and of none, and with gradients inside and outside; `vmap` over every
    subset of the operands of batches so large that any kernel shares the work among threads, with JVP, VJP and second
    order, whose sums over the batch go over several dimensions too; `scan` that carries the accumulator, with
    `jax.checkpoint`; `jax.export`, serialised and back (where `flatbuffers` is installed,
    which JAX needs for that); donation of the accumulator, whose memory the result must take. Nearly all of it is one
    program, compiled once for each of the two functions: checking several operators against the same `dense` function,
    with operands of the same shapes, compiles that only once.

    **Arguments:**

    - `op`, `dense`: plain functions of the operands, to an array or a pytree of arrays. Index arrays are closed over.
    - `operands`: arrays, whose values the checks permute and scale by up to 2 to make batches.
    - `differentiable`: positions of the operands to differentiate in; all floating ones if not given.
    - `acc`: position of the operand that `op` adds to, with the shape and dtype of its (first) result; `None` if it has
      none, and then neither `scan` nor donation is checked.
    - `rtol`: largest difference, in units of the largest value of a result; by the dtype if not given.

    **Raises:** `OperatorError`, an `AssertionError`, that names the transformation and the operands; `ValueError` for
    positions in `differentiable` or `acc` where there is no such operand.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        from neuropytree.testing import check_op

        matrix = jnp.array([[0.5, 0.0], [0.0, 2.0]])
        indices, indptr = jnp.array([0, 1], jnp.int32), jnp.array([0, 1, 2], jnp.int32)

        def op(acc, w, x):
            return npt.ops.csr_matvec(w, x, indices, indptr, acc=acc)

        def dense(acc, w, x):
            return acc + x @ jnp.diag(w)

        check_op(op, dense, [jnp.ones(2), jnp.array([0.5, 2.0]), jnp.array([0.3, 0.0])])
        ```
    """
    xs = [jnp.asarray(x) for x in operands]
    floating = [i for i, x in enumerate(xs) if jnp.issubdtype(x.dtype, jnp.floating)]
    if differentiable is None:
        differentiable = floating
    if wrong := sorted(set(differentiable) - set(floating)):
        raise ValueError(f"differentiable has {wrong}; expected positions of floating operands, which are {floating}")
    if acc is not None and acc not in range(len(xs)):
        raise ValueError(f"acc is {acc}; expected the position of one of {len(xs)} operands, or None")
    matrix = _matrix(len(xs), tuple(differentiable), acc)
    data = _data(dense, xs)
    compare = functools.partial(_compare, rtol, xs)
    try:
        got = _run(matrix, op, data)
    except Exception as error:
        _find_culprit(op, dense, matrix, data, xs, compare)
        raise OperatorError(f"operator fails where all is one program; operands: {_describe(xs)}") from error
    want = _run(matrix, dense, data)
    for name in matrix.checks:
        compare(name, got[name], want[name], _terms(name, data))
    value = want["value"]
    for name, function in (("call without jit", op), ("export", functools.partial(_exported, op, xs))):
        try:
            result = function(*xs)
        except Exception as error:
            raise _failed(name, xs, error) from error
        compare(name, result, value)
    if acc is not None:
        _check_donation(op, xs, acc, value, compare)


def _data(dense: Function, xs: list[Array]) -> dict[str, Any]:
    """Operands, tangents, batches of 2, of 3, and of 2 times 3: everything that the checks are functions of."""
    random = np.random.default_rng(0)

    def normal(x: Any) -> Array:
        return jnp.asarray(random.normal(size=x.shape)).astype(x.dtype)

    def some(x: Array, *batch: int) -> Array:
        items = []
        for k in range(int(np.prod(batch))):
            item = jnp.roll(x, k, axis=-1) if x.ndim else x
            items.append(item if x.dtype == bool else (item * jnp.asarray(1 + k / 6, x.dtype)).astype(x.dtype))
        return jnp.stack(items).reshape(*batch, *x.shape)

    def many(x: Array, size: int) -> Array:
        """So many items, no two neighbours the same."""
        k = np.arange(size)
        items = jnp.broadcast_to(x, (size, *x.shape))
        if x.ndim and x.shape[-1]:
            places = (np.arange(x.shape[-1]) + k[:, None]) % x.shape[-1]
            items = jnp.moveaxis(x[..., places], -2, 0)
        if x.dtype == bool:
            return items
        scale = jnp.asarray(1 + k / size, x.dtype).reshape(size, *(1,) * x.ndim)
        return (items * scale).astype(x.dtype)

    out = [x for x in jax.tree.leaves(jax.eval_shape(dense, *xs)) if jnp.issubdtype(x.dtype, jnp.floating)]
    # an item has at least as many edges as half the smallest operand, or nearly so
    size = max(64, 2 * WORK // max(1, min((x.size for x in xs if x.size > 1), default=1)))
    return {
        "large": [many(x, size) for x in xs],
        "one": xs,
        "outer": [some(x, 2) for x in xs],
        "inner": [some(x, 3) for x in xs],
        "both": [some(x, 2, 3) for x in xs],
        "three": [some(x, 2, 2, 3) for x in xs],
        "tangents": [normal(x) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in xs],
        "cotangents": [normal(x) for x in out],
    }


class _Matrix:
    """Every check, by its name, as a function of the operator and the data."""

    def __init__(self, count: int, differentiable: tuple[int, ...], acc: int | None):
        self.count, self.differentiable, self.acc = count, differentiable, acc
        self.checks: dict[str, Check] = {"value": lambda f, data: f(*data["one"])}
        if differentiable:
            self.checks |= self._derivatives()
        subsets = [s for r in range(count) for s in itertools.combinations(range(count), r + 1)]
        every = subsets[-1]
        for outer in subsets:
            self._add_large(outer)
            rest = tuple(i for i in every if i not in outer)
            for inner in {rest or every, *((outer, every) if len(outer) == 1 else ())}:
                self._add_batches("vmap of vmap", outer, inner, derivatives=inner == rest)
        others = [i for i in every if i != acc]
        if len(others) > 1:  # batched outside and inside and not between, which is not one run of dimensions
            self._add_batches("vmap of vmap of vmap", others[:1], others[1:2], others[:1])
        self.checks["vmap over the last axis"] = lambda f, data: jax.vmap(f, -1, -1)(
            *(jnp.moveaxis(x, 0, -1) for x in data["inner"])
        )
        for first in range(min(count, 2)):
            self.checks[f"vmap over the last axis of every other operand from {first} on"] = functools.partial(
                self._mixed, first
            )
        if len(others) > 1:  # whose sums go over dimensions that are no neighbours
            self.checks[f"{LARGE} in three dimensions"] = functools.partial(self._apart, others)
        for of in {every, *((i,) for i in every)}:
            for size, name in ((1, "one"), (0, "none")):
                self.checks[f"vmap of a batch of {name} over operands {of}"] = functools.partial(self._few, size, of)
        if acc is not None:
            self.checks["scan with the accumulator as carry"] = self._scan
            if acc in differentiable:
                self.checks["grad of scan of checkpoint"] = lambda f, data: jax.grad(
                    lambda a: jnp.sum(jnp.sin(self._scan(jax.checkpoint(f), data, a)))
                )(data["one"][acc])

    def _mixed(self, first: int, f: Function, data: Any) -> Any:
        axes = [-1 if i % 2 == first else 0 for i in range(self.count)]
        return jax.vmap(f, axes)(*(jnp.moveaxis(x, 0, axis) for x, axis in zip(data["inner"], axes, strict=True)))

    def _add_large(self, of: tuple[int, ...]) -> None:
        """`vmap` over the operands `of`, many times, and a few times of the gradient."""
        axes = [0 if i in of else None for i in range(self.count)]

        def values(data: Any, batch: str) -> list[Array]:
            return [data[batch if i in of else "one"][i] for i in range(self.count)]

        self.checks[f"{LARGE} over operands {of}"] = lambda f, data: self._orders(
            jax.vmap(f, axes), values(data, "large")
        )
        if self.differentiable:
            self.checks[f"vmap of grad over operands {of}"] = lambda f, data: jax.vmap(
                lambda *xs: self._gradient(f, xs), axes
            )(*values(data, "outer"))

    def _apart(self, others: list[int], f: Function, data: Any) -> Any:
        """The first operand has a batch dimension between two that the second has."""
        first, second = others[:2]
        for of in (second, first, second):
            f = jax.vmap(f, [0 if i == of else None for i in range(self.count)])
        xs = list(data["one"])
        size = data["large"][second].shape[0]
        xs[first] = data["inner"][first]
        xs[second] = data["large"][second][: size // 8 * 8].reshape(size // 8, 8, *xs[second].shape)
        return self._orders(f, xs)

    def _orders(self, f: Function, xs: list[Array]) -> Any:
        """Value and slope, and the JVP of both; where there is nothing to differentiate, the value."""
        if not self.differentiable:
            return f(*xs)
        of, at = self._smooth(f, xs)

        def slope(*values: Array) -> tuple[list[Array], list[Array]]:
            def loss(*values: Array) -> tuple[Any, list[Array]]:
                out = of(*values)
                return sum(jnp.sum(jnp.sin(x)) for x in out), out

            moves, out = jax.grad(loss, tuple(range(len(at))), has_aux=True)(*values)
            return out, list(moves)

        return jax.jvp(slope, at, [jnp.cos(x) for x in at])

    def _few(self, size: int, of: tuple[int, ...], f: Function, data: Any) -> Any:
        """A batch so small that a rule may take it for none, or for one. With its gradient, whose sums are empty."""
        mapped = jax.vmap(f, [0 if i in of else None for i in range(self.count)])
        xs = [data["outer"][i][:size] if i in of else data["one"][i] for i in range(self.count)]
        return mapped(*xs), self._gradient(mapped, xs) if self.differentiable else []

    def _smooth(self, f: Function, xs: Sequence[Array]) -> tuple[Function, list[Array]]:
        """`f` of the operands that are differentiated in, with floating results only, and those operands."""

        def of(*values: Array) -> list[Array]:
            every = list(xs)
            for i, value in zip(self.differentiable, values, strict=True):
                every[i] = value
            return [x for x in jax.tree.leaves(f(*every)) if jnp.issubdtype(x.dtype, jnp.floating)]

        return of, [xs[i] for i in self.differentiable]

    def _gradient(self, f: Function, xs: Sequence[Array]) -> list[Array]:
        of, at = self._smooth(f, xs)
        loss = lambda *values: sum(jnp.sum(jnp.sin(x)) for x in of(*values))  # noqa: E731
        return list(jax.grad(loss, tuple(range(len(at))))(*at))

    def _derivatives(self) -> dict[str, Check]:
        def setup(f: Function, data: Any) -> tuple[Function, list[Array], list[Array], list[Array]]:
            of, at = self._smooth(f, data["one"])
            return of, at, [data["tangents"][i] for i in self.differentiable], data["cotangents"]

        def jvp(f: Function, data: Any) -> Any:
            of, at, t, _ = setup(f, data)
            return jax.jvp(of, at, t)

        def jvp_in(k: int, f: Function, data: Any) -> Any:
            of, at, t, _ = setup(f, data)
            return jax.jvp(lambda x: of(*at[:k], x, *at[k + 1 :]), at[k : k + 1], t[k : k + 1])

        def batched_tangents(f: Function, data: Any) -> Any:
            of, at, _, _ = setup(f, data)
            return jax.vmap(lambda *t: jax.jvp(of, at, list(t))[1])(*(data["outer"][i] for i in self.differentiable))

        def vjp(f: Function, data: Any) -> Any:
            of, at, _, ct = setup(f, data)
            return jax.vjp(of, *at)[1](ct)

        def jvp_of_jvp(f: Function, data: Any) -> Any:
            of, at, t, _ = setup(f, data)
            return jax.jvp(lambda *xs: jax.jvp(of, xs, tuple(t)), at, t)

        def jvp_of_vjp(f: Function, data: Any) -> Any:
            of, at, t, ct = setup(f, data)
            return jax.jvp(lambda *xs: jax.vjp(of, *xs)[1](ct), at, t)

        def vjp_of_jvp(f: Function, data: Any) -> Any:
            of, at, t, ct = setup(f, data)
            return jax.vjp(lambda *xs: jax.jvp(of, xs, tuple(t))[1], *at)[1](ct)

        def vjp_of_vjp(f: Function, data: Any) -> Any:
            of, at, t, ct = setup(f, data)
            return jax.vjp(lambda *xs: jax.vjp(of, *xs)[1](ct), *at)[1](tuple(t))

        def hessian_vector(f: Function, data: Any) -> Any:
            of, at, t, _ = setup(f, data)
            loss = lambda *xs: sum(jnp.sum(jnp.sin(x)) for x in of(*xs))  # noqa: E731
            return jax.jvp(jax.grad(loss, tuple(range(len(at)))), at, t)

        def checkpoint(f: Function, data: Any) -> Any:
            return self._gradient(jax.checkpoint(f), data["one"])

        each = {f"jvp in operand {i}": functools.partial(jvp_in, k) for k, i in enumerate(self.differentiable)}
        return each | {
            "jvp": jvp,
            "vmap of jvp over the tangents": batched_tangents,
            "vjp": vjp,
            "jvp of jvp": jvp_of_jvp,
            "jvp of vjp": jvp_of_vjp,
            "vjp of jvp": vjp_of_jvp,
            "vjp of vjp": vjp_of_vjp,
            "Hessian-vector product": hessian_vector,
            "grad of checkpoint": checkpoint,
        }

    def _add_batches(self, name: str, *levels: Sequence[int], derivatives: bool = True) -> None:
        """`vmap` over the operands at `levels`, from the outermost in; its gradient; and `vmap` of the gradient."""
        axes = [tuple(0 if i in level else None for i in range(self.count)) for level in levels]
        where = ", ".join(str(tuple(level)) for level in levels)

        def mapped(f: Function) -> Function:
            for level in reversed(axes):
                f = jax.vmap(f, level)
            return f

        def values(data: Any) -> list[Array]:
            return [self._batch(data, i, [level[i] == 0 for level in axes]) for i in range(self.count)]

        self.checks[f"{name} over operands {where}"] = lambda f, data: mapped(f)(*values(data))
        if derivatives and self.differentiable:
            self.checks[f"grad of {name} over operands {where}"] = lambda f, data: self._gradient(
                mapped(f), values(data)
            )
            self.checks[f"{name} of grad over operands {where}"] = lambda f, data: mapped(
                lambda *xs: self._gradient(f, xs)
            )(*values(data))

    def _batch(self, data: Any, i: int, batched: list[bool]) -> Array:
        if len(batched) == 3:
            return data["three"][i][tuple(slice(None) if b else 0 for b in batched)]
        one, outer, inner, both = (data[name][i] for name in ("one", "outer", "inner", "both"))
        return {(False,): one, (True,): outer, (False, False): one, (True, False): outer, (False, True): inner}.get(
            tuple(batched), both
        )

    def _scan(self, f: Function, data: Any, carry: Array | None = None) -> Array:
        acc = self.acc
        assert acc is not None

        def step(carry: Array, others: list[Array]) -> tuple[Array, None]:
            out = f(*others[:acc], carry, *others[acc:])
            return jax.tree.leaves(out)[0], None

        others = [x for i, x in enumerate(data["inner"]) if i != acc]
        return jax.lax.scan(step, data["one"][acc] if carry is None else carry, others)[0]


_matrix = functools.cache(_Matrix)  # the same one for operands of the same kind, or nothing would be compiled once


# Hundreds of small loops, each run once: optimising them would take most of the time.
@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options={"xla_backend_optimization_level": 0})
def _run(matrix: _Matrix, f: Function, data: Any) -> dict[str, Any]:
    return {name: check(f, data) for name, check in matrix.checks.items()}


def _exported(op: Function, xs: list[Array], *operands: Array) -> Any:
    exported = jax.export.export(jax.jit(lambda *xs: jax.tree.leaves(op(*xs))), disabled_checks=export_checks())(*xs)
    if importlib.util.find_spec("flatbuffers"):
        exported = jax.export.deserialize(exported.serialize())
    leaves = exported.call(*operands)
    return jax.tree.unflatten(jax.tree.structure(jax.eval_shape(op, *xs)), leaves)


def _check_donation(op: Function, xs: list[Array], acc: int, value: Any, compare: Callable[..., None]) -> None:
    given = [jnp.array(x) if i == acc else x for i, x in enumerate(xs)]
    given[acc].block_until_ready()
    before = given[acc].unsafe_buffer_pointer()
    out = jax.jit(op, donate_argnums=acc)(*given)
    compare("donation of the accumulator", out, value)
    first = jax.tree.leaves(out)[0]
    if first.size and first.unsafe_buffer_pointer() != before:
        raise OperatorError(
            f"operator is not in place when operand {acc} is donated: the result has memory of its own; operands: "
            f"{_describe(xs)}"
        )
    compare("call after donation", op(*xs), value)  # no operand has been changed behind JAX's back


def _find_culprit(
    op: Function, dense: Function, matrix: _Matrix, data: Any, xs: list[Array], compare: Callable[..., None]
) -> None:
    """Raises at the first check that fails or is wrong. One by one they take long, which only a failure is worth."""
    for name, check in matrix.checks.items():
        try:
            got = jax.block_until_ready(jax.jit(functools.partial(check, op))(data))
        except Exception as error:
            raise _failed(name, xs, error) from error
        compare(name, got, jax.jit(functools.partial(check, dense))(data), _terms(name, data))


def _terms(name: str, data: Any) -> int:
    """How many items a check adds up, more than the few that the tolerance is for."""
    return data["large"][0].shape[0] if name.startswith(LARGE) else 1


def _failed(name: str, xs: list[Array], error: Exception) -> OperatorError:
    return OperatorError(f"operator fails under '{name}': {type(error).__name__}: {error}; operands: {_describe(xs)}")


def _compare(rtol: float | None, xs: list[Array], name: str, got: Any, want: Any, terms: int = 1) -> None:
    leaves, structure = jax.tree.flatten(got)
    others, expected = jax.tree.flatten(want)
    if structure != expected:
        raise OperatorError(
            f"operator is wrong under '{name}': result {structure}, expected {expected}; operands: {_describe(xs)}"
        )
    for k, (x, y) in enumerate(zip(leaves, others, strict=True)):
        which = f"result {k}" if len(leaves) > 1 else "the result"
        if x.shape != y.shape or x.dtype != y.dtype:
            what = f"{which} is {x.dtype.name}{list(x.shape)}, expected {y.dtype.name}{list(y.shape)}"
        else:
            what = _difference(which, x, y, rtol, terms)
        if what:
            raise OperatorError(f"operator is wrong under '{name}': {what}; operands: {_describe(xs)}")


def _difference(which: str, x: Any, y: Any, rtol: float | None, terms: int) -> str:
    """What is different between two arrays of one shape and dtype; nothing if they are close. Roundings of so many more
    terms add up as a random walk does."""
    if x.dtype == jax.dtypes.float0 or x.size == 0:
        return ""
    limit = rtol
    if limit is None:
        limit = RTOL.get(x.dtype.name, 0.0)
    limit *= terms**0.5
    if jnp.issubdtype(x.dtype, jnp.floating):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    else:
        x, y = np.asarray(x), np.asarray(y)
    same = (x == y) | ((x != x) & (y != y))
    finite = np.isfinite(x) & np.isfinite(y)
    error = np.abs(np.where(finite, x, 0).astype(np.float64) - np.where(finite, y, 0))
    scale = max(1.0, float(np.max(np.abs(np.where(np.isfinite(y), y, 0)))))
    bad = ~(same | (finite & (error <= limit * scale)))
    if not bad.any():
        return ""
    where = np.unravel_index(int(np.argmax(np.where(bad & finite, error, np.where(bad, np.inf, -1)))), x.shape)
    index = ", ".join(map(str, where))
    return f"{which} has {x[where]} at [{index}], expected {y[where]}, and {int(bad.sum())} of {x.size} values differ"


def _describe(xs: Sequence[Array]) -> str:
    return ", ".join(f"{i}: {x.dtype.name}{list(x.shape)}" for i, x in enumerate(xs))
