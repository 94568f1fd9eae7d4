"""The two-dimensional arrangement of a cube's cells: un-gathering, and patches of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.grids import global_shape

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lattice:
    """Rows and columns of the cells of a cube.

    Attributes
    ----------
    row, column
        Place of each cell, (cell,). A regular sample of a grid, every fourth row and column say, is a lattice without
        the rows and columns between.
    shape
        Number of rows and columns.
    wraps
        Whether the last column touches the first one.
    """

    row: Integers
    column: Integers
    shape: tuple[int, int]
    wraps: bool

    @classmethod
    def of_cube(cls, cube: Cube) -> Lattice:
        """The smallest lattice that holds all cells; of a grid all around the globe it keeps every column."""
        columns = cube.grid.shape[1]
        row, column = cube.index // columns, cube.index % columns
        wraps = columns == global_shape(cube.grid.token)[1]
        row = _closed_up(row)
        column = column if wraps else _closed_up(column)
        shape = (int(row.max()) + 1, columns if wraps else int(column.max()) + 1)
        return cls(row, column, shape, wraps)

    @cached_property
    def cell(self) -> npt.NDArray[np.int32]:
        """Number of the cell at each place, -1 where there is none, (row, column)."""
        found = np.full(self.shape, -1, np.int32)
        found[self.row, self.column] = np.arange(self.row.size)
        return found

    def fields(self, values: Floats, fill: float = 0.0) -> Floats:
        """Values (..., cell) at their places, (..., row, column); `fill` where there is no cell."""
        result = np.full((*values.shape[:-1], *self.shape), np.float32(fill))
        result[..., self.row, self.column] = values
        return result

    def gathered(self, fields: Floats) -> Floats:
        """Fields (..., row, column) at the cells, (..., cell)."""
        return np.ascontiguousarray(fields[..., self.row, self.column])

    def patches(self, size: int, stride: int) -> list[npt.NDArray[np.int32]]:
        """Windows of `cell`, (size, size) or as large as the lattice allows, that hold any cell.

        They begin at multiples of `stride`, the last ones where they end with the lattice; on a lattice that wraps they
        reach over its seam.
        """
        height, width = min(size, self.shape[0]), min(size, self.shape[1])
        around = np.concatenate([self.cell, self.cell[:, :width]], axis=1) if self.wraps else self.cell
        rows = _starts(self.shape[0], height, stride)
        columns = list(range(0, self.shape[1], stride)) if self.wraps else _starts(self.shape[1], width, stride)
        windows = [around[r : r + height, c : c + width] for r in rows for c in columns]
        return [np.ascontiguousarray(window) for window in windows if (window >= 0).any()]


def _closed_up(position: Integers) -> Integers:
    """Positions from 0 in units of their common spacing."""
    used = np.unique(position)
    spacing = int(np.gcd.reduce(np.diff(used))) if used.size > 1 else 1
    return np.asarray((position - used[0]) // spacing, np.int64)


def _starts(length: int, size: int, stride: int) -> list[int]:
    starts = list(range(0, length - size + 1, stride))
    return starts if starts[-1] + size == length else [*starts, length - size]
