"""Where it is wet, dry, warm and cold: the climate of each cell, without any weather."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.grids import Grid
from vadose.producer.simulate.fields import Plane, stream
from vadose.producer.simulate.settings import Climate
from vadose.producer.simulate.terrain import Terrain

Doubles = npt.NDArray[np.float64]

LAPSE_RATE_K_PER_M = 0.006


@dataclass(frozen=True)
class ClimateMap:
    """Climate on all cells of the grid, (rows, columns).

    Attributes
    ----------
    wetness
        Relative wetness, 1 in the middle of the box.
    wet_day_fraction, wet_day_amount_mm
        Yearly means.
    temperature_k
        Yearly mean air temperature.
    seasonal_amplitude_k
        Half of the difference between the warmest and the coldest month.
    summer_rain
        Share of the summer regime in the yearly course of rain, 0 (winter rain) to 1 (summer rain).
    """

    wetness: Doubles
    wet_day_fraction: Doubles
    wet_day_amount_mm: Doubles
    temperature_k: Doubles
    seasonal_amplitude_k: Doubles
    summer_rain: Doubles


def make_climate(grid: Grid, terrain: Terrain, climate: Climate, seed: int) -> ClimateMap:
    """Wet in the west and on mountains, dry in the east; rain in winter near the equator, in summer near the pole."""
    plane = Plane.of(grid)
    noise = plane.sample(stream(seed, "climate"), 1, 300.0)[0].astype(float)
    eastward = (plane.column_km / max(plane.extent_km[1], 1e-9))[None, :]
    north = (plane.row_km / max(plane.extent_km[0], 1e-9))[:, None]
    poleward = north if grid.lat.mean() >= 0 else 1.0 - north
    uplift = np.clip(terrain.elevation / 2000.0, 0.0, 1.0)
    wetness = np.clip(1.0 + 0.9 * (0.5 - eastward) + 0.12 * noise + 0.45 * uplift, 0.25, 2.2)
    latitude = np.abs(grid.lat)[:, None]
    mean = 273.15 + 30.0 - 0.0090 * latitude**2 + climate.warmer_by_k
    inland = np.clip(terrain.coast_km / 400.0, 0.0, 1.0)
    shape = plane.shape
    return ClimateMap(
        wetness=wetness,
        wet_day_fraction=np.clip(climate.wet_day_fraction * wetness**0.8, 0.02, 0.75),
        wet_day_amount_mm=climate.wet_day_amount_mm * (0.8 + 0.2 * wetness),
        temperature_k=np.broadcast_to(mean, shape) - LAPSE_RATE_K_PER_M * terrain.elevation,
        seasonal_amplitude_k=np.broadcast_to(0.24 * latitude, shape) * (0.8 + 0.35 * inland),
        summer_rain=np.broadcast_to(poleward, shape).copy(),
    )


def season(day_of_year: Doubles, peak_day: float, southern: bool) -> Doubles:
    """Cosine of the year with its maximum at `peak_day` in the north, half a year later in the south."""
    shift = 182.6 if southern else 0.0
    return np.asarray(np.cos(2.0 * np.pi * (day_of_year - peak_day - shift) / 365.25))


def extraterrestrial_radiation(lat: Doubles, day_of_year: Doubles) -> Doubles:
    """Daily mean radiation at the top of the atmosphere, W m-2, (day, lat) (Allen et al. 1998, FAO 56, eq. 21)."""
    angle = 2.0 * np.pi * day_of_year[:, None] / 365.0
    distance = 1.0 + 0.033 * np.cos(angle)
    declination = 0.409 * np.sin(angle - 1.39)
    phi = np.deg2rad(lat)[None, :]
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    daily = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(np.maximum(1367.0 / np.pi * distance * daily, 0.0))
