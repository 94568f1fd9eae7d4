"""Stability of a difference: Theil-Sen slope with an interval that knows autocorrelation, verdict, power and breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.distributions import normal_p_value, normal_quantile, t_p_value, t_quantile
from vadose.statistics.intervals import status_of
from vadose.statistics.longrun import MODELS, Gaps, Model
from vadose.statistics.sorting import ascending, positions
from vadose.statistics.status import CODE, Codes

Floats = npt.NDArray[np.float64]
Correction = Literal["lag1", "hamed_rao", "none"]

# m3 m-3 per decade.
LIMIT = 0.01
MONTHS_PER_DECADE = 120.0
YEARS_PER_DECADE = 10.0
FEWEST_DAYS_IN_MONTH = 10
FEWEST_MONTHS = 36
FEWEST_YEARS = 5
# Standard errors between zero and a slope that a two-sided 5 % test finds with 80 % power.
POWER = 2.8
_LARGEST_LAG1 = 0.98
VERDICTS: tuple[str, ...] = ("stable", "drifting", "undecided", "not_applicable")


@dataclass(frozen=True)
class Trend:
    """Trend of series, all (...); slopes are per decade.

    Attributes
    ----------
    slope, ci_low, ci_high
        Theil-Sen slope and Sen's interval.
    p
        Of the Mann-Kendall test.
    n
        Values.
    correction
        What autocorrelation multiplies the variance of Mann-Kendall's S with.
    detectable
        Slope that this record tells from zero with 80 % power.
    detectable_drift
        Slope that it would call drifting with 80 % power.
    verdict
        `stable`: the interval lies inside the limit; `drifting`: outside of it; else `undecided`.
    status
        Codes; `few_years` where the record is too short.
    """

    slope: Floats
    ci_low: Floats
    ci_high: Floats
    p: Floats
    n: Floats
    correction: Floats
    detectable: Floats
    detectable_drift: Floats
    verdict: npt.NDArray[np.str_]
    status: Codes


def monthly_means(
    values: npt.ArrayLike, dates: npt.NDArray[np.datetime64], fewest_days: npt.ArrayLike = FEWEST_DAYS_IN_MONTH
) -> tuple[Floats, npt.NDArray[np.datetime64]]:
    """Means of calendar months, (..., month), NaN with fewer than `fewest_days` values (of each month), and the months.

    Parameters
    ----------
    values
        Daily values, (..., time), NaN = missing.
    dates
        Their days, ascending, (time,).
    """
    array = np.asarray(values, float)
    months = dates.astype("datetime64[M]")
    first = months[0]
    number = (months - first).astype(np.int64)
    valid = np.isfinite(array)
    starts = np.searchsorted(number, np.arange(number[-1] + 1))
    # Months without a day would repeat their neighbour in `reduceat`.
    filled = np.bincount(number, minlength=number[-1] + 1) > 0
    count = np.zeros((*array.shape[:-1], number[-1] + 1))
    total = count.copy()
    count[..., filled] = np.add.reduceat(valid.astype(float), starts[filled], axis=-1)
    total[..., filled] = np.add.reduceat(np.where(valid, array, 0.0), starts[filled], axis=-1)
    means = np.where(count >= np.asarray(fewest_days), total / np.maximum(count, 1.0), np.nan)
    return means, first + np.arange(number[-1] + 1)


def without_month_climatology(means: npt.ArrayLike, months: npt.NDArray[np.datetime64]) -> Floats:
    """Monthly values without the mean of their calendar month, (..., month)."""
    array = np.asarray(means, float)
    out = array.copy()
    calendar = months.astype(np.int64) % 12
    for month in range(12):
        chosen = array[..., calendar == month]
        valid = np.isfinite(chosen)
        mean = np.where(valid, chosen, 0.0).sum(axis=-1) / np.maximum(valid.sum(axis=-1), 1)
        out[..., calendar == month] = chosen - mean[..., None]
    return out


def trend(
    values: npt.ArrayLike, *, steps_per_decade: float = MONTHS_PER_DECADE, limit: float = LIMIT,
    correction: Correction = "lag1", level: float = 0.95, fewest: int | None = None,
) -> Trend:  # fmt: skip
    """Trend of equally spaced values with gaps.

    Parameters
    ----------
    values
        Monthly differences without their climatology, or yearly figures, (..., step), NaN = missing.
    steps_per_decade
        120 for months, 10 for years.
    limit
        Slope per decade up to which a product counts as stable.
    correction
        `lag1`: variance times (1 + r) / (1 - r), r from the detrended residuals, with its bias removed; `hamed_rao`:
        Hamed and Rao 1998, doi 10.1016/S0022-1694(97)00125-X; `none`: for comparison with other tools only.
    level
        Nominal coverage.
    fewest
        Fewest values; default 36 months or 5 years. The values must span at least 5 years.
    """
    array = np.asarray(values, float)
    shape, steps = array.shape[:-1], array.shape[-1]
    rows = np.ascontiguousarray(array.reshape(-1, steps))
    least = fewest if fewest is not None else round(FEWEST_MONTHS if steps_per_decade > 12 else FEWEST_YEARS)
    n, span, slope, score, tied, residual_lag1, hamed = _kendall(rows, normal_quantile((1.0 + level) / 2.0))
    variance = (n * (n - 1) * (2 * n + 5) - tied) / 18.0
    factor = {"lag1": _lag1_factor(n, residual_lag1), "hamed_rao": hamed, "none": np.ones_like(n)}[correction]
    few = (n < least) | (span < FEWEST_YEARS * steps_per_decade / 10.0 - 0.5)
    flat = ~few & (variance <= 0)
    spread = np.sqrt(np.where(few | flat, np.nan, variance * factor))
    z = normal_quantile((1.0 + level) / 2.0)
    low, high = _sen_limits(rows, np.nan_to_num(z * spread), few | flat)
    slope, low, high = (np.where(few, np.nan, one * steps_per_decade) for one in (slope, low, high))
    p = normal_p_value((np.abs(score) - 1.0).clip(0.0) / spread)
    error = (high - low) / (2.0 * z)
    status = np.where(few, CODE["few_years"], np.where(flat, CODE["constant_series"], CODE["ok"])).astype(np.int8)
    return Trend(
        slope=slope.reshape(shape), ci_low=low.reshape(shape), ci_high=high.reshape(shape), p=p.reshape(shape),
        n=n.reshape(shape), correction=factor.reshape(shape), detectable=(POWER * error).reshape(shape),
        detectable_drift=(limit + POWER * error).reshape(shape), verdict=verdict(low, high, limit).reshape(shape),
        status=status.reshape(shape),
    )  # fmt: skip


def verdict(low: npt.ArrayLike, high: npt.ArrayLike, limit: float) -> npt.NDArray[np.str_]:
    """`stable`, `drifting` or `undecided` from the ends of the interval of a slope; `not_applicable` without."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    words = np.where((low >= -limit) & (high <= limit), "stable", "undecided")
    words = np.where((low > limit) | (high < -limit), "drifting", words)
    return np.where(np.isfinite(low) & np.isfinite(high), words, "not_applicable")


