"""The share of days on which something holds, with an interval that knows days and places to be dependent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.statistics.aggregates import network_time_error
from vadose.statistics.distributions import t_quantile
from vadose.statistics.longrun import DAYS_PER_YEAR

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """Share of place-days on which something holds, with its 95 % interval.

    `n` place-days of `clusters` were judged; `n_eff` is the effective number of days of the series of hits.
    """

    value: float
    ci_low: float
    ci_high: float
    n: int
    n_eff: float
    clusters: int


def share(
    hits: Floats, judged: Floats, hits_of_cluster: Floats, judged_of_cluster: Floats, year: float = DAYS_PER_YEAR
) -> Share:
    """Share of hits, with the larger of two errors: of the days that places share, and between clusters.

    Parameters
    ----------
    hits, judged
        Number of hits and of judged places on each day, (time,).
    hits_of_cluster, judged_of_cluster
        Number of hits and of judged place-days of each cluster, (cluster,).
    year
        Steps in a year.
    """
    total = float(judged.sum())
    if total == 0:
        return Share(np.nan, np.nan, np.nan, 0, 0.0, 0)
    value = float(hits.sum() / total)
    present = judged > 0
    influence = (hits - value * judged) * present.sum() / total
    error, n_eff = network_time_error(influence, present, year)
    between = float(np.sqrt(((hits_of_cluster - value * judged_of_cluster) ** 2).sum())) / total
    error = max(error if np.isfinite(error) else 0.0, between)
    clusters = int((judged_of_cluster > 0).sum())
    dof = max(min(n_eff if np.isfinite(n_eff) else 3.0, clusters) - 1.0, 2.0)
    half = float(t_quantile(0.95, dof)) * error
    return Share(value, max(value - half, 0.0), min(value + half, 1.0), int(total), n_eff, clusters)
