"""Which cell of a product each station meets, and which stations share their weather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from vadose.validation.geometry import AnyGeometry, Geometry, distance_km
from vadose.validation.products import Product
from vadose.validation.references import Reference
from vadose.validation.regridding import overlapped

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

SMALLEST_CLUSTER_DEGREES = 0.25
CELL_CLUSTER_DEGREES = 5.0


class Located(Protocol):
    """A reference of which only the places are asked: its values may not be read yet."""

    @property
    def kind(self) -> str:
        """`stations` or `cells`."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each station."""


@dataclass(frozen=True)
class Placed:
    """Where each station met a product: row and column of its grid (-1: no_cell) and the distance in km."""

    row: Integers
    column: Integers
    distance_km: npt.NDArray[np.float64]
    contains: npt.NDArray[np.bool_]


def candidate_cells(reference: Reference, product: Product) -> Integers:
    """Flat index of every cell of a product that some station may meet, ascending."""
    return np.unique(_candidates(reference, product).cells)


@dataclass(frozen=True)
class CellsTaken:
    """Which of the cells that were read each station takes.

    Attributes
    ----------
    index
        Position of the one cell, -1 for none, (station,).
    placed
        Where that is.
    mixed
        A weight for each station and cell where some footprint is larger than a cell, else None.
    """

    index: Integers
    placed: Placed
    mixed: scipy.sparse.csr_array | None


def cells_taken(reference: Reference, product: Product, cells: Integers, filled: Booleans) -> CellsTaken:
    """Give every station the first cell with values among those that it may meet.

    Parameters
    ----------
    reference, product
        Stations, and the product that they meet.
    cells
        Flat indices of the cells that were read, ascending; they hold all of `candidate_cells`.
    filled
        Whether each of them has a value at all, (cell,).
    """
    found = _candidates(reference, product)
    count = len(reference.table)
    index, distance = np.full(count, -1, np.int64), np.full(count, np.nan)
    position = np.searchsorted(cells, found.cells)
    if found.cells.size:
        usable = filled[np.minimum(position, max(filled.size - 1, 0))] if filled.size else np.zeros(position.size, bool)
        # Pairs are in order of preference, so the first usable one of each station is the one to take.
        station, first = np.unique(found.station[usable], return_index=True)
        index[station] = position[usable][first]
        distance[station] = found.distance_km[usable][first]
    flat = np.where(index >= 0, cells[np.maximum(index, 0)], -1) if cells.size else index
    columns = product.geometry.shape[1]
    placed = Placed(
        np.where(flat >= 0, flat // columns, -1), np.where(flat >= 0, flat % columns, -1), distance,
        (flat >= 0) & (flat == found.own),
    )  # fmt: skip
    return CellsTaken(index, placed, _mixing(found, position, index, cells.size))


def _mixing(found: _Candidates, position: Integers, index: Integers, cells: int) -> scipy.sparse.csr_array | None:
    """Weights of cells for each station where a footprint covers several; stations of one cell take that one."""
    if not (found.weight > 0).any():
        return None
    wide = found.weight > 0
    many = np.zeros(index.size, bool)
    many[found.station[wide]] = True
    single = np.flatnonzero((index >= 0) & ~many)
    station = np.concatenate([found.station[wide], single])
    column = np.concatenate([position[wide], index[single]])
    weight = np.concatenate([found.weight[wide], np.ones(single.size)])
    return scipy.sparse.csr_array((weight.astype(np.float32), (station, column)), shape=(index.size, cells))


@dataclass(frozen=True)
class _Candidates:
    """Cells that stations may take, as a list of pairs ordered by station and then by preference.

    `weight` is 0 for cells of which the first with values is taken, else the share of the footprint, (pair,).
    """

    station: Integers
    cells: Integers
    distance_km: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    own: Integers


def _own_cells(reference: Reference, product: Product) -> Integers:
    """Flat index of the cell that contains each station, -1 outside the grid."""
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    row, column = product.geometry.containing(lat, lon)
    return np.where(row >= 0, row * product.geometry.shape[1] + column, -1)


def _candidates(reference: Reference, product: Product) -> _Candidates:
    """The containing cell first, then neighbours within one cell size; for large footprints all overlapped cells."""
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    own = _own_cells(reference, product)
    geometry = product.geometry
    if reference.kind == "cells":
        # A map is compared cell by cell: a neighbour is another cell of the same map.
        if reference.cells is not None and isinstance(geometry, Geometry) and _coarser(reference, geometry):
            station, cells, weight = overlapped(geometry, reference.cells)
            return _Candidates(station, cells, np.zeros(cells.size), weight, own)
        station = np.flatnonzero(own >= 0)
        y, x = geometry.centres(own[station])
        apart = distance_km(lat[station], lon[station], y, x)
        return _Candidates(station, own[station], apart, np.zeros(station.size), own)
    radius = np.full(lat.size, np.nan)
    if "footprint_radius" in reference.table:
        radius = reference.table["footprint_radius"].to_numpy(float) / 1000.0
    pairs: list[tuple[int, int, float, float]] = []
    for number, (y, x) in enumerate(zip(lat.tolist(), lon.tolist(), strict=True)):
        pairs += [(number, *one) for one in _near(geometry, y, x, int(own[number]), float(radius[number]))]
    columns = np.array(pairs, float).reshape(-1, 4).T
    return _Candidates(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3], own)


