"""Anomalies and climatologies of daily series with gaps, (..., time), NaN = missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.status import CODE, Codes

Floats = npt.NDArray[np.float64]

DAYS_PER_YEAR = 365.25


def moving_mean(values: npt.ArrayLike, window: int = 35, minimum: int = 10) -> Floats:
    """Centred moving mean over `window` days (odd); NaN where fewer than `minimum` values lie in it."""
    values = np.asarray(values, float)
    if window % 2 == 0:
        raise ValueError(f"a centred window has an odd number of days, got {window}")
    rows = values.reshape(-1, values.shape[-1])
    return np.asarray(kernels.moving_mean(rows, window // 2, max(minimum, 1))).reshape(values.shape)


def anomaly_35d(values: npt.ArrayLike, minimum: int = 10) -> Floats:
    """Deviation from the centred 35-day mean; it sees 17 days of the future.

    Apply after matching, so that the same filter with the same gaps acts on product and reference.
    """
    values = np.asarray(values, float)
    return np.asarray(values - moving_mean(values, 35, minimum))


def other_years_climatology(values: npt.ArrayLike, half_window: int = 15, minimum: int = 10) -> Floats:
    """Mean of the values around the same season in all *other* years, (..., time).

    On day t it is the mean over t + 365.25 k with k = ..., -2, -1, 1, 2, ... and `half_window` days to each side,
    so that no value within half a year of t enters. NaN where fewer than `minimum` values do.
    """
    values = np.asarray(values, float)
    days = values.shape[-1]
    years = int(np.ceil(days / DAYS_PER_YEAR))
    shifts = np.array([round(year * DAYS_PER_YEAR) for year in range(-years, years + 1) if year != 0], np.int64)
    rows = np.ascontiguousarray(values.reshape(-1, days))
    return np.asarray(kernels.shifted_means(rows, shifts, half_window, max(minimum, 1))).reshape(values.shape)


FEWEST_CLIMATOLOGY_YEARS = 5
FEWEST_OTHER_YEARS = 2
_FEWEST_IN_WINDOW = 30
_FEWEST_YEARS_IN_WINDOW = 3
_DAYS_OF_YEAR = 365


def day_of_year(dates: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """0 to 364; 29 February counts as 28."""
    days = dates.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    number = (days - years).astype(np.int64)
    year = years.astype(np.int64) + 1970
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return np.asarray(np.where(leap & (number >= 59), number - 1, number), np.int64)


def anomaly_climatology(
    values: npt.ArrayLike, dates: npt.NDArray[np.datetime64], half_window: int = 15
) -> tuple[Floats, Codes]:
    """Deviation from the mean of all values around the same day of the year, in all years.

    Apply after matching, so that the same filter with the same gaps acts on product and reference.

    Parameters
    ----------
    values
        Daily values, (..., time), NaN = missing.
    dates
        Their days, (time,).
    half_window
        Days to each side of the day of the year, circular.

    Returns
    -------
    anomaly, status
        (..., time), NaN where the window holds fewer than 30 values or 3 years; and codes (...): `few_years` with
        fewer than 5 years with values, where all is NaN.
    """
    array = np.asarray(values, float)
    years = dates.astype("datetime64[Y]").astype(np.int64)
    rows = np.ascontiguousarray(array.reshape(-1, array.shape[-1]))
    anomaly, seen = kernels.seasonal_anomaly(
        rows, day_of_year(dates), years - years.min(initial=0), half_window, _FEWEST_IN_WINDOW, _FEWEST_YEARS_IN_WINDOW
    )
    few = seen < FEWEST_CLIMATOLOGY_YEARS
    anomaly = np.where(few[:, None], np.nan, anomaly).reshape(array.shape)
    return anomaly, np.where(few, CODE["few_years"], CODE["ok"]).astype(np.int8).reshape(array.shape[:-1])


def anomaly_of_months(values: npt.ArrayLike, months: npt.NDArray[np.datetime64]) -> tuple[Floats, Codes]:
    """Deviation of monthly values from the mean of their calendar month in all years.

    Parameters
    ----------
    values
        (..., month), NaN = missing.
    months
        Consecutive months, datetime64[M].

    Returns
    -------
    anomaly, status
        As of `anomaly_climatology`: NaN where the calendar month has fewer than 3 years, and `few_years` with fewer
        than 5 years with values.
    """
    array = np.asarray(values, float)
    calendar, number = _calendar(months)
    years = np.stack([np.isfinite(array[..., number == one]).any(axis=-1) for one in np.unique(number)]).sum(axis=0)
    out = np.full(array.shape, np.nan)
    for month in range(12):
        chosen = array[..., calendar == month]
        count = np.isfinite(chosen).sum(axis=-1, keepdims=True)
        mean = np.nansum(chosen, axis=-1, keepdims=True) / np.maximum(count, 1)
        out[..., calendar == month] = np.where(count >= _FEWEST_YEARS_IN_WINDOW, chosen - mean, np.nan)
    few = years < FEWEST_CLIMATOLOGY_YEARS
    return np.where(few[..., None], np.nan, out), np.where(few, CODE["few_years"], CODE["ok"]).astype(np.int8)


def other_years_of_months(values: npt.ArrayLike, months: npt.NDArray[np.datetime64]) -> Floats:
    """Mean of the same calendar month in all *other* years, (..., month); NaN where fewer than two have a value."""
    array = np.asarray(values, float)
    calendar, _ = _calendar(months)
    out = np.full(array.shape, np.nan)
    for month in range(12):
        chosen = array[..., calendar == month]
        own = np.isfinite(chosen)
        others = own.sum(axis=-1, keepdims=True) - own
        total = np.nansum(chosen, axis=-1, keepdims=True) - np.where(own, chosen, 0.0)
        mean = total / np.maximum(others, 1)
        out[..., calendar == month] = np.where(others >= FEWEST_OTHER_YEARS, mean, np.nan)
    return out


def _calendar(months: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Calendar month, 0 to 11, and year of each month."""
    number = months.astype("datetime64[M]").astype(np.int64)
    return number % 12, number // 12
