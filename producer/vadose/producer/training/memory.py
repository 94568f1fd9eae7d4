"""The memory curve: skill of a network that sees only so many days."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import torch

from vadose.common import Progress, silent
from vadose.common.processes import process_pool
from vadose.producer.cube import Cube, open_cube
from vadose.producer.methods import Block, Inputs, Settings, method
from vadose.producer.methods.recurrent import RecurrentModel, RecurrentSettings
from vadose.producer.methods.sequence import SequenceModel, SequenceSettings
from vadose.producer.tensors import write_arrays
from vadose.producer.training.experiment import Experiment, limit_threads
from vadose.producer.training.points import curve_row
from vadose.producer.training.scores import MINIMUM_VALUES, Truth
from vadose.producer.training.splits import Fold, make_folds
from vadose.statistics import evaluate, metric, moments
from vadose.statistics.aggregates import resampled_weights, spread

Floats = npt.NDArray[np.float32]

LENGTHS = (1, 2, 4, 8, 15, 30, 90, 365)
# From this length on the network of the recipe's own windows is used, and only its prediction is limited.
LONG = 90
STEPS = 1500
LARGEST_BATCH = 1024
# Days of all windows of a training step, at most.
LARGEST_STEP = 1 << 15
SPLIT = "P1"
SEED = 0


@dataclass(frozen=True)
class Point:
    """One length of memory and the file of its predictions."""

    days: int
    path: Path

    @property
    def done(self) -> bool:
        """Whether the predictions are there."""
        return self.path.is_file()


def has_memory(name: str) -> bool:
    """Whether a method is a network whose memory can be limited."""
    return issubclass(method(name).settings_type, (RecurrentSettings, SequenceSettings))


def all_points(plan: Experiment, name: str) -> list[Point]:
    """All points of the curve of a method, finished or not."""
    key = plan.key(name)
    return [Point(days, plan.folder / "memory" / f"{name}-{days}-{key}.safetensors") for days in LENGTHS]


def run_memory(plan: Experiment, name: str, *, processes: int, until: float, progress: Progress = silent) -> list[str]:
    """Train and predict the points that are missing; returns the names of those that are missing in the end."""
    waiting = [point for point in all_points(plan, name) if not point.done]
    # Both long points of a recurrent network come from one training, so they are one piece of work.
    alone = [] if isinstance(plan.contender(name).checked, RecurrentSettings) else list(waiting)
    alone = alone or [point for point in waiting if point.days < LONG]
    pieces = [[point] for point in alone] + [[point for point in waiting if point not in alone]]
    with (
        progress.step("memory curve", len(waiting)) as bar,
        process_pool(processes) as pool,
    ):
        futures = [pool.submit(run_points, plan, name, piece, until) for piece in pieces if piece]
        for future in futures:
            bar.advance(future.result())
    return [f"memory of {point.days} d" for point in waiting if not point.done]


def run_points(plan: Experiment, name: str, points: Sequence[Point], until: float) -> int:
    """Train one network and predict with it for each of the points; returns how many were done."""
    if time.monotonic() > until:
        return 0
    limit_threads(plan.threads)
    cube = open_cube(plan.cube)
    contender = plan.contender(name)
    fold = make_folds(SPLIT, cube, plan.target)[0]
    inputs = Inputs({"main": cube}, plan.target, contender.predictors).hiding(fold.unseen())
    settings = contender.checked
    limited = limited_settings(settings, points[0].days)
    checkpoint = plan.folder / "checkpoints" / f"memory-{points[0].days}-{plan.key(name)}.safetensors"
    model = contender.chosen.fit(inputs, fold, limited, seed=SEED, checkpoint=checkpoint)
    assert isinstance(model, (RecurrentModel, SequenceModel)), f"{name} has no memory to limit"
    for point in points:
        mean = predict_limited(model, cube, fold, plan.target, point.days)
        write_arrays(point.path, {"mean": mean})
    checkpoint.unlink(missing_ok=True)
    return len(points)


def limited_settings(settings: Settings, days: int) -> Settings:
    """Settings of the same network that sees so many days.

    A recurrent network is trained on windows of so many days, of which the last counts if they are shorter than its
    own; a network of windows gets the window, and as many windows a step as keep the days of a step within its own.
    """
    if isinstance(settings, SequenceSettings):
        return _shorter_windows(settings, days)
    assert isinstance(settings, RecurrentSettings), "a method without memory"
    loop = settings.training
    days = min(days, loop.window_days)
    changes: dict[str, Any] = {"steps": min(loop.steps, STEPS)}
    if days < loop.window_days:
        batch = min(max(loop.batch * loop.window_days // days, loop.batch), LARGEST_BATCH)
        changes |= {"window_days": days, "spin_up_days": days - 1, "batch": batch}
    update: dict[str, Any] = {"training": loop.model_copy(update=changes)}
    if hasattr(settings, "attention_days"):
        update["attention_days"] = min(settings.attention_days, days)
    return settings.model_copy(update=update)


def _shorter_windows(settings: SequenceSettings, days: int) -> SequenceSettings:
    loop = settings.training
    batch = max(min(loop.batch, LARGEST_STEP // days), 1)
    training = loop.model_copy(update={"steps": min(loop.steps, STEPS), "batch": batch})
    return settings.model_copy(update={"sequence_days": days, "training": training})


def predict_limited(model: RecurrentModel | SequenceModel, cube: Cube, fold: Fold, target: str, days: int) -> Floats:
    """Predictions of the test values from the last `days` days alone, (time, cell); NaN elsewhere."""
    wanted = fold.mask("test") & np.isfinite(cube.read(target))
    everything = slice(0, cube.index.size)
    if isinstance(model, SequenceModel):
        assert model.past_days == days - 1, "a network of other windows"
        mean = model.predict(Block(cube, slice(0, cube.days.size), everything)).mean
        return np.where(wanted, mean, np.float32(np.nan))
    result = np.full(wanted.shape, np.nan, np.float32)
    daily = torch.from_numpy(model.encoder.daily(cube, slice(0, cube.days.size), everything))
    static = torch.from_numpy(model.encoder.static(cube, everything))
    with torch.inference_mode():
        for day in np.flatnonzero(wanted.any(axis=1)):
            cells = np.flatnonzero(wanted[day])
            window = daily[max(day - days + 1, 0) : day + 1, cells]
            outputs, _ = model.network(window, static[cells], model.network.start(cells.size))
            result[day, cells] = outputs[-1, :, 0].numpy() * model.scale + model.center
    return result


def memory_rows(truth: Truth, points: Sequence[Point]) -> list[dict[str, Any]]:
    """Median over cells of RMSE, ubRMSD and R with 95 % intervals, by days of memory; finished points only."""
    rows = []
    for point in points:
        if not point.done:
            continue
        mean = safetensors.numpy.load_file(point.path)["mean"].astype(np.float64)
        cells = moments(mean.T, truth.values.T)
        for name, unit in (("rmse", "m3 m-3"), ("ubrmsd", "m3 m-3"), ("r", "1")):
            values = np.where(cells.n >= MINIMUM_VALUES, evaluate(metric(name), cells), np.nan)
            valid = np.isfinite(values)
            weights = valid.astype(float)
            replicates = resampled_weights(truth.block, weights, 412)
            found = spread("median", values, weights, replicates, np.unique(truth.block[valid]).size)
            rows.append(curve_row("memory", name, "median over cells, P1, seed 0", point.days, found.value, unit,
                                  found.ci_low, found.ci_high))  # fmt: skip
    return rows
