"""Monthly products: means of daily predictions, or what a method says of a month, with counts of days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.finishing import COLD, Finished, finish
from vadose.producer.granules.flags import MASK, NO_VALID_INPUT, RECOMMENDED, WITHOUT_VALUE
from vadose.producer.granules.periods import is_native_monthly, period_end, period_of
from vadose.producer.granules.wording import FEWEST_DAYS
from vadose.producer.grids import global_grid
from vadose.producer.methods.base import Prediction
from vadose.producer.recipe import Recipe

Days = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int16]

# Bits that belong to the prediction of a native month; all others follow its days, or are static.
OF_PREDICTION = np.int16(MASK["value_clipped_to_physical_range"] | MASK["outside_training_support"])
GAP_FILLED = np.int16(MASK["gap_filled"])


@dataclass(frozen=True)
class Months:
    """What granules of months hold, each (month, cell); `first` is the first day of each month."""

    first: Days
    sm: npt.NDArray[np.float32]
    sm_uncertainty: npt.NDArray[np.float32]
    flag: Counts
    number_of_observations: Counts


def finish_months(recipe: Recipe, cube: Cube, prediction: Prediction, days: slice, cells: slice) -> Months:
    """Clip and flag a prediction, and take it together by months.

    Parameters
    ----------
    recipe
        Its method says whether the prediction is of days or of months; its build section holds limits and flag rules.
    prediction
        Of the block, (time, cell); a month's prediction stands on each of its days.
    days, cells
        The block's positions in the cube. A month that the days hold in part is taken for what they hold of it, with
        the days that lack counted as days without a value.
    """
    if is_native_monthly(recipe):
        return native_months(recipe, cube, prediction, days, cells)
    return monthly_means(finish(recipe, cube, prediction, days, cells), cube.days[days])


def monthly_means(daily: Finished, days: Days) -> Months:
    """Means of the daily values with the recommended use, of at least ten days.

    The uncertainty is the mean of the daily ones, as if the errors of a month were the same on all its days. A bit is
    set where it is on at least half of the days of the month, so that a static bit stays as it is; bit 256 is set where
    there are too few days.
    """
    first, starts, lengths = calendar(days)
    usable = (daily.flag & np.int16(RECOMMENDED)) == 0
    number = np.add.reduceat(usable, starts, axis=0, dtype=np.int16)
    flag = often(daily.flag, starts, lengths) & ~NO_VALID_INPUT
    flag |= np.where(number < FEWEST_DAYS, NO_VALID_INPUT, np.int16(0))
    missing = (flag & WITHOUT_VALUE) != 0

    def mean(values: Floats) -> Floats:
        total = np.add.reduceat(np.where(usable, values, 0.0).astype(np.float64), starts, axis=0)
        return np.where(missing, np.nan, total / np.maximum(number, 1)).astype(np.float32)

    return Months(first, mean(daily.sm), mean(daily.sm_uncertainty), flag, number)


def native_months(recipe: Recipe, cube: Cube, prediction: Prediction, days: slice, cells: slice) -> Months:
    """What the method says of each month, where at least ten of its days had all that the method needs.

    Bits 4 and 8 are set where the daily rule sets them on at least half of the days, bit 512 where no day of the month
    has the observing input; limits, bit 1024 and bit 2048 are those of the month's prediction.
    """
    first, starts, lengths = calendar(cube.days[days])
    daily = finish(recipe, cube, prediction, days, cells)
    number = np.add.reduceat(input_days(recipe, cube, days, cells), starts, axis=0, dtype=np.int16)
    # The prediction stands on every day of the month; without the cold days, its first day says what holds for it.
    plain = recipe.model_copy(update={"build": recipe.build.model_copy(update={"covers_frozen": True})})
    month = finish(plain, cube, prediction, days, cells)
    flag = often(daily.flag, starts, lengths) & ~(OF_PREDICTION | GAP_FILLED | NO_VALID_INPUT)
    flag |= month.flag[starts] & (OF_PREDICTION | NO_VALID_INPUT)
    observed = np.logical_or.reduceat((daily.flag & GAP_FILLED) == 0, starts, axis=0)
    flag |= np.where(observed, np.int16(0), GAP_FILLED)
    lacking = number < FEWEST_DAYS
    if not recipe.build.covers_frozen:
        lacking |= (flag & COLD) != 0
    flag |= np.where(lacking, NO_VALID_INPUT, np.int16(0))
    missing = (flag & WITHOUT_VALUE) != 0
    flag &= np.where(missing, ~OF_PREDICTION, np.int16(-1))
    sm, uncertainty = (
        np.where(missing, np.float32(np.nan), field[starts]) for field in (month.sm, month.sm_uncertainty)
    )
    return Months(first, sm, uncertainty, flag, number)


def calendar(days: Days) -> tuple[Days, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First day of each month that the days touch, where it begins among them, and how many days it has in all."""
    first, starts = np.unique(period_of(days, "monthly"), return_index=True)
    lengths = np.array([int((period_end(day, "monthly") - day) / np.timedelta64(1, "D")) for day in first])
    return first, starts, lengths


def often(flag: Counts, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Counts:
    """The bits that are set on at least half of the days of each month, (month, cell)."""
    found = np.zeros((starts.size, flag.shape[1]), np.int16)
    for mask in MASK.values():
        count = np.add.reduceat((flag & mask) != 0, starts, axis=0, dtype=np.int64)
        found |= np.where(2 * count >= lengths[:, None], np.int16(mask), np.int16(0))
    return found


def input_days(recipe: Recipe, cube: Cube, days: slice, cells: slice) -> npt.NDArray[np.bool_]:
    """Days on which every required input of a native month has a value, (time, cell).

    Required are the parents of a merge, else the target of the downscaling; of a downscaled product those of the coarse
    cell, which has a value where any cell in it has one.
    """
    settings = recipe.method.settings
    coarse = settings.get("coarse", "0P25DEG") if recipe.method.name == "downscale" else None
    merge = settings.get("merge") if coarse else settings
    names = (merge or {}).get("parents", [recipe.target])
    if coarse is None:
        return np.asarray(np.logical_and.reduce([np.isfinite(cube.read(name, days, cells)) for name in names]))
    block = coarse_cells(cube, coarse)
    wanted = np.unique(block[cells])
    members = np.flatnonzero(np.isin(block, wanted))
    order = members[np.argsort(block[members], kind="stable")]
    starts = np.searchsorted(block[order], wanted)
    low = int(members[0])
    every = slice(low, int(members[-1]) + 1)
    there = [
        np.logical_or.reduceat(np.isfinite(cube.read(name, days, every))[:, order - low], starts, axis=1)
        for name in names
    ]
    return np.asarray(np.logical_and.reduce(there)[:, np.searchsorted(wanted, block[cells])])


def coarse_cells(cube: Cube, token: str) -> npt.NDArray[np.int64]:
    """Flat index in the global grid `token` of the coarse cell that holds each cell, (cell,)."""
    grid = global_grid(token)
    rows, columns = grid.locate(cube.lat, cube.lon)
    return np.asarray(rows * grid.shape[1] + columns, np.int64)
