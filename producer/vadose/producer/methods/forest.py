"""Random forest: XGBoost's random-forest mode on the features of a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import xgboost

from vadose.common import Progress, silent
from vadose.producer.methods.base import Inputs, Settings
from vadose.producer.methods.trees import TreesModel, leaves, load_trees, matrix
from vadose.producer.training.splits import Fold

# Deep levels have so many nodes that keeping the histograms of all takes gigabytes, and longer than making them anew
# does; the trees are the same.
CACHED_NODES = 512


class ForestSettings(Settings):
    """Deep trees side by side, each on a share of the rows and of the features of each node."""

    trees: int = pydantic.Field(default=500, ge=1)
    row_share: float = pydantic.Field(default=0.632, gt=0, le=1)
    feature_share: float = pydantic.Field(default=1.0 / 3.0, gt=0, le=1)
    minimum_child_weight: float = pydantic.Field(default=5.0, ge=0)
    depth: int = pydantic.Field(default=20, ge=1)
    regularisation: float = pydantic.Field(default=1e-5, ge=0)
    maximum_rows: int = pydantic.Field(default=500_000, ge=1)
    threads: int = pydantic.Field(default=1, ge=1)


class Forest:
    """Mean of many deep trees (Breiman 2001, doi 10.1023/A:1010933404324)."""

    name: ClassVar[str] = "forest"
    settings_type: ClassVar[type[Settings]] = ForestSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> TreesModel:  # fmt: skip
        """Fit on everything in training; the error is that of a forest of the `fit` part on the inner split."""
        assert isinstance(settings, ForestSettings), "settings of another method"
        progress.say(f"train {self.name}, seed {seed}")
        options, error = parameters(settings, seed), float("nan")
        whole = matrix(inputs, fold.whole(), "fit", settings.maximum_rows, seed)
        if fold.mask("tune").any():
            fit, tune = (matrix(inputs, fold, role, settings.maximum_rows, seed) for role in ("fit", "tune"))
            if tune.num_row():
                # The error of a forest hardly falls beyond fifty trees.
                trial = xgboost.train(options | {"num_parallel_tree": min(settings.trees, 50)}, fit, 1)
                error = _error(trial, tune)
        booster = xgboost.train(options, whole, 1)
        if not np.isfinite(error):
            error = _error(booster, whole)
        facts = {"trees": settings.trees, "tuned": False, "tuning_error": error, "parameters": leaves(booster)}
        return TreesModel(booster, inputs.predictors, error, facts)

    def load(self, directory: Path) -> TreesModel:
        """Load what `TreesModel.save` wrote."""
        return load_trees(directory)


def parameters(settings: ForestSettings, seed: int) -> dict[str, Any]:
    """XGBoost's own words for the settings."""
    return {
        "tree_method": "hist", "objective": "reg:squarederror", "eta": 1.0, "num_parallel_tree": settings.trees,
        "subsample": settings.row_share, "colsample_bynode": settings.feature_share,
        "min_child_weight": settings.minimum_child_weight, "max_depth": settings.depth,
        "lambda": settings.regularisation, "seed": seed, "nthread": settings.threads, "verbosity": 0,
        "max_cached_hist_node": CACHED_NODES,
    }  # fmt: skip


def _error(booster: xgboost.Booster, data: xgboost.DMatrix) -> float:
    return float(np.sqrt(np.mean((booster.predict(data) - data.get_label()) ** 2, dtype=np.float64)))
