"""`python -m vadose.producer.experiments.gapfilling WORKSPACE WORLD OUT [HOURS]`: gap days against known truth.

Every filler learns from the simulated cube with the values of a gap split hidden, and is asked for every day. Its
fields are scored against the hidden observations and against the truth of the world, on hidden days and on observed
ones apart, by the distance to the nearest visible observation, and where they step at the borders of the swaths.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.numpy

from vadose.common import Progress, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.experiments import gap_fields
from vadose.producer.experiments.ablations import ablation_rows
from vadose.producer.experiments.tables import publish
from vadose.producer.fusion.lattice import Lattice
from vadose.producer.ingest.native import open_netcdf
from vadose.producer.methods import Block, Inputs
from vadose.producer.methods.drcgan import FusionModel
from vadose.producer.recipefile import load_recipe
from vadose.producer.tensors import write_arrays
from vadose.producer.training.experiment import Contender, Experiment, experiment
from vadose.producer.training.maps import Sheet
from vadose.producer.training.points import COLUMNS
from vadose.producer.training.scores import MINIMUM_VALUES, tidy
from vadose.producer.training.splits import make_folds
from vadose.statistics import evaluate, metric, moments

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RECIPE = "simulated-stsg-sm"
# The splits and what runs under each, what matters most first.
FUSIONS = ("drcgan", "drcgan-l1-only")
ABLATIONS = ("drcgan-no-discriminator", "drcgan-no-cycle", "drcgan-no-later", "drcgan-no-same-day")
FILLERS = ("land-model-matched", "linear-in-time", "climatology-anomaly", "dct-pls")
SPLITS = ("P6-swath", "P6-15d", "P6-60d", "P6-winter")
ABLATED = ("P6-swath", "P6-15d")
# What every filler is compared with on hidden days.
COMPARED = ("drcgan", "land-model-matched")
LAND_MODEL, FREE = "land-model", "drcgan-observations-not-kept"
DISTANCES: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 8), (9, 30), (31, 10_000))
# Those of the sentence; the tables hold all.
TOLD = (*FUSIONS, LAND_MODEL, "linear-in-time", "dct-pls")
METRICS = ("rmse", "ubrmsd", "r", "bias")
CELLS_AT_ONCE = 4096


@dataclass(frozen=True)
class Scene:
    """One split: what is hidden and visible, and what the fields are compared with, all (time, cell)."""

    split: str
    visible: Floats
    hidden: Mask
    observed: Floats
    truth: Floats
    distance: npt.NDArray[np.int64]

    @property
    def cells_seen(self) -> Mask:
        """Cells that have an observation on any day."""
        return np.asarray(np.isfinite(self.visible).any(axis=0))

    def strata(self) -> Iterator[tuple[str, str, str, Mask, Floats]]:
        """Stratum kind, stratum, reference, where it is scored, and the reference."""
        for reference, values in (("observation", self.observed), ("truth", self.truth)):
            yield "gap", "hidden", reference, self.hidden, values
            for low, high in DISTANCES:
                inside = self.hidden & (self.distance >= low) & (self.distance <= high)
                yield "distance_days", _span(low, high), reference, inside, values
        seen = np.isfinite(self.visible)
        yield "gap", "observed", "truth", seen, self.truth
        yield "gap", "never_observed", "truth", ~seen & ~self.hidden & np.isfinite(self.truth), self.truth


def main(workspace: Path, world: Path, out: Path, command: str, hours: float = np.inf, progress: Progress = silent,
         splits: tuple[str, ...] = SPLITS, recipe_name: str = RECIPE) -> None:  # fmt: skip
    """Run what has no fields yet until the hours are over, and write the tables of what is there.

    Parameters
    ----------
    workspace
        Holds the cube of the recipe; fields are kept in its `runs/gapfilling/`, so that the same call goes on.
    world
        The folder of the simulated world, with its truth.
    out
        `site/data/experiments/stsg-sm/`.
    """
    until = time.monotonic() + 3600.0 * hours
    recipe = load_recipe(recipe_name)
    cube = open_cube(workspace / "cubes" / f"{recipe.cube}.zarr")
    plan = experiment([recipe], cube.path, workspace / "runs" / "gapfilling")
    truth = read_truth(world, cube)
    rows: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    ablated: list[dict[str, Any]] = []
    costs: list[dict[str, Any]] = []
    sheets: list[Sheet] = []
    looks: list[dict[str, Any]] = []
    missing = []
    for split, name in planned(plan, splits):
        path = plan.folder / f"{split}-{name}-{plan.key(name)}.safetensors"
        if not path.is_file():
            if time.monotonic() > until:
                missing.append(f"{name} under {split}")
                continue
            make_fields(plan, cube, split, name, path, progress)
    for split in splits:
        scene = make_scene(cube, recipe.target, split, truth)
        lattice = Lattice.of_cube(cube)
        fields = dict(fields_of(plan, cube, scene, recipe.method.settings["land_model"]))
        edges = {name: edge_steps(lattice, scene, values) for name, values in fields.items()}
        for name, values in fields.items():
            rows += [{"method": name, "version": recipe.product.version, **row} for row in score_rows(scene, values)]
            steps.append({"method": name, "split": split, **edges[name]})
        ablated += [
            {"split": split, **row}
            for row in ablation_rows(cube, truth, scene.hidden, np.isfinite(scene.visible), fields, edges, COMPARED)
        ]
        costs += cost_rows(plan, split)
        if split == SPLITS[0]:
            land_model = cube.read(recipe.method.settings["land_model"])
            shown = shown_fields(scene, fields, land_model)
            sheets += gap_fields.filled_sheets(shown, cube.days)
            looks += gap_fields.series_rows(shown, cube.days, truth)
            looks += gap_fields.scatter_rows({name: fields[name] for name in COMPARED if name in fields}, truth,
                                             scene.hidden)  # fmt: skip
    scores = tidy(rows)
    told = {
        "title": "Gap days on the simulated world",
        "question": "Is a fused value on a gap day better than the matched land model and interpolation in time, and "
                    "what do discriminator, cycle, later observations and those of the day add?",
        "what": "Observations hidden in swaths, windows of 15 and 60 days and whole winters, in a simulated land of "
                "0.25 degree; scored against the hidden observations and against the truth, by the distance to the "
                "nearest visible observation. One seed. A step at a swath border is compared with the steps inside.",
        "finding": finding(scores), "partial": missing,
        "figures": {"skill by distance": {
            "x": "days to the nearest visible observation", "caption": "Median ubRMSD of hidden days against the truth",
        }, **gap_fields.FIGURES},
    }  # fmt: skip
    tables = {
        "gapfilling_summary": summary(scores),
        "gapfilling_curves": pd.concat([distance_curves(scores), pd.DataFrame(looks, columns=COLUMNS)]),
        "gapfilling_scores": scores, "gapfilling_edges": pd.DataFrame(steps), "gapfilling_costs": pd.DataFrame(costs),
        "gapfilling_ablations": pd.DataFrame(ablated).sort_values(["split", "ubrmsd"], kind="stable"),
    }  # fmt: skip
    publish(out, "gapfilling", told, tables, command, (cube, sheets) if sheets else None)


def planned(plan: Experiment, splits: tuple[str, ...]) -> list[tuple[str, str]]:
    """Splits and fillers: the cheap ones, then the fusion and its L1-only ablation, then the other ablations."""
    groups = ((FILLERS, SPLITS), (FUSIONS, ABLATED), (ABLATIONS, ABLATED[:1]), (FUSIONS, SPLITS), (ABLATIONS, ABLATED))
    every = [(split, name) for names, over in groups for split in over for name in names]
    return [(split, name) for split, name in dict.fromkeys(every) if split in splits and name in plan.contenders]


def make_fields(plan: Experiment, cube: Cube, split: str, name: str, path: Path, progress: Progress) -> None:
    """Fit a filler on what the split leaves visible, and keep its field of every day with what it cost."""
    contender: Contender = plan.contender(name)
    fold = make_folds(split, cube, plan.target)[0]
    inputs = Inputs({"main": cube}, plan.target, contender.predictors).hiding(fold.unseen())
    progress.say(f"{name} under {split}")
    started = time.perf_counter()
    model = contender.chosen.fit(inputs, fold, contender.checked, seed=0,
                                 checkpoint=path.with_suffix(".checkpoint"), progress=progress)  # fmt: skip
    fitted = time.perf_counter()
    if isinstance(model, FusionModel):
        # Gap days are the same whether observations are kept or not; those are put back where a table needs them.
        model = replace(model, settings=model.settings.model_copy(update={"keep_observed": False}))
    size = cube.index.size
    parts = [slice(first, min(first + CELLS_AT_ONCE, size)) for first in range(0, size, CELLS_AT_ONCE)]
    found = [model.predict(Block(inputs.cube, slice(0, cube.days.size), part)) for part in parts]
    predicted = time.perf_counter()
    deviation = np.concatenate([one.uncertainty for one in found], axis=1)
    cost = np.array([fitted - started, predicted - fitted, getattr(model, "facts", {}).get("parameters", 0)])
    mean = np.concatenate([one.mean for one in found], axis=1)
    write_arrays(path, {"mean": mean, "deviation": deviation, "cost": cost})
    path.with_suffix(".checkpoint").unlink(missing_ok=True)


def fields_of(plan: Experiment, cube: Cube, scene: Scene, land_model: str) -> Iterator[tuple[str, Floats]]:
    """The land model as it is, and every filler that is there, with the observations of the day."""
    yield LAND_MODEL, cube.read(land_model)
    for name, arrays in stored(plan, scene.split):
        if name in FUSIONS[:1]:
            yield FREE, arrays["mean"]
        yield name, np.where(np.isfinite(scene.visible), scene.visible, arrays["mean"])


def shown_fields(scene: Scene, fields: Mapping[str, Floats], land_model: Floats) -> dict[str, Floats]:
    """What maps and series show, in cells that are ever seen: observations, land model, filled fields and truth."""
    filled = {name: fields[name] for name in (*FUSIONS, *ABLATIONS[:2], "dct-pls") if name in fields}
    every = {"seen": scene.visible, LAND_MODEL: land_model, **filled, "truth": scene.truth}
    return {name: np.where(scene.cells_seen, values, np.float32(np.nan)) for name, values in every.items()}


def stored(plan: Experiment, split: str) -> Iterator[tuple[str, Mapping[str, npt.NDArray[Any]]]]:
    """Names and arrays of the fillers that have fields."""
    for other, name in planned(plan, (split,)):
        path = plan.folder / f"{other}-{name}-{plan.key(name)}.safetensors"
        if path.is_file():
            yield name, safetensors.numpy.load_file(path)


def make_scene(cube: Cube, target: str, split: str, truth: Floats) -> Scene:
    """What the split hides and shows; the distance is to the nearest visible observation of the cell."""
    fold = make_folds(split, cube, target)[0]
    observed = cube.read(target)
    visible = np.where(fold.unseen(), np.float32(np.nan), observed)
    hidden = fold.mask("test") & np.isfinite(observed)
    return Scene(split, visible, hidden, observed, truth, distance_days(np.isfinite(visible)))


def distance_days(seen: Mask) -> npt.NDArray[np.int64]:
    """Days to the nearest seen day of each cell, (time, cell); far more than any record where there is none."""
    size = len(seen)
    day = np.arange(size)[:, None]
    before = np.maximum.accumulate(np.where(seen, day, -(10**6)), axis=0)
    after = np.minimum.accumulate(np.where(seen, day, 10**6)[::-1], axis=0)[::-1]
    return np.asarray(np.minimum(day - before, after - day), np.int64)


def read_truth(world: Path, cube: Cube) -> Floats:
    """True soil moisture of the cells on the days of the cube, (time, cell), m3 m-3."""
    with open_netcdf(world / "truth" / "truth.nc") as dataset:
        lat, lon = (np.asarray(dataset.variables[name][:]) for name in ("lat", "lon"))
        first = np.datetime64("1970-01-01") + int(np.floor(float(dataset.variables["time"][0])))
        row = np.abs(lat[:, None] - cube.lat[None]).argmin(axis=0)
        column = np.abs(lon[:, None] - cube.lon[None]).argmin(axis=0)
        begin = int((cube.days[0] - first).astype(int))
        values = dataset.variables["soil_moisture"][begin : begin + cube.days.size]
    return np.ma.filled(values.astype(np.float32), np.nan)[:, row, column]


def score_rows(scene: Scene, values: Floats) -> Iterator[dict[str, Any]]:
    """Medians over cells with enough values, in the columns of `scores.parquet`."""
    for kind, stratum, reference, where, truth in scene.strata():
        cells = moments(np.where(where, values, np.nan).T.astype(np.float64), truth.T.astype(np.float64))
        enough = cells.n >= MINIMUM_VALUES
        for name in METRICS:
            found = np.where(enough, evaluate(metric(name), cells), np.nan)
            valid = np.isfinite(found)
            value = float(np.median(found[valid])) if valid.any() else float("nan")
            wanted = int((where & np.isfinite(truth)).sum())
            yield {
                "product": RECIPE, "split": scene.split, "seed": "0", "fold": "", "reference": reference,
                "stratum_kind": kind, "stratum": stratum, "subset": "all_cells", "signal": "raw", "scaling": "none",
                "aggregate": "median", "metric": name, "value": value, "ci_low": np.nan, "ci_high": np.nan,
                "ci_method": "", "ci_scope": "", "n": int(cells.n[valid].sum()), "n_eff": np.nan,
                "coverage": float(cells.n.sum()) / wanted if wanted else np.nan,
                "status": "ok" if valid.any() else "no_data",
            }  # fmt: skip


def edge_steps(lattice: Lattice, scene: Scene, values: Floats) -> dict[str, float]:
    """Mean absolute difference of neighbouring cells across swath borders and away from them, m3 m-3.

    A border lies between a cell that is observed on the day and a neighbour that is not. `excess` is the step across
    borders less the mean of the steps inside swaths and inside gaps; the truth has none. `stripes` is the step from row
    to row in gaps over that along the rows: stripes along the rows make it larger than that of the truth. Cells that
    are never seen are left out: a product flags their values as outside the support of the training.
    """
    place = lattice.cell
    pairs = [(place[:, :-1], place[:, 1:]), (place[:-1], place[1:])]
    first, second = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    both = (first >= 0) & (second >= 0) & scene.cells_seen[first] & scene.cells_seen[second]
    along = (np.arange(first.size) < pairs[0][0].size)[both]
    first, second = first[both], second[both]
    seen = np.isfinite(scene.visible)
    kinds = seen[:, first].astype(np.int8) + seen[:, second]
    # Days without any observation have no border.
    kinds = kinds[seen.any(axis=1)]
    result: dict[str, float] = {}
    for name, field in (("", values), ("truth_", scene.truth)):
        step = np.abs(field[:, first] - field[:, second])[seen.any(axis=1)]
        gap, border, swath = (float(np.nanmean(step[kinds == kind])) for kind in (0, 1, 2))
        down, across = (float(np.nanmean(step[(kinds == 0) & side])) for side in (~along, along))
        result |= {f"{name}step_at_borders": border, f"{name}step_in_swaths": swath, f"{name}step_in_gaps": gap,
                   f"{name}excess": border - 0.5 * (swath + gap),
                   f"{name}stripes": down / across if across else np.nan}  # fmt: skip
    return result


def cost_rows(plan: Experiment, split: str) -> list[dict[str, Any]]:
    """Seconds of the fit, seconds for a day of all cells, and parameters."""
    rows = []
    for name, arrays in stored(plan, split):
        train, predict, parameters = (float(value) for value in arrays["cost"])
        rows.append({"method": name, "split": split, "seconds_train": train, "parameters": int(parameters),
                     "seconds_a_day": predict / len(arrays["mean"])})  # fmt: skip
    return rows


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of hidden days against observations and truth, a row for each split and filler, best first."""
    hidden = scores[(scores["stratum"] == "hidden") & scores["metric"].isin(METRICS[:3])]
    column = hidden["metric"] + "_" + hidden["reference"]
    wide = hidden.assign(column=column).pivot(index=["split", "method"], columns="column", values="value")
    ordered = [f"{name}_{reference}" for reference in ("observation", "truth") for name in METRICS[:3]]
    table = wide[ordered].reset_index()
    return table.sort_values(["split", "ubrmsd_truth"], kind="stable", ignore_index=True)


