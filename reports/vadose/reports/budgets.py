"""The page of the error budget: the mean square error at each station, split with the help of a third data set."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.contents import BUDGET, UNCERTAINTY
from vadose.reports.data import Run
from vadose.reports.facts import fact_cell, fact_rows, fact_word
from vadose.reports.formats import METRICS, count, status_text
from vadose.reports.pages import Page, Renderer
from vadose.reports.stability import STATIC_ROWS, station_names
from vadose.reports.tables import Head, Line, Table, finite, one, records, score_cell
from vadose.reports.versions import Version, version_page

PARTS = ("budget_bias2", "budget_gain2", "budget_product2", "budget_reference2")
AUDIT = {
    "independent": "errors independent, by the product cards",
    "dependent_errors": "errors not independent: not for ranking",
}


def budget_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """One section for each triplet of product, reference and third data set."""
    frame = run.scores[run.scores["metric"].isin(PARTS)]
    facts = fact_rows(run, "error_budget")
    keys = sorted(
        set(zip(frame["reference"], frame["subset"], strict=True)),
        key=lambda key: (fact_word(facts.get(_row(*key), {}), "audit") != "independent", key),
    )
    sections = []
    for number, (reference, subset) in enumerate(keys, 1):
        part = frame[(frame["reference"] == reference) & (frame["subset"] == subset)]
        sections.append(_section(version, run, renderer, part, number))
    values = {"sections": sections, "stated": _stated(run), "ours": run.ours}
    return version_page(version, "error-budget.md", f"{version.title}: error budget", "budget.md.jinja", values)


def _row(reference: str, subset: str) -> str:
    return f"{reference} {subset.removeprefix(BUDGET)}"


def _section(version: Version, run: Run, renderer: Renderer, part: pd.DataFrame, number: int) -> dict[str, Any]:
    reference, subset = str(part["reference"].iloc[0]), str(part["subset"].iloc[0])
    key = _row(reference, subset)
    cells = fact_rows(run, "error_budget").get(key, {})
    names = station_names(run, reference)
    by_station: dict[str, dict[str, dict[str, Any]]] = {}
    for row in records(part):
        by_station.setdefault(str(row["stratum"]), {})[str(row["metric"])] = row
    known = {
        station: rows for station, rows in by_station.items() if all(finite(_value(rows, m)) is not None for m in PARTS)
    }
    ranked = sorted(known, key=lambda station: sum(_value(known[station], m) for m in PARTS), reverse=True)
    lines = tuple(
        Line(
            names.get(station, station),
            (count(finite(known[station][PARTS[0]]["n"])),),
            tuple(score_cell(known[station][m]) for m in PARTS),
        )
        for station in ranked[:STATIC_ROWS]
    )
    median = Line(
        "median",
        (f"{count(len(known))} stations",),
        tuple(fact_cell("error_budget", key, m.removeprefix("budget_"), cells) for m in PARTS),
    )
    table = Table(
        caption=f"Error budget of {run.ours} with {subset.removeprefix(BUDGET)}",
        sentence="",
        first="station",
        words=("days",),
        heads=tuple(Head(METRICS[m].label, METRICS[m].unit) for m in PARTS),
        lines=(median, *lines) if cells else lines,
        note=_missing(by_station, known, len(lines)),
    )
    return {
        "title": " + ".join(subset.removeprefix(BUDGET).split("+")),
        "audit": AUDIT.get(fact_word(cells, "audit"), "independence not known"),
        "table": table,
        "figures": [
            renderer.place(f, f"{version.address}/budget", run.period)
            for f in _figure(run, known, ranked, names, number)
        ],
    }


def _value(rows: dict[str, dict[str, Any]], metric: str) -> float:
    return float(rows[metric]["value"]) if metric in rows else float("nan")


def _missing(by_station: dict[str, Any], known: dict[str, Any], shown: int) -> str:
    words = []
    if len(known) > shown:
        words.append(f"The {shown} largest of {count(len(known))}; all are in the score files.")
    reasons: dict[str, int] = {}
    for station, rows in by_station.items():
        if station not in known:
            status = str(next(iter(rows.values()))["status"])
            reasons[status] = reasons.get(status, 0) + 1
    if reasons:
        listed = ", ".join(f"{count(n)} {status_text(word, None)}" for word, n in sorted(reasons.items()))
        words.append(f"Without a budget: {listed}.")
    return " ".join(words)


def _figure(
    run: Run, known: dict[str, dict[str, dict[str, Any]]], ranked: list[str], names: dict[str, str], number: int
) -> list[figures.Figure]:
    chosen = ranked[: figures.MOST_BARS]
    if not chosen:
        return []
    caption = (
        f"Parts of the mean square error of {run.ours} at {count(len(chosen))} of {count(len(ranked))} stations, the "
        "largest sums first; the intervals are in the table."
    )
    parts = {metric: [_value(known[station], metric) for station in chosen] for metric in PARTS}
    return [figures.budget_figure(f"budget-{number}", [names.get(s, s) for s in chosen], parts, caption)]


def _stated(run: Run) -> Table | None:
    """The stated uncertainty beside the budget: the width of its intervals against each reference."""
    rows = run.overall[(run.overall["stratum_kind"] == UNCERTAINTY) & (run.overall["metric"] == "interval_width")]
    rows = rows[rows["stratum"] == "all"]
    lines = tuple(
        Line(reference, (count(finite(row["n"])),), (score_cell(row),))
        for reference in sorted(set(map(str, rows["reference"])))
        if (row := one(rows, reference=reference)) is not None
    )
    if not lines:
        return None
    how = METRICS["interval_width"]
    return Table(
        caption="The stated uncertainty beside it",
        sentence="",
        first="reference",
        words=("days",),
        heads=(Head(how.label, how.unit),),
        lines=lines,
        note="A 90 % interval is 3.29 standard uncertainties wide; where the error of the stations is taken out, it is "
        "added to the stated one before.",
    )
