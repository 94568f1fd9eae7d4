"""The pages of one version, or of a run without a release: scoreboard, strata, stations, gates, files, origin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vadose.reports import figures
from vadose.reports.data import Release, Run
from vadose.reports.downloads import download
from vadose.reports.feed import Issue
from vadose.reports.formats import KEY, METRICS, score_text
from vadose.reports.output import Output
from vadose.reports.pages import Page, Renderer, code
from vadose.reports.stations import Series, StationGroup, read_series, station_groups, station_list
from vadose.reports.tables import (
    Table,
    groups,
    headline_aggregate,
    headline_metrics,
    one,
    other_aggregates,
    outcomes,
    scoreboard,
    strata,
    unscaled,
    untested,
)
from vadose.reports.text import slugs

STATIC_ROWS = 200


@dataclass(frozen=True)
class Version:
    """What the pages of one version have in common."""

    address: str
    title: str
    run: Run | None
    release: Release | None
    issues: Sequence[Issue] = ()
    waivers: Sequence[dict[str, Any]] = ()

    @property
    def preview(self) -> bool:
        """Whether the version is unpublished; a run without a release is always a preview."""
        return self.release is None or self.release.preview

    @property
    def data(self) -> str:
        """Folder of its score files."""
        return f"data/{self.address}"

    @property
    def tabs(self) -> list[tuple[str, str]]:
        """Titles and addresses of its pages."""
        pages = [("Scoreboard", "")] if self.run else []
        if self.run:
            pages += [("Strata", "strata/"), ("Stations", "stations/")]
        if self.run and self.run.verdict is not None:
            pages.append(("Gates", "gates/"))
        if self.release:
            pages += [("Download", "download/"), ("Provenance", "provenance/")]
        if not self.run:
            pages.insert(0, ("Overview", ""))
        return [(title, f"{self.address}/{tail}") for title, tail in pages]


def release_version(release: Release, issues: Sequence[Issue]) -> Version:
    """The version of a release, with the waivers of its recipe and gate."""
    waivers = list(release.recipe.get("waivers") or [])
    return Version(release.address, f"{release.product_id} v{release.version}", release.run, release, issues, waivers)


def run_version(run: Run) -> Version:
    """A run that belongs to no release."""
    return Version(f"runs/{run.id}", f"run {run.id}", run, None)


def version_pages(version: Version, renderer: Renderer, files_url: str) -> list[Page]:
    """All pages of a version; writes its data files on the way."""
    pages = []
    if version.run is None:
        pages.append(_page(version, "index.md", version.title, "overview.md.jinja", {}))
    else:
        score_files(version, version.run, renderer.output)
        pages += [_scoreboard(version, version.run, renderer), _strata(version, version.run)]
        pages.append(_stations(version, version.run, renderer))
        if version.run.verdict is not None:
            pages.append(_gates(version, version.run))
    if version.release:
        pages += [
            _download(version, version.release, renderer.output, files_url),
            _provenance(version, version.release),
        ]
    return pages


def _page(version: Version, name: str, title: str, template: str, values: dict[str, Any]) -> Page:
    meta = {"preview": True} if version.preview else {}
    return Page(f"{version.address}/{name}", title, template, {"version": version, **values}, meta)


def _scoreboard(version: Version, run: Run, renderer: Renderer) -> Page:
    found = groups(run)
    tables = [_folded(run, reference, found) for reference in dict.fromkeys(group[0] for group in found)]
    placed = [renderer.place(figure, version.address) for figure in _figures(run, found)]
    values = {
        "tables": tables,
        "outcomes": outcomes(run),
        "untested": untested(run),
        "figures": placed,
        "settings": run.run,
        "ours": run.ours,
    }
    return _page(version, "index.md", f"{version.title}: scoreboard", "scoreboard.md.jinja", values)


def _folded(run: Run, reference: str, found: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """The headline table of a reference; other averages, samples and splits of it are folded away."""
    first, *rest = [group for group in found if group[0] == reference]
    others = [scoreboard(run, *first, aggregate) for aggregate in other_aggregates(run, first)]
    for group in rest:
        others += [scoreboard(run, *group), *(scoreboard(run, *group, name) for name in other_aggregates(run, group))]
    return {"headline": scoreboard(run, *first), "others": others}


def _figures(run: Run, found: Sequence[tuple[str, str, str]]) -> list[figures.Figure]:
    headline: dict[str, tuple[str, str, str]] = {}
    for group in found:
        headline.setdefault(group[0], group)
    result = [figure for k, group in enumerate(headline.values(), 1) if (figure := _intervals(run, group, k))]
    return [*result, *(figure for reference in headline for figure in _diagnostics(run, reference))]


def _diagnostics(run: Run, reference: str) -> list[figures.Figure]:
    """Seasonal cycle, scatter density and reliability against one reference, from the run's curves."""
    result = []
    slug = slugs([reference])[0]
    cycle = dict(figures.curve_panels(run.curves, "seasonal_cycle")).get(reference)
    if cycle is not None:
        result.append(figures.seasonal_figure(f"seasonal-cycle-{slug}", cycle, run.ours, reference))
    density = dict(figures.curve_panels(run.curves, "scatter_density")).get(f"{reference}/{run.ours}")
    if density is not None:
        result.append(figures.density_figure(f"density-{slug}", density, run.ours, reference))
    reliable = dict(figures.curve_panels(run.curves, "reliability")).get(reference)
    if reliable is not None:
        result.append(figures.reliability_figure(f"reliability-{slug}", reliable, reference))
    return result


