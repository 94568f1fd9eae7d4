"""TeX in Markdown becomes MathML while a page is copied: no script, no fonts."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

from vadose.common import InputError

# Fenced blocks and inline code are left alone; $$…$$ before $…$; an escaped dollar is a dollar.
_PIECES = re.compile(
    r"(?P<code>^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)[^\n]*$|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<dollar>\\\$)"
    r"|\$\$(?P<block>.+?)\$\$"
    r"|\$(?P<inline>[^\s$](?:[^$\n]*[^\s$\\])?)\$",
    re.DOTALL | re.MULTILINE,
)
_BETWEEN_TAGS = re.compile(r">([^<>]+)<")


def with_mathml(markdown: str, page: str) -> str:
    """Replace `$…$` and `$$…$$` by `<math>` elements.

    Raises
    ------
    InputError
        If a formula does not parse; it names `page` and the line.
    """

    def replace(match: re.Match[str]) -> str:
        if match["code"] is not None:
            return match["code"]
        if match["dollar"] is not None:
            return "&#36;"
        formula = match["block"] if match["block"] is not None else match["inline"]
        try:
            return mathml(formula, block=match["block"] is not None)
        # latex2mathml raises what its parser happens to: KeyError, IndexError and classes of its own.
        except Exception as error:
            line = markdown.count("\n", 0, match.start()) + 1
            raise InputError(
                f"formula does not parse: {formula.strip()}",
                where=f"{page}, line {line}",
                why=f"{type(error).__name__}: {error}",
                next="mend the TeX; the commands known are those of latex2mathml",
            ) from error

    return _PIECES.sub(replace, markdown)


def mathml(formula: str, *, block: bool = False) -> str:
    """One formula as a `<math>` element that Markdown leaves as it is."""
    element: str = convert(formula.strip(), display="block" if block else "inline")
    # The converter lets unknown commands, stray alignment marks and open braces through.
    unknown = re.search(r"<m[io]>(\\[a-zA-Z]+|&(amp;)?)</m[io]>", element)
    if unknown:
        raise ValueError(f"not understood: {unknown[1]}")
    plain = re.sub(r"\\[{}]", "", formula)
    if plain.count("{") != plain.count("}"):
        raise ValueError("braces do not match")
    # Python-Markdown reads the text between inline tags: an asterisk there would be emphasis.
    element = _BETWEEN_TAGS.sub(lambda match: f">{_references(match[1])}<", element)
    # Markdown takes `math` at the beginning of a line for a block.
    return element if block else f"<span>{element}</span>"


def _references(content: str) -> str:
    plain = re.sub(r"&#x([0-9A-Fa-f]+);", lambda match: chr(int(match[1], 16)), content)
    named = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return "".join(c if c.isalnum() or c.isspace() else f"&#{ord(c)};" for c in named)
