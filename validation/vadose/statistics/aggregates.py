"""Averages over stations or cells and paired differences, with dependence between them in every interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.distributions import t_p_value, t_quantile
from vadose.statistics.longrun import DAYS_PER_YEAR, Floats, Gaps, tail_model
from vadose.statistics.sums import Moments

Average = Literal["median", "mean"]

FEWEST_CLUSTERS = 5
REPLICATES = 500


@dataclass(frozen=True)
class Spread:
    """An average over stations with its interval (scope time and space)."""

    value: float
    ci_low: float
    ci_high: float
    n_eff: float
    status: str


def weighted_median(values: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Median along the last axis; with equal weights that of `numpy.median`. NaN values have no weight."""
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    order = np.argsort(values, axis=-1, kind="stable")
    if values.ndim == 1:
        # One sort serves all replicates of a bootstrap.
        order = order[np.isfinite(values[order])]
        rows = weights.reshape(int(np.prod(weights.shape[:-1])), values.size)
        middles = kernels.weighted_middles(values[order], np.ascontiguousarray(rows.T), order)
        return np.asarray(middles).reshape(weights.shape[:-1])
    ordered = np.take_along_axis(values, order, axis=-1)
    mass = np.take_along_axis(np.broadcast_to(weights, values.shape), order, axis=-1)
    mass = np.where(np.isfinite(ordered), mass, 0.0)
    share = np.cumsum(mass, axis=-1)
    total = share[..., -1:]
    half = total / 2.0
    tiny = 1e-12 * total
    low = (share >= half - tiny).argmax(axis=-1)[..., None]
    high = (share > half + tiny).argmax(axis=-1)[..., None]
    middle = (np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1)) / 2.0
    return np.asarray(np.where(total > 0, middle, np.nan)[..., 0])


