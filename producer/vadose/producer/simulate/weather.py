"""Daily weather of the land cells: stochastic rain, cloud, radiation, air temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gamma, ndtr, ndtri

from vadose.producer.grids import Grid
from vadose.producer.simulate.climate import ClimateMap, extraterrestrial_radiation, season
from vadose.producer.simulate.fields import Floats, Plane, persistence_of, stream
from vadose.producer.simulate.settings import Climate

Doubles = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

# Shape of the Weibull distribution of wet-day amounts; below 1 the tail is heavier than exponential.
AMOUNT_SHAPE = 0.8
TRACE_MM = 0.1


@dataclass(frozen=True)
class Weather:
    """Weather of the land cells, (time, cell) each.

    Attributes
    ----------
    precipitation
        mm per UTC day.
    before_six
        Share of the day's precipitation that falls before 06:00 local solar time.
    rain_start, rain_hours
        UTC hour at which the day's precipitation begins, and how long it lasts.
    cloud
        Cloud cover, 0 to 1.
    air_temperature
        Daily mean, K.
    shortwave
        Daily mean downward radiation, W m-2.
    """

    precipitation: Floats
    before_six: Floats
    rain_start: Floats
    rain_hours: Floats
    cloud: Floats
    air_temperature: Floats
    shortwave: Floats


def day_of_year(days: Days) -> Doubles:
    """Day of the year, 1 on the first of January."""
    return np.asarray((days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) + 1.0)


def solar_hour(lon: Doubles, local_hour: float = 6.0) -> Doubles:
    """UTC hour of a local mean solar time within the UTC day: (local - longitude / 15) modulo 24."""
    return np.asarray((local_hour - np.asarray(lon) / 15.0) % 24.0)


def make_weather(
    grid: Grid, land: npt.NDArray[np.bool_], climate: ClimateMap, settings: Climate, days: Days, seed: int
) -> Weather:
    """Weather of the cells where `land` is true, in C order."""
    doy = day_of_year(days)
    southern = bool(grid.lat.mean() < 0)
    latent = _storms(grid, land, settings, doy, southern, seed)
    probability = _wet_probability(climate, land, doy, southern)
    precipitation = _amounts(latent, probability, climate.wet_day_amount_mm[land].astype(np.float32))
    # It is cloudy well before it is wet enough to rain.
    threshold = ndtri(1.0 - probability).astype(np.float32)
    cloud = ndtr(1.4 * (latent - threshold + np.float32(0.7))).astype(np.float32)
    start, hours = _timing(grid, land, days.size, precipitation, seed)
    six = solar_hour(np.broadcast_to(grid.lon[None, :], land.shape)[land]).astype(np.float32)
    before = np.clip((six - start) / hours, 0.0, 1.0)
    top = extraterrestrial_radiation(grid.lat, doy).astype(np.float32)[:, np.nonzero(land)[0]]
    temperature = _temperature(grid, land, climate, doy, southern, cloud, seed)
    return Weather(
        precipitation, before, start, hours, cloud, temperature, top * (np.float32(0.76) - np.float32(0.52) * cloud)
    )


def _storms(
    grid: Grid, land: npt.NDArray[np.bool_], settings: Climate, doy: Doubles, southern: bool, seed: int
) -> Floats:
    """Standard normal storm index, (time, cell): spells of weeks, passing storms, and showers, more so in summer."""
    plane = Plane.of(grid)
    count = doy.size

    def field(name: str, length: float, memory: float) -> Floats:
        return plane.sample(stream(seed, f"weather.{name}"), count, length, persistence_of(memory))[:, land]

    summer = (0.5 + 0.5 * season(doy, 200.0, southern)).astype(np.float32)[:, None]
    spell_share, shower_share = np.float32(0.12), np.float32(0.22) + np.float32(0.28) * summer
    storm_share = np.float32(1.0) - spell_share - shower_share
    index: Floats = np.sqrt(storm_share) * field("storms", settings.storm_length_km, 1.1)
    index += np.sqrt(shower_share) * field("showers", settings.shower_length_km, 0.5)
    index += np.sqrt(spell_share) * field("spells", 3.0 * settings.storm_length_km, 30.0)
    return index


def _wet_probability(climate: ClimateMap, land: npt.NDArray[np.bool_], doy: Doubles, southern: bool) -> Floats:
    summer = climate.summer_rain[land][None, :]
    course = 1.0 + 0.5 * (
        (1.0 - summer) * season(doy, 20.0, southern)[:, None] + summer * season(doy, 190.0, southern)[:, None]
    )
    return np.clip(climate.wet_day_fraction[land][None, :] * course, 0.01, 0.85).astype(np.float32)


def _amounts(latent: Floats, probability: Floats, mean_mm: Floats) -> Floats:
    """Rain from the storm index: wet above a threshold, amounts Weibull with the given mean."""
    # 1 - exceedance within the wet part; deep in a storm it goes to 0.
    tail = np.clip(ndtr(-latent) / probability, 1e-6, 1.0)
    scale = mean_mm / np.float32(gamma(1.0 + 1.0 / AMOUNT_SHAPE))
    amount = scale * np.power(-np.log(tail), np.float32(1.0 / AMOUNT_SHAPE))
    return np.where(amount >= TRACE_MM, amount, 0.0).astype(np.float32)


def _timing(
    grid: Grid, land: npt.NDArray[np.bool_], count: int, precipitation: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Begin and duration of the day's rain in hours; heavy rain lasts longer, neighbours have it together."""
    phase = Plane.of(grid).sample(stream(seed, "weather.timing"), count, 250.0)[:, land]
    hours = np.clip(2.0 + 1.4 * np.sqrt(precipitation), 2.0, 16.0).astype(np.float32)
    return (ndtr(phase).astype(np.float32) * (np.float32(24.0) - hours)), hours


def _temperature(
    grid: Grid, land: npt.NDArray[np.bool_], climate: ClimateMap, doy: Doubles, southern: bool, cloud: Floats, seed: int
) -> Floats:
    """Daily mean air temperature: climate, season, air masses, and cloud that cools summers and warms winters."""
    masses = Plane.of(grid).sample(stream(seed, "weather.air"), doy.size, 450.0, persistence_of(4.0))[:, land]
    warm = season(doy, 203.0, southern).astype(np.float32)[:, None]
    mean = climate.temperature_k[land].astype(np.float32)[None, :]
    amplitude = climate.seasonal_amplitude_k[land].astype(np.float32)[None, :]
    spread = np.float32(3.4) - np.float32(0.9) * warm
    result: Floats = mean + amplitude * warm + spread * masses - np.float32(3.0) * warm * (cloud - np.float32(0.5))
    return result
