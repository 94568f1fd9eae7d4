"""`python -m vadose.producer.experiments.emulation FOLDER OUT [HOURS]`: how much of a score is the land model's own.

In a simulated land of 0.05 degree an AtLSTM learns a radiometer, and a product that boosted trees made out of the same
land model, as the published target was made. The truth of the world tells emulation from skill. Fits are kept in the
folder, so that the same command does what is left. About ten minutes on one core.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.numpy
import xgboost

from vadose.common import Progress, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.experiments.judging import Judge, bands, said
from vadose.producer.experiments.tables import publish, records
from vadose.producer.experiments.worlds import write_cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.sequence import SequenceModel
from vadose.producer.recipe import Predictors
from vadose.producer.simulate.settings import Settings
from vadose.producer.simulate.simulation import World, make_world
from vadose.producer.tensors import write_arrays
from vadose.producer.training.attention import attention_by_lag
from vadose.producer.training.points import COLUMNS, curve_row
from vadose.producer.training.splits import Fold, make_folds

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

FINE = "0P05DEG"
COMMAND = "python -m vadose.producer.experiments.emulation FOLDER site/data/experiments/glass-avhrr-sm"
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
WET = 0.4
# Blocks that are drawn for intervals, degrees: the land has three degrees.
BLOCK_DEGREES = 0.5
# Cells with a simulated station that teach the made product; offset and noise of a station, m3 m-3.
STATIONS, STATION_ERROR = 80, 0.045
RETRIEVAL, PRODUCT = "radiometer", "product made of the land model"
REFERENCES = ("target", "truth")
UNIT = "m3 m-3"

NETWORK_ALL, NETWORK_ALONE = "AtLSTM, all inputs", "AtLSTM, land model alone"
NETWORK_WITHOUT, TREES_ALL = "AtLSTM, without the land model", "boosted trees, all inputs"
RAW, LINE, SCALED = "land model as it is", "land model, one straight line", "land model, mean and spread of each cell"


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


def main(folder: Path, out: Path, command: str, hours: float = np.inf, progress: Progress = silent,
         settings: Settings = WORLD, network: Mapping[str, Any] = NETWORK, trees: Mapping[str, Any] = TREES,
         lengths: Sequence[int] = LENGTHS,
         rainy: Sequence[int] = RAINY_LENGTHS) -> None:  # fmt: skip
    """Simulate the land unless it is there, run what is left until the hours are over, and write the tables."""
    until = time.monotonic() + 3600.0 * hours
    scene = make_scene(settings, folder)
    plain, swept = planned(network, trees, lengths, rainy)
    missing = []
    # What matters most first: scores of the later year, lengths, another region.
    for trial in sorted((*plain, *swept), key=lambda one: (one.split != "P1", one in swept)):
        if path_of(scene, trial).is_file() or time.monotonic() < until:
            run(scene, trial, progress)
        else:
            missing.append(f"{trial.contender}, {trial.target}, {trial.split}")
    scores = pd.DataFrame(score_rows(scene, plain))
    curves = [*length_rows(scene, swept), *kept_attention(scene, swept), *banded(scene, plain)]
    tables = {
        "emulation_scores": scores, "emulation_differences": pd.DataFrame(difference_rows(scene, plain)),
        "emulation_curves": pd.DataFrame(curves, columns=COLUMNS),
    }  # fmt: skip
    told = {
        "title": "What is skill, and what emulation",
        "question": "How much of a test score is the land model, which is an input, coming back out of a target that "
                    "was made with it? And how many days does the network need?",
        "what": f"A simulated land of {scene.cube.index.size:,} cells of 0.05 degree. Two targets: the retrieval of a "
                f"radiometer, and a product that boosted trees made of albedo, surface temperature, terrain, soil and "
                f"the land model, taught by {STATIONS} stations. P1 is the last year, P5 (where run) a third of the "
                "land that was not learnt from; one seed. R² and RMSE of all values together, as in the paper, and "
                "beside them medians over cells; intervals by drawing blocks of half a degree. The partial correlation "
                "is that of prediction and reference, the land model held fixed.",
        "finding": finding(scores), "partial": missing,
        "figures": {
            "sequence length": {"x": "days of the window", "caption": "Skill by length of the window (P1, radiometer)"},
            "attention": {"x": "days before", "y": "weight", "caption": "Attention by lag, by length of the window"},
            "predicted by reference": {
                "x": "reference (m3 m-3)", "y": "predicted",
                "caption": "Median and 5th to 95th percentile of predictions by what the target holds (P1)",
            },
        },
    }  # fmt: skip
    publish(out, "emulation", told, tables, command)


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


def land_models(scene: Scene, target: str, split: str) -> dict[str, Floats]:
    """The land model and its corrections, fitted where the split may learn, (time, cell); missing elsewhere."""
    found = {name: np.full(scene.truth.shape, np.nan, np.float32) for name in (RAW, LINE, SCALED)}
    given = scene.cube.read(LAND_MODEL).astype(np.float64)
    aim = scene.targeted(target).read(TARGET).astype(np.float64)
    for fold in make_folds(split, scene.cube, TARGET):
        known = fold.mask("train") & np.isfinite(aim) & np.isfinite(given)
        slope, offset = np.polyfit(given[known], aim[known], 1)
        wanted = fold.mask("test")
        fields = {RAW: given, LINE: slope * given + offset}
        if split == "P1":
            fields[SCALED] = cell_scaled(given, aim, known)
        for name, values in fields.items():
            found[name] = np.where(wanted, values, found[name]).astype(np.float32)
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def cell_scaled(given: Doubles, aim: Doubles, known: npt.NDArray[np.bool_]) -> Doubles:
    """Values with the mean and spread that another series of the cell has where both are known, (time, cell)."""
    count = known.sum(axis=0)
    mean_given, mean_aim = (np.where(known, one, 0.0).sum(axis=0) / np.maximum(count, 1) for one in (given, aim))
    spread_given, spread_aim = (np.sqrt((centred(one, known) ** 2).sum(axis=0)) for one in (given, aim))
    usable = (count >= 30) & (spread_given > 0)
    gain = spread_aim / np.where(usable, spread_given, np.nan)
    return np.asarray((given - mean_given) * gain + mean_aim)


def contenders(scene: Scene, trials: Sequence[Trial]) -> Iterator[tuple[str, str, dict[str, Floats]]]:
    """Target, split and the fields of all finished contenders, those of the land model among them."""
    finished = done(scene, trials)
    for target, split in dict.fromkeys((trial.target, trial.split) for trial in finished):
        own: dict[str, list[Trial]] = {}
        for trial in finished:
            if (trial.target, trial.split) == (target, split):
                own.setdefault(trial.contender, []).append(trial)
        fields = {name: whole(scene, members) for name, members in own.items()}
        yield target, split, {**fields, **land_models(scene, target, split)}


def score_rows(scene: Scene, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Scores of every contender against its target and the truth, all values and those of wet soil."""
    land = scene.cube.read(LAND_MODEL)
    for target, split, fields in contenders(scene, trials):
        aim = scene.targeted(target).read(TARGET)
        common = np.isfinite(aim) & np.isfinite(np.stack(list(fields.values()))).all(axis=0)
        for reference, values in zip(REFERENCES, (aim, scene.truth), strict=True):
            for stratum, where in (("all", common), (f"reference > {WET}", common & (values > WET))):
                judge = Judge.of(scene.cube, np.where(where, values, np.nan), BLOCK_DEGREES)
                for name, mean in fields.items():
                    partial = judge.median(partial_correlations(mean, values, land, where))
                    yield {
                        "target": target, "split": split, "reference": reference, "stratum": stratum,
                        "contender": name, **pooled(mean[where], values[where]),
                        **{f"cell_{key}": value for key, value in judge.row(np.where(where, mean, np.nan)).items()
                           if key in ("rmse", "rmse_low", "rmse_high", "r", "r_low", "r_high")},
                        "partial_r": partial.value, "partial_r_low": partial.ci_low, "partial_r_high": partial.ci_high,
                        "unit": UNIT,
                    }  # fmt: skip


