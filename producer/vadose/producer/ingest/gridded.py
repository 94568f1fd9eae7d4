"""Daily fields on a rectilinear grid, brought to the cells of a cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from vadose.common import InputError, Progress
from vadose.producer.cube import CHUNK_DAYS, CubeWriter, Days, new_cube
from vadose.producer.grids import Grid, global_grid, overlap_weights, regrid
from vadose.producer.ingest.base import Order
from vadose.producer.ingest.native import Floats, Funnel, check_not_empty, record
from vadose.producer.vocabulary import variable

Cells = npt.NDArray[np.int64]
CENTRE_TOLERANCE = 0.02  # of a step


@dataclass(frozen=True)
class Lattice:
    """The cells of native files: rows from the north, columns from the west, whatever the order in the file.

    `rows` and `columns` are the positions of each row and column in the file.
    """

    lat_edges: npt.NDArray[np.float64]
    lon_edges: npt.NDArray[np.float64]
    rows: Cells
    columns: Cells

    @staticmethod
    def of_grid(grid: Grid) -> Lattice:
        """The lattice of a grid of ours, stored from the north-west."""
        return Lattice(grid.lat_edges, grid.lon_edges, np.arange(grid.shape[0]), np.arange(grid.shape[1]))

    @staticmethod
    def of_centres(lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64], where: str) -> Lattice:
        """The lattice of coordinate vectors in any order, longitudes -180..180 or 0..360; edges lie halfway."""
        wrapped = np.round((lon + 180.0) % 360.0 - 180.0, 6)
        rows, columns = np.argsort(-lat, kind="stable"), np.argsort(wrapped, kind="stable")
        lat, lon = lat[rows], wrapped[columns]
        if min(lat.size, lon.size) < 2 or (np.diff(lat) >= 0).any() or (np.diff(lon) <= 0).any():
            raise InputError("latitudes and longitudes must be unique, and at least two of each", where=where)
        return Lattice(np.clip(_edges(lat), -90.0, 90.0), _edges(lon), rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.size, self.columns.size

    @property
    def lat(self) -> npt.NDArray[np.float64]:
        """Middle of the rows, north to south."""
        return (self.lat_edges[:-1] + self.lat_edges[1:]) / 2

    @property
    def lon(self) -> npt.NDArray[np.float64]:
        """Middle of the columns, west to east."""
        return (self.lon_edges[:-1] + self.lon_edges[1:]) / 2

    @property
    def step(self) -> float:
        """Width of a cell in degrees of longitude."""
        return float(np.median(np.diff(self.lon_edges)))

    def in_file(self, cells: Cells) -> Cells:
        """Flat position in the file's own array of lattice cells."""
        width = self.columns.size
        flat: Cells = self.rows[cells // width] * width + self.columns[cells % width]
        return flat


def _edges(centres: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    middle = (centres[:-1] + centres[1:]) / 2
    return np.concatenate([[centres[0] - (middle[0] - centres[0])], middle, [2 * centres[-1] - middle[-1]]])


class Source(Protocol):
    """Native files of one provider, day by day."""

    @property
    def lattice(self) -> Lattice:
        """Where the cells lie."""
        ...

    @property
    def grid(self) -> Grid | None:
        """The smallest grid of ours for the files, or None where their step is not one of ours."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Variables of the vocabulary that are read."""
        ...

    @property
    def days(self) -> Days:
        """UTC days with values, ascending."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """All files that are read."""
        ...

    def land(self, cells: Cells) -> npt.NDArray[np.bool_]:
        """Which lattice cells belong into a cube."""
        ...

    def read(self, day: np.datetime64, cells: Cells) -> Mapping[str, tuple[Floats, Funnel]]:
        """Values of a day in lattice cells, (cell,), and what became of them."""
        ...

    def attributes(self, name: str) -> Mapping[str, Any]:
        """Attributes that the variable gets in the cube beyond those of the vocabulary."""
        ...


@dataclass(frozen=True)
class Placement:
    """How lattice cells become cells of a grid.

    Where both have the same cells these are copied. To coarser cells go area-weighted means; to finer ones the
    lattice cell that holds the centre for soil moisture, and bilinear interpolation for everything else.
    """

    lattice: Lattice
    grid: Grid

    @cached_property
    def holds(self) -> tuple[Cells, Cells]:
        """Row and column of the lattice cell that holds the centre of each grid row and column; -1 where none."""
        return (
            _interval(-self.lattice.lat_edges, -self.grid.lat),
            _interval(self.lattice.lon_edges, self.grid.lon, turn=360.0),
        )

    @cached_property
    def is_same(self) -> bool:
        """Whether grid cells are lattice cells."""
        rows, columns = self.holds
        step = self.lattice.step
        if abs(float(np.diff(self.grid.lon_edges)[0]) - step) > CENTRE_TOLERANCE * step:
            return False
        inside = rows >= 0, columns >= 0
        off_lat = np.abs(self.lattice.lat[rows[inside[0]]] - self.grid.lat[inside[0]])
        off_lon = np.abs((self.lattice.lon[columns[inside[1]]] - self.grid.lon[inside[1]] + 180) % 360 - 180)
        return bool(max(off_lat.max(initial=0.0), off_lon.max(initial=0.0)) < CENTRE_TOLERANCE * step)

    @property
    def is_finer(self) -> bool:
        """Whether grid cells are clearly smaller than lattice cells."""
        return float(np.diff(self.grid.lon_edges)[0]) < 0.9 * self.lattice.step

    def weights(self, *, smooth: bool) -> sp.csr_matrix:
        """Weights (grid cells, lattice cells) for `regrid`; `smooth` where values may be interpolated."""
        if not self.is_same and not self.is_finer:
            lattice, grid = self.lattice, self.grid
            return overlap_weights(lattice.lat_edges, lattice.lon_edges, grid.lat_edges, grid.lon_edges)
        if self.is_same or not smooth:
            rows, columns = (_selection(held, size) for held, size in zip(self.holds, self.lattice.shape, strict=True))
        else:
            rows = _linear(-self.lattice.lat, -self.grid.lat, self.holds[0])
            columns = _linear(self.lattice.lon, self.grid.lon, self.holds[1])
        return sp.kron(rows, columns, format="csr")


def _interval(edges: npt.NDArray[np.float64], points: npt.NDArray[np.float64], turn: float = 0.0) -> Cells:
    """Index of the interval between ascending edges that holds each point or a turn of it; -1 where none does."""
    found = np.full(points.shape, -1, np.int64)
    for shift in {-turn, 0.0, turn}:
        index = np.searchsorted(edges, points + shift, side="right") - 1
        inside = (index >= 0) & (index < edges.size - 1) & (found < 0)
        found[inside] = index[inside]
    return found


def _selection(held: Cells, size: int) -> sp.csr_matrix:
    target = np.flatnonzero(held >= 0)
    return sp.csr_matrix((np.ones(target.size), (target, held[target])), shape=(held.size, size))


def _linear(centres: npt.NDArray[np.float64], points: npt.NDArray[np.float64], held: Cells) -> sp.csr_matrix:
    """Linear interpolation between ascending centres, constant beyond the outermost; no row where `held` is -1."""
    target = np.flatnonzero(held >= 0)
    near = centres[held[target]]
    offset = (points[target] - near + 180.0) % 360.0 - 180.0
    other = np.clip(held[target] + np.where(offset < 0, -1, 1), 0, centres.size - 1)
    gap = np.abs(centres[other] - near)
    share = np.where(gap > 0, np.abs(offset) / np.where(gap > 0, gap, 1.0), 0.0)
    values = np.concatenate([1.0 - share, share])
    where = np.concatenate([target, target]), np.concatenate([held[target], other])
    return sp.csr_matrix((values, where), shape=(held.size, centres.size))


@dataclass(frozen=True)
class _Part:
    """One source under way to the cells of a cube."""

    source: Source
    placement: Placement
    cells: Cells

    @staticmethod
    def of(source: Source, grid: Grid) -> _Part:
        placement = Placement(source.lattice, grid)
        used = np.flatnonzero(placement.weights(smooth=True).getnnz(axis=0)).astype(np.int64)
        if used.size == 0:
            raise InputError(
                f"the files do not reach into the window of {grid.token}",
                where=str(source.files[0]),
                next="choose another box or other files",
            )
        return _Part(source, placement, used)

    def land(self) -> npt.NDArray[np.bool_]:
        inside = np.where(self.source.land(self.cells), np.float32(1), np.float32(np.nan))
        return np.isfinite(regrid(self.placement.weights(smooth=False)[:, self.cells], inside))

    def weights(self, index: Cells) -> dict[str, sp.csr_matrix]:
        kinds = {smooth: self.placement.weights(smooth=smooth)[index][:, self.cells] for smooth in (False, True)}
        return {name: kinds[variable(name).units != "m3 m-3"] for name in self.source.names}


def write_cube(sources: Sequence[tuple[Source, Order]], progress: Progress) -> None:
    """Bring one or more sources to the grid of the (first) order and write its cube.

    The cells are those that any source counts as land; days run without gap from the first to the last that any
    source has, inside the order's days. Memory: `CHUNK_DAYS` days of all variables of all cells.

    Raises
    ------
    InputError
        Where a required variable has no value, or no source gives it, or two sources give the same.
    """
    order = sources[0][1]
    grid = order.window(order.grid or _own_grid(sources[0][0]))
    parts = [_Part.of(source, grid) for source, _ in sources]
    _check_names(parts, order)
    index = np.flatnonzero(np.logical_or.reduce([part.land() for part in parts]))
    if index.size == 0:
        raise InputError("no cell with a value", where=str(order.files[0]), next="choose another box or other days")
    first = min(part.source.days[0] for part in parts)
    last = max(part.source.days[-1] for part in parts)
    days = np.arange(first, last + 1)
    with new_cube(order.cube, grid, index, days, title=order.title) as writer:
        _write_values(writer, parts, index, days, order, progress)
        for source, own in sources:
            for path in source.files:
                record(writer, path, own.origin, roots=own.files)


def _own_grid(source: Source) -> Grid:
    if source.grid is None:
        raise InputError(
            f"a step of {source.lattice.step:g} degrees is none of our grids",
            where=str(source.files[0]),
            next="choose a grid with --grid, such as 0P25DEG or EASE2M36",
        )
    return source.grid


def _check_names(parts: Sequence[_Part], order: Order) -> None:
    given = [name for part in parts for name in part.source.names]
    for name in given:
        if given.count(name) > 1:
            raise InputError(f"two inputs give {name}", where=str(order.cube), next="leave it out of one of them")
    check_given(given, order)


def check_given(given: Sequence[str], order: Order) -> None:
    """Refuse an order whose required variables no input gives."""
    for name in order.required:
        if name not in given:
            raise InputError(
                f"no input gives {name}; they give {', '.join(given)}",
                where=", ".join(map(str, order.files)),
                next="add an input that holds it, or leave it out of the recipe's predictors",
            )


def _write_values(
    writer: CubeWriter, parts: Sequence[_Part], index: Cells, days: Days, order: Order, progress: Progress
) -> None:
    arrays = {
        name: writer.declare(name, attributes=dict(part.source.attributes(name)))
        for part in parts
        for name in part.source.names
    }
    weights = [part.weights(index) for part in parts]
    totals = {name: Funnel() for name in arrays}
    with progress.step("reading days", days.size) as step:
        for start in range(0, days.size, CHUNK_DAYS):
            slab = days[start : start + CHUNK_DAYS]
            buffers = {name: np.full((slab.size, index.size), np.nan, np.float32) for name in arrays}
            for position, day in enumerate(slab):
                for part, matrices in zip(parts, weights, strict=True):
                    for name, (values, funnel) in part.source.read(day, part.cells).items():
                        buffers[name][position] = regrid(matrices[name], values)
                        totals[name] += funnel
                step.advance(1, str(day))
            for name, buffer in buffers.items():
                arrays[name][start : start + slab.size] = buffer
    for name, funnel in totals.items():
        check_not_empty(name, funnel, order.required or tuple(arrays), str(order.files[0]))
        writer.count(name, **vars(funnel))


def covering_grid(lattice: Lattice) -> Grid | None:
    """The smallest window of a latitude-longitude grid of ours that covers a lattice of the same step."""
    step = round(lattice.step, 2)
    turn = round(360.0 / step) * step if step > 0 else 0.0
    if abs(turn - 360.0) > 1e-6 or abs(step - lattice.step) > CENTRE_TOLERANCE * lattice.step:
        return None
    token = f"{step:.2f}".replace(".", "P") + "DEG"
    whole = global_grid(token)
    tiny = 1e-6 * lattice.step
    row0 = int(np.searchsorted(-whole.lat_edges, -lattice.lat_edges[0] + tiny, side="right") - 1)
    row1 = int(np.searchsorted(-whole.lat_edges, -lattice.lat_edges[-1] - tiny, side="left"))
    col0 = max(int(np.searchsorted(whole.lon_edges, lattice.lon_edges[0] + tiny, side="right") - 1), 0)
    col1 = min(int(np.searchsorted(whole.lon_edges, lattice.lon_edges[-1] - tiny, side="left")), whole.shape[1])
    return Grid(token, max(row0, 0), min(row1, whole.shape[0]), col0, col1)
