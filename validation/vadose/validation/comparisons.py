"""Ours minus rival on the common sample of the two: paired differences, adjusted for the number of tests."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import (
    Bootstrapped,
    Metric,
    Pairing,
    adjusted,
    anomaly_35d,
    anomaly_of_months,
    bootstrap,
    evaluate,
    metric,
    on_scale,
    outcome,
    ranks,
)
from vadose.statistics.aggregates import FEWEST_CLUSTERS, difference_p_value, weighted_mean
from vadose.statistics.differences import Difference, back, difference
from vadose.statistics.distributions import t_quantile
from vadose.statistics.longrun import DAYS_PER_YEAR, Model
from vadose.statistics.metrics import Gradient
from vadose.validation.levels import levelled
from vadose.validation.means import BOOTSTRAP, MAP_BLOCK_DAYS, Draws, Means, block_days
from vadose.validation.months import is_months, steps_per_year
from vadose.validation.network import Network
from vadose.validation.options import MARGINS, Interval, Options
from vadose.validation.scores import CORRELATED, RHO, Which, blocks_of, in_threads

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

KEY = ("ours", "rival", "reference", "metric", "stratum_kind", "stratum", "subset", "signal")
COLUMNS = (
    *KEY, "difference", "ci_low", "ci_high", "p", "p_adjusted", "n", "n_eff", "outcome", "better", "worse", "equal",
    "undecided",
)  # fmt: skip
COMPARED: Which = (("r", "raw"), ("r", "anomaly_35d"), ("ubrmsd", "raw"), ("mse", "raw"))
COMPARED_OF_MONTHS: Which = (("r", "raw"), ("r", "anomaly_climatology"), ("ubrmsd", "raw"), ("mse", "raw"))
# At stations these, too.
COMPARED_AT_STATIONS: Which = (("rho", "raw"), ("mse_bias", "raw"))
# The square of the bias is smooth wherever the bias is not 0, unlike its absolute value.
BIAS2 = replace(
    metric("mse_bias"), scale="identity", gradient=lambda m: Gradient(mean_x=2.0 * m.bias, mean_r=-2.0 * m.bias)
)
_OWN = {"rho": RHO, "mse_bias": BIAS2}
COUNTED = ("better", "worse", "equal", "undecided")
_PLAIN = Options()

assert {name for name, _ in (*COMPARED, *COMPARED_OF_MONTHS, *COMPARED_AT_STATIONS)} == set(MARGINS)


@dataclass(frozen=True)
class Pair:
    """Two products and the reference, (station, time), NaN where any of the three is missing.

    `whole` are the three on all their days, where anomalies are taken before matching.
    """

    ours: Floats
    rival: Floats
    r: Floats
    sensors: Floats | None = None
    days: Days | None = None
    whole: tuple[Floats, Floats, Floats] | None = None

    @classmethod
    def of(
        cls, ours: Floats, rival: Floats, r: Floats, sensors: Floats | None = None, days: Days | None = None
    ) -> Pair:
        """Keep the days that all three have.

        `sensors` are the numbers of successive sensors, (station, time); `days` is the time axis, daily if not given.
        """
        common = np.isfinite(ours) & np.isfinite(rival) & np.isfinite(r)
        first, second, third = (np.where(common, one, np.nan) for one in (ours, rival, r))
        return cls(first, second, third, sensors, days)

    @property
    def compared(self) -> Which:
        """Metrics and signals of the differences: of months the anomaly is that from the climatology."""
        return COMPARED if self.days is None or not is_months(self.days) else COMPARED_OF_MONTHS

    def seen_by(self, name: str, signal: str) -> Pair:
        """The same pair as a metric of a signal sees it: successive sensors on one level, anomalies."""
        if signal == "raw" and name != RHO.name and (self.sensors is None or name not in CORRELATED):
            return self
        known = np.isfinite(self.r)
        series = [self.ours, self.rival, self.r] if signal == "raw" or self.whole is None else [*self.whole]
        if name in CORRELATED or signal != "raw":
            series = [levelled(one, known, self.sensors) for one in series]
        found = [self._signal(one, signal) for one in series]
        # Three series that are filtered apart may lack different days.
        common = known & np.logical_and.reduce([np.isfinite(one) for one in found])
        ours, rival, r = (np.where(common, one, np.nan) for one in found)
        if name == RHO.name:
            ours, rival, r = (np.asarray(ranks(one), np.float64) for one in (ours, rival, r))
        return replace(self, ours=ours, rival=rival, r=r)

    def _signal(self, values: Floats, signal: str) -> Floats:
        if signal == "anomaly_climatology" and self.days is not None:
            return anomaly_of_months(values, self.days)[0]
        return values if signal == "raw" else anomaly_35d(values)


@dataclass(frozen=True)
class Differences:
    """Differences of one metric on the scale of its interval, ours minus rival, of a block of stations.

    Attributes
    ----------
    metric, signal
        What is compared.
    found
        Differences of the stations.
    means
        Influence series of the mean difference, over all stations and over every group.
    """

    metric: Metric
    signal: str
    found: Difference
    means: Means

    @property
    def middle(self) -> Floats:
        """About which the difference is taken back from the scale of its interval, (station,)."""
        return np.asarray((self.found.ours + self.found.rival) / 2.0)


_STATION_ARRAYS = tuple(one.name for one in fields(Difference) if one.name != "influence")


def _concatenated(parts: Sequence[Difference]) -> Difference:
    """The differences of consecutive stations; influence series are not kept."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _STATION_ARRAYS}
    return Difference(**arrays, influence=np.zeros((0, 0)))


