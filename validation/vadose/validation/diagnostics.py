"""Curves of a run: seasonal cycles, scatter density, and whether stated uncertainties are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics.aggregates import network_time_error
from vadose.statistics.distributions import t_quantile

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

COLUMNS = ("figure", "panel", "series", "x", "y", "low", "high", "unit")
WATER = "m3 m-3"
DENSITY_BINS = 50
LARGEST_MOISTURE = 0.6
# Nominal coverage and half-width in standard uncertainties.
LEVELS = ((0.5, 0.674490), (0.8, 1.281552), (0.9, 1.644854), (0.95, 1.959964))


@dataclass(frozen=True)
class Hits:
    """Share of reference values inside the stated 90 % interval of one class of stations, with its interval."""

    name: str
    share: float
    ci_low: float
    ci_high: float
    n_eff: float
    clusters: int


def curve(figure: str, panel: str, series: str, x: Floats, y: Floats, unit: str, low: Floats | float = np.nan,
          high: Floats | float = np.nan) -> pd.DataFrame:  # fmt: skip
    """Rows of one line of a figure."""
    return pd.DataFrame(
        {"figure": figure, "panel": panel, "series": series, "x": x, "y": y, "low": low, "high": high, "unit": unit}
    )


def seasonal_cycles(series: dict[str, Floats], days: npt.NDArray[np.datetime64], panel: str) -> pd.DataFrame:
    """Mean by calendar month over stations, of the days that all series have; limits are quartiles over stations."""
    common = np.logical_and.reduce([np.isfinite(values) for values in series.values()])
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    frames = []
    for name, values in series.items():
        rows = []
        for number in range(12):
            chosen = month == number
            inside = common[:, chosen]
            counts = inside.sum(axis=1)
            sums = np.where(inside, values[:, chosen], 0.0).sum(axis=1)
            means = (sums / np.maximum(counts, 1))[counts > 0]
            quartiles = np.quantile(means, [0.25, 0.75]) if means.size else np.full(2, np.nan)
            rows.append((number + 1.0, float(means.mean()) if means.size else np.nan, *quartiles))
        x, y, low, high = np.array(rows).T
        frames.append(curve("seasonal_cycle", panel, name, x, y, WATER, low, high))
    return pd.concat(frames, ignore_index=True)


def scatter_density(product: Floats, reference: Floats, panel: str, name: str) -> pd.DataFrame:
    """Counts of matched days in bins of 0.012 m3 m-3: x reference, y product, low = count, high = share of all."""
    matched = np.isfinite(product) & np.isfinite(reference)
    edges = np.linspace(0.0, LARGEST_MOISTURE, DENSITY_BINS + 1)
    counts, _, _ = np.histogram2d(reference[matched], product[matched], bins=[edges, edges])
    i, j = np.nonzero(counts)
    centres = (edges[:-1] + edges[1:]) / 2.0
    found = counts[i, j]
    return curve(
        "scatter_density", panel, name, centres[i], centres[j], WATER, found, found / max(float(counts.sum()), 1.0)
    )


def reliability(product: Floats, reference: Floats, uncertainty: Floats, panel: str, name: str) -> pd.DataFrame:
    """Share of reference values inside the stated intervals (y) at each nominal level (x), with its interval."""
    rows = []
    for level, width in LEVELS:
        hits = _hits(
            "all", np.ones(len(product), bool), product, reference, uncertainty, width, np.arange(len(product))
        )
        rows.append((level, hits.share, hits.ci_low, hits.ci_high))
    x, y, low, high = np.array(rows).T
    return curve("reliability", panel, name, x, y, "1", low, high)


def calibration(
    product: Floats, reference: Floats, uncertainty: Floats, groups: list[tuple[str, Booleans]],
    clusters: npt.NDArray[np.int64],
) -> list[Hits]:  # fmt: skip
    """Coverage of the stated 90 % interval in each class of stations."""
    width = dict(LEVELS)[0.9]
    return [_hits(name, stations, product, reference, uncertainty, width, clusters) for name, stations in groups]


def _hits(
    name: str, stations: Booleans, product: Floats, reference: Floats, uncertainty: Floats, width: float,
    clusters: npt.NDArray[np.int64],
) -> Hits:  # fmt: skip
    known = np.isfinite(product) & np.isfinite(reference) & np.isfinite(uncertainty) & stations[:, None]
    total = int(known.sum())
    if total == 0:
        return Hits(name, np.nan, np.nan, np.nan, 0.0, 0)
    inside = np.where(known, np.abs(product - reference) <= width * uncertainty, False)
    share = float(inside.sum() / total)
    present = np.asarray(known.any(axis=0))
    daily = np.where(known, inside - share, 0.0).sum(axis=0) * present.sum() / total
    error, n_eff = network_time_error(daily, present)
    per_cluster = pd.DataFrame({"cluster": clusters, "miss": (inside - share * known).sum(axis=1)})
    sums = per_cluster.groupby("cluster")["miss"].sum().to_numpy()
    count = int(np.unique(clusters[known.any(axis=1)]).size)
    between = float(np.sqrt((sums**2).sum())) / total
    error = max(error if np.isfinite(error) else 0.0, between)
    dof = max(min(n_eff if np.isfinite(n_eff) else 3.0, count) - 1.0, 2.0)
    half = float(t_quantile(0.95, dof)) * error
    return Hits(name, share, max(share - half, 0.0), min(share + half, 1.0), n_eff, count)
