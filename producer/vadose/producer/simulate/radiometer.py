"""An L-band radiometer on EASE-Grid 2.0 at 36 km: footprints, swaths, flags, noise that grows with vegetation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from vadose.producer import grids
from vadose.producer.grids import Grid
from vadose.producer.simulate.fields import Plane, persistence_of, stream
from vadose.producer.simulate.observed import Layer, Observed, moisture_layer
from vadose.producer.simulate.orbit import RADIOMETER
from vadose.producer.simulate.simulation import World
from vadose.producer.simulate.weather import solar_hour

Floats = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]

NOT_RECOMMENDED, NOT_ATTEMPTED, NOT_SUCCESSFUL = 1, 2, 4
# Bits of the surface flag, numbered as in SMAP L3.
SURFACE = {
    "static_water": 1,
    "coast": 4,
    "urban": 8,
    "precipitation": 16,
    "snow_or_ice": 32,
    "model_frozen_ground": 256,
    "mountainous_terrain": 512,
    "dense_vegetation": 1024,
}
RFI_BIT = 4
LOWEST, HIGHEST = 0.02, 0.65
DENSE_KG_M2 = 5.0
WATER_LIMIT, URBAN_LIMIT, FROZEN_LIMIT = 0.10, 0.25, 0.10
SNOW_MM, RAIN_MM_PER_HOUR, STEEP_DEG = 3.0, 1.5, 3.0
MISSING_FLAG = 32767


@dataclass(frozen=True)
class Footprints:
    """Footprints of the box and the weights of the land cells in them.

    Attributes
    ----------
    grid
        Window of EASE-Grid 2.0 36 km.
    land
        Sparse weights, (footprint, land cell); rows sum to 1, or to 0 where there is no land.
    land_fraction
        Share of land in the part of the footprint that lies in the box, (footprint,).
    inside
        Whether at least half of the footprint lies in the box, (footprint,).
    """

    grid: Grid
    land: sp.csr_matrix
    land_fraction: npt.NDArray[np.float64]
    inside: Masks

    def mean(self, values: npt.NDArray[np.floating]) -> Floats:
        """Area-weighted mean over the land, (..., land cell) to (..., footprint); 0 where there is no land."""
        flat = np.atleast_2d(values)
        result = np.ascontiguousarray((self.land @ flat.T.astype(np.float32, copy=False)).T)
        return result.reshape(*values.shape[:-1], -1).astype(np.float32, copy=False)


def footprints(world: World) -> Footprints:
    """The footprints that touch the box of a world, by conservative (area-weighted) averaging."""
    grid = grids.box("EASE2M36", *world.settings.box)
    overlap = grids.conservative_weights(world.grid, grid)
    whole = np.asarray(overlap.sum(axis=1)).ravel()
    land = overlap[:, world.index]
    on_land = np.asarray(land.sum(axis=1)).ravel()
    weights = sp.diags(1.0 / np.where(on_land > 0, on_land, 1.0)) @ land
    fraction = on_land / np.where(whole > 0, whole, 1.0)
    # The grid is one of equal areas, so that the largest overlap is that of a whole footprint.
    return Footprints(grid, weights.tocsr().astype(np.float32), fraction, whole >= 0.5 * whole.max())


def vegetation_water(world: World) -> Floats:
    """Vegetation water content, kg m-2, (time, cell)."""
    return (world.land.greenness * world.cover.water_content.astype(np.float32)).astype(np.float32)


def _at_six(world: World) -> Masks:
    """Where it rains hard at 06:00 local solar time, (time, cell)."""
    six = solar_hour(world.lon).astype(np.float32)
    start, hours = world.weather.rain_start, world.weather.rain_hours
    raining = (six >= start) & (six <= start + hours)
    return np.asarray(raining & (world.weather.precipitation > RAIN_MM_PER_HOUR * hours))


def _conditions(
    world: World, places: Footprints, water_content: Floats, interference: Masks
) -> tuple[npt.NDArray[np.int16], Masks, Masks]:
    """Surface flag, whether a retrieval succeeds, and whether it is recommended, (time, footprint) each."""
    frozen = places.mean((world.land.soil_temperature < 273.15).astype(np.float32))
    snow = places.mean(world.land.snow_water_equivalent)
    rain = places.mean(_at_six(world).astype(np.float32))
    water = places.mean(world.cover.water_fraction) * places.land_fraction + (1.0 - places.land_fraction)
    steep = places.mean(world.terrain.slope[world.terrain.land])
    on = {
        "static_water": water > WATER_LIMIT,
        "coast": places.land_fraction < 0.995,
        "urban": places.mean(world.cover.urban_fraction) > URBAN_LIMIT,
        "precipitation": rain > 0.5,
        "snow_or_ice": snow > SNOW_MM,
        "model_frozen_ground": frozen > FROZEN_LIMIT,
        "mountainous_terrain": steep > STEEP_DEG,
        "dense_vegetation": water_content > DENSE_KG_M2,
    }
    surface = np.zeros(frozen.shape, np.int16)
    for name, bit in SURFACE.items():
        surface |= np.where(on[name], np.int16(bit), np.int16(0))
    success = (frozen <= 0.5) & (snow <= 20.0) & (water < 0.5)
    unfit = surface & np.int16(sum(bit for name, bit in SURFACE.items() if name != "coast"))
    return surface, success, success & (unfit == 0) & ~interference


def _interference(world: World, places: Footprints) -> Masks:
    """Days with radio-frequency interference: often near towns, now and then anywhere."""
    rng = stream(world.settings.seed, "radiometer.interference")
    town = places.mean(world.cover.urban_fraction)
    chance = np.clip(0.004 + 1.2 * np.maximum(town - 0.05, 0.0), 0.0, 0.6)
    return np.asarray(rng.random((world.days.size, town.size), dtype=np.float32) < chance)


def observe_radiometer(world: World) -> Observed:
    """The SMAP-like product, one file a day, morning passes only."""
    settings, seed = world.settings.errors.radiometer, world.settings.seed
    places = footprints(world)
    plane = Plane.of(places.grid)
    count = world.days.size
    content = places.mean(vegetation_water(world))
    truth = places.mean(world.land.soil_moisture * world.land.liquid_fraction)
    interference = _interference(world, places)
    surface, success, recommended = _conditions(world, places, content, interference)
    std = settings.std * (1.0 + content / 2.5)
    own = plane.sample(stream(seed, "radiometer.noise"), count, 20.0, persistence_of(settings.memory_days)).reshape(
        count, -1
    )
    slow = plane.sample(stream(seed, "radiometer.bias"), 1, 120.0).reshape(-1)
    water = places.mean(world.cover.water_fraction)
    offset = settings.offset + settings.bias * slow + 0.15 * water
    # The correction for vegetation is not perfect: greener than usual reads wetter.
    value = settings.gain * truth + offset + 0.006 * (content - content.mean(axis=0)) + std * own
    value = np.where(
        interference, value - np.abs(stream(seed, "radiometer.rfi").normal(0.08, 0.04, value.shape)), value
    )
    value = np.clip(value, LOWEST, HIGHEST).astype(np.float32)
    lat = np.repeat(places.grid.lat, places.grid.shape[1])
    lon = np.tile(places.grid.lon, places.grid.shape[0])
    seen = RADIOMETER.seen(lat, lon, world.days) & places.inside & (places.land_fraction > 0.5)
    valid = seen & success
    quality = np.where(recommended, 0, NOT_RECOMMENDED) | np.where(success, 0, NOT_SUCCESSFUL)
    quality = np.where(seen, quality, NOT_RECOMMENDED | NOT_ATTEMPTED | NOT_SUCCESSFUL).astype(np.int16)
    layers = (
        moisture_layer(np.where(valid, value, np.float32(np.nan)), "soil moisture, 0-5 cm, at 06:00 local solar time"),
        Layer(
            "retrieval_qual_flag",
            quality,
            "1",
            "quality of the retrieval; a bit of 0 is good",
            "quality_flag",
            {
                "flag_masks": np.array([1, 2, 4], np.int16),
                "flag_meanings": "not_recommended not_attempted not_successful",
            },
        ),
        Layer(
            "surface_flag",
            np.where(seen, surface, np.int16(MISSING_FLAG)),
            "1",
            "conditions of the surface",
            "status_flag",
            {"flag_masks": np.array(list(SURFACE.values()), np.int16), "flag_meanings": " ".join(SURFACE)},
        ),
        Layer(
            "tb_qual_flag_h",
            np.where(seen, np.where(interference, RFI_BIT, 0), MISSING_FLAG).astype(np.int16),
            "1",
            "quality of the brightness temperature, horizontal polarization",
            "status_flag",
            {"flag_masks": np.array([RFI_BIT], np.int16), "flag_meanings": "radio_frequency_interference_detected"},
        ),
        Layer(
            "vegetation_water_content",
            np.where(seen, content, np.float32(np.nan)),
            "kg m-2",
            "vegetation water content",
        ),
    )
    return Observed(
        "smap_sm_am",
        "Simulated radiometer soil moisture, 36 km, morning passes",
        places.grid,
        np.arange(lat.size),
        world.days,
        1,
        "solar06",
        layers,
        ("simulated L-band radiometer",),
        ("simulated soil temperature", "simulated vegetation water content"),
        depth_m=(0.0, 0.05),
        quality={"variable": "retrieval_qual_flag", "clear_bits": [0]},
        error_std=np.sqrt((std.astype(float) ** 2).mean(axis=0)),
        gain=np.full(lat.size, settings.gain),
        offset=offset.astype(float),
    )