def joined(parts: Sequence[Differences]) -> Differences:
    """The same metric of consecutive blocks of stations as one."""
    if len(parts) == 1:
        return parts[0]
    means = functools.reduce(operator.add, [part.means for part in parts])
    return replace(parts[0], found=_concatenated([part.found for part in parts]), means=means)


def differences(
    pair: Pair, network: Network, model: Interval = "tail_model", *, at_stations: bool = False
) -> list[Differences]:
    """All compared metrics of a block of stations; of stations, unlike cells, also rho and the square of the bias."""
    which = (*pair.compared, *(COMPARED_AT_STATIONS if at_stations else ()))
    return [
        _differences(pair.seen_by(name, signal), _OWN.get(name) or metric(name), signal, network, model)
        for name, signal in which
    ]


def rows(
    found: Differences, network: Network, stations: npt.NDArray[np.str_], names: dict[str, str], *,
    stations_too: bool = True, options: Options = _PLAIN,
) -> pd.DataFrame:  # fmt: skip
    """Rows of one metric: every station, the mean difference over all of them, and over those of every class.

    Parameters
    ----------
    found
        Differences of all stations.
    network
        Their clusters and classes.
    stations
        Their ids.
    names
        `ours`, `rival`, `reference`, `subset`.
    stations_too
        Whether rows of single stations are wanted.
    options
        Margins of equality, and how p-values are adjusted.
    """
    single = _station_rows(found, stations, options)
    everywhere = np.ones(len(stations), bool)
    whole = [_overall(found, network, "all", "all", 0, everywhere, single["outcome"], options)]
    kinds: dict[str, list[pd.DataFrame]] = {}
    for number, (kind, name, members) in enumerate(network.groups, 1):
        if network.count(members & np.isfinite(found.found.value)) >= FEWEST_CLUSTERS:
            row = _overall(found, network, kind, name, number, members, single["outcome"], options)
            kinds.setdefault(kind, []).append(row)
    frames = [*([single] if stations_too else []), *whole]
    families = [pd.concat(classes, ignore_index=True) for classes in kinds.values()]
    frames += [_within_family(family, found.metric, options) for family in families]
    return pd.concat(frames, ignore_index=True).assign(metric=found.metric.name, signal=found.signal, **names)


