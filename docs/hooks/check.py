"""Looks through the built site for what a reader without a network would miss (pictures, scripts, styles and fonts of
another host) and for formulas that stayed LaTeX. Each is a warning, which fails `mkdocs build --strict`.
"""

from __future__ import annotations

import logging
import re
from html.parser import HTMLParser
from pathlib import Path

LOG = logging.getLogger("mkdocs.hooks.check")

#: By element the attributes whose address is fetched for showing the page. (A `link` may only point somewhere.)
FETCHED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
}
ONLY_POINTS = {"canonical", "next", "prev", "alternate", "author", "license", "search"}
FOREIGN = re.compile(r"(?:^|\s)(?:https?:)?//")
FOREIGN_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""")
#: LaTeX between delimiters, or a command of it.
RAW = re.compile(r"\\[(\[].*?\\[)\]]|\$[^$]+\$|\\[a-zA-Z]{2,}", re.DOTALL)
#: Elements without an end, and those in which a backslash is a backslash.
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
VERBATIM = {"code", "pre", "script", "style", "textarea"}


def on_post_build(config: dict, **_: object) -> None:
    """Warns of every page and style sheet with something amiss."""
    site = Path(config["site_dir"])
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css"), *site.rglob("*.svg")]):
        content = path.read_text("utf-8")
        for problem in in_style(content) if path.suffix == ".css" else in_page(content):
            LOG.warning("%s: %s", path.relative_to(site), problem)


def in_style(content: str) -> list[str]:
    """What a style sheet fetches from other hosts."""
    return [f"fetches {address}" for address in FOREIGN_IN_STYLE.findall(content)]


def in_page(content: str) -> list[str]:
    """What a page fetches from other hosts, and its raw formulas."""
    page = _Page()
    page.feed(content)
    page.close()
    return page.problems


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.verbatim: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in VERBATIM and tag not in VOID:
            self.verbatim.append(tag)
        if not (tag == "link" and set(values.get("rel", "").split()) <= ONLY_POINTS):
            fetched = [values[name] for name in FETCHED.get(tag, ()) if FOREIGN.search(values.get(name, ""))]
            self.problems += [f"fetches {address}" for address in fetched]
        self.problems += in_style(values.get("style", ""))
        if "arithmatex" in values.get("class", "").split():
            self.problems.append("a formula is still LaTeX")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.verbatim and self.verbatim[-1] == tag:
            self.verbatim.pop()

    def handle_data(self, data: str) -> None:
        if self.verbatim:
            if self.verbatim[-1] == "style":
                self.problems += in_style(data)
        elif found := RAW.search(data):
            self.problems.append(f"raw LaTeX: {' '.join(found[0].split())[:60]}")
