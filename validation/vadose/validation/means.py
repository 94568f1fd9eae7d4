"""Averages over stations while they are summed block by block: influence series, and bootstrap draws where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.statistics import Bootstrapped, Metric, Pairing, evaluate, metric, on_scale
from vadose.statistics.aggregates import network_time_error
from vadose.statistics.longrun import DAYS_PER_YEAR
from vadose.statistics.resampling import LADDER, rung

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

TAIL_MODEL, BOOTSTRAP = "tail_model", "bootstrap"
# Blocks of a map that is read piece by piece share their draws, so their length cannot depend on the piece.
MAP_BLOCK_DAYS = 80

assert MAP_BLOCK_DAYS in LADDER


def block_days(x: Floats, r: Floats, rows: Sequence[slice], year: float = DAYS_PER_YEAR) -> int:
    """Mean block length in days that the stations of a sample ask for, the longest of all, up the ladder.

    Parameters
    ----------
    x, r
        Product and reference, (station, time).
    rows
        Blocks of stations to look at one after the other.
    year
        Steps in a year.
    """
    longest = LADDER[0]
    for one in rows:
        pairing = Pairing.of(x[one], r[one], year=year)
        correlated = pairing.influence(metric("r"))
        longest = max(longest, rung(correlated, pairing.gaps), rung(pairing.errors, pairing.gaps))
    return longest


@dataclass(frozen=True)
class Draws:
    """Bootstrap replicates of weighted sums over stations, one for each class, that blocks of stations can add to.

    Attributes
    ----------
    metric
        Of the metric on the scale of its interval, (class, replicate).
    z, z_influence, z_weight
        Of Fisher z, (class, replicate), its influence series, (class, time), and the sum of its weights, (class,): by
        these the spread of the draws is held against the long-run variance.
    """

    metric: Floats
    z: Floats
    z_influence: Floats
    z_weight: Floats

    def __add__(self, other: Draws) -> Draws:
        """Those of both blocks."""
        return Draws(
            self.metric + other.metric, self.z + other.z, self.z_influence + other.z_influence,
            self.z_weight + other.z_weight,
        )  # fmt: skip

    def error(self, number: int, weight: float, present: Booleans, year: float) -> tuple[float, float]:
        """Standard error of the mean of one class, calibrated by that of its mean z, and the n_eff of that."""
        error = float(np.std(self.metric[number])) / weight
        total = float(self.z_weight[number])
        if total <= 0:
            return error, np.nan
        tail, n_eff = network_time_error(self.z_influence[number] * (present.sum() / total), present, year)
        drawn = float(np.std(self.z[number])) / total
        return error * (max(1.0, tail / drawn) if drawn > 0 and np.isfinite(tail) else 1.0), n_eff


@dataclass(frozen=True)
class Means:
    """Influence series of averages over stations, one for each class, that blocks of stations can add to.

    Attributes
    ----------
    influence, weight
        Sum over stations of raw weight times psi / n, (class, time), and the sum of raw weights, (class,).
    present
        Days on which any station of the class is matched, (class, time).
    draws
        Replicates, where intervals are those of the bootstrap.
    year
        Steps in a year: 12 where they are months.
    """

    influence: Floats
    weight: Floats
    present: Booleans
    draws: Draws | None = None
    year: float = DAYS_PER_YEAR

    def __add__(self, other: Means) -> Means:
        """Those of both blocks."""
        both = None if self.draws is None or other.draws is None else self.draws + other.draws
        return Means(
            self.influence + other.influence, self.weight + other.weight, self.present | other.present, both, self.year
        )  # fmt: skip

    @property
    def model(self) -> str:
        """What the error of a mean over other days rests on."""
        return TAIL_MODEL if self.draws is None else BOOTSTRAP

    def time_error(self, number: int) -> tuple[float, float]:
        """Standard error over other days of the mean over stations of one class, and its n_eff; NaN without days."""
        total, present = float(self.weight[number]), self.present[number]
        if total <= 0 or not present.any():
            return np.nan, np.nan
        if self.draws is not None:
            return self.draws.error(number, total, present, self.year)
        return network_time_error(self.influence[number] * (present.sum() / total), present, self.year)


@dataclass(frozen=True)
class BlockDraws:
    """Replicates of one block of stations and what weighs them, from which the `Draws` of each metric are made."""

    drawn: Bootstrapped
    pairing: Pairing

    def sums(self, one: Metric, weights: Floats, z_weights: Floats) -> Draws:
        """Weighted sums of a metric; both weights are (class, station), 0 where a station does not count."""
        correlated = metric("r")
        psi = self.pairing.influence(correlated) / np.maximum(self.pairing.moments.n, 1.0)[:, None]
        return Draws(
            weights @ self._scaled(one), z_weights @ self._scaled(correlated), z_weights @ psi, z_weights.sum(axis=1)
        )  # fmt: skip

    def _scaled(self, one: Metric) -> Floats:
        """Replicates on the scale of the interval, (station, replicate); a draw without a value counts as the value."""
        drawn = on_scale(one, self.drawn.replicates[one.name]).astype(float)
        value = on_scale(one, evaluate(one, self.pairing.moments))
        return np.asarray(np.nan_to_num(np.where(np.isfinite(drawn), drawn, value[:, None])))
