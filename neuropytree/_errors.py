"""Messages that several modules share."""

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp


def listing(names: Iterable[object]) -> str:
    """The names, sorted and quoted, as they stand in an error message."""
    return "[" + ", ".join(repr(n) for n in sorted(map(str, names))) + "]"


@contextlib.contextmanager
def within(path: str) -> Iterator[None]:
    """What is wrong with a part of a model, raised inside, is said with the path of the part before it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        text = str(error)
        raise type(error)(f'"{path}.{text[1:]}' if text.startswith('"') else f'"{path}": {text}') from error


def no_key(who: str, use: str) -> ValueError:
    """The error of a part that draws random numbers and was handed no key."""
    return ValueError(
        f"{who} draws random numbers ({use}) but got no key: pass key=jax.random.key(seed), "
        "to `Network` for connectivity and weights, to `init` for initial states, to `simulate` for noise"
    )


def check_function(name: str, function: Any, *parameters: str) -> Callable[..., Any]:
    """`function`, if it can be called with these.

    **Raises:** `TypeError` if it can't.
    """
    expected = f"expected a function of ({', '.join(parameters)})"
    if not callable(function):
        raise TypeError(f"{name} is {function!r}; {expected}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function
    try:
        signature.bind(*parameters)
    except TypeError:
        raise TypeError(f"{name} is a function of {signature}; {expected}") from None
    return function


def check_key(key: Any, *, needed: bool = False) -> None:
    """**Raises:** `TypeError` or `ValueError` for something that isn't one random key; or `None`, unless `needed`."""
    if key is None and not needed:
        return
    shape, dtype = getattr(key, "shape", ()), getattr(key, "dtype", jnp.dtype(float))
    old = dtype == jnp.uint32  # as `jax.random.PRNGKey` makes them, with an axis for the bits
    if not (old or jnp.issubdtype(dtype, jax.dtypes.prng_key)):
        raise TypeError(f"key is {key!r}; expected a random key, jax.random.key(seed)")
    batch = shape[:-1] if old else shape
    if batch:
        raise ValueError(f"key has shape {batch}; expected one random key (jax.vmap maps a run over several)")
