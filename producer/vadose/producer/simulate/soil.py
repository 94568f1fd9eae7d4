"""Soil of the land cells: texture, organic carbon, bulk density, and the hydraulic limits that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.grids import Grid
from vadose.producer.simulate.fields import Plane, stream
from vadose.producer.simulate.terrain import Terrain

Doubles = npt.NDArray[np.float64]

PARTICLE_DENSITY = 2.65


@dataclass(frozen=True)
class Soil:
    """Soil of the land cells, all (cell,).

    Attributes
    ----------
    sand, silt, clay, organic_carbon
        Percent by weight; the first three sum to 100.
    bulk_density
        g cm-3.
    porosity, field_capacity, wilting_point, residual
        Volumetric soil moisture, m3 m-3.
    drainage_days, percolation_days
        e-folding time of drainage from the top layer, and of percolation below the root zone.
    """

    sand: Doubles
    silt: Doubles
    clay: Doubles
    organic_carbon: Doubles
    bulk_density: Doubles
    porosity: Doubles
    field_capacity: Doubles
    wilting_point: Doubles
    residual: Doubles
    drainage_days: Doubles
    percolation_days: Doubles


def make_soil(grid: Grid, terrain: Terrain, wetness: Doubles, seed: int) -> Soil:
    """Soil that depends on relief and climate, plus patches of its own.

    Parameters
    ----------
    grid, terrain
        The grid and its relief.
    wetness
        Relative wetness of the climate, about 0.3 to 2, (rows, columns).
    seed
        Seed of the world.
    """
    plane = Plane.of(grid)
    rng = stream(seed, "soil")
    coarse, fine = plane.sample(rng, 2, 130.0).astype(float), plane.sample(rng, 2, 30.0).astype(float)
    patch = 0.8 * coarse[0] + 0.6 * fine[0]
    loam = 0.8 * coarse[1] + 0.6 * fine[1]
    steep = np.clip(terrain.slope, 0.0, 3.0)
    # Additive log-ratio coordinates keep the three shares positive and their sum at 100.
    sandy = np.exp(0.45 + 0.75 * patch + 0.10 * steep - 0.25 * (wetness - 1.0))
    clayey = np.exp(-0.55 - 0.45 * patch + 0.45 * loam + 0.25 * (wetness - 1.0))
    total = 1.0 + sandy + clayey
    land = terrain.land
    sand, clay = (100.0 * sandy / total)[land], (100.0 * clayey / total)[land]
    cold = np.clip(terrain.elevation / 2000.0, 0.0, 1.0)
    organic = np.clip(0.5 + 1.3 * wetness + 1.5 * cold + 0.5 * fine[1], 0.2, 12.0)[land]
    return from_texture(sand, clay, organic)


def from_texture(sand: Doubles, clay: Doubles, organic_carbon: Doubles) -> Soil:
    """Hydraulic limits from texture and organic carbon.

    Linear transfer functions with the signs and sizes of Saxton & Rawls (2006, doi
    10.2136/sssaj2005.0117); porosity is 1 - bulk density / 2.65.
    """
    bulk = np.clip(1.62 - 0.0045 * clay - 0.0008 * (100.0 - sand) - 0.055 * organic_carbon, 0.75, 1.75)
    porosity = 1.0 - bulk / PARTICLE_DENSITY
    wilting = 0.025 + 0.0042 * clay + 0.004 * organic_carbon
    capacity = np.minimum(wilting + 0.075 + 0.0012 * (100.0 - sand) + 0.005 * organic_carbon, 0.85 * porosity)
    return Soil(
        sand=sand,
        silt=100.0 - sand - clay,
        clay=clay,
        organic_carbon=organic_carbon,
        bulk_density=bulk,
        porosity=porosity,
        field_capacity=capacity,
        wilting_point=wilting,
        residual=0.35 * wilting,
        drainage_days=0.35 + 0.030 * clay,
        percolation_days=12.0 + 0.9 * clay,
    )
