"""Foreign text on pages: one filter for Markdown and HTML, slugs, and plain prose from Markdown files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup


def text(value: object) -> Markup:
    """Foreign text that Markdown, HTML and attribute values show as it is.

    Whitespace is collapsed; every character that is neither a letter, a digit nor a blank
    becomes a numeric reference. Control characters are dropped.
    """
    words = " ".join(str(value).split())
    return Markup("".join(_safe(character) for character in words))  # noqa: S704  (nothing but references is left)


def _safe(character: str) -> str:
    if character == " " or character.isalpha() or character.isdigit():
        return character
    return f"&#{ord(character)};" if character.isprintable() or ord(character) > 0x9F else ""


def plot_text(value: object) -> str:
    """Foreign text for plotly, whose texts are a small HTML."""
    words = " ".join(str(value).split())
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slugs(names: Iterable[str]) -> list[str]:
    """Keys `[a-z0-9-]{1,80}`, one for each name, made unique by a number at the end."""
    taken: set[str] = set()
    result = []
    for name in names:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:70].strip("-") or "station"
        key, suffix = base, 1
        while key in taken:
            suffix += 1
            key = f"{base}-{suffix}"
        taken.add(key)
        result.append(key)
    return result


_STRIP = re.compile(r"(\*\*|__|`)")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)]*)\)")


def prose(markdown: str, *, level: int = 2) -> Markup:
    """The text of a foreign Markdown file as harmless HTML: headings, lists, tables, paragraphs.

    Everything else is shown as text; links are shown with their address, not made.
    `level` is the level of the highest heading in the result.
    """
    blocks = re.split(r"\n\s*\n", markdown.replace("\r\n", "\n").strip())
    return Markup("\n").join(_block(block, level) for block in blocks if block.strip())


def _plain(line: str) -> Markup:
    return text(_LINK.sub(r"\1 (\2)", _STRIP.sub("", line)))


def _block(block: str, level: int) -> Markup:
    lines = block.split("\n")
    heading = re.match(r"(#{1,6})\s+(.*)", lines[0])
    if heading:
        depth = min(6, max(level, level - 1 + len(heading[1])))
        head = Markup("<h{0}>{1}</h{0}>").format(depth, _plain(heading[2]))
        rest = "\n".join(lines[1:])
        return head + (Markup("\n") + _block(rest, level) if rest.strip() else Markup(""))
    if all(line.lstrip().startswith("|") for line in lines):
        return _table(lines)
    if re.match(r"\s*[-*]\s", lines[0]):
        return _list(lines)
    return Markup("<p>{}</p>").format(_plain(" ".join(lines)))


def _list(lines: list[str]) -> Markup:
    items: list[str] = []
    for line in lines:
        bullet = re.match(r"\s*[-*]\s+(.*)", line)
        if bullet:
            items.append(bullet[1])
        else:
            items[-1] += " " + line
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(_plain(item)) for item in items))


def _table(lines: list[str]) -> Markup:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]

    def line(cells: list[str], tag: str) -> Markup:
        return Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<{0}>{1}</{0}>").format(tag, _plain(cell)) for cell in cells)
        )

    body = Markup("").join(line(row, "td") for row in rows[1:])
    return Markup('<div class="wide"><table><thead>{}</thead><tbody>{}</tbody></table></div>').format(
        line(rows[0], "th"), body
    )
