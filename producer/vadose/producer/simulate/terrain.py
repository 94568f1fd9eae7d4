"""Fractal terrain: elevation, coast, slope and aspect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from vadose.producer.grids import Grid
from vadose.producer.simulate.fields import KM_PER_DEGREE, Plane, stream

Doubles = npt.NDArray[np.float64]

LONGEST_WAVE_KM = 500.0
SHORTEST_WAVE_KM = 12.0
# Amplitude ratio of successive octaves; 0.55 is a surface of fractal dimension about 2.14.
OCTAVE_RATIO = 0.55
HIGHEST_M = 1900.0


@dataclass(frozen=True)
class Terrain:
    """Terrain on all cells of the grid, sea included.

    Attributes
    ----------
    elevation
        Metres above the sea, (rows, columns); 0 at sea.
    land
        True on land, (rows, columns).
    slope, aspect
        Degrees; aspect is clockwise from north, the direction in which the ground falls.
    coast_km
        Distance to the nearest sea cell, (rows, columns); large where there is no sea.
    """

    elevation: Doubles
    land: npt.NDArray[np.bool_]
    slope: Doubles
    aspect: Doubles
    coast_km: Doubles


def make_terrain(grid: Grid, land_share: float, seed: int) -> Terrain:
    """A fractal relief, flooded until `land_share` of the cells are land."""
    plane = Plane.of(grid)
    rng = stream(seed, "terrain")
    relief = np.zeros(plane.shape)
    length, amplitude = LONGEST_WAVE_KM, 1.0
    while length >= SHORTEST_WAVE_KM:
        relief += amplitude * plane.sample(rng, 1, length)[0]
        length, amplitude = length / 2.0, amplitude * OCTAVE_RATIO
    sea_level = np.quantile(relief, 1.0 - land_share) if land_share < 1.0 else relief.min() - 0.1
    height = np.maximum(relief - sea_level, 0.0)
    land = height > 0.0
    # Squaring part of the height makes wide plains and few mountains.
    scaled = height / max(float(height.max()), 1e-9)
    elevation = HIGHEST_M * (0.25 * scaled + 0.75 * scaled**2.2)
    slope, aspect = _gradient(elevation, grid)
    return Terrain(elevation, land, slope, aspect, _distance_to_sea(land, grid))


def _gradient(elevation: Doubles, grid: Grid) -> tuple[Doubles, Doubles]:
    if min(elevation.shape) < 2:
        return np.zeros_like(elevation), np.zeros_like(elevation)
    north_m = grid.lat * KM_PER_DEGREE * 1000.0
    east_m = grid.lon * KM_PER_DEGREE * 1000.0
    rise_north = np.gradient(elevation, north_m, axis=0)
    rise_east = np.gradient(elevation, east_m, axis=1) / np.cos(np.deg2rad(grid.lat))[:, None]
    slope = np.rad2deg(np.arctan(np.hypot(rise_north, rise_east)))
    aspect = np.rad2deg(np.arctan2(-rise_east, -rise_north)) % 360.0
    return slope, aspect


def _distance_to_sea(land: npt.NDArray[np.bool_], grid: Grid) -> Doubles:
    if land.all():
        return np.full(land.shape, 1000.0)
    rows = abs(float(np.diff(grid.lat).mean())) if grid.lat.size > 1 else 1.0
    columns = abs(float(np.diff(grid.lon).mean())) if grid.lon.size > 1 else 1.0
    spacing = (rows * KM_PER_DEGREE, columns * KM_PER_DEGREE * float(np.cos(np.deg2rad(grid.lat.mean()))))
    distance: Doubles = distance_transform_edt(land, sampling=spacing)
    return distance
