"""The fits of the descriptor experiment: autoencoders of rows and trees, each kept with its predictions and costs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import torch

from vadose.common import Progress, read_json, write_json
from vadose.producer.cube import Cube
from vadose.producer.features.cells import Descriptors, Identity
from vadose.producer.methods import Inputs, method, method_settings
from vadose.producer.methods.autoencoder import Autoencoder, RowShape, initialised
from vadose.producer.methods.rowmodel import RowTraining, error_of, steps
from vadose.producer.parallel import one_thread
from vadose.producer.recipe import Recipe
from vadose.producer.tensors import write_arrays
from vadose.producer.training.experiment import predict_where
from vadose.producer.training.optimiser import optimise
from vadose.producer.training.rows import RowEncoder, Rows, RowSet, RowSettings, row_set
from vadose.producer.training.splits import Fold, make_folds

Floats = npt.NDArray[np.float32]
Kind = Literal["convolution", "dense", "trees"]

# Raised when the same trial makes other predictions, so that old files are not taken for new ones.
FORMAT = 1
CHANNELS, WIDTHS = (8, 16), (128, 64, 32, 16)
TRAINING = RowTraining(steps=700, batch=512, check_every=50)
TREES = 400
# Rows that are passed through a network together.
TOGETHER = 8192
# Rows over which the loss on what was trained on is taken.
JUDGED_ROWS = 50_000
NOWCAST = "P1-nowcast-1"


@dataclass(frozen=True)
class Trial:
    """One fit.

    Attributes
    ----------
    contender
        Name in the tables; the seeds of a contender are averaged.
    descriptors, identity, collinear
        What tells one cell from another, as in `RowSettings`.
    kind
        The network with convolutions along its features, that of dense layers alone, or boosted trees.
    order
        Number of a random order of the features; 0 is that by category.
    tuned
        Whether the last quarter of the training is kept aside to watch the loss; nothing is stopped by it.
    """

    contender: str
    split: str = "P1"
    descriptors: Descriptors = "train"
    identity: Identity = "none"
    collinear: Literal["remove", "keep"] = "remove"
    kind: Kind = "convolution"
    seed: int = 0
    order: int = 0
    tuned: bool = False

    @property
    def slug(self) -> str:
        """Name of its files."""
        return f"{self.split}-{self.contender.replace(' ', '-')}-s{self.seed}-o{self.order}"

    @property
    def rows(self) -> RowSettings:
        """The features of its rows; there is no vegetation by the day, hence no dryness index."""
        return RowSettings(descriptors=self.descriptors, identity=self.identity, collinear=self.collinear, memory=True)


@dataclass(frozen=True)
class Fitted:
    """What a trial left behind: predictions of the test values, (value,), and facts."""

    trial: Trial
    mean: Floats
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Rowed:
    """The rows that several trials share: those of training, and the test values with their places."""

    data: RowSet
    test: Floats
    day: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int64]


@dataclass
class Laboratory:
    """The cube, what is kept where, and rows that were read already."""

    cube: Cube
    recipe: Recipe
    folder: Path
    training: RowTraining = TRAINING
    trees: int = TREES

    def __post_init__(self) -> None:
        self._rows: dict[str, Rowed] = {}
        self._folds: dict[str, Fold] = {}

    @cached_property
    def target(self) -> Floats:
        """All observations, (time, cell)."""
        return self.cube.read(self.recipe.target)

    def fold(self, split: str) -> Fold:
        """The fold of a split."""
        if split not in self._folds:
            self._folds[split] = make_folds(split, self.cube, self.recipe.target)[0]
        return self._folds[split]

    def wanted(self, split: str) -> npt.NDArray[np.bool_]:
        """The test values, (time, cell)."""
        return self.fold(split).mask("test") & np.isfinite(self.target)

    def inputs(self, trial: Trial) -> Inputs:
        """What a trial may read: only descriptors of the whole record see test values, and are leaky by that."""
        every = Inputs({"main": self.cube}, self.recipe.target, self.recipe.predictors)
        return every if trial.descriptors == "global" else every.hiding(self.fold(trial.split).unseen())

    def path(self, trial: Trial) -> Path:
        """Where the predictions of a trial lie."""
        known = {
            "format": FORMAT, "trial": asdict(trial), "rows": trial.rows.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"), "trees": self.trees,
            "predictors": self.recipe.predictors.model_dump(mode="json"), "cube": self.cube.content_hash,
            "network": [CHANNELS, WIDTHS],
        }  # fmt: skip
        key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]
        return self.folder / f"{trial.slug}-{key}.safetensors"

    def rowed(self, trial: Trial) -> Rowed:
        """Rows of a trial's features."""
        key = repr((trial.split, trial.rows, trial.tuned))
        if key not in self._rows:
            # Only the last ones are held; trials with the same features follow each other.
            self._rows = {key: read_rows(self, trial)}
        return self._rows[key]

    def run(self, trial: Trial, progress: Progress) -> Fitted:
        """Fit and predict a trial, or read what an earlier call kept."""
        path = self.path(trial)
        if not path.is_file():
            progress.say(trial.slug)
            mean, facts = tree_fit(self, trial) if trial.kind == "trees" else network_fit(self, trial)[:2]
            write_json(path.with_suffix(".json"), facts)
            write_arrays(path, {"mean": mean})
        return self.kept(trial)

    def kept(self, trial: Trial) -> Fitted:
        """What is kept of a trial."""
        from_file = np.asarray(read_mean(self.path(trial)), np.float32)
        return Fitted(trial, from_file, read_json(self.path(trial).with_suffix(".json")))


