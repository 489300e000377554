"""Which numbers a draw takes: its stream, its shape, and the number of its first element."""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt

from .._arguments import axis_names
from .._errors import no_key
from .._stream import Origin, Stream, stream_of
from .._types import Tick
from ..ops import varying_axes

Source = Tick | Stream | Key[Array, ""]
Shape = int | tuple[int, ...] | None
AxisName = str | tuple[str, ...] | None


class Place(NamedTuple):
    """The elements of a draw: of `shape`, of which the first has the number `first`, in a stream of the law's own."""

    origin: Origin
    shape: tuple[int, ...]
    first: UInt[Array, ""]


def one_program(function: Callable[..., Array]) -> Callable[..., Array]:
    """A draw that is one program where it is called outside of any: one for all keys, steps and names."""
    static = [name for name in ("shape", "dtype") if name in inspect.signature(function).parameters]
    return jax.jit(function, static_argnames=static, inline=True)


def fitted(shape: tuple[int, ...], dtype: Any, *parameters: Array) -> list[Array]:
    """The parameters in the shape and dtype of a draw."""
    return [jnp.broadcast_to(x.astype(dtype), shape) for x in parameters]


def place(law: str, tick: Source, shape: Shape, axis_name: AxisName, **parameters: Array) -> Place:
    """Where a draw of that law takes its numbers from.

    **Raises:** `ValueError` for a tick without a key, for a shape to which the parameters don't broadcast, and for an
    axis that isn't there; `TypeError` for something that is no shape.
    """
    if not isinstance(tick, Tick | Stream) and not isinstance(tick, jax.Array):
        raise TypeError(f"tick is {tick!r}; expected a Tick, a Stream, or a random key, jax.random.key(seed)")
    stream = stream_of(tick)
    if stream is None:
        raise no_key(f"random.{law}", "of a step")
    size = _shape(shape, parameters)
    axes = _axes(axis_name, stream, list(parameters.values()))
    first = jnp.zeros((), jnp.uint32)
    if axes:
        first = jax.lax.axis_index(axes).astype(jnp.uint32) * np.uint32(math.prod(size) % 2**32)
    return Place(stream.fold(law).origin, size, first)


def _shape(shape: Any, parameters: dict[str, Array]) -> tuple[int, ...]:
    if shape is None:
        return jnp.broadcast_shapes(*(x.shape for x in parameters.values()))
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0 for n in sizes):
        raise TypeError(f"shape is {shape!r}; expected a whole number or a tuple of them")
    sizes = tuple(map(int, sizes))
    for name, x in parameters.items():
        if len(x.shape) > len(sizes) or any(n not in (1, m) for n, m in zip(x.shape[::-1], sizes[::-1], strict=False)):
            raise ValueError(f"{name} has shape {x.shape}, which doesn't broadcast to shape={sizes}")
    return sizes


def _axes(axis_name: AxisName, stream: Stream, parameters: list[Array]) -> tuple[str, ...]:
    """The mesh axes over which the elements are divided: those that are named, and those over which a parameter varies
    but the stream doesn't."""
    named = axis_names(axis_name, "axis_name")
    for axis in named:
        try:
            jax.lax.axis_size(axis)
        except NameError:
            raise ValueError(
                f"axis_name is {axis_name!r}; there is no axis '{axis}' here; expected one of jax.shard_map"
            ) from None
    own = {axis for x in jax.tree.leaves(stream) for axis in varying_axes(x)}
    seen = [axis for x in parameters for axis in varying_axes(x)]
    return named + tuple(dict.fromkeys(axis for axis in seen if axis not in own and axis not in named))
