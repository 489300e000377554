"""What is done to pages when the site is built: formulas, the table for users of BrainPy, what must not be there."""

import importlib.util
import re
import types
from pathlib import Path

import pytest

HOOKS = Path(__file__).parents[1] / "docs" / "hooks"


def hook(name):
    """A module of `docs/hooks`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, HOOKS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "content",
    [
        '<script src="https://host/a.js"></script>',
        '<script src="//host/a.js"></script>',
        '<link rel="stylesheet" href="http://host/a.css">',
        '<link rel="preconnect" href="https://host">',
        '<img src="https://host/a.png">',
        '<img src="a.png" srcset="a.png 1x, https://host/b.png 2x"/>',
        '<object data="https://host/a.svg"></object>',
        '<svg><image xlink:href="https://host/a.png"/></svg>',
        '<style>@import "https://host/a.css";</style>',
        '<p style="background: url(//host/a.png)">a</p>',
    ],
)
def test_what_another_host_has_is_found(content):
    (problem,) = hook("check").in_page(content)
    assert "fetches" in problem and "host" in problem


@pytest.mark.parametrize(
    "content",
    [
        r'<span class="arithmatex">\(x\)</span>',
        r"<p>where \(x\) is</p>",
        r"<p>where \[x\] is</p>",
        r"<p>where $x^2$ is</p>",
        r"<li>\tau times</li>",
    ],
)
def test_raw_formulas_are_found(content):
    assert any("LaTeX" in problem for problem in hook("check").in_page(content))


def test_what_is_right_is_let_be():
    check = hook("check")
    page = r"""<link rel="canonical" href="https://host/"><link rel="stylesheet" href="../a.css">
    <script>var a = "\d+"</script><script src="a.js"></script><img src="data:image/png;base64,//8"><br>
    <p><a href="https://host/">there</a> for $5, <code>\(x\)</code></p><pre><code>a = r"\tau $x$"</code></pre>"""
    assert check.in_page(page) == []
    assert check.in_style('a { background: url("data:font/woff;base64,d09GRg//") } b { src: url(../a.woff) }') == []
    assert check.in_style("a { background: url('https://host/a.png') }") == ["fetches https://host/a.png"]


def test_formulas_fall_apart_at_wide_spaces_only():
    pieces = hook("formulas").pieces
    assert pieces(r"a = b, \quad c = \sqrt{d \quad e}, \qquad f \leftarrow g") == [
        "a = b,",
        r"c = \sqrt{d \quad e},",
        r"f \leftarrow g",
    ]
    for whole in (r"\begin{cases} 1 \quad 2 \\ 3 \end{cases}", r"\left( 1 \quad 2 \right)", r"\{x\} \quadx"):
        assert pieces(whole) == [whole]
    assert pieces(r"\{ \quad \}") == [r"\{", r"\}"]


def test_formulas_become_mathml():
    pytest.importorskip("math_core")
    formulas = hook("formulas")
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_path="page.md"))
    inline = formulas.on_page_content(r'<p>a <span class="arithmatex">\(\alpha &lt; 1\)</span> b</p>', page)
    assert inline.startswith("<p>a <math>") and "arithmatex" not in inline and formulas.text(inline) == "a α<1 b"
    block = formulas.on_page_content('<div class="arithmatex">\\[x, \\qquad\ny\\]</div>', page)
    assert len(formulas.MATH.findall(block)) == 2 and block.startswith('<div class="formula"><math display="block">')
    with pytest.raises(Exception, match=r"page.md: formula '\\nosuch': .*Unknown command"):
        formulas.on_page_content(r'<span class="arithmatex">\(\nosuch\)</span>', page)


def test_the_font_has_what_formulas_show():
    pytest.importorskip("ziamath")
    import io

    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(hook("formulas").subset({"x", "α", "(", "∑"})))
    assert {ord(c) for c in "xα(∑"} <= set(font.getBestCmap()) and "MATH" in font
    assert len(font.getGlyphOrder()) < 200  # these, and their larger forms, out of thousands


def test_lines_of_code_say_how_far_they_are_indented():
    content = (
        '<span id="x--__span-0-3">    <span class="n">a</span></span>\n<span id="__span-1-12"><span class="sd">  b'
    )
    assert hook("indents").on_page_content(content) == (
        '<span id="x--__span-0-3" style="--indent: 4ch">    <span class="n">a</span></span>\n'
        '<span id="__span-1-12" style="--indent: 2ch"><span class="sd">  b'
    )
    assert (
        hook("indents").on_page_content('<span id="__span-0-1"><span>a</span>')
        == '<span id="__span-0-1"><span>a</span>'
    )


def test_every_row_is_in_the_table_and_linked_to_its_entry():
    parity = hook("parity")
    rows = parity.rows(HOOKS.parent)
    found = parity.table(rows, lambda name: "api#x" if name == "neuropytree.neurons.LIF" else None)
    assert found.count("<tr>") == 1 + len(rows)
    row = parity.target("neuropytree.neurons.LIF.step", {"neuropytree.neurons.LIF": "api/neurons.html#LIF"}.get)
    assert row == '<a href="api/neurons.html#LIF"><code>npt.<wbr>neurons.<wbr>LIF.<wbr>step</code></a>'
    assert parity.target("jax.vmap", lambda name: "wrong") == "<code>jax.<wbr>vmap</code>"
    # every class and function of ours that is named stands on an API page
    entries = {path.rpartition(".")[2] for path in parity.entries(HOOKS.parent)}
    names = {name for row in rows for name in row["ours"].split(";") if name.startswith("neuropytree.")}
    parts = {name: set(name.split(".")[1:]) for name in names}
    assert sorted(name for name, mine in parts.items() if not mine & entries and not is_package(name)) == []


def is_package(name):
    return re.fullmatch(r"neuropytree\.\w+", name) and (HOOKS.parents[1] / name.replace(".", "/")).is_dir()
