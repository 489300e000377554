"""Messages that several modules share."""

from collections.abc import Iterable


def listing(names: Iterable[object]) -> str:
    """The names, sorted and quoted, as they stand in an error message."""
    return "[" + ", ".join(repr(n) for n in sorted(map(str, names))) + "]"


def no_key(who: str, use: str) -> ValueError:
    """The error of a part that draws random numbers and was handed no key."""
    return ValueError(
        f"{who} draws random numbers ({use}) but got no key: pass key=jax.random.key(seed), "
        "to `init` for initial states, to `simulate` for noise"
    )