def pooled(predicted: Floats, reference: Floats) -> dict[str, float]:
    """R² (explained), RMSE and bias of all values together."""
    error = predicted.astype(np.float64) - reference
    if error.size < 2:
        return {"r2_explained": float("nan"), "rmse": float("nan"), "bias": float("nan"), "values": int(error.size)}
    return {
        "r2_explained": 1.0 - float(np.mean(error**2) / np.var(reference, dtype=np.float64)),
        "rmse": float(np.sqrt(np.mean(error**2))), "bias": float(error.mean()), "values": int(error.size),
    }  # fmt: skip


def partial_correlations(one: Floats, other: Floats, given: Floats, where: npt.NDArray[np.bool_]) -> Doubles:
    """Correlation of two series of each cell, a third held fixed, (cell,); missing with fewer than 20 days."""
    a, b, c = (centred(values, where) for values in (one, other, given))
    ab, ac, bc = ((x * y).sum(axis=0) for x, y in ((a, b), (a, c), (b, c)))
    aa, bb, cc = ((x**2).sum(axis=0) for x in (a, b, c))
    # What is left of both after a regression on the third; a field that is a line of it has nothing left.
    left_a, left_b = aa - ac**2 / np.where(cc > 0, cc, np.nan), bb - bc**2 / np.where(cc > 0, cc, np.nan)
    enough = (where.sum(axis=0) >= 20) & (left_a > 1e-6 * aa) & (left_b > 1e-6 * bb)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(enough, (ab - ac * bc / cc) / np.sqrt(left_a * left_b), np.nan))


