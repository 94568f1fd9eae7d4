"""Simple kriging of residuals with known mean 0: at points, from areas to points, and with blocks corrected.

All cells of a block share the 32 data nearest to it, so that one small system is solved a block, and the weights
depend on no value: they are kept and used for every day with the same data. Where the data are block means
(`area-to-point`; Kyriakidis 2004, doi 10.1111/j.1538-4632.2004.tb01135.x) their covariances are means over the cells,
and the block means of what comes out are the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from vadose.producer.methods.blocks import Blocks
from vadose.producer.methods.variogram import EARTH_KM, FEWEST_POINTS, Variogram, unit_vectors

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Kind = Literal["area-to-point", "kriging"]
NEIGHBOURS = 32
# A block is represented by at most so many of its cells where it is not the one that is kriged.
SAMPLE = 25
# Part of the variance added to the diagonal, so that data at one place can be solved for.
_JITTER = 1e-10


@dataclass(frozen=True)
class Weights:
    """Kriging weights of all cells for one set of data and one variogram.

    Attributes
    ----------
    blocks
        Cells and the blocks whose neighbours they share.
    neighbours
        Data of each block, (block, neighbour).
    values
        Weights of the cells in the order of `blocks.order`, (cell, neighbour).
    variance
        Kriging variance, (cell,).
    """

    blocks: Blocks
    neighbours: Integers
    values: Floats
    variance: Floats

    def apply(self, data: npt.NDArray[np.floating]) -> Floats:
        """Kriged values, (time, data) to (time, cell); the data must be those that the weights are for."""
        series = np.ascontiguousarray(data.T, np.float32)
        out = np.empty((self.values.shape[0], series.shape[1]), np.float32)
        _apply(self.values, self.neighbours, self.blocks.starts, series, out)
        placed = np.empty((out.shape[1], out.shape[0]), np.float32)
        placed[:, self.blocks.order] = out.T
        return placed


@dataclass(frozen=True)
class Kriging:
    """Residuals of blocks, kriged to their cells.

    Attributes
    ----------
    blocks
        Cells and blocks.
    kind
        `kriging`: the residual of a block stands at its centre; `area-to-point`: it is the mean over its cells.
    neighbours
        Number of data in each system.
    """

    blocks: Blocks
    kind: Kind = "area-to-point"
    neighbours: int = NEIGHBOURS

    @cached_property
    def centres(self) -> Doubles:
        """Centre of each block as a unit vector, (block, 3)."""
        mean = [self.blocks.centre(part) for part in unit_vectors(self.blocks.lat, self.blocks.lon).T]
        vector = np.stack(mean, axis=-1)
        return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True))

    def weights(self, variogram: Variogram, valid: Mask | None = None) -> Weights:
        """Weights for the blocks that have a residual, all by default.

        Raises
        ------
        ValueError
            Where no block has a residual.
        """
        there = np.arange(self.blocks.count) if valid is None else np.flatnonzero(valid)
        if not there.size:
            raise ValueError("no block has a residual")
        near = cKDTree(self.centres[there]).query(self.centres, k=min(self.neighbours, there.size))[1]
        neighbours = np.sort(there[near.reshape(self.blocks.count, -1)], axis=1)
        order = self.blocks.order
        cells = unit_vectors(self.blocks.lat[order], self.blocks.lon[order])
        model = np.array([variogram.nugget, variogram.sill, variogram.range_km])
        if self.kind == "kriging":
            values, variance = _point_weights(cells, self.blocks.starts, self.centres, neighbours, model)
        else:
            area = self.blocks.area[order]
            sample, share, begins = self._sample(cells, area)
            values, variance = _area_weights(cells, area, self.blocks.starts, sample, share, begins, neighbours, model)
        placed = np.empty_like(variance)
        placed[order] = variance
        return Weights(self.blocks, neighbours, values, placed)

    def _sample(self, cells: Doubles, area: Doubles) -> tuple[Doubles, Doubles, Integers]:
        """Cells that stand for each block, with their shares."""
        starts = self.blocks.starts
        chosen = [begin + _spread(cells[begin:end]) for begin, end in pairwise(starts)]
        begins = np.concatenate([[0], np.cumsum([one.size for one in chosen])]).astype(np.int64)
        taken = np.concatenate(chosen)
        share = area[taken]
        total = np.add.reduceat(share, begins[:-1])
        return cells[taken], share / np.repeat(total, np.diff(begins)), begins


def _spread(cells: Doubles) -> Integers:
    """Positions of all cells of a block, or of `SAMPLE` that lie evenly: nearest to the middles of a 5 x 5 lattice."""
    if len(cells) <= SAMPLE:
        return np.arange(len(cells))
    side = round(np.sqrt(SAMPLE))
    east = np.arctan2(cells[:, 1], cells[:, 0])
    north = np.arcsin(cells[:, 2])
    share = (np.arange(side) + 0.5) / side
    at = [low + share * (high - low) for low, high in ((north.min(), north.max()), (east.min(), east.max()))]
    lattice = np.stack(np.meshgrid(*at, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.unique(cKDTree(np.stack([north, east], axis=-1)).query(lattice)[1])


def scattered(lat: npt.ArrayLike, lon: npt.ArrayLike, to_lat: npt.ArrayLike, to_lon: npt.ArrayLike) -> Blocks:
    """Places to krige to, each in the "block" of the datum nearest to it; use with `point_weights`."""
    data = unit_vectors(lat, lon)
    north, east = np.asarray(to_lat, np.float64), np.asarray(to_lon, np.float64)
    block = cKDTree(data).query(unit_vectors(north, east))[1].astype(np.int64)
    return Blocks(north, east, block, np.ones(block.size), np.arange(len(data)))


def point_weights(
    lat: npt.ArrayLike, lon: npt.ArrayLike, places: Blocks, variogram: Variogram, neighbours: int = NEIGHBOURS
) -> Weights:
    """Weights of point data at given places; each place takes the data nearest to the datum that is nearest to it.

    Parameters
    ----------
    lat, lon
        Of the data, degrees, (point,).
    places
        From `scattered`.
    """
    data = unit_vectors(lat, lon)
    near = cKDTree(data).query(data, k=min(neighbours, len(data)))[1].reshape(len(data), -1)
    cells = unit_vectors(places.lat[places.order], places.lon[places.order])
    model = np.array([variogram.nugget, variogram.sill, variogram.range_km])
    chosen = np.sort(near, axis=1).astype(np.int64)
    values, variance = _point_weights(cells, places.starts, data, chosen, model)
    placed = np.empty_like(variance)
    placed[places.order] = variance
    return Weights(places, chosen, values, placed)


def corrected(values: Floats, residuals: npt.NDArray[np.floating], blocks: Blocks) -> Floats:
    """Values with the right block means: to each cell the residual of its block less the mean of the values there.

    (time, cell) from (time, cell) and (time, block); blocks without a residual are left alone.
    """
    lacking = np.nan_to_num(residuals - blocks.mean(values))
    return np.asarray(values + lacking[:, blocks.block].astype(np.float32))


def bilinear(residuals: npt.NDArray[np.floating], blocks: Blocks, shape: tuple[int, int], step: Doubles) -> Floats:
    """Residuals of blocks between their centres, (time, block) to (time, cell).

    Parameters
    ----------
    residuals
        (time, block); NaN = missing: the others of the four corners count, and none gives 0.
    shape
        Rows and columns of the whole coarse grid.
    step
        Place of each cell in rows and columns of that grid, (cell, 2), a whole number at the centre of a block.
    """
    position = np.full(shape[0] * shape[1], -1, np.int64)
    position[blocks.index] = np.arange(blocks.count)
    valid = np.isfinite(residuals)
    filled = np.where(valid, residuals, 0.0)
    corner = np.floor(step).astype(np.int64)
    total, weight = (np.zeros((residuals.shape[0], blocks.lat.size)) for _ in range(2))
    for down in (0, 1):
        for right in (0, 1):
            row, column = corner[:, 0] + down, (corner[:, 1] + right) % shape[1]
            share = np.abs(1 - down - (step[:, 0] - corner[:, 0])) * np.abs(1 - right - (step[:, 1] - corner[:, 1]))
            at = np.where(
                (row >= 0) & (row < shape[0]), position[np.clip(row, 0, shape[0] - 1) * shape[1] + column], -1
            )
            used = np.where(at >= 0, share, 0.0) * valid[:, np.maximum(at, 0)]
            total += used * filled[:, np.maximum(at, 0)]
            weight += used
    return np.asarray(np.where(weight > 0, total / np.maximum(weight, 1e-12), 0.0), np.float32)


def enough(valid: Mask) -> bool:
    """Whether there are residuals enough for a variogram."""
    return int(valid.sum()) >= FEWEST_POINTS


@numba.njit(cache=True, nogil=True, inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _covariance(one: Any, other: Any, sill: float, rate: float) -> float:
    """Exponential covariance of two unit vectors; `rate` is 3 over the range, times the diameter of the Earth."""
    x, y, z = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    square = 0.25 * (x * x + y * y + z * z)
    half = np.sqrt(square)
    # The series of the arcsine is exact to 1e-11 up to 0.05, that is 640 km.
    arc = half * (
        1.0 + square * (1.0 / 6.0 + square * (0.075 + square * (0.044642857142857144 + square * 0.030381944)))
    )
    if half > 0.05:
        arc = np.arcsin(min(half, 1.0))
    return float(sill * np.exp(-rate * arc))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _solved(system: Any, right: Any, values: Any, variance: Any, begin: int, total: float) -> None:
    """Weights and variance of the cells of one block."""
    weights = np.dot(right, np.linalg.inv(system))
    for m in range(right.shape[0]):
        explained = 0.0
        for i in range(right.shape[1]):
            values[begin + m, i] = weights[m, i]
            explained += weights[m, i] * right[m, i]
        variance[begin + m] = max(total - explained, 0.0)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _point_weights(cells: Any, starts: Any, data: Any, neighbours: Any, model: Any) -> Any:
    nugget, sill, rate = model[0], model[1], 6.0 * EARTH_KM / model[2]
    count = neighbours.shape[1]
    values = np.empty((cells.shape[0], count), np.float32)
    variance = np.empty(cells.shape[0], np.float32)
    system = np.empty((count, count))
    for b in range(neighbours.shape[0]):
        begin, end = starts[b], starts[b + 1]
        if begin == end:
            continue
        for i in range(count):
            for j in range(i):
                system[i, j] = system[j, i] = _covariance(data[neighbours[b, i]], data[neighbours[b, j]], sill, rate)
            system[i, i] = sill + nugget + _JITTER * sill
        right = np.empty((end - begin, count))
        for m in range(end - begin):
            for i in range(count):
                right[m, i] = _covariance(cells[begin + m], data[neighbours[b, i]], sill, rate)
        _solved(system, right, values, variance, begin, sill + nugget)
    return values, variance


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _area_weights(
    cells: Any, area: Any, starts: Any, sample: Any, share: Any, begins: Any, neighbours: Any, model: Any
) -> Any:
    """Covariances of block means. The nugget is white between cells, so that it counts only within a block."""
    nugget, sill, rate = model[0], model[1], 6.0 * EARTH_KM / model[2]
    count = neighbours.shape[1]
    values = np.empty((cells.shape[0], count), np.float32)
    variance = np.empty(cells.shape[0], np.float32)
    system = np.empty((count, count))
    for b in range(neighbours.shape[0]):
        begin, end = starts[b], starts[b + 1]
        if begin == end:
            continue
        own = -1
        for i in range(count):
            one = neighbours[b, i]
            if one == b:
                own = i
            for j in range(i + 1):
                other = neighbours[b, j]
                total = 0.0
                for p in range(begins[one], begins[one + 1]):
                    for q in range(begins[other], begins[other + 1]):
                        total += share[p] * share[q] * _covariance(sample[p], sample[q], sill, rate)
                system[i, j] = system[j, i] = total
            within = 0.0
            for p in range(starts[one], starts[one + 1]):
                within += area[p] * area[p]
            system[i, i] += nugget * within + _JITTER * sill
        right = np.zeros((end - begin, count))
        for m in range(end - begin):
            for i in range(count):
                for p in range(begins[neighbours[b, i]], begins[neighbours[b, i] + 1]):
                    right[m, i] += share[p] * _covariance(cells[begin + m], sample[p], sill, rate)
            if own >= 0:
                right[m, own] += nugget * area[begin + m]
        if own >= 0:
            # The row of the block itself is the mean over its own cells: that is what conserves its mean.
            for i in range(count):
                total = 0.0
                for m in range(end - begin):
                    total += area[begin + m] * right[m, i]
                system[own, i] = system[i, own] = total
        _solved(system, right, values, variance, begin, sill + nugget)
    return values, variance


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _apply(values: Any, neighbours: Any, starts: Any, data: Any, out: Any) -> None:
    count = neighbours.shape[1]
    gathered = np.empty((count, data.shape[1]), np.float32)
    for b in range(neighbours.shape[0]):
        begin, end = starts[b], starts[b + 1]
        if begin == end:
            continue
        for i in range(count):
            gathered[i] = data[neighbours[b, i]]
        out[begin:end] = np.dot(values[begin:end], gathered)