def _within_family(frame: pd.DataFrame, one: Metric, options: Options) -> pd.DataFrame:
    """Adjust the p-values of the classes of one kind, and say the outcome again."""
    p = adjusted(frame["p"].to_numpy(float), options.adjust)
    margin = options.margin(one.name)
    words = outcome(frame["difference"], frame["ci_low"], frame["ci_high"], p, margin, one.better)
    tested = frame["outcome"].ne("not_applicable")
    return frame.assign(p_adjusted=p, outcome=np.where(tested, words, "not_applicable"))


def _differences(pair: Pair, one: Metric, signal: str, network: Network, model: Interval) -> Differences:
    parts: list[Difference] = []
    sums: list[npt.NDArray[np.float32]] = []
    drawn: list[_Drawn] = []
    year = DAYS_PER_YEAR if pair.days is None else steps_per_year(pair.days)
    length = _block_days(pair, network, year) if model == BOOTSTRAP else 0
    smooth: Model = "tail_model" if model == "bootstrap" else model

    def block(rows: slice) -> tuple[Difference, _Drawn | None]:
        ours, rival = (Pairing.of(one[rows], pair.r[rows], year=year) for one in (pair.ours, pair.rival))
        if model == BOOTSTRAP:
            return _bootstrapped(one, ours, rival, network.seed, length)
        return difference(one, ours, rival, smooth), None

    for part, replicates in in_threads(block, len(pair.r)):
        parts.append(part)
        sums.append(part.influence.astype(np.float32))
        drawn += [replicates] if replicates is not None else []
    found = _concatenated(parts)
    masks = [np.ones(found.n.size, bool), *(members for *_, members in network.groups)]
    raw = np.stack([network.raw(mask & np.isfinite(found.value)) for mask in masks])
    matched = np.isfinite(pair.r)
    present = np.stack([matched[mask].any(axis=0) for mask in masks])
    shares = raw / np.maximum(found.n, 1.0)
    influence = shares @ np.concatenate(sums).astype(np.float64)
    means = Means(influence, raw.sum(axis=1), present, _mean_draws(drawn, raw, found.n) if drawn else None, year)
    return Differences(one, signal, found, means)


@dataclass(frozen=True)
class _Drawn:
    """Replicates of a block of differences, of the metric and of Fisher z, (station, replicate), and psi of z."""

    metric: Floats
    z: Floats
    influence: Floats


def _block_days(pair: Pair, network: Network, year: float) -> int:
    if network.equal_stations:
        return MAP_BLOCK_DAYS
    rows = list(blocks_of(len(pair.r)))
    return max(block_days(one, pair.r, rows, year) for one in (pair.ours, pair.rival))


def _bootstrapped(one: Metric, ours: Pairing, rival: Pairing, seed: int, length: int) -> tuple[Difference, _Drawn]:
    """Difference with the interval and p-value of blocks drawn alike for both products, and its replicates."""
    both = [bootstrap(pairing, [one], seed=seed, mean_length=length) for pairing in (ours, rival)]
    found = difference(one, ours, rival)
    apart, z = (_apart(each, both, ours, rival) for each in (one, metric("r")))
    error = apart.std(axis=1) * max(drawn.factor for drawn in both)
    dof = np.maximum(np.nan_to_num(found.n_eff, nan=2.0) - 1.0, 1.0)
    shown = np.isfinite(found.p)
    half = t_quantile(0.95, dof) * error
    p = np.where(error > 0, difference_p_value(found.value, error**2, dof + 1.0), found.p)
    changed = replace(
        found, variance=error**2, p=np.where(shown, p, np.nan), ci_low=np.where(shown, found.value - half, np.nan),
        ci_high=np.where(shown, found.value + half, np.nan),
    )  # fmt: skip
    correlated = metric("r")
    return changed, _Drawn(apart, z, ours.influence(correlated) - rival.influence(correlated))


