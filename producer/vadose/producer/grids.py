"""Latitude-longitude grids and EASE-Grid 2.0, their windows, and regridding with reusable sparse weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from vadose.common import UsageError

Floats = npt.NDArray[np.float64]

# WGS 84, and the standard parallel of EASE-Grid 2.0 global (EPSG:6933).
SEMI_MAJOR_AXIS_M = 6378137.0
INVERSE_FLATTENING = 298.257223563
STANDARD_PARALLEL_DEG = 30.0

# Rows, columns and cell size in metres of the EASE-Grid 2.0 global grids.
EASE2 = {
    "EASE2M36": (406, 964, 36032.220840584),
    "EASE2M09": (1624, 3856, 9008.055210146),
    "EASE2M03": (4872, 11568, 3002.6850700487),
    "EASE2M01": (14616, 34704, 1000.89502334956),
}

_CHUNKS = {
    "0P05DEG": (600, 600),
    "0P10DEG": (600, 600),
    "0P25DEG": (360, 720),
    "0P36DEG": (500, 500),
    "0P01DEG": (600, 600),
}


def _eccentricity() -> tuple[float, float]:
    flattening = 1.0 / INVERSE_FLATTENING
    e2 = 2.0 * flattening - flattening**2
    return float(np.sqrt(e2)), e2


def _authalic_q(sine: Floats) -> Floats:
    e, e2 = _eccentricity()
    return (1.0 - e2) * (sine / (1.0 - e2 * sine**2) - np.log((1.0 - e * sine) / (1.0 + e * sine)) / (2.0 * e))


def _k0() -> float:
    _, e2 = _eccentricity()
    parallel = np.deg2rad(STANDARD_PARALLEL_DEG)
    return float(np.cos(parallel) / np.sqrt(1.0 - e2 * np.sin(parallel) ** 2))


def ease2_y(lat: npt.ArrayLike) -> Floats:
    """Northing in metres of EPSG:6933 (cylindrical equal area; Snyder 1987, eq. 10-15)."""
    return SEMI_MAJOR_AXIS_M * _authalic_q(np.sin(np.deg2rad(np.asarray(lat, float)))) / (2.0 * _k0())


def ease2_lat(y: npt.ArrayLike) -> Floats:
    """Latitude in degrees of a northing of EPSG:6933, by Newton's method on the authalic function."""
    _, e2 = _eccentricity()
    q = 2.0 * _k0() * np.asarray(y, float) / SEMI_MAJOR_AXIS_M
    phi = np.arcsin(np.clip(q / 2.0, -1.0, 1.0))
    for _ in range(12):
        sine = np.sin(phi)
        slope = np.maximum(2.0 * (1.0 - e2) * np.cos(phi) / (1.0 - e2 * sine**2) ** 2, 1e-12)
        phi = np.clip(phi - (_authalic_q(sine) - q) / slope, -np.pi / 2, np.pi / 2)
    return np.rad2deg(phi)