def weighted_mean(values: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Mean along the last axis; NaN values have no weight."""
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    if values.ndim == 1 and weights.ndim > 1:
        known = np.isfinite(values)
        total = weights @ known.astype(float)
        return np.asarray(weights @ np.where(known, values, 0.0) / np.where(total > 0, total, np.nan))
    values, weights = np.broadcast_arrays(values, weights)
    mass = np.where(np.isfinite(values), weights, 0.0)
    total = mass.sum(axis=-1)
    mean = (np.where(mass > 0, values, 0.0) * mass).sum(axis=-1) / np.where(total > 0, total, np.nan)
    return np.asarray(mean)


def weighted_quantile(values: npt.ArrayLike, weights: npt.ArrayLike, share: float) -> float:
    """Smallest value below which at least this share of the weights lies, for quartiles beside a median, (station,)."""
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    known = np.isfinite(values) & (weights > 0)
    if not known.any():
        return float("nan")
    order = np.argsort(values[known], kind="stable")
    mass = np.cumsum(weights[known][order])
    return float(values[known][order][np.searchsorted(mass, share * mass[-1] * (1.0 - 1e-12))])


def mean_z(r: npt.ArrayLike, n_eff: npt.ArrayLike) -> float:
    """Correlation of the mean Fisher z with weights n_eff - 3, (station,); |R| = 1 and n_eff up to 3 do not count."""
    values, days = np.asarray(r, float), np.asarray(n_eff, float)
    counts = np.isfinite(values) & (np.abs(values) < 1.0) & (days > 3.0)
    if not counts.any():
        return float("nan")
    weights = days[counts] - 3.0
    return float(np.tanh((np.arctanh(values[counts]) * weights).sum() / weights.sum()))


def pooled(m: Moments) -> Moments:
    """Moments of the days of all stations together: sums added, so that any metric takes its root last, ()."""
    n = np.where(np.nan_to_num(m.n) > 0, m.n, 0.0)
    total = n.sum()
    share = n / total if total > 0 else np.full(n.shape, np.nan)

    def mean(part: Floats) -> Floats:
        return np.asarray(np.where(n > 0, np.nan_to_num(part), 0.0) @ share)

    mean_x, mean_r = mean(m.mean_x), mean(m.mean_r)
    dx, dr = np.nan_to_num(m.mean_x - mean_x), np.nan_to_num(m.mean_r - mean_r)
    return Moments(
        n=np.asarray(total), mean_x=mean_x, mean_r=mean_r, var_x=mean(m.var_x) + mean(dx**2),
        var_r=mean(m.var_r) + mean(dr**2), cov=mean(m.cov) + mean(dx * dr), mean_abs=mean(m.mean_abs),
    )  # fmt: skip


AVERAGES = {"median": weighted_median, "mean": weighted_mean}


def cluster_weights(clusters: npt.ArrayLike, valid: npt.ArrayLike) -> Floats:
    """Weights that sum to 1 and are equal for every cluster with a valid station, (station,)."""
    clusters, valid = np.asarray(clusters), np.asarray(valid, bool)
    _, inverse = np.unique(clusters, return_inverse=True)
    members = np.bincount(inverse, weights=valid)[inverse]
    weight = np.where(valid, 1.0 / np.where(members > 0, members, 1.0), 0.0)
    total = float(weight.sum())
    return np.asarray(weight / total if total > 0 else weight)


def resampled_weights(clusters: npt.ArrayLike, weights: Floats, seed: int, replicates: int = REPLICATES) -> Floats:
    """Weights of bootstrap replicates in which whole clusters are drawn, (replicates, station).

    The draw depends on the seed and on the number of clusters only, so that all metrics and products of the same
    stations share it.
    """
    _, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(inverse.max()) + 1 if inverse.size else 0
    generator = np.random.Generator(np.random.Philox(key=[seed, count]))
    draws = generator.multinomial(count, np.full(count, 1.0 / max(count, 1)), size=replicates)
    return np.asarray(draws[:, inverse] * weights)


def network_time_error(influence: Floats, present: npt.ArrayLike, year: float = DAYS_PER_YEAR) -> tuple[float, float]:
    """Standard error over other days of a mean over stations, and its n_eff.

    Parameters
    ----------
    influence
        Sum over stations of w_s psi_s(t) N / n_s, (time,), N = `present.sum()`.
    present
        Whether any station is matched on the day, (time,).
    year
        Steps in a year: 12 where they are months.
    """
    mask = np.asarray(present, bool)[None]
    psi = np.where(mask, influence[None], 0.0)
    run = tail_model(psi - np.where(mask, psi.sum() / max(mask.sum(), 1), 0.0), Gaps.of(mask, year))
    return float(np.sqrt(run.variance[0])), float(run.n_eff[0])


def spread(
    average: Average, values: Floats, weights: Floats, replicates: Floats, clusters: int,
    time_error: float = np.nan, n_eff: float = np.nan, mean_values: Floats | None = None, level: float = 0.95,
) -> Spread:  # fmt: skip
    """An average over stations with an interval for other days at other places.

    The standard error is that of the cluster bootstrap, enlarged where the weather that stations share makes the
    mean over the same stations less certain than independent clusters would: se = se_boot max(1, se_time / se_mean).

    Parameters
    ----------
    average
        `median` or `mean`.
    values, weights
        Value and weight of each station, (station,); NaN values have no weight.
    replicates
        `resampled_weights`, (replicates, station).
    clusters
        Number of clusters with a valid value; below 5 there is no interval (`few_stations`).
    time_error, n_eff
        `network_time_error` of the mean, on the scale of `mean_values`.
    mean_values
        Values on the scale on which `time_error` holds (Fisher z, log); default `values`.
    """
    function = AVERAGES[average]
    value = float(function(values, weights))
    if clusters < FEWEST_CLUSTERS or not np.isfinite(value):
        return Spread(value, np.nan, np.nan, n_eff, "few_stations")
    drawn = function(values, replicates)
    se = float(np.nanstd(drawn))
    se_mean = float(np.nanstd(weighted_mean(values if mean_values is None else mean_values, replicates)))
    if np.isfinite(time_error) and se_mean > 0:
        se *= max(1.0, time_error / se_mean)
    dof = min(clusters, n_eff if np.isfinite(n_eff) else clusters) - 1.0
    half = float(t_quantile(level, max(dof, 2.0))) * se
    status = "ok" if not np.isfinite(n_eff) or n_eff >= 30 else "short" if n_eff >= 10 else "few_effective"
    if status == "few_effective":
        return Spread(value, np.nan, np.nan, n_eff, status)
    return Spread(value, value - half, value + half, n_eff, status)


def adjusted(p: npt.ArrayLike, method: Literal["bh", "by"] = "bh") -> Floats:
    """Adjusted p-values of families along the last axis, (..., tests); NaN is no test and stays NaN.

    `bh`: Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x, for tests that do not contradict each
    other; `by`: Benjamini and Yekutieli 2001, doi 10.1214/aos/1013699998, for any dependence.
    """
    values = np.asarray(p, float)
    tested = np.isfinite(values)
    count = tested.sum(axis=-1, keepdims=True)
    order = np.argsort(np.where(tested, values, np.inf), axis=-1, kind="stable")
    ordered = np.take_along_axis(np.where(tested, values, np.inf), order, axis=-1)
    position = np.arange(1, values.shape[-1] + 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / position)])
    factor = np.maximum(count, 1) * (harmonic[count] if method == "by" else 1.0)
    stepped = ordered * factor / position
    smallest = np.minimum(np.minimum.accumulate(stepped[..., ::-1], axis=-1)[..., ::-1], 1.0)
    out = np.empty(values.shape)
    np.put_along_axis(out, order, smallest, axis=-1)
    return np.where(tested, out, np.nan)


def outcome(difference: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, p_adjusted: npt.ArrayLike,
            margin: float, better: str, level: float = 0.05) -> npt.NDArray[np.str_]:  # fmt: skip
    """`better`, `worse`, `equal` (interval inside the margin) or `undecided` of ours minus rival.

    `better` names the good direction of the metric, `low` or `high`.
    """
    difference, low, high, p = (np.asarray(a, float) for a in (difference, low, high, p_adjusted))
    sign = -1.0 if better == "low" else 1.0
    significant = p < level
    words = np.where((low > -margin) & (high < margin), "equal", "undecided")
    words = np.where(significant & (sign * difference > 0), "better", words)
    return np.where(significant & (sign * difference < 0), "worse", words)


def difference_p_value(difference: npt.ArrayLike, variance: npt.ArrayLike, n_eff: npt.ArrayLike) -> Floats:
    """Two-sided p-value of a difference with this variance and effective number of days."""
    variance = np.asarray(variance, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.asarray(difference, float) / np.sqrt(np.where(variance > 0, variance, np.nan))
    return t_p_value(t, np.maximum(np.nan_to_num(n_eff, nan=3.0) - 1.0, 1.0))
