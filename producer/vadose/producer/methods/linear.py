"""Ridge regression on the features of a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import safetensors.numpy

from vadose.common import Progress, read_json, silent, write_json
from vadose.producer.features.antecedent import PAST_DAYS
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.tabular import NO_VALID_INPUT, predict_table, sample_rows
from vadose.producer.recipe import Predictors
from vadose.producer.tensors import write_arrays
from vadose.producer.training.splits import Fold

ARRAYS = "ridge.safetensors"
CARD = "member.json"


class RidgeSettings(Settings):
    """`penalty` is in units of the number of rows."""

    penalty: float = pydantic.Field(default=1e-3, ge=0)
    maximum_rows: int = pydantic.Field(default=500_000, ge=1)


@dataclass(frozen=True)
class RidgeModel:
    """Weights of standardised features; the uncertainty is the residual of the fit, the same everywhere."""

    center: Floats
    scale: Floats
    weights: Floats
    intercept: float
    uncertainty: float
    predictors: Predictors
    facts: dict[str, Any] = field(default_factory=dict)
    past_days: int = PAST_DAYS

    def predict(self, block: Block) -> Prediction:
        """Mean and a constant uncertainty for a block."""
        mean = predict_table(block, self.predictors, self._rows)
        missing = np.isnan(mean)
        deviation = np.where(missing, np.nan, self.uncertainty).astype(np.float32)
        return Prediction(mean, deviation, np.where(missing, NO_VALID_INPUT, 0).astype(np.int16))

    def _rows(self, table: Floats) -> Floats:
        standard = np.nan_to_num((table - self.center) / self.scale)
        return np.asarray((standard * self.weights).sum(axis=-1) + self.intercept, np.float32)

    def save(self, directory: Path) -> None:
        """Write `ridge.safetensors` and `member.json`."""
        write_arrays(directory / ARRAYS, {"center": self.center, "scale": self.scale, "weights": self.weights})
        write_json(directory / CARD, {
            "intercept": self.intercept, "uncertainty": self.uncertainty,
            "predictors": self.predictors.model_dump(mode="json"), "facts": self.facts,
        })  # fmt: skip


class Ridge:
    """Linear regression with a penalty on the squared weights."""

    name: ClassVar[str] = "ridge"
    settings_type: ClassVar[type[Settings]] = RidgeSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> RidgeModel:  # fmt: skip
        """Solve the normal equations on everything in training."""
        assert isinstance(settings, RidgeSettings), "settings of another method"
        progress.say(f"train {self.name}")
        table, target = sample_rows(inputs, fold.whole(), "fit", settings.maximum_rows, seed)
        table = table.astype(np.float64)
        center, scale = np.nanmean(table, axis=0), np.nanstd(table, axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        standard = np.nan_to_num((table - center) / scale)
        intercept = float(target.mean(dtype=np.float64))
        gram = standard.T @ standard / len(target) + settings.penalty * np.eye(standard.shape[1])
        weights = np.linalg.solve(gram, standard.T @ (target - intercept) / len(target))
        residual = float(np.std(target - intercept - standard @ weights))
        center, scale, weights = (np.asarray(part, np.float32) for part in (center, scale, weights))
        return RidgeModel(
            center, scale, weights, intercept, residual, inputs.predictors, {"parameters": weights.size + 1}
        )

    def load(self, directory: Path) -> RidgeModel:
        """Load what `RidgeModel.save` wrote."""
        card = read_json(directory / CARD)
        arrays = safetensors.numpy.load_file(directory / ARRAYS)
        return RidgeModel(arrays["center"], arrays["scale"], arrays["weights"], card["intercept"], card["uncertainty"],
                          Predictors.model_validate(card["predictors"]), card["facts"])  # fmt: skip
