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
# So many times the neighbours are looked at where data are missing.
SPARE = 2
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
class Prepared:
    """Covariances of data near each block, nearest first.

    Attributes
    ----------
    blocks
        Cells and the blocks whose neighbours they share.
    near
        Data of each block, (block, candidate).
    system
        Their covariances, (block, candidate, candidate).
    right
        Covariances of the cells in the order of `blocks.order` with them, (cell, candidate).
    variogram
        The model.
    neighbours
        How many of the candidates enter.
    """

    blocks: Blocks
    near: Integers
    system: Doubles
    right: Doubles
    variogram: Variogram
    neighbours: int

    def weights(self, valid: Mask | None = None) -> Weights:
        """Weights of the nearest candidates that have a datum, (datum,); without one the mean 0 remains."""
        there = np.ones(int(self.near.max()) + 1, bool) if valid is None else valid
        total = self.variogram.sill + self.variogram.nugget
        count = min(self.neighbours, self.near.shape[1])
        chosen, values, variance = _solved(self.system, self.right, self.near, self.blocks.starts, there, count, total)
        placed = np.empty_like(variance)
        placed[self.blocks.order] = variance
        return Weights(self.blocks, chosen, values, placed)


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

    def prepare(self, variogram: Variogram, candidates: int | None = None) -> Prepared:
        """The covariances of each block's nearest blocks, from which the weights of any set of data follow.

        `candidates` is their number, that of the neighbours by default; more of them are wanted where data are missing.
        """
        wanted = min(candidates or self.neighbours, self.blocks.count)
        near = cKDTree(self.centres).query(self.centres, k=wanted)[1].reshape(self.blocks.count, -1).astype(np.int64)
        order = self.blocks.order
        cells = unit_vectors(self.blocks.lat[order], self.blocks.lon[order])
        model = np.array([variogram.nugget, variogram.sill, variogram.range_km])
        if self.kind == "kriging":
            system, right = _point_covariances(cells, self.blocks.starts, self.centres, near, model)
        else:
            area = self.blocks.area[order]
            sample, share, begins = self._sample(cells, area)
            system, right = _area_covariances(cells, area, self.blocks.starts, sample, share, begins, near, model)
        return Prepared(self.blocks, near, system, right, variogram, self.neighbours)

    def weights(self, variogram: Variogram, valid: Mask | None = None) -> Weights:
        """Weights for the blocks that have a residual, all by default."""
        missing = valid is not None and not valid.all()
        return self.prepare(variogram, SPARE * self.neighbours if missing else None).weights(valid)

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
    near = cKDTree(data).query(data, k=min(neighbours, len(data)))[1].reshape(len(data), -1).astype(np.int64)
    cells = unit_vectors(places.lat[places.order], places.lon[places.order])
    model = np.array([variogram.nugget, variogram.sill, variogram.range_km])
    system, right = _point_covariances(cells, places.starts, data, near, model)
    return Prepared(places, near, system, right, variogram, neighbours).weights()


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
def _solved(system: Any, right: Any, near: Any, starts: Any, valid: Any, count: int, total: float) -> Any:
    """Neighbours of each block, weights and variances of its cells; unused places have weight 0."""
    blocks = near.shape[0]
    chosen = np.zeros((blocks, count), np.int64)
    values = np.zeros((right.shape[0], count), np.float32)
    variance = np.full(right.shape[0], total, np.float32)
    place = np.empty(count, np.int64)
    for b in range(blocks):
        begin, end = starts[b], starts[b + 1]
        used = 0
        for k in range(near.shape[1]):
            if used < count and valid[near[b, k]]:
                place[used] = k
                chosen[b, used] = near[b, k]
                used += 1
        if begin == end or used == 0:
            continue
        own = np.empty((used, used))
        for i in range(used):
            for j in range(used):
                own[i, j] = system[b, place[i], place[j]]
        part = np.empty((end - begin, used))
        for m in range(end - begin):
            for i in range(used):
                part[m, i] = right[begin + m, place[i]]
        weights = np.dot(part, np.linalg.inv(own))
        for m in range(end - begin):
            explained = 0.0
            for i in range(used):
                values[begin + m, i] = weights[m, i]
                explained += weights[m, i] * part[m, i]
            variance[begin + m] = max(total - explained, 0.0)
    return chosen, values, variance


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _point_covariances(cells: Any, starts: Any, data: Any, near: Any, model: Any) -> Any:
    nugget, sill, rate = model[0], model[1], 6.0 * EARTH_KM / model[2]
    count = near.shape[1]
    system = np.empty((near.shape[0], count, count))
    right = np.empty((cells.shape[0], count))
    for b in range(near.shape[0]):
        if starts[b] == starts[b + 1]:
            continue
        for i in range(count):
            for j in range(i):
                system[b, i, j] = system[b, j, i] = _covariance(data[near[b, i]], data[near[b, j]], sill, rate)
            system[b, i, i] = sill + nugget + _JITTER * sill
        for m in range(starts[b], starts[b + 1]):
            for i in range(count):
                right[m, i] = _covariance(cells[m], data[near[b, i]], sill, rate)
    return system, right


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _area_covariances(
    cells: Any, area: Any, starts: Any, sample: Any, share: Any, begins: Any, near: Any, model: Any
) -> Any:
    """Covariances of block means. The nugget is white between cells, so that it counts only within a block."""
    nugget, sill, rate = model[0], model[1], 6.0 * EARTH_KM / model[2]
    count = near.shape[1]
    system = np.empty((near.shape[0], count, count))
    right = np.zeros((cells.shape[0], count))
    for b in range(near.shape[0]):
        own = 0
        for i in range(count):
            one = near[b, i]
            own = i if one == b else own
            for j in range(i + 1):
                total = 0.0
                for p in range(begins[one], begins[one + 1]):
                    for q in range(begins[near[b, j]], begins[near[b, j] + 1]):
                        total += share[p] * share[q] * _covariance(sample[p], sample[q], sill, rate)
                system[b, i, j] = system[b, j, i] = total
            within = 0.0
            for p in range(starts[one], starts[one + 1]):
                within += area[p] * area[p]
            system[b, i, i] += nugget * within + _JITTER * sill
        for m in range(starts[b], starts[b + 1]):
            for i in range(count):
                for p in range(begins[near[b, i]], begins[near[b, i] + 1]):
                    right[m, i] += share[p] * _covariance(cells[m], sample[p], sill, rate)
            right[m, own] += nugget * area[m]
        # The row of the block itself is the mean over its own cells: that is what conserves its mean.
        for i in range(count):
            total = 0.0
            for m in range(starts[b], starts[b + 1]):
                total += area[m] * right[m, i]
            system[b, own, i] = system[b, i, own] = total
    return system, right


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