def read_mean(path: Path) -> Floats:
    """The predictions in a file."""
    return np.asarray(safetensors.numpy.load_file(path)["mean"], np.float32)


def read_rows(lab: Laboratory, trial: Trial) -> Rowed:
    """Rows of training, and of the test values with standardised features, (row, feature)."""
    fold, inputs = lab.fold(trial.split), lab.inputs(trial)
    data = row_set(inputs.cube, inputs.predictors, inputs.target, fold if trial.tuned else fold.whole(), trial.rows,
                   maximum_rows=lab.training.maximum_rows, seed=0)  # fmt: skip
    # A nowcast reads observations up to the day before, in the test period too.
    cube = lab.cube if trial.split == NOWCAST else inputs.cube
    wanted = lab.wanted(trial.split)
    days = np.flatnonzero(wanted.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    daily, absent = data.encoder.daily(cube, span, slice(0, cube.index.size))
    static = data.encoder.static(cube, slice(0, cube.index.size))
    day, cell = np.nonzero(wanted[span] & ~absent)
    test = np.concatenate([daily[day, cell], static[cell]], axis=1)
    return Rowed(data, test, day + span.start, cell)


def ordered(encoder: RowEncoder, order: int) -> npt.NDArray[np.int64]:
    """Places of the features in an order: 0 is that by category, others are random."""
    count = encoder.kept.size
    return np.arange(count) if order == 0 else np.random.default_rng([order, 23]).permutation(count)


def network_fit(lab: Laboratory, trial: Trial) -> tuple[Floats, dict[str, Any], Autoencoder]:
    """Predictions of the test values (value,), facts, and the network itself."""
    rowed = lab.rowed(trial)
    place = ordered(rowed.data.encoder, trial.order)
    fit, tune = (Rows(part.features[:, place], part.target) for part in (rowed.data.fit, rowed.data.tune))
    center, scale = float(fit.target.mean(dtype=np.float64)), float(fit.target.std(dtype=np.float64))
    daily = rowed.data.encoder.daily_count
    shape = RowShape(daily, place.size - daily, CHANNELS if trial.kind == "convolution" else None, WIDTHS)
    dropout = lab.training.dropout if trial.kind == "convolution" else 0.5
    training = lab.training.model_copy(update={"dropout": dropout})
    network = initialised(shape, trial.seed)
    score = (lambda net: error_of(net, tune, center, scale)) if trial.tuned else None
    started = time.perf_counter()
    run = optimise(network, steps(network, fit, center, scale, training), training, seed=trial.seed,
                   fingerprint=trial.slug, score=score)  # fmt: skip
    seconds = time.perf_counter() - started
    some = np.random.default_rng([trial.seed, 29]).permutation(fit.target.size)[:JUDGED_ROWS]
    facts = {
        "seconds": seconds, "features": int(place.size), "losses": run.losses, "checks": run.checks,
        "parameters": sum(one.numel() for one in network.parameters()),
        "training_loss": error_of(network, Rows(fit.features[some], fit.target[some]), center, scale) ** 2,
        "center": center, "scale": scale,
    }  # fmt: skip
    mean = np.full(int(lab.wanted(trial.split).sum()), np.nan, np.float32)
    mean[places(lab, trial.split, rowed)] = predicted(network, rowed.test[:, place], center, scale)
    return mean, facts, network


def predicted(network: Autoencoder, rows: Floats, center: float, scale: float) -> Floats:
    """Soil moisture of rows, (row,), m3 m-3."""
    with torch.inference_mode(), one_thread():
        parts = [
            network(torch.from_numpy(rows[first : first + TOGETHER]))[:, 0].numpy()
            for first in range(0, len(rows), TOGETHER)
        ]
    return np.asarray(np.concatenate(parts) * scale + center, np.float32)


def places(lab: Laboratory, split: str, rowed: Rowed) -> npt.NDArray[np.int64]:
    """Places of the rows among all test values of the split."""
    wanted = lab.wanted(split)
    number = np.cumsum(wanted.ravel()) - 1
    return np.asarray(number.reshape(wanted.shape)[rowed.day, rowed.cell], np.int64)


def tree_fit(lab: Laboratory, trial: Trial) -> tuple[Floats, dict[str, Any]]:
    """Predictions of the test values by boosted trees, (value,), and facts."""
    chosen = method("xgboost-descriptors")
    values = {"maximum_trees": lab.trees, "descriptors": trial.descriptors, "identity": trial.identity,
              "collinear": trial.collinear}  # fmt: skip
    inputs, fold = lab.inputs(trial), lab.fold(trial.split)
    started = time.perf_counter()
    model = chosen.fit(inputs, fold.whole(), method_settings(chosen, values), seed=trial.seed)
    seconds = time.perf_counter() - started
    mean, _, _ = predict_where(model, lab.cube if trial.split == NOWCAST else inputs.cube, lab.wanted(trial.split))
    told: dict[str, Any] = model.facts  # type: ignore[attr-defined]
    return mean, {
        "seconds": seconds, "features": len(told["features"]), "gain": told["gain"], "parameters": told["parameters"],
        "training_rmse": told["tuning_error"],
    }  # fmt: skip


def field(lab: Laboratory, split: str, mean: Floats) -> Floats:
    """Predictions of the test values as (time, cell), missing elsewhere."""
    result = np.full(lab.target.shape, np.nan, np.float32)
    result[lab.wanted(split)] = mean
    return result
