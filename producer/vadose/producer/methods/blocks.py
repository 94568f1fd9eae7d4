"""Coarse blocks of fine cells: which cells lie in which block, and how values pass between the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.grids import global_grid
from vadose.producer.training.splits import global_index

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Blocks:
    """Fine cells and the coarse blocks that they lie in.

    Attributes
    ----------
    lat, lon
        Degrees, (cell,).
    block
        Position of the block of each cell, (cell,).
    area
        Share of each cell in its block, (cell,); the shares of a block sum to one.
    index
        Flat index of each block in the global coarse grid, (block,), ascending.
    """

    lat: Doubles
    lon: Doubles
    block: Integers
    area: Doubles
    index: Integers

    @property
    def count(self) -> int:
        """Number of blocks."""
        return self.index.size

    @cached_property
    def order(self) -> Integers:
        """Cells sorted by block, (cell,)."""
        return np.argsort(self.block, kind="stable")

    @cached_property
    def starts(self) -> Integers:
        """Where each block begins in `order`, with the end as last, (block + 1,)."""
        return np.searchsorted(self.block[self.order], np.arange(self.count + 1)).astype(np.int64)

    def centre(self, values: Doubles) -> Doubles:
        """Mean of a value of the cells by block, such as the latitude, (block,)."""
        return np.bincount(self.block, self.area * values, self.count).astype(np.float64)

    def mean(self, values: npt.NDArray[np.floating]) -> Doubles:
        """Area-weighted mean of the valid cells of each block, (..., cell) to (..., block); NaN without any."""
        flat = values.reshape(-1, values.shape[-1])[:, self.order].astype(np.float64)
        area = self.area[self.order]
        valid = np.isfinite(flat)
        total = np.add.reduceat(np.where(valid, flat, 0.0) * area, self.starts[:-1], axis=1)
        share = np.add.reduceat(valid * area, self.starts[:-1], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(share > 0, total / share, np.nan)
        return mean.reshape(*values.shape[:-1], self.count)


def make_blocks(lat: Doubles, lon: Doubles, block: Integers, area: Doubles, index: Integers) -> Blocks:
    """Blocks with shares from areas in any unit."""
    return Blocks(lat, lon, block, area / np.bincount(block, area, index.size)[block], index)


def cube_blocks(cube: Cube, token: str) -> Blocks:
    """The blocks of a coarser grid that the cells of a cube lie in; a cube on that grid has one cell a block."""
    if cube.grid.token == token:
        size = cube.index.size
        return Blocks(cube.lat, cube.lon, np.arange(size), np.ones(size), global_index(cube.grid, cube.index))
    row, column = global_grid(token).locate(cube.lat, cube.lon)
    index, block = np.unique(row * global_grid(token).shape[1] + column, return_inverse=True)
    area = cube.grid.cell_areas()[cube.index // cube.grid.shape[1]]
    return make_blocks(cube.lat, cube.lon, block.reshape(-1).astype(np.int64), area, index)
