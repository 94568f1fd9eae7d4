"""Fields of an experiment as maps and series: means of months, and single cells from dry to wet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.training.maps import Sheet
from vadose.producer.training.points import curve_row

Series = npt.NDArray[np.floating[Any]]
Days = npt.NDArray[np.datetime64]

# Months of the maps, those of Ming et al. (2022, doi 10.3390/rs14071744).
MONTHS = {1: "January", 6: "June"}
CELLS = {"dry cell": 0.1, "middling cell": 0.5, "wet cell": 0.9}


def month_number(days: Days) -> npt.NDArray[np.int64]:
    """Month of the year, 1 to 12."""
    return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12 + 1)


def mean_of(values: Series, steps: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Mean of what is there of (step, cell) in the chosen steps, (cell,)."""
    part = values[steps].astype(np.float64)
    count = np.isfinite(part).sum(axis=0)
    return np.asarray(np.where(count > 0, np.nansum(part, axis=0) / np.maximum(count, 1), np.nan))


def month_sheets(
    figure: str, fields: Mapping[str, Series], days: Days, unit: str, months: Mapping[int, str] = MONTHS
) -> Iterator[Sheet]:
    """Means of the last of each month of the year that has steps, a row for each month and a column for each field.

    Parameters
    ----------
    fields
        (step, cell) each.
    days
        Day or month of each step, (step,).
    """
    for month, word in months.items():
        inside = np.flatnonzero(month_number(days) == month)
        if not inside.size:
            continue
        last = days[inside[-1]].astype("datetime64[M]")
        chosen = days.astype("datetime64[M]") == last
        for name, values in fields.items():
            yield Sheet(figure, f"{word} {last.astype('datetime64[Y]')}", name, unit, mean_of(values, chosen))


def site_series(
    figure: str, fields: Mapping[str, Series], days: Days, level: npt.NDArray[np.floating[Any]], unit: str
) -> Iterator[dict[str, Any]]:
    """Daily values of three cells, from dry to wet, in the columns of `curves.parquet`.

    Parameters
    ----------
    fields
        (time, cell) each.
    level
        Mean soil moisture of each cell, by which they are chosen, (cell,).
    """
    order = np.argsort(level)[: int(np.isfinite(level).sum())]
    years = 1970.0 + days.astype("datetime64[D]").astype(np.int64) / 365.2425
    for panel, share in CELLS.items():
        cell = int(order[int(share * (order.size - 1))])
        for name, values in fields.items():
            for year, value in zip(years, values[:, cell], strict=True):
                if np.isfinite(value):
                    yield curve_row(figure, panel, name, float(year), float(value), unit)
