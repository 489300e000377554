"""What a run was asked to record, in the terms of the scan."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
from jaxtyping import PyTree

from .._scan import Nest, Taken
from .._types import AbstractDynamics
from ..record import Events, Probe
from ._gathering import Gathering


class Recording(eqx.Module):
    """The records of a run: `probes` with their `names`, and `lists` of events; or one function, called `""`."""

    names: tuple[str, ...] = eqx.field(static=True)  # a dictionary would be sorted by JAX
    probes: tuple[Probe, ...]
    lists: tuple[tuple[str, Events], ...] = eqx.field(static=True)
    every: int = eqx.field(static=True)

    @property
    def intervals(self) -> list[int]:
        """After how many steps each probe is read."""
        return [probe.every or self.every for probe in self.probes]

    @property
    def intervals_by_name(self) -> dict[str, int]:
        """Those of all records, 0 for lists of events."""
        return dict(zip(self.names, self.intervals, strict=True)) | {name: 0 for name, _ in self.lists}

    @property
    def block(self) -> int:
        """Steps after which all records begin anew."""
        return Nest(self.intervals).block

    def check(self, n_steps: int, chunk: int | None) -> None:
        """**Raises:** `ValueError` for intervals that don't divide the run, or its chunks."""
        for name, probe, every in zip(self.names, self.probes, self.intervals, strict=True):
            of = f" (of the record '{name}')" if probe.every else ""
            if n_steps % every:
                raise ValueError(f"every={every}{of} doesn't divide the {n_steps} steps of this run")
            if chunk is not None and chunk % every:
                raise ValueError(f"chunk={chunk} is not a multiple of every={every}{of}")

    def taken(self, model: AbstractDynamics) -> list[Taken]:
        each = zip(self.probes, self.intervals, strict=True)
        return [Taken(probe.observe(model), every, probe.reduce) for probe, every in each]

    def gathered(self, model: AbstractDynamics) -> list[Gathering]:
        return [Gathering(events, model) for _, events in self.lists]

    def named(self, taken: Sequence[PyTree], lists: Mapping[str, Any]) -> Any:
        """What `Solution.out` is."""
        return taken[0] if self.names == ("",) else dict(zip(self.names, taken, strict=True)) | dict(lists)


def recording(record: Any, every: int) -> Recording:
    """**Raises:** `TypeError` or `ValueError` for what can't be recorded, or twice under one name."""
    if isinstance(record, Mapping):
        named = dict(record)
        if not all(isinstance(name, str) for name in named):
            raise _unexpected(record)
    elif callable(record) and not isinstance(record, Probe):
        named = {"": record}
    elif isinstance(record, Sequence) and not isinstance(record, str):
        named = {}
        for entry in record:
            name = entry if isinstance(entry, str) else getattr(entry, "path", None)
            if not isinstance(name, str):
                raise _unexpected(record)
            if name in named:
                raise ValueError(
                    f"record has '{name}' twice; to record it in two ways, give a dictionary: "
                    f"record={{'first': npt.Probe('{name}'), 'second': ...}}"
                )
            named[name] = entry
    else:
        raise _unexpected(record)
    probes, lists = {}, []
    for name, entry in named.items():
        if isinstance(entry, Events):
            lists.append((name, entry))
        elif isinstance(entry, Probe):
            probes[name] = entry
        elif isinstance(entry, str) or callable(entry):
            probes[name] = Probe(entry)
        else:
            raise _unexpected(record)
    return Recording(names=tuple(probes), probes=tuple(probes.values()), lists=tuple(lists), every=every)


def _unexpected(record: Any) -> TypeError:
    return TypeError(
        f"record is {record!r}; expected a list of paths, npt.Probe and npt.Events, a dictionary of such by name "
        "(a string), or a function of (state, output)"
    )
