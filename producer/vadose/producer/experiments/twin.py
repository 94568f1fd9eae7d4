"""`python -m vadose.producer.experiments.twin OUT [COMMAND]`: downscaling of a truth that is known at the fine scale.

The true soil moisture of a simulated world of 0.05 degree is averaged to 0.25 degree, downscaled with what sensors see
of the same world, and compared with the truth that was averaged away.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import Progress, silent
from vadose.producer.cube import Cube
from vadose.producer.experiments.tables import publish
from vadose.producer.experiments.worlds import write_cube
from vadose.producer.methods.base import Block, Inputs
from vadose.producer.methods.blocks import Blocks, cube_blocks
from vadose.producer.methods.choice import method_settings
from vadose.producer.methods.coarsening import Timeline
from vadose.producer.methods.downscale import Downscale
from vadose.producer.methods.downscaled import DownscaleModel, corners
from vadose.producer.methods.kriging import bilinear
from vadose.producer.methods.steps import Step
from vadose.producer.recipe import Predictors
from vadose.producer.simulate.settings import Settings
from vadose.producer.simulate.simulation import make_world
from vadose.producer.training.splits import make_folds

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

COARSE, FINE = "0P25DEG", "0P05DEG"
# The variable that holds the averaged truth.
TARGET = "smap_sm_am"
DAILY = ("precipitation", "land_surface_temperature_all_weather", "ndvi", "albedo", "evapotranspiration")
STATIC = ("sand", "clay", "organic_carbon", "elevation", "slope", "porosity")
PREDICTORS = Predictors(daily=DAILY, static=STATIC)
WORLD = Settings(
    name="twin", token=FINE, box=(-41.0, 40.0, -38.0, 43.0), start=date(2016, 1, 1), end=date(2019, 12, 31), seed=7
)
SEQUENCE: Mapping[Step, int] = {"monthly": 12, "daily": 15}
UNIT = "m3 m-3"


@dataclass(frozen=True)
class Twin:
    """A fine cube with the block means of the truth as its target, and the truth, (time, cell)."""

    cube: Cube
    blocks: Blocks
    truth: Floats


def make_twin(settings: Settings, path: Path) -> Twin:
    """Simulate a world, write what is observed of it as a cube, and average its truth to blocks."""
    world = make_world(settings)
    cube = write_cube(world, path, DAILY, STATIC, "a twin")
    blocks = cube_blocks(cube, COARSE)
    mean = blocks.mean(world.soil_moisture)[:, blocks.block].astype(np.float32)
    return Twin(cube.having(TARGET, mean), blocks, world.soil_moisture)


def downscaled(twin: Twin, step: Step, changes: Mapping[str, Any], progress: Progress = silent,
               predictors: Predictors = PREDICTORS) -> DownscaleModel:  # fmt: skip
    """The model of some settings, trained on what lies before the test period."""
    values = {"coarse": COARSE, "step": step, "sequence": SEQUENCE[step], **changes}
    fold = make_folds("P1", twin.cube, TARGET)[0]
    inputs = Inputs({"main": twin.cube}, TARGET, predictors)
    return Downscale().fit(inputs, fold, method_settings(Downscale(), values), seed=0, progress=progress)


def test_steps(twin: Twin, step: Step) -> tuple[Timeline, npt.NDArray[np.int64]]:
    """The steps that lie wholly in the test period."""
    timeline = Timeline(twin.cube.days, step)
    dates = make_folds("P1", twin.cube, TARGET)[0].dates["test"]
    inside = np.bincount(timeline.number, dates) == np.bincount(timeline.number)
    return timeline, np.flatnonzero(inside)


def fields(twin: Twin, model: DownscaleModel, steps: npt.NDArray[np.int64]) -> dict[str, Doubles]:
    """Truth, downscaled field and its simpler rivals on the given steps, (step, cell) each."""
    timeline = Timeline(twin.cube.days, model.plan.step)
    truth = timeline.means(twin.truth, 0, timeline.count)[steps]
    given = twin.blocks.mean(timeline.means(twin.cube.read(TARGET), 0, timeline.count)[steps])
    first = np.searchsorted(timeline.number, steps)
    everywhere = slice(0, twin.cube.index.size)
    span = slice(int(first[0]), int(first[-1]) + 1)
    mean = model.predict(Block(twin.cube, span, everywhere)).mean[first - first[0]].astype(np.float64)
    said = np.concatenate([model.fine(twin.cube, timeline, int(k), int(k) + 1)[0] for k in steps]).astype(np.float64)
    return {
        "truth": truth, "downscaled": mean, "network alone": said,
        "bilinear": bilinear(given, twin.blocks, *corners(twin.blocks, COARSE)).astype(np.float64),
        "not downscaled": given[:, twin.blocks.block],
    }  # fmt: skip


def scores(found: Mapping[str, Doubles], blocks: Blocks) -> list[dict[str, object]]:
    """Scores of every field: over all values, in time (median over cells), in space (median over steps), and closure.

    Beside R and ubRMSD over all values stand those within the blocks, that is of what averaging took away.
    """
    truth = found["truth"]
    inside = _within(truth, blocks)
    rows: list[dict[str, object]] = []
    for name, field in found.items():
        if name == "truth":
            continue
        closure = float(np.sqrt(np.mean((blocks.mean(field) - blocks.mean(truth)) ** 2)))
        rows.append({
            "field": name, "R": _r(field, truth), "ubRMSD": float((field - truth).std()),
            "R in time": _median(_r(field, truth, 0)), "ubRMSD in time": _median((field - truth).std(axis=0)),
            "R in space": _median(_r(field, truth, 1)), "ubRMSD in space": _median((field - truth).std(axis=1)),
            "R within blocks": _r(_within(field, blocks), inside) if name != "not downscaled" else float("nan"),
            "block mean RMSE": closure, "unit": UNIT,
        })  # fmt: skip
    return rows


def _within(field: Doubles, blocks: Blocks) -> Doubles:
    return field - blocks.mean(field)[:, blocks.block]


def _median(values: Any) -> float:
    return float(np.nanmedian(values))


def _r(one: Doubles, other: Doubles, axis: int | None = None) -> Any:
    """Pearson's correlation over all values, or along an axis."""
    a, b = one - one.mean(axis=axis, keepdims=True), other - other.mean(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (a * b).sum(axis=axis) / np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    return float(r) if axis is None else r


# Settings beside the defaults, by name; the paper's residual is that of the mean predictors.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "area-to-point": {},
    "one step, no memory": {"sequence": 1},
    "kriging, corrected": {"residual": "kriging", "block_correction": True},
    "kriging as in the paper": {"residual": "kriging", "closure": "coarse"},
    "bilinear residual, corrected": {"residual": "bilinear", "block_correction": True},
}


