"""Violins: the density of a score over stations, computed once for the figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import gaussian_kde

from vadose.producer.training.points import curve_row

Doubles = npt.NDArray[np.float64]

POINTS = 64
FEWEST = 5
# How far the density is drawn beyond the least and greatest value, in bandwidths.
TAIL = 2.0


def density_rows(
    figure: str, panel: str, series: str, values: npt.NDArray[np.float64], unit: str
) -> list[dict[str, Any]]:
    """Points of a Gaussian kernel density (Scott's bandwidth): x is the score, y its density.

    Fewer than five distinct values have no density and give no row.
    """
    finite = values[np.isfinite(values)]
    if np.unique(finite).size < FEWEST:
        return []
    density = gaussian_kde(finite)
    width = TAIL * float(np.sqrt(density.covariance[0, 0]))
    at = np.linspace(finite.min() - width, finite.max() + width, POINTS)
    return [curve_row(figure, panel, series, x, y, unit) for x, y in zip(at, density(at), strict=True)]
