"""The fits of the emulation experiment: the simulated land, its two targets, and every trial kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import xgboost

from vadose.common import Progress
from vadose.producer.cube import Cube, open_cube
from vadose.producer.experiments.worlds import write_cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.sequence import SequenceModel
from vadose.producer.recipe import Predictors
from vadose.producer.simulate.settings import Settings
from vadose.producer.simulate.simulation import World, make_world
from vadose.producer.tensors import write_arrays
from vadose.producer.training.attention import attention_by_lag
from vadose.producer.training.splits import Fold, make_folds

Floats = npt.NDArray[np.float32]

FINE = "0P05DEG"
FORMAT = 1
TARGET, LAND_MODEL, RAIN = "smap_sm_am", "land_model_b_sm", "precipitation"
SURFACE = ("albedo_visible", "albedo_near_infrared", "albedo", "land_surface_temperature")
STATIC = ("elevation", "slope", "aspect_sine", "aspect_cosine", "sand", "silt", "clay")
ALL = Predictors(daily=(*SURFACE, LAND_MODEL), static=STATIC)
WITHOUT = Predictors(daily=SURFACE, static=STATIC)
ALONE = Predictors(daily=(LAND_MODEL,))
RAINY = Predictors(daily=(*SURFACE, LAND_MODEL, RAIN), static=STATIC)
NETWORK: Mapping[str, Any] = {
    "sequence_days": 4, "hidden": 48, "layers": 1, "pooling": "relu",
    "training": {"steps": 800, "batch": 512, "learning_rate": 5.0e-3, "maximum_cells": 1200},
}  # fmt: skip
TREES: Mapping[str, Any] = {"maximum_trees": 150, "maximum_rows": 60_000}
# Three degrees of the invented land at 0.05 degree.
WORLD = Settings(
    name="emulation", token=FINE, box=(-42.0, 40.0, -39.0, 43.0), start=date(2015, 4, 1), end=date(2017, 9, 30),
    seed=412,
)  # fmt: skip
LENGTHS = (1, 2, 4, 8, 15, 30)
RAINY_LENGTHS = (4, 30)
# Cells with a simulated station that teach the made product; offset and noise of a station, m3 m-3.
STATIONS, STATION_ERROR = 80, 0.045
RETRIEVAL, PRODUCT = "radiometer", "product made of the land model"

NETWORK_ALL, NETWORK_ALONE = "AtLSTM, all inputs", "AtLSTM, land model alone"
NETWORK_WITHOUT, TREES_ALL = "AtLSTM, without the land model", "boosted trees, all inputs"


@dataclass(frozen=True)
class Trial:
    """One fit: what is learnt, from what, by which method, under which fold of a split."""

    contender: str
    predictors: Predictors
    settings: Mapping[str, Any] = field(default_factory=lambda: NETWORK)
    method: str = "atlstm-window"
    target: str = RETRIEVAL
    split: str = "P1"
    fold: int = 0


FIELDS = (
    Trial(NETWORK_ALL, ALL), Trial(NETWORK_ALONE, ALONE), Trial(NETWORK_WITHOUT, WITHOUT),
    Trial(TREES_ALL, ALL, TREES, "xgboost"),
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """The cube, with the retrieval as its target, the truth and the made product, (time, cell)."""

    cube: Cube
    truth: Floats
    product: Floats
    folder: Path

    def targeted(self, target: str) -> Cube:
        """The cube with a target in the place of the retrieval; the made product is seen on the same days."""
        if target == RETRIEVAL:
            return self.cube
        seen = np.isfinite(self.cube.read(TARGET))
        return self.cube.having(TARGET, np.where(seen, self.product, np.float32(np.nan)))


def planned(
    network: Mapping[str, Any], trees: Mapping[str, Any], lengths: Sequence[int], rainy: Sequence[int]
) -> tuple[list[Trial], list[Trial]]:
    """The trials of the scores, and those of the lengths with and without rain."""

    def one(trial: Trial, **changes: Any) -> Trial:
        values = {"contender": trial.contender, "predictors": trial.predictors, "method": trial.method,
                  "settings": trees if trial.method == "xgboost" else network}  # fmt: skip
        return Trial(**{**values, **changes})

    plain = [one(trial, target=target) for target in (RETRIEVAL, PRODUCT) for trial in FIELDS]
    plain += [one(trial, split="P5", fold=fold) for trial in (FIELDS[0], FIELDS[3]) for fold in range(3)]
    swept = [
        Trial(f"{name}, {days} d", predictors, {**network, "sequence_days": days})
        for name, predictors, chosen in (("no rain", ALL, lengths), ("with rain", RAINY, rainy))
        for days in chosen
    ]
    return plain, swept


def make_scene(settings: Settings, folder: Path) -> Scene:
    """The land of some settings, from the folder or simulated into it."""
    path, truth_path = folder / f"{settings.name}.zarr", folder / f"{settings.name}-truth.safetensors"
    if not truth_path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        world = make_world(settings)
        cube = write_cube(world, path, (TARGET, LAND_MODEL, RAIN, *SURFACE), STATIC, "a land for emulation")
        write_arrays(truth_path, {"truth": world.soil_moisture, "product": made_product(world, cube)})
    arrays = safetensors.numpy.load_file(truth_path)
    return Scene(open_cube(path), arrays["truth"], arrays["product"], folder)


def made_product(world: World, cube: Cube) -> Floats:
    """A product after the manner of the paper's target: trees on a day's inputs, taught by stations, (time, cell)."""
    generator = np.random.default_rng([world.settings.seed, 37])
    cells = np.sort(generator.permutation(cube.index.size)[:STATIONS])
    shape = (cube.days.size, cells.size)
    station = (world.soil_moisture[:, cells] + generator.normal(0, STATION_ERROR, cells.size)
               + generator.normal(0, STATION_ERROR, shape))  # fmt: skip
    daily = np.stack([cube.read(name) for name in ALL.daily], axis=-1)
    static = np.stack([cube.read_static(name) for name in ALL.static], axis=-1)

    def rows(chosen: Any) -> Floats:
        part = daily[:, chosen]
        return np.concatenate([part, np.broadcast_to(static[chosen], (*part.shape[:2], static.shape[1]))], axis=-1)

    taught = rows(cells).reshape(-1, daily.shape[-1] + static.shape[-1])
    options = {"tree_method": "hist", "max_depth": 6, "learning_rate": 0.1, "min_child_weight": 20, "nthread": 1,
               "subsample": 0.8, "colsample_bytree": 0.8, "seed": 0}  # fmt: skip
    booster = xgboost.train(options, xgboost.DMatrix(taught, station.ravel()), 200)
    found = np.empty((cube.days.size, cube.index.size), np.float32)
    for first in range(0, cube.index.size, 512):
        part = np.arange(first, min(first + 512, cube.index.size))
        table = rows(part)
        found[:, part] = booster.inplace_predict(table.reshape(-1, table.shape[-1])).reshape(table.shape[:2])
    return found


def fold_of(scene: Scene, trial: Trial) -> Fold:
    """The fold of a trial; targets have values in the same places, so that folds are the same."""
    return make_folds(trial.split, scene.cube, TARGET)[trial.fold]


def path_of(scene: Scene, trial: Trial) -> Path:
    """Where the predictions of a trial lie."""
    known = {"format": FORMAT, "cube": scene.cube.content_hash, "settings": dict(trial.settings),
             "predictors": trial.predictors.model_dump(mode="json"), "method": trial.method, "target": trial.target,
             "split": trial.split, "fold": trial.fold, "days": [str(scene.cube.days[k]) for k in (0, -1)],
             "cells": int(scene.cube.index.size)}  # fmt: skip
    key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
    return scene.folder / f"{trial.split}-{trial.fold}-{trial.method}-{key}.safetensors"


def run(scene: Scene, trial: Trial, progress: Progress) -> None:
    """Fit a trial and keep its predictions of the test values, and the attention by lag of a network."""
    path = path_of(scene, trial)
    if path.is_file():
        return
    progress.say(f"{trial.contender}, {trial.target}, {trial.split} {trial.fold}")
    cube, fold, chosen = scene.targeted(trial.target), fold_of(scene, trial), method(trial.method)
    inputs = Inputs({"main": cube}, TARGET, trial.predictors).hiding(fold.unseen())
    model = chosen.fit(inputs, fold, method_settings(chosen, trial.settings), seed=0)
    mask = fold.mask("test")
    days = np.flatnonzero(mask.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    mean = model.predict(Block(inputs.cube, span, slice(0, cube.index.size))).mean
    arrays: dict[str, npt.NDArray[Any]] = {"mean": np.where(mask[span], mean, np.float32(np.nan)),
                                           "first": np.array([span.start])}  # fmt: skip
    if isinstance(model, SequenceModel):
        for k, (_, weights) in enumerate(attention_by_lag(model, cube, TARGET)):
            arrays[f"attention_{k}"] = weights
    write_arrays(path, arrays)


def kept(scene: Scene, trial: Trial) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a finished trial."""
    return dict(safetensors.numpy.load_file(path_of(scene, trial)))


def done(scene: Scene, trials: Sequence[Trial]) -> list[Trial]:
    """The finished ones."""
    return [trial for trial in trials if path_of(scene, trial).is_file()]


def whole(scene: Scene, trials: Sequence[Trial]) -> Floats:
    """The test values of all folds of a contender, (time, cell)."""
    result = np.full(scene.truth.shape, np.nan, np.float32)
    for trial in trials:
        arrays = kept(scene, trial)
        first, mean = int(arrays["first"][0]), arrays["mean"]
        part = result[first : first + len(mean)]
        part[...] = np.where(np.isfinite(mean), mean, part)
    return result
