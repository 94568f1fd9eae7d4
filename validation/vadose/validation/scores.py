"""The score table of one reference: every station, their averages, and strata of days and stations.

Stations are scored in blocks whose results can be joined, so that a map of any size needs the memory of one block.
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import (
    METRICS,
    Metric,
    Moments,
    Pairing,
    anomaly_35d,
    anomaly_climatology,
    anomaly_of_months,
    bootstrap,
    evaluate,
    metric,
    moments,
    ranks,
    words,
)
from vadose.statistics.intervals import MINIMUM_DAYS, Estimate
from vadose.statistics.longrun import DAYS_PER_YEAR, Model
from vadose.statistics.status import CODE, Codes
from vadose.validation.levels import levelled
from vadose.validation.means import BOOTSTRAP, MAP_BLOCK_DAYS, BlockDraws, Draws, Means, block_days
from vadose.validation.months import is_months, steps_per_year
from vadose.validation.network import Network
from vadose.validation.options import Interval

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]
Result = TypeVar("Result")
Which = tuple[tuple[str, str], ...]
Row = dict[str, Any]

KEY = (
    "product", "version", "method", "seed", "fold", "reference", "stratum_kind", "stratum", "subset", "split",
    "signal", "scaling", "aggregate", "metric",
)  # fmt: skip
NUMBERS = ("value", "ci_low", "ci_high")
COLUMNS = (*KEY, *NUMBERS, "ci_method", "ci_scope", "n", "n_eff", "coverage", "status")

# What every series is scored with: metric and signal.
HEADLINE: Which = (
    ("bias", "raw"), ("mae", "raw"), ("rmse", "raw"), ("ubrmsd", "raw"), ("r", "raw"), ("r2_explained", "raw"),
    ("r", "anomaly_35d"),
)  # fmt: skip
# What stations are scored with beside it.
FURTHER: Which = (
    ("nrmsd", "raw"), ("mse_bias", "raw"), ("mse_variance", "raw"), ("mse_correlation", "raw"), ("rho", "raw"),
    ("kge", "raw"), ("slope", "raw"), ("intercept", "raw"), ("std_ratio", "raw"), ("ubrmsd", "anomaly_35d"),
    ("r", "anomaly_climatology"),
)  # fmt: skip
# Scaling makes the bias 0 or takes away what it is about.
AFTER_SCALING: Which = (("rmse", "raw"), ("ubrmsd", "raw"), ("r", "raw"))
RHO = replace(metric("r"), name="rho")
CORRELATED = ("r", "rho")
# What a station without days may say beside that it has none.
WITHOUT_DAYS = (CODE["few_years"], CODE["not_applicable"])
# Series are scored in blocks that fit into a processor's cache.
BLOCK = 64

assert {name for name, _ in HEADLINE} <= {one.name for one in METRICS}


@dataclass(frozen=True)
class Sample:
    """One product against the reference, both (station, time), NaN where unmatched, and the names of its rows.

    `keys` holds product, version, reference, subset, split and scaling; `coverage` is matched over valid days,
    (station,); `status` says why a station has nothing, "" where it does not say, (station,); `days` are those of the
    time axis, for anomalies from a climatology; `sensors` are the numbers of successive sensors, (station, time).
    `whole` are product and reference on all their days, where anomalies are taken before matching.
    """

    x: Floats
    r: Floats
    keys: Mapping[str, str]
    coverage: Floats
    stations: npt.NDArray[np.str_]
    status: npt.NDArray[np.str_] | None = None
    days: npt.NDArray[np.datetime64] | None = None
    sensors: Floats | None = None
    whole: tuple[Floats, Floats] | None = None

    @property
    def in_months(self) -> bool:
        """Whether the time axis counts months."""
        return self.days is not None and is_months(self.days)

    @property
    def year(self) -> float:
        """Steps in a year."""
        return DAYS_PER_YEAR if self.days is None else steps_per_year(self.days)

    def levelled(self) -> Sample:
        """The same sample with every sensor on the level of its station, for whatever is correlated."""
        if self.sensors is None:
            return self
        matched = np.isfinite(self.x) & np.isfinite(self.r)
        x, r = (levelled(one, matched, self.sensors) for one in (self.x, self.r))
        whole = self.whole
        if whole is not None:
            whole = (levelled(whole[0], matched, self.sensors), levelled(whole[1], matched, self.sensors))
        return replace(self, x=x, r=r, sensors=None, whole=whole)

    def scaled(self, name: str, x: Floats, status: npt.NDArray[np.str_]) -> Sample:
        """The same sample with a scaled product."""
        return replace(self, x=x, keys={**self.keys, "scaling": name}, status=status)


@dataclass(frozen=True)
class Scored:
    """One metric of a sample: of every station, and the means over all stations and over every group.

    `moments` are those of the stations, which all metrics of a signal share.
    """

    metric: Metric
    signal: str
    estimate: Estimate
    means: Means
    moments: Moments


def joined(parts: Sequence[Scored]) -> Scored:
    """The same metric of consecutive blocks of stations as one."""
    if len(parts) == 1:
        return parts[0]
    means = functools.reduce(operator.add, [part.means for part in parts])
    m = Moments(*np.concatenate([part.moments.stacked() for part in parts], axis=1))
    return replace(parts[0], estimate=_concatenated([part.estimate for part in parts]), means=means, moments=m)


def score(
    sample: Sample, network: Network, which: Which, *, intervals: bool, model: Interval = "tail_model"
) -> Iterator[Scored]:
    """Metrics of all stations of a sample.

    Parameters
    ----------
    sample, network
        What is scored, and how stations are averaged.
    which
        Pairs of metric and signal.
    intervals
        Whether every station gets its interval; the network means always get theirs.
    model
        Model of the dependence between days, or `bootstrap`.
    """
    if sample.sensors is not None:
        alone = tuple(pair for pair in which if pair[1] == "raw" and pair[0] not in CORRELATED)
        yield from score(replace(sample, sensors=None), network, alone, intervals=intervals, model=model)
        sample, which = sample.levelled(), tuple(pair for pair in which if pair not in alone)
    for signal in dict.fromkeys(one for _, one in which):
        names = [name for name, of in which if of == signal]
        x, r, said = _signal(sample, signal)
        metrics = [metric(name) for name in names if name != "rho"]
        if metrics:
            for scored in _score(x, r, metrics, signal, network, intervals, model, sample.year):
                yield _saying(scored, said)
        if "rho" in names:
            matched = np.isfinite(x) & np.isfinite(r)
            a, b = (np.asarray(ranks(np.where(matched, one, np.nan)), np.float64) for one in (x, r))
            yield from _score(a, b, [RHO], signal, network, intervals, model, sample.year)


def _signal(sample: Sample, signal: str) -> tuple[Floats, Floats, Codes]:
    """Product and reference as the signal sees them, and why stations have none, `ok` where they may, (station,)."""
    said = np.full(len(sample.x), CODE["ok"], np.int8)
    if signal == "raw":
        return sample.x, sample.r, said
    matched = np.isfinite(sample.x) & np.isfinite(sample.r)
    out = np.full((2, *matched.shape), np.nan)
    if signal == "anomaly_35d" and sample.in_months:
        return out[0], out[1], np.full_like(said, CODE["not_applicable"])
    for start in range(0, len(matched), BLOCK):
        rows = slice(start, start + BLOCK)
        for position, one in enumerate(sample.whole or (sample.x, sample.r)):
            values = one[rows] if sample.whole else np.where(matched[rows], one[rows], np.nan)
            anomaly, status = _anomaly(values, signal, sample)
            out[position, rows] = np.where(matched[rows], anomaly, np.nan)
            said[rows] = np.where(matched[rows].any(axis=-1), status, CODE["ok"])
    return out[0], out[1], said


def _anomaly(values: Floats, signal: str, sample: Sample) -> tuple[Floats, Codes | int]:
    """Anomaly of one series of a sample, and its status."""
    if signal == "anomaly_35d":
        return anomaly_35d(values), CODE["ok"]
    assert sample.days is not None, "days of the time axis"
    return (anomaly_of_months if sample.in_months else anomaly_climatology)(values, sample.days)


def _saying(scored: Scored, said: Codes) -> Scored:
    """The same with what the signal says of stations that it cannot be made for."""
    if (said == CODE["ok"]).all():
        return scored
    status = np.where(said == CODE["ok"], scored.estimate.status, said).astype(np.int8)
    return replace(scored, estimate=replace(scored.estimate, status=status))


def _values(one: Metric, m: Moments) -> Floats:
    return np.where(m.n >= MINIMUM_DAYS, evaluate(one, m), np.nan)


def _score(
    x: Floats, r: Floats, metrics: list[Metric], signal: str, network: Network, intervals: bool, model: Interval,
    year: float,
) -> Iterator[Scored]:  # fmt: skip
    m = moments(x, r)
    values = {one.name: _values(one, m) for one in metrics}
    masks = [np.ones(len(x), bool), *(members for *_, members in network.groups)]
    weights = {
        name: np.stack([network.raw(mask & np.isfinite(value)) for mask in masks]) for name, value in values.items()
    }
    z = np.isfinite(_values(metric("r"), m))
    z_weights = np.stack([network.raw(mask & z) for mask in masks])
    influence = {name: np.zeros((len(masks), x.shape[1])) for name in values}
    draws: dict[str, Draws] = {}
    matched = np.isfinite(x) & np.isfinite(r)
    present = np.stack([matched[mask].any(axis=0) for mask in masks])
    estimates: dict[str, list[Estimate]] = {name: [] for name in values}
    length = _block_days(x, r, network, year) if model == BOOTSTRAP else 0
    smooth: Model = "tail_model" if model == "bootstrap" else model

    def drawn(rows: slice) -> list[tuple[Estimate | None, Floats | Draws | None]]:
        pairing = Pairing.of(x[rows], r[rows], m.rows(rows), year)
        found = BlockDraws(bootstrap(pairing, metrics, seed=network.seed, mean_length=length), pairing)
        return [
            (found.drawn.estimates[one.name], found.sums(one, weights[one.name][:, rows], z_weights[:, rows]))
            for one in metrics
        ]

    def block(rows: slice) -> list[tuple[Estimate | None, Floats | Draws | None]]:
        pairing = Pairing.of(x[rows], r[rows], m.rows(rows), year)
        found: list[tuple[Estimate | None, Floats | Draws | None]] = []
        for one in metrics:
            if one.scale is None:
                found.append((pairing.estimate(one, model=smooth), None))
                continue
            psi = pairing.influence(one)
            share = weights[one.name][:, rows] / np.maximum(pairing.moments.n, 1.0)
            estimate = pairing.estimate(one, model=smooth, psi=psi) if intervals else None
            found.append((estimate, share @ psi))
        return found

    for found in in_threads(drawn if model == BOOTSTRAP else block, len(x)):
        for one, (estimate, part) in zip(metrics, found, strict=True):
            if isinstance(part, Draws):
                draws[one.name] = draws[one.name] + part if one.name in draws else part
            elif part is not None:
                influence[one.name] += part
            if estimate is not None:
                estimates[one.name].append(estimate)
    for one in metrics:
        kept = estimates[one.name]
        whole = _concatenated(kept) if kept else _bare(m, values[one.name])
        means = Means(influence[one.name], weights[one.name].sum(axis=1), present, draws.get(one.name), year)
        yield Scored(one, signal, whole, means, m)


def _block_days(x: Floats, r: Floats, network: Network, year: float) -> int:
    """Mean length of the blocks that are drawn: as the stations ask, on maps one length for all."""
    return MAP_BLOCK_DAYS if network.equal_stations else block_days(x, r, list(blocks_of(len(x))), year)


def _concatenated(parts: list[Estimate]) -> Estimate:
    names = ("value", "ci_low", "ci_high", "n", "n_eff", "status")
    return Estimate(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def in_threads(function: Callable[[slice], Result], stations: int) -> Iterator[Result]:
    """`function` of consecutive blocks of stations, in their order whatever the number of threads."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(function, blocks_of(stations))


