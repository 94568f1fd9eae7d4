"""Land cover of the land cells and what it means for vegetation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.grids import Grid
from vadose.producer.simulate.climate import ClimateMap
from vadose.producer.simulate.fields import Plane, stream
from vadose.producer.simulate.terrain import Terrain

Doubles = npt.NDArray[np.float64]

# IGBP class: name, greenness at its best, greenness when dormant, vegetation water at full greenness in kg m-2.
CLASSES: dict[int, tuple[str, float, float, float]] = {
    1: ("evergreen needleleaf forest", 0.82, 0.62, 6.8),
    4: ("deciduous broadleaf forest", 0.92, 0.25, 5.6),
    5: ("mixed forest", 0.88, 0.42, 6.2),
    7: ("open shrubland", 0.34, 0.12, 1.2),
    8: ("woody savanna", 0.68, 0.28, 3.6),
    10: ("grassland", 0.62, 0.12, 1.8),
    12: ("cropland", 0.85, 0.08, 3.2),
    13: ("urban", 0.38, 0.14, 1.5),
    16: ("barren", 0.10, 0.04, 0.1),
}


@dataclass(frozen=True)
class LandCover:
    """Land cover and its parameters, all (cell,).

    Attributes
    ----------
    igbp
        IGBP class.
    green_most, green_least
        Greenness (0 to 1) with and without everything that plants need.
    water_content
        Vegetation water content at full greenness, kg m-2.
    water_fraction, urban_fraction, land_fraction
        0 to 1.
    """

    igbp: npt.NDArray[np.int64]
    green_most: Doubles
    green_least: Doubles
    water_content: Doubles
    water_fraction: Doubles
    urban_fraction: Doubles
    land_fraction: Doubles


def make_land_cover(grid: Grid, terrain: Terrain, climate: ClimateMap, seed: int) -> LandCover:
    """Land cover after wetness, temperature and relief, in patches; fields on good flat soils, towns near the coast."""
    plane = Plane.of(grid)
    land = terrain.land
    patches = plane.sample(stream(seed, "land_cover"), 3, 45.0).astype(float)[:, land]
    wet = climate.wetness[land] + 0.18 * patches[0]
    cold = climate.temperature_k[land] < 273.15 + 6.5
    flat = (terrain.slope[land] < 0.6) & (terrain.elevation[land] < 900.0)
    forest = np.where(cold, 1, np.where(patches[1] > 0.2, 5, 4))
    middle = np.where(flat & (patches[2] > -0.3), 12, np.where(wet > 1.05, 8, 10))
    igbp = np.where(
        wet > 1.35, forest, np.where(wet > 0.62, middle, np.where(wet > 0.42, np.where(patches[1] > 0.5, 10, 7), 16))
    )
    town = stream(seed, "towns").random(igbp.size) < 0.012 * np.exp(-terrain.coast_km[land] / 300.0) * flat
    igbp = np.where(town, 13, igbp).astype(np.int64)
    lakes = np.clip(0.012 * np.exp(1.1 * patches[2] + 0.5 * patches[0]), 0.0, 0.35)
    shore = np.where(terrain.coast_km[land] < 1.5 * float(terrain.coast_km[land].min()), 0.12, 0.0)
    water = np.clip(lakes + shore, 0.0, 0.6)
    table = np.array([CLASSES[int(kind)][1:] for kind in igbp], float).reshape(-1, 3)
    # Vigour differs inside a class.
    vigour = 1.0 + 0.08 * patches[1]
    return LandCover(
        igbp=igbp,
        green_most=np.clip(table[:, 0] * vigour, 0.05, 0.97),
        green_least=table[:, 1],
        water_content=table[:, 2] * vigour.clip(0.7, 1.3),
        water_fraction=water,
        urban_fraction=np.where(town, 0.6, np.clip(0.01 + 0.01 * patches[0], 0.0, 0.05)),
        land_fraction=1.0 - water,
    )
