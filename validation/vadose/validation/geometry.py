"""The horizontal grid of a product, and which of its cells a point lies in or near."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

EARTH_RADIUS_KM = 6371.0072


def distance_km(lat1: npt.ArrayLike, lon1: npt.ArrayLike, lat2: npt.ArrayLike, lon2: npt.ArrayLike) -> Floats:
    """Great-circle distance on a sphere of the Earth's authalic radius, by the haversine formula."""
    a, b, c, d = (np.deg2rad(np.asarray(value, float)) for value in (lat1, lon1, lat2, lon2))
    half = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


def edges(centres: Floats) -> Floats:
    """Cell edges half-way between centres, extended by half a step at both ends."""
    if centres.size == 1:
        return np.array([np.nan, np.nan])
    middle = (centres[:-1] + centres[1:]) / 2.0
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


@dataclass(frozen=True)
class Geometry:
    """A grid whose rows are parallels and whose columns are meridians, in any direction and longitude convention.

    Attributes
    ----------
    lat, lon
        Centres of rows and columns in degrees.
    lat_edges, lon_edges
        One more than centres.
    """

    lat: Floats
    lon: Floats
    lat_edges: Floats
    lon_edges: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.lat.size, self.lon.size

    @cached_property
    def wraps(self) -> bool:
        """Whether the last column touches the first."""
        return bool(abs(abs(self.lon_edges[-1] - self.lon_edges[0]) - 360.0) < 1e-3)

    def containing(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[Integers, Integers]:
        """Row and column of the cell that contains each point; -1 outside the grid.

        A point on a northern or western edge belongs to the cell south or east of it.
        """
        lat, lon = np.atleast_1d(np.asarray(lat, float)), np.atleast_1d(np.asarray(lon, float))
        row = _inside(-self.lat_edges, -lat)
        west = min(self.lon_edges[0], self.lon_edges[-1])
        column = _inside(self.lon_edges, (lon - west) % 360.0 + west)
        return np.where(column < 0, -1, row), np.where(row < 0, -1, column)

    def size_km(self, row: npt.ArrayLike, column: npt.ArrayLike) -> Floats:
        """Side of a square with the area of the cell."""
        row, column = np.asarray(row), np.asarray(column)
        band = np.abs(np.diff(np.sin(np.deg2rad(np.clip(self.lat_edges, -90, 90)))))[row]
        width = np.deg2rad(np.abs(np.diff(self.lon_edges)))[column]
        return np.asarray(EARTH_RADIUS_KM * np.sqrt(band * width))

    def nearby(self, lat: float, lon: float) -> tuple[Integers, Integers, Floats]:
        """Cells whose centre lies within one cell size of a point, nearest first: rows, columns, distances in km.

        Points outside the grid by less than a cell size count too.
        """
        row = int(np.abs(self.lat - lat).argmin())
        column = int(np.abs((self.lon - lon + 180.0) % 360.0 - 180.0).argmin())
        # Three columns to each side: near the poles a cell is narrower than it is high.
        rows = np.arange(max(row - 2, 0), min(row + 3, self.lat.size))
        columns = np.arange(column - 3, column + 4)
        columns = (
            np.unique(columns % self.lon.size) if self.wraps else columns[(columns >= 0) & (columns < self.lon.size)]
        )
        row_of, column_of = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
        apart = distance_km(lat, lon, self.lat[row_of], self.lon[column_of])
        near = apart <= self.size_km(row_of, column_of)
        order = np.argsort(apart[near], kind="stable")
        return row_of[near][order], column_of[near][order], apart[near][order]


def _inside(ascending_or_not: Floats, values: Floats) -> Integers:
    """Position of the interval [edge, next edge) that holds each value; -1 outside."""
    descending = ascending_or_not[0] > ascending_or_not[-1]
    bounds = ascending_or_not[::-1] if descending else ascending_or_not
    position = np.searchsorted(bounds, values, side="right") - 1
    position = np.where((values < bounds[0]) | (values >= bounds[-1]), -1, position)
    count = bounds.size - 1
    return np.asarray(np.where(position < 0, -1, count - 1 - position if descending else position), np.int64)
