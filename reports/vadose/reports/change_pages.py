"""Pages that compare versions of a product: one for each pair of neighbours, and one for any two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from vadose.reports import figures
from vadose.reports.changes import (
    Key,
    StationChange,
    changes,
    compared_rows,
    coverage_rows,
    difference_words,
    metadata_changes,
    paired,
    release_difference,
    score_rows,
    station_changes,
    tally,
)
from vadose.reports.classes import class_name, class_order, kind_name, kind_order
from vadose.reports.data import Release
from vadose.reports.formats import metric_label
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import HEADLINE, finite, headline_metrics, outcome_of, score_cell
from vadose.reports.text import slugs
from vadose.reports.versions import Version

MAPPED = (("r", "raw"), ("r", "anomaly_35d"), ("ubrmsd", "raw"))

Stations = dict[tuple[str, str], list[StationChange]]


def change_pages(releases: Sequence[Release], versions: dict[str, Version], renderer: Renderer) -> list[Page]:
    """The comparison pages of a product with two versions or more."""
    if len(releases) < 2:
        return []
    ordered = [versions[release.address] for release in sorted(releases, key=lambda r: r.order)]
    neighbours = [_neighbours(old, new, renderer) for old, new in pairwise(ordered)]
    for version in ordered:
        renderer.output.add_json(f"{version.data}/compare.json", comparison_file(version, ordered))
    return [_any_two(ordered, neighbours), *neighbours]


def change_address(old: Version, new: Version) -> str:
    """Where the comparison of two neighbours is."""
    assert old.release is not None
    assert new.release is not None
    return f"{new.release.product_id}/compare/v{old.release.version}-to-v{new.release.version}/"


def _neighbours(old: Version, new: Version, renderer: Renderer) -> Page:
    assert old.release is not None
    assert new.release is not None
    address = change_address(old, new)
    found = release_difference(old.release, new.release)
    if found is not None:
        renderer.output.add_json(f"{new.data}/diff.json", found)
    names = (f"v{old.release.version}", f"v{new.release.version}")
    stations = _stations(old, new)
    values = {
        "old": old,
        "new": new,
        "names": names,
        "changes": changes(old, new),
        "held": paired(old, new) is not None,
        "stations": [
            (metric_label(metric, signal), tally([one.outcome for one in found]))
            for (metric, signal), found in stations.items()
        ],
        "figures": [renderer.place(figure, address.strip("/")) for figure in _maps(stations)],
        "metadata": metadata_changes(old.release, new.release),
        "difference": difference_words(found) if found else [],
        "headers": list(found.get("headers", [])) if found else [],
        "difference_file": f"{new.data}/diff.json",
        "coverage": coverage_rows(old.release, new.release),
        "product_id": new.release.product_id,
    }
    title = f"{new.release.product_id}: {names[0]} to {names[1]}"
    meta = {"preview": True} if old.preview or new.preview else {}
    return Page(f"{address.strip('/')}.md", title, "changes.md.jinja", values, meta)


def _stations(old: Version, new: Version) -> Stations:
    """Stations with their outcomes, for each headline metric that was compared at stations."""
    found = {pair: station_changes(old, new, *pair) for pair in HEADLINE}
    return {pair: ones for pair, ones in found.items() if any(one.difference is not None for one in ones)}


def _maps(stations: Stations) -> list[figures.Figure]:
    return [
        figures.change_map(
            f"change-{metric}-{signal.replace('_', '-')}", [one.key for one in found],
            [one.label for one in found], [one.lat for one in found], [one.lon for one in found],
            [one.difference for one in found], [one.outcome for one in found], metric, signal,
        )
        for metric, signal in MAPPED
        if (found := stations.get((metric, signal)))
    ]  # fmt: skip


def comparison_file(version: Version, others: Sequence[Version]) -> dict[str, Any]:
    """`compare.json` of a version: its scores by class, and the outcomes beside every version that a run holds, too."""
    rows = score_rows(version.run)
    pairs = {}
    for other in others:
        frame = paired(other, version) if other is not version else None
        if frame is not None and other.release is not None:
            pairs[other.release.version] = {
                _joined(key): _outcome(row, key) for key, row in compared_rows(frame).items() if _shown(key)
            }
    return {
        "schema_version": 1,
        "title": version.title,
        "scores": {_joined(key): _score(rows[key], key) for key in sorted(rows, key=_place)},
        "pairs": pairs,
    }


def _shown(key: Key) -> bool:
    return key[3:] in HEADLINE


def _place(key: Key) -> tuple[Any, ...]:
    reference, kind, name, *pair = key
    return (
        not reference.startswith("stations"), reference, HEADLINE.index((pair[0], pair[1])), kind != "all",
        kind_order(kind), class_order(kind, name),
    )  # fmt: skip


def _joined(key: Key) -> str:
    return "|".join(key)


def _score(row: dict[str, Any], key: Key) -> dict[str, Any]:
    reference, kind, name, metric, signal = key
    cell = score_cell(row)
    return {
        "reference": reference,
        "kind": "" if kind == "all" else kind_name(kind),
        "class": "all" if kind == "all" else class_name(kind, name),
        "metric": metric_label(metric, signal),
        "value": finite(row["value"]),
        "text": cell.text,
        "interval": cell.interval,
        "row": cell.row_id,
    }


def _outcome(row: dict[str, Any], key: Key) -> dict[str, Any]:
    found = outcome_of(row, key[3], key[4], "", key[0])
    return {
        "value": finite(row["difference"]),
        "text": found.difference.text,
        "interval": found.difference.interval,
        "p": found.p,
        "outcome": found.outcome,
    }


def _any_two(ordered: Sequence[Version], neighbours: Sequence[Page]) -> Page:
    """All versions in one table, and a comparison of any two by script."""
    releases = [version.release for version in ordered if version.release is not None]
    product = releases[0].product_id
    names = [f"v{release.version}" for release in releases]
    tables = [_version_rows(version) for version in ordered]
    metrics = [pair for pair in HEADLINE if any(pair in cells for _, cells in tables)]
    lines = [
        {
            "version": version,
            "name": name,
            "status": version.release.status if version.release else "",
            "reference": reference,
            "cells": [cells.get(pair) for pair in metrics],
        }
        for version, name, (reference, cells) in zip(ordered, names, tables, strict=True)
    ]
    held = [list(pages.values["names"]) for pages in neighbours if pages.values["held"]]
    values = {
        "product_id": product,
        "lines": lines,
        "heads": [metric_label(*pair) for pair in metrics],
        "neighbours": [(page.values["names"], page.path.removesuffix(".md") + "/") for page in neighbours],
        "held": held,
        "files": [(name, f"{version.data}/compare.json") for version, name in zip(ordered, names, strict=True)],
        "slug": slugs([product])[0],
    }
    meta = {"preview": True} if all(version.preview for version in ordered) else {}
    return Page(f"{product}/compare/index.md", f"{product}: compare versions", "compare.md.jinja", values, meta)


def _version_rows(version: Version) -> tuple[str, dict[tuple[str, str], Any]]:
    """The reference and the overall cells of a version's first table."""
    rows = score_rows(version.run)
    overall = {key: row for key, row in rows.items() if key[1] == "all"}
    if version.run is None or not overall:
        return "", {}
    reference = min(overall, key=_place)[0]
    held = set(headline_metrics(version.run.overall))
    cells = {
        (key[3], key[4]): score_cell(row)
        for key, row in overall.items()
        if key[0] == reference and (key[3], key[4]) in held
    }
    return reference, cells
