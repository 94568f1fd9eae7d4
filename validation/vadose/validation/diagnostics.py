"""Curves of a run: seasonal cycles and scatter density, from blocks of stations that are joined at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

COLUMNS = ("figure", "panel", "series", "x", "y", "low", "high", "unit")
WATER = "m3 m-3"
DENSITY_BINS = 50
LARGEST_MOISTURE = 0.6


def curve(figure: str, panel: str, series: str, x: Floats, y: Floats, unit: str, low: Floats | float = np.nan,
          high: Floats | float = np.nan) -> pd.DataFrame:  # fmt: skip
    """Rows of one line of a figure."""
    return pd.DataFrame(
        {"figure": figure, "panel": panel, "series": series, "x": x, "y": y, "low": low, "high": high, "unit": unit}
    )


@dataclass(frozen=True)
class Drawn:
    """What the curves of one reference need from a block of stations.

    Attributes
    ----------
    cycles
        Mean by calendar month of the days that all series have, by the name of the series, (station, 12).
    density
        Counts in bins of reference and product, by the name of the product, (bins, bins).
    """

    cycles: Mapping[str, Floats]
    density: Mapping[str, Floats]

    @classmethod
    def of(cls, products: Mapping[str, Floats], reference: Floats, truth: str, days: Days) -> Drawn:
        """Of the series of a block, (station, time), and the reference, which is called `truth`."""
        series = {**products, truth: reference}
        common = np.logical_and.reduce([np.isfinite(values) for values in series.values()])
        month = days.astype("datetime64[M]").astype(np.int64) % 12
        cycles = {name: _monthly(values, common, month) for name, values in series.items()}
        return cls(cycles, {name: _density(values, reference) for name, values in products.items()})

    def __add__(self, other: Drawn) -> Drawn:
        """Those of both blocks."""
        return Drawn(
            {name: np.concatenate([one, other.cycles[name]]) for name, one in self.cycles.items()},
            {name: one + other.density[name] for name, one in self.density.items()},
        )

    def curves(self, panel: str) -> pd.DataFrame:
        """Rows of both figures."""
        frames = [_cycle_curve(means, panel, name) for name, means in self.cycles.items()]
        frames += [_density_curve(counts, f"{panel}/{name}", name) for name, counts in self.density.items()]
        return pd.concat(frames, ignore_index=True)


def _monthly(values: Floats, common: Booleans, month: npt.NDArray[np.int64]) -> Floats:
    out = np.full((len(values), 12), np.nan)
    for number in range(12):
        chosen = month == number
        inside = common[:, chosen]
        counts = inside.sum(axis=1)
        sums = np.where(inside, values[:, chosen], 0.0).sum(axis=1)
        out[:, number] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return out


def _cycle_curve(means: Floats, panel: str, name: str) -> pd.DataFrame:
    """Mean by calendar month over stations; limits are quartiles over stations."""
    rows = []
    for number in range(12):
        known = means[np.isfinite(means[:, number]), number]
        quartiles = np.quantile(known, [0.25, 0.75]) if known.size else np.full(2, np.nan)
        rows.append((number + 1.0, float(known.mean()) if known.size else np.nan, *quartiles))
    x, y, low, high = np.array(rows).T
    return curve("seasonal_cycle", panel, name, x, y, WATER, low, high)


_EDGES = np.linspace(0.0, LARGEST_MOISTURE, DENSITY_BINS + 1)


def _density(product: Floats, reference: Floats) -> Floats:
    matched = np.isfinite(product) & np.isfinite(reference)
    # A histogram by counting is ten times faster than numpy's in two dimensions.
    x, y = reference[matched] * (DENSITY_BINS / LARGEST_MOISTURE), product[matched] * (DENSITY_BINS / LARGEST_MOISTURE)
    inside = (x >= 0) & (x <= DENSITY_BINS) & (y >= 0) & (y <= DENSITY_BINS)
    i, j = (np.minimum(one[inside].astype(np.int64), DENSITY_BINS - 1) for one in (x, y))
    counts = np.bincount(i * DENSITY_BINS + j, minlength=DENSITY_BINS**2)
    return counts.reshape(DENSITY_BINS, DENSITY_BINS).astype(float)


def _density_curve(counts: Floats, panel: str, name: str) -> pd.DataFrame:
    """Counts of matched days in bins of 0.012 m3 m-3: x reference, y product, low = count, high = share of all."""
    i, j = np.nonzero(counts)
    centres = (_EDGES[:-1] + _EDGES[1:]) / 2.0
    found = counts[i, j]
    share = found / max(float(counts.sum()), 1.0)
    return curve("scatter_density", panel, name, centres[i], centres[j], WATER, found, share)
