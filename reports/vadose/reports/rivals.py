"""The page of the rivals: the common sample beside each product's own, outcomes by stratum, and shifted days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.classed import diagram_table, diagrams
from vadose.reports.classes import class_name, class_order, kind_name, kind_order
from vadose.reports.data import Run
from vadose.reports.formats import count, display, metric_label, percent
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import (
    NAMES,
    Head,
    Line,
    Outcome,
    Rows,
    Table,
    compared_metrics,
    finite,
    groups,
    headline_aggregate,
    headline_metrics,
    one,
    outcome_of,
    records,
    score_cell,
    sentence,
)
from vadose.reports.text import slugs
from vadose.reports.versions import Version, version_page

COMMON, OWN = "common", "own"


@dataclass(frozen=True)
class OutcomeTable:
    """Outcomes of one metric in every stratum: rows of label and one outcome for each rival."""

    caption: str
    rivals: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Outcome, ...]], ...]


def rivals_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """All products on the common sample and on their own, side by side."""
    references = list(dict.fromkeys((reference, split) for reference, split, subset in groups(run) if subset == COMMON))
    lag = lag_tables(run)
    values = {
        "samples": [
            {"table": table, "words": taken_words(run, reference)}
            for reference, split in references
            if (table := sample_table(run, reference, split)) is not None
        ],
        "diagrams": _diagrams(version, run, renderer, references),
        "outcomes": [
            table for reference in dict.fromkeys(r for r, _ in references) for table in by_stratum(run, reference)
        ],
        "lags": lag,
        "figures": [renderer.place(figure, f"{version.address}/rivals", run.period) for figure in _lag_figures(run)]
        if lag
        else [],
        "ours": run.ours,
    }
    return version_page(version, "rivals.md", f"{version.title}: rivals", "rivals.md.jinja", values)


def _diagrams(
    version: Version, run: Run, renderer: Renderer, references: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The Taylor and target diagrams with their table against the headline reference, where it can be drawn."""
    for reference, split in references[:1]:
        group = (reference, split, COMMON)
        table = diagram_table(run, group)
        if table is not None:
            drawn = diagrams(run, group, table)
            return [{"table": table, "figures": [renderer.place(one, f"{version.address}/rivals") for one in drawn]}]
    return []


def sample_table(run: Run, reference: str, split: str) -> Table | None:
    """Each metric on the common sample and, beside it, on the product's own; None without both samples."""
    scores = run.overall
    scores = scores[(scores["reference"] == reference) & (scores["split"] == split) & (scores["stratum_kind"] == "all")]
    scores = scores[scores["subset"].isin([COMMON, OWN])]
    if set(scores["subset"]) != {COMMON, OWN}:
        return None
    aggregate = headline_aggregate(scores)
    scores = scores[scores["aggregate"] == aggregate]
    metrics = [pair for pair in headline_metrics(scores) if pair != ("rmse", "raw")]
    held = set(scores["product"])
    rows = records(scores)
    lines = tuple(_sample_line(run, rows, name, metrics) for name in run.products if name in held)
    heads = [
        Head(f"{metric_label(metric, signal)}, {subset}", display(metric).unit)
        for metric, signal in metrics
        for subset in (COMMON, OWN)
    ]
    return Table(
        caption=f"Common and own samples against {reference}, split {split}",
        sentence=sentence(run, reference, split, "", aggregate),
        first="product",
        words=("series, common", "series, own", "coverage, common", "coverage, own"),
        heads=tuple(heads),
        lines=lines,
    )


def _sample_line(run: Run, scores: Rows, name: str, metrics: list[tuple[str, str]]) -> Line:
    rows = [
        one(scores, product=name, metric=metric, signal=signal, subset=subset)
        for metric, signal in metrics
        for subset in (COMMON, OWN)
    ]
    first, second = (next((row for row in rows[k::2] if row is not None), None) for k in (0, 1))
    series = [count(finite(row["n"])) if row else "0" for row in (first, second)]
    coverage = [percent(finite(row["coverage"])) if row else "not known" for row in (first, second)]
    label = NAMES.get(name) or f"{name} {run.versions.get(name, '')}".strip()
    return Line(label, (*series, *coverage), tuple(score_cell(row) for row in rows))


