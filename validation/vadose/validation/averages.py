"""Averages over stations or cells in all strata, with intervals that hold for other days at other places."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vadose.statistics import Metric, evaluate, metric, weighted_mean
from vadose.statistics.aggregates import Average, Spread, spread
from vadose.statistics.differences import on_scale
from vadose.statistics.intervals import MINIMUM_DAYS
from vadose.statistics.status import CODE
from vadose.validation.means import BOOTSTRAP, Means
from vadose.validation.network import Network
from vadose.validation.scores import Row, Sample, Scored, key_of
from vadose.validation.strata import DayStrata, class_influence, class_moments, class_present

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

AVERAGES_SHOWN: tuple[Average, ...] = ("median", "mean")
METHOD = "cluster_bootstrap"


def average_rows(sample: Sample, scored: Scored, network: Network, *, everywhere: bool = False) -> list[Row]:
    """Averages over all stations and, unless `everywhere`, over those of every class."""
    groups: list[tuple[str, str, Booleans]] = [("all", "all", np.ones(len(sample.stations), bool))]
    if not everywhere:
        groups += network.groups
    out: list[Row] = []
    for row, (kind, name, members) in enumerate(groups):
        value = np.where(members, scored.estimate.value, np.nan)
        found = _averages(scored.metric, value, network, scored.means, row)
        empty = _nothing(scored.estimate.status[members])
        out += _rows(sample, scored.metric, scored.signal, network, kind, name, value, found, scored.means.model, empty)
    return out


def _nothing(status: npt.NDArray[np.int8]) -> str:
    """Why an average has no value: too few years where that is what the stations with days say."""
    return "few_years" if (status == CODE["few_years"]).any() else "no_overlap"


def _averages(one: Metric, value: Floats, network: Network, means: Means, number: int) -> list[tuple[str, Spread]]:
    """The averages of a metric over the stations with a value; none where no station has one."""
    valid = np.isfinite(value)
    if not valid.any():
        return []
    error, n_eff = means.time_error(number) if _timed(one, means) else (np.nan, np.nan)
    draws, weights, clusters = network.draws(valid), network.weights(valid)[valid], network.count(valid)
    scaled = on_scale(one, value[valid])
    return [
        (name, spread(name, value[valid], weights, draws, clusters, error, n_eff, scaled)) for name in AVERAGES_SHOWN
    ]


def _timed(one: Metric, means: Means) -> bool:
    """Whether the error over other days is known: of a metric with an influence series, or with draws."""
    return one.scale is not None or means.draws is not None


def _rows(
    sample: Sample, one: Metric, signal: str, network: Network, kind: str, name: str, value: Floats,
    found: Sequence[tuple[str, Spread]], model: str, empty: str = "no_overlap",
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
    """One metric of a sample in every class of one kind of day stratum; `value` is (station, class)."""

    metric: Metric
    strata: DayStrata
    value: Floats
    means: Means


def score_classes(sample: Sample, network: Network, strata: DayStrata) -> list[ClassScored]:
    """Metrics of all stations in the classes of one kind of stratum."""
    m = class_moments(sample.x, sample.r, strata)
    present = class_present(sample.x, sample.r, strata)
    out = []
    for name in strata.metrics:
        one = metric(name)
        value = np.where(m.n >= MINIMUM_DAYS, evaluate(one, m), np.nan)
        raw = np.stack([network.raw(np.isfinite(value[:, k])) for k in range(value.shape[1])], axis=1)
        assert one.gradient is not None, f"{name} has no interval"
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gradient = one.gradient(m).parts()
        influence = class_influence(sample.x, sample.r, strata, m, gradient, raw / np.maximum(m.n, 1.0))
        out.append(ClassScored(one, strata, value, Means(influence, raw.sum(axis=0), present)))
    return out


def joined_classes(parts: Sequence[ClassScored]) -> ClassScored:
    """The same metric of consecutive blocks of stations as one."""
    if len(parts) == 1:
        return parts[0]
    means = functools.reduce(operator.add, [part.means for part in parts])
    return replace(parts[0], value=np.concatenate([part.value for part in parts]), means=means)


def class_rows(sample: Sample, scored: ClassScored, network: Network) -> list[Row]:
    """Averages over all stations in every class that has a day."""
    out: list[Row] = []
    for number, name in enumerate(scored.strata.names):
        if scored.means.present[number].any():
            value = scored.value[:, number]
            found = _averages(scored.metric, value, network, scored.means, number)
            model, kind = scored.means.model, scored.strata.kind
            out += _rows(sample, scored.metric, "raw", network, kind, name, value, found, model)
    return out
