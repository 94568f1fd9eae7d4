"""Conservative regridding between grids of parallels and meridians: two small weight matrices, one for each axis.

Rows of all grids here are bands of latitude and columns bands of longitude, EASE-Grid 2.0 included, so the area that
two cells share is the product of what their rows and their columns share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse

from vadose.validation.geometry import Geometry

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_SHARE = 0.5


def _shares(low: Floats, high: Floats, to_low: Floats, to_high: Floats) -> scipy.sparse.csr_array:
    """Length that each interval of the target shares with each of the source, (target, source)."""
    order = np.argsort(low, kind="stable")
    starts, ends = low[order], np.maximum.accumulate(high[order])
    first = np.searchsorted(ends, to_low, side="right")
    last = np.searchsorted(starts, to_high, side="left")
    counts = np.maximum(last - first, 0)
    target = np.repeat(np.arange(to_low.size), counts)
    source = order[np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)]
    shared = np.minimum(high[source], to_high[target]) - np.maximum(low[source], to_low[target])
    kept = shared > 1e-12
    return scipy.sparse.csr_array((shared[kept], (target[kept], source[kept])), shape=(to_low.size, low.size))


def _bands(edges: Floats) -> tuple[Floats, Floats]:
    """Sines of the lower and upper edge of rows: area on the sphere is linear in them."""
    sines = np.sin(np.deg2rad(np.clip(edges, -90.0, 90.0)))
    return np.minimum(sines[:-1], sines[1:]), np.maximum(sines[:-1], sines[1:])


def row_weights(source: Geometry, target: Geometry) -> scipy.sparse.csr_array:
    """Area (per radian of longitude, unit sphere) shared by rows, (target, source)."""
    return _shares(*_bands(source.lat_edges), *_bands(target.lat_edges))


def column_weights(source: Geometry, target: Geometry) -> scipy.sparse.csr_array:
    """Degrees of longitude shared by columns, whatever the longitude convention, (target, source)."""
    return _wrapped(*_ordered(source.lon_edges), *_ordered(target.lon_edges))


def _ordered(edges: Floats) -> tuple[Floats, Floats]:
    return np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])


def _wrapped(low: Floats, high: Floats, to_low: Floats, to_high: Floats) -> scipy.sparse.csr_array:
    total = None
    for turn in (-720.0, -360.0, 0.0, 360.0, 720.0):
        part = _shares(low + turn, high + turn, to_low, to_high)
        total = part if total is None else total + part
    assert total is not None, "there is at least one turn"
    return scipy.sparse.csr_array(total)


@dataclass(frozen=True)
class Regridder:
    """Area-weighted means of a source grid in the cells of a target grid."""

    rows: scipy.sparse.csr_array
    columns: scipy.sparse.csr_array
    area: Floats

    @classmethod
    def between(cls, source: Geometry, target: Geometry) -> Regridder:
        """Weights for both axes; `area` is that of the target's cells in units of (degree, unit sphere)."""
        low, high = _bands(target.lat_edges)
        area = (high - low)[:, None] * np.abs(np.diff(target.lon_edges))
        return cls(row_weights(source, target), column_weights(source, target), area)

    def __call__(self, values: npt.ArrayLike, least: float = LEAST_SHARE) -> Floats:
        """Regrid fields.

        Parameters
        ----------
        values
            (row, column, ...) on the source grid, NaN = missing.
        least
            Share of a target cell's area that must have values, else it is NaN.
        """
        fields = np.asarray(values, float)
        known = np.isfinite(fields)
        weight = self._spread(known.astype(float))
        total = self._spread(np.where(known, fields, 0.0))
        area = self.area.reshape(*self.area.shape, *[1] * (fields.ndim - 2))
        enough = weight >= np.maximum(least * area, 1e-15)
        return np.asarray(np.where(enough, total / np.where(weight > 0, weight, 1.0), np.nan))

    def _spread(self, fields: Floats) -> Floats:
        rows, columns, *rest = fields.shape
        by_row = (self.rows @ fields.reshape(rows, -1)).reshape(-1, columns, int(np.prod(rest, dtype=int)))
        turned = np.ascontiguousarray(by_row.transpose(1, 0, 2)).reshape(columns, -1)
        out = (self.columns @ turned).reshape(-1, by_row.shape[0], by_row.shape[2]).transpose(1, 0, 2)
        return np.asarray(out).reshape(*self.area.shape, *rest)


def overlapped(geometry: Geometry, cells: Floats) -> tuple[Integers, Integers, Floats]:
    """The cells of a grid that each of some boxes overlaps, with their share of the box's area.

    Parameters
    ----------
    geometry
        The grid.
    cells
        South, north, west, east edge of each box in degrees, (box, 4).

    Returns
    -------
    box, cell, share
        One entry for each pair, ordered by box; `cell` is a flat index. Parts of a box outside the grid have no
        entry, so that shares may sum to less than 1.
    """
    south, north, west, east = cells.T
    lat_pairs, lat_of = np.unique(np.stack([south, north]), axis=1, return_inverse=True)
    lon_pairs, lon_of = np.unique(np.stack([west, east]), axis=1, return_inverse=True)
    sines = np.sin(np.deg2rad(np.clip(lat_pairs, -90.0, 90.0)))
    rows = _shares(*_bands(geometry.lat_edges), sines[0], sines[1])
    columns = _wrapped(*_ordered(geometry.lon_edges), lon_pairs[0], lon_pairs[1])
    height, width = sines[1] - sines[0], lon_pairs[1] - lon_pairs[0]
    boxes, flats, shares = [], [], []
    for box, (i, j) in enumerate(zip(np.ravel(lat_of).tolist(), np.ravel(lon_of).tolist(), strict=True)):
        row, column = rows[[i]].tocoo(), columns[[j]].tocoo()
        share = np.outer(row.data / height[i], column.data / width[j])
        flat = row.col[:, None] * geometry.shape[1] + column.col[None, :]
        boxes.append(np.full(share.size, box))
        flats.append(flat.ravel())
        shares.append(share.ravel())
    if not boxes:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    return np.concatenate(boxes).astype(np.int64), np.concatenate(flats).astype(np.int64), np.concatenate(shares)