def centred(values: npt.NDArray[np.floating[Any]], where: npt.NDArray[np.bool_]) -> Doubles:
    """Values less the mean of their cell, zero outside `where`."""
    count = np.maximum(where.sum(axis=0), 1)
    kept_values = np.where(where, values, 0.0).astype(np.float64)
    return np.where(where, kept_values - kept_values.sum(axis=0) / count, 0.0)


def difference_rows(scene: Scene, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Each contender less the land model with one straight line, and less the trees: cells' RMSE and R."""
    for target, split, fields in contenders(scene, trials):
        aim = scene.targeted(target).read(TARGET)
        common = np.isfinite(aim) & np.isfinite(np.stack(list(fields.values()))).all(axis=0)
        for reference, values in zip(REFERENCES, (aim, scene.truth), strict=True):
            judge = Judge.of(scene.cube, np.where(common, values, np.nan), BLOCK_DEGREES)
            for against in (LINE, TREES_ALL):
                if against in fields:
                    for row in judge.differences(fields, against, ("rmse", "r")):
                        yield {"target": target, "split": split, "reference": reference, **row}


def length_rows(scene: Scene, swept: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Median scores of cells by the length of the window, with and without rain, against the radiometer."""
    finished = done(scene, swept)
    if not finished:
        return
    fields = [whole(scene, [trial]) for trial in finished]
    common = np.isfinite(np.stack(fields)).all(axis=0)
    judge = Judge.of(scene.cube, np.where(common, scene.cube.read(TARGET), np.nan), BLOCK_DEGREES)
    for trial, mean in zip(finished, fields, strict=True):
        series = trial.contender.partition(",")[0]
        for name, unit in (("rmse", UNIT), ("ubrmsd", UNIT), ("r", "1")):
            middle = judge.median(judge.cells(mean, name))
            yield curve_row("sequence length", name, series, trial.settings["sequence_days"], middle.value, unit,
                            middle.ci_low, middle.ci_high)  # fmt: skip


def kept_attention(scene: Scene, swept: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Mean attention weight by lag of networks without rain, over all days and over those of wet soil."""
    for trial in done(scene, swept):
        days = int(trial.settings["sequence_days"])
        if days < 2 or trial.predictors != ALL:
            continue
        arrays = kept(scene, trial)
        for k, panel in enumerate(("all days", f"days with soil moisture > {WET}")):
            for lag, weight in enumerate(arrays.get(f"attention_{k}", ())):
                yield curve_row("attention", panel, f"window of {days} d", lag, float(weight), "1")


def banded(scene: Scene, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """The scatter of predictions as a band over classes of the target."""
    for target, split, fields in contenders(scene, trials):
        aim = scene.targeted(target).read(TARGET)
        for name in (NETWORK_ALL, TREES_ALL, LINE):
            if split == "P1" and name in fields:
                yield from bands("predicted by reference", f"target: {target}", name, fields[name], aim)


def finding(scores: pd.DataFrame) -> str:
    """What came out, in sentences."""
    if not len(scores):
        return "Nothing was run."
    every = records(scores[scores["stratum"] == "all"])
    words = []
    for target, split, reference in dict.fromkeys((row["target"], row["split"], row["reference"]) for row in every):
        rows = {row["contender"]: row for row in every
                if (row["target"], row["split"], row["reference"]) == (target, split, reference)}  # fmt: skip
        told = [f"{name} {rows[name]['r2_explained']:.3f} / {rows[name]['rmse']:.4f}"
                for name in (NETWORK_ALL, NETWORK_ALONE, NETWORK_WITHOUT, TREES_ALL, LINE) if name in rows]  # fmt: skip
        sentence = f"{target[:1].upper()}{target[1:]}, {split}, against the {reference}: {'; '.join(told)}"
        if NETWORK_ALL in rows:
            row = rows[NETWORK_ALL]
            partial = said(row["partial_r"], row["partial_r_low"], row["partial_r_high"], 3)
            sentence += f"; partial correlation of the AtLSTM given the land model {partial}"
        words.append(f"{sentence}.")
    return "R² / RMSE of all values. " + " ".join(words)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), COMMAND, float(sys.argv[3]) if len(sys.argv) > 3 else np.inf,
         Progress("plain"))  # fmt: skip
