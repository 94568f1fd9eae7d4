"""Facts of a run, `diagnostics/tables.parquet`: figures that are no scores, with an id for each as scores have."""

from __future__ import annotations

import hashlib
import json

import pandas as pd

from vadose.reports.data import Run
from vadose.reports.formats import METRICS, count, number, score_text
from vadose.reports.tables import Cell, finite

FactRow = dict[str, tuple[float | None, str]]


def fact_id(table: str, row: str, column: str) -> str:
    """Twelve hexadecimal digits that name one cell of `tables.parquet`."""
    key = json.dumps([table, row, column], ensure_ascii=False)
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def fact_rows(run: Run, table: str) -> dict[str, FactRow]:
    """The rows of one table in the order of the file: value or None, and text, by column."""
    if run.facts is None:
        return {}
    part: pd.DataFrame = run.facts[run.facts["table"] == table]
    found: dict[str, FactRow] = {}
    for row, column, value, words in zip(part["row"], part["column"], part["value"], part["text"], strict=True):
        found.setdefault(str(row), {})[str(column)] = (finite(value), str(words))
    return found


def fact_text(column: str, value: float) -> str:
    """A fact as it stands on every page: as the metric that its column begins with, counts whole."""
    metric = column.partition(" ")[0]
    if metric in METRICS:
        return score_text(metric, value)
    return count(value) if value == int(value) else number(value, 4)


def fact_cell(table: str, row: str, column: str, cells: FactRow) -> Cell:
    """The cell of one fact; a column that the row lacks is said to be missing."""
    if column not in cells:
        return Cell(None, "–")
    value, words = cells[column]
    if value is None:
        return Cell(None, words or "no value")
    return Cell(repr(value), fact_text(column, value), fact_id(table, row, column), fact=True)


def fact_word(cells: FactRow, column: str, otherwise: str = "") -> str:
    """The text of a column."""
    return cells[column][1] if column in cells else otherwise
