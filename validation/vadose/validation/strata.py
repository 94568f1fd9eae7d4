"""Strata of days: seasons, years, kinds of days, and how wet the reference is; and their means in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics import Moments

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]
Booleans = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

SEASONS = ("DJF", "MAM", "JJA", "SON")
LOCAL_SEASONS = ("winter", "spring", "summer", "autumn")
HALVES = ("wet_half", "dry_half")
DAY_TYPES = ("rain", "dry_down", "freeze_margin", "other")
GAPS = ("observed", "gap_1_3", "gap_4_15", "gap_16_60", "gap_over_60")
GAP_ENDS = (3, 15, 60)
GAP_MONTHS = ("observed", "gap")
DECILES = tuple(f"decile_{number:02d}" for number in range(1, 11))
WET = ("wet", "not_wet")
WET_LIMIT = 0.4
RAIN_MM = 1.0
DRY_DOWN_DAYS = 3
FREEZE_MARGIN_DAYS = 5
FEWEST_FOR_DECILES = 100
NONE = -1
_LEVEL = ("bias", "rmse")
_USUAL = ("bias", "rmse", "ubrmsd", "r")


@dataclass(frozen=True)
class DayStrata:
    """One kind of stratum: a class for every station and day.

    Attributes
    ----------
    kind, names
        Kind, and the classes.
    labels
        Position in `names` for each station and day, (station or 1, time); -1 for none.
    metrics
        What is scored in it. Classes that are chosen by the reference have no correlation, whose value they decide.
    """

    kind: str
    names: tuple[str, ...]
    labels: Labels
    metrics: tuple[str, ...] = _USUAL


def day_strata(
    days: Days, lat: Floats, reference: Floats, precipitation: Floats | None = None, frozen: Floats | None = None
) -> list[DayStrata]:
    """All strata that the reference and its further series allow.

    Parameters
    ----------
    days
        Consecutive days, (time,).
    lat
        Latitude of each station, (station,): seasons of the south are half a year off.
    reference
        m3 m-3, (station, time); deciles and wet days are those of the reference itself.
    precipitation, frozen
        mm per day and 0/1, (station, time), where the stations have them.
    """
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    quarter = ((month + 1) % 12 // 3).astype(np.int8)
    south = (lat < 0)[:, None]
    out = [
        DayStrata("season", SEASONS, quarter[None]),
        DayStrata("local_season", LOCAL_SEASONS, np.where(south, (quarter + 2) % 4, quarter).astype(np.int8)),
        DayStrata("half_year", HALVES, _halves(month, reference)),
        *_years(days),
        DayStrata("moisture_decile", DECILES, _deciles(reference), _LEVEL),
        DayStrata("wet", WET, np.where(reference > WET_LIMIT, 0, 1).astype(np.int8), (*_LEVEL, "r2_explained")),
    ]
    if precipitation is not None or frozen is not None:
        out.append(DayStrata("day_type", DAY_TYPES, day_types(reference, precipitation, frozen)))
    return out


def _years(days: Days) -> list[DayStrata]:
    years = days.astype("datetime64[Y]")
    distinct, labels = np.unique(years, return_inverse=True)
    if not 1 < distinct.size <= 100:
        return []
    return [DayStrata("year", tuple(str(one) for one in distinct), labels.astype(np.int8)[None])]


def _halves(month: npt.NDArray[np.int64], reference: Floats) -> Labels:
    """0 in the six months that are wettest in the mean of the reference at each station, else 1."""
    means = np.full((len(reference), 12), np.nan)
    for number in range(12):
        chosen = reference[:, month == number]
        count = np.isfinite(chosen).sum(axis=1)
        means[:, number] = np.where(count > 0, np.nansum(chosen, axis=1) / np.maximum(count, 1), np.nan)
    complete = np.isfinite(means).all(axis=1)
    rank = np.argsort(np.argsort(-np.nan_to_num(means), axis=1, kind="stable"), axis=1, kind="stable")
    half = np.where(rank < 6, 0, 1).astype(np.int8)[:, month]
    return np.where(complete[:, None], half, NONE).astype(np.int8)


def _deciles(reference: Floats) -> Labels:
    """Decile of the reference at each station, 0 to 9, from its own days."""
    out = np.full(reference.shape, NONE, np.int8)
    for row, series in enumerate(reference):
        known = np.isfinite(series)
        if known.sum() >= FEWEST_FOR_DECILES:
            bounds = np.quantile(series[known], np.linspace(0.1, 0.9, 9))
            out[row, known] = np.searchsorted(bounds, series[known], side="right")
    return out


def day_types(reference: Floats, precipitation: Floats | None, frozen: Floats | None) -> Labels:
    """Freeze margin (within 5 days of a frozen one), rain (1 mm or more), dry-down (3 days without), else other."""
    out = np.full(reference.shape, DAY_TYPES.index("other"), np.int8)
    if precipitation is not None:
        dry = precipitation < RAIN_MM
        since = dry.copy()
        for step in range(1, DRY_DOWN_DAYS):
            since[:, step:] &= dry[:, :-step]
            since[:, :step] = False
        out[since] = DAY_TYPES.index("dry_down")
        out[precipitation >= RAIN_MM] = DAY_TYPES.index("rain")
        out[~np.isfinite(precipitation)] = NONE
    if frozen is not None:
        margin = frozen == 1
        near = margin.copy()
        for step in range(1, FREEZE_MARGIN_DAYS + 1):
            near[:, step:] |= margin[:, :-step]
            near[:, :-step] |= margin[:, step:]
        out[near] = DAY_TYPES.index("freeze_margin")
    return out


def gap_strata(filled: Booleans, values: Floats, *, months: bool = False) -> DayStrata:
    """Observed days, and gap-filled ones by the length of their gap, in a product's own flag.

    Months are one or the other: a month is as long as most gaps.
    """
    if months:
        return DayStrata("gap", GAP_MONTHS, np.where(np.isfinite(values), filled, NONE).astype(np.int8))
    labels = np.zeros(filled.shape, np.int8)
    length = gap_lengths(filled)
    for position, end in enumerate((0, *GAP_ENDS)):
        labels[length > end] = position + 1
    labels[~np.isfinite(values)] = NONE
    return DayStrata("gap", GAPS, labels)


def gap_lengths(filled: Booleans) -> npt.NDArray[np.int32]:
    """For every day the length of the run of filled days that it is in, 0 outside, (station, time)."""
    edge = np.zeros((len(filled), 1), np.int8)
    steps = np.diff(np.concatenate([edge, filled.astype(np.int8), edge], axis=1), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    out = np.zeros(filled.shape, np.int32)
    for (row, first), (_, last) in zip(starts.tolist(), ends.tolist(), strict=True):
        out[row, first:last] = last - first
    return out


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _class_means(x: Any, r: Any, labels: Any, classes: int) -> Any:
    series, days = x.shape
    out = np.full((7, series, classes), np.nan)
    shared = labels.shape[0] == 1
    sums = np.zeros((classes, 7))
    for s in range(series):
        sums[:] = 0.0
        cx, cr = 0.0, 0.0
        for t in range(days):
            if np.isfinite(x[s, t]) and np.isfinite(r[s, t]):
                cx, cr = x[s, t], r[s, t]
                break
        row = 0 if shared else s
        for t in range(days):
            c = labels[row, t]
            if c < 0 or not (np.isfinite(x[s, t]) and np.isfinite(r[s, t])):
                continue
            dx, dr = x[s, t] - cx, r[s, t] - cr
            sums[c, 0] += 1.0
            sums[c, 1] += dx
            sums[c, 2] += dr
            sums[c, 3] += dx * dx
            sums[c, 4] += dr * dr
            sums[c, 5] += dx * dr
            sums[c, 6] += abs(x[s, t] - r[s, t])
        for c in range(classes):
            n = sums[c, 0]
            out[0, s, c] = n
            if n > 0:
                mx, mr = sums[c, 1] / n, sums[c, 2] / n
                out[1, s, c] = cx + mx
                out[2, s, c] = cr + mr
                out[3, s, c] = max(sums[c, 3] / n - mx * mx, 0.0)
                out[4, s, c] = max(sums[c, 4] / n - mr * mr, 0.0)
                out[5, s, c] = sums[c, 5] / n - mx * mr
                out[6, s, c] = sums[c, 6] / n
    return out


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _class_influence(x: Any, r: Any, labels: Any, means: Any, gradient: Any) -> Any:
    """Weighted sums over stations of influence series, (metric, class, time).

    `means` is (7, series, class); `gradient`, times the weights, is (series, class, metric, 6), 0 without a value.
    """
    series, days = x.shape
    classes, metrics = gradient.shape[1], gradient.shape[2]
    out = np.zeros((metrics, classes, days))
    shared = labels.shape[0] == 1
    for s in range(series):
        row = 0 if shared else s
        for t in range(days):
            k = labels[row, t]
            apart = x[s, t] - r[s, t]
            if k < 0 or not np.isfinite(apart):
                continue
            dx, dr = x[s, t] - means[1, s, k], r[s, t] - means[2, s, k]
            xx, rr, xr = dx * dx - means[3, s, k], dr * dr - means[4, s, k], dx * dr - means[5, s, k]
            far = abs(apart) - means[6, s, k]
            for m in range(metrics):
                g = gradient[s, k, m]
                out[m, k, t] += g[0] * dx + g[1] * dr + g[2] * xx + g[3] * rr + g[4] * xr + g[5] * far
    return out


def class_moments(x: Floats, r: Floats, strata: DayStrata) -> Moments:
    """Means of the matched days in each class; every attribute is (station, class)."""
    return Moments(*np.asarray(_class_means(x, r, strata.labels, len(strata.names))))


def class_influence(
    x: Floats, r: Floats, strata: DayStrata, m: Moments, gradients: Sequence[Sequence[Floats | float]],
    weights: Sequence[Floats],
) -> Floats:  # fmt: skip
    """Influence series of the weighted mean over stations in each class, (metric, class, time).

    Parameters
    ----------
    x, r, strata
        As in `class_moments`, whose result is `m`.
    gradients
        For each metric its derivatives by the six means.
    weights
        For each metric w_s / n_s, (station, class), 0 where a station has no value.
    """
    combined = np.zeros((*m.n.shape, len(gradients), 6))
    for number, (gradient, weight) in enumerate(zip(gradients, weights, strict=True)):
        parts = np.stack([np.broadcast_to(np.asarray(part, float), m.n.shape) for part in gradient], axis=-1)
        known = np.isfinite(parts).all(axis=-1) & (weight > 0)
        combined[:, :, number] = np.where(known[..., None], parts, 0.0) * np.where(known, weight, 0.0)[..., None]
    means = np.where((combined != 0.0).any(axis=(-2, -1)), m.stacked(), 0.0)
    return np.asarray(_class_influence(x, r, strata.labels, means, combined))


def class_present(x: Floats, r: Floats, strata: DayStrata) -> Booleans:
    """Days on which any station is matched in each class, (class, time)."""
    matched = np.isfinite(x) & np.isfinite(r)
    if len(strata.labels) == 1:
        # A day is of the same class at all stations.
        matched = np.asarray(matched.any(axis=0))[None]
    return np.stack([(matched & (strata.labels == number)).any(axis=0) for number in range(len(strata.names))])
