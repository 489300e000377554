"""Channels and ions of a cell by their names, checked where they are given."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from .._arguments import known_values
from .._errors import listing
from ..channels import AbstractChannel
from ..ions import AbstractIon

KINDS: tuple[tuple[str, type], ...] = (("channel", AbstractChannel), ("ion", AbstractIon))


def by_name(parts: Any, what: str) -> dict[str, Any]:
    """The `what`s of a cell as a dictionary. **Raises:** `TypeError` or `ValueError` unless each has a name."""
    if not isinstance(parts, Mapping):
        raise TypeError(f"{what}s is {parts!r}; expected a dictionary of {what}s by name")
    for name in parts:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{what} name {name!r} can't be used in paths; expected a string without dots")
    return dict(parts)


def check_part(part: Any, what: str, kind: type, name: str, otherwise: str = "") -> None:
    """**Raises:** `TypeError` unless `part` is of that kind, and `ValueError` for a parameter that is not finite."""
    if not isinstance(part, kind):
        raise TypeError(f"{what} '{name}' is {part!r}; expected an npt.{what}s.{kind.__name__}{otherwise}")
    for path, leaf in jax.tree_util.tree_leaves_with_path(part):
        known = known_values(leaf) if eqx.is_inexact_array(leaf) else None
        if known is not None and not np.isfinite(known).all():
            field = jax.tree_util.keystr(path, simple=True, separator=".")
            bad = known[~np.isfinite(known)][0]
            raise ValueError(f"{what} '{name}' ({type(part).__name__}) has {field} {bad}; expected finite numbers")


def check_needs(name: str, channel: AbstractChannel, ions: Mapping[str, Any]) -> None:
    """**Raises:** `ValueError` for an ion that the channel reads and the cell hasn't."""
    missing = [ion for ion in channel.needs if ion not in ions]
    if missing:
        own = ", or give the channel its own e" if missing == [channel.carries] else ""
        raise ValueError(
            f"channel '{name}' ({type(channel).__name__}) reads the ion '{missing[0]}', but the cell has the "
            f"ions {listing(ions)}: pass ions={{'{missing[0]}': ...}}{own}"
        )
