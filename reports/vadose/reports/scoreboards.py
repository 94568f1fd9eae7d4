"""The scoreboard of a version and its scores by stratum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vadose.reports import figures
from vadose.reports.classed import strata_figures
from vadose.reports.data import Run
from vadose.reports.formats import count
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import (
    SPLIT_WORDS,
    Table,
    finite,
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
from vadose.reports.versions import Version, version_page

# Tables of the headline sample that are not folded.
OPEN_TABLES = 3


def scoreboard_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """Headline scores against each reference, outcomes, and how the values lie."""
    found = groups(run)
    tables = [_folded(run, reference, found) for reference in dict.fromkeys(group[0] for group in found)]
    placed = [renderer.place(figure, version.address, run.period) for figure in _figures(run, found)]
    values = {
        "tables": tables,
        "outcomes": outcomes(run),
        "untested": untested(run),
        "figures": placed,
        "settings": run.run,
        "ours": run.ours,
    }
    return version_page(version, "index.md", f"{version.title}: scoreboard", "scoreboard.md.jinja", values)


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
    """Seasonal cycle and scatter density against one reference, from the run's curves."""
    result = []
    slug = slugs([reference])[0]
    cycle = dict(figures.curve_panels(run.curves, "seasonal_cycle")).get(reference)
    if cycle is not None:
        result.append(figures.seasonal_figure(f"seasonal-cycle-{slug}", cycle, run.ours, reference))
    density = dict(figures.curve_panels(run.curves, "scatter_density")).get(f"{reference}/{run.ours}")
    if density is not None:
        result.append(figures.density_figure(f"density-{slug}", density, run.ours, reference))
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
    most = count(max(finite(row["n"]) or 0 for row in rows.values()))
    caption = (
        f"Scores against {reference}, {subset} sample, {most} series, with 95 % intervals; the table below holds the "
        "same numbers."
    )
    return figures.interval_figure(f"scores-{number}", metrics, products, rows, caption)


def strata_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """Scores by network, land cover, climate, season and more."""
    sections: list[dict[str, Any]] = []
    for reference, split, subset in groups(run):
        tables: list[Table] = strata(run, reference, split, subset)
        if tables:
            words = SPLIT_WORDS.get(split, "")
            title = f"Against {reference}, {subset} sample" + (f", {words}" if words else "")
            # The headline sample is drawn; the others are tables only.
            drawn = [] if sections else strata_figures(run, (reference, split, subset))
            placed = [renderer.place(figure, f"{version.address}/strata", run.period) for figure in drawn]
            first = not sections
            sections.append({"title": title, "tables": tables, "open": OPEN_TABLES if first else 0, "figures": placed})
    return version_page(version, "strata.md", f"{version.title}: strata", "strata.md.jinja", {"sections": sections})
