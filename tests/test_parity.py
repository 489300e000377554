"""The table for users of BrainPy names only what is there."""

import csv
import importlib
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[1] / "docs" / "parity.tsv"


def rows() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def resolve(path: str) -> object:
    """The object of a dotted path: its longest importable beginning, and then attributes."""
    names = path.split(".")
    for n in range(len(names), 0, -1):
        try:
            thing = importlib.import_module(".".join(names[:n]))
        except ModuleNotFoundError:
            continue
        for name in names[n:]:
            thing = getattr(thing, name)
        return thing
    raise ModuleNotFoundError(path)


def test_the_columns_and_kinds():
    table = rows()
    assert len(table) > 300 and list(table[0]) == ["brainpy", "ours", "kind"]
    for row in table:
        assert None not in row.values() and all(value.strip() == value != "" for value in row.values()), row
        own = [target.split(".")[0] == "neuropytree" for target in row["ours"].split(";")]
        assert {"ours": all(own), "library": not any(own)}[row["kind"]], row
    names = [row["brainpy"] for row in table]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("package", sorted({t.split(".")[0] for row in rows() for t in row["ours"].split(";")}))
def test_every_target_is_there(package):
    targets = {t for row in rows() for t in row["ours"].split(";") if t.split(".")[0] == package}
    missing = []
    for target in sorted(targets):
        assert not any(name.startswith("_") for name in target.split(".")), f"{target} is private"
        try:
            resolve(target)
        except (AttributeError, ModuleNotFoundError):
            missing.append(target)
    assert not missing
