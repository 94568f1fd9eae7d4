"""A page: its address, its template and what the template shows; figures with their files."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from vadose.reports import formats
from vadose.reports.figures import Figure
from vadose.reports.output import Output, columns
from vadose.reports.text import prose, text


def address(path: str) -> str:
    """The address of a Markdown file under directory addresses: `a/index.md` -> `a/`, `a/b.md` -> `a/b/`."""
    stem = path.removesuffix(".md")
    stem = stem.removesuffix("index")
    return stem if stem == "" or stem.endswith("/") else f"{stem}/"


def relative(page: str, target: str) -> str:
    """The address `target` (below the site) as seen from the page file `page`.

    >>> relative("demo/v1.0.0/stations.md", "data/x.json")
    '../../../data/x.json'
    """
    path, mark, rest = target.partition("#")
    here = address(page) or "."
    result = posixpath.relpath(path or ".", here)
    slash = "/" if path.endswith("/") or path == "" else ""
    return f"{result}{slash}{mark}{rest}"


@dataclass(frozen=True)
class Page:
    """One generated page; `path` is its Markdown file below the documents."""

    path: str
    title: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedFigure:
    """A figure whose specification and numbers have files."""

    figure: Figure
    spec: str
    csv: str


class Renderer:
    """Renders pages into an output; templates do no arithmetic and a missing value is an error."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.environment = jinja2.Environment(
            loader=jinja2.PackageLoader("vadose.reports", "templates"),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self.environment.filters |= {
            "text": text,
            "prose": prose,
            "count": formats.count,
            "percent": formats.percent,
            "size": formats.size,
            "units": formats.unit_signs,
        }

    def place(self, figure: Figure, folder: str, period: tuple[str, str] | None = None) -> PlacedFigure:
        """Give a figure its two files below `data/figures/`; a period that its caption lacks is added."""
        if period is not None and period[0] not in figure.caption:
            figure = replace(figure, caption=f"{figure.caption} Period {period[0]} to {period[1]}.")
        base = f"data/figures/{folder}/{figure.name}"
        self.output.add_json(f"{base}.json", figure.spec)
        self.output.add_csv(f"{base}.csv", *columns(figure.data))
        return PlacedFigure(figure, f"{base}.json", f"{base}.csv")

    def render(self, page: Page) -> None:
        """Write one page; generated pages are kept out of the search index."""
        meta = {"title": page.title, "hide": ["navigation"], "search": {"exclude": True}, **page.meta}
        front = yaml.safe_dump(meta, sort_keys=True, allow_unicode=True, width=10_000)
        template = self.environment.get_template(page.template)

        def to(target: str) -> str:
            return relative(page.path, target)

        body = template.render(page=page, title=page.title, to=to, **page.values)
        self.output.add(page.path, f"---\n{front}---\n\n{_tidy(body)}")


def _tidy(body: str) -> str:
    lines = [line.rstrip() for line in body.strip().split("\n")]
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    return "\n".join(kept) + "\n"


def code(words: str) -> Markup:
    """A text for a fenced block, where Markdown reads no references."""
    return Markup(words)  # noqa: S704  (only names that were checked against a pattern)
