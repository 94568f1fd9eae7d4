"""Averages over stations or cells in all strata, with intervals that hold for other days at other places."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import Metric, Moments, evaluate, mean_z, metric, weighted_mean
from vadose.statistics.aggregates import FEWEST_CLUSTERS, Average, Spread, spread
from vadose.statistics.differences import on_scale
from vadose.statistics.intervals import MINIMUM_DAYS, limits
from vadose.validation.means import BOOTSTRAP, Means
from vadose.validation.network import Network
from vadose.validation.scores import CORRELATED, Row, Sample, Scored, key_of, station_words
from vadose.validation.strata import DayStrata, class_influence, class_moments, class_present

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

AVERAGES_SHOWN: tuple[Average, ...] = ("median", "mean")
METHOD = "cluster_bootstrap"
# What a station may say that is no reason for an average without a value.
_NO_REASON = ("ok", "short", "few_effective", "no_overlap")
# Pooled sums are taken about this level, so that they keep their digits.
_LEVEL = 0.25


def average_rows(sample: Sample, scored: Scored, network: Network, *, everywhere: bool = False) -> list[Row]:
    """Averages over all stations and, unless `everywhere`, over those of every class."""
    groups: list[tuple[str, str, Booleans]] = [("all", "all", np.ones(len(sample.stations), bool))]
    if not everywhere:
        groups += network.groups
    out: list[Row] = []
    said = station_words(sample, scored)
    for row, (kind, name, members) in enumerate(groups):
        value = np.where(members, scored.estimate.value, np.nan)
        timed = _time_error(scored.metric, scored.means, row)
        found = [*_averages(scored.metric, value, network, timed), *_together(scored, value, network, timed)]
        empty = _nothing(said[members])
        out += _rows(sample, scored.metric, scored.signal, network, kind, name, value, found, scored.means.model, empty)
    return out


def cluster_rows(sample: Sample, scored: Scored, network: Network) -> pd.DataFrame:
    """Median and mean over the stations of every cluster that has several.

    `stratum` is the number of the cluster in `stations.parquet`. One cluster says nothing about other places, so these
    averages have no interval: `few_stations`.
    """
    crowded = network.crowded
    value, numbers = scored.estimate.value[crowded], network.clusters[crowded]
    coverage = np.where(np.isfinite(value), sample.coverage[crowded], np.nan)
    by = pd.DataFrame({"value": value, "coverage": coverage}).groupby(numbers)
    found = by.mean().assign(n=by["value"].count())
    said = station_words(sample, scored)[crowded]
    found["status"] = ["few_stations" if n else _nothing(said[numbers == number]) for number, n in found["n"].items()]
    key = key_of(sample, scored.metric, scored.signal, "cluster", found.index.astype(str))
    found = found.assign(ci_low=np.nan, ci_high=np.nan, ci_method="", ci_scope="", n_eff=np.nan, **key)
    middle = found.assign(value=by["value"].median(), aggregate="median")
    return pd.concat([middle, found.assign(aggregate="mean")], ignore_index=True)


def _together(scored: Scored, value: Floats, network: Network, timed: tuple[float, float]) -> list[tuple[str, Spread]]:
    """The averages that weigh stations by their days: `mean_z` of correlations and `pooled`."""
    one, valid = scored.metric, np.isfinite(value)
    out: list[tuple[str, Spread]] = []
    if not valid.any():
        return out
    drawn = _Drawn(network.draws(valid), network.weights(valid)[valid], network.count(valid), *timed)
    scaled = on_scale(one, value[valid])
    weights = np.nan_to_num(np.maximum(scored.estimate.n_eff[valid] - 3.0, 0.0))
    weights = np.where(np.abs(value[valid]) < 1.0, weights, 0.0)
    if one.scale == "fisher" and weights.any():
        found = mean_z(value[valid], scored.estimate.n_eff[valid])
        out.append(("mean_z", drawn.spread(one, found, drawn.means(scaled, weights), scaled)))
    if one.name != "rho":
        sums = _day_sums(Moments(*scored.moments.stacked()[:, valid]))
        whole, replicates = (_of_sums(one, total) for total in (sums.sum(axis=0), drawn.sums(sums)))
        out.append(("pooled", drawn.spread(one, float(whole), on_scale(one, replicates), scaled)))
    return out


@dataclass(frozen=True)
class _Drawn:
    """Draws of clusters and the error over other days, for averages that do not weigh clusters equally.

    `weights` are those that `draws`, (replicate, station), hold a multiple of; `error` is that of their mean.
    """

    draws: Floats
    weights: Floats
    clusters: int
    error: float
    n_eff: float

    def sums(self, values: Floats) -> Floats:
        """Sums over the stations drawn, (replicate, ...), up to one factor; `values` are (station, ...)."""
        return np.asarray(self.draws @ (values.T / self.weights).T)

    def means(self, values: Floats, weights: Floats) -> Floats:
        """Weighted means over the stations drawn, (replicate,)."""
        known = weights > 0
        total = self.sums(np.stack([np.where(known, values, 0.0) * weights, weights], axis=1))
        return np.asarray(total[:, 0] / np.where(total[:, 1] > 0, total[:, 1], np.nan))

    def spread(self, one: Metric, value: float, replicates: Floats, scaled: Floats) -> Spread:
        """The average with its interval on the scale of the metric; as `aggregates.spread` for equal clusters."""
        if self.clusters < FEWEST_CLUSTERS or not np.isfinite(value):
            return Spread(value, np.nan, np.nan, self.n_eff, "few_stations")
        if np.isfinite(self.n_eff) and self.n_eff < 10:
            return Spread(value, np.nan, np.nan, self.n_eff, "few_effective")
        equal = float(np.nanstd(weighted_mean(scaled, self.draws)))
        wider = max(1.0, self.error / equal) if np.isfinite(self.error) and equal > 0 else 1.0
        variance = np.asarray((float(np.nanstd(replicates)) * wider) ** 2)
        dof = max(min(self.clusters, self.n_eff if np.isfinite(self.n_eff) else self.clusters) - 1.0, 2.0)
        scale = "log" if one.scale == "chi_square" else one.scale or "identity"
        low, high = limits(np.asarray(value), variance, np.asarray(dof), scale)
        status = "short" if np.isfinite(self.n_eff) and self.n_eff < 30 else "ok"
        return Spread(value, float(low), float(high), self.n_eff, status)


def _day_sums(m: Moments) -> Floats:
    """Sums over the days of each station of 1, x, r, their products and abs(x - r), about one level, (station, 7)."""
    dx, dr = m.mean_x - _LEVEL, m.mean_r - _LEVEL
    means = (np.ones_like(dx), dx, dr, m.var_x + dx**2, m.var_r + dr**2, m.cov + dx * dr, m.mean_abs)
    return np.asarray(np.nan_to_num(np.stack(means, axis=1)) * m.n[:, None])


def _of_sums(one: Metric, sums: Floats) -> Floats:
    """A metric of the days of all stations together from their sums, (..., 7): roots come last."""
    n = sums[..., 0]
    dx, dr, xx, rr, xr, apart = np.moveaxis(sums[..., 1:] / np.where(n > 0, n, np.nan)[..., None], -1, 0)
    return evaluate(one, Moments(n, dx + _LEVEL, dr + _LEVEL, xx - dx**2, rr - dr**2, xr - dx * dr, apart))


def _nothing(said: npt.NDArray[np.object_]) -> str:
    """Why an average has no value, from the words of its stations.

    Too few years or no such signal, if any station says so; else what most stations with days say; `no_overlap`
    without one.
    """
    for word in ("few_years", "not_applicable"):
        if (said == word).any():
            return word
    reasons, counts = np.unique(said[~np.isin(said, _NO_REASON)].astype(str), return_counts=True)
    return str(reasons[counts.argmax()]) if reasons.size else "no_overlap"


def _averages(one: Metric, value: Floats, network: Network, timed: tuple[float, float]) -> list[tuple[str, Spread]]:
    """The averages of a metric over the stations with a value; none where no station has one."""
    valid = np.isfinite(value)
    if not valid.any():
        return []
    error, n_eff = timed
    draws, weights, clusters = network.draws(valid), network.weights(valid)[valid], network.count(valid)
    scaled = on_scale(one, value[valid])
    return [
        (name, spread(name, value[valid], weights, draws, clusters, error, n_eff, scaled)) for name in AVERAGES_SHOWN
    ]


def _time_error(one: Metric, means: Means, number: int) -> tuple[float, float]:
    """Error of a mean over other days and its n_eff; NaN for a metric with neither an influence series nor draws."""
    return means.time_error(number) if one.scale is not None or means.draws is not None else (np.nan, np.nan)


def _rows(
    sample: Sample, one: Metric, signal: str, network: Network, kind: str, name: str, value: Floats,
    found: Sequence[tuple[str, Spread]], model: str, empty: str,
) -> list[Row]:  # fmt: skip
    head: Row = {
        **key_of(sample, one, signal, kind, name), "value": np.nan, "ci_low": np.nan, "ci_high": np.nan,
        "ci_method": "", "ci_scope": "", "n": 0, "n_eff": np.nan, "coverage": np.nan, "status": empty,
    }  # fmt: skip
    if not found:
        return [{**head, "aggregate": aggregate} for aggregate in AVERAGES_SHOWN]
    valid = np.isfinite(value)
    head |= {"n": int(valid.sum()), "coverage": float(weighted_mean(sample.coverage, network.weights(valid)))}
    method = f"{METHOD}+{model}" if one.scale is not None or model == BOOTSTRAP else METHOD
    out = []
    for aggregate, average in found:
        shown = np.isfinite(average.ci_low)
        out.append({
            **head, "aggregate": aggregate, "value": average.value, "ci_low": average.ci_low,
            "ci_high": average.ci_high, "n_eff": average.n_eff, "status": average.status,
            "ci_method": method if shown else "", "ci_scope": "time_space" if shown else "",
        })  # fmt: skip
    return out


@dataclass(frozen=True)
class ClassScored:
    """One metric of a sample in every class of one kind of day stratum.

    `value` is (station, class); `enough` says in which classes a station has the days for a value, (class,).
    """

    metric: Metric
    strata: DayStrata
    value: Floats
    means: Means
    enough: Booleans


def score_classes(sample: Sample, network: Network, strata: DayStrata) -> list[ClassScored]:
    """Metrics of all stations in the classes of one kind of stratum."""
    present = class_present(sample.x, sample.r, strata)
    # Sensors on one level are what correlations see; without several sensors it is the same series.
    correlated = [name for name in strata.metrics if name in CORRELATED and sample.sensors is not None]
    plain = [name for name in strata.metrics if name not in correlated]
    found = _of_classes(sample, network, strata, plain, present)
    if correlated:
        found |= _of_classes(sample.levelled(), network, strata, correlated, present)
    return [found[name] for name in strata.metrics]


def _of_classes(
    sample: Sample, network: Network, strata: DayStrata, names: Sequence[str], present: Booleans
) -> dict[str, ClassScored]:
    """Some metrics of one sample in the classes of a stratum: one pass over the days for all of them."""
    m = class_moments(sample.x, sample.r, strata)
    metrics = [metric(name) for name in names]
    values, raw, gradients = [], [], []
    for one in metrics:
        value = np.where(m.n >= MINIMUM_DAYS, evaluate(one, m), np.nan)
        values.append(value)
        raw.append(np.stack([network.raw(np.isfinite(value[:, k])) for k in range(value.shape[1])], axis=1))
        assert one.gradient is not None, f"{one.name} has no interval"
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gradients.append(one.gradient(m).parts())
    weights = [one / np.maximum(m.n, 1.0) for one in raw]
    influence = class_influence(sample.x, sample.r, strata, m, gradients, weights)
    enough = np.asarray((m.n >= MINIMUM_DAYS).any(axis=0))
    means = [Means(influence[k], raw[k].sum(axis=0), present, year=sample.year) for k in range(len(metrics))]
    return {one.name: ClassScored(one, strata, values[k], means[k], enough) for k, one in enumerate(metrics)}


def joined_classes(parts: Sequence[ClassScored]) -> ClassScored:
    """The same metric of consecutive blocks of stations as one."""
    if len(parts) == 1:
        return parts[0]
    means = functools.reduce(operator.add, [part.means for part in parts])
    enough = np.logical_or.reduce([part.enough for part in parts])
    return replace(parts[0], value=np.concatenate([part.value for part in parts]), means=means, enough=enough)


def class_rows(sample: Sample, scored: ClassScored, network: Network) -> list[Row]:
    """Averages over all stations in every class that has a day."""
    out: list[Row] = []
    for number, name in enumerate(scored.strata.names):
        if scored.means.present[number].any():
            value = scored.value[:, number]
            found = _averages(scored.metric, value, network, _time_error(scored.metric, scored.means, number))
            model, kind = scored.means.model, scored.strata.kind
            empty = "constant_series" if scored.enough[number] else "few_samples"
            out += _rows(sample, scored.metric, "raw", network, kind, name, value, found, model, empty)
    return out
