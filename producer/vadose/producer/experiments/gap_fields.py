"""Filled fields as they look: maps of a day, a month and a season, series of cells and of the land, and the scatter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.experiments.judging import bands
from vadose.producer.experiments.maps import mean_of, month_number, site_series
from vadose.producer.training.maps import Sheet
from vadose.producer.training.points import curve_row

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

UNIT = "m3 m-3"
SUMMER = (6, 7, 8)
# Days of the series of single cells.
SHOWN_DAYS = 180
FIGURES: Mapping[str, Mapping[str, str]] = {
    "filled_map": {"caption": "Soil moisture of a day, a month and a season of the last whole year: what is seen, the "
                              "land model, filled fields and the truth; means are over the days that a field has"},
    "series": {"x": "year", "y": "soil moisture", "caption": "Soil moisture of single cells day by day, and of the "
                                                             "whole land by month"},
    "predicted by truth": {"x": f"truth ({UNIT})", "y": "field", "caption": "Median and 5th to 95th percentile of a "
                           "field on hidden days by classes of the truth"},
}  # fmt: skip


def filled_sheets(fields: Mapping[str, Floats], days: Days) -> Iterator[Sheet]:
    """Maps of the middle day of the last whole summer, of its June, and of all of it; fields are (time, cell)."""
    month, years = month_number(days), days.astype("datetime64[Y]")
    last = next(year for year in np.unique(years)[::-1] if (month[years == year] == SUMMER[-1]).sum() == 31)
    summer = (years == last) & np.isin(month, SUMMER)
    day = np.zeros(days.size, bool)
    day[np.flatnonzero(summer)[summer.sum() // 2]] = True
    rows = {str(days[day][0]): day, f"June {last}": (years == last) & (month == 6), f"June to August {last}": summer}
    for row, chosen in rows.items():
        for name, values in fields.items():
            yield Sheet("filled_map", row, name, UNIT, mean_of(values, chosen))


def series_rows(fields: Mapping[str, Floats], days: Days, truth: Floats) -> Iterator[dict[str, Any]]:
    """The last days of three cells, and the mean of the land by month."""
    part = slice(days.size - SHOWN_DAYS, days.size) if days.size > SHOWN_DAYS else slice(None)
    level = mean_of(truth, np.ones(days.size, bool))
    yield from site_series("series", {name: values[part] for name, values in fields.items()}, days[part], level, UNIT)
    months = days.astype("datetime64[M]")
    for stamp in np.unique(months):
        year = 1970.0 + float(stamp.astype(np.int64)) / 12.0
        for name, values in fields.items():
            seen = values[months == stamp]
            if np.isfinite(seen).any():
                yield curve_row("series", "mean of the land", name, year, float(np.nanmean(seen)), UNIT)


def scatter_rows(fields: Mapping[str, Floats], truth: Floats, hidden: Mask) -> Iterator[dict[str, Any]]:
    """Bands of fields on hidden days by classes of the truth."""
    for name, values in fields.items():
        yield from bands("predicted by truth", "", name, np.where(hidden, values, np.float32(np.nan)), truth)
