"""The fits of the correction experiment: every fold, product, combination and simpler method, kept in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import write_json
from vadose.producer.correction.channels import raw_values_of
from vadose.producer.correction.corrector import Reading, Stage, fit_corrector, fit_first
from vadose.producer.correction.folds import CHRONOLOGICAL, chronological
from vadose.producer.correction.interpretation import stage_facts
from vadose.producer.correction.sequences import Hyper
from vadose.producer.cube import new_cube, open_cube
from vadose.producer.methods import Block, Inputs, Model, method, method_settings
from vadose.producer.methods.mlstm import COMBINATIONS, MlstmModel, MlstmSettings, lessons
from vadose.producer.recipe import Predictors
from vadose.producer.recipefile import load_recipe
from vadose.producer.tensors import write_arrays
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
# Learning rates and epochs that were tried on the inner split of the first fold; the first is used.
SEARCHED = tuple(
    Hyper(learning_rate=rate, epochs=epochs, sequence=SEQUENCE)
    for rate, epochs in ((3e-3, 20), (1e-3, 20), (1e-2, 20), (1e-3, 60), (3e-3, 60), (1e-2, 60))
)
HYPER = SEARCHED[0]
BASELINES = ("cdf-matching", "ridge", "xgboost", "forest")
UNITS = {"F": "1", "P": "mm d-1", "L": "K", "E": "mm d-1"}
SEED = 0
# Trees of the forest, whose default of 500 takes five times as long.
TREES = 100
# Further seeds of the correction with all drivers, where stations are left out.
SEEDS = (1, 2)
STAGE = "stage1"


@dataclass(frozen=True, order=True)
class Unit:
    """Fits of one fold: the `first` ones answer the main question, the others are the rest."""

    split: str
    fold: int
    first: bool


class Plan(NamedTuple):
    """One correction: its name, drivers, reading of stage 2, whether all networks are pooled, and the seed."""

    name: str
    combination: str
    reading: Reading
    pooled: bool = True
    seed: int = SEED


def results(workspace: Path) -> Path:
    """Where the results lie."""
    return workspace / "runs" / "correction"


def opened(workspace: Path) -> Inputs:
    """The inputs of the recipe in the cells with stations, with the scatterometer in m3 m-3 too.

    They are kept as a cube of their own, which is small.
    """
    recipe = load_recipe(RECIPE)
    path = results(workspace) / "stations.zarr"
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


def products_of(unit: Unit) -> Sequence[str]:
    """The products that a unit corrects."""
    return PRODUCTS if unit.split in FULL else PRODUCTS[:1]


def run_unit(inputs: Inputs, fold: Fold, unit: Unit, folder: Path, products: Sequence[str], hyper: Hyper) -> None:
    """Fit and predict everything of one fold that has no result yet."""
    seen = inputs.hiding(fold.unseen())
    _corrections(seen, fold, unit, folder, products, hyper)
    for product in products:
        for name in baselines_of(unit, product == products[0]):
            path = result(folder, unit, product, name)
            if not path.is_file():
                keep(path, _baseline(seen, fold, product, name), seen, fold, {})


def baselines_of(unit: Unit, first_product: bool) -> list[str]:
    """The simpler methods of a unit; the forest takes longest, comes last and corrects the first product alone."""
    return list(BASELINES[:-1]) if unit.first else list(BASELINES[-1:]) * first_product


def _baseline(inputs: Inputs, fold: Fold, product: str, name: str) -> Model:
    drivers = tuple(MlstmSettings().drivers.values())
    own = replace(inputs, predictors=Predictors(daily=(product, *drivers)))
    chosen: dict[str, dict[str, Any]] = {"cdf-matching": {"product": product}, "forest": {"trees": TREES}}
    return method(name).fit(own, fold, method_settings(method(name), chosen.get(name, {})), seed=SEED)


def plans(unit: Unit) -> list[Plan]:
    """The corrections of a unit."""
    if unit.first:
        return [Plan("mlstm-FPLE", "FPLE", "residual")]
    rest = [Plan("mlstm-FPLE-direct", "FPLE", "direct")]
    if unit.split in FULL:
        rest += [Plan("mlstm-FPLE-by-network", "FPLE", "residual", pooled=False)]
        rest += [Plan(f"mlstm-{one}", one, "residual") for one in COMBINATIONS[1:]]
    if unit.split == FULL[0]:
        rest += [Plan(f"mlstm-FPLE-seed-{seed}", "FPLE", "residual", seed=seed) for seed in SEEDS]
    return rest


def _corrections(inputs: Inputs, fold: Fold, unit: Unit, folder: Path, products: Sequence[str],
                 hyper: Hyper) -> None:  # fmt: skip
    """All readings, combinations and products of a fold; the first stage of a combination is fitted once."""
    firsts: dict[tuple[str, str, int], Stage] = {}
    for plan in plans(unit):
        for product in products if plan.pooled else products[:1]:
            path = result(folder, unit, product, plan.name)
            if path.is_file():
                continue
            settings = MlstmSettings(product=product, combination=plan.combination, reading=plan.reading,
                                     pooled=plan.pooled, shared=hyper)  # fmt: skip
            found = []
            for lesson in lessons(inputs, fold, settings):
                given: dict[str, Any] = {"seed": plan.seed, "fingerprint": "experiment"}
                key = (lesson.name, plan.combination, plan.seed)
                if key not in firsts:
                    firsts[key] = fit_first(lesson, plan.combination, hyper, **given)
                found.append(fit_corrector(lesson, plan.combination, plan.reading, hyper, first=firsts[key], **given))
            facts = {one.name: one.uncertainty for one in found}
            keep(path, MlstmModel(settings, tuple(found)), inputs, fold, facts)
            stage = result(folder, unit, STAGE, plan.combination)
            if plan.pooled and plan.seed == SEED and not stage.is_file():
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
    write_arrays(path, {"mean": values})


def result(folder: Path, unit: Unit, product: str, name: str) -> Path:
    """Where a result lies."""
    return folder / f"{unit.split}-{unit.fold}-{product}-{name}.safetensors"


def results_of(unit: Unit, folder: Path, products: Sequence[str]) -> list[Path]:
    """The results that a unit leaves."""
    wanted = [(one, name) for one in products for name in baselines_of(unit, one == products[0])]
    wanted += [(product, plan.name) for plan in plans(unit) for product in (products if plan.pooled else products[:1])]
    return [result(folder, unit, product, name) for product, name in wanted]


def search(inputs: Inputs, candidates: Sequence[Hyper] = SEARCHED) -> pd.DataFrame:
    """Error of stage 1 on the inner split of the first fold with stations left out, for each candidate."""
    fold = make_folds(FULL[0], inputs.cube, inputs.target)[0]
    seen = inputs.hiding(fold.unseen())
    rows = []
    for hyper in candidates:
        lesson = lessons(seen, fold, MlstmSettings(product=PRODUCTS[0], pooled=True, shared=hyper))[0]
        stage = fit_first(lesson, "FPLE", hyper, seed=SEED, fingerprint="experiment")
        found = {fact["column"]: fact["value"] for fact in stage_facts(stage, lesson, "FPLE", lesson.tune)}
        rows.append({
            "learning_rate": hyper.learning_rate, "epochs": hyper.epochs, "steps": stage.facts["steps"],
            "inner_split_rmse": found["rmse"], "inner_split_r": found["r"], "used": hyper == HYPER,
        })  # fmt: skip
    return pd.DataFrame(rows)
