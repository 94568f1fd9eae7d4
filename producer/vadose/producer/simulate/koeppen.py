"""Köppen-Geiger climate classes from monthly temperature and rain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.producer.simulate.simulation import World

Doubles = npt.NDArray[np.float64]

# Codes of Beck et al. (2018, doi 10.1038/sdata.2018.214).
CODES = (
    "Af", "Am", "Aw", "BWh", "BWk", "BSh", "BSk", "Csa", "Csb", "Csc", "Cwa", "Cwb", "Cwc", "Cfa", "Cfb", "Cfc",
    "Dsa", "Dsb", "Dsc", "Dsd", "Dwa", "Dwb", "Dwc", "Dwd", "Dfa", "Dfb", "Dfc", "Dfd", "ET", "EF",
)  # fmt: skip


def monthly_climate(world: World) -> tuple[Doubles, Doubles]:
    """Mean temperature in degrees Celsius and rain in mm of each calendar month, (12, cell) each.

    Months that the world does not cover take the mean of those that it does.
    """
    months = world.days.astype("datetime64[M]").astype(int) % 12
    lengths = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    temperature = np.full((12, world.index.size), np.nan)
    rain = temperature.copy()
    for month in np.unique(months):
        chosen = months == month
        temperature[month] = world.weather.air_temperature[chosen].mean(axis=0, dtype=float) - 273.15
        rain[month] = world.weather.precipitation[chosen].mean(axis=0, dtype=float) * lengths[month]
    for field in (temperature, rain):
        field[:] = np.where(np.isfinite(field), field, np.nanmean(field, axis=0))
    return temperature, rain


def classify(temperature: Doubles, rain: Doubles, southern: bool) -> npt.NDArray[np.str_]:
    """Köppen-Geiger class, (cell,), of monthly means (12, cell) (Peel et al. 2007, doi 10.5194/hess-11-1633-2007)."""
    summer = np.zeros(12, bool)
    summer[3:9] = True
    if southern:
        summer = ~summer
    year, warm, cold = rain.sum(axis=0), temperature.max(axis=0), temperature.min(axis=0)
    mean, driest = temperature.mean(axis=0), rain.min(axis=0)
    share = rain[summer].sum(axis=0) / np.maximum(year, 1e-9)
    threshold = 20.0 * mean + np.where(share >= 0.7, 280.0, np.where(share <= 0.3, 0.0, 140.0))
    dry_summer = (rain[summer].min(axis=0) < 40.0) & (rain[summer].min(axis=0) < rain[~summer].max(axis=0) / 3.0)
    dry_winter = rain[~summer].min(axis=0) < rain[summer].max(axis=0) / 10.0
    second = np.where(dry_summer, "s", np.where(dry_winter, "w", "f"))
    mild_months = (temperature >= 10.0).sum(axis=0)
    third = np.where(warm >= 22.0, "a", np.where(mild_months >= 4, "b", np.where(cold < -38.0, "d", "c")))
    tropical = np.where(driest >= 60.0, "Af", np.where(driest >= 100.0 - year / 25.0, "Am", "Aw"))
    arid = np.char.add(np.where(year < 0.5 * threshold, "BW", "BS"), np.where(mean >= 18.0, "h", "k"))
    temperate = np.char.add(np.char.add("C", second), np.where(third == "d", "c", third))
    boreal = np.char.add(np.char.add("D", second), third)
    polar = np.where(warm > 0.0, "ET", "EF")
    moist = np.where(cold >= 18.0, tropical, np.where(cold > 0.0, temperate, boreal))
    return np.asarray(np.where(warm < 10.0, polar, np.where(year < threshold, arid, moist)))


def climate_classes(world: World) -> npt.NDArray[np.str_]:
    """Köppen-Geiger class of each land cell, from its simulated weather."""
    temperature, rain = monthly_climate(world)
    return classify(temperature, rain, southern=bool(world.grid.lat.mean() < 0))
