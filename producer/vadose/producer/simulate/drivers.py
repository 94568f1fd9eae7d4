"""Observed drivers: weather, surface temperature, vegetation, albedo, evapotranspiration, maps; all with defects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.producer.simulate.fields import Floats, Plane, persistence_of, stream
from vadose.producer.simulate.land import vegetation_cover
from vadose.producer.simulate.observed import Layer, Observed, daily
from vadose.producer.simulate.simulation import World
from vadose.producer.simulate.weather import Days
from vadose.producer.vocabulary import VOCABULARY

CLEAR = 0.45
FALSE_RAIN_SHARE = 0.004
ALBEDO_DAYS = 5


def _noise(world: World, name: str, length_km: float, memory_days: float = 0.0, count: int | None = None) -> Floats:
    size = world.days.size if count is None else count
    fields = Plane.of(world.grid).sample(
        stream(world.settings.seed, name), size, length_km, persistence_of(memory_days)
    )
    return fields.reshape(size, -1)[:, world.index]


def observe_precipitation(world: World) -> Observed:
    """Rain with a multiplicative error, a regional bias, light rain not seen and some that never fell."""
    errors, truth = world.settings.errors, world.weather.precipitation
    spread = np.float32(errors.precipitation)
    factor = np.exp(spread * _noise(world, "precipitation.error", 90.0, 0.8) - spread**2 / 2)
    regional = np.exp(np.float32(0.10) * _noise(world, "precipitation.bias", 250.0, count=1))
    chance = stream(world.settings.seed, "precipitation.missed").random(truth.shape, dtype=np.float32)
    missed = (truth < 2.0) & (chance < errors.precipitation_missed)
    false = (truth == 0.0) & (chance > 1.0 - FALSE_RAIN_SHARE)
    value = np.where(missed, 0.0, truth * factor * regional) + np.where(false, np.float32(1.5), np.float32(0.0))
    return daily(
        world,
        "precipitation",
        np.round(value, 2),
        sensors=("simulated precipitation radar",),
        inputs=("simulated gauges",),
    )


def observe_air_temperature(world: World) -> Observed:
    """Air temperature of a reanalysis: smooth errors that last."""
    value = world.weather.air_temperature + np.float32(world.settings.errors.temperature_k) * _noise(
        world, "air_temperature.error", 150.0, 2.0
    )
    return daily(world, "air_temperature", value, inputs=("simulated reanalysis weather",))


def observe_surface_temperature(world: World) -> Observed:
    """Clear-sky land surface temperature near noon: missing under cloud."""
    noise = np.float32(world.settings.errors.surface_temperature_k) * _noise(world, "lst.error", 25.0)
    clear = world.weather.cloud + np.float32(0.08) * _noise(world, "lst.mask", 40.0) < CLEAR
    value = np.where(clear, world.land.surface_temperature + noise, np.float32(np.nan))
    return daily(
        world, "land_surface_temperature", value, convention="clear_noon", sensors=("simulated thermal imager",)
    )


def observe_all_weather_temperature(world: World) -> Observed:
    """All-weather land surface temperature: no gaps, and a larger error with a cold bias under cloud."""
    size = np.float32(world.settings.errors.surface_temperature_k)
    cloud = world.weather.cloud
    noise = size * (np.float32(0.8) + np.float32(1.2) * cloud) * _noise(world, "lst_all_weather.error", 60.0, 0.7)
    value = world.land.surface_temperature + noise - np.float32(0.8) * cloud
    inputs = ("simulated reanalysis weather",)
    return daily(
        world,
        "land_surface_temperature_all_weather",
        value,
        convention="clear_noon",
        sensors=("simulated thermal imager",),
        inputs=inputs,
    )


def observe_albedo(world: World) -> Observed:
    """Albedo without gaps: the mean of the last days, with noise."""
    return _albedo(world, "albedo", world.land.albedo.astype(np.float64))


def observe_visible_albedo(world: World) -> Observed:
    """Albedo of visible light: leaves take most of it."""
    green = vegetation_cover(world.land.greenness.astype(np.float64))
    return _albedo(world, "albedo_visible", world.land.albedo * (0.85 - 0.5 * green))


def observe_near_infrared_albedo(world: World) -> Observed:
    """Albedo of the near infrared: leaves throw most of it back."""
    green = vegetation_cover(world.land.greenness.astype(np.float64))
    return _albedo(world, "albedo_near_infrared", world.land.albedo * (1.15 + 0.5 * green))


def _albedo(world: World, name: str, truth: npt.NDArray[np.float64]) -> Observed:
    total = np.cumsum(truth, axis=0)
    total[ALBEDO_DAYS:] -= total[:-ALBEDO_DAYS].copy()
    mean = total / np.minimum(np.arange(1, truth.shape[0] + 1), ALBEDO_DAYS)[:, None]
    value = mean + world.settings.errors.albedo * _noise(world, f"{name}.error", 30.0, 3.0)
    return daily(world, name, np.clip(value, 0.02, 0.95), sensors=("simulated optical imager",))


def observe_evapotranspiration(world: World) -> Observed:
    """Evapotranspiration of a remote-sensing model: too low by a tenth, with a multiplicative error."""
    factor = 0.9 * np.exp(np.float32(0.2) * _noise(world, "evapotranspiration.error", 150.0, 5.0) - np.float32(0.02))
    return daily(
        world,
        "evapotranspiration",
        world.land.evapotranspiration * factor,
        sensors=("simulated optical imager",),
        inputs=("simulated reanalysis weather",),
    )


def observe_soil_temperature(world: World) -> Observed:
    """Soil temperature of a reanalysis, top layer, in the morning."""
    value = world.land.soil_temperature + np.float32(world.settings.errors.temperature_k) * _noise(
        world, "soil_temperature.error", 150.0, 3.0
    )
    return daily(world, "soil_temperature", value, convention="solar06", inputs=("simulated reanalysis weather",))


def observe_snow(world: World) -> Observed:
    """Snow water equivalent of a reanalysis, with a multiplicative error."""
    value = world.land.snow_water_equivalent * np.exp(np.float32(0.25) * _noise(world, "snow.error", 120.0, 20.0))
    return daily(
        world,
        "snow_water_equivalent",
        np.where(value < 0.05, 0.0, value),
        convention="solar06",
        inputs=("simulated reanalysis weather",),
    )


def composite_starts(days: Days, length: int) -> Days:
    """First days of the composites that touch `days`; as with MODIS, they begin anew on the first of January."""
    years = np.arange(days[0].astype("datetime64[Y]"), days[-1].astype("datetime64[Y]") + 1)
    starts = np.concatenate(
        [np.arange(year.astype("datetime64[D]"), (year + 1).astype("datetime64[D]"), length) for year in years]
    )
    first = int(np.searchsorted(starts, days[0], "right")) - 1
    return starts[first : int(np.searchsorted(starts, days[-1], "right"))]


def _composite(world: World, name: str, truth: Floats, length: int) -> Observed:
    """Mean of the clear days of each period; snow and undetected cloud lower it; no clear day, no value."""
    starts = composite_starts(world.days, length)
    cloud = world.weather.cloud
    clear = ((cloud < CLEAR) & (world.land.snow_water_equivalent < 20.0)).astype(np.float32)
    white = np.clip(world.land.snow_water_equivalent / np.float32(10.0), 0.0, 1.0)
    seen = truth * (np.float32(1.0) - np.float32(0.6) * white) * (np.float32(1.0) - np.float32(0.25) * cloud)
    # reduceat needs positions inside the series; the first period may have begun before it.
    at = np.maximum(np.searchsorted(world.days, starts), 0)
    number = np.add.reduceat(clear, at, axis=0)
    total = np.add.reduceat(seen * clear, at, axis=0)
    noise = np.float32(world.settings.errors.index) * _noise(world, f"{name}.error", 20.0, count=starts.size)
    mean = total / np.maximum(number, 1.0) + noise / np.sqrt(np.maximum(number, 1.0) / 3.0)
    low, high = VOCABULARY[name].valid_range
    value = np.where(number > 0, np.clip(mean, low, high), np.nan).astype(np.float32)
    spec = VOCABULARY[name]
    layers = (
        Layer(name, value, spec.units, spec.long_name, spec.standard_name),
        Layer("clear_days", number.astype(np.int16), "1", "number of clear days in the composite"),
    )
    return Observed(
        name,
        f"Simulated {spec.long_name}, {length}-day composites",
        world.grid,
        world.index,
        starts,
        length,
        "composite",
        layers,
        ("simulated optical imager",),
        (),
    )


def observe_ndvi(world: World) -> Observed:
    """NDVI, 16-day composites."""
    return _composite(world, "ndvi", np.float32(0.10) + np.float32(0.80) * world.land.greenness, 16)


def observe_evi(world: World) -> Observed:
    """EVI, 16-day composites: does not saturate where NDVI does."""
    return _composite(world, "evi", np.float32(0.05) + np.float32(0.62) * world.land.greenness ** np.float32(1.2), 16)


def observe_fvc(world: World) -> Observed:
    """Fractional vegetation cover, 8-day composites."""
    return _composite(world, "fvc", vegetation_cover(world.land.greenness.astype(float)).astype(np.float32), 8)


def observe_static(world: World) -> Observed:
    """Terrain as it is, soil as maps know it: texture within a few percent, the rest derived from it."""
    land, rng = world.terrain.land, stream(world.settings.seed, "static.error")
    sand = np.clip(world.soil.sand + rng.normal(0.0, 4.0, world.index.size), 1.0, 97.0)
    clay = np.clip(world.soil.clay + rng.normal(0.0, 3.0, world.index.size), 1.0, 99.0 - sand)
    bulk = np.clip(world.soil.bulk_density + rng.normal(0.0, 0.05, world.index.size), 0.5, 1.9)
    aspect = np.deg2rad(world.terrain.aspect[land])
    maps: dict[str, npt.NDArray[np.float64]] = {
        "elevation": world.terrain.elevation[land],
        "slope": world.terrain.slope[land],
        "aspect_sine": np.sin(aspect),
        "aspect_cosine": np.cos(aspect),
        "sand": sand,
        "silt": 100.0 - sand - clay,
        "clay": clay,
        "bulk_density": bulk,
        "porosity": 1.0 - bulk / 2.65,
        "organic_carbon": np.clip(world.soil.organic_carbon * rng.lognormal(0.0, 0.15, world.index.size), 0.05, 50.0),
        "land_cover": world.cover.igbp.astype(float),
        "water_fraction": world.cover.water_fraction,
        "urban_fraction": world.cover.urban_fraction,
        "land_fraction": world.cover.land_fraction,
    }
    layers = tuple(
        Layer(
            name,
            values.astype(np.float32),
            VOCABULARY[name].units,
            VOCABULARY[name].long_name,
            VOCABULARY[name].standard_name,
        )
        for name, values in maps.items()
    )
    return Observed(
        "static",
        "Simulated terrain, soil and land cover",
        world.grid,
        world.index,
        world.days[:1],
        0,
        "static",
        layers,
        ("simulated survey",),
        (),
    )
