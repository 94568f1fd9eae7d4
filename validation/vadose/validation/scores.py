"""The score table of one reference: every station, their averages, and strata of days and stations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import METRICS, Metric, Moments, Pairing, anomaly_35d, evaluate, metric, moments, words
from vadose.statistics.aggregates import (
    Average,
    cluster_weights,
    network_time_error,
    resampled_weights,
    spread,
    weighted_mean,
)
from vadose.statistics.intervals import MINIMUM_DAYS, Estimate
from vadose.statistics.metrics import is_constant

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]
Result = TypeVar("Result")

KEY = (
    "product", "version", "method", "seed", "fold", "reference", "stratum_kind", "stratum", "subset", "split",
    "signal", "scaling", "aggregate", "metric",
)  # fmt: skip
NUMBERS = ("value", "ci_low", "ci_high")
COLUMNS = (*KEY, *NUMBERS, "ci_method", "ci_scope", "n", "n_eff", "coverage", "status")

# What every series is scored with: metric and signal.
HEADLINE: tuple[tuple[str, str], ...] = (
    ("bias", "raw"), ("mae", "raw"), ("rmse", "raw"), ("ubrmsd", "raw"), ("r", "raw"), ("r2_explained", "raw"),
    ("r", "anomaly_35d"),
)  # fmt: skip
IN_STRATA_OF_DAYS: tuple[tuple[str, str], ...] = (("bias", "raw"), ("rmse", "raw"), ("ubrmsd", "raw"), ("r", "raw"))
AVERAGES_SHOWN: tuple[Average, ...] = ("median", "mean")
SEASONS = ("DJF", "MAM", "JJA", "SON")
# Series are scored in blocks that fit into a processor's cache.
BLOCK = 64
_DRAWS_KEPT = 16

assert {name for name, _ in HEADLINE} <= {one.name for one in METRICS}


@dataclass(frozen=True)
class Sample:
    """One product against the reference, both (station, time), NaN where unmatched, and the names of its rows.

    `keys` holds product, version, reference, subset and split; `coverage` is matched over valid days, (station,).
    """

    x: Floats
    r: Floats
    keys: Mapping[str, str]
    coverage: Floats
    stations: npt.NDArray[np.str_]


@dataclass(frozen=True)
class Network:
    """How stations are averaged: their clusters, and the classes that form strata (kind, name, stations)."""

    clusters: npt.NDArray[np.int64]
    groups: tuple[tuple[str, str, Booleans], ...]
    equal_stations: bool = False
    seed: int = 0
    _draws: dict[bytes, Floats] = field(default_factory=dict)

    def weights(self, valid: Booleans) -> Floats:
        """Weights that sum to 1: every cluster the same, or with `equal_stations` every station, (station,)."""
        return cluster_weights(np.arange(valid.size) if self.equal_stations else self.clusters, valid)

    def without_groups(self) -> Network:
        """The same network without classes of stations."""
        return replace(self, groups=())

    def draws(self, weights: Floats) -> Floats:
        """Bootstrap weights, drawn once for all metrics and products that average the same stations."""
        chosen = weights > 0
        key = np.packbits(chosen).tobytes()
        if key not in self._draws:
            if len(self._draws) >= _DRAWS_KEPT:
                self._draws.clear()
            drawn = resampled_weights(self.clusters[chosen], weights[chosen], self.seed)
            out = np.zeros((len(drawn), weights.size))
            out[:, chosen] = drawn
            self._draws[key] = out
        return self._draws[key]

    def count(self, valid: Booleans) -> int:
        """Clusters with a valid station."""
        return int(np.unique(self.clusters[valid]).size)


@dataclass(frozen=True)
class Scored:
    """One metric of a sample: per station, and the influence of the network mean of each group, (group, time)."""

    metric: Metric
    signal: str
    estimate: Estimate
    influence: Floats
    present: Booleans


def seasons(days: Days) -> npt.NDArray[np.int64]:
    """0 to 3 for DJF, MAM, JJA, SON."""
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    return np.asarray((month + 1) % 12 // 3)


def score(sample: Sample, network: Network, which: tuple[tuple[str, str], ...], *, intervals: bool) -> Iterator[Scored]:
    """Metrics of all stations of a sample.

    Parameters
    ----------
    sample, network
        What is scored, and how stations are averaged.
    which
        Pairs of metric and signal.
    intervals
        Whether every station gets its interval; the network means always get theirs.
    """
    for signal in dict.fromkeys(one for _, one in which):
        metrics = [metric(name) for name, of in which if of == signal]
        x, r = _signal(sample, signal)
        m = moments(x, r)
        yield from _score(x, r, m, metrics, signal, network, intervals)


def _signal(sample: Sample, signal: str) -> tuple[Floats, Floats]:
    if signal == "raw":
        return sample.x, sample.r
    matched = np.isfinite(sample.x) & np.isfinite(sample.r)
    out = np.full((2, *matched.shape), np.nan)
    for start in range(0, len(matched), BLOCK):
        rows = slice(start, start + BLOCK)
        for position, one in enumerate((sample.x, sample.r)):
            out[position, rows] = anomaly_35d(np.where(matched[rows], one[rows], np.nan))
    return out[0], out[1]


def _values(one: Metric, m: Moments) -> Floats:
    return np.where(m.n >= MINIMUM_DAYS, evaluate(one, m), np.nan)


def _score(
    x: Floats, r: Floats, m: Moments, metrics: list[Metric], signal: str, network: Network, intervals: bool
) -> Iterator[Scored]:
    values = {one.name: _values(one, m) for one in metrics}
    masks = [np.ones(len(x), bool), *(stations for *_, stations in network.groups)]
    weights = {
        name: np.stack([network.weights(mask & np.isfinite(value)) for mask in masks]) for name, value in values.items()
    }
    present = np.stack([(np.isfinite(x) & np.isfinite(r))[mask].any(axis=0) for mask in masks])
    influence = {name: np.zeros((len(masks), x.shape[1])) for name in values}
    estimates: dict[str, list[Estimate]] = {name: [] for name in values}

    def block(rows: slice) -> list[tuple[Estimate | None, Floats]]:
        pairing = Pairing.of(x[rows], r[rows], m.rows(rows))
        found = []
        for one in metrics:
            psi = pairing.influence(one)
            share = weights[one.name][:, rows] / np.maximum(pairing.moments.n, 1.0)
            found.append((pairing.estimate(one, psi=psi) if intervals else None, share @ psi))
        return found

    # Blocks are added in their order, so that the sums do not depend on the number of threads.
    for found in in_threads(block, len(x)):
        for one, (estimate, part) in zip(metrics, found, strict=True):
            influence[one.name] += part
            if estimate is not None:
                estimates[one.name].append(estimate)
    for one in metrics:
        every = _joined(estimates[one.name]) if intervals else _bare(one, values[one.name], m)
        span = present.sum(axis=1)[:, None]
        yield Scored(one, signal, every, influence[one.name] * span, present)


def in_threads(function: Callable[[slice], Result], stations: int) -> Iterator[Result]:
    """Results of `function` for blocks of stations, in order; the work is done in as many threads as cores."""
    blocks = [slice(start, min(start + BLOCK, stations)) for start in range(0, stations, BLOCK)]
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        yield from pool.map(function, blocks)


def _joined(parts: list[Estimate]) -> Estimate:
    names = ("value", "ci_low", "ci_high", "n", "n_eff", "status")
    return Estimate(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _bare(one: Metric, value: Floats, m: Moments) -> Estimate:
    nothing = np.full(value.shape, np.nan)
    constant = np.zeros(value.shape, bool)
    for which in one.varies:
        constant |= is_constant(m, which)
    return Estimate(value, nothing, nothing, m.n, nothing, np.zeros(value.shape, np.int8))


def station_rows(sample: Sample, scored: Scored) -> pd.DataFrame:
    """One row for each station."""
    found = scored.estimate
    frame = _frame(sample, scored, len(found.value), "station", sample.stations, "")
    status = words(found.status).astype(object)
    status[found.n == 0] = "no_overlap"
    shown = np.isfinite(found.ci_low)
    return frame.assign(
        **{name: getattr(found, name) for name in ("value", "ci_low", "ci_high", "n", "n_eff")},
        ci_method=np.where(shown, "tail_model", ""), ci_scope=np.where(shown, "time", ""),
        coverage=sample.coverage, status=status,
    )  # fmt: skip


def average_rows(
    sample: Sample, scored: Scored, network: Network, groups: tuple[tuple[str, str, Booleans], ...] | None = None
) -> pd.DataFrame:
    """Median and mean over all stations and over those of every class."""
    named = (("all", "all", np.ones(len(sample.x), bool)), *network.groups) if groups is None else groups
    return pd.concat([_group_rows(sample, scored, network, row, *group) for row, group in enumerate(named)])


def _group_rows(
    sample: Sample, scored: Scored, network: Network, row: int, kind: str, name: str, stations: Booleans
) -> pd.DataFrame:
    value = np.where(stations, scored.estimate.value, np.nan)
    valid = np.isfinite(value)
    weights = network.weights(valid)
    frame = _frame(sample, scored, len(AVERAGES_SHOWN), kind, name, list(AVERAGES_SHOWN))
    if not valid.any():
        empty = {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan, "n_eff": np.nan, "n": 0, "coverage": np.nan}
        return frame.assign(**empty, ci_method="", ci_scope="", status="no_overlap")
    error, n_eff = network_time_error(scored.influence[row], scored.present[row])
    draws = network.draws(weights)
    on_scale = _on_scale(scored.metric, value)
    spreads = [
        spread(average, value, weights, draws, network.count(valid), error, n_eff, on_scale)
        for average in AVERAGES_SHOWN
    ]
    columns = {
        name: [getattr(one, name) for one in spreads] for name in ("value", "ci_low", "ci_high", "n_eff", "status")
    }
    shown = np.isfinite(columns["ci_low"])
    return frame.assign(
        **columns, ci_method=np.where(shown, "cluster_bootstrap+tail_model", ""),
        ci_scope=np.where(shown, "time_space", ""), n=int(valid.sum()),
        coverage=float(weighted_mean(sample.coverage, weights)),
    )  # fmt: skip


def _on_scale(one: Metric, value: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        if one.scale == "fisher":
            return np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
        if one.scale in ("log", "chi_square"):
            return np.log(np.where(value > 0, value, np.nan))
    return value


def _frame(
    sample: Sample,
    scored: Scored,
    length: int,
    kind: str,
    stratum: str | npt.NDArray[np.str_],
    aggregate: str | list[str],
) -> pd.DataFrame:
    columns: dict[str, Any] = {"method": "", "seed": "", "fold": "", **sample.keys}
    columns |= {
        "stratum_kind": kind, "stratum": stratum, "aggregate": aggregate, "signal": scored.signal, "scaling": "none",
        "metric": scored.metric.name,
    }  # fmt: skip
    return pd.DataFrame(columns, index=range(length))


def sample_rows(sample: Sample, network: Network) -> pd.DataFrame:
    """Rows of one product in one subset: stations, averages over all of them and over their classes."""
    frames: list[pd.DataFrame] = []
    for scored in score(sample, network, HEADLINE, intervals=True):
        frames += [station_rows(sample, scored), average_rows(sample, scored, network)]
    return pd.concat(frames, ignore_index=True)


def day_rows(sample: Sample, network: Network, days: Days) -> pd.DataFrame:
    """Averages over all stations in seasons and years."""
    frames: list[pd.DataFrame] = []
    everywhere = network.without_groups()
    for kind, name, chosen in day_strata(days):
        part = Sample(sample.x[:, chosen], sample.r[:, chosen], sample.keys, sample.coverage, sample.stations)
        for scored in score(part, everywhere, IN_STRATA_OF_DAYS, intervals=False):
            group = ((kind, name, np.ones(len(part.x), bool)),)
            frames.append(average_rows(part, scored, everywhere, group))
    return pd.concat(frames, ignore_index=True)


def overall_rows(sample: Sample, network: Network) -> pd.DataFrame:
    """Only the averages over all stations, for samples that are shown beside the headline."""
    everywhere = network.without_groups()
    frames = [
        average_rows(sample, scored, everywhere) for scored in score(sample, everywhere, HEADLINE, intervals=False)
    ]
    return pd.concat(frames, ignore_index=True)


def day_strata(days: Days) -> list[tuple[str, str, Booleans]]:
    """Seasons, and years where there are several."""
    season = seasons(days)
    out = [("season", name, season == number) for number, name in enumerate(SEASONS) if (season == number).any()]
    years = days.astype("datetime64[Y]")
    if np.unique(years).size > 1:
        out += [("year", str(year), years == year) for year in np.unique(years)]
    return out


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Fixed columns and types, sorted by the key, without index."""
    out = frame[list(COLUMNS)].copy()
    for name in (*KEY, "ci_method", "ci_scope", "status"):
        out[name] = out[name].astype(str)
    for name in (*NUMBERS, "n_eff", "coverage"):
        out[name] = out[name].astype(np.float64)
    out["n"] = out["n"].astype(np.int64)
    return out.sort_values(list(KEY), kind="stable", ignore_index=True)
