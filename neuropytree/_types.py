"""The contracts that every other module is written against: `Tick`, `AbstractDynamics`, `Drive`."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, PyTree

from ._errors import check_key, listing
from ._rule import AbstractInitializer, Undrawn
from ._stream import Stream as Stream
from ._stream import fold_key as fold_key
from ._time import as_dt, instant, wide

State = PyTree[Any]
Output = PyTree[Any]
Scalar = float | Float[Array, ""]
Spikes = Float[Array, "..."] | Bool[Array, "..."]
Parameter = Any  # an array leaf, made of whatever the constructor gets


def as_parameter(x: ArrayLike) -> Array:
    """A parameter as an array leaf: floating, and never weakly typed, so that replacing it compiles nothing new."""
    x = x if isinstance(x, jax.Array | np.ndarray) else np.asarray(x)
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) and isinstance(x, jax.Array) else jnp.result_type(float)
    return jnp.asarray(x, dtype=dtype)


def parameter(default: Any = dataclasses.MISSING, *, positional: bool = False, **bounds: Any) -> Any:
    """A field for a parameter, made an array leaf; `None` stays `None`. A keyword sets it unless it is `positional`.
    Its values are checked by `check_parameters`, for which `bounds` are those of `check_real`."""
    given = {} if default is dataclasses.MISSING else {"default": default}
    return eqx.field(converter=_leaf, kw_only=not positional, metadata={"bounds": bounds}, **given)


def _leaf(x: Any) -> Any:
    """`x` as a parameter; what is no number stays what it is, for a check that knows its name."""
    if isinstance(x, AbstractInitializer):
        return Undrawn(x)
    is_number = isinstance(x, jax.Array) or np.asarray(x).dtype.kind in "biuf"
    return as_parameter(x) if is_number else x


class Tick(eqx.Module):
    """The only clock, handed to every `step`.

    - `t`: time at the beginning of the step, `index * dt`, in ms: computed from the index, never accumulated, and
      rounded once.
    - `dt`: length of the step in ms.
    - `index`: number of the step, int32.
    - `key`: JAX random key of this step and place, for `jax.random`; `None` in a run without randomness.
    - `stream`: the same for `npt.random`, whose numbers cost less and don't depend on how many are drawn; or `None`.

    Times and keys are computed where they are asked for. In float32 `t` late in a run is coarse: from 131 s on a
    multiple of 1/64 ms, from 4.7 hours on of 2 ms. `since` and `phase` don't have this limit.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt
        tick = npt.Tick.at(10**8, dt=0.1)
        tick.since(9_999_999.5)  # 0.5 ms
        jnp.sin(2 * jnp.pi * tick.phase(7.0))  # of a period of 7 ms
        ```
    """

    index: Int[Array, ""]
    dt: Scalar
    stream: Stream | None = None
    within: tuple["Tick", Int[Array, ""]] | None = None  # a step that this is a part of, and which part

    @classmethod
    def at(cls, index: int | Int[Array, ""], *, dt: Scalar, key: Key[Array, ""] | None = None) -> "Tick":
        """The tick of step `index`; `key` is the key of the whole run.

        **Raises:** `TypeError` or `ValueError` for a key that isn't one random key, an index that isn't whole, and a
            `dt` that isn't a positive number.
        """
        check_key(key)
        if isinstance(index, bool) or not isinstance(index, int | np.integer | jax.Array):
            raise TypeError(f"index is {index!r}; expected the number of a step")
        if not jnp.issubdtype(jnp.result_type(index), jnp.integer):
            raise TypeError(f"index has dtype {jnp.result_type(index)}; expected the number of a step")
        if not isinstance(dt, jax.Array):
            as_dt(dt)
        index = jnp.asarray(index, dtype=jnp.int32)
        return cls(index, dt, None if key is None else Stream(key, index))

    @property
    def t(self) -> Float[Array, ""]:
        """Time at the beginning of the step (ms)."""
        return self._wide().astype(jnp.result_type(float))

    def since(self, begin: ArrayLike) -> Float[Array, "..."]:
        """Time from `begin` (ms) to the beginning of the step (ms), negative before: rounded after the subtraction, and
        so the same late in a run as at its start.

        `begin` is a number or an array. Numbers and NumPy arrays keep their precision; a JAX array of float32 has lost
        it where it is late. Differences below a millionth of a step are none.
        """
        return self._exactly(lambda t, grain: _snapped(t - wide(begin), grain))

    def phase(self, period: ArrayLike) -> Float[Array, "..."]:
        """Which part of a period (ms) is over at the beginning of the step, from 0 to below 1, where periods begin at
        0: the same late in a run as at its start."""

        def part(t: Array, grain: Array) -> Array:
            whole = wide(period)
            over = _snapped(jnp.mod(t, whole), grain)
            return jnp.where(over > whole - grain / 2, 0, over) / whole

        return self._exactly(part)

    def _exactly(self, function: Callable[[Array, Array], Array]) -> Array:
        """A function of the time and of a millionth of the step, in float64, which tells 2^31 steps apart so far."""
        time, whole = self._wide(), self
        while whole.within is not None:
            whole = whole.within[0]
        with jax.enable_x64(True):
            out = function(time, 1e-6 * wide(whole.dt))
        return out.astype(jnp.result_type(float))

    def _wide(self) -> Array:
        if self.within is None:
            return instant(self.index, self.dt)
        whole, k = self.within
        return instant(k, self.dt, after=whole._wide())

    @property
    def key(self) -> Key[Array, ""] | None:
        """A JAX random key of this step and place, or `None`."""
        return None if self.stream is None else self.stream.step_key

    def fold(self, name: str) -> "Tick":
        """The same instant with the independent random stream of the child called `name`."""
        return self if self.stream is None else self._with(self.stream.fold(name))

    def part(self, k: int | Int[Array, ""], n: int) -> "Tick":
        """Part `k` of the step in `n` equal parts, as a step of its own: number `index * n + k`, which counts up to
        2^31 - 1; time and random numbers are those of the step and its part, and have no such bound."""
        k = jnp.asarray(k, jnp.int32)
        stream = None if self.stream is None else self.stream.divided(k, n)
        return Tick(self.index * n + k, self.dt / n, stream, (self, k))

    def _with(self, stream: Stream) -> "Tick":
        return Tick(self.index, self.dt, stream, self.within)


def _snapped(x: Array, grain: Array) -> Array:
    """`x` as the nearest multiple of `grain`, with the derivative of `x`."""
    return x + jax.lax.stop_gradient(jnp.round(x / grain) * grain - x)


class Drive(eqx.Module):
    r"""What flows into a cell: the current $i - g v$, linear in the voltage it will meet.

    Drives add. Keeping `g` apart lets an exponential step see conductances.

    **Arguments:**

    - `i`: current at zero voltage (pA; or mV where the membrane has resistance 1), inward positive.
    - `g`: conductance (nS; or in units of the leak), or `None` where the current does not depend on the voltage.
    """

    i: Array
    g: Array | None = None

    def __add__(self, other: "Drive") -> "Drive":
        if self.g is None or other.g is None:
            return Drive(self.i + other.i, other.g if self.g is None else self.g)
        return Drive(self.i + other.i, self.g + other.g)

    @staticmethod
    def of(x: "ArrayLike | Drive | None", dtype: Any) -> "Drive":
        """`x` as a drive of the given dtype: a current, a drive, or `None` for nothing.

        **Raises:** `TypeError` for anything else.
        """

        def number(leaf: Any) -> Array:
            try:
                array = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
            except ValueError:  # a list of lists of different lengths
                array = np.asarray(None)
            if not any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.floating, jnp.integer, np.bool_)):
                raise TypeError(f"the input is {leaf!r}; expected a real number, an array of such, or a Drive")
            return jnp.asarray(array).astype(dtype)

        if isinstance(x, Drive):
            return jax.tree.map(number, x)
        return Drive(jnp.zeros((), dtype) if x is None else number(x))


class AbstractDynamics(eqx.Module):
    """Anything with state: an immutable module whose state is a separate pytree.

    Subclasses implement `init` and `step`. Parameters are array leaves; whatever fixes the structure (sizes, names) is
    `eqx.field(static=True)`. The structure, shapes and dtypes of the state never change across `step`.
    """

    @abc.abstractmethod
    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> State:
        """The initial state for steps of `dt` ms; `key` where anything in it is random."""

    @abc.abstractmethod
    def step(self, state: State, input: Any, tick: Tick) -> tuple[State, Output]:
        """The state one step on, and the output of that step."""

    @property
    def input_shape(self) -> Any:
        """Shape that one step's input may broadcast to: a tuple; a list of several, of which all but the first want all
        their axes; a dictionary of such; or `None` if anything goes."""
        return None

    def read(self, path: str, state: State, output: Output) -> Array:
        """The variable called `path` of a state, or else of an output, for recording. An output that is one array is
        called `"spike"`.

        **Raises:** `ValueError` if there is none of that name.
        """
        returned = {"spike": output} if hasattr(output, "shape") else output
        others = {name: x for name, x in variables(returned).items() if name not in variables(state)}
        return others[path] if path in others else find(state, path, who=type(self).__name__, also=tuple(others))


def fields_of(tree: Any) -> dict[str, Any]:
    """The named children of a node: fields of a module that are not static, or items of a dictionary."""
    if isinstance(tree, eqx.Module):
        names = [f.name for f in dataclasses.fields(tree) if not f.metadata.get("static", False)]
        return {name: getattr(tree, name) for name in names}
    return dict(tree) if isinstance(tree, dict) else {}


def variables(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted names and values of every array in nested modules and dictionaries."""
    found: dict[str, Any] = {}
    for name, child in fields_of(tree).items():
        path = f"{prefix}.{name}" if prefix else str(name)
        below = variables(child, path)
        if below:
            found |= below
        elif hasattr(child, "shape") and hasattr(child, "dtype"):
            found[path] = child
    return found


def find(tree: Any, path: str, *, who: str, also: tuple[str, ...] = ()) -> Any:
    """The array whose dotted name in `tree` is `path` or ends with it.

    **Raises:** `ValueError` if no array or more than one is called so; `also` lists other names that would have done.
    """
    found = variables(tree)
    hits = [name for name in found if name == path] or [name for name in found if name.endswith("." + path)]
    if len(hits) == 1:
        return found[hits[0]]
    trouble = f"is ambiguous in {who}: {listing(hits)}" if hits else f"is not a variable of {who}"
    names = [*also, *(hits or {name.rsplit(".", 1)[-1] for name in found})]
    raise ValueError(f"'{path}' {trouble}; it has {listing(names)}")
