"""Whether days are shifted: correlation of a product with the reference at lags of -5 to 5 days.

Two daily records of the same weather correlate best at lag 0 whatever their noise, and as well a day early as a day
late. A wrong stamp, a product that averages over the wrong 24 hours, or half a day between conventions moves the peak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import anomaly_35d, anomaly_of_months
from vadose.statistics.distributions import t_quantile
from vadose.validation.diagnostics import curve
from vadose.validation.months import is_months

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LONGEST = 5
LAGS = np.arange(-LONGEST, LONGEST + 1)
FEWEST_PAIRS = 60
FEWEST_CLUSTERS = 5
# A shift is suspected where the whole interval of the peak lies beyond this many days.
SUSPECT_DAYS = 0.25
# Below this the peak is noise and its place says nothing.
_LEAST_PEAK = 0.05


@dataclass(frozen=True)
class Lagged:
    """Correlations at each lag, (station, lag), of daily increments and of anomalies; NaN with fewer than 60 pairs.

    At lag k the product of day t + k meets the reference of day t: a product that is late by a day peaks at +1.
    """

    increments: Floats
    anomalies: Floats

    @classmethod
    def of(cls, x: Floats, r: Floats, days: npt.NDArray[np.datetime64] | None = None) -> Lagged:
        """Of a product and the reference, (station, time), NaN = missing; they need not be matched.

        Where `days` are months, a lag is one of months.
        """
        steps = [np.diff(one, axis=1) for one in (x, r)]
        smooth = [_anomaly(one, days) for one in (x, r)]
        return cls(*(np.asarray(_lagged(*pair, LONGEST, FEWEST_PAIRS)) for pair in (steps, smooth)))

    def __add__(self, other: Lagged) -> Lagged:
        """Those of both blocks of stations."""
        return Lagged(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("increments", "anomalies"))
        )

    def curves(self, panel: str, name: str) -> pd.DataFrame:
        """Median and quartiles over stations at each lag in days."""
        frames = []
        for figure, values in (("lag_increments", self.increments), ("lag_anomalies", self.anomalies)):
            known = values[np.isfinite(values).all(axis=1)]
            if len(known):
                low, middle, high = np.quantile(known, [0.25, 0.5, 0.75], axis=0)
                frames.append(curve(figure, panel, name, LAGS.astype(float), middle, "1", low, high))
        nothing = np.zeros(0)
        return pd.concat(frames) if frames else curve("lag_increments", panel, name, nothing, nothing, "1")


def _anomaly(values: Floats, days: npt.NDArray[np.datetime64] | None) -> Floats:
    if days is not None and is_months(days):
        return anomaly_of_months(values, days)[0]
    return anomaly_35d(values)


@dataclass(frozen=True)
class Shift:
    """By how many days a product is late against the reference, with its interval over clusters.

    `status` is `ok`, `day_shift` where the whole interval lies beyond 0.25 days, `few_stations` without an interval,
    `few_samples` without a value.
    """

    days: float
    ci_low: float
    ci_high: float
    stations: int
    status: str


def shift(found: Lagged, clusters: Integers) -> Shift:
    """The shift from the increments, from the anomalies where a product is too sparse for those."""
    for values in (found.increments, found.anomalies):
        known = np.isfinite(values).all(axis=1)
        if known.any():
            estimated = _estimated(np.arctanh(np.clip(values[known], -0.999, 0.999)), clusters[known])
            if estimated is not None:
                return estimated
    return Shift(np.nan, np.nan, np.nan, 0, "few_samples")


def _estimated(z: Floats, clusters: Integers) -> Shift | None:
    """Peak of the mean over clusters, with a jackknife over them."""
    _, inverse = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(inverse)
    means = np.stack([np.bincount(inverse, weights=column) / sizes for column in z.T], axis=1)
    whole = _peak(means.mean(axis=0))
    if whole is None:
        return None
    count = len(means)
    if count < FEWEST_CLUSTERS:
        return Shift(whole, np.nan, np.nan, len(z), "few_stations")
    without = [_peak((means.sum(axis=0) - one) / (count - 1)) for one in means]
    kept = np.array([one for one in without if one is not None])
    error = float(np.sqrt((count - 1) / count * ((kept - kept.mean()) ** 2).sum()))
    half = float(t_quantile(0.95, count - 1.0)) * error
    beyond = whole - half > SUSPECT_DAYS or whole + half < -SUSPECT_DAYS
    return Shift(whole, whole - half, whole + half, len(z), "day_shift" if beyond else "ok")


def _peak(values: Floats) -> float | None:
    """Place of the peak between lags, by the parabola through the three highest neighbours; None without a peak."""
    top = int(values.argmax())
    if values[top] < _LEAST_PEAK:
        return None
    if top in (0, values.size - 1):
        return float(LAGS[top])
    before, at, after = values[top - 1 : top + 2]
    bend = before - 2.0 * at + after
    return float(LAGS[top] + (0.5 * (before - after) / bend if bend < 0 else 0.0))


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _lagged(x: Any, r: Any, longest: int, fewest: int) -> Any:
    """Correlation of x at day t + k with r at day t for each lag k, (series, lag); NaN with few pairs.

    Missing days are 0 in every product, so that the loop has no branch.
    """
    series, days = x.shape
    out = np.full((series, 2 * longest + 1), np.nan)
    a, b, in_a, in_b = np.empty(days), np.empty(days), np.empty(days), np.empty(days)
    for s in range(series):
        for t in range(days):
            has_a, has_b = np.isfinite(x[s, t]), np.isfinite(r[s, t])
            a[t], in_a[t] = (x[s, t], 1.0) if has_a else (0.0, 0.0)
            b[t], in_b[t] = (r[s, t], 1.0) if has_b else (0.0, 0.0)
        for k in range(-longest, longest + 1):
            first, last = max(0, -k), min(days, days - k)
            n, sx, sr, sxx, srr, sxr = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for t in range(first, last):
                u, v, p, q = a[t + k], b[t], in_a[t + k], in_b[t]
                n += p * q
                sx += u * q
                sr += p * v
                sxx += u * u * q
                srr += p * v * v
                sxr += u * v
            if n >= fewest:
                vx, vr = sxx - sx * sx / n, srr - sr * sr / n
                if vx > 0 and vr > 0:
                    out[s, k + longest] = (sxr - sx * sr / n) / np.sqrt(vx * vr)
    return out
