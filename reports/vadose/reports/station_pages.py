"""The station page of a version: map, table, and the files of its series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vadose.reports import figures
from vadose.reports.data import Run
from vadose.reports.formats import score_text
from vadose.reports.pages import Page, Renderer
from vadose.reports.stations import Series, StationGroup, funnel, read_series, short, station_groups, station_list
from vadose.reports.versions import Version, version_page

STATIC_ROWS = 100


def stations_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """Map, list and series of the stations, then of the cells of gridded references."""
    series = read_series(run)
    shown = [_station_group(version, group, series, renderer, i) for i, group in enumerate(station_groups(run))]
    values = {"groups": [group for group in shown if group], "licences": _licences(run)}
    return version_page(version, "stations.md", f"{version.title}: stations", "stations.md.jinja", values)


def _station_group(
    version: Version, group: StationGroup, series: Series | None, renderer: Renderer, number: int
) -> dict[str, Any]:
    has = set(series.stations) if series is not None and group.with_series else set()
    keys = {str(row["key"]) for row in group.rows.to_dict("records") if str(row["station_id"]) in has}
    listing, row_ids = station_list(group, keys)
    name = "stations" if number == 0 else f"stations-{number + 1}"
    renderer.output.add_json(f"{version.data}/{name}.json", short(listing))
    renderer.output.add_json(f"{version.data}/{name}-rows.json", row_ids)
    renderer.output.add_json(f"{version.data}/{name}-funnel.json", funnel(group))
    placed = [
        renderer.place(figure, f"{version.address}/{name}", version.run.period if version.run else None)
        for figure in _maps(listing, listed=number == 0)
    ]
    skeleton = f"data/figures/{version.address}/{name}-series.json"
    names = [own_column(version), *(series.rivals if series is not None else ())]
    renderer.output.add_json(skeleton, figures.series_skeleton(names, own_column(version)))
    return {
        "reference": group.reference,
        "gridded": group.gridded,
        "list": f"{version.data}/{name}.json",
        "skeleton": skeleton,
        "funnel": f"{version.data}/{name}-funnel.json",
        "series": f"{series_folder(version)}/",
        "maps": placed,
        "row_ids": f"{version.data}/{name}-rows.json",
        "rows": static_rows(listing, row_ids),
        "heads": [(s["label"], s["unit"]) for s in listing["scores"].values()],
        "total": len(listing["columns"]["key"]),
        "with_series": len(keys),
        "interactive": number == 0,
    }


def own_column(version: Version) -> str:
    """The name of our product in the series: its version, which other versions share a file with."""
    return f"v{version.release.version}" if version.release else str(version.run.ours if version.run else "")


def series_folder(version: Version) -> str:
    """Where the series of the stations are: one file for all versions of a product."""
    return f"data/series/{version.release.product_id}" if version.release else f"data/series/{version.address}"


def _maps(listing: dict[str, Any], *, listed: bool) -> list[figures.Figure]:
    columns = listing["columns"]
    labels = [f"{network}: {name}" for network, name in zip(columns["network"], columns["name"], strict=True)]
    if not labels:
        return []
    return [
        figures.station_map(
            metric.replace(":", "-"), columns["key"], labels, columns["lat"], columns["lon"], metric,
            listing["scores"][metric]["values"], reference=listing["reference"], listed=listed,
        )
        for metric in listing["scores"]
        if metric in ("r", "ubrmsd", "bias")
    ]  # fmt: skip


def static_rows(listing: dict[str, Any], row_ids: dict[str, list[str | None]]) -> list[dict[str, Any]]:
    """The first rows of the list as they stand in the page without script."""
    columns = listing["columns"]
    result = []
    for i in range(min(len(columns["key"]), STATIC_ROWS)):
        cells = []
        for metric, scores in listing["scores"].items():
            value = scores["values"][i]
            text = scores["status"][i] if value is None else score_text(metric.partition(":")[0], value)
            cells.append({"value": None if value is None else repr(value), "text": text, "row": row_ids[metric][i]})
        result.append(
            {"cells": cells, **{name: columns[name][i] for name in ("key", "name", "network", "depth", "land_cover")}}
        )
    return result


def _licences(run: Run) -> list[dict[str, Any]]:
    frame = run.stations
    parts = frame.groupby(["network", "licence", "redistributable"], sort=True, dropna=False).size()
    return [
        {
            "network": str(network),
            "licence": str(licence) or "not stated",
            "redistributable": bool(allowed),
            "n": int(n),
        }
        for (network, licence, allowed), n in zip(parts.index, parts, strict=True)
    ]


def station_series(versions: Sequence[Version]) -> dict[str, list[tuple[Version, StationGroup, Series]]]:
    """Versions whose runs hold series, by the folder of the series files."""
    result: dict[str, list[tuple[Version, StationGroup, Series]]] = {}
    for version in versions:
        series = read_series(version.run) if version.run else None
        if version.run is None or series is None:
            continue
        for group in station_groups(version.run):
            if group.with_series:
                result.setdefault(series_folder(version), []).append((version, group, series))
    return result
