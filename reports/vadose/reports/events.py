"""The page of events: dry-downs, wet-ups, droughts and memory at the stations."""

from __future__ import annotations

import pandas as pd

from vadose.reports.classes import class_name
from vadose.reports.contents import EVENTS
from vadose.reports.data import Run
from vadose.reports.facts import fact_cell, fact_rows
from vadose.reports.formats import METRICS, count
from vadose.reports.pages import Page
from vadose.reports.tables import Head, Line, Table, finite, one, score_cell
from vadose.reports.versions import Version, version_page

# Captions and the metrics of each table.
TABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Dry-downs, wet-ups and memory", (
        "drydown_log_ratio", "wetup_hit_rate", "wetup_false_alarm_ratio", "wetup_lag_days", "memory_ratio",
    )),
    *((f"Droughts below the {k}th percentile", tuple(f"drought_{k}_{name}" for name in ("pod", "far", "csi", "sedi")))
      for k in (20, 10, 5)),
)  # fmt: skip
_DROUGHT = ("hits", "misses", "false_alarms", "pod", "far", "csi", "sedi")
_HEADS = ("days hit", "days missed", "false days", "found", "false", "CSI", "SEDI")


def events_page(version: Version, run: Run) -> Page:
    """Medians over the stations of each product, and droughts by season."""
    rows = run.overall[run.overall["subset"] == EVENTS]
    references = sorted(set(map(str, rows["reference"])), key=lambda name: (name != run.run.get("headline"), name))
    sections = [
        {
            "reference": reference,
            "tables": [
                table
                for caption, metrics in TABLES
                if (table := _table(run, rows[rows["reference"] == reference], caption, metrics)) is not None
            ],
            "seasons": _seasons(run, reference),
            "signs": _signs(run, reference),
        }
        for reference in references
    ]
    return version_page(version, "events.md", f"{version.title}: events", "events.md.jinja", {"sections": sections})


def _table(run: Run, rows: pd.DataFrame, caption: str, metrics: tuple[str, ...]) -> Table | None:
    held = [metric for metric in metrics if metric in set(rows["metric"])]
    if not held:
        return None
    lines = []
    for product in (name for name in run.products if name in set(rows["product"])):
        part = rows[rows["product"] == product]
        found = [one(part, metric=metric) for metric in held]
        most = max((finite(row["n"]) or 0.0 for row in found if row is not None), default=0.0)
        lines.append(Line(product, (count(most),), tuple(score_cell(row) for row in found)))
    heads = tuple(Head(METRICS[metric].label.partition(", below")[0], METRICS[metric].unit) for metric in held)
    return Table(caption, "", "product", ("stations",), heads, tuple(lines))


def _seasons(run: Run, reference: str) -> Table | None:
    """Days of drought by season, as the run counted them over all stations."""
    facts = fact_rows(run, "droughts")
    lines = []
    for product in run.products:
        for season in ("DJF", "MAM", "JJA", "SON"):
            key = f"{reference} {product} {season}"
            if key in facts:
                cells = tuple(fact_cell("droughts", key, column, facts[key]) for column in _DROUGHT)
                lines.append(Line(class_name("season", season), (product,), cells))
    if not lines:
        return None
    heads = tuple(Head(name) for name in _HEADS)
    return Table(
        "Days of drought by season, below the 20th percentile", "", "season", ("product",), heads, tuple(lines)
    )


def _signs(run: Run, reference: str) -> Table | None:
    """Whether data sets behave as soil does: rises with rain, falls without; a diagnostic, no score."""
    found = {key: cells for key, cells in fact_rows(run, "process_signs").items() if key.startswith(f"{reference} ")}
    columns = ("rise_with_rain", "fall_without_rain")
    lines = tuple(
        Line(
            key.removeprefix(f"{reference} "),
            (),
            tuple(fact_cell("process_signs", key, column, cells) for column in columns),
        )
        for key, cells in found.items()
    )
    if not lines:
        return None
    heads = tuple(Head(METRICS[column].label) for column in columns)
    return Table("Signs of the process, median over the stations", "", "data set", (), heads, lines)