def _intervals(run: Run, group: tuple[str, str, str], number: int) -> figures.Figure | None:
    reference, split, subset = group
    overall = unscaled(run.scores)
    overall = overall[(overall["reference"] == reference) & (overall["split"] == split) & (overall["subset"] == subset)]
    overall = overall[overall["stratum_kind"] == "all"]
    overall = overall[overall["aggregate"] == headline_aggregate(overall)]
    metrics = [pair for pair in headline_metrics(overall) if pair != ("rmse", "raw")]
    rows = {
        (name, metric, signal): row
        for name in run.products
        for metric, signal in metrics
        if (row := one(overall, product=name, metric=metric, signal=signal)) is not None
    }
    products = [name for name in run.products if any(key[0] == name for key in rows)]
    if not rows:
        return None
    caption = (
        f"Scores against {reference}, {subset} sample, with 95 % intervals; the table below holds the same numbers."
    )
    return figures.interval_figure(f"scores-{number}", metrics, products, rows, caption)


def _strata(version: Version, run: Run) -> Page:
    tables: list[Table] = [table for group in groups(run) for table in strata(run, *group)]
    return _page(version, "strata.md", f"{version.title}: strata", "strata.md.jinja", {"tables": tables})


def _stations(version: Version, run: Run, renderer: Renderer) -> Page:
    series = read_series(run)
    shown = [_station_group(version, group, series, renderer, i) for i, group in enumerate(station_groups(run))]
    values = {"groups": [group for group in shown if group], "licences": _licences(run)}
    return _page(version, "stations.md", f"{version.title}: stations", "stations.md.jinja", values)