def _lag1_factor(n: Floats, r1: Floats) -> Floats:
    r = np.clip((n * np.nan_to_num(r1) + 2.0) / np.maximum(n - 4.0, 1.0), 0.0, _LARGEST_LAG1)
    return np.asarray((1.0 + r) / (1.0 - r))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _slopes(steps: Any, known: Any) -> Any:
    """Slopes of all pairs of values, in ascending order."""
    n = known.size
    out = np.empty(n * (n - 1) // 2)
    k = 0
    for i in range(n):
        for j in range(i + 1, n):
            out[k] = (known[j] - known[i]) / (steps[j] - steps[i])
            k += 1
    return ascending(out)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mid_ranks(values: Any) -> Any:
    """Ranks from 1, the mean of them where values are equal."""
    n = values.size
    order = positions(values)
    ranks = np.empty(n)
    first = 0
    while first < n:
        last = first + 1
        while last < n and values[order[last]] == values[order[first]]:
            last += 1
        for k in range(first, last):
            ranks[order[k]] = 0.5 * (first + last + 1)
        first = last
    return ranks


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rank_correlations(detrended: Any, significant: float) -> Any:
    """Factor of Hamed and Rao from the autocorrelation of ranks of the detrended values."""
    n = detrended.size
    ranks = _mid_ranks(detrended)
    ranks -= ranks.mean()
    square = (ranks * ranks).sum()
    if square == 0.0 or n < 3:
        return 1.0
    total = 0.0
    for lag in range(1, n):
        rho = (ranks[lag:] * ranks[:-lag]).sum() / square
        if abs(rho) > significant / np.sqrt(n):
            total += (n - lag) * (n - lag - 1.0) * (n - lag - 2.0) * rho
    return 1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * total


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _kendall(rows: Any, significant: float) -> Any:
    """Count, span, slope, S, ties, lag-1 autocorrelation of residuals, factor of Hamed and Rao, (7, series)."""
    series = rows.shape[0]
    out = np.zeros((7, series))
    for s in range(series):
        steps = np.flatnonzero(np.isfinite(rows[s])).astype(np.float64)
        known = rows[s][np.isfinite(rows[s])]
        n = known.size
        out[0, s] = n
        out[2, s] = np.nan
        out[6, s] = 1.0
        if n < 3:
            continue
        out[1, s] = steps[-1] - steps[0] + 1.0
        slopes = _slopes(steps, known)
        middle = slopes.size // 2
        slope = slopes[middle] if slopes.size % 2 else 0.5 * (slopes[middle - 1] + slopes[middle])
        out[2, s] = slope
        for value in slopes:
            out[3, s] += np.sign(value)
        ordered, run = ascending(known), 1.0
        for i in range(1, n + 1):
            if i < n and ordered[i] == ordered[i - 1]:
                run += 1.0
            else:
                out[4, s] += run * (run - 1.0) * (2.0 * run + 5.0)
                run = 1.0
        residual = known - slope * steps
        residual -= residual.mean()
        product, pairs = 0.0, 0.0
        for i in range(1, n):
            if steps[i] - steps[i - 1] == 1.0:
                product += residual[i] * residual[i - 1]
                pairs += 1.0
        power = (residual * residual).mean()
        if pairs > 0 and power > 0:
            out[5, s] = product / pairs / power
        out[6, s] = _rank_correlations(known - slope * steps, significant)
    return out


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sen_limits(rows: Any, half: Any, skip: Any) -> Any:
    """Limits of Sen's interval per step: the slopes whose ranks lie `half` / 2 to each side of the middle."""
    series = rows.shape[0]
    out = np.full((2, series), np.nan)
    for s in range(series):
        if skip[s]:
            continue
        steps = np.flatnonzero(np.isfinite(rows[s])).astype(np.float64)
        slopes = _slopes(steps, rows[s][np.isfinite(rows[s])])
        for end in range(2):
            position = 0.5 * (slopes.size + (half[s] if end else -half[s])) - 0.5
            position = min(max(position, 0.0), slopes.size - 1.0)
            below = int(position)
            above = min(below + 1, slopes.size - 1)
            out[end, s] = slopes[below] + (position - below) * (slopes[above] - slopes[below])
    return out


@dataclass(frozen=True)
class Step:
    """Difference of means after minus before a date, all (series,)."""

    difference: Floats
    ci_low: Floats
    ci_high: Floats
    p: Floats
    n_before: Floats
    n_after: Floats
    n_eff: Floats
    status: Codes


def step_at(values: npt.ArrayLike, position: int, model: Model = "tail_model", level: float = 0.95) -> Step:
    """Break at a declared date: the mean from `position` on minus the mean before.

    Parameters
    ----------
    values
        Daily differences product minus reference, (series, time), NaN = missing.
    position
        First day after the change.
    """
    array = np.asarray(values, float)
    mask = np.isfinite(array)
    late = np.arange(array.shape[1]) >= position
    sides = []
    for side in (mask & ~late, mask & late):
        count = side.sum(axis=1).astype(float)
        mean = np.where(side, array, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan)
        sides.append((side, count, mean))
    (before, n_before, mean_before), (after, n_after, mean_after) = sides
    n = n_before + n_after
    with np.errstate(divide="ignore", invalid="ignore"):
        psi = np.where(after, (array - mean_after[:, None]) * (n / n_after)[:, None], 0.0)
        psi -= np.where(before, (array - mean_before[:, None]) * (n / n_before)[:, None], 0.0)
    run = MODELS[model](np.nan_to_num(psi), Gaps.of(mask))
    few = np.minimum(n_before, n_after) < FEWEST_DAYS_IN_MONTH
    status = np.where(few, CODE["few_samples"], status_of(n, run.n_eff, ~np.isfinite(run.variance))).astype(np.int8)
    shown = (status == CODE["ok"]) | (status == CODE["short"])
    difference = mean_after - mean_before
    error = np.sqrt(np.where(shown, run.variance, np.nan))
    half = t_quantile(level, np.nan_to_num(run.dof, nan=1.0)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = t_p_value(difference / error, np.nan_to_num(run.dof, nan=1.0))
    return Step(difference, difference - half, difference + half, p, n_before, n_after, run.n_eff, status)


@dataclass(frozen=True)
class Break:
    """The most likely undeclared break of each series, all (series,).

    `position` is the first step after it; `difference` the median after minus before; `p` that of Pettitt's test
    with blocks of steps permuted.
    """

    position: npt.NDArray[np.int64]
    difference: Floats
    p: Floats
    n: Floats
    status: Codes


def pettitt(
    values: npt.ArrayLike,
    *,
    seed: int = 0,
    permutations: int = 999,
    fewest: int = FEWEST_MONTHS,
    block: int | None = None,
) -> Break:
    """Undeclared break, at most one for each series (Pettitt 1979, doi 10.2307/2346729).

    Parameters
    ----------
    values
        Monthly differences without their climatology, (series, month), NaN = missing; a trend is not removed.
    seed, permutations
        Blocks of months are permuted this often, the same way for all series.
    fewest
        Fewest values.
    block
        Months in a block; default four times (1 + r) / (1 - r) of the residuals, which keeps the level up to r 0.6.
    """
    array = np.asarray(values, float)
    shapes = array.shape[0]
    position, p = np.full(shapes, -1, np.int64), np.full(shapes, np.nan)
    difference, n = np.full(shapes, np.nan), np.isfinite(array).sum(axis=1).astype(float)
    status = np.where(n < fewest, CODE["few_samples"], CODE["ok"]).astype(np.int8)
    for s in range(shapes):
        if status[s] != CODE["ok"]:
            continue
        steps = np.flatnonzero(np.isfinite(array[s]))
        known = array[s][steps]
        if np.ptp(known) == 0:
            status[s] = CODE["constant_series"]
            continue
        found, largest = _pettitt(known)
        after = known[found:]
        difference[s] = np.median(after) - np.median(known[:found])
        length = block or _block_of(known, found)
        generator = np.random.Generator(np.random.Philox(key=[seed, int(length)]))
        drawn = _permuted(known.size, length, permutations, generator)
        exceed = sum(_pettitt(known[order])[1] >= largest - 1e-9 for order in drawn)
        position[s], p[s] = steps[found], (1.0 + exceed) / (1.0 + permutations)
    return Break(position, difference, p, n, status)


def _block_of(known: Floats, found: int) -> int:
    """Months in a block, from the lag-1 autocorrelation without the step."""
    rest = np.concatenate([known[:found] - known[:found].mean(), known[found:] - known[found:].mean()])
    r = float(np.clip((rest[1:] * rest[:-1]).sum() / max((rest**2).sum(), 1e-300), 0.0, 0.95))
    return int(np.clip(np.ceil(4.0 * (1.0 + r) / (1.0 - r)) if r > 0.1 else 1, 1, max(known.size // 8, 1)))


def _permuted(size: int, length: int, permutations: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Orders of `size` steps in which whole blocks change places, from a random first block on."""
    out = np.empty((permutations, size), np.int64)
    for row in range(permutations):
        turned = (np.arange(size) + generator.integers(size)) % size
        blocks = np.array_split(turned, max(size // length, 1))
        out[row] = np.concatenate([blocks[k] for k in generator.permutation(len(blocks))])
    return out


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pettitt(known: Any) -> Any:
    """First position after the break and the largest absolute U, from mid-ranks."""
    n = known.size
    ranks = _mid_ranks(known)
    best, position, total = -1.0, 1, 0.0
    for t in range(n - 1):
        total += 2.0 * ranks[t] - (n + 1)
        if abs(total) > best:
            best, position = abs(total), t + 1
    return position, best