def _apart(one: Metric, both: Sequence[Bootstrapped], ours: Pairing, rival: Pairing) -> Floats:
    """Replicates of ours minus rival on the scale of the interval; a draw without a value counts as the value."""
    first, second = (on_scale(one, drawn.replicates[one.name]).astype(float) for drawn in both)
    values = (on_scale(one, evaluate(one, pairing.moments)) for pairing in (ours, rival))
    value = np.subtract(*values)[:, None]
    return np.asarray(np.nan_to_num(np.where(np.isfinite(first - second), first - second, value)))


def _mean_draws(drawn: Sequence[_Drawn], raw: Floats, n: Floats) -> Draws:
    """Replicates of the mean difference over the stations of every class."""
    apart, z, psi = (np.concatenate([getattr(part, name) for part in drawn]) for name in ("metric", "z", "influence"))
    return Draws(raw @ apart, raw @ z, raw / np.maximum(n, 1.0) @ psi, raw.sum(axis=1))


def _station_rows(compared: Differences, stations: npt.NDArray[np.str_], options: Options) -> pd.DataFrame:
    one, found = compared.metric, compared.found
    tested = np.isfinite(found.p)
    value, low, high = (back(one, compared.middle, end) for end in (found.value, found.ci_low, found.ci_high))
    p_adjusted = adjusted(found.p, options.adjust)
    verdict = outcome(value, low, high, p_adjusted, options.margin(one.name), one.better)
    frame = pd.DataFrame(
        {
            "stratum_kind": "station", "stratum": stations, "difference": value, "ci_low": low, "ci_high": high,
            "p": found.p, "p_adjusted": p_adjusted, "n": found.n.astype(np.int64), "n_eff": found.n_eff,
            "outcome": np.where(tested, verdict, "not_applicable"),
        }
    )  # fmt: skip
    for word in COUNTED:
        frame[word] = (frame["outcome"] == word).astype(np.int64)
    return frame


def _overall(
    found: Differences, network: Network, kind: str, name: str, number: int, members: npt.NDArray[np.bool_],
    outcomes: pd.Series[str], options: Options,
) -> pd.DataFrame:  # fmt: skip
    """The mean difference over stations, clusters weighing equally, with the larger of two standard errors.

    One is that of the spread between clusters, the other that of the network's mean influence series, which holds
    what stations share in time.
    """
    one, apart = found.metric, np.where(members, found.found.value, np.nan)
    valid = np.isfinite(apart)
    weights = network.weights(valid)
    mean = float(weighted_mean(apart, weights))
    middle = weighted_mean(np.where(np.isfinite(found.middle), found.middle, np.nan), weights)
    clusters = network.count(valid)
    time_error, n_eff = found.means.time_error(number) if valid.any() else (np.nan, np.nan)
    between = _between(apart, weights, network) if clusters >= 2 else 0.0
    error = max(between, time_error if np.isfinite(time_error) else 0.0)
    dof = min(n_eff, clusters if clusters >= FEWEST_CLUSTERS else n_eff)
    tested = valid.any() and np.isfinite(n_eff) and n_eff >= 10 and error > 0
    p = float(difference_p_value(mean, error**2, dof)) if tested else np.nan
    half = float(t_quantile(0.95, max(dof - 1.0, 1.0))) * error if tested else np.nan
    value = float(back(one, middle, np.asarray(mean)))
    low, high = (float(back(one, middle, np.asarray(mean + side * half))) for side in (-1.0, 1.0))
    if valid.any() and (apart[valid] == 0).all():
        value, low, high, p, tested = 0.0, 0.0, 0.0, 1.0, True
    margin = options.margin(one.name)
    verdict = str(outcome(value, low, high, p, margin, one.better)) if tested else "not_applicable"
    counts = outcomes[members].value_counts()
    return pd.DataFrame(
        [{
            "stratum_kind": kind, "stratum": name, "difference": value, "ci_low": low, "ci_high": high, "p": p,
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