@dataclass(frozen=True)
class Grid:
    """A window of a global grid: rows `row0:row1` from the north, columns `col0:col1` from -180.

    Parameters
    ----------
    token
        `0P25DEG` and the like (step in degrees), or one of `EASE2M36`, `EASE2M09`, `EASE2M03`, `EASE2M01`.
    row0, row1, col0, col1
        Half-open window in row and column numbers of the global grid.
    """

    token: str
    row0: int
    row1: int
    col0: int
    col1: int

    def __post_init__(self) -> None:
        rows, columns = global_shape(self.token)
        if not (0 <= self.row0 < self.row1 <= rows and 0 <= self.col0 < self.col1 <= columns):
            window = (self.row0, self.row1, self.col0, self.col1)
            raise UsageError(f"window {window} is not inside the global grid {self.token} of {rows} x {columns} cells")

    @property
    def is_ease2(self) -> bool:
        """Whether the grid is EASE-Grid 2.0, with dimensions y and x."""
        return self.token in EASE2

    @property
    def dims(self) -> tuple[str, str]:
        """Names of the horizontal dimensions."""
        return ("y", "x") if self.is_ease2 else ("lat", "lon")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        return self.row1 - self.row0, self.col1 - self.col0

    @property
    def chunk(self) -> tuple[int, int]:
        """Chunk of a granule's fields: that of the family, at most the window."""
        family = (406, 964) if self.is_ease2 else _CHUNKS.get(self.token, (600, 600))
        return min(family[0], self.shape[0]), min(family[1], self.shape[1])

    @property
    def epsg(self) -> int:
        """EPSG code of the grid."""
        return 6933 if self.is_ease2 else 4326

    @property
    def step(self) -> float:
        """Cell size: degrees, or metres for EASE-Grid 2.0."""
        return EASE2[self.token][2] if self.is_ease2 else degrees(self.token)

    @cached_property
    def y(self) -> Floats:
        """Northing of the row centres in metres, north to south (EASE-Grid 2.0 only)."""
        return np.asarray(
            (global_shape(self.token)[0] / 2 - 0.5 - np.arange(self.row0, self.row1)) * self.step, np.float64
        )

    @cached_property
    def x(self) -> Floats:
        """Easting of the column centres in metres (EASE-Grid 2.0 only)."""
        return np.asarray(
            (np.arange(self.col0, self.col1) + 0.5 - global_shape(self.token)[1] / 2) * self.step, np.float64
        )

    @cached_property
    def y_edges(self) -> Floats:
        """Northing of the row edges, north to south, one more than rows (EASE-Grid 2.0 only)."""
        return np.asarray(
            (global_shape(self.token)[0] / 2 - np.arange(self.row0, self.row1 + 1)) * self.step, np.float64
        )

    @cached_property
    def x_edges(self) -> Floats:
        """Easting of the column edges (EASE-Grid 2.0 only)."""
        return np.asarray(
            (np.arange(self.col0, self.col1 + 1) - global_shape(self.token)[1] / 2) * self.step, np.float64
        )

    @cached_property
    def lat(self) -> Floats:
        """Latitude of the row centres, north to south, rounded to 9 decimals."""
        if self.is_ease2:
            return np.round(ease2_lat(self.y), 9)
        return np.round(90.0 - (np.arange(self.row0, self.row1) + 0.5) * self.step, 9)

    @cached_property
    def lon(self) -> Floats:
        """Longitude of the column centres, west to east, rounded to 9 decimals."""
        if self.is_ease2:
            return np.round(self.x / (self.step * global_shape(self.token)[1]) * 360.0, 9)
        return np.round(-180.0 + (np.arange(self.col0, self.col1) + 0.5) * self.step, 9)

    @cached_property
    def lat_edges(self) -> Floats:
        """Latitude of the row edges, north to south, one more than rows."""
        if self.is_ease2:
            return np.round(ease2_lat(self.y_edges), 9)
        return np.round(90.0 - np.arange(self.row0, self.row1 + 1) * self.step, 9)

    @cached_property
    def lon_edges(self) -> Floats:
        """Longitude of the column edges, west to east."""
        if self.is_ease2:
            return np.round(self.x_edges / (self.step * global_shape(self.token)[1]) * 360.0, 9)
        return np.round(-180.0 + np.arange(self.col0, self.col1 + 1) * self.step, 9)

    def locate(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row and column inside the window of the cells that contain the points; -1 outside and for NaN.

        Longitudes may run -180..180 or 0..360.
        """
        lat, lon = np.broadcast_arrays(np.asarray(lat, float), (np.asarray(lon, float) + 180.0) % 360.0 - 180.0)
        rows, columns = global_shape(self.token)
        known = np.isfinite(lat) & np.isfinite(lon)
        lat, lon = np.where(known, lat, 0.0), np.where(known, lon, 0.0)
        if self.is_ease2:
            row = np.floor(rows / 2 - ease2_y(lat) / self.step).astype(np.int64)
            column = np.floor((lon + 180.0) / 360.0 * columns).astype(np.int64)
        else:
            row = np.minimum(np.floor((90.0 - lat) / self.step).astype(np.int64), rows - 1)
            column = np.floor((lon + 180.0) / self.step).astype(np.int64)
        inside = known & (row >= self.row0) & (row < self.row1) & (column >= self.col0) & (column < self.col1)
        return np.where(inside, row - self.row0, -1), np.where(inside, column - self.col0, -1)

    def cell_areas(self) -> Floats:
        """Relative area of the cells of each row, (rows,)."""
        return np.diff(-_authalic_q(np.sin(np.deg2rad(self.lat_edges))))


def degrees(token: str) -> float:
    """Step in degrees of a latitude-longitude token such as `0P25DEG`."""
    match = re.fullmatch(r"(\d{1,2})P(\d{2})DEG", token)
    if not match or float(f"{match[1]}.{match[2]}") == 0.0:
        raise UsageError(f"no grid named {token!r}; known: <d>P<dd>DEG, {', '.join(EASE2)}")
    return float(f"{match[1]}.{match[2]}")


def global_shape(token: str) -> tuple[int, int]:
    """Rows and columns of the global grid."""
    if token in EASE2:
        return EASE2[token][:2]
    step = degrees(token)
    return round(180.0 / step), round(360.0 / step)


def global_grid(token: str) -> Grid:
    """The whole grid of a token."""
    rows, columns = global_shape(token)
    return Grid(token, 0, rows, 0, columns)


def box(token: str, west: float, south: float, east: float, north: float) -> Grid:
    """The smallest window of a global grid that covers a box in degrees."""
    whole = global_grid(token)
    tiny = 1e-9
    rows, columns = whole.locate([north - tiny, south + tiny], [west + tiny, east - tiny])
    return Grid(token, int(rows[0]), int(rows[1]) + 1, int(columns[0]), int(columns[1]) + 1)


def nearest_cells(
    source_lat: Floats, source_lon: Floats, lat: npt.ArrayLike, lon: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and column of the nearest centre of a rectilinear grid, whatever its direction and longitude convention."""
    lat = np.atleast_1d(np.asarray(lat, float))
    lon = np.atleast_1d(np.asarray(lon, float))
    rows = np.abs(source_lat[None, :] - lat[:, None]).argmin(axis=1)
    distance = np.abs((source_lon[None, :] - lon[:, None] + 180.0) % 360.0 - 180.0)
    return rows.astype(np.int64), distance.argmin(axis=1).astype(np.int64)


def _overlaps(source_edges: Floats, target_edges: Floats) -> sp.csr_matrix:
    """Length of the overlap of each target interval with each source interval, both ascending."""
    low = np.maximum(target_edges[:-1, None], source_edges[None, :-1])
    high = np.minimum(target_edges[1:, None], source_edges[None, 1:])
    return sp.csr_matrix(np.maximum(high - low, 0.0))


def overlap_weights(
    source_lat_edges: Floats, source_lon_edges: Floats, target_lat_edges: Floats, target_lon_edges: Floats
) -> sp.csr_matrix:
    """Area of overlap of every target cell with every source cell, (target cells, source cells).

    Both grids are products of parallels and meridians, so that the weights are the Kronecker product of
    one-dimensional overlaps in authalic latitude and in longitude. Cells in C order. Edges of latitude run
    north to south, those of longitude west to east; longitudes that differ by 360 degrees are the same.
    Reuse the matrix with `regrid`.
    """

    def parallels(edges: Floats) -> Floats:
        return -_authalic_q(np.sin(np.deg2rad(edges)))

    rows = _overlaps(parallels(source_lat_edges), parallels(target_lat_edges))
    turns = (_overlaps(source_lon_edges + turn, target_lon_edges) for turn in (-360.0, 0.0, 360.0))
    columns = sum(turns, sp.csr_matrix((target_lon_edges.size - 1, source_lon_edges.size - 1)))
    return sp.kron(rows, columns, format="csr")


def conservative_weights(source: Grid, target: Grid) -> sp.csr_matrix:
    """The `overlap_weights` of two grids, (target cells, source cells)."""
    return overlap_weights(source.lat_edges, source.lon_edges, target.lat_edges, target.lon_edges)


def regrid(
    weights: sp.csr_matrix, values: npt.NDArray[np.floating], minimum_share: float = 0.5
) -> npt.NDArray[np.float32]:
    """Area-weighted mean of the valid source cells, (..., source cells) to (..., target cells).

    A target cell is missing where valid source cells cover less than `minimum_share` of its overlapped area.
    """
    flat = values.reshape(-1, values.shape[-1]).T.astype(np.float64)
    valid = np.isfinite(flat)
    total = weights @ np.where(valid, flat, 0.0)
    area = weights @ valid.astype(np.float64)
    whole = np.asarray(weights.sum(axis=1)).reshape(-1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where((area >= minimum_share * whole) & (area > 0), total / area, np.nan)
    return mean.T.reshape(*values.shape[:-1], -1).astype(np.float32)
