"""Predictions judged cell by cell: medians over cells with intervals, and differences of two predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.training.points import curve_row
from vadose.producer.training.scores import MINIMUM_VALUES, SEED
from vadose.producer.training.splits import blocks
from vadose.statistics import evaluate, metric, moments
from vadose.statistics.aggregates import Spread, resampled_weights, spread

Doubles = npt.NDArray[np.float64]
Series = npt.NDArray[np.floating[Any]]

METRICS = ("rmse", "ubrmsd", "r", "bias")
# Classes of the reference that a band is drawn over, m3 m-3, and the fewest values of a class.
EDGES = np.arange(0.0, 0.61, 0.02)
FEWEST = 50
SAME = "no different"


@dataclass(frozen=True)
class Judge:
    """What predictions are compared with.

    Attributes
    ----------
    reference
        (time, cell), m3 m-3; only its finite values are scored, and only where a prediction has one, too.
    block
        Number of the block of each cell, (cell,); blocks are drawn for the intervals.
    fewest
        Values that a cell needs.
    """

    reference: Doubles
    block: npt.NDArray[np.int64]
    fewest: int = MINIMUM_VALUES

    @classmethod
    def of(cls, cube: Cube, reference: Series, degrees: float | None = None) -> Judge:
        """The judge of a cube's cells; blocks of 5 degrees, or of `degrees` where the land is small."""
        if degrees is None:
            return cls(np.asarray(reference, np.float64), blocks(cube.lat, cube.lon))
        row, column = np.floor(cube.lat / degrees), np.floor(cube.lon / degrees)
        _, number = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)
        return cls(np.asarray(reference, np.float64), number.astype(np.int64))

    @cached_property
    def drawn(self) -> Doubles:
        """Weights of the replicates, (replicate, cell)."""
        return resampled_weights(self.block, np.ones(self.block.size), SEED)

    def cells(self, mean: Series, name: str) -> Doubles:
        """A metric of each cell, (cell,); missing with too few values."""
        found = moments(np.asarray(mean, np.float64).T, self.reference.T)
        return np.where(found.n >= self.fewest, evaluate(metric(name), found), np.nan)

    def median(self, values: Doubles) -> Spread:
        """Median over cells of (cell,) with its 95 % interval, blocks drawn again."""
        known = np.isfinite(values)
        return spread("median", values, known.astype(np.float64), self.drawn * known, np.unique(self.block[known]).size)

    def row(self, mean: Series) -> dict[str, float]:
        """Median scores; RMSE and R with the limits of their intervals; and the number of cells."""
        found = {name: self.cells(mean, name) for name in METRICS}
        told: dict[str, float] = {}
        for name in METRICS:
            middle = self.median(found[name])
            told[name] = middle.value
            if name in ("rmse", "r"):
                told |= {f"{name}_low": middle.ci_low, f"{name}_high": middle.ci_high}
        return {**told, "cells": int(np.isfinite(found["rmse"]).sum())}

    def differences(
        self, fields: Mapping[str, Series], against: str, names: tuple[str, ...] = ("rmse",)
    ) -> Iterator[dict[str, Any]]:
        """Each field less `against`: median over cells of the differences, its interval, and what it says."""
        for name in names:
            other = self.cells(fields[against], name)
            for key, mean in fields.items():
                if key == against:
                    continue
                both = np.isfinite(mean) & np.isfinite(fields[against])
                mine = self.cells(np.where(both, mean, np.nan), name)
                theirs = other if both.all() else self.cells(np.where(both, fields[against], np.nan), name)
                yield {"contender": key, "against": against, "metric": name, **self.difference(mine - theirs, name)}

    def difference(self, apart: Doubles, name: str) -> dict[str, Any]:
        """A median difference of a metric as columns of a table."""
        middle = self.median(apart)
        return {"difference": middle.value, "ci_low": middle.ci_low, "ci_high": middle.ci_high,
                "cells": int(np.isfinite(apart).sum()), "verdict": verdict(middle, name)}  # fmt: skip


def verdict(middle: Spread, name: str) -> str:
    """What an interval of a difference says: better, worse, or no different."""
    if not (middle.ci_low > 0 or middle.ci_high < 0):
        return SAME
    better = middle.value > 0 if name == "r" else middle.value < 0
    return "better" if better else "worse"


def said(middle: float, low: float, high: float, digits: int = 4) -> str:
    """A figure with its interval, `+0.0012 [-0.0003, +0.0030]`."""
    return f"{middle:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def bands(figure: str, panel: str, series: str, predicted: Series, reference: Series) -> Iterator[dict[str, Any]]:
    """A scatter as a band: median and 5th to 95th percentile of the predictions by classes of the reference."""
    both = np.isfinite(predicted) & np.isfinite(reference)
    said_there, place = predicted[both], np.digitize(reference[both], EDGES)
    for k in range(1, EDGES.size):
        values = said_there[place == k]
        if values.size >= FEWEST:
            low, middle, high = (float(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
            yield curve_row(figure, panel, series, float(EDGES[k - 1] + EDGES[k]) / 2, middle, "m3 m-3", low, high)
