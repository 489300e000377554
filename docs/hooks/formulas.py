"""Formulas become MathML while the site is built: reading it takes no script and no network.

Browsers set MathML well only with a font made for it, which few systems have. So the site brings one, STIX Two Math
(as ziamath ships it), cut down to what its formulas need and written into a style sheet.
"""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

FORMULA = re.compile(r'<(span|div) class="arithmatex">\s*\\[(\[](.*?)\\[)\]]\s*</\1>', re.DOTALL)
MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
TOKEN = re.compile(r"\\(?:begin|left)\b|\\(?:end|right)\b|\\q?quad\b|\\.|[{}]")
STYLE = "stylesheets/formulas.css"


def on_page_content(content: str, page: Page, **_: object) -> str:
    """Puts MathML in the place of what the Markdown extension has marked as formulas."""

    def replaced(found: re.Match[str]) -> str:
        try:
            return mathml(html.unescape(found[2]), display=found[1] == "div")
        except ValueError as error:
            from mkdocs.exceptions import PluginError

            raise PluginError(f"{page.file.src_path}: {error}") from None

    return FORMULA.sub(replaced, content)


def on_post_build(config: dict, **_: object) -> None:
    """Writes the font."""
    site = Path(config["site_dir"])
    used = {c for page in site.rglob("*.html") for math in MATH.findall(page.read_text("utf-8")) for c in text(math)}
    font = base64.b64encode(subset(used)).decode()
    face = f'@font-face {{ font-family: "Formulas"; src: url("data:font/woff;base64,{font}") format("woff"); }}\n'
    (site / STYLE).write_text(face + 'math { font-family: "Formulas", math; }\n', "utf-8")


def text(math: str) -> str:
    """The characters that a piece of MathML shows."""
    return html.unescape(re.sub(r"<[^>]*>", "", math))


def mathml(tex: str, *, display: bool) -> str:
    """A formula in LaTeX as MathML; what `\\quad` sets apart on a line of its own may be set on several.

    **Raises:** `ValueError` for what isn't LaTeX, or not known of it.
    """
    from math_core import LatexError, LatexToMathML

    convert = LatexToMathML(fancy_error=False).convert_with_local_state
    try:
        if not display:
            return convert(tex.strip(), displaystyle=False)
        parts = "".join(convert(part, displaystyle=True) for part in pieces(tex))
    except LatexError as error:
        raise ValueError(f"formula '{tex.strip()}': {error}") from None
    return f'<div class="formula">{parts}</div>'


def pieces(tex: str) -> list[str]:
    """What `\\quad` and `\\qquad` outside of all groups set apart."""
    found, depth, begin = [], 0, 0
    for token in TOKEN.finditer(tex):
        if token[0] in ("{", "\\begin", "\\left"):
            depth += 1
        elif token[0] in ("}", "\\end", "\\right"):
            depth -= 1
        elif token[0].endswith("quad") and depth == 0:
            found.append(tex[begin : token.start()].strip())
            begin = token.end()
    return [part for part in [*found, tex[begin:].strip()] if part]


def subset(characters: set[str]) -> bytes:
    """The font with only these characters, their larger and smaller forms, and its licence, as WOFF."""
    import ziamath
    from fontTools.subset import Options, Subsetter, load_font, save_font

    options = Options(flavor="woff", name_IDs=["*"])
    out = io.BytesIO()
    with load_font(Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf", options) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(sorted(characters)))
        subsetter.subset(font)
        save_font(font, out, options)
    return out.getvalue()
