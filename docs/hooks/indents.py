"""Tells the style sheet how far each line of code is indented, so that what is wrapped of it stays below it."""

from __future__ import annotations

import re

LINE = re.compile(r'(<span id="[^"]*__span-\d+-\d+")>((?:<span class="\w+">)?)( +)')


def on_page_content(content: str, **_: object) -> str:
    """Adds the number of leading spaces to each line that begins with any."""
    return LINE.sub(lambda found: f'{found[1]} style="--indent: {len(found[3])}ch">{found[2]}{found[3]}', content)
