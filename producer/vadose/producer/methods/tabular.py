"""Tables for methods that see one row a cell and day."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vadose.producer.cube import Cube
from vadose.producer.features.antecedent import features
from vadose.producer.methods.base import Block, Floats, Inputs
from vadose.producer.recipe import Predictors
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import Fold, Role

# Rows are predicted in portions of fixed cells and days, which bounds the memory.
CELLS_AT_ONCE = 256
DAYS_AT_ONCE = 64
NO_VALID_INPUT = 256

# Features (time, cell, feature) of days and cells of a cube, the lag 0 to 3 of each daily predictor first.
Table = Callable[[Cube, Predictors, slice, slice], Floats]


def sample_rows(
    inputs: Inputs, fold: Fold, role: Role, maximum: int, seed: int, table: Table = features
) -> tuple[Floats, Floats]:
    """Features (row, feature) and target (row,) of the values of a role, at most `maximum` of them at random."""
    mask = fold.mask(role)
    wanted = int(mask.sum())
    generator = np.random.default_rng([seed, 7])
    tables, targets = [], []
    days = np.flatnonzero(mask.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    for cells in cell_slices(inputs.cube, CELLS_AT_ONCE):
        chosen = mask[span, cells]
        target = inputs.cube.read(inputs.target, span, cells)
        chosen = chosen & np.isfinite(target)
        if wanted > maximum:
            chosen = chosen & (generator.random(chosen.shape) < maximum / wanted)
        if chosen.any():
            tables.append(table(inputs.cube, inputs.predictors, span, cells)[chosen])
            targets.append(target[chosen])
    count = len(inputs.predictors.daily)
    if not tables:
        return np.zeros((0, count), np.float32), np.zeros(0, np.float32)
    return np.concatenate(tables), np.concatenate(targets)


def predict_table(
    block: Block, predictors: Predictors, rows: Callable[[Floats], Floats], table: Table = features
) -> Floats:
    """Predictions (time, cell) of a function of rows; NaN where no daily predictor has a value on the day."""
    days = range(*block.days.indices(block.cube.days.size))
    cells = range(*block.cells.indices(block.cube.index.size))
    result = np.full((len(days), len(cells)), np.nan, np.float32)
    today = [4 * k for k in range(len(predictors.daily))]
    for first in range(days.start, days.stop, DAYS_AT_ONCE):
        stretch = slice(first, min(first + DAYS_AT_ONCE, days.stop))
        for start in range(cells.start, cells.stop, CELLS_AT_ONCE):
            part = slice(start, min(start + CELLS_AT_ONCE, cells.stop))
            columns = table(block.cube, predictors, stretch, part)
            values = rows(columns.reshape(-1, columns.shape[-1])).reshape(columns.shape[:2])
            values = np.where(np.isfinite(columns[..., today]).any(axis=-1), values, np.float32(np.nan))
            result[
                stretch.start - days.start : stretch.stop - days.start, start - cells.start : part.stop - cells.start
            ] = values
    return result
