"""Potential evaporation of a day from radiation and temperature, or from temperature alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube

Floats = npt.NDArray[np.float64]

RADIATION = ("shortwave_radiation", "longwave_radiation")
TEMPERATURE = "air_temperature"
FREEZING = 273.15
STEFAN_BOLTZMANN = 5.670374e-8
SECONDS = 86400.0
# Latent heat of vaporisation, J kg-1, and share of radiation that a wet surface turns into evaporation.
LATENT_HEAT = 2.45e6
PRIESTLEY_TAYLOR = 1.26
# Of grass, where the cube does not say it; and of nearly all land in the thermal infrared.
ALBEDO = 0.23
EMISSIVITY = 0.98
SOLAR_CONSTANT = 1361.0


def potential_evaporation(cube: Cube, days: slice, cells: slice) -> Floats:
    """Potential evaporation in mm d-1, (time, cell); NaN where an input is missing.

    By Priestley and Taylor where the cube holds shortwave and longwave radiation, else by Oudin.
    """
    temperature = cube.read(TEMPERATURE, days, cells).astype(np.float64)
    if not set(RADIATION) <= set(cube.names):
        return oudin(temperature, cube.lat[cells], cube.days[days])
    shortwave, longwave = (cube.read(name, days, cells).astype(np.float64) for name in RADIATION)
    elevation = cube.read_static("elevation", cells).astype(np.float64) if "elevation" in cube.names else 0.0
    albedo = cube.read("albedo", days, cells).astype(np.float64) if "albedo" in cube.names else ALBEDO
    return priestley_taylor(shortwave, longwave, temperature, elevation, np.where(np.isfinite(albedo), albedo, ALBEDO))


def priestley_taylor(
    shortwave: npt.ArrayLike, longwave: npt.ArrayLike, temperature: npt.ArrayLike, elevation: npt.ArrayLike = 0.0,
    albedo: npt.ArrayLike = ALBEDO,
) -> Floats:  # fmt: skip
    """Potential evaporation in mm d-1, not below 0.

    Parameters
    ----------
    shortwave, longwave
        Downward radiation, mean of the day, W m-2.
    temperature
        Of the air, mean of the day, K; also taken for that of the surface.
    elevation
        Metres, for the pressure of the air.
    albedo
        Of the surface.

    Notes
    -----
    Priestley and Taylor 1972, doi 10.1175/1520-0493(1972)100<0081:OTAOSH>2.3.CO;2; slope of the vapour pressure and
    psychrometric constant by FAO Irrigation and Drainage Paper 56. The heat that goes into the ground in a day is left
    out.
    """
    kelvin = np.asarray(temperature, float)
    net = (1.0 - np.asarray(albedo)) * np.asarray(shortwave, float)
    net = net + EMISSIVITY * (np.asarray(longwave, float) - STEFAN_BOLTZMANN * kelvin**4)
    slope = vapour_pressure_slope(kelvin)
    share = slope / (slope + psychrometric(elevation))
    return np.asarray(np.maximum(PRIESTLEY_TAYLOR * share * net * SECONDS / LATENT_HEAT, 0.0))


def vapour_pressure_slope(temperature: npt.ArrayLike) -> Floats:
    """Slope of the saturation vapour pressure, kPa K-1, at a temperature in K."""
    celsius = np.maximum(np.asarray(temperature, float) - FREEZING, -60.0)
    pressure = 0.6108 * np.exp(17.27 * celsius / (celsius + 237.3))
    return np.asarray(4098.0 * pressure / (celsius + 237.3) ** 2)


def psychrometric(elevation: npt.ArrayLike) -> Floats:
    """Psychrometric constant, kPa K-1, at an elevation in metres."""
    return np.asarray(0.665e-3 * 101.3 * ((293.0 - 0.0065 * np.asarray(elevation, float)) / 293.0) ** 5.26)


def oudin(temperature: npt.ArrayLike, latitude: npt.ArrayLike, days: npt.NDArray[np.datetime64]) -> Floats:
    """Potential evaporation in mm d-1 from the mean temperature of a day, (time, cell).

    Parameters
    ----------
    temperature
        Of the air, K, (time, cell).
    latitude
        Degrees north, (cell,).
    days
        UTC days, (time,).

    Notes
    -----
    Oudin et al. 2005, doi 10.1016/j.jhydrol.2004.08.026: Ra (T + 5) / (100 lambda), T in degrees Celsius, 0 below -5.
    """
    celsius = np.asarray(temperature, float) - FREEZING
    above = extraterrestrial_radiation(latitude, days) * SECONDS / LATENT_HEAT
    return np.asarray(above * np.maximum(celsius + 5.0, 0.0) / 100.0)


def extraterrestrial_radiation(latitude: npt.ArrayLike, days: npt.NDArray[np.datetime64]) -> Floats:
    """Mean of a day of the solar radiation above the atmosphere, W m-2, (time, cell), by FAO paper 56."""
    number = (days - days.astype("datetime64[Y]")).astype(int)[:, None] + 1.0
    angle = 2.0 * np.pi * number / 365.0
    declination = 0.409 * np.sin(angle - 1.39)
    phi = np.radians(np.asarray(latitude, float))[None, :]
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(SOLAR_CONSTANT / np.pi * (1.0 + 0.033 * np.cos(angle)) * height)
