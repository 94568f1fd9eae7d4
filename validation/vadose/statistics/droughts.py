"""Droughts: days below a percentile of the own climatology, and how well a product has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.anomalies import day_of_year, moving_mean
from vadose.statistics.sorting import ascending

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

PERCENTILES: tuple[int, ...] = (20, 10, 5)
FEWEST_YEARS = 5
_FEWEST_VALUES = 30


def dry_days(
    values: npt.ArrayLike, dates: npt.NDArray[np.datetime64], percentile: float, half_window: int = 15
) -> tuple[Booleans, Booleans]:
    """Days whose 7-day mean lies below a percentile of the own climatology, and days on which that is known.

    Parameters
    ----------
    values
        Daily series on matched days, (time,), NaN = missing.
    dates
        Consecutive days, (time,).
    percentile
        Of all 7-day means within `half_window` days of the day of year, in all years; at least five years must have
        some, else nothing is known.
    """
    weekly = moving_mean(np.asarray(values, float), 7, 4)
    season = day_of_year(dates)
    known = np.isfinite(weekly)
    years = dates.astype("datetime64[Y]")
    limit = _limits(weekly, season, years.astype(np.int64), half_window, percentile / 100.0)
    threshold = np.asarray(limit)[season]
    valid = known & np.isfinite(threshold)
    return valid & (np.nan_to_num(weekly) < np.nan_to_num(threshold)), valid


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _limits(weekly: Any, season: Any, years: Any, half_window: int, share: float) -> Any:
    """Quantile of the values around each day of year, (365,); NaN with too few values or years."""
    out = np.full(365, np.nan)
    near = np.empty(weekly.size)
    for day in range(365):
        count, distinct, last = 0, 0, -(10**9)
        for t in range(weekly.size):
            apart = abs(season[t] - day)
            if min(apart, 365 - apart) <= half_window and np.isfinite(weekly[t]):
                near[count] = weekly[t]
                count += 1
                if years[t] != last:
                    distinct += 1
                    last = years[t]
        if count >= _FEWEST_VALUES and distinct >= FEWEST_YEARS:
            ordered = ascending(near[:count])
            position = share * (count - 1)
            below = int(position)
            above = min(below + 1, count - 1)
            out[day] = ordered[below] + (position - below) * (ordered[above] - ordered[below])
    return out


@dataclass(frozen=True)
class Contingency:
    """Days of hits, misses, false alarms and correct negatives, and what follows from them; any shape.

    SEDI is the symmetric extremal dependence index of Ferro and Stephenson 2011, doi 10.1175/WAF-D-10-05030.1.
    """

    hits: Floats
    misses: Floats
    false_alarms: Floats
    negatives: Floats

    def __add__(self, other: Contingency) -> Contingency:
        """Sum of two tables."""
        return Contingency(
            self.hits + other.hits, self.misses + other.misses, self.false_alarms + other.false_alarms,
            self.negatives + other.negatives,
        )  # fmt: skip

    @property
    def pod(self) -> Floats:
        """Probability of detection."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> Floats:
        """Share of false alarms among what the product says."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def csi(self) -> Floats:
        """Critical success index."""
        return _ratio(self.hits, self.hits + self.misses + self.false_alarms)

    @property
    def sedi(self) -> Floats:
        """Symmetric extremal dependence index; NaN where a rate is 0 or 1."""
        H, F = self.pod, _ratio(self.false_alarms, self.false_alarms + self.negatives)
        inside = (H > 0) & (H < 1) & (F > 0) & (F < 1)
        H, F = np.where(inside, H, np.nan), np.where(inside, F, np.nan)
        upper = np.log(F) - np.log(H) - np.log1p(-F) + np.log1p(-H)
        return np.asarray(upper / (np.log(F) + np.log(H) + np.log1p(-F) + np.log1p(-H)))


def contingency(product: npt.ArrayLike, reference: npt.ArrayLike, valid: npt.ArrayLike) -> Contingency:
    """Table of two series of events over the valid days, all (..., time)."""
    says, is_so, counts = (np.asarray(one, bool) for one in (product, reference, valid))
    return Contingency(
        *((counts & one & two).sum(axis=-1).astype(float) for one, two in (
            (says, is_so), (~says, is_so), (says, ~is_so), (~says, ~is_so)))
    )  # fmt: skip


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.where(whole > 0, whole, np.nan))
