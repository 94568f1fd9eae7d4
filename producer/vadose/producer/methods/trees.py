"""XGBoost on the features of a day: the untuned boosted trees that every network has to beat."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import xgboost

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.features.antecedent import PAST_DAYS, feature_names
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.tabular import NO_VALID_INPUT, predict_table, sample_rows
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold

TREES = "trees.ubj"
CARD = "member.json"


class XgboostSettings(Settings):
    """Untuned boosted trees; the number of trees is found on the inner split, then all training data are used."""

    maximum_trees: int = pydantic.Field(default=2000, ge=1)
    patience: int = pydantic.Field(default=50, ge=1)
    learning_rate: float = pydantic.Field(default=0.05, gt=0)
    depth: int = pydantic.Field(default=8, ge=1)
    minimum_child_weight: float = pydantic.Field(default=20.0, ge=0)
    sampling: float = pydantic.Field(default=0.8, gt=0, le=1)
    regularisation: float = pydantic.Field(default=1.0, ge=0)
    maximum_rows: int = pydantic.Field(default=2_000_000, ge=1)
    threads: int = pydantic.Field(default=1, ge=1)


@dataclass(frozen=True)
class TreesModel:
    """Boosted trees; the uncertainty is the root mean square error on the inner split, the same everywhere."""

    booster: xgboost.Booster
    predictors: Predictors
    uncertainty: float
    facts: dict[str, Any] = field(default_factory=dict)
    past_days: int = PAST_DAYS

    def predict(self, block: Block) -> Prediction:
        """Mean and a constant uncertainty for a block."""
        mean = predict_table(block, self.predictors, self._rows)
        missing = np.isnan(mean)
        deviation = np.where(missing, np.nan, self.uncertainty).astype(np.float32)
        return Prediction(mean, deviation, np.where(missing, NO_VALID_INPUT, 0).astype(np.int16))

    def _rows(self, table: Floats) -> Floats:
        return np.asarray(self.booster.inplace_predict(table), np.float32)

    def save(self, directory: Path) -> None:
        """Write `trees.ubj` and `member.json`."""
        with whole_file(directory / TREES) as part:
            part.write_bytes(bytes(self.booster.save_raw("ubj")))
        write_json(directory / CARD, {
            "predictors": self.predictors.model_dump(mode="json"), "uncertainty": self.uncertainty, "facts": self.facts,
        })  # fmt: skip


class Xgboost:
    """Boosted trees on lags, trailing means, antecedent precipitation, season and statics."""

    name: ClassVar[str] = "xgboost"
    settings_type: ClassVar[type[Settings]] = XgboostSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> TreesModel:  # fmt: skip
        """Find the number of trees on the inner split, then fit on everything in training."""
        assert isinstance(settings, XgboostSettings), "settings of another method"
        options = parameters(settings, seed)
        names = feature_names(inputs.predictors)
        progress.say(f"train {self.name}, seed {seed}")
        count, error = settings.maximum_trees, float("nan")
        if fold.mask("tune").any():
            fit, tune = (_matrix(inputs, fold, role, settings, seed, names) for role in ("fit", "tune"))
            if tune.num_row():
                trial = xgboost.train(options, fit, settings.maximum_trees, evals=[(tune, "tune")],
                                      early_stopping_rounds=settings.patience, verbose_eval=False)  # fmt: skip
                count, error = trial.best_iteration + 1, float(trial.best_score)
        whole = _matrix(inputs, fold.whole(), "fit", settings, seed, names)
        booster = xgboost.train(options, whole, count, verbose_eval=False)
        if not np.isfinite(error):
            error = float(np.std(booster.predict(whole) - whole.get_label()))
        gain = booster.get_score(importance_type="gain")
        facts = {
            "trees": count,
            "tuned": count < settings.maximum_trees,
            "tuning_error": error,
            "gain": {name: float(gain.get(name, 0.0)) for name in names},
        }
        return TreesModel(booster, inputs.predictors, error, {**facts, "parameters": leaves(booster)})

    def load(self, directory: Path) -> TreesModel:
        """Load what `TreesModel.save` wrote."""
        card = read_json(directory / CARD)
        booster = xgboost.Booster({"nthread": 1})
        try:
            booster.load_model(bytearray((directory / TREES).read_bytes()))
        except (OSError, xgboost.core.XGBoostError) as error:
            raise InputError(
                "trees cannot be read", where=str(directory / TREES), next="vadose train RECIPE"
            ) from error
        return TreesModel(booster, Predictors.model_validate(card["predictors"]), card["uncertainty"], card["facts"])


def parameters(settings: XgboostSettings, seed: int) -> dict[str, Any]:
    """XGBoost's own words for the settings."""
    return {
        "tree_method": "hist", "objective": "reg:squarederror", "eta": settings.learning_rate,
        "max_depth": settings.depth,
        "min_child_weight": settings.minimum_child_weight, "subsample": settings.sampling,
        "colsample_bytree": settings.sampling, "lambda": settings.regularisation, "seed": seed,
        "nthread": settings.threads, "verbosity": 0,
    }  # fmt: skip


def leaves(booster: xgboost.Booster) -> int:
    """Number of leaves, the parameters of the trees."""
    return int(sum(text.count("leaf=") for text in booster.get_dump()))


def _matrix(
    inputs: Inputs, fold: Fold, role: Any, settings: XgboostSettings, seed: int, names: list[str]
) -> xgboost.DMatrix:
    table, target = sample_rows(inputs, fold, role, settings.maximum_rows, seed)
    return xgboost.DMatrix(table, target, feature_names=names)
