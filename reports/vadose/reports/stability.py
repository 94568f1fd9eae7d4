"""The page of stability: slopes of the difference with verdict and power, and breaks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.contents import STABILITY
from vadose.reports.data import Run
from vadose.reports.facts import FactRow, fact_cell, fact_rows, fact_word
from vadose.reports.figures import Dot
from vadose.reports.formats import METRICS, VOLUME, count, status_text
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import Head, Line, Table, finite, one, records, score_cell
from vadose.reports.text import slugs
from vadose.reports.versions import Version, version_page

LIMIT = 0.01
STATIC_ROWS = 200
VERDICTS = {
    "stable": "= stable",
    "drifting": "▼ drifting",
    "undecided": "· undecided",
    "not_applicable": "– not applicable",
}
CHARGED = {"product": "the product: several places show it", "undecided": "undecided"}


def stability_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """Slope per network and station, what was detectable, breaks, and the requirement."""
    frame = run.scores[run.scores["subset"] == STABILITY]
    references = sorted(set(frame["reference"]), key=lambda name: (name != run.run.get("headline"), name))
    values = {
        "sections": [_section(version, run, renderer, frame[frame["reference"] == name], name) for name in references],
        "breaks": _breaks(run),
        "changes": _changes(run),
        "ours": run.ours,
    }
    return version_page(version, "stability.md", f"{version.title}: stability", "stability.md.jinja", values)


def _section(version: Version, run: Run, renderer: Renderer, part: pd.DataFrame, reference: str) -> dict[str, Any]:
    facts = fact_rows(run, STABILITY)
    networks = part[(part["stratum_kind"] == "network") & (part["metric"] == "trend")]
    stations = part[(part["stratum_kind"] == "station") & (part["product"] == run.ours)]
    placed = [renderer.place(f, f"{version.address}/stability", run.period) for f in _figures(run, networks, reference)]
    return {
        "reference": reference,
        "networks": _network_table(run, networks, reference, facts),
        "yearly": _yearly_table(run, part, reference),
        "stations": _station_table(run, stations, reference) if len(stations) else None,
        "figures": placed,
    }


def _network_table(run: Run, rows: pd.DataFrame, reference: str, facts: dict[str, FactRow]) -> Table:
    lines = []
    for name in _networks(rows):
        for product in (p for p in run.products if p in set(rows["product"])):
            row = one(rows, product=product, stratum=name)
            if row is None:
                continue
            key = f"{reference} {product} {name}"
            cells = facts.get(key, {})
            power = tuple(fact_cell(STABILITY, key, column, cells) for column in ("detectable", "detectable_drift"))
            words = (product, _verdict(fact_word(cells, "verdict")), count(finite(row["n"])))
            lines.append(Line(_network(name), words, (score_cell(row), *power)))
    heads = [Head(METRICS[name].label, METRICS[name].unit) for name in ("trend", "detectable", "detectable_drift")]
    return Table(
        caption=f"Slope of the monthly difference product minus {reference}",
        sentence=f"Monthly means of product minus {reference} without their calendar-month mean, months of at least 10 "
        "days, records of at least 5 years; slope by Theil and Sen, interval corrected for autocorrelation. “Told from "
        "zero” and “called drifting” are the slopes that this record would show with 80 % power.",
        first="network",
        words=("product", "verdict", "months"),
        heads=tuple(heads),
        lines=tuple(lines),
    )


def _networks(rows: pd.DataFrame) -> list[str]:
    return sorted(set(map(str, rows["stratum"])), key=lambda name: (name != "all", name))


def _network(name: str) -> str:
    return "all networks" if name == "all" else name


def _verdict(word: str) -> str:
    return VERDICTS.get(word, word or "–")


def verdict_of(low: float | None, high: float | None) -> str:
    """The verdict that an interval of a slope per decade gives at the limit."""
    if low is None or high is None:
        return VERDICTS["not_applicable"]
    if low >= -LIMIT and high <= LIMIT:
        return VERDICTS["stable"]
    return VERDICTS["drifting" if low > LIMIT or high < -LIMIT else "undecided"]


def _yearly_table(run: Run, part: pd.DataFrame, reference: str) -> Table | None:
    rows = part[part["metric"].isin(["trend_ubrmsd", "trend_r"])]
    held = [name for name in ("trend_ubrmsd", "trend_r") if name in set(rows["metric"])]
    if not held:
        return None
    lines = tuple(
        Line(product, (), tuple(score_cell(one(rows, product=product, metric=metric)) for metric in held))
        for product in run.products
        if product in set(rows["product"])
    )
    return Table(
        caption=f"Slopes of the yearly skill against {reference}",
        sentence="",
        first="product",
        words=(),
        heads=tuple(Head(METRICS[metric].label, METRICS[metric].unit) for metric in held),
        lines=lines,
    )


def _station_table(run: Run, rows: pd.DataFrame, reference: str) -> Table:
    """Single stations of our product that have a slope; the others are counted."""
    names = station_names(run, reference)
    known = rows[rows["value"].notna()]
    lines = tuple(
        Line(
            names.get(str(row["stratum"]), str(row["stratum"])),
            (verdict_of(finite(row["ci_low"]), finite(row["ci_high"])), count(finite(row["n"]))),
            (score_cell(row),),
        )
        for row in records(known.head(STATIC_ROWS))
    )
    missing = len(rows) - len(known)
    why = sorted(set(rows[rows["value"].isna()]["status"]))
    note = f"{count(missing)} without a slope: {', '.join(status_text(str(w), None) for w in why)}." if missing else ""
    if len(known) > len(lines):
        note = f"The first {len(lines)} of {count(len(known))}; all are in the score files. {note}"
    return Table(
        caption=f"Slope at single stations, {run.ours} minus {reference}",
        sentence="",
        first="station",
        words=("verdict", "months"),
        heads=(Head(METRICS["trend"].label, METRICS["trend"].unit),),
        lines=lines,
        note=note,
    )


def station_names(run: Run, reference: str) -> dict[str, str]:
    """Network and name of each station of a reference, by its id."""
    table = run.stations
    if "reference" in table:
        table = table[table["reference"] == reference]
    return {
        str(key): f"{network}: {name}"
        for key, network, name in zip(table["station_id"], table["network"], table["station_name"], strict=True)
    }


def _figures(run: Run, rows: pd.DataFrame, reference: str) -> list[figures.Figure]:
    slug = slugs([reference])[0]
    result = []
    ours = rows[rows["product"] == run.ours]
    found = [(name, one(ours, stratum=name)) for name in _networks(ours)]
    dots = [
        Dot(_network(name), finite(row["value"]), finite(row["ci_low"]), finite(row["ci_high"]))
        for name, row in found
        if row is not None and finite(row["value"]) is not None
    ]
    if dots:
        caption = (
            f"Slope of {run.ours} minus {reference} per decade with 95 % intervals; shaded is the limit, ±{LIMIT:g} "
            f"{VOLUME} per decade."
        )
        result.append(
            figures.dot_figure(
                f"slopes-{slug}", dots, x_title=f"slope ({VOLUME} per decade)", caption=caption, band=(-LIMIT, LIMIT),
                lines=(0.0,), alternative=f"Slopes by network, {reference}",
            )
        )  # fmt: skip
    monthly = dict(figures.curve_panels(run.curves, "monthly_difference")).get(f"{reference}/all")
    if monthly is not None and len(monthly):
        result.append(figures.monthly_figure(f"months-{slug}", monthly, run.ours, reference))
    return result


def _breaks(run: Run) -> Table | None:
    rows = fact_rows(run, "breaks")
    lines = tuple(
        Line(
            key,
            (
                fact_word(cells, "month", "–"),
                CHARGED.get(fact_word(cells, "charged_to"), fact_word(cells, "charged_to", "–")),
            ),
            tuple(fact_cell("breaks", key, column, cells) for column in ("difference", "p", "clusters_in_quarter")),
        )
        for key, cells in list(rows.items())[:STATIC_ROWS]
    )
    if not lines:
        return None
    return Table(
        caption="Undeclared breaks (Pettitt’s test, at most one a series, p below 0.05)",
        sentence="",
        first="reference, product, series",
        words=("month", "charged to"),
        heads=(Head("difference", VOLUME), Head("p"), Head("places in the quarter")),
        lines=lines,
        note=f"{len(lines)} of {len(rows)} are shown." if len(rows) > len(lines) else "",
    )


def _changes(run: Run) -> Table | None:
    rows = fact_rows(run, "declared_changes")
    lines = tuple(
        Line(
            key,
            (status_text(word, None) if (word := fact_word(cells, "status", "ok")) != "ok" else "",),
            tuple(
                fact_cell("declared_changes", key, column, cells) for column in ("difference", "ci_low", "ci_high", "p")
            ),
        )
        for key, cells in list(rows.items())[:STATIC_ROWS]
    )
    if not lines:
        return None
    return Table(
        caption="Steps at declared changes of the sensors",
        sentence="",
        first="reference, product, day, series",
        words=("status",),
        heads=(Head("difference after minus before", VOLUME), Head("low"), Head("high"), Head("p")),
        lines=lines,
    )
