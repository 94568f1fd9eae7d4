"""Score tables: rows of scores.parquet and comparisons.parquet as cells with value, text and interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vadose.reports.classes import class_name, class_order, kind_name, kind_order
from vadose.reports.data import Run
from vadose.reports.formats import (
    MARKS,
    NOT_TESTED,
    OUTCOMES,
    count,
    display,
    interval_text,
    metric_label,
    number,
    percent,
    row_id,
    score_text,
    status_text,
)

HEADLINE: tuple[tuple[str, str], ...] = (
    ("r", "raw"),
    ("r", "anomaly_35d"),
    ("ubrmsd", "raw"),
    ("rmse", "raw"),
    ("bias", "raw"),
)
# The first of these that a run holds is its headline average.
AGGREGATES = ("median", "mean_z", "mean", "pooled")
AGGREGATE_WORDS = {
    "median": "median",
    "mean": "mean",
    "mean_z": "mean of Fisher z",
    "pooled": "all days pooled",
}
SUBSET_WORDS = {
    "common": "common sample: only days on which the reference and all products have a value",
    "own": "own sample: all days on which the reference and this product have a value; not for ranking",
    "all_cells": "all cells",
    "without_near_constant_cells": "without the near-constant cells",
}


SPLIT_WORDS = {
    "station_seen": "stations that a product has learnt from: not independent",
    "period_seen": "days and cells that the model has seen in training: not independent",
    "unknown": "it is not known what the product was trained with",
}
# Baselines that every run adds by itself.
NAMES = {"climatology": "own climatology of other years"}


Rows = pd.DataFrame | Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Cell:
    """One score or fact as it stands on a page; `value` is None where it could not be computed."""

    value: str | None
    text: str
    row_id: str = ""
    interval: str = ""
    note: str = ""
    fact: bool = False


@dataclass(frozen=True)
class Head:
    """One column of a table."""

    label: str
    unit: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a table: its head, plain cells, then scores."""

    label: str
    words: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A whole table with the sentence that stands above it."""

    caption: str
    sentence: str
    first: str
    words: tuple[str, ...]
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    note: str = ""


def finite(value: Any) -> float | None:
    """A float, or None where it is missing."""
    return float(value) if value is not None and math.isfinite(value) else None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries."""
    names = [str(name) for name in frame]
    # As objects, since pandas reads columns of strings one by one at a fiftieth of the speed.
    columns = [frame[name].to_numpy(dtype=object).tolist() for name in frame]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def held(frame: pd.DataFrame, *names: str) -> set[tuple[Any, ...]]:
    """The combinations of values that these columns hold."""
    return set(frame[list(names)].drop_duplicates().itertuples(index=False, name=None))


def score_cell(row: dict[str, Any] | None, note: str = "") -> Cell:
    """The cell of one score row; None means that the run holds no such row."""
    if row is None:
        return Cell(None, "not in this run")
    metric, value = str(row["metric"]), finite(row["value"])
    if value is None:
        return Cell(None, status_text(str(row["status"]), finite(row.get("n"))), row_id(row))
    interval = interval_text(metric, finite(row.get("ci_low")), finite(row.get("ci_high")))
    return Cell(
        repr(value), score_text(metric, value), row_id(row), interval, note or MARKS.get(str(row["status"]), "")
    )


def headline_metrics(scores: pd.DataFrame) -> list[tuple[str, str]]:
    """The headline metrics that have at least one row."""
    known = held(scores, "metric", "signal")
    return [pair for pair in HEADLINE if pair in known]


def headline_aggregate(scores: pd.DataFrame) -> str:
    """The average by which the table is made: the median where there is one."""
    held = set(scores["aggregate"])
    return next((name for name in AGGREGATES if name in held), min(held, default=""))


def other_aggregates(run: Run, group: tuple[str, str, str]) -> list[str]:
    """The averages of a group beside the headline one."""
    reference, split, subset = group
    overall = unscaled(run.scores)
    overall = overall[(overall["reference"] == reference) & (overall["split"] == split) & (overall["subset"] == subset)]
    overall = overall[overall["stratum_kind"] == "all"]
    return sorted(set(overall["aggregate"]) - {headline_aggregate(overall)})


def groups(run: Run) -> list[tuple[str, str, str]]:
    """Reference, split and subset of each overall table; stations and the common sample first."""
    overall = unscaled(run.scores).query("stratum_kind == 'all'")
    found = held(overall, "reference", "split", "subset")
    first = run.run.get("headline")
    return sorted(
        found, key=lambda g: (g[0] != first, g[0] != "stations", g[0], g[1] in SPLIT_WORDS, g[2] != "common", g)
    )


