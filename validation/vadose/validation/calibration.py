"""Whether the stated uncertainty of a product is right: coverage, PIT, CRPS and spread against skill (section 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from vadose.statistics.longrun import DAYS_PER_YEAR
from vadose.statistics.shares import share
from vadose.validation.diagnostics import WATER, curve

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

# Nominal coverage and half-width in standard uncertainties.
LEVELS = ((0.5, 0.674490), (0.8, 1.281552), (0.9, 1.644854), (0.95, 1.959964))
JUDGED = 0.9
PIT_BINS = 10
SPREAD_BINS = 10
# Stated uncertainties beyond this are put into the last bin of the spread-skill line.
_FINE, _LARGEST = 400, 0.4
NOT_REMOVED = "reference_error_not_removed"
REMOVED = "reference_error_removed"
# The class of all days, each station without its bias: told beside the others, and judged by no gate.
WITHOUT_BIAS = "all, bias removed"


def without_bias(error: Floats, training: Floats) -> Floats:
    """Errors without the bias of each station, (station, time): that of the training days, else of its own days.

    `training` holds the errors of the days that the model learnt from, NaN elsewhere.
    """
    learnt = np.isfinite(training)
    chosen = np.where(learnt.any(axis=1, keepdims=True), training, error)
    known = np.isfinite(chosen)
    bias = np.where(known, chosen, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(error - bias[:, None])


@dataclass(frozen=True)
class Hits:
    """Share of reference values inside a stated interval of one class of station-days, with its interval."""

    name: str
    share: float
    ci_low: float
    ci_high: float
    n_eff: float
    clusters: int
    days: int = 0
    level: float = JUDGED


@dataclass(frozen=True)
class Stated:
    """Sums of one class of a block of stations, from which every figure of calibration is made.

    Attributes
    ----------
    inside
        Hits of each level by day and by cluster, (level, time) and (level, cluster).
    daily, of_cluster
        Judged station-days, (time,) and (cluster,).
    pit
        Histogram of the probability integral transform, (bins,).
    crps, interval, width
        Sums of the CRPS, the interval score and the width of the 90 % interval.
    spread
        Count, sum of squared errors and of squared stated standard deviations in fine bins of the latter, (3, bins).
    year
        Steps in a year.
    """

    name: str
    inside: Floats
    inside_cluster: Floats
    daily: Floats
    of_cluster: Floats
    pit: Floats
    crps: float
    interval: float
    width: float
    spread: Floats
    year: float = DAYS_PER_YEAR

    @classmethod
    def of(
        cls, name: str, chosen: Booleans, error: Floats, sigma: Floats, clusters: npt.NDArray[np.int64], count: int,
        year: float = DAYS_PER_YEAR,
    ) -> Stated:  # fmt: skip
        """Of the chosen station-days; `error` and `sigma` are (station, time), `count` the number of all clusters."""
        known = chosen & np.isfinite(error) & np.isfinite(sigma)
        with np.errstate(invalid="ignore", divide="ignore"):
            score = np.where(known, error / sigma, 0.0)
        inside = np.stack([known & (np.abs(score) <= width) for _, width in LEVELS])
        per_cluster = np.zeros((len(LEVELS), count))
        for row, hits in enumerate(inside):
            np.add.at(per_cluster[row], clusters, hits.sum(axis=1))
        of_cluster = np.zeros(count)
        np.add.at(of_cluster, clusters, known.sum(axis=1).astype(float))
        s, e, z = sigma[known].astype(float), error[known].astype(float), score[known].astype(float)
        return cls(
            name, inside.sum(axis=1).astype(float), per_cluster, known.sum(axis=0).astype(float), of_cluster,
            np.histogram(ndtr(-z), PIT_BINS, (0.0, 1.0))[0].astype(float), float(_crps(z, s).sum()),
            float(_interval_score(e, s).sum()), float((2 * LEVELS[2][1] * s).sum()), _spread(e, s), year,
        )  # fmt: skip

    def __add__(self, other: Stated) -> Stated:
        """The same class of two blocks."""
        return Stated(
            self.name, self.inside + other.inside, self.inside_cluster + other.inside_cluster,
            self.daily + other.daily, self.of_cluster + other.of_cluster, self.pit + other.pit,
            self.crps + other.crps, self.interval + other.interval, self.width + other.width,
            self.spread + other.spread, self.year,
        )  # fmt: skip

    @property
    def days(self) -> int:
        """Judged station-days."""
        return int(self.daily.sum())

    def hits(self, level: int) -> Hits:
        """Coverage of one level: the larger of two errors, of the days that stations share and between clusters."""
        found = share(self.inside[level], self.daily, self.inside_cluster[level], self.of_cluster, self.year)
        return Hits(self.name, found.value, found.ci_low, found.ci_high, found.n_eff, found.clusters, found.n,
                    LEVELS[level][0])  # fmt: skip


def _crps(z: Floats, sigma: Floats) -> Floats:
    """CRPS of a Gaussian forecast (Gneiting et al. 2005, doi 10.1175/MWR2904.1)."""
    density = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi)
    return np.asarray(sigma * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi)))


def _interval_score(error: Floats, sigma: Floats) -> Floats:
    """Interval score at 90 % (Gneiting and Raftery 2007, doi 10.1198/016214506000001437)."""
    half = LEVELS[2][1] * sigma
    return np.asarray(2.0 * half + 2.0 / (1.0 - JUDGED) * np.maximum(np.abs(error) - half, 0.0))


def _spread(error: Floats, sigma: Floats) -> Floats:
    fine = np.minimum((sigma / _LARGEST * _FINE).astype(np.int64), _FINE - 1)
    parts = (np.ones(error.size), error**2, sigma**2)
    return np.stack([np.bincount(fine, part, _FINE) for part in parts])


def summed(parts: Sequence[Sequence[Stated]]) -> list[Stated]:
    """The classes of all blocks, each class added over its blocks."""
    out = list(parts[0])
    for more in parts[1:]:
        out = [one + other for one, other in zip(out, more, strict=True)]
    return out


def curves(stated: Stated, panel: str, name: str) -> pd.DataFrame:
    """Reliability (coverage against nominal), PIT histogram and the spread-skill line."""
    hits = [stated.hits(level) for level in range(len(LEVELS))]
    nominal = np.array([level for level, _ in LEVELS])
    low, high = (np.array([getattr(one, key) for one in hits]) for key in ("ci_low", "ci_high"))
    frames = [curve("reliability", panel, name, nominal, np.array([one.share for one in hits]), "1", low, high)]
    total = float(stated.pit.sum())
    if total:
        centres = (np.arange(PIT_BINS) + 0.5) / PIT_BINS
        frames.append(curve("pit", panel, name, centres, stated.pit / total * PIT_BINS, "1"))
        spread, skill, counts = spread_skill(stated)
        frames.append(curve("spread_skill", panel, name, spread, skill, WATER, counts, counts / counts.sum()))
    return pd.concat(frames, ignore_index=True)


def spread_skill(stated: Stated) -> tuple[Floats, Floats, Floats]:
    """Root mean stated variance, root mean squared error and count in about ten equally filled bins of the former."""
    count = stated.spread[0]
    share = np.cumsum(count) / max(count.sum(), 1.0)
    decile = np.minimum((np.concatenate([[0.0], share[:-1]]) * SPREAD_BINS).astype(np.int64), SPREAD_BINS - 1)
    sums = np.stack([np.bincount(decile, part, SPREAD_BINS) for part in stated.spread])
    filled = sums[0] > 0
    n, squared, variance = sums[:, filled]
    return np.sqrt(variance / n), np.sqrt(squared / n), n


def figures(stated: Stated) -> dict[str, float]:
    """Coverage at every level, CRPS, interval score, width, and slope and R of the spread-skill line."""
    out = {
        f"coverage_{level:.0%}".replace("%", ""): stated.hits(number).share for number, (level, _) in enumerate(LEVELS)
    }
    n = max(stated.days, 1)
    out |= {"crps": stated.crps / n, "interval_score": stated.interval / n, "interval_width": stated.width / n}
    spread, skill, counts = spread_skill(stated)
    if spread.size >= 3 and np.ptp(spread) > 1e-9 and np.ptp(skill) > 1e-12:
        out["spread_skill_slope"] = float(np.polyfit(spread, skill, 1, w=np.sqrt(counts))[0])
        out["spread_skill_r"] = float(np.corrcoef(spread, skill)[0, 1])
    return out
