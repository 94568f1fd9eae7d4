"""A simulated world: maps, weather and the true state of the land."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vadose.producer.grids import Grid
from vadose.producer.simulate.climate import ClimateMap, make_climate
from vadose.producer.simulate.fields import Floats
from vadose.producer.simulate.land import Land, run_land
from vadose.producer.simulate.settings import Settings
from vadose.producer.simulate.soil import Soil, make_soil
from vadose.producer.simulate.terrain import Terrain, make_terrain
from vadose.producer.simulate.vegetation import LandCover, make_land_cover
from vadose.producer.simulate.weather import Days, Weather, make_weather, solar_hour

Doubles = npt.NDArray[np.float64]
Record = TypeVar("Record", Weather, Land)


@dataclass(frozen=True)
class World:
    """A whole world in memory.

    `weather` and `land` hold (time, cell) arrays of the land cells over `days`; `soil` and `cover` hold
    (cell,) maps; `terrain` and `climate` hold (rows, columns) maps with the sea.

    Attributes
    ----------
    index
        Flat index in C order of each land cell in the window of the grid, (cell,), ascending.
    days
        UTC days, datetime64[D].
    """

    settings: Settings
    grid: Grid
    index: npt.NDArray[np.int64]
    days: Days
    terrain: Terrain
    climate: ClimateMap
    soil: Soil
    cover: LandCover
    weather: Weather
    land: Land

    @property
    def lat(self) -> Doubles:
        """Latitude of the land cells, (cell,)."""
        return self.grid.lat[self.index // self.grid.shape[1]]

    @property
    def lon(self) -> Doubles:
        """Longitude of the land cells, (cell,)."""
        return self.grid.lon[self.index % self.grid.shape[1]]

    @property
    def soil_moisture(self) -> Floats:
        """The truth: 0-5 cm at 06:00 local solar time, m3 m-3, (time, cell)."""
        return self.land.soil_moisture


def make_world(settings: Settings) -> World:
    """Simulate a world; days before `settings.start` only bring the stores to rest and are dropped."""
    grid = settings.grid
    terrain = make_terrain(grid, settings.land_share, settings.seed)
    climate = make_climate(grid, terrain, settings.climate, settings.seed)
    soil = make_soil(grid, terrain, climate.wetness, settings.seed)
    cover = make_land_cover(grid, terrain, climate, settings.seed)
    first = np.datetime64(settings.start, "D") - settings.spin_up_days
    days = np.arange(first, np.datetime64(settings.end, "D") + 1)
    weather = make_weather(grid, terrain.land, climate, settings.climate, days, settings.seed)
    lon = np.broadcast_to(grid.lon[None, :], grid.shape)[terrain.land]
    land = run_land(weather, soil, cover, solar_hour(lon) / 24.0)
    spin_up = settings.spin_up_days
    return World(
        settings=settings,
        grid=grid,
        index=np.flatnonzero(terrain.land.ravel()),
        days=days[spin_up:],
        terrain=terrain,
        climate=climate,
        soil=soil,
        cover=cover,
        weather=_from(weather, spin_up),
        land=_from(land, spin_up),
    )


def _from(record: Record, first: int) -> Record:
    return type(record)(**{field.name: getattr(record, field.name)[first:] for field in fields(record)})
