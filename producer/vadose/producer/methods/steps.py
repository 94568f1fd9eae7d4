"""Time steps: means of days, rolling over a window or by calendar month."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]
Step = Literal["daily", "monthly"]

MONTH_DAYS = 30


def rolling_means(values: npt.NDArray[np.floating], length: int = MONTH_DAYS, fewest: int = 1) -> Doubles:
    """Means of the valid values of the last `length` days, (time, ...); NaN with fewer than `fewest` of them.

    The first `length` - 1 days have no whole window and are NaN.
    """
    valid = np.isfinite(values)
    shape = (1, *values.shape[1:])
    total = np.concatenate([np.zeros(shape), np.cumsum(np.where(valid, values, 0.0), axis=0, dtype=np.float64)])
    count = np.concatenate([np.zeros(shape), np.cumsum(valid, axis=0, dtype=np.float64)])
    out = np.full(values.shape, np.nan)
    if values.shape[0] >= length:
        number = count[length:] - count[:-length]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (total[length:] - total[:-length]) / number
        out[length - 1 :] = np.where(number >= fewest, mean, np.nan)
    return out


def month_means(values: npt.NDArray[np.floating], days: Days, fewest: int = 1) -> tuple[Doubles, npt.NDArray[np.int64]]:
    """Means by calendar month, (month, ...), and the position of the month of each day, (time,)."""
    months = days.astype("datetime64[M]").astype(np.int64)
    number = months - months[0]
    first = np.flatnonzero(np.diff(number, prepend=-1))
    valid = np.isfinite(values)
    count = np.add.reduceat(valid, first, axis=0, dtype=np.int64)
    total = np.add.reduceat(np.where(valid, values, 0.0).astype(np.float64), first, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count >= max(fewest, 1), total / count, np.nan), number


def whole_months(days: Days, part: slice) -> slice:
    """The days of all calendar months that the days `part` touch, as positions in `days`."""
    months = days.astype("datetime64[M]")
    inside = months[part]
    return slice(int(np.searchsorted(months, inside[0])), int(np.searchsorted(months, inside[-1], "right")))