def blocks_of(stations: int) -> Iterator[slice]:
    """Consecutive blocks of stations."""
    return (slice(start, start + BLOCK) for start in range(0, stations, BLOCK))


def _bare(m: Moments, value: Floats) -> Estimate:
    """Values without intervals of single stations."""
    nothing = np.full(value.shape, np.nan)
    return Estimate(value, nothing, nothing, m.n, nothing, np.zeros(value.shape, np.int8))


def station_words(sample: Sample, scored: Scored) -> npt.NDArray[np.object_]:
    """Status of each station in words, (station,)."""
    found = scored.estimate
    status = words(found.status).astype(object)
    status[(found.n == 0) & ~np.isin(found.status, WITHOUT_DAYS)] = "no_overlap"
    if sample.status is not None:
        said = sample.status != ""
        status[said] = sample.status[said]
    return status


def station_rows(sample: Sample, scored: Scored, model: str = "tail_model") -> pd.DataFrame:
    """One row for each station."""
    found, status = scored.estimate, station_words(sample, scored)
    shown = np.isfinite(found.ci_low)
    values = {name: getattr(found, name) for name in ("value", "ci_low", "ci_high", "n", "n_eff")}
    key = key_of(sample, scored.metric, scored.signal, "station", sample.stations)
    return pd.DataFrame(
        key | values | {
            "aggregate": "", "ci_method": np.where(shown, model, ""), "ci_scope": np.where(shown, "time", ""),
            "coverage": sample.coverage, "status": status,
        }
    )  # fmt: skip


def key_of(sample: Sample, one: Metric, signal: str, kind: str, stratum: Any) -> Row:
    """The key columns of a row but its aggregate."""
    return {
        "method": "", "seed": "", "fold": "", "scaling": "none", **sample.keys, "stratum_kind": kind,
        "stratum": stratum, "signal": signal, "metric": one.name,
    }  # fmt: skip


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Fixed columns and types, sorted by the key, without index."""
    out = frame[list(COLUMNS)].copy()
    for name in (*KEY, "ci_method", "ci_scope", "status"):
        out[name] = out[name].astype(str)
    for name in (*NUMBERS, "n_eff", "coverage"):
        out[name] = out[name].astype(np.float64)
    out["n"] = out["n"].astype(np.int64)
    return out.sort_values(list(KEY), kind="stable", ignore_index=True)
