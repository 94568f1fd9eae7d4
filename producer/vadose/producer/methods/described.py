"""Trees that know a cell by the temporal descriptors of its observations, or by a control in their place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import safetensors.numpy
import xgboost

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.methods import forest, trees
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.forest import ForestSettings
from vadose.producer.methods.rowmodel import CARD, CELLS_AT_ONCE, NO_VALID_INPUT, ROWS, with_observed
from vadose.producer.methods.trees import XgboostSettings
from vadose.producer.tensors import write_arrays
from vadose.producer.training.rows import RowEncoder, Rows, RowSet, RowSettings, row_set
from vadose.producer.training.splits import Fold

TREES = "trees.ubj"


class TreeRowSettings(RowSettings):
    """Rows for trees: with memory, and with collinear features, which do not harm them.

    With `keep_observed` an observation of the day is the answer.
    """

    memory: bool = True
    collinear: Literal["remove", "keep"] = "keep"
    keep_observed: bool = False


@dataclass(frozen=True)
class DescribedTrees:
    """Trees with the encoder of their rows; the uncertainty is one error for all."""

    booster: xgboost.Booster
    encoder: RowEncoder
    uncertainty: float
    keep_observed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return self.encoder.past_days

    def predict(self, block: Block) -> Prediction:
        """Mean and a constant uncertainty for a block."""
        days = range(*block.days.indices(block.cube.days.size))
        cells = range(*block.cells.indices(block.cube.index.size))
        mean = np.full((len(days), len(cells)), np.nan, np.float32)
        for start in range(cells.start, cells.stop, CELLS_AT_ONCE):
            part = slice(start, min(start + CELLS_AT_ONCE, cells.stop))
            mean[:, part.start - cells.start : part.stop - cells.start] = self._stretch(block, days, part)
        deviation = np.where(np.isnan(mean), np.nan, self.uncertainty).astype(np.float32)
        if self.keep_observed:
            mean, deviation = with_observed(block, self.encoder.target, mean, deviation, self.uncertainty)
        return Prediction(mean, deviation, np.where(np.isnan(mean), NO_VALID_INPUT, 0).astype(np.int16))

    def _stretch(self, block: Block, days: range, cells: slice) -> Floats:
        daily, absent = self.encoder.daily(block.cube, slice(days.start, days.stop), cells)
        static = self.encoder.static(block.cube, cells)
        rows = np.concatenate([daily, np.broadcast_to(static, (*daily.shape[:2], static.shape[1]))], axis=-1)
        found = self.booster.inplace_predict(rows.reshape(-1, rows.shape[-1])).reshape(absent.shape)
        return np.where(absent, np.float32(np.nan), found)

    def save(self, directory: Path) -> None:
        """Write `trees.ubj`, `rows.safetensors` and `member.json`."""
        with whole_file(directory / TREES) as part:
            part.write_bytes(bytes(self.booster.save_raw("ubj")))
        write_arrays(directory / ROWS, self.encoder.arrays())
        write_json(directory / CARD, {
            "rows": self.encoder.to_json(), "uncertainty": self.uncertainty, "keep_observed": self.keep_observed,
            "facts": self.facts,
        })  # fmt: skip


def load_described(directory: Path) -> DescribedTrees:
    """Load what `DescribedTrees.save` wrote."""
    card = read_json(directory / CARD)
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray((directory / TREES).read_bytes()))
        arrays = safetensors.numpy.load_file(directory / ROWS)
    except (OSError, xgboost.core.XGBoostError, safetensors.SafetensorError) as error:
        raise InputError(f"trees cannot be read: {error}", where=str(directory), next="vadose train RECIPE") from error
    return DescribedTrees(booster, RowEncoder.restored(card["rows"], arrays), card["uncertainty"],
                          card.get("keep_observed", False), card["facts"])  # fmt: skip


class XgboostDescriptorsSettings(XgboostSettings, TreeRowSettings):
    """The settings of the untuned boosted trees, and which features a row has."""


class ForestDescriptorsSettings(ForestSettings, TreeRowSettings):
    """The settings of the forest, and which features a row has."""


class XgboostDescriptors:
    """Boosted trees with the features of a day, statics and descriptors of the training part."""

    name: ClassVar[str] = "xgboost-descriptors"
    settings_type: ClassVar[type[Settings]] = XgboostDescriptorsSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> DescribedTrees:  # fmt: skip
        """Find the number of trees on the inner split, then fit on everything in training."""
        assert isinstance(settings, XgboostDescriptorsSettings), "settings of another method"
        progress.say(f"train {self.name}, seed {seed}")
        options, count, error = trees.parameters(settings, seed), settings.maximum_trees, float("nan")
        if fold.mask("tune").any():
            inner = rows_of(inputs, fold, settings, settings.maximum_rows, seed)
            if inner.tune.target.size:
                trial = xgboost.train(options, _matrix(inner.fit), count, evals=[(_matrix(inner.tune), "tune")],
                                      early_stopping_rounds=settings.patience, verbose_eval=False)  # fmt: skip
                count, error = trial.best_iteration + 1, float(trial.best_score)
        data = rows_of(inputs, fold.whole(), settings, settings.maximum_rows, seed)
        booster = xgboost.train(options, _matrix(data.fit), count, verbose_eval=False)
        return described_trees(booster, data, error, count, settings, tuned=count < settings.maximum_trees)

    def load(self, directory: Path) -> DescribedTrees:
        """Load what `DescribedTrees.save` wrote."""
        return load_described(directory)


class ForestDescriptors:
    """A random forest with the same features."""

    name: ClassVar[str] = "forest-descriptors"
    settings_type: ClassVar[type[Settings]] = ForestDescriptorsSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> DescribedTrees:  # fmt: skip
        """Fit on everything in training; the error is that of a forest of the `fit` part on the inner split."""
        assert isinstance(settings, ForestDescriptorsSettings), "settings of another method"
        progress.say(f"train {self.name}, seed {seed}")
        options, error = forest.parameters(settings, seed), float("nan")
        if fold.mask("tune").any():
            inner = rows_of(inputs, fold, settings, settings.maximum_rows, seed)
            if inner.tune.target.size:
                # The error of a forest hardly falls beyond fifty trees.
                few = options | {"num_parallel_tree": min(settings.trees, 50)}
                error = _error(xgboost.train(few, _matrix(inner.fit), 1), inner.tune)
        data = rows_of(inputs, fold.whole(), settings, settings.maximum_rows, seed)
        booster = xgboost.train(options, _matrix(data.fit), 1)
        return described_trees(booster, data, error, settings.trees, settings, tuned=False)

    def load(self, directory: Path) -> DescribedTrees:
        """Load what `DescribedTrees.save` wrote."""
        return load_described(directory)


def rows_of(inputs: Inputs, fold: Fold, settings: TreeRowSettings, maximum_rows: int, seed: int) -> RowSet:
    """Rows in which missing features stay missing."""
    chosen = RowSettings.model_validate({name: getattr(settings, name) for name in RowSettings.model_fields})
    return row_set(inputs.cube, inputs.predictors, inputs.target, fold, chosen, maximum_rows=maximum_rows, seed=seed,
                   fills=False)  # fmt: skip


def described_trees(booster: xgboost.Booster, data: RowSet, error: float, count: int, settings: TreeRowSettings, *,
                    tuned: bool) -> DescribedTrees:  # fmt: skip
    """The model of a finished fit; without an inner split its error is that of the fit."""
    if not np.isfinite(error):
        error = _error(booster, data.fit)
    gain = booster.get_score(importance_type="gain")
    names = data.encoder.names
    facts = {
        "trees": count, "tuned": tuned, "tuning_error": error, "parameters": trees.leaves(booster), "features": names,
        "gain": {name: float(gain.get(f"f{k}", 0.0)) for k, name in enumerate(names)},
    }  # fmt: skip
    return DescribedTrees(booster, data.encoder, error, settings.keep_observed, facts)


def _matrix(rows: Rows) -> xgboost.DMatrix:
    return xgboost.DMatrix(rows.features, rows.target)


def _error(booster: xgboost.Booster, rows: Rows) -> float:
    return float(np.sqrt(np.mean((booster.inplace_predict(rows.features) - rows.target) ** 2, dtype=np.float64)))
