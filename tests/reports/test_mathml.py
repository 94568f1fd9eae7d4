"""Formulas become MathML; what does not parse stops the build with page and line."""

import markdown
import pytest

from vadose.common import InputError
from vadose.reports import site_project
from vadose.reports.mathml import mathml, with_mathml


def test_a_formula_becomes_a_math_element_that_markdown_leaves_alone() -> None:
    page = markdown.markdown(with_mathml("where $a * b * c_1$ and $x * y$ hold", "p.md"), extensions=["md_in_html"])
    assert page.count("<math") == 2
    assert "<em>" not in page
    assert page.startswith("<p>where")


def test_a_paragraph_may_begin_with_a_formula() -> None:
    page = markdown.markdown(with_mathml("text\n$x$ goes on", "p.md"), extensions=["md_in_html"])
    assert page.count("<p>") == 1


def test_code_and_escaped_dollars_are_left_alone() -> None:
    given = "`$HOME` costs \\$5\n\n```bash\necho $HOME $PATH\n```\n"
    assert with_mathml(given, "p.md") == given.replace("\\$", "&#36;")


@pytest.mark.parametrize("formula", [r"\notacommand x", r"\frac{a", "a & b", r"\begin{aligned}a&=b\end{aligned}"])
def test_a_formula_that_does_not_parse_names_page_and_line(formula: str) -> None:
    with pytest.raises(InputError, match="line 3") as caught:
        with_mathml(f"one\n\nthree ${formula}$", "methods.md")
    assert "methods.md" in caught.value.where


def test_every_formula_of_the_written_pages_parses() -> None:
    pages = sorted((site_project() / "docs").glob("*.md"))
    count = sum(with_mathml(page.read_text(encoding="utf-8"), page.name).count("<math") for page in pages)
    assert count > 20


def test_block_formulas_stand_alone() -> None:
    assert mathml("x", block=True).startswith("<math")
    assert 'display="block"' in mathml("x", block=True)
