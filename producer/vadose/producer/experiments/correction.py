"""`python -m vadose.producer.experiments.correction WORKSPACE OUT [COMMAND]`: the correction at held-out stations.

The workspace holds the simulated world, the cube and the stations of the recipe `simulated-mlstm`. Every fit is kept
below `runs/correction`, so that the same command does what is left.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from vadose.common import Progress, whole_file, write_json
from vadose.producer.correction.channels import raw_values_of
from vadose.producer.correction.corrector import Reading, Stage, fit_corrector, fit_first
from vadose.producer.correction.folds import CHRONOLOGICAL, chronological
from vadose.producer.correction.sequences import Hyper
from vadose.producer.cube import new_cube, open_cube
from vadose.producer.methods import Block, Inputs, Model, method, method_settings
from vadose.producer.methods.mlstm import COMBINATIONS, MlstmModel, MlstmSettings, lessons
from vadose.producer.recipe import Predictors, load_recipe
from vadose.producer.training.experiment import limit_threads
from vadose.producer.training.inputs import recipe_inputs, station_files, with_stations
from vadose.producer.training.splits import Fold, make_folds

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

RECIPE = "simulated-mlstm"
ASCAT = "ascat_sm"
PRODUCTS = ("smap_sm_am", "cci_sm", ASCAT)
SPLITS = ("P2", CHRONOLOGICAL, "P4", "P0")
# Splits that run with every product and combination; the others with the first product and all drivers.
FULL = ("P2", CHRONOLOGICAL)
SEQUENCE = 60
# The learning rate with the smallest error on the inner split of the first fold, of 0.001, 0.003 and 0.01.
HYPER = Hyper(learning_rate=3e-3, epochs=20, sequence=SEQUENCE)
BASELINES = {"cdf-matching": "CDF matching", "ridge": "linear regression", "forest": "random forest",
             "xgboost": "boosted trees"}  # fmt: skip
UNITS = {"F": "1", "P": "mm d-1", "L": "K", "E": "mm d-1"}
SEED = 0
STAGE = "stage1"


@dataclass(frozen=True, order=True)
class Unit:
    """Fits of one fold: the `first` ones answer the main question, the others are the rest."""

    split: str
    fold: int
    first: bool


def opened(workspace: Path) -> Inputs:
    """The inputs of the recipe in the cells with stations, with the scatterometer in m3 m-3 too.

    They are kept as a cube of their own, which is small.
    """
    recipe = load_recipe(RECIPE)
    path = workspace / "runs" / "correction" / "stations.zarr"
    if not path.exists():
        whole = recipe_inputs(recipe, workspace).cube
        cells = np.flatnonzero(np.isfinite(whole.read(recipe.target)).any(axis=0))
        with new_cube(path, whole.grid, whole.index[cells], whole.days, title="cells with stations") as writer:
            for name in (*PRODUCTS, *MlstmSettings().drivers.values()):
                source = "ascat_ssm" if name == ASCAT else name
                writer.add(name, raw_values_of(whole, (source,), slice(None), cells, transform=False)[..., 0])
            writer.add("porosity", whole.read_static("porosity")[cells])
            for entry in whole.provenance:
                writer.source(**entry)
    stations = station_files(recipe, workspace)
    cube = with_stations(open_cube(path), stations, recipe.product.day)
    return Inputs({"main": cube}, recipe.target, recipe.predictors, stations, day=recipe.product.day)


def fold_of(unit: Unit, inputs: Inputs) -> Fold:
    """The fold of a unit."""
    if unit.split == CHRONOLOGICAL:
        return chronological(inputs.cube, inputs.target, SEQUENCE)
    return make_folds(unit.split, inputs.cube, inputs.target)[unit.fold]


def units(inputs: Inputs) -> list[Unit]:
    """All folds of all splits, what answers the main question first."""
    counts = {split: 1 if split == CHRONOLOGICAL else len(make_folds(split, inputs.cube, inputs.target))
              for split in SPLITS}  # fmt: skip
    return [Unit(split, fold, first) for first in (True, False) for split in SPLITS for fold in range(counts[split])]


def run_unit(workspace: Path, unit: Unit) -> str:
    """Fit and predict everything of one fold that has no result yet."""
    limit_threads(1)
    inputs = opened(workspace)
    fold = fold_of(unit, inputs)
    seen = inputs.hiding(fold.unseen())
    folder = workspace / "runs" / "correction"
    products = PRODUCTS if unit.split in FULL else PRODUCTS[:1]
    _corrections(seen, fold, unit, products, folder)
    for product in products:
        for name in BASELINES:
            path = result(folder, unit, product, name)
            if unit.first == (name != "forest") and not path.is_file():
                keep(path, _baseline(seen, fold, product, name), seen, fold, {})
    return f"{unit.split}, fold {unit.fold}, {'first' if unit.first else 'rest'}"


def _baseline(inputs: Inputs, fold: Fold, product: str, name: str) -> Model:
    drivers = tuple(MlstmSettings().drivers.values())
    own = replace(inputs, predictors=Predictors(daily=(product, *drivers)))
    settings = {"product": product} if name == "cdf-matching" else {}
    return method(name).fit(own, fold, method_settings(method(name), settings), seed=SEED)


def plans(unit: Unit) -> list[tuple[str, str, Reading, bool]]:
    """Name, combination, reading and whether all networks are pooled, of each correction of a unit."""
    if unit.first:
        return [("mlstm-FPLE", "FPLE", "residual", True)]
    rest: list[tuple[str, str, Reading, bool]] = [("mlstm-FPLE-direct", "FPLE", "direct", True)]
    if unit.split in FULL:
        rest += [("mlstm-FPLE-by-network", "FPLE", "residual", False)]
        rest += [(f"mlstm-{one}", one, "residual", True) for one in COMBINATIONS[1:]]
    return rest


def _corrections(inputs: Inputs, fold: Fold, unit: Unit, products: Sequence[str], folder: Path) -> None:
    """All readings, combinations and products of a fold; the first stage of a combination is fitted once."""
    firsts: dict[tuple[str, str], Stage] = {}
    for name, combination, reading, pooled in plans(unit):
        for product in products if pooled else products[:1]:
            path = result(folder, unit, product, name)
            if path.is_file():
                continue
            settings = MlstmSettings(product=product, combination=combination, reading=reading, pooled=pooled,
                                     shared=HYPER)  # fmt: skip
            found = []
            for lesson in lessons(inputs, fold, settings):
                key = (lesson.name, combination)
                if key not in firsts:
                    firsts[key] = fit_first(lesson, combination, HYPER, seed=SEED, fingerprint="experiment")
                found.append(fit_corrector(lesson, combination, reading, HYPER, seed=SEED, fingerprint="experiment",
                                           first=firsts[key]))  # fmt: skip
            facts = {one.name: one.uncertainty for one in found}
            keep(path, MlstmModel(settings, tuple(found)), inputs, fold, facts)
            stage = result(folder, unit, STAGE, combination)
            if pooled and not stage.is_file():
                raw = raw_values_of(inputs.cube, found[0].first.channels.names, slice(None), every(inputs))
                write(stage, np.where(fold.mask("test"), found[0].first.run(raw), np.float32(np.nan)), {})


def every(inputs: Inputs) -> Integers:
    """All cells of the cube."""
    return np.arange(inputs.cube.index.size)


def keep(path: Path, model: Model, inputs: Inputs, fold: Fold, facts: dict[str, Any]) -> None:
    """Predict the days that are tested, and write the tested values."""
    mask = fold.mask("test")
    values = np.full(mask.shape, np.nan, np.float32)
    days = np.flatnonzero(mask.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    values[span] = model.predict(Block(inputs.cube, span, slice(0, inputs.cube.index.size))).mean
    write(path, np.where(mask, values, np.float32(np.nan)), facts)


def write(path: Path, values: Floats, facts: dict[str, Any]) -> None:
    """A result, (time, cell), and what is known of its fit; the values are written last."""
    write_json(path.with_suffix(".json"), facts)
    with whole_file(path) as part:
        safetensors.numpy.save_file({"mean": np.ascontiguousarray(values)}, part)


def result(folder: Path, unit: Unit, product: str, name: str) -> Path:
    """Where a result lies."""
    return folder / f"{unit.split}-{unit.fold}-{product}-{name}.safetensors"


def product_values(inputs: Inputs, product: str) -> Floats:
    """The product as it is corrected, (time, cell), m3 m-3."""
    return inputs.cube.read(product)


def unfinished(workspace: Path) -> list[str]:
    """Names of the results that are not there yet."""
    folder = workspace / "runs" / "correction"
    wanted = []
    for unit in units(opened(workspace)):
        products = PRODUCTS if unit.split in FULL else PRODUCTS[:1]
        for product in products:
            names = [name for name in BASELINES if unit.first == (name != "forest")]
            names += [name for name, _, _, pooled in plans(unit) if pooled or product == products[0]]
            wanted += [result(folder, unit, product, name) for name in names]
    return [path.stem for path in wanted if not path.is_file()]


def run_all(workspace: Path, progress: Progress, processes: int = 5) -> Iterator[str]:
    """Run what has no result yet, one process a fold."""
    wanted = units(opened(workspace))
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        futures = [pool.submit(run_unit, workspace, unit) for unit in wanted]
        for future in as_completed(futures):
            progress.say(future.result())
            yield future.result()


def main(workspace: Path, out: Path, command: str, progress: Progress) -> None:
    """Run all fits and write the tables."""
    from vadose.producer.experiments import correction_tables

    for _ in run_all(workspace, progress):
        pass
    correction_tables.write_tables(workspace, out, command)


if __name__ == "__main__":
    words_left = " ".join(sys.argv[3:]) or "python -m vadose.producer.experiments.correction WORKSPACE OUT"
    main(Path(sys.argv[1]), Path(sys.argv[2]), words_left, Progress("plain"))
