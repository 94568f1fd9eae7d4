"""Committed tables as they are shown: every figure with the row and column of its file."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from vadose.reports.captions import column_words
from vadose.reports.formats import MARKS, METRICS, STATUS, count, display, score_text, status_text
from vadose.reports.pages import Renderer
from vadose.reports.tables import Head, finite

MOST_ROWS = 200
_LONG = 2000
_OF_METRIC = ("value", "ci_low", "ci_high", "published")


@dataclass(frozen=True)
class Value:
    """One cell of a committed table: its place in the file and its interval, `value` is None for text."""

    value: str | None
    text: str
    place: str = ""
    beside: str = ""


@dataclass(frozen=True)
class Listing:
    """A committed table, or a view of one, as it is shown."""

    caption: str
    file: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Value, ...], ...]
    total: int


@dataclass(frozen=True)
class Committed:
    """A committed table with the address of its files on the site.

    Attributes
    ----------
    metrics
        The metric by which a column is written, where its name is none.
    """

    frame: pd.DataFrame
    file: str
    metrics: Mapping[str, str] = field(default_factory=dict)

    @property
    def long(self) -> bool:
        """Whether it has too many rows for a page."""
        return len(self.frame) > _LONG

    @property
    def files(self) -> tuple[str, ...]:
        """Addresses of its files."""
        return tuple(f"{self.file}.{end}" for end in (("parquet",) if self.long else ("csv", "json")))

    def write(self, renderer: Renderer) -> None:
        """Put the table beside the pages: as CSV and JSON, a long one as Parquet."""
        if self.long:
            stream = io.BytesIO()
            self.frame.to_parquet(stream, index=False)
            renderer.output.add(f"{self.file}.parquet", stream.getvalue())
            return
        renderer.output.add(f"{self.file}.csv", self.frame.to_csv(index=False, lineterminator="\n"))
        columns = {str(name): [plain(v) for v in self.frame[name].tolist()] for name in self.frame}
        renderer.output.add_json(f"{self.file}.json", {"rows": len(self.frame), "columns": columns})

    def value(self, row: int, column: str) -> Value:
        """One cell; `row` counts from 0."""
        given = self.frame[column].iloc[row]
        if isinstance(given, bool) or type(given).__name__ == "bool":
            return Value(None, "✓ yes" if given else "✗ no")
        if column == "kind":
            return Value(None, str(given).replace("_", " "))
        if column == "metric":
            return Value(None, display(str(given)).label)
        number = finite(given) if isinstance(given, int | float) or hasattr(given, "dtype") else None
        if number is None:
            missing = given is None or (isinstance(given, float) and given != given)
            words = status_text(str(given), None) if str(given) in STATUS else str(given)
            return Value(None, "–" if missing else words)
        return Value(repr(plain(number)), written(self._metric(row, column), number), f"{row} {column}")

    def _head(self, column: str) -> Head:
        """Words and unit of a column; where each row has its own metric, the column has no unit."""
        words, unit = column_words(column)
        return Head(words, "" if "metric" in self.frame and column in (*_OF_METRIC, "difference") else unit)

    def _metric(self, row: int, column: str) -> str:
        if column in _OF_METRIC and "metric" in self.frame:
            return str(self.frame["metric"].iloc[row])
        return self.metrics.get(column, column)

    def listing(self, caption: str) -> Listing:
        """The first rows; a column with one word for all of them says nothing in each."""
        frame = self.frame
        shown = [str(name) for name in frame if len(frame) < 2 or frame[name].astype(str).nunique() > 1]
        rows = tuple(tuple(self.value(row, column) for column in shown) for row in range(min(len(frame), MOST_ROWS)))
        return Listing(caption, self.file, tuple(self._head(name) for name in shown), rows, len(frame))

    def pivot(
        self, caption: str, rows: Sequence[str], columns: str, value: str, *, where: pd.Series[bool] | None = None,
        words: Callable[[str], str] = str, interval: bool = False,
    ) -> Listing:  # fmt: skip
        """One row for each word of the columns `rows`, one column for each word of `columns`; `–` where there is none.

        Parameters
        ----------
        where
            Which rows of the file are shown; default all.
        words
            How the words of a row are shown.
        interval
            Whether `ci_low` and `ci_high` stand beside the value.
        """
        frame = self.frame if where is None else self.frame[where]
        labels = frame[list(rows)].astype(str).agg(", ".join, axis=1)
        at = np.arange(len(self.frame)) if where is None else np.flatnonzero(where)
        places = {(a, str(b)): int(k) for a, b, k in zip(labels, frame[columns], at, strict=True)}
        across = list(dict.fromkeys(str(word) for word in frame[columns]))
        lines = tuple(
            (Value(None, words(word)), *(self._pivoted(places.get((word, b)), value, interval) for b in across))
            for word in dict.fromkeys(labels)
        )
        heads = tuple(_head(b) for b in across)
        return Listing(caption, self.file, (Head(", ".join(rows).replace("_", " ")), *heads), lines, len(lines))

    def _pivoted(self, row: int | None, column: str, interval: bool) -> Value:
        if row is None:
            return Value(None, "–")
        found = self.value(row, column)
        if not interval or found.value is None:
            return found
        low, high = (self.value(row, name) for name in ("ci_low", "ci_high"))
        beside = (
            f"[{low.text}, {high.text}]"
            if low.value and high.value
            else MARKS.get(str(self.frame["status"].iloc[row]), "")
        )
        return replace(found, beside=beside)


def _head(word: str) -> Head:
    if word in METRICS:
        return Head(METRICS[word].label, METRICS[word].unit)
    return Head("valid" if word == "ok" else status_text(word, None).replace("_", " "))


def plain(value: Any) -> Any:
    """A cell as JSON has it; a missing number is None."""
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def written(metric: str, value: float) -> str:
    """By the metric where one is named, whole numbers whole, else four digits that count."""
    if metric in METRICS:
        return score_text(metric, value)
    if float(value).is_integer() and abs(value) < 1e15:
        return count(value) if value >= 0 else f"−{count(-value)}"
    return f"{value:.4g}".replace("-", "−")
