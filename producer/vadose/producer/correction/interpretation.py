"""What a fitted correction tells of its drivers: attributions by driver and lag, correlations, and stage 1 judged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vadose.producer.correction.attributions import block_bars, expected_gradients
from vadose.producer.correction.corrector import Lesson, Stage
from vadose.producer.training.points import curve_row
from vadose.statistics.metrics import evaluate, metric
from vadose.statistics.sums import moments

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Row = dict[str, Any]

WINDOWS = 160
BASELINES = 64
# Windows of one cell and of so many days are drawn together for the intervals.
BLOCK_DAYS = 90
FEWEST = 30
STAGE_METRICS = ("r", "mae", "rmse", "ubrmsd", "bias")
WATER = "m3 m-3"


def fact(table: str, row: str, column: str, value: float, unit: str) -> Row:
    """One number of a table."""
    return {"table": table, "row": row, "column": column, "value": float(value), "unit": unit}


def scores(product: Floats, reference: Floats, names: Iterable[str]) -> dict[str, float]:
    """Metrics over all days and cells together; NaN with fewer than 30 pairs."""
    both = np.isfinite(product) & np.isfinite(reference)
    if int(both.sum()) < FEWEST:
        return dict.fromkeys(names, float("nan"))
    m = moments(product[both][None].astype(np.float64), reference[both][None].astype(np.float64))
    return {name: float(evaluate(metric(name), m)[0]) for name in names}


def stage_facts(stage: Stage, lesson: Lesson, combination: str, mask: Mask) -> list[Row]:
    """Stage 1 against the stations where `mask` (time, cell): R, MAE, RMSE, ubRMSD and bias."""
    values = stage.run(lesson.raw[..., lesson.columns(combination)], lesson.raw.shape[1])
    found = scores(values, np.where(mask, lesson.in_situ, np.float32(np.nan)), STAGE_METRICS)
    row = f"{lesson.name}, {combination}"
    return [fact("stage 1", row, name, value, "1" if name == "r" else WATER) for name, value in found.items()]


def correlation_facts(lesson: Lesson) -> list[Row]:
    """Pearson correlation of each driver with the stations, all cells and days of training together."""
    where = lesson.fit | lesson.tune
    reference = np.where(where, lesson.in_situ, np.float32(np.nan))
    return [
        fact("correlation of drivers with stations", lesson.name, letter,
             scores(lesson.raw[..., 1 + k], reference, ("r",))["r"], "1")
        for k, letter in enumerate(lesson.drivers)
    ]  # fmt: skip


def attribution_rows(stage: Stage, lesson: Lesson, combination: str, sequence: int, *, seed: int) -> list[Row]:
    """Gradient SHAP of stage 1 by driver, summed over the lags, and by lag; bars have block-bootstrap intervals.

    Windows that end on days with stations are explained against windows of training days; all lie in training. A
    record without a whole window gives no row.
    """
    channels = stage.channels.of(lesson.raw[..., lesson.columns(combination)])
    generator = np.random.default_rng(seed)
    day, cell = drawn(lesson.fit | lesson.tune, sequence, WINDOWS, generator)
    inputs = windows(channels, day, cell, sequence)
    baselines = windows(channels, *drawn(lesson.taught, sequence, BASELINES, generator), sequence)
    if 0 in (inputs.shape[1], baselines.shape[1]):
        return []

    def output(given: Tensor) -> Tensor:
        values, _ = stage.network(given)
        return torch.as_tensor(values[-1])

    phi = expected_gradients(output, inputs, baselines, seed=seed) * (stage.high - stage.low)
    phi = by_variable(phi, stage)
    sizes = np.abs(phi).sum(axis=0)
    block = cell * 10_000 + day // BLOCK_DAYS
    rows = []
    for k, (letter, bar) in enumerate(zip(combination, block_bars(sizes, block, seed=seed), strict=True)):
        rows.append(curve_row("attributions", lesson.name, letter, k, bar.mean, WATER, bar.low, bar.high))
    mean = np.abs(phi).mean(axis=1)[::-1]
    rows += [
        curve_row("attributions_by_lag", lesson.name, letter, lag, mean[lag, k], WATER)
        for k, letter in enumerate(combination)
        for lag in range(sequence)
    ]
    return rows


def by_variable(phi: npt.NDArray[np.float64], stage: Stage) -> npt.NDArray[np.float64]:
    """Attributions (day, window, variable): that of a gap goes to its variable."""
    count = len(stage.channels.names)
    total = phi[..., :count].copy()
    for k, name in enumerate(stage.channels.gappy):
        total[..., stage.channels.names.index(name)] += phi[..., count + k]
    return total


def drawn(mask: Mask, sequence: int, count: int, generator: np.random.Generator) -> tuple[Any, Any]:
    """Days and cells (window,) at which `mask` is true and a whole sequence lies before."""
    day, cell = np.nonzero(mask)
    whole = np.flatnonzero(day >= sequence - 1)
    chosen = np.sort(generator.permutation(whole)[:count])
    return day[chosen], cell[chosen]


def windows(channels: Floats, day: Any, cell: Any, sequence: int) -> Floats:
    """The channels of the days up to each day, (day, window, channel)."""
    lags = np.arange(sequence)[:, None]
    return np.ascontiguousarray(channels[day[None, :] - (sequence - 1) + lags, cell[None, :]])


def training_rows(stage: Stage, panel: str) -> list[Row]:
    """Loss of each check, and the error on the inner split, of what the network puts out between 0 and 1."""
    kinds = {"losses": "training loss", "checks": "error on the inner split"}
    return [curve_row("training", panel, series, step, value, "1")
            for kind, series in kinds.items() for step, value in stage.facts.get(kind, [])]  # fmt: skip
