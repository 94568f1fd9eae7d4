"""Months as the step of a run: the product holds months, and daily series are averaged to meet it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.statistics import monthly_means
from vadose.statistics.longrun import DAYS_PER_YEAR
from vadose.statistics.trends import FEWEST_DAYS_IN_MONTH

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

DAILY, MONTHLY = "daily", "monthly"
MONTHS_PER_YEAR = 12
# A month of a station needs this share of its days, as a day needs of its values.
STATION_SHARE = 0.75
# A month of a product needs so many days, as our granules of months do.
PRODUCT_DAYS = FEWEST_DAYS_IN_MONTH
_EPOCH = np.datetime64("1970-01-01", "D")


def is_months(days: Days) -> bool:
    """Whether a time axis counts months, datetime64[M], not days."""
    return bool(np.datetime_data(days.dtype)[0] == "M")


def steps_per_year(days: Days) -> float:
    """12 of months, else 365.25."""
    return float(MONTHS_PER_YEAR) if is_months(days) else DAYS_PER_YEAR


def middles(days: Days) -> Floats:
    """Days since 1970-01-01 of noon of every day, or of the middle of every month, (time,)."""
    first, after = ((one.astype("datetime64[D]") - _EPOCH).astype(float) for one in (days, days + 1))
    return np.asarray((first + after) / 2.0)


def months_of(days: Days) -> Days:
    """The months from that of the first to that of the last day, datetime64[M]."""
    ends = days[[0, -1]].astype("datetime64[M]")
    return np.arange(ends[0], ends[1] + 1)


def product_months(values: npt.NDArray[Any], days: Days) -> npt.NDArray[np.float32]:
    """Means of months with at least ten days, (cell, month), from daily values (cell, time)."""
    return np.asarray(monthly_means(values, days, PRODUCT_DAYS)[0], np.float32)


def station_months(values: npt.NDArray[Any], days: Days) -> npt.NDArray[np.float32]:
    """Means of months of which three quarters of the days have a value, (station, month)."""
    months = months_of(days)
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(float)
    return np.asarray(monthly_means(values, days, STATION_SHARE * length)[0], np.float32)


def stated() -> dict[str, float]:
    """What `run.json` says of a run of months."""
    return {"station_share_of_days": STATION_SHARE, "product_days": PRODUCT_DAYS}
