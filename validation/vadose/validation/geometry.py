"""Where the values of a product are: on a grid of parallels and meridians, or at scattered points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

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

    @property
    def step_degrees(self) -> float:
        """Height of the highest row."""
        return float(np.nanmax(np.abs(np.diff(self.lat_edges))))

    def centres(self, flat: Integers) -> tuple[Floats, Floats]:
        """Latitude and longitude, -180..180, of cells given by flat index in C order."""
        lon = self.lon[flat % self.lon.size]
        return self.lat[flat // self.lon.size], np.where(lon > 180.0, lon - 360.0, lon)

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


@dataclass(frozen=True)
class Points:
    """Scattered points, or a grid whose rows are no parallels: a place belongs to the nearest point.

    Attributes
    ----------
    lat, lon
        Of every point, flat; NaN or impossible values are points without a place, never met.
    shape
        Shape of the points in the file; the second number is the row length of a flat index.
    reach_km
        Side of the cell that a point stands for: a place belongs to the nearest point up to half its diagonal away.
    """

    lat: Floats
    lon: Floats
    shape: tuple[int, int]
    reach_km: float

    @classmethod
    def of(cls, lat: Floats, lon: Floats, reach_km: float | None = None) -> Points:
        """Points with the median distance to their nearest neighbours as cell size, kept within 1 to 50 km."""
        shape = (1, lat.size) if lat.ndim == 1 else (lat.shape[0], lat.shape[1])
        flat = cls(np.ravel(lat).astype(float), np.ravel(lon).astype(float), shape, reach_km or 25.0)
        if reach_km is not None or flat.placed.sum() < 2:
            return flat
        some = np.flatnonzero(flat.placed)
        some = some[:: max(some.size // 1000, 1)]
        nearest = flat._tree.query(_on_sphere(flat.lat[some], flat.lon[some]), k=[2])[0][:, 0]
        between = EARTH_RADIUS_KM * 2.0 * np.arcsin(np.minimum(nearest / 2.0, 1.0))
        return cls(flat.lat, flat.lon, shape, float(np.clip(np.median(between), 1.0, 50.0)))

    @cached_property
    def placed(self) -> Booleans:
        """Points with possible coordinates."""
        with np.errstate(invalid="ignore"):
            return np.asarray((np.abs(self.lat) <= 90.0) & (np.abs(self.lon) <= 360.0))

    @cached_property
    def _kept(self) -> Integers:
        return np.flatnonzero(self.placed)

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(_on_sphere(self.lat[self._kept], self.lon[self._kept]))

    @property
    def step_degrees(self) -> float:
        """The reach as degrees of latitude."""
        return float(np.degrees(self.reach_km / EARTH_RADIUS_KM))

    def centres(self, flat: Integers) -> tuple[Floats, Floats]:
        """Latitude and longitude, -180..180, of points given by flat index."""
        lon = self.lon[flat]
        return self.lat[flat], np.where(lon > 180.0, lon - 360.0, lon)

    def containing(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[Integers, Integers]:
        """Row and column of the nearest point of each place; -1 where it is farther than half a cell's diagonal."""
        lat, lon = np.atleast_1d(np.asarray(lat, float)), np.atleast_1d(np.asarray(lon, float))
        known = np.isfinite(lat) & np.isfinite(lon)
        apart = np.full(lat.shape, np.inf)
        index = np.zeros(lat.shape, np.int64)
        if self._kept.size and known.any():
            apart[known], index[known] = self._tree.query(_on_sphere(lat[known], lon[known]))
        hit = apart <= self.reach_km / EARTH_RADIUS_KM / np.sqrt(2.0)
        flat = np.where(hit, self._kept[np.minimum(index, max(self._kept.size - 1, 0))] if self._kept.size else 0, -1)
        return np.where(hit, flat // self.shape[1], -1), np.where(hit, flat % self.shape[1], -1)

    def size_km(self, row: npt.ArrayLike, column: npt.ArrayLike) -> Floats:
        """The reach, for every point."""
        return np.full(np.broadcast(np.asarray(row), np.asarray(column)).shape, self.reach_km)

    def nearby(self, lat: float, lon: float) -> tuple[Integers, Integers, Floats]:
        """Points within the reach of a place, nearest first: rows, columns, distances in km."""
        if not self._kept.size or not (np.isfinite(lat) and np.isfinite(lon)):
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        found = self._tree.query_ball_point(_on_sphere(np.array(lat), np.array(lon)), self.reach_km / EARTH_RADIUS_KM)
        flat = self._kept[np.asarray(found, np.int64)]
        apart = distance_km(lat, lon, self.lat[flat], self.lon[flat])
        order = np.lexsort((flat, apart))
        flat = flat[order]
        return flat // self.shape[1], flat % self.shape[1], apart[order]


AnyGeometry = Geometry | Points


def _on_sphere(lat: Floats, lon: Floats) -> Floats:
    a, b = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=-1)


def _inside(ascending_or_not: Floats, values: Floats) -> Integers:
    """Position of the interval [edge, next edge) that holds each value; -1 outside."""
    descending = ascending_or_not[0] > ascending_or_not[-1]
    bounds = ascending_or_not[::-1] if descending else ascending_or_not
    position = np.searchsorted(bounds, values, side="right") - 1
    # Written so that a missing coordinate lies outside, too.
    position = np.where((values >= bounds[0]) & (values < bounds[-1]), position, -1)
    count = bounds.size - 1
    return np.asarray(np.where(position < 0, -1, count - 1 - position if descending else position), np.int64)