def taken_words(run: Run, reference: str) -> str:
    """What the common sample keeps, and who takes more than half of our days, as the run noted it."""
    notes = (run.run.get("references") or {}).get(reference) or {}
    common = notes.get("common_sample") or {}
    parts = []
    if common.get("days_of_ours"):
        kept, ours = common["days_common"], common["days_of_ours"]
        parts.append(f"The common sample keeps {count(kept)} of the {count(ours)} matched days of {run.ours}.")
    for name, both in sorted((common.get("takes_more_than_half") or {}).items()):
        # The all-way sample cannot be larger than a pair's: such counts are of another split.
        if both < common.get("days_common", 0):
            continue
        parts.append(f"{name} takes more than half of them: {count(both)} days are left in the pair with it alone.")
    absent = notes.get("products_without_common_days") or []
    if absent:
        parts.append(f"Without a day in common: {', '.join(absent)}.")
    return " ".join(parts)


def by_stratum(run: Run, reference: str) -> list[OutcomeTable]:
    """One table for each compared metric, rows by stratum, columns by rival."""
    frame = run.comparisons
    if frame is None or not len(frame):
        return []
    frame = frame[(frame["ours"] == run.ours) & (frame["subset"] == COMMON)]
    if "reference" in frame:
        frame = frame[frame["reference"] == reference]
    frame = frame[~frame["stratum_kind"].isin(["all", "station"])]
    tables = [_outcome_table(run, frame, reference, metric, signal) for metric, signal in compared_metrics(run)]
    return [table for table in tables if table.rows]


def _outcome_table(run: Run, frame: pd.DataFrame, reference: str, metric: str, signal: str) -> OutcomeTable:
    part = frame[(frame["metric"] == metric) & (frame["signal"] == signal)]
    rivals = tuple(name for name in run.products if name in set(part["rival"]))
    found = {(str(r["stratum_kind"]), str(r["stratum"]), str(r["rival"])): r for r in records(part)}
    keys = sorted({key[:2] for key in found}, key=lambda key: (kind_order(key[0]), class_order(*key)))
    rows = tuple(
        (
            kind_name(kind),
            class_name(kind, name),
            tuple(outcome_of(found.get((kind, name, rival)), metric, signal, rival, reference) for rival in rivals),
        )
        for kind, name in keys
    )
    caption = f"{metric_label(metric, signal)} against {reference}: {run.ours} and each rival, by stratum"
    return OutcomeTable(caption, tuple(NAMES.get(name, name) for name in rivals), rows)


def lag_tables(run: Run) -> list[Table]:
    """By how many days each product is late against each reference; a baseline has no days of its own."""
    rows = run.overall[run.overall["metric"] == "lag_days"]
    tables = []
    for reference in dict.fromkeys(reference for reference, _, _ in groups(run)):
        part = rows[rows["reference"] == reference]
        lines = tuple(
            Line(name, (count(finite(row["n"])),), (score_cell(row),))
            for name in run.products
            if name not in NAMES
            for row in records(part[part["product"] == name])[:1]
        )
        if lines:
            tables.append(
                Table(
                    caption=f"By how many days each product is late against {reference}",
                    sentence="",
                    first="product",
                    words=("series",),
                    heads=(Head("late by", "days"),),
                    lines=lines,
                )
            )
    return tables


def _lag_figures(run: Run) -> list[figures.Figure]:
    result = []
    for reference, rows in figures.curve_panels(run.curves, "lag_increments"):
        rows = rows[~rows["series"].isin(NAMES)]
        caption = (
            f"Correlation of the daily increments of each product with those of {reference}, shifted by days: median "
            "over the series, bars from quartile to quartile. A product whose days are right peaks at 0."
        )
        result.append(
            figures.curve_figure(
                f"lags-{slugs([reference])[0]}", rows, x_title="days by which the product is late",
                y_title="R of daily increments", caption=caption,
            )
        )  # fmt: skip
    return result
