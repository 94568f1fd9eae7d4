"""The page of collocation: errors of the data sets with their validity and the independence that they rest on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vadose.reports import figures
from vadose.reports.contents import TRIPLET
from vadose.reports.data import Run
from vadose.reports.facts import FactRow, fact_cell, fact_rows, fact_word
from vadose.reports.formats import METRICS, SIGNALS, count, status_text
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import Cell, Head, Line, Rows, Table, finite, one, records, score_cell
from vadose.reports.text import slugs
from vadose.reports.versions import Version, version_page

TC = ("tc_error", "tc_r2", "tc_snr")
TABLE = "collocation"
AUDIT = {"independent": "independent", "dependent_errors": "not independent: not for ranking"}
RELATIONS = {
    "independent": "independent",
    "shared_forcing": "shared forcing",
    "shared_sensor": "shared sensor",
    "contains": "one contains the other",
    "unknown": "not known: counts as dependent",
}


def collocation_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """Triplets with errors, validity and independence; a map of the stations' errors."""
    facts = fact_rows(run, TABLE)
    references = sorted(
        {fact_word(cells, "reference") for cells in facts.values()}, key=lambda n: (n != run.run.get("headline"), n)
    )
    sections = []
    for reference in references:
        chosen = {key: cells for key, cells in facts.items() if fact_word(cells, "reference") == reference}
        sections.append(
            {
                "reference": reference,
                "errors": [table for signal in SIGNALS if (table := _errors(run, chosen, reference, signal)).lines],
                "validity": _validity(chosen, reference),
                "figures": [
                    renderer.place(f, f"{version.address}/collocation", run.period)
                    for f in _maps(run, chosen, reference)
                ],
            }
        )
    values = {"sections": sections, "relations": _relations(run), "ours": run.ours}
    return version_page(version, "collocation.md", f"{version.title}: collocation", "collocation.md.jinja", values)


def _errors(run: Run, facts: dict[str, FactRow], reference: str, signal: str) -> Table:
    """Each member of each triplet; the reference's own figures are facts, since it is no product."""
    rows = run.overall[(run.overall["stratum_kind"] == TRIPLET) & (run.overall["reference"] == reference)]
    held = records(rows)
    lines = []
    for key, cells in facts.items():
        if fact_word(cells, "signal") != signal:
            continue
        triplet = fact_word(cells, "triplet")
        for member in triplet.split("+"):
            found = tuple(_member(held, key, cells, triplet, signal, member, metric) for metric in TC)
            lines.append(Line(triplet.replace("+", " + "), (member, _audit(cells)), found))
    what = f" of the {SIGNALS[signal]}" if SIGNALS[signal] else ""
    return Table(
        caption=f"Errors{what} by triple collocation against {reference}",
        sentence=f"Median over the valid series of each triplet{what}; 95 % intervals of the median in brackets. "
        "Errors are in the units of each data set itself. The reference’s own figures are medians without an interval.",
        first="triplet",
        words=("data set", "errors"),
        heads=tuple(Head(METRICS[metric].label, METRICS[metric].unit) for metric in TC),
        lines=tuple(lines),
    )


def _member(rows: Rows, key: str, cells: FactRow, triplet: str, signal: str, member: str, metric: str) -> Cell:
    row = one(rows, stratum=triplet, signal=signal, product=member, metric=metric)
    return fact_cell(TABLE, key, f"{metric} {member}", cells) if row is None else _unmarked(score_cell(row))


def _unmarked(cell: Cell) -> Cell:
    """The independence of a triplet stands in a column of its own."""
    return replace(cell, note="") if cell.note == "errors not independent" else cell


def _audit(cells: FactRow) -> str:
    word = fact_word(cells, "audit")
    return AUDIT.get(word, word or "not known")


def _validity(facts: dict[str, FactRow], reference: str) -> Table:
    """How many series of each triplet are valid, and why the others are not."""
    statuses = sorted(
        {column for cells in facts.values() for column in cells if column.startswith("status ")},
        key=lambda column: (column != "status ok", column),
    )
    heads = tuple(
        Head("valid" if column == "status ok" else status_text(column.removeprefix("status "), None))
        for column in statuses
    )
    lines = tuple(
        Line(
            fact_word(cells, "triplet").replace("+", " + "),
            (SIGNALS.get(fact_word(cells, "signal"), "") or "raw", _audit(cells)),
            tuple(fact_cell(TABLE, key, column, cells) for column in ("stations", *statuses)),
        )
        for key, cells in facts.items()
    )
    return Table(
        caption=f"Validity of the triplets against {reference}: series by status",
        sentence="",
        first="triplet",
        words=("signal", "errors"),
        heads=(Head("series"), *heads),
        lines=lines,
    )


def _maps(run: Run, facts: dict[str, FactRow], reference: str) -> list[figures.Figure]:
    """The error of our product at each station, from the first triplet of independent errors."""
    valid = [
        fact_word(cells, "triplet")
        for cells in facts.values()
        if fact_word(cells, "signal") == "raw" and run.ours in fact_word(cells, "triplet").split("+")
    ]
    frame = run.scores[(run.scores["metric"] == "tc_error") & (run.scores["stratum_kind"] == "station")]
    frame = frame[(frame["product"] == run.ours) & (frame["reference"] == reference) & (frame["signal"] == "raw")]
    triplet = next((name for name in valid if (frame["subset"] == f"{TRIPLET} {name}").any()), "")
    if not triplet:
        return []
    rows = {str(row["stratum"]): row for row in records(frame[frame["subset"] == f"{TRIPLET} {triplet}"])}
    table = run.stations
    if "reference" in table:
        table = table[table["reference"] == reference]
    table = table[table["station_id"].astype(str).isin(list(rows))]
    values = [finite(rows[str(station)]["value"]) for station in table["station_id"]]
    labels = [f"{a}: {b}" for a, b in zip(table["network"], table["station_name"], strict=True)]
    if not labels:
        return []
    drawn = figures.station_map(
        f"tc-error-{slugs([reference])[0]}", [str(key) for key in table["key"]], labels,
        table["lat"].astype(float).tolist(), table["lon"].astype(float).tolist(), "tc_error", values,
        reference=reference,
    )  # fmt: skip
    known = sum(value is not None for value in values)
    caption = (
        f"Error standard deviation of {run.ours} from the triplet {triplet.replace('+', ' + ')}, {count(known)} of "
        f"{count(len(values))} stations. Colours span the middle 98 % of the values; a cross marks an invalid "
        "collocation."
    )
    return [replace(drawn, caption=caption, alternative=f"Map of the error of {run.ours} at {len(values)} stations")]


def _relations(run: Run) -> dict[str, Any] | None:
    """The matrix of what the products share."""
    rows = fact_rows(run, "product_relations")
    names = list(rows)
    if len(names) < 2:
        return None

    def words(cells: FactRow, other: str) -> str:
        kind, mark, shared = fact_word(cells, other, "–").partition(" (")
        return f"{RELATIONS.get(kind, kind)}{mark}{shared}"

    lines = [(name, [("–" if other == name else words(rows[name], other)) for other in names]) for name in names]
    return {"names": names, "lines": lines}
