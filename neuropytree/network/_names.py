"""What stands at the ends of a projection: a node, a slice of it, and one of its messages or ports."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from .._errors import listing

_END = re.compile(r"^(?P<node>[^.\[\]]+)(?:\[(?P<slice>[^\[\]]*)\])?(?:\.(?P<rest>[^\[\]]+))?$")
RESERVED = ("lines",)  # the first word of paths that are no node's


class End(NamedTuple):
    """`node[start:stop:step].name`, as it stands in a program; `name` may be empty, `part` is `None` for the whole."""

    node: str
    part: slice | None
    name: str

    def places(self, size: int) -> range:
        """The elements that are meant, of `size`."""
        return range(size) if self.part is None else range(*self.part.indices(size))


def parse_end(text: Any, what: str, form: str) -> End:
    """`text` in its parts.

    **Raises:** `TypeError` or `ValueError`, saying what `form` is expected of `what`.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is {text!r}; expected {form}")
    found = _END.match(text)
    if found is None:
        raise ValueError(f"{what} is {text!r}; expected {form}")
    return End(found["node"], _slice(found["slice"], what, text), found["rest"] or "")


def _slice(text: str | None, what: str, whole: str) -> slice | None:
    if text is None:
        return None
    words = text.split(":")
    try:
        numbers = [int(word) if word.strip() else None for word in words]
    except ValueError:
        numbers = []
    if not 2 <= len(numbers) <= 3:
        raise ValueError(f"{what} is '{whole}', with [{text}]; expected a slice such as [0:800], [::2] or [-100:]")
    step = numbers[2] if len(numbers) == 3 else None
    if step is not None and step < 1:
        raise ValueError(f"{what} is '{whole}', with the step {step}; expected a positive one")
    return slice(numbers[0], numbers[1], step)


def check_name(name: Any, what: str) -> None:
    """**Raises:** `ValueError` unless `name` can stand in a path."""
    if not isinstance(name, str) or not name or set(name) & set(".[]"):
        raise ValueError(f"{what} name {name!r} can't be used in paths; expected a string without dots and brackets")


def check_node_names(names: Collection[Any]) -> None:
    for name in names:
        check_name(name, "population")
        if name in RESERVED:
            raise ValueError(f"a population is called '{name}', which begins the paths of something else; rename it")


def check_projection_names(names: Collection[Any], nodes: Collection[str]) -> None:
    for name in names:
        check_name(name, "projection")
        if name in RESERVED or name in nodes:
            whose = "a population's" if name in nodes else "of something else"
            raise ValueError(
                f"a projection is called '{name}', which is {whose}; rename it (populations {listing(nodes)})"
            )
