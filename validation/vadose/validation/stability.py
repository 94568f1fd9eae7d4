"""Stability of a product against a reference: trends of monthly differences, their power, and breaks (section 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import Moments, evaluate, metric, words
from vadose.statistics.trends import (
    FEWEST_DAYS_IN_MONTH,
    LIMIT,
    Trend,
    monthly_means,
    pettitt,
    step_at,
    trend,
    without_month_climatology,
)
from vadose.validation.diagnostics import WATER, curve
from vadose.validation.facts import facts
from vadose.validation.gates import NetworkTrend
from vadose.validation.months import is_months
from vadose.validation.network import Network
from vadose.validation.strata import DayStrata, class_moments

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

SUBSET = "stability"
SIGNIFICANCE = 0.05
FEWEST_DAYS_IN_YEAR = 60
FEWEST_MONTHS_IN_YEAR = 10
# A break is charged to the product where this many clusters show one in the same quarter.
CLUSTERS_OF_A_BREAK = 3
# Above this many stations, breaks are looked for in the means of networks only.
MOST_FOR_BREAKS = 100
PERMUTATIONS = 199
_YEARLY = ("ubrmsd", "r")


@dataclass(frozen=True)
class Stability:
    """Rows of scores, facts and curves, and the trends of networks for the gate; None where no record is long."""

    scores: pd.DataFrame
    facts: pd.DataFrame
    curves: pd.DataFrame
    networks: tuple[NetworkTrend, ...] | None


def stability(
    difference: Floats, days: Days, network: Network, networks: npt.NDArray[np.str_], head: Mapping[str, str],
    stations: npt.NDArray[np.str_], *, changes: Sequence[str] = (), seed: int = 0, limit: float = LIMIT,
    breaks: bool = True,
) -> Stability:  # fmt: skip
    """Trends of one product at one reference.

    Parameters
    ----------
    difference
        Product minus reference, (station, time), m3 m-3, NaN = unmatched.
    days
        Consecutive days or months, (time,).
    network, networks
        Clusters of the stations, and the name of each station's network, (station,).
    head
        Key columns of the rows: product, version, reference, split.
    stations
        Ids.
    changes
        Declared days of change of the product's sensors.
    seed
        Of the permutations.
    breaks
        Whether undeclared breaks are looked for, in the means of networks and at up to 100 single stations.
    limit
        Slope per decade up to which the product counts as stable.
    """
    means, months = monthly_means(difference, days, 1 if is_months(days) else FEWEST_DAYS_IN_MONTH)
    monthly = without_month_climatology(means, months)
    single = trend(monthly, limit=limit)
    labels, grouped, sizes = _by_network(monthly, network, networks)
    whole = trend(grouped, limit=limit)
    frames = [_rows(single, head, "station", stations, ""), _rows(whole, head, "network", labels, "mean")]
    table = {f"{head['reference']} {head['product']} {name}": trend_figures(whole, k) for k, name in enumerate(labels)}
    tables = [facts("stability", table)]
    label = f"{head['reference']} {head['product']}"
    if breaks and len(stations) <= MOST_FOR_BREAKS:
        tables.append(_breaks(monthly, months, network, stations, label, seed))
    if breaks:
        tables.append(_breaks(grouped, months, None, np.array(labels), f"{label} mean", seed))
    tables += [_steps(difference, days, change, label, stations) for change in changes]
    known = np.isfinite(whole.slope)
    trends = tuple(
        NetworkTrend(
            str(name), int(sizes[k]), str(whole.verdict[k]), float(whole.slope[k]), float(whole.ci_low[k]),
            float(whole.ci_high[k]), float(whole.detectable[k]),
        )
        for k, name in enumerate(labels) if known[k]
    )  # fmt: skip
    return Stability(
        pd.concat(frames, ignore_index=True), pd.concat([one for one in tables if len(one)], ignore_index=True),
        _curves(grouped, months, labels, head), trends or None,
    )  # fmt: skip


def _by_network(
    monthly: Floats, network: Network, networks: npt.NDArray[np.str_]
) -> tuple[list[str], Floats, list[int]]:
    """Monthly means over the clusters of each network and of all stations, and the number of clusters."""
    names = sorted(set(networks.tolist()))
    groups = [("all", np.ones(networks.size, bool))]
    groups += [(name, networks == name) for name in names] if len(names) > 1 else []
    rows, sizes = [], []
    for _, members in groups:
        clusters = np.unique(network.clusters[members])
        means = np.stack([_mean(monthly[members & (network.clusters == one)]) for one in clusters])
        rows.append(_mean(means))
        sizes.append(int(np.isfinite(means).any(axis=1).sum()))
    return [name for name, _ in groups], np.stack(rows), sizes


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _rows(
    found: Trend, head: Mapping[str, str], kind: str, names: Sequence[str] | npt.NDArray[np.str_], aggregate: str,
    name: str = "trend",
) -> pd.DataFrame:  # fmt: skip
    shown = np.isfinite(found.ci_low)
    return pd.DataFrame({
        "method": "", "seed": "", "fold": "", "scaling": "none", **head, "subset": SUBSET, "stratum_kind": kind,
        "stratum": list(names), "aggregate": aggregate, "signal": "raw", "metric": name, "value": found.slope,
        "ci_low": found.ci_low, "ci_high": found.ci_high, "ci_method": np.where(shown, "sen_lag1", ""),
        "ci_scope": np.where(shown, "time", ""), "n": found.n, "n_eff": found.n / found.correction,
        "coverage": np.nan, "status": words(found.status),
    })  # fmt: skip


def trend_figures(found: Trend, k: int) -> dict[str, Any]:
    """What a table says of one of several trends: per decade, with the power of the record."""
    numbers = ("slope", "ci_low", "ci_high", "p", "n", "correction", "detectable", "detectable_drift")
    cells: dict[str, Any] = {name: float(getattr(found, name)[k]) for name in numbers}
    return {**cells, "verdict": str(found.verdict[k]), "status": str(words(found.status)[k])}


def _breaks(
    monthly: Floats, months: Days, network: Network | None, names: npt.NDArray[np.str_], label: str, seed: int
) -> pd.DataFrame:
    """The most likely undeclared break of each series, where it is significant, and whose it is."""
    found = pettitt(monthly, seed=seed, permutations=PERMUTATIONS)
    hits = np.flatnonzero((found.p < SIGNIFICANCE) & (found.position >= 0))
    quarters = {int(k): str(months[found.position[k]].astype("datetime64[M]")) for k in hits}
    rows: dict[str, dict[str, Any]] = {}
    for k, month in quarters.items():
        near = [
            other for other in hits
            if abs(int((months[found.position[other]] - months[found.position[k]]).astype(int))) <= 2
        ]  # fmt: skip
        clusters = np.unique(network.clusters[near]).size if network is not None else len(near)
        charged = network is not None and clusters >= CLUSTERS_OF_A_BREAK
        rows[f"{label} {names[k]}"] = {
            "month": month, "difference": float(found.difference[k]), "p": float(found.p[k]),
            "months": float(found.n[k]), "clusters_in_quarter": clusters,
            "charged_to": "product" if charged else "undecided",
        }  # fmt: skip
    return facts("breaks", rows)


def _steps(difference: Floats, days: Days, change: str, label: str, stations: npt.NDArray[np.str_]) -> pd.DataFrame:
    """Difference of means after and before a declared change."""
    position = int((np.datetime64(change).astype(days.dtype) - days[0]).astype(int))
    if not 0 < position < days.size:
        return facts("declared_changes", {})
    found = step_at(difference, position)
    status = words(found.status)
    return facts("declared_changes", {
        f"{label} {change} {name}": {
            "difference": float(found.difference[k]), "ci_low": float(found.ci_low[k]),
            "ci_high": float(found.ci_high[k]), "p": float(found.p[k]), "status": str(status[k]),
        }
        for k, name in enumerate(stations)
    })  # fmt: skip


def _curves(grouped: Floats, months: Days, labels: Sequence[str], head: Mapping[str, str]) -> pd.DataFrame:
    """Monthly differences without their climatology, by network; x in days since 1970."""
    x = (months.astype("datetime64[D]") + 14).astype(float)
    frames = []
    for name, values in zip(labels, grouped, strict=True):
        known = np.isfinite(values)
        frames.append(
            curve("monthly_difference", f"{head['reference']}/{name}", head["product"], x[known], values[known], WATER)
        )
    return pd.concat(frames, ignore_index=True)


def yearly_trends(x: Floats, r: Floats, days: Days, network: Network, head: Mapping[str, str]) -> pd.DataFrame:
    """Trends of the yearly ubRMSD and R, mean over clusters, per decade."""
    years = days.astype("datetime64[Y]")
    distinct, labels = np.unique(years, return_inverse=True)
    if not 1 < distinct.size <= 100:
        return pd.DataFrame()
    kind = DayStrata("year", tuple(map(str, distinct)), labels.astype(np.int8)[None])
    m: Moments = class_moments(x, r, kind)
    fewest = FEWEST_MONTHS_IN_YEAR if is_months(days) else FEWEST_DAYS_IN_YEAR
    frames = []
    for name in _YEARLY:
        value = np.where(m.n >= fewest, evaluate(metric(name), m), np.nan)
        clusters = np.unique(network.clusters)
        mean = _mean(np.stack([_mean(value[network.clusters == one]) for one in clusters]))
        found = trend(mean[None], steps_per_decade=10.0)
        frames.append(_rows(found, head, "network", ["all"], "mean", f"trend_{name}"))
    return pd.concat(frames, ignore_index=True)
