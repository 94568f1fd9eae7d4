"""Ours minus rival on the common sample of the two: paired differences, adjusted for the number of tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import Metric, Pairing, adjusted, anomaly_35d, evaluate, metric, outcome
from vadose.statistics.aggregates import (
    FEWEST_CLUSTERS,
    difference_p_value,
    network_time_error,
    weighted_mean,
)
from vadose.statistics.distributions import t_quantile
from vadose.statistics.intervals import MINIMUM_DAYS, tail_model
from vadose.validation.scores import Network, in_threads

Floats = npt.NDArray[np.float64]

KEY = ("ours", "rival", "reference", "metric", "stratum_kind", "stratum", "subset", "signal")
COLUMNS = (
    *KEY, "difference", "ci_low", "ci_high", "p", "p_adjusted", "n", "n_eff", "outcome", "better", "worse", "equal",
    "undecided",
)  # fmt: skip
COMPARED: tuple[tuple[str, str], ...] = (("r", "raw"), ("r", "anomaly_35d"), ("ubrmsd", "raw"), ("mse", "raw"))
# Differences inside these are called equal.
MARGINS = {"r": 0.01, "ubrmsd": 0.001, "mse": 1e-4}
COUNTED = ("better", "worse", "equal", "undecided")


@dataclass(frozen=True)
class Pair:
    """Two products and the reference, (station, time), NaN where any of the three is missing."""

    ours: Floats
    rival: Floats
    r: Floats

    @classmethod
    def of(cls, ours: Floats, rival: Floats, r: Floats) -> Pair:
        """Keep the days that all three have."""
        common = np.isfinite(ours) & np.isfinite(rival) & np.isfinite(r)
        return cls(*(np.where(common, one, np.nan) for one in (ours, rival, r)))

    def signal(self, name: str) -> Pair:
        """The same pair as anomalies."""
        return self if name == "raw" else Pair(*(anomaly_35d(one) for one in (self.ours, self.rival, self.r)))


@dataclass(frozen=True)
class _Differences:
    """Differences of one metric on its scale, with what is needed to go back, all (station,)."""

    value: Floats
    difference: Floats
    variance: Floats
    n: Floats
    n_eff: Floats
    middle: Floats
    influence: Floats
    present: npt.NDArray[np.bool_]


def compare(
    pair: Pair, network: Network, stations: npt.NDArray[np.str_], names: dict[str, str], *, stations_too: bool = True
) -> pd.DataFrame:
    """Rows of all metrics: every station, and the mean difference over all of them.

    Parameters
    ----------
    pair
        Ours, the rival and the reference.
    network
        Clusters of the stations.
    stations
        Their ids.
    names
        `ours`, `rival`, `reference`, `subset`.
    stations_too
        Whether rows of single stations are wanted.
    """
    frames = []
    for name, signal in COMPARED:
        one = metric(name)
        found = _differences(pair.signal(signal), one, network)
        rows = _station_rows(found, one, stations)
        whole = _overall(found, one, network, rows["outcome"])
        both = pd.concat([rows, whole] if stations_too else [whole], ignore_index=True)
        both["metric"], both["signal"] = name, signal
        frames.append(both)
    out = pd.concat(frames, ignore_index=True)
    for key, word in names.items():
        out[key] = word
    return out


def _scale(one: Metric, value: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        if one.scale == "fisher":
            return np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
        return np.log(value) if one.scale == "chi_square" else value


def _back(one: Metric, middle: Floats, difference: Floats) -> Floats:
    """A difference on the scale as one of the metric itself, about the middle of the two; it keeps its sign."""
    if one.scale == "fisher":
        return np.asarray(np.tanh(middle + difference / 2) - np.tanh(middle - difference / 2))
    return np.asarray(2.0 * np.exp(middle) * np.sinh(difference / 2) if one.scale == "chi_square" else difference)


def _differences(pair: Pair, one: Metric, network: Network) -> _Differences:
    columns: dict[str, list[Floats]] = {key: [] for key in ("ours", "rival", "variance", "n", "n_eff")}
    sums: list[Floats] = []

    def block(rows: slice) -> tuple[dict[str, Floats], Floats]:
        ours, rival = Pairing.of(pair.ours[rows], pair.r[rows]), Pairing.of(pair.rival[rows], pair.r[rows])
        psi = ours.influence(one) - rival.influence(one)
        run = tail_model(psi, ours.gaps)
        found = {"ours": evaluate(one, ours.moments), "rival": evaluate(one, rival.moments), "n": ours.moments.n}
        return found | {"variance": run.variance, "n_eff": run.n_eff}, psi.astype(np.float32)

    for found, psi in in_threads(block, len(pair.r)):
        for key, values in found.items():
            columns[key].append(values)
        sums.append(psi)
    joined = {key: np.concatenate(parts) for key, parts in columns.items()}
    n = joined["n"]
    a, b = (_scale(one, np.where(n >= MINIMUM_DAYS, joined[key], np.nan)) for key in ("ours", "rival"))
    difference = np.where(np.isfinite(a - b), a - b, np.nan)
    weights = network.weights(np.isfinite(difference))
    present: npt.NDArray[np.bool_] = np.asarray(np.isfinite(pair.r).any(axis=0))
    influence = (weights / np.maximum(n, 1.0)) @ np.concatenate(sums).astype(np.float64) * present.sum()
    return _Differences(
        value=_back(one, (a + b) / 2, difference), difference=difference, variance=joined["variance"], n=n,
        n_eff=joined["n_eff"], middle=(a + b) / 2, influence=influence, present=present,
    )  # fmt: skip


def _station_rows(found: _Differences, one: Metric, stations: npt.NDArray[np.str_]) -> pd.DataFrame:
    # Twins have no difference and no variance of it: that is equality, not a lack of evidence.
    twins = (found.difference == 0) & ~np.isfinite(found.variance)
    tested = np.isfinite(found.difference) & ((found.n_eff >= 10) | twins)
    p = np.where(tested, difference_p_value(found.difference, found.variance, found.n_eff), np.nan)
    p = np.where(twins, 1.0, p)
    half = t_quantile(0.95, np.nan_to_num(found.n_eff, nan=3.0) - 1.0) * np.sqrt(np.where(twins, 0.0, found.variance))
    low, high = (_back(one, found.middle, found.difference + side * half) for side in (-1.0, 1.0))
    low, high = (np.where(tested, end, np.nan) for end in (low, high))
    p_adjusted = adjusted(p)
    verdict = outcome(found.value, low, high, p_adjusted, MARGINS[one.name], one.better)
    frame = pd.DataFrame(
        {
            "stratum_kind": "station", "stratum": stations, "difference": found.value, "ci_low": low, "ci_high": high,
            "p": p, "p_adjusted": p_adjusted, "n": found.n.astype(np.int64), "n_eff": found.n_eff,
            "outcome": np.where(tested, verdict, "not_applicable"),
        }
    )  # fmt: skip
    for word in COUNTED:
        frame[word] = (frame["outcome"] == word).astype(np.int64)
    return frame


def _overall(found: _Differences, one: Metric, network: Network, outcomes: pd.Series[str]) -> pd.DataFrame:
    """The mean difference over stations, clusters weighing equally, with the larger of two standard errors.

    One is that of the spread between clusters, the other that of the network's mean influence series, which holds
    what stations share in time.
    """
    valid = np.isfinite(found.difference)
    weights = network.weights(valid)
    mean = float(weighted_mean(found.difference, weights))
    middle = weighted_mean(np.where(np.isfinite(found.middle), found.middle, np.nan), weights)
    clusters = network.count(valid)
    time_error, n_eff = network_time_error(found.influence, found.present) if valid.any() else (np.nan, np.nan)
    between = _between(found.difference, weights, network) if clusters >= 2 else 0.0
    error = max(between, time_error if np.isfinite(time_error) else 0.0)
    dof = min(n_eff, clusters if clusters >= FEWEST_CLUSTERS else n_eff)
    tested = valid.any() and np.isfinite(n_eff) and n_eff >= 10 and error > 0
    p = float(difference_p_value(mean, error**2, dof)) if tested else np.nan
    half = float(t_quantile(0.95, max(dof - 1.0, 1.0))) * error if tested else np.nan
    value = float(_back(one, middle, np.asarray(mean)))
    low, high = (float(_back(one, middle, np.asarray(mean + side * half))) for side in (-1.0, 1.0))
    twins = bool(valid.any() and (found.difference[valid] == 0).all())
    if twins:
        value, low, high, p, tested = 0.0, 0.0, 0.0, 1.0, True
    verdict = str(outcome(value, low, high, p, MARGINS[one.name], one.better)) if tested else "not_applicable"
    counts = outcomes.value_counts()
    return pd.DataFrame(
        [{
            "stratum_kind": "all", "stratum": "all", "difference": value, "ci_low": low, "ci_high": high, "p": p,
            "p_adjusted": p, "n": int(valid.sum()), "n_eff": n_eff, "outcome": verdict,
            **{word: int(counts.get(word, 0)) for word in COUNTED},
        }]
    )  # fmt: skip


def _between(difference: Floats, weights: Floats, network: Network) -> float:
    """Standard error of the mean over clusters."""
    valid = weights > 0
    _, inverse = np.unique(network.clusters[valid], return_inverse=True)
    sizes = np.bincount(inverse)
    means = np.bincount(inverse, weights=difference[valid]) / sizes
    return float(means.std(ddof=1) / np.sqrt(means.size))


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Fixed columns and types, sorted by the key, without index."""
    out = frame[list(COLUMNS)].copy()
    for name in (*KEY, "outcome"):
        out[name] = out[name].astype(str)
    for name in ("difference", "ci_low", "ci_high", "p", "p_adjusted", "n_eff"):
        out[name] = out[name].astype(np.float64)
    for name in ("n", *COUNTED):
        out[name] = out[name].astype(np.int64)
    return out.sort_values(list(KEY), kind="stable", ignore_index=True)