def run(twin: Twin, step: Step, variants: Mapping[str, Mapping[str, Any]], training: Mapping[str, Any],
        progress: Progress = silent) -> pd.DataFrame:  # fmt: skip
    """Scores of all variants at one time step; the rivals stand there once."""
    _, steps = test_steps(twin, step)
    rows: list[dict[str, object]] = []
    for name, changes in variants.items():
        model = downscaled(twin, step, {"training": training, **changes}, progress)
        found = scores(fields(twin, model, steps), twin.blocks)
        kept = found if not rows else found[:1]
        rows += [{"step": step, **one, "field": f"downscaled, {name}" if one["field"] == "downscaled" else one["field"]}
                 for one in kept]  # fmt: skip
    return pd.DataFrame(rows)


def finding(table: pd.DataFrame) -> str:
    """What came out, in sentences."""
    words = []
    for step, part in table.groupby("step", sort=False):
        rows = part.set_index("field")
        best, plain, smooth = (rows.loc[name] for name in ("downscaled, area-to-point", "not downscaled", "bilinear"))
        words.append(
            f"{str(step).capitalize()}: R {best['R']:.3f} and ubRMSD {best['ubRMSD']:.4f} downscaled, "
            f"{smooth['R']:.3f} and {smooth['ubRMSD']:.4f} bilinear, {plain['R']:.3f} and {plain['ubRMSD']:.4f} not "
            f"downscaled; block means within {best['block mean RMSE']:.1e} {UNIT}. Within the blocks alone R is "
            f"{best['R within blocks']:.3f} downscaled and {smooth['R within blocks']:.3f} bilinear."
        )
        others = rows[rows.index.str.startswith("downscaled")]
        if len(others) > 1:
            name = str(others["ubRMSD"].idxmin()).removeprefix("downscaled, ")
            words.append(f"Of the variants '{name}' has the smallest ubRMSD, {others['ubRMSD'].min():.4f}.")
    return " ".join(words)


def main(
    out: Path, command: str, settings: Settings = WORLD, *, steps: int = 800,
    variants: Mapping[str, Mapping[str, Any]] = VARIANTS, daily: bool = True, progress: Progress = silent,
) -> None:  # fmt: skip
    """Run the variants with monthly steps, and the first of them with daily ones, and write their scores."""
    first = dict([next(iter(variants.items()))])
    plans: list[tuple[Step, Mapping[str, Mapping[str, Any]]]] = [("monthly", variants)]
    plans += [("daily", first)] if daily else []
    with tempfile.TemporaryDirectory() as folder:
        twin = make_twin(settings, Path(folder) / "twin.zarr")
        parts = [run(twin, step, chosen, {"steps": steps}, progress) for step, chosen in plans]
    table = pd.concat(parts, ignore_index=True)
    told = {
        "title": "Twin downscaling",
        "question": "Does the downscaling bring back what averaging to 0.25 degree took away?",
        "what": f"True soil moisture of a simulated world of {twin.blocks.lat.size} cells of 0.05 degree, averaged to "
        f"{twin.blocks.count} blocks of 0.25 degree and downscaled with observed predictors; scores of the last year, "
        "of which the network saw no soil moisture; the coarse field of that year is given.",
        "finding": finding(table),
    }
    publish(out, "twin", told, {"twin_scores": table}, command)


if __name__ == "__main__":
    main(Path(sys.argv[1]), " ".join(sys.argv[2:]) or "python -m vadose.producer.experiments.twin OUT")
