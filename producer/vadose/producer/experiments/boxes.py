"""`python -m vadose.producer.experiments.boxes WORKSPACE WORLD OUT`: the corrected product over the network boxes.

The workspace holds the cube, the stations `simulated` and the model of `simulated-mlstm`, which `vadose train` makes.
Maps and scores are of the days that the model was not trained on. About two minutes on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError
from vadose.producer.cube import Cube, open_cube
from vadose.producer.experiments.gap_fields import filled_sheets
from vadose.producer.experiments.gapfilling import read_truth
from vadose.producer.experiments.judging import Judge, said
from vadose.producer.experiments.tables import publish
from vadose.producer.methods import Block
from vadose.producer.methods.mlstm import MlstmSettings
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import load_recipe
from vadose.producer.training.inputs import with_stations
from vadose.producer.training.models import recipe_model
from vadose.producer.training.splits import make_folds
from vadose.producer.vocabulary import IN_SITU

Floats = npt.NDArray[np.float32]

RECIPE, STATIONS = "simulated-mlstm", "simulated"
ORIGINAL, CORRECTED = "radiometer", "corrected"
CELLS_AT_ONCE = 256
# Blocks of the intervals, degrees: the simulated land is small.
BLOCK_DEGREES = 2.0
COMMAND = "python -m vadose.producer.experiments.boxes WORKSPACE WORLD site/data/experiments/mlstm-correction"


def main(workspace: Path, world: Path, out: Path, command: str = COMMAND, recipe_name: str = RECIPE) -> None:
    """Correct the product in all cells of the boxes, and write maps and scores beside those of the truth."""
    recipe = load_recipe(recipe_name)
    cube = open_cube(workspace / "cubes" / f"{recipe.cube}.zarr")
    stations = with_stations(cube, {STATIONS: workspace / "stations" / f"{STATIONS}.nc"}, recipe.product.day)
    fold = make_folds(recipe.method.split, stations, IN_SITU)[0]
    days = np.flatnonzero(fold.mask("test").any(axis=1))
    if not days.size:
        raise InputError(f"the split {recipe.method.split} leaves no day for a test", where=str(cube.path))
    span = slice(int(days[0]), int(days[-1]) + 1)
    original, corrected = fields(recipe, workspace, cube, span)
    truth = np.where(np.isfinite(corrected), read_truth(world, cube)[span], np.float32(np.nan))
    judge = Judge.of(cube, truth, BLOCK_DEGREES)
    drawn = {ORIGINAL: np.where(np.isfinite(corrected), original, np.float32(np.nan)), CORRECTED: corrected}
    scores, apart = score_rows(judge, drawn, np.asarray(np.isfinite(stations.read(IN_SITU)).any(axis=0)))
    told = {
        "title": "Corrected fields over the boxes of the networks",
        "question": "Is the corrected product nearer to the truth in all cells, or only where stations are?",
        "what": "The recipe simulated-mlstm, trained on all simulated stations up to a last period; that period, in "
                "the cells of the boxes and on days that have a retrieval, against the truth. Medians over cells, 95 % "
                f"intervals by drawing blocks of {BLOCK_DEGREES:g} degrees.",
        "finding": finding(apart), "partial": [],
        "figures": {"filled_map": {"caption": "Soil moisture of a day, a month and a season inside the boxes: the "
                                              "radiometer, the corrected product and the truth on the same days"}},
    }  # fmt: skip
    sheets = list(filled_sheets({**drawn, "truth": truth}, cube.days[span]))
    publish(out, "boxes", told, {"boxes_scores": scores, "boxes_differences": apart}, command, (cube, sheets))


def fields(recipe: Recipe, workspace: Path, cube: Cube, span: slice) -> tuple[Floats, Floats]:
    """The product and its correction on some days, (time, cell)."""
    settings = recipe.method.settings
    product = str(settings.get("product", MlstmSettings.model_fields["product"].default))
    model = recipe_model(workspace / "models" / recipe.recipe, recipe)
    count = cube.index.size
    parts = [
        model.predict(Block(cube, span, slice(start, min(start + CELLS_AT_ONCE, count)))).mean
        for start in range(0, count, CELLS_AT_ONCE)
    ]
    return cube.read(product, span), np.concatenate(parts, axis=1)


def score_rows(
    judge: Judge, drawn: dict[str, Floats], at_station: npt.NDArray[np.bool_]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Median scores, and corrected less original, in all cells, in those with a station and in the others."""
    scores: list[dict[str, Any]] = []
    apart: list[dict[str, Any]] = []
    for where, chosen in (("all cells", np.ones_like(at_station)), ("cells with a station", at_station),
                          ("other cells", ~at_station)):  # fmt: skip
        part = {name: np.where(chosen, values, np.float32(np.nan)) for name, values in drawn.items()}
        scores += [{"cells of": where, "field": name, **judge.row(values)} for name, values in part.items()]
        apart += [{"cells of": where, **row} for row in judge.differences(part, ORIGINAL, ("rmse", "ubrmsd", "r"))]
    return pd.DataFrame(scores), pd.DataFrame(apart)


def finding(apart: pd.DataFrame) -> str:
    """What came out, in sentences."""
    words = [
        f"{row['cells of']}: {row['metric']} {said(row['difference'], row['ci_low'], row['ci_high'])}, {row['verdict']}"
        for row in apart.to_dict("records")
    ]
    return f"Corrected less original, against the truth. {'; '.join(words)}."


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
