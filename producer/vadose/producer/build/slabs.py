"""The fixed partition of a record into slabs of days and of a cube into blocks of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.common import UsageError
from vadose.producer.cube import Cube
from vadose.producer.granules.periods import period_end, period_of, product_periods
from vadose.producer.recipe import Recipe

Days = npt.NDArray[np.datetime64]

# The partition of a build is fixed, since the last bits of a matrix product depend on its shape.
BLOCK_CELLS = 4096
ONE_DAY = np.timedelta64(1, "D")
LONGEST_MONTH = 31


@dataclass(frozen=True)
class Slab:
    """Periods that are predicted together, by their first days, and all the days that they hold."""

    number: int
    periods: Days
    days: Days


def wanted_periods(recipe: Recipe, days: Sequence[np.datetime64] | Days | None) -> Days:
    """First days of the days or months to write, ascending; days outside the product's record are refused."""
    record = product_periods(recipe.product)
    if days is None:
        return record
    chosen = np.unique(np.asarray(days, "datetime64[D]"))
    end = period_end(record[-1], recipe.product.step)
    outside = chosen[(chosen < record[0]) | (chosen >= end)]
    if outside.size:
        raise UsageError(f"{outside[0]} is not a day of the product, which runs {record[0]}..{end - ONE_DAY}")
    return np.unique(period_of(chosen, recipe.product.step))


def slabs(recipe: Recipe) -> list[Slab]:
    """The fixed partition of the record; it depends on the recipe alone."""
    step = recipe.product.step
    record = product_periods(recipe.product)
    length = recipe.build.slab_days if step == "daily" else max(1, recipe.build.slab_days // LONGEST_MONTH)
    parts = [record[first : first + length] for first in range(0, record.size, length)]
    return [Slab(k, part, np.arange(part[0], period_end(part[-1], step))) for k, part in enumerate(parts)]


def cell_blocks(cube: Cube) -> list[slice]:
    """The fixed partition of the cells."""
    return [slice(first, min(first + BLOCK_CELLS, cube.index.size)) for first in range(0, cube.index.size, BLOCK_CELLS)]


def cube_span(cube: Cube, slab: Slab, last: np.datetime64) -> slice | None:
    """Positions in the cube of the slab's days up to `last`, or `None` where the cube holds none of them."""
    first, last = max(slab.days[0], cube.days[0]), min(last, cube.days[-1])
    if first > last:
        return None
    return slice(cube.day_index(first), cube.day_index(last) + 1)