def unscaled(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows without scaling: scaled scores are additional and never the headline."""
    return scores[scores["scaling"].isin(["none", ""])]


def select(scores: Rows, **key: str) -> list[dict[str, Any]]:
    """Score rows with these key values, in the order of the file; many questions are faster to a list of records."""
    if not isinstance(scores, pd.DataFrame):
        return [row for row in scores if all(row[name] == value for name, value in key.items())]
    mask = pd.Series(True, index=scores.index)
    for name, value in key.items():
        mask &= scores[name] == value
    return records(scores[mask])


def one(scores: Rows, **key: str) -> dict[str, Any] | None:
    """The one score row with these key values, or None."""
    rows = select(scores, **key)
    if len(rows) > 1:
        raise AssertionError(f"{len(rows)} score rows for {key}")
    return rows[0] if rows else None


def mask_words(run: Run) -> str:
    """How our product's own flags were applied."""
    quality = (run.run.get("products") or {}).get(run.ours, {}).get("quality") or {}
    if quality.get("clear"):
        return f"mask: days with ({quality['variable']} & {quality['clear']}) = 0"
    return "no mask of our product"


def sentence(run: Run, reference: str, split: str, subset: str, aggregate: str) -> str:
    """What stands above every table of scores: period, reference, mask, grid, scaling, sample, split, n, interval."""
    parts = [
        f"Period {run.period[0]} to {run.period[1]}" if run.period else "Period of the version",
        f"reference {reference}",
        mask_words(run),
        "each product on its own grid, by the cell that holds the series",
        "scaling none",
        _subset_words(subset),
        SPLIT_WORDS.get(split, f"split {split}, independent of training" if split else ""),
        f"{AGGREGATE_WORDS.get(aggregate, aggregate)} over the series",
        "95 % intervals in brackets",
    ]
    return (
        "; ".join(part for part in parts if part) + ". Errors are product minus reference: a positive bias is too wet."
    )


def _subset_words(subset: str) -> str:
    if subset.startswith("pair "):
        rival = subset.removeprefix("pair ")
        return f"sample of the pair: days on which the reference, our product and {rival} have a value"
    return SUBSET_WORDS.get(subset, f"sample {subset}" if subset else "")


def scoreboard(run: Run, reference: str, split: str, subset: str, aggregate: str = "") -> Table:
    """Our product and its rivals against one reference on one sample; the headline average unless another is named."""
    scores = unscaled(run.scores)
    scores = scores[(scores["reference"] == reference) & (scores["split"] == split) & (scores["subset"] == subset)]
    overall = scores[scores["stratum_kind"] == "all"]
    aggregate = aggregate or headline_aggregate(overall)
    overall = overall[overall["aggregate"] == aggregate]
    metrics = headline_metrics(overall)
    products = [name for name in run.products if name in set(overall["product"])]
    # Shown where single series are kept: the days behind the table.
    single = scores[(scores["stratum_kind"] == "station") & (scores["metric"] == "bias") & (scores["signal"] == "raw")]
    sums = single.groupby("product")["n"].sum()
    days = {name: count(int(sums[name])) if name in sums else "not kept" for name in products}
    rows = records(overall)
    lines = tuple(_product_line(run, rows, name, metrics, days[name]) for name in products)
    return Table(
        caption=f"{AGGREGATE_WORDS.get(aggregate, aggregate).capitalize()} scores against {reference}, {subset} sample"
        + (f", {SPLIT_WORDS.get(split, f'split {split}')}" if split else ""),
        sentence=sentence(run, reference, split, subset, aggregate),
        first="product",
        words=("series", "days", "coverage"),
        heads=tuple(Head(metric_label(m, s), display(m).unit) for m, s in metrics),
        lines=lines,
    )


def _product_line(run: Run, overall: Rows, name: str, metrics: Sequence[tuple[str, str]], days: str = "") -> Line:
    rows = [one(overall, product=name, metric=metric, signal=signal) for metric, signal in metrics]
    first = next((row for row in rows if row is not None), None)
    label = NAMES.get(name) or f"{name} {run.versions.get(name, '')}".strip()
    series = count(finite(first["n"])) if first else "0"
    coverage = percent(finite(first["coverage"])) if first else "not known"
    words = (series, days, coverage) if days else (series, coverage)
    return Line(label, words, tuple(score_cell(row) for row in rows))


def strata(run: Run, reference: str, split: str, subset: str) -> list[Table]:
    """One table for each kind of stratum: network, land cover, climate, depth, season."""
    scores = run.overall
    scores = scores[(scores["reference"] == reference) & (scores["split"] == split) & (scores["subset"] == subset)]
    scores = scores[(scores["stratum_kind"] != "all") & scores["metric"].isin([metric for metric, _ in HEADLINE])]
    aggregate = headline_aggregate(scores)
    scores = scores[scores["aggregate"] == aggregate]
    kinds = sorted(set(scores["stratum_kind"]), key=kind_order)
    return [
        _stratum_table(run, scores[scores["stratum_kind"] == kind], kind, reference, split, subset, aggregate)
        for kind in kinds
    ]


def _stratum_table(
    run: Run, part: pd.DataFrame, kind: str, reference: str, split: str, subset: str, aggregate: str
) -> Table:
    metrics = headline_metrics(part)
    lines = []
    by_stratum: dict[str, list[dict[str, Any]]] = {}
    for row in records(part):
        by_stratum.setdefault(str(row["stratum"]), []).append(row)
    empty = sorted(name for name, rows in by_stratum.items() if not any(row["n"] > 0 for row in rows))
    for stratum in sorted(set(by_stratum) - set(empty), key=lambda name: class_order(kind, name)):
        rows_of = by_stratum[stratum]
        for name in (name for name in run.products if any(row["product"] == name for row in rows_of)):
            line = _product_line(run, rows_of, name, metrics)
            lines.append(Line(class_name(kind, stratum), (line.label, *line.words), line.cells))
    return Table(
        caption=f"Scores by {kind_name(kind)} against {reference}, {subset} sample",
        sentence=sentence(run, reference, split, subset, aggregate),
        first=kind_name(kind),
        words=("product", "series", "coverage"),
        heads=tuple(Head(metric_label(m, s), display(m).unit) for m, s in metrics),
        lines=tuple(lines),
        note=f"No independent days of the sample in: {', '.join(class_name(kind, name) for name in empty)}."
        if empty
        else "",
    )


@dataclass(frozen=True)
class Outcome:
    """Ours against one rival in one metric."""

    metric: str
    rival: str
    reference: str
    difference: Cell
    p: str
    outcome: str
    counts: str


def outcomes(run: Run) -> list[Outcome]:
    """All overall comparisons of our product with its rivals; what no run compared is `not tested`."""
    frame = run.comparisons
    frame = None if frame is None else frame[frame["stratum_kind"] == "all"]
    pairs = compared_metrics(run)
    rivals = [name for name in run.products if name != run.ours]
    references = list(dict.fromkeys(reference for reference, _, _ in groups(run)))
    result = []
    for reference in references:
        for rival in rivals:
            for metric, signal in pairs:
                row = None if frame is None else _compared(frame, run.ours, rival, reference, metric, signal)
                result.append(outcome_of(row, metric, signal, rival, reference))
    return result


def compared_metrics(run: Run) -> list[tuple[str, str]]:
    """What the run compared: headline metrics first; all headline metrics where it compared nothing."""
    headline = headline_metrics(unscaled(run.scores))
    if run.comparisons is None or not len(run.comparisons):
        return headline
    known = held(run.comparisons, "metric", "signal")
    return [*(pair for pair in headline if pair in known), *sorted(known - set(headline))]


def untested(run: Run) -> list[str]:
    """Headline metrics that the run compared with no rival."""
    known = compared_metrics(run)
    return [metric_label(*pair) for pair in headline_metrics(unscaled(run.scores)) if pair not in known]


def _compared(
    frame: pd.DataFrame, ours: str, rival: str, reference: str, metric: str, signal: str
) -> dict[str, Any] | None:
    mask = (frame["ours"] == ours) & (frame["rival"] == rival) & (frame["metric"] == metric)
    for name, value in (("signal", signal), ("reference", reference)):
        if name in frame:
            mask &= frame[name] == value
    rows = frame[mask]
    common = rows[rows["subset"] == "common"] if "subset" in rows else rows
    chosen = records(common if len(common) else rows)
    return chosen[0] if chosen else None


def outcome_of(row: dict[str, Any] | None, metric: str, signal: str, rival: str, reference: str) -> Outcome:
    """One row of comparisons in words; None means that no run compared the two."""
    label = metric_label(metric, signal)
    if row is None:
        return Outcome(label, rival, reference, Cell(None, "–"), "", NOT_TESTED, "")
    difference = finite(row["difference"])
    decimals = display(metric).decimals
    text = "–" if difference is None else number(difference, decimals, signed=True)
    low, high = finite(row.get("ci_low")), finite(row.get("ci_high"))
    interval = (
        ""
        if low is None or high is None
        else f"[{number(low, decimals, signed=True)}, {number(high, decimals, signed=True)}]"
    )
    p = finite(row.get("p_adjusted"))
    words = [f"{count(finite(row[name]))} {name}" for name in ("better", "worse", "equal", "undecided") if name in row]
    return Outcome(
        label,
        rival,
        reference,
        Cell(None if difference is None else repr(difference), text, interval=interval),
        "" if p is None else ("< 0.001" if p < 0.001 else f"{p:.3f}"),
        OUTCOMES.get(str(row["outcome"]), NOT_TESTED),
        ", ".join(words),
    )
