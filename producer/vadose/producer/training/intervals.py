"""Coverage and width of 90 % intervals in an experiment, as they come and after block-conformal calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.training.splits import FOLDS
from vadose.producer.uncertainty import BLOCK_DAYS, HALF_WIDTH, calibrate
from vadose.statistics.shares import Share, share

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Intervals:
    """Values with a prediction: error over deviation, deviation, the factor of the interval, class, day and block.

    All are (value,).
    """

    score: Doubles
    deviation: Doubles
    factor: Doubles
    codes: Integers
    day: Integers
    block: Integers

    def coverage(self, chosen: npt.NDArray[np.bool_] | slice = slice(None)) -> Share:
        """Share of values inside their interval; blocks are the clusters of its own interval."""
        inside = (self.score <= self.factor)[chosen].astype(np.float64)
        day, block = self.day[chosen], self.block[chosen]
        if not inside.size:
            return Share(np.nan, np.nan, np.nan, 0, 0.0, 0)
        return share(*_counted(day - int(day.min()), inside), *_counted(block, inside))

    def width(self) -> float:
        """Mean width, m3 m-3."""
        return float((2.0 * self.factor * self.deviation).mean()) if self.score.size else float("nan")


def _counted(place: Integers, inside: Doubles) -> tuple[Doubles, Doubles]:
    """Number of hits and of values at each place."""
    return np.bincount(place, inside).astype(np.float64), np.bincount(place).astype(np.float64)


def intervals(predicted: Doubles, observed: Doubles, deviation: Doubles, block: Integers, codes: Integers,
              *, calibrated: bool) -> Intervals:  # fmt: skip
    """Intervals of all values, arrays (cell, time), `block` and `codes` (cell,).

    With `calibrated`, blocks are dealt to five groups; the factors of each group come from the four others, so that no
    value calibrates its own interval or that of another value of its block.
    """
    valid = np.isfinite(predicted) & np.isfinite(observed) & (np.nan_to_num(deviation) > 0)
    cell, day = np.nonzero(valid)
    spread = deviation[valid]
    score = np.abs(predicted - observed)[valid] / spread
    factor = np.full(score.size, HALF_WIDTH)
    if calibrated:
        group = np.random.default_rng(412).permutation(int(block.max()) + 1)[block] % FOLDS
        piece = block[cell] * 10_000 + day // BLOCK_DAYS
        for number in range(FOLDS):
            mine = group[cell] == number
            other = ~mine
            if mine.any() and other.any():
                found = calibrate(score[other], piece[other], codes[cell][other], "class")
                known = np.array([found.classes.get(int(code), found.overall) for code in codes[cell][mine]])
                factor[mine] = known
    return Intervals(score, spread, factor, codes[cell], day, block[cell])
