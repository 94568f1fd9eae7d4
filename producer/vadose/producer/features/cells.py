"""What tells one cell from another: descriptors of its observations, its coordinates, or nothing but a random name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.features.descriptors import NAMES, descriptors
from vadose.producer.training.splits import global_index

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# `global` reads every observation of the cube, `train` those of the training part, `causal` those of the year before
# the day. Only the last two may be scored against observations.
Descriptors = Literal["none", "train", "global", "causal"]
Identity = Literal["none", "coordinates", "random"]

COORDINATES = ("latitude", "longitude")
RANDOM_NAMES = tuple(f"random_{k}" for k in range(len(NAMES)))
CELLS_AT_ONCE = 1024


@dataclass(frozen=True)
class CellTable:
    """Descriptors of known cells.

    Attributes
    ----------
    index
        Flat indices of the cells in the global grid, (cell,), ascending.
    values
        Descriptors (cell, 31); missing for cells with too few observations.
    """

    index: Integers
    values: Floats

    def read(self, cube: Cube, cells: slice) -> Floats:
        """Descriptors (cell, 31) of cells of a cube; missing for cells that are not known."""
        wanted = global_index(cube.grid, cube.index)[cells]
        place = np.minimum(np.searchsorted(self.index, wanted), self.index.size - 1)
        known = self.index[place] == wanted
        return np.where(known[:, None], self.values[place], np.float32(np.nan))


def described(cube: Cube, target: str, visible: Mask | None, *, per_n: bool, entropy: bool) -> CellTable:
    """Descriptors of the target in all cells of a cube, from the values that `visible`, (time, cell), lets be read."""
    parts = []
    for start in range(0, cube.index.size, CELLS_AT_ONCE):
        cells = slice(start, min(start + CELLS_AT_ONCE, cube.index.size))
        values = cube.read(target, cells=cells)
        if visible is not None:
            values = np.where(visible[:, cells], values, np.float32(np.nan))
        parts.append(descriptors(np.ascontiguousarray(values.T), per_n=per_n, entropy=entropy).astype(np.float32))
    return CellTable(global_index(cube.grid, cube.index), np.concatenate(parts))


def coordinates(cube: Cube, cells: slice) -> Floats:
    """Latitude and longitude, degrees, (cell, 2)."""
    return np.stack([cube.lat[cells], cube.lon[cells]], axis=1).astype(np.float32)


def random_names(cube: Cube, cells: slice) -> Floats:
    """As many numbers as there are descriptors, uniform in [0, 1), that depend on the cell alone, (cell, 31)."""
    index = global_index(cube.grid, cube.index)[cells].astype(np.uint64)
    count = np.uint64(len(RANDOM_NAMES))
    state = index[:, None] * count + np.arange(len(RANDOM_NAMES), dtype=np.uint64)[None, :]
    # The finaliser of SplitMix64: neighbouring states give unrelated numbers.
    state = (state + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