def _station_group(
    version: Version, group: StationGroup, series: Series | None, renderer: Renderer, number: int
) -> dict[str, Any]:
    has = set(series.stations) if series is not None and group.with_series else set()
    keys = {str(row["key"]) for row in group.rows.to_dict("records") if str(row["station_id"]) in has}
    listing = station_list(group, keys)
    name = "stations" if number == 0 else f"stations-{number + 1}"
    renderer.output.add_json(f"{version.data}/{name}.json", listing)
    placed = [renderer.place(figure, f"{version.address}/{name}") for figure in _maps(listing)]
    skeleton = f"data/figures/{version.address}/{name}-series.json"
    names = [own_column(version), *(series.rivals if series is not None else ())]
    renderer.output.add_json(skeleton, figures.series_skeleton(names, own_column(version)))
    return {
        "reference": group.reference,
        "gridded": group.gridded,
        "list": f"{version.data}/{name}.json",
        "skeleton": skeleton,
        "series": f"{series_folder(version)}/",
        "maps": placed,
        "rows": static_rows(listing),
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


def _maps(listing: dict[str, Any]) -> list[figures.Figure]:
    columns = listing["columns"]
    labels = [f"{network}: {name}" for network, name in zip(columns["network"], columns["name"], strict=True)]
    if not labels:
        return []
    return [
        figures.station_map(
            metric.replace(":", "-"), columns["key"], labels, columns["lat"], columns["lon"], metric,
            listing["scores"][metric]["values"], reference=listing["reference"],
        )
        for metric in listing["scores"]
        if metric in ("r", "ubrmsd", "bias")
    ]  # fmt: skip


def static_rows(listing: dict[str, Any]) -> list[dict[str, Any]]:
    """The first rows of the list as they stand in the page without script."""
    columns = listing["columns"]
    result = []
    for i in range(min(len(columns["key"]), STATIC_ROWS)):
        cells = []
        for metric, scores in listing["scores"].items():
            value = scores["values"][i]
            text = scores["status"][i] if value is None else score_text(metric.partition(":")[0], value)
            cells.append({"value": None if value is None else repr(value), "text": text, "row": scores["rows"][i]})
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


def _gates(version: Version, run: Run) -> Page:
    verdict = run.verdict or {}
    gate = version.release.gate if version.release else None
    values = {"verdict": verdict, "gate": gate, "gates": [_gate(g) for g in verdict.get("gates", [])]}
    return _page(version, "gates.md", f"{version.title}: gates", "gates.md.jinja", values)


def _gate(gate: dict[str, Any]) -> dict[str, Any]:
    def words(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}".replace("-", "−")
        if isinstance(value, dict):
            return ", ".join(f"{name} {words(item)}" for name, item in sorted(value.items()))
        return "–" if value is None or value == "" else str(value)

    if gate.get("applicable", True) is False:
        result = "– not applicable"
    else:
        result = "✓ passed" if gate["passed"] else "✗ failed"
    proved = {True: "yes", False: "no", None: "–"}[gate.get("proved") if "applicable" not in result else None]
    return {
        "name": str(gate["name"]).replace("_", " "),
        "level": str(gate.get("level", "required")).replace("_", " "),
        "result": result,
        "figure": words(gate.get("figure")),
        "limit": words(gate.get("limit")),
        "proved": proved,
        "reason": words("; ".join(str(gate[k]) for k in ("reason", "waived") if gate.get(k))),
    }


def _download(version: Version, release: Release, output: Output, files_url: str) -> Page:
    listing = download(release, files_url)
    output.add(f"{version.data}/urls.txt", listing.urls)
    sums = "".join(f"{file.sha256}  {file.path}\n" for file in listing.files if file.sha256)
    output.add(f"{version.data}/SHA256SUMS.txt", sums)
    values = {
        "release": release,
        "download": listing,
        "urls": f"{version.data}/urls.txt",
        "sums": f"{version.data}/SHA256SUMS.txt",
        "files_url": code(f"{files_url.rstrip('/')}/"),
    }
    return _page(version, "download.md", f"{version.title}: download", "download.md.jinja", values)


def _provenance(version: Version, release: Release) -> Page:
    model = release.provenance("model.json") or {}
    inputs = release.provenance("inputs.json") or []
    listed = inputs.get("files", []) if isinstance(inputs, dict) else inputs
    values = {
        "release": release,
        "recipe": release.recipe,
        "inputs": _inputs(listed),
        "ledger": _ledger(model),
        "model": model,
    }
    return _page(version, "provenance.md", f"{version.title}: provenance", "provenance.md.jinja", values)


def _inputs(listed: Any) -> list[dict[str, Any]]:
    """Input files summed by source: producer, version and licence are the same within one."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for entry in listed:
        source = entry.get("product") or str(entry.get("name", "")).rpartition("/")[0] or entry.get("name")
        words = (source, entry.get("producer"), entry.get("version"), entry.get("licence"))
        total = sums.setdefault(tuple(str(word or "unknown") for word in words), [0, 0])
        total[0] += int(entry.get("files", 1))
        total[1] += int(entry.get("bytes", 0))
    return [
        {"source": key[0], "producer": key[1], "version": key[2], "licence": key[3], "files": n, "bytes": size}
        for key, (n, size) in sorted(sums.items())
    ]


def _ledger(model: dict[str, Any]) -> list[dict[str, Any]]:
    ledger = model.get("ledger") or {}
    cells, days = ledger.get("cells") or {}, ledger.get("days") or {}
    roles = [role for role in ("fit", "tune", "calibrate", "test") if role in cells or role in days]
    return [
        {
            "role": role,
            "cells": len(cells.get(role, [])),
            "days": "; ".join(" to ".join(map(str, p)) for p in days.get(role, [])),
        }
        for role in roles
    ]


def score_files(version: Version, run: Run, output: Output) -> None:
    """The scores as Parquet, CSV and JSON at stable addresses, with units, citation and caveats."""
    output.add(f"{version.data}/scores.parquet", (run.folder / "scores.parquet").read_bytes())
    if (run.folder / "comparisons.parquet").is_file():
        output.add(f"{version.data}/comparisons.parquet", (run.folder / "comparisons.parquet").read_bytes())
    frame = run.scores
    listed = {name: [_plain(v) for v in frame[name].tolist()] for name in frame}
    output.add(f"{version.data}/scores.csv", frame.to_csv(index=False, lineterminator="\n"))
    output.add_json(f"{version.data}/scores.json", {"schema_version": 1, "rows": len(frame), "columns": listed})
    output.add(
        f"{version.data}/scores.metadata.json",
        json.dumps(_metadata(version, run), indent=1, ensure_ascii=False, sort_keys=True) + "\n",
    )


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _metadata(version: Version, run: Run) -> dict[str, Any]:
    release = version.release
    used = sorted(set(run.scores["metric"]))
    return {
        "schema_version": 1,
        "title": f"Scores of {version.title}",
        "key": list(KEY),
        "metrics": {m: {"label": METRICS[m].label, "unit": METRICS[m].unit} for m in used if m in METRICS},
        "sign": "errors are product minus reference: a positive bias is too wet",
        "intervals": "ci_low and ci_high bound the 95 % interval; ci_method and ci_scope say how and over what",
        "missing": "a row without value has a status that says why",
        "citation": str(release.product.get("acknowledgement", "")) if release else "",
        "licence": str(release.product.get("licence", "")) if release else "",
        "doi": release.product.get("doi") if release else None,
        "preview": version.preview,
        "caveats": [issue.title for issue in version.issues],
    }


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
