"""Named random streams and spatially correlated Gaussian fields."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from vadose.producer.grids import Grid

Floats = npt.NDArray[np.float32]

KM_PER_DEGREE = 111.195
# Node spacing in units of the correlation length; closer nodes change the covariance by less than 1 %.
NODE_SPACING = 0.6


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each seed and name: no part of a world depends on the order of the others."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


@dataclass(frozen=True)
class Plane:
    """Places in kilometres east and north of a fixed origin, as a product of rows and columns.

    The nodes of a field depend on the box and the correlation length alone, so that the same box at
    another resolution has the same weather.

    Parameters
    ----------
    row_km
        Distance north of the southern edge of the box, (rows,).
    column_km
        Distance east of the western edge of the box at its middle latitude, (columns,).
    extent_km
        Height and width of the box.
    """

    row_km: npt.NDArray[np.float64]
    column_km: npt.NDArray[np.float64]
    extent_km: tuple[float, float]

    @classmethod
    def of(cls, grid: Grid) -> Plane:
        """The plane of a grid window."""
        north, south = grid.lat_edges[0], grid.lat_edges[-1]
        west, east = grid.lon_edges[0], grid.lon_edges[-1]
        stretch = float(np.cos(np.deg2rad((north + south) / 2)))
        return cls(
            (grid.lat - south) * KM_PER_DEGREE,
            (grid.lon - west) * KM_PER_DEGREE * stretch,
            (float(north - south) * KM_PER_DEGREE, float(east - west) * KM_PER_DEGREE * stretch),
        )

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.row_km.size, self.column_km.size

    def sample(self, rng: np.random.Generator, count: int, length_km: float, persistence: float = 0.0) -> Floats:
        """Gaussian fields with mean 0, variance 1 and covariance exp(-d²/2L²), (count, rows, columns).

        White noise on nodes, smoothed by a Gaussian kernel (process convolution; Higdon 2002, doi
        10.1007/978-1-4471-0657-9_2). Successive fields have the lag-one correlation `persistence`.
        """
        rows = _kernel(self.row_km, self.extent_km[0], length_km)
        columns = _kernel(self.column_km, self.extent_km[1], length_km)
        nodes = rng.standard_normal((count, rows.shape[1], columns.shape[1]), dtype=np.float32)
        return np.asarray(np.matmul(rows, np.matmul(persistent(nodes, persistence), columns.T)))


def _kernel(places: npt.NDArray[np.float64], extent: float, length: float) -> Floats:
    margin = 2.0 * length
    step = NODE_SPACING * length
    nodes = -margin + step * np.arange(int(np.ceil((extent + 2.0 * margin) / step)) + 1)
    kernel = np.exp(-(((places[:, None] - nodes[None, :]) / length) ** 2))
    return np.asarray(kernel / np.sqrt((kernel**2).sum(axis=1, keepdims=True)), np.float32)


def persistent(noise: Floats, persistence: float) -> Floats:
    """White noise turned into a stationary AR(1) process along the first axis, variance unchanged."""
    if persistence == 0.0 or noise.shape[0] == 0:
        return noise
    innovation = np.float32(np.sqrt(1.0 - persistence**2))
    shocks = noise * innovation
    shocks[0] = noise[0]
    result: Floats = lfilter(np.ones(1, np.float32), np.array([1.0, -persistence], np.float32), shocks, axis=0)
    return result


def persistence_of(memory_days: float) -> float:
    """Lag-one correlation of a daily process with an e-folding time; 0 is white."""
    return float(np.exp(-1.0 / memory_days)) if memory_days > 0 else 0.0
