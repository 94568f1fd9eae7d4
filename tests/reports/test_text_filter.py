"""Foreign text comes back as the same text, whatever it holds."""

import html
import re

import markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.reports.text import plot_text, prose, slugs, text

ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "![a](https://evil.example/x.png)",
    "a | b | c",
    "--- ",
    "# heading",
    "1. list",
    "- list",
    "* list",
    "> quote",
    "```python",
    "~~~",
    "    code",
    "{: onclick=alert(1) }",
    "[^1]: note",
    "[x]: https://evil.example/",
    "*[HTML]: hyper",
    "{{ 7*7 }}",
    "{% raw %}",
    "**bold** _em_ `code`",
    "&lt;b&gt; &amp;",
    '" onmouseover="alert(1)',
    "https://evil.example/ <https://evil.example/>",
    "[TOC]",
    "\\*",
    "$x^2$",
    "::: danger",
)
EXTENSIONS = ["admonition", "attr_list", "md_in_html", "tables", "toc", "pymdownx.details", "pymdownx.superfences"]


def seen(page: str) -> str:
    """The text of a page as a reader sees it."""
    assert re.fullmatch(r"<p>[^<>]*</p>", page), page
    return html.unescape(page.removeprefix("<p>").removesuffix("</p>"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_survives_markdown_unchanged(attack: str) -> None:
    page = markdown.markdown(str(text(attack)), extensions=EXTENSIONS)
    assert seen(page) == " ".join(attack.split())


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=60))
def test_any_text_holds_no_markup_after_the_filter(words: str) -> None:
    shown = str(text(words))
    assert not re.search(r"[<>\"'`|*_\[\](){}]", shown)
    assert html.unescape(shown) == " ".join(words.split())


@given(st.lists(st.text(max_size=120), max_size=8))
def test_slugs_are_safe_and_unique(names: list[str]) -> None:
    keys = slugs(names)
    assert len(set(keys)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,80}", key) for key in keys)


def test_plot_text_escapes_the_small_html_of_plotly() -> None:
    assert plot_text('<a href="x">&') == '&lt;a href="x"&gt;&amp;'


def test_prose_keeps_structure_and_makes_no_links() -> None:
    page = str(prose("# A <b>\n\n- one\n- [two](https://evil.example/)\n\n| a | b |\n|---|---|\n| 1 | <i> |\n"))
    assert page.startswith("<h2>A &#60;b&#62;</h2>")
    assert "<ul><li>one</li><li>two &#40;https&#58;" in page
    assert "<th>a</th>" in page
    assert "<a" not in page
    assert "<i>" not in page
