"""All pages of one version, or of a run without a release, and the files of its scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vadose.reports.budgets import budget_page
from vadose.reports.collocations import collocation_page
from vadose.reports.contents import RUN_PAGES, has_coverage
from vadose.reports.coverages import coverage_page
from vadose.reports.data import Run
from vadose.reports.events import events_page
from vadose.reports.formats import KEY, METRICS
from vadose.reports.mapped import maps_page, publishable
from vadose.reports.output import Output
from vadose.reports.pages import Page, Renderer
from vadose.reports.release_pages import download_page, gates_page, provenance_page
from vadose.reports.rivals import rivals_page
from vadose.reports.scoreboards import scoreboard_page, strata_page
from vadose.reports.stability import stability_page
from vadose.reports.station_pages import stations_page
from vadose.reports.uncertainty import uncertainty_page
from vadose.reports.versions import Version, version_page

MAKERS: dict[str, Callable[[Version, Run, Renderer], Page]] = {
    "": scoreboard_page,
    "rivals": rivals_page,
    "strata": strata_page,
    "stations": stations_page,
    "maps-rivals": maps_page,
    "uncertainty": uncertainty_page,
    "collocation": collocation_page,
    "error-budget": budget_page,
    "stability": stability_page,
    "events": lambda version, run, _: events_page(version, run),
    "gates": lambda version, run, _: gates_page(version, run),
}


def version_pages(version: Version, renderer: Renderer, files_url: str) -> list[Page]:
    """All pages of a version that its run and release can fill; writes its data files on the way."""
    run = version.run
    if run is None:
        pages = [version_page(version, "index.md", version.title, "overview.md.jinja", {})]
    else:
        score_files(version, run, renderer.output)
        pages = [MAKERS[name](version, run, renderer) for _, name, held in RUN_PAGES if held(run)]
    if version.release and has_coverage(version.release):
        pages.append(coverage_page(version, version.release, renderer))
    if version.release:
        pages.append(download_page(version, version.release, renderer.output, files_url))
        pages.append(provenance_page(version, version.release))
    return pages


def score_files(version: Version, run: Run, output: Output) -> None:
    """The scores as Parquet, CSV and JSON at stable addresses, with units, citation and caveats."""
    output.add(f"{version.data}/scores.parquet", (run.folder / "scores.parquet").read_bytes())
    if (run.folder / "comparisons.parquet").is_file():
        output.add(f"{version.data}/comparisons.parquet", (run.folder / "comparisons.parquet").read_bytes())
    for name in ("curves.parquet", "tables.parquet"):
        if (run.folder / "diagnostics" / name).is_file():
            output.add(f"{version.data}/{name}", (run.folder / "diagnostics" / name).read_bytes())
    if run.maps is not None and publishable(run.maps):
        output.add(f"{version.data}/maps.nc", run.maps.read_bytes())
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
