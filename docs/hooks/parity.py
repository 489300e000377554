"""Puts the table of parity.tsv into the page for users of BrainPy, with links to the API pages."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Callable
from pathlib import Path

PAGE, MARK = "parity.md", "<!-- parity table -->"
HEAD = ("In BrainPy", "Here", "Of")


def on_env(env: object, config: dict, files: object, **_: object) -> None:
    """Fills in the table, when the anchors of all pages are known."""
    page = files.get_file_from_path(PAGE).page  # pyright: ignore[reportAttributeAccessIssue]
    if MARK not in page.content:
        raise ValueError(f"{PAGE} must have a line '{MARK}'")
    docs, references = Path(config["docs_dir"]), config["plugins"]["autorefs"]
    elsewhere = {path.rpartition(".")[2]: path for path in entries(docs)}

    def link(name: str) -> str | None:
        # what `neuropytree` itself exports may have its entry under the name of a package
        _, thing, *members = name.split(".")
        for path in (name, ".".join([elsewhere.get(thing, thing), *members])):
            try:
                return references.get_item_url(path, from_url=page.url)[0]
            except KeyError:
                continue
        return None

    page.content = page.content.replace(MARK, table(rows(docs), link))


def entries(docs: Path) -> list[str]:
    """What has an entry on the API pages."""
    pages = sorted((docs / "api").glob("*.md"))
    return [path for page in pages for path in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE)]


def rows(docs: Path) -> list[dict[str, str]]:
    """The rows of the table."""
    with (docs / "parity.tsv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def table(found: list[dict[str, str]], link: Callable[[str], str | None]) -> str:
    """The table in HTML; `link` gives the address of a name's entry, if it has one."""
    lines = ['<table id="parity">', "<thead><tr>" + "".join(f"<th>{title}</th>" for title in HEAD) + "</tr></thead>"]
    lines.append("<tbody>")
    for row in found:
        targets = "<br>".join(target(name, link) for name in row["ours"].split(";"))
        of = "neuropytree" if row["kind"] == "ours" else row["kind"]
        lines.append(
            f"<tr><td>{html.escape(row['brainpy']).replace('.', '.<wbr>')}</td><td>{targets}</td><td>{of}</td></tr>"
        )
    return "\n".join([*lines, "</tbody>", "</table>"])


def target(name: str, link: Callable[[str], str | None]) -> str:
    """A name in code, with a link to its entry, or to that of what it is part of."""
    short = html.escape(name.replace("neuropytree.", "npt.", 1))
    code = f"<code>{short.replace('.', '.<wbr>')}</code>"
    parts = name.split(".")
    for n in range(len(parts), 1, -1):
        if parts[0] == "neuropytree" and (address := link(".".join(parts[:n]))):
            return f'<a href="{html.escape(address)}">{code}</a>'
    return code
