"""XGBoost on the features of a day: the untuned boosted trees that every network has to beat."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import xgboost

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.cube import Cube
from vadose.producer.features.antecedent import PAST_DAYS, feature_names, features
from vadose.producer.features.past import past_features, past_names
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.tabular import NO_VALID_INPUT, Table, predict_table, sample_rows
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold, Role

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
class Past:
    """Past values of the target among the features, nothing newer than `latency_days`."""

    target: str
    latency_days: int

    def table(self, cube: Cube, predictors: Predictors, days: slice, cells: slice) -> Floats:
        """Features of the predictors, then those of the past."""
        known = past_features(cube, self.target, self.latency_days, days, cells)
        return np.concatenate([features(cube, predictors, days, cells), known], axis=-1)


@dataclass(frozen=True)
class TreesModel:
    """Trees; the uncertainty is one error for all, and `past` is None for a projection."""

    booster: xgboost.Booster
    predictors: Predictors
    uncertainty: float
    facts: dict[str, Any] = field(default_factory=dict)
    past: Past | None = None
    past_days: int = PAST_DAYS

    def predict(self, block: Block) -> Prediction:
        """Mean and a constant uncertainty for a block."""
        mean = predict_table(block, self.predictors, self._rows, table_of(self.past))
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
            "past": None if self.past is None else asdict(self.past),
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
        past = self.past(inputs)
        progress.say(f"train {self.name}, seed {seed}")
        count, error = settings.maximum_trees, float("nan")
        if fold.mask("tune").any():
            fit, tune = (matrix(inputs, fold, role, settings.maximum_rows, seed, past) for role in ("fit", "tune"))
            if tune.num_row():
                trial = xgboost.train(options, fit, settings.maximum_trees, evals=[(tune, "tune")],
                                      early_stopping_rounds=settings.patience, verbose_eval=False)  # fmt: skip
                count, error = trial.best_iteration + 1, float(trial.best_score)
        whole = matrix(inputs, fold.whole(), "fit", settings.maximum_rows, seed, past)
        booster = xgboost.train(options, whole, count, verbose_eval=False)
        if not np.isfinite(error):
            error = float(np.std(booster.predict(whole) - whole.get_label()))
        gain = booster.get_score(importance_type="gain")
        facts = {
            "trees": count,
            "tuned": count < settings.maximum_trees,
            "tuning_error": error,
            "gain": {name: float(gain.get(name, 0.0)) for name in whole.feature_names},
        }
        return TreesModel(booster, inputs.predictors, error, {**facts, "parameters": leaves(booster)}, past)

    def past(self, inputs: Inputs) -> Past | None:
        """Which past values of the target are among the features."""
        return None

    def load(self, directory: Path) -> TreesModel:
        """Load what `TreesModel.save` wrote."""
        return load_trees(directory)


class XgboostNowcast1(Xgboost):
    """The same with past values of the target that are one day old or older."""

    name: ClassVar[str] = "xgboost-nowcast-1"
    needs_own_history: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = ("P1-nowcast-1",)
    latency_days: ClassVar[int] = 1

    def past(self, inputs: Inputs) -> Past | None:
        """Values of the target from the latency on."""
        return Past(inputs.target, self.latency_days)


class XgboostNowcast3(XgboostNowcast1):
    """The same with past values of the target that are three days old or older."""

    name: ClassVar[str] = "xgboost-nowcast-3"
    splits: ClassVar[tuple[str, ...] | None] = ("P1-nowcast-3",)
    latency_days: ClassVar[int] = 3


def load_trees(directory: Path) -> TreesModel:
    """Load what `TreesModel.save` wrote."""
    card = read_json(directory / CARD)
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray((directory / TREES).read_bytes()))
    except (OSError, xgboost.core.XGBoostError) as error:
        raise InputError("trees cannot be read", where=str(directory / TREES), next="vadose train RECIPE") from error
    past = None if card.get("past") is None else Past(**card["past"])
    return TreesModel(booster, Predictors.model_validate(card["predictors"]), card["uncertainty"], card["facts"], past)


def table_of(past: Past | None) -> Table:
    """The features with or without past values of the target."""
    return features if past is None else past.table


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
    """Number of leaves, the parameters of the trees, from the number of nodes of each tree in the stored form."""
    nodes = re.findall(rb"num_nodesS(?:[iU].|I..|l....|L........)(\d+)", bytes(booster.save_raw("ubj")), re.DOTALL)
    return sum((int(count) + 1) // 2 for count in nodes)


def matrix(
    inputs: Inputs, fold: Fold, role: Role, maximum_rows: int, seed: int, past: Past | None = None
) -> xgboost.DMatrix:
    """Features and target of the values of a role, at most so many rows."""
    names = feature_names(inputs.predictors) + ([] if past is None else past_names(past.target))
    table, target = sample_rows(inputs, fold, role, maximum_rows, seed, table_of(past))
    return xgboost.DMatrix(table.reshape(-1, len(names)) if table.size else np.zeros((0, len(names)), np.float32),
                           target, feature_names=names)  # fmt: skip
