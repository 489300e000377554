"""Where random numbers come from: a key, and a place by name."""

import hashlib
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Int, Key, UInt

from ._errors import check_key

Place = tuple[int, int]  # two words: a hash of the names on the way there

_OF_TICKS: Place = (0, 0)
_OF_KEYS: Place = (0, 1)  # so that a key draws other numbers than the first step of a run with that key


def _words(name: str, place: Place = (0, 0)) -> Place:
    """A hash of 64 bits of a name within a place."""
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}; expected a string, since random streams go by names")
    digest = hashlib.blake2b(np.array(place, ">u4").tobytes() + name.encode(), digest_size=8).digest()
    high, low = np.frombuffer(digest, ">u4").tolist()
    return high, low


def fold_key(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """The random stream of the place called `name`: it depends on the name, never on siblings or their order.

    64 bits of a hash of the name are folded in, so the streams of two names don't coincide. `Network.init` hands
    `fold_key(key, "E")` to the population called E.

    **Arguments:**

    - `key`: a JAX random key.
    - `name`: of the child.

    **Raises:** `TypeError` for something that is no key, or a name that is no string.

    !!! example

        ```python
        import jax, neuropytree as npt
        npt.fold_key(jax.random.key(0), "E")
        ```
    """
    check_key(key, needed=True)
    return _folded(key, _words(name))


def _folded(key: Key[Array, ""], place: Place) -> Key[Array, ""]:
    for word in place:
        key = jr.fold_in(key, np.uint32(word))
    return key


class Origin(NamedTuple):
    """A key, and beside it 128 bits that no other step and place has: arrays alone, so that a program serves all."""

    key: UInt[Array, " words"]
    place: UInt[Array | np.ndarray, "2"]
    step: Int[Array, ""]
    part: Int[Array, ""]  # 0 for a whole step


class Stream(eqx.Module):
    """Random numbers of a step at a place, which are computed where they are drawn: making and folding a stream costs
    nothing at run time.

    A tick has one (`Tick.stream`), and one of a key alone is made by `Stream.of`. `npt.random` draws from it.

    **Arguments:**

    - `key`: random key of the run.
    - `index`: number of the step, int32.
    - `part`: number of the part of the step, int32, or `None` for a whole one.
    - `place`: hash of the names on the way to the place.

    !!! example

        ```python
        import jax, neuropytree as npt
        stream = npt.Tick.at(3, dt=0.1, key=jax.random.key(0)).stream.fold("E")
        x = npt.random.normal(stream, shape=(5,))
        ```
    """

    key: Key[Array, ""]
    index: Int[Array, ""]
    part: Int[Array, ""] | None = None
    place: Place = eqx.field(static=True, default=_OF_TICKS)

    @classmethod
    def of(cls, key: Key[Array, ""]) -> "Stream":
        """The numbers of a key alone, outside of steps.

        **Raises:** `TypeError` or `ValueError` for something that isn't one random key.
        """
        check_key(key, needed=True)
        return cls(key, jnp.zeros((), jnp.int32), place=_OF_KEYS)

    def fold(self, name: str) -> "Stream":
        """The independent stream of the child called `name`."""
        return Stream(self.key, self.index, self.part, _words(name, self.place))

    def divided(self, k: Int[Array, ""], n: int) -> "Stream":
        """The stream of part `k` of the step in `n` parts."""
        k = k if self.part is None else self.part * n + k
        return Stream(self.key, self.index, k, _words(f"1/{n}", self.place))

    @property
    def origin(self) -> Origin:
        """What the words of this stream are made from."""
        key = jr.key_data(self.key) if jnp.issubdtype(self.key.dtype, jax.dtypes.prng_key) else self.key
        part = jnp.zeros((), jnp.int32) if self.part is None else self.part + 1
        return Origin(key, np.array(self.place, np.uint32), self.index, part)

    @property
    def step_key(self) -> Key[Array, ""]:
        """A JAX key of this place and step, for `jax.random`."""
        key = jr.fold_in(_folded(self.key, self.place), self.index)
        return key if self.part is None else jr.fold_in(key, self.part)


Source = Stream | Key[Array, ""]


def stream_of(source: Any) -> Stream | None:
    """The stream of a tick, a stream, or a JAX key; `None` for `None` and for a tick without a key."""
    if source is None or isinstance(source, Stream):
        return source
    if hasattr(source, "stream"):
        return source.stream
    return Stream.of(source)
