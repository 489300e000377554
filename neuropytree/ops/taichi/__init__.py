"""Kernels written in Taichi, and the compiler that turns them into object files. Nothing here imports at run time
unless a user's own kernel is compiled.

`ti.func`s for kernels of your own: `stream`, `element`, `fold`, `uniform`, `normal`, `exponential`, `bernoulli`,
`integer`, the counter-based random numbers. Asking for one imports Taichi.
"""

from typing import Any

_RANDOM = ("bernoulli", "element", "exponential", "fold", "integer", "normal", "stream", "uniform")


def __getattr__(name: str) -> Any:
    if name not in _RANDOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _random

    return getattr(_random, name)
