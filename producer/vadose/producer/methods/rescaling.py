"""Rescaling of data sets to a common reference: fitted once, kept as piecewise-linear maps, applied to any day."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.statistics.distribution import FEWEST_LINE_DAYS, DistributionMaps, fit_maps, identity
from vadose.statistics.metrics import is_constant
from vadose.statistics.status import CODE, Codes
from vadose.statistics.sums import moments

Doubles = npt.NDArray[np.float64]
Rescale = Literal["none", "mean_std", "beta", "cdf"]

# How a series was rescaled in the end; the position is the code in files.
RESCALED: tuple[Rescale, ...] = ("none", "mean_std", "beta", "cdf")


def straight(mean_x: Doubles, mean_r: Doubles, gain: Doubles) -> DistributionMaps:
    """Lines r = mean_r + gain (x - mean_x), one a series."""
    maps = identity(mean_x.size)
    maps.x[:] = mean_x[:, None] + np.array([-1.0, 1.0])
    maps.r[:] = mean_r[:, None] + gain[:, None] * np.array([-1.0, 1.0])
    maps.slopes[:] = gain[:, None]
    return maps


def fit_rescaling(
    wanted: Rescale, x: Doubles, r: Doubles, beta: Doubles
) -> tuple[DistributionMaps, npt.NDArray[np.int8], Codes]:
    """Maps of x to r, fitted on common days.

    Where the wanted map cannot be had the next simpler one is taken: `cdf` needs 200 common days, `beta` a valid
    collocation, `mean_std` 30 days, and all of them a positive correlation.

    Parameters
    ----------
    wanted
        Kind of map.
    x, r
        Series and reference, (series, time), NaN = missing.
    beta
        Gain of x to r by collocation, (series,), NaN where there is none.

    Returns
    -------
    maps, kind, status
        One map a series; the position of its kind in `RESCALED`; and `ok`, or why nothing could be matched
        (`few_samples`, `constant_series`, `anticorrelated`).
    """
    m = moments(x, r)
    few = m.n < FEWEST_LINE_DAYS
    constant = is_constant(m, "x") | is_constant(m, "r")
    falling = m.cov <= 0
    matched = ~(few | constant | falling)
    status = np.select([few, constant, falling], [CODE["few_samples"], CODE["constant_series"], CODE["anticorrelated"]])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = m.std_r / m.std_x
    kind = np.where(matched & (wanted != "none"), RESCALED.index("mean_std"), 0)
    gain = ratio
    if wanted == "beta":
        solved = matched & np.isfinite(beta)
        gain = np.where(solved, beta, ratio)
        kind = np.where(solved, RESCALED.index("beta"), kind)
    line = straight(*(np.where(kind > 0, one, other) for one, other in ((m.mean_x, 0.0), (m.mean_r, 0.0), (gain, 1.0))))
    if wanted == "cdf":
        line = fit_maps(x, r)
        kind = np.array([RESCALED.index("cdf"), RESCALED.index("mean_std"), 0])[line.kind]
    return line, kind.astype(np.int8), status.astype(np.int8)


def gains(maps: DistributionMaps, kind: npt.NDArray[np.int8]) -> Doubles:
    """Gain of each map that is a line, (series,); NaN for maps of percentiles."""
    return np.where(kind == RESCALED.index("cdf"), np.nan, maps.slopes[:, 0])
