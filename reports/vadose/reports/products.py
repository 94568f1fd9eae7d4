"""The pages of a product over its versions, and the home page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from vadose.common import InputError
from vadose.reports import figures
from vadose.reports.data import Content, Release, newest
from vadose.reports.feed import Issue, issues
from vadose.reports.fields import latest_field, latest_month, variables
from vadose.reports.pages import Page, PlacedFigure, Renderer, code
from vadose.reports.tables import Table, groups, scoreboard
from vadose.reports.versions import Version

_SAFE_PATH = re.compile(r"[A-Za-z0-9._\-]+(/[A-Za-z0-9._\-]+)*")


def check_paths(release: Release) -> None:
    """Refuse a manifest whose paths could not be told from commands, links or other folders."""
    for entry in release.manifest["files"]:
        path = str(entry["path"])
        if not _SAFE_PATH.fullmatch(path) or ".." in path.split("/"):
            raise InputError(f"path {path!r} is not allowed", where=str(release.folder / "manifest.json"))


def product_issues(releases: Sequence[Release]) -> list[Issue]:
    """The live issues of a product, from its root."""
    path = releases[0].folder.parent / "KNOWN_ISSUES.md"
    return issues(path.read_text(encoding="utf-8")) if path.is_file() else []


def product_pages(
    releases: Sequence[Release], versions: dict[str, Version], renderer: Renderer, site_url: str
) -> list[Page]:
    """Landing page, `latest`, change log and issues of one product."""
    current = newest(releases)
    product = current.product_id
    found = product_issues(releases)
    shared = {
        "release": current,
        "releases": list(releases),
        "version": versions[current.address],
        "product": current.product,
        "product_id": product,
        "table": headline_table(current),
        "first": granule_name(current),
    }
    meta: dict[str, Any] = {"preview": True} if current.preview else {"jsonld": current.jsonld}
    placed = [renderer.place(figure, product) for figure in _landing_figures(current)]
    listed, flags = variables(current)
    pages = [
        Page(
            f"{product}/index.md",
            product,
            "landing.md.jinja",
            {**shared, "figures": placed, "bibtex": bibtex(current), "variables": listed, "flags": flags},
            meta,
        ),
        Page(f"{product}/changelog.md", f"{product}: change log", "changelog.md.jinja", shared),
        Page(f"{product}/issues.md", f"{product}: known issues", "issues.md.jinja", {**shared, "issues": found}),
    ]
    if not current.preview:
        canonical = f"{site_url}{current.address}/"
        pages.append(
            Page(
                f"{product}/latest.md",
                f"{product}: current version",
                "latest.md.jinja",
                shared,
                {"canonical": canonical},
            )
        )
    return pages


def headline_table(release: Release) -> Table | None:
    """The first overall table of the release's run: stations first, common sample first."""
    if release.run is None:
        return None
    found = groups(release.run)
    return scoreboard(release.run, *found[0]) if found else None


def granule_name(release: Release) -> Any:
    """The file name of the newest granule, for the lines of code."""
    names = [str(entry["path"]).rpartition("/")[2] for entry in release.granules]
    return code(names[-1]) if names else "granule.nc"


def _landing_figures(release: Release) -> list[figures.Figure]:
    result = []
    field = latest_field(release)
    if field is not None:
        name = field.long_name[:1].upper() + field.long_name[1:]
        result.append(figures.field_figure("latest-day", field.lat, field.lon, field.values, field.day, name))
    coverage = release.coverage
    if coverage is not None and len(coverage):
        days, share = coverage_share(release)
        result.append(figures.coverage_figure("coverage", days, share))
    return result


def month_figure(release: Release) -> figures.Figure | None:
    """The map of the home page: the mean of the newest month."""
    field = latest_month(release)
    if field is None:
        return None
    name = field.long_name[:1].upper() + field.long_name[1:]
    return figures.field_figure("latest-month", field.lat, field.lon, field.values, field.day, name)


def coverage_share(release: Release) -> tuple[list[str], list[float | None]]:
    """Days, and the share in per cent of the expected cells that have a value, from `quality/coverage.csv`."""
    frame = release.coverage
    place = str(release.folder / "quality" / "coverage.csv")
    if frame is None:
        raise InputError("no coverage table", where=place)
    expected = next((name for name in ("cells_expected", "expected") if name in frame), None)
    given = next((name for name in ("cells_given", "given", "cells") if name in frame), None)
    if expected is None or given is None or "day" not in frame:
        raise InputError(
            f"columns are {', '.join(map(str, frame.columns))}",
            where=place,
            why="day, cells_expected and cells_given are needed",
        )
    pairs = zip(frame[given], frame[expected], strict=True)
    return [str(day) for day in frame["day"]], [round(100 * g / e, 3) if e else None for g, e in pairs]


def bibtex(release: Release) -> Any:
    """The BibTeX entry of a version; braces and quotes of foreign text are taken out."""
    product = release.product

    def clean(value: object) -> str:
        return re.sub(r"[{}\"\\<>&`]", "", " ".join(str(value).split()))

    fields = {
        "title": clean(product["title"]),
        "author": "{" + clean((product.get("creator") or {}).get("name", "Vadose contributors")) + "}",
        "publisher": clean((product.get("publisher") or {}).get("name", "")),
        "year": str(release.manifest["issued"])[:4],
        "version": release.version,
        "doi": clean(product.get("doi") or ""),
        "url": clean(product.get("landing_url") or ""),
        "note": "accessed YYYY-MM-DD",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return code(f"@misc{{{release.product_id}-v{release.version},\n{lines}\n}}")


def home_page(
    content: Content, versions: dict[str, Version], maps: dict[str, PlacedFigure], *, has_choice: bool
) -> Page:
    """Which products there are, what is new, their headline scores, a map, three lines of code."""
    products = [
        {
            "id": name,
            "release": current,
            "table": headline_table(current),
            "product": current.product,
            "version": versions[current.address],
            "figure": maps.get(name),
            "first": granule_name(current),
        }
        for name, releases in content.products.items()
        for current in [newest(releases)]
    ]
    products.sort(key=lambda entry: (entry["version"].preview, entry["id"]))
    values = {
        "products": products,
        "runs": list(content.runs),
        "has_skill": content.skill is not None,
        "has_choice": has_choice,
    }
    return Page("index.md", "Vadose", "home.md.jinja", values, {"hide": ["navigation", "toc"]})
