"""The support of a training: which cells resemble those that were trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xgboost
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SUPPORT_CELLS = 4000


@dataclass(frozen=True)
class Support:
    """Which cells resemble the training cells: the dissimilarity index of Meyer and Pebesma (2021).

    Attributes
    ----------
    weights
        Importance of each static channel, (channel,).
    points
        Weighted static channels of training cells, (cell, channel).
    scale
        Mean distance between training cells.
    threshold
        Greatest dissimilarity of training cells to cells of other blocks, outliers removed.
    """

    weights: Floats
    points: Floats
    scale: float
    threshold: float

    def dissimilarity(self, static: Floats) -> Doubles:
        """Distance of each cell to the nearest training cell over the mean distance between those, (cell,)."""
        return np.asarray(cKDTree(self.points).query(static * self.weights)[0] / self.scale)

    def outside(self, static: Floats) -> npt.NDArray[np.bool_]:
        """Cells beyond the threshold, (cell,)."""
        return self.dissimilarity(static) > self.threshold


def fit_support(static: Floats, level: Doubles, block: npt.NDArray[np.integer]) -> Support | None:
    """Support of the training cells; None where there are no static channels or too few blocks.

    Parameters
    ----------
    static
        Standardised static channels of the training cells, (cell, channel).
    level
        Mean target of each cell, (cell,): boosted trees that predict it give the channels their importance.
    block
        Block of each cell; distances are taken to cells of other blocks, as in cross-validation.
    """
    if static.shape[1] == 0 or np.unique(block).size < 2:
        return None
    if len(static) > SUPPORT_CELLS:
        chosen = np.sort(np.random.default_rng(412).permutation(len(static))[:SUPPORT_CELLS])
        static, level, block = static[chosen], level[chosen], block[chosen]
    trees = xgboost.train(
        {"max_depth": 3, "eta": 0.1, "nthread": 1, "seed": 0, "verbosity": 0}, xgboost.DMatrix(static, level), 50
    )
    gain = trees.get_score(importance_type="total_gain")
    importance = np.array([float(gain.get(f"f{k}", 0.0)) for k in range(static.shape[1])])
    if importance.sum() <= 0:
        importance = np.ones(static.shape[1])
    weights = (importance / importance.mean()).astype(np.float32)
    points = static * weights
    difference = np.sqrt(np.maximum(_squared_distances(points), 0.0))
    scale = float(difference.mean()) * len(points) / max(len(points) - 1, 1)
    if scale <= 0:
        return None
    nearest = np.where(block[:, None] == block[None, :], np.inf, difference).min(axis=1) / scale
    low, high = np.quantile(nearest, [0.25, 0.75])
    threshold = float(nearest[nearest <= high + 1.5 * (high - low)].max())
    return Support(weights, points, scale, threshold)


def _squared_distances(points: Floats) -> Doubles:
    values = points.astype(np.float64)
    square = (values**2).sum(axis=1)
    return np.asarray(square[:, None] + square[None, :] - 2.0 * values @ values.T)