def _near(geometry: AnyGeometry, lat: float, lon: float, own: int, radius_km: float) -> list[tuple[int, float, float]]:
    """Flat index, distance and weight of the cells of one station."""
    row, column, apart = geometry.nearby(lat, lon)
    flat = row * geometry.shape[1] + column
    if own >= 0 and radius_km > 0.75 * float(geometry.size_km(own // geometry.shape[1], own % geometry.shape[1])):
        inside = _within(geometry, lat, lon, radius_km)
        if inside:
            return [(cell, away, 1.0 / len(inside)) for cell, away in inside]
    order = np.argsort(flat != own, kind="stable")
    return [(int(flat[one]), float(apart[one]), 0.0) for one in order]


def _within(geometry: AnyGeometry, lat: float, lon: float, radius_km: float) -> list[tuple[int, float]]:
    """Cells whose centre lies within a radius."""
    if not isinstance(geometry, Geometry):
        return []
    rows = np.flatnonzero(distance_km(lat, 0.0, geometry.lat, 0.0) <= radius_km)
    columns = np.flatnonzero(
        distance_km(lat, lon, lat, geometry.lon) <= 1.5 * radius_km
    )  # fmt: skip
    row, column = (one.ravel() for one in np.meshgrid(rows, columns, indexing="ij"))
    apart = distance_km(lat, lon, geometry.lat[row], geometry.lon[column])
    near = apart <= radius_km
    return list(zip((row * geometry.shape[1] + column)[near].tolist(), apart[near].tolist(), strict=True))


def _coarser(reference: Reference, geometry: Geometry) -> bool:
    """Whether cells of a gridded reference are clearly larger than those of a product."""
    assert reference.cells is not None
    return float(np.median(reference.cells[:, 1] - reference.cells[:, 0])) > 1.3 * geometry.step_degrees


def cell_area_km2(product: Product, placed: Placed) -> npt.NDArray[np.float64]:
    """Area of the cell that each station took; NaN without one."""
    side = product.geometry.size_km(np.maximum(placed.row, 0), np.maximum(placed.column, 0))
    return np.where(placed.row >= 0, side**2, np.nan)


def clusters(reference: Located, products: Sequence[Product]) -> npt.NDArray[np.int64]:
    """Cluster number of each station: one cell of the coarsest grid, at least 0.25 degree.

    Cells of a gridded reference form clusters of 5 degrees: neighbours share weather and training.
    """
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    step = CELL_CLUSTER_DEGREES
    if reference.kind == "stations":
        steps = [product.geometry.step_degrees for product in products]
        step = max(SMALLEST_CLUSTER_DEGREES, *steps)
    block = np.floor((lat + 90.0) / step) * 10**6 + np.floor((lon + 180.0) / step)
    return np.unique(block, return_inverse=True)[1].astype(np.int64)