def distance_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Skill by the distance to the nearest visible observation, in the columns of `curves.parquet`."""
    wanted = (scores["stratum_kind"] == "distance_days") & (scores["metric"] == "ubrmsd")
    rows = scores[wanted & (scores["reference"] == "truth")].dropna(subset="value")
    first = rows["stratum"].str.extract(r"^(\d+)", expand=False).astype(float)
    unknown = np.full(len(rows), np.nan)
    table = pd.DataFrame({
        "figure": "skill by distance", "panel": rows["split"], "series": rows["method"], "x": first, "y": rows["value"],
        "low": unknown, "high": unknown, "unit": "m3 m-3",
    })  # fmt: skip
    return table.sort_values(["panel", "series", "x"], ignore_index=True)


def finding(scores: pd.DataFrame) -> str:
    """What came out, in words and figures."""
    gap = scores[(scores["stratum"] == "hidden") & (scores["metric"] == "ubrmsd") & (scores["reference"] == "truth")]
    sentences = []
    for split in dict.fromkeys(gap["split"]):
        ordered = gap[gap["split"] == split].dropna(subset="value").sort_values("value")
        pairs = zip(ordered["method"], ordered["value"], strict=True)
        told = ", ".join(f"{name} {value:.4f}" for name, value in pairs if name in TOLD)
        sentences.append(f"{split} against the truth: {told}.")
    return "Median ubRMSD of hidden days in m3 m-3, best first. " + " ".join(sentences)


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}+" if high >= 10_000 else f"{low}-{high}"


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:4]]
    words = "python -m vadose.producer.experiments.gapfilling WORKSPACE WORLD site/data/experiments/stsg-sm"
    main(given[0], given[1], given[2], words, float(sys.argv[4]) if len(sys.argv) > 4 else np.inf)
