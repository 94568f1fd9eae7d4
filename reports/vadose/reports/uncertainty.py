"""The page that asks whether the stated uncertainty holds."""

from __future__ import annotations

import pandas as pd

from vadose.reports import figures
from vadose.reports.classes import class_order, stated_class
from vadose.reports.contents import UNCERTAINTY
from vadose.reports.data import Run
from vadose.reports.figures import Dot
from vadose.reports.formats import count, display
from vadose.reports.pages import Page, PlacedFigure, Renderer
from vadose.reports.tables import Head, Line, Table, finite, one, score_cell, select
from vadose.reports.text import slugs
from vadose.reports.versions import Version, version_page

COVERAGE = ("coverage_50", "coverage_80", "coverage_90", "coverage_95")
SHARPNESS = ("interval_width", "interval_score", "crps", "spread_skill_slope", "spread_skill_r")
GOAL = (0.87, 0.93)
REMOVED = {
    "reference_error_removed": "the error of the stations is taken out, so that coverage should equal its claim",
    "reference_error_not_removed": "the error of the reference is not taken out: coverage is a lower bound",
}


def uncertainty_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """Coverage of the stated intervals by stratum, reliability, PIT, spread against error, sharpness."""
    frame = run.overall[run.overall["stratum_kind"] == UNCERTAINTY]
    named = [*frame["reference"], *(panel for panel, _ in figures.curve_panels(run.curves, "reliability"))]
    headline = run.run.get("headline")
    references = sorted(set(map(str, named)), key=lambda name: (name != headline, name))
    sections = []
    for reference in references:
        part = frame[frame["reference"] == reference]
        sections.append(
            {
                "reference": reference,
                "tables": [_table(part, reference, COVERAGE), _table(part, reference, SHARPNESS)] if len(part) else [],
                "figures": _figures(version, run, renderer, reference, part),
            }
        )
    values = {"sections": sections, "ours": run.ours}
    return version_page(version, "uncertainty.md", f"{version.title}: uncertainty", "uncertainty.md.jinja", values)


def _table(part: pd.DataFrame, reference: str, metrics: tuple[str, ...]) -> Table:
    held = [metric for metric in metrics if metric in set(part["metric"])]
    status = next((str(word) for word in part["status"] if word in REMOVED), "")
    lines = tuple(
        Line(
            stated_class(stratum),
            (count(max(row["n"] for row in select(part, stratum=stratum))),),
            tuple(score_cell(one(part, stratum=stratum, metric=metric)) for metric in held),
        )
        for stratum in _strata(part)
    )
    what = "Coverage of the stated intervals" if metrics == COVERAGE else "Sharpness and skill of the uncertainty"
    return Table(
        caption=f"{what} against {reference}",
        sentence=f"Reference {reference}; days of the product’s own sample that the model has not seen; "
        f"{REMOVED.get(status, 'it is not known whether the error of the reference is taken out')}. "
        "95 % intervals in brackets count independent days and places, not all days.",
        first="class",
        words=("days",),
        heads=tuple(Head(display(metric).label, display(metric).unit) for metric in held),
        lines=lines,
    )


def _strata(part: pd.DataFrame) -> list[str]:
    """All days first, then observed and gap days, then land cover."""
    first = {"all": 0, "observed days": 1, "gap days": 2}

    def order(stratum: str) -> tuple[int, tuple[int, float, str]]:
        kind, _, name = stratum.partition(" ")
        return (first.get(stratum, len(first)), class_order(kind, name))

    return sorted(set(map(str, part["stratum"])), key=order)


def _figures(
    version: Version, run: Run, renderer: Renderer, reference: str, part: pd.DataFrame
) -> dict[str, list[PlacedFigure]]:
    slug = slugs([reference])[0]
    drawn = []
    for figure, make in (
        ("reliability", figures.reliability_figure), ("pit", figures.pit_figure),
        ("spread_skill", figures.spread_figure),
    ):  # fmt: skip
        rows = dict(figures.curve_panels(run.curves, figure)).get(reference)
        if rows is not None and rows["y"].notna().any():
            drawn.append(make(f"{figure.replace('_', '-')}-{slug}", rows, reference))
    strata = [_dots(part, reference, slug)] if part["stratum"].nunique() > 1 else []

    def placed(found: list[figures.Figure]) -> list[PlacedFigure]:
        return [renderer.place(figure, f"{version.address}/uncertainty", run.period) for figure in found]

    return {"strata": placed(strata), "curves": placed(drawn)}


def _dots(part: pd.DataFrame, reference: str, slug: str) -> figures.Figure:
    rows = [(stratum, one(part, stratum=stratum, metric="coverage_90")) for stratum in _strata(part)]
    dots = [
        Dot(stated_class(stratum), finite(row["value"]), finite(row["ci_low"]), finite(row["ci_high"]))
        for stratum, row in rows
        if row is not None
    ]
    caption = (
        f"Share of the values of {reference} inside the stated 90 % interval by class, with 95 % intervals; shaded is "
        "the goal, 87 to 93 %. A class fails only if its whole interval lies outside."
    )
    return figures.dot_figure(
        f"coverage-90-{slug}", dots, x_title="share inside", caption=caption, band=GOAL,
        lines=(0.9,), alternative=f"Coverage of the 90 % interval by class, {reference}",
    )  # fmt: skip
