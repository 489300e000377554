"""What a run records of a variable."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int, PyTree

from .._arguments import check_choice, known_values, whole
from .._types import AbstractDynamics

Observe = Callable[[Any, Any], PyTree]
_SLICE = re.compile(r"^(?P<path>.*?)\[(?P<slice>[^\[\]]*:[^\[\]]*)\]$")


class Probe(eqx.Module):
    """A variable, and how it is recorded by `simulate`.

    **Arguments:**

    - `path`: name of the variable, such as `"E.v"`, `"E.exc.g"`, `"E->I.weight"`; or a function of (state, output).
    - `where`: which elements along its first axis: their numbers, a slice, or a mask. All by default.
    - `reduce`: `"sum"` or `"mean"` over all steps since the record before; by default the value at the end of the last.
      Sums of booleans are int32 counts.
    - `every`: record after every so many steps; by default that of `simulate`.

    The path may end with a slice, `"E.v[:3]"`, which is the same as `where=slice(None, 3)`.

    **Raises:** `TypeError` or `ValueError` naming the argument.

    !!! example

        ```python
        import neuropytree as npt
        cells = npt.neurons.LIF(10)
        counts = npt.Probe("spike", reduce="sum", every=100)
        sol = npt.simulate(cells, cells.init(dt=0.1), 30.0, dt=0.1, duration=100.0,
                           record=[counts, npt.Probe("v", where=[0, 3])])
        ```
    """

    path: str | Observe = eqx.field(static=True)
    where: Int[Array, " elements"] | None
    span: tuple[int, int] | None = eqx.field(static=True)  # least and greatest number, where they are known
    masked: int | None = eqx.field(static=True)  # length of a mask
    part: slice | None = eqx.field(static=True)
    reduce: Literal["sum", "mean"] | None = eqx.field(static=True)
    every: int | None = eqx.field(static=True)

    def __init__(
        self,
        path: str | Observe,
        *,
        where: ArrayLike | Sequence[int] | slice | None = None,
        reduce: Literal["sum", "mean"] | None = None,
        every: int | None = None,
    ):
        if not isinstance(path, str) and not callable(path):
            raise TypeError(f"a probe's path is {path!r}; expected a name such as 'E.v', or a function")
        if isinstance(path, str) and (sliced := _SLICE.match(path)) is not None:
            if where is not None:
                raise ValueError(f"a probe's path is '{path}' and where is {where!r}; give one of the two")
            path, where = sliced["path"], _parse(sliced["slice"], path)
        check_choice(reduce, "a probe's reduce", ("sum", "mean", None))
        self.path, self.reduce, self.every = (
            path,
            reduce,
            None if every is None else whole(every, "every", least=1, of="steps"),
        )
        self.part = where if isinstance(where, slice) else None
        self.where = None if where is None or isinstance(where, slice) else _numbers(where)
        self.masked = _length_of_mask(where)
        known = None if self.where is None else known_values(self.where)
        self.span = None if known is None or known.size == 0 else (int(known.min()), int(known.max()))

    def observe(self, model: AbstractDynamics) -> Observe:
        """The record of one step as a function of (state, output)."""

        def of(state: Any, output: Any) -> PyTree:
            seen = self.path(state, output) if callable(self.path) else model.read(self.path, state, output)
            return jax.tree.map(lambda x: self._part(jnp.asarray(x)), seen)

        return of

    def _part(self, x: Array) -> Array:
        if self.where is None and self.part is None:
            return x
        if x.ndim == 0:
            raise ValueError(f"the probe of '{self.path}' has a where, but the variable is one number")
        if self.part is not None:
            return x[self.part]
        if self.masked is not None and self.masked != len(x):
            raise ValueError(
                f"the probe of '{self.path}' has a mask of {self.masked} as where, but there are {len(x)} elements"
            )
        for n in self.span or ():
            if not -len(x) <= n < len(x):
                raise ValueError(f"the probe of '{self.path}' has {n} in where, but there are {len(x)} elements")
        return x[self.where]


def _length_of_mask(where: Any) -> int | None:
    known = None if where is None or isinstance(where, slice) else known_values(where)
    return len(known) if known is not None and known.dtype == bool and known.ndim == 1 else None


def _numbers(where: Any) -> Array:
    known = known_values(where) if isinstance(where, jax.Array) else np.asarray(where)
    if known is not None and known.dtype == bool and known.ndim == 1:
        known = np.flatnonzero(known)
    array = where if known is None else known
    if array.size == 0:
        array = np.zeros(0, np.int32)
    if array.ndim != 1 or not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"a probe's where is {where!r}; expected numbers of elements, a slice, or a mask")
    return jnp.asarray(array, jnp.int32)


def _parse(text: str, whole_text: str) -> slice:
    try:
        numbers = [int(word) if word.strip() else None for word in text.split(":")]
        return slice(*numbers)
    except (ValueError, TypeError):
        raise ValueError(f"'{whole_text}' ends with [{text}]; expected a slice such as [:3] or [10:20]") from None
