"""Stations and products of any size for the validation benchmarks, as files that a user would have."""

from pathlib import Path

import numpy as np
import xarray as xr

SOIL_MOISTURE = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3"}
FIRST = np.datetime64("2010-01-01", "D")


def truth(cells: int, days: int, seed: int) -> np.ndarray:
    """A seasonal soil moisture with weather that lasts a week, (cell, day), m3 m-3."""
    rng = np.random.default_rng(seed)
    weather = rng.standard_normal((cells, days)).astype(np.float32)
    for day in range(1, days):
        weather[:, day] = 0.87 * weather[:, day - 1] + 0.5 * weather[:, day]
    season = np.sin(np.arange(days) * 2 * np.pi / 365.25).astype(np.float32)
    return 0.25 + 0.04 * season + 0.03 * weather


def product(values: np.ndarray, error: float, gaps: float, seed: int) -> np.ndarray:
    """The truth with noise, and a share of days missing."""
    rng = np.random.default_rng(seed)
    noisy = values + error * rng.standard_normal(values.shape, np.float32)
    return np.where(rng.random(values.shape, np.float32) < gaps, np.float32(np.nan), noisy)


def places(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stations in groups of about five, as networks have them."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform((-40, -120), (60, 150), (max(count // 5, 1), 2))
    chosen = centres[rng.integers(len(centres), size=count)] + rng.uniform(-0.6, 0.6, (count, 2))
    return chosen[:, 0], chosen[:, 1]


def write_series(path: Path, values: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> Path:
    """A CF time-series file, (station, time)."""
    days = FIRST + np.arange(values.shape[1])
    names = np.array([f"net{k % 12}/s{k}" for k in range(len(values))], object)
    xr.Dataset(
        {
            "soil_moisture": (("station", "time"), values.astype("f4"), SOIL_MOISTURE),
            "network": ("station", np.array([name.split("/")[0] for name in names], object)),
            "climate": ("station", np.array([("Cfb", "Dfb", "BSk", "Aw")[k % 4] for k in range(len(values))], object)),
            "land_cover": ("station", np.array([str(10 * (k % 5)) for k in range(len(values))], object)),
        },
        coords={
            "time": days.astype("M8[ns]"), "lat": ("station", lat, {"standard_name": "latitude"}),
            "lon": ("station", lon, {"standard_name": "longitude"}),
            "id": ("station", names, {"cf_role": "timeseries_id"}),
        },
        attrs={"featureType": "timeSeries"},
    ).to_netcdf(path, engine="netcdf4")  # fmt: skip
    return path


def write_network(folder: Path, stations: int, days: int, products: int) -> dict[str, Path]:
    """Station file and product files: the first product is ours."""
    lat, lon = places(stations)
    true = truth(stations, days, 0)
    out = {"stations": write_series(folder / "stations.nc", product(true, 0.03, 0.2, 1), lat, lon)}
    for number in range(products):
        values = product(true, 0.02 + 0.01 * number, 0.1 * number, 10 + number)
        out[f"p{number}"] = write_series(folder / f"p{number}.nc", values, lat, lon)
    return out


def write_map(folder: Path, rows: int, columns: int, days: int, products: int) -> dict[str, Path]:
    """A part of a map of a quarter degree, all of it land: a gridded reference and products, (time, lat, lon)."""
    lat, lon = 60.0 - 0.25 * np.arange(rows) - 0.125, -20.0 + 0.25 * np.arange(columns) + 0.125
    true = truth(rows * columns, days, 0)
    out = {"reference": write_grid(folder / "reference.nc", product(true, 0.03, 0.2, 1), lat, lon)}
    for number in range(products):
        values = product(true, 0.02 + 0.01 * number, 0.1 * number, 10 + number)
        out[f"p{number}"] = write_grid(folder / f"p{number}.nc", values, lat, lon)
    return out


def write_grid(path: Path, values: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> Path:
    """A CF file of a grid, (time, lat, lon), from series of its cells, (cell, time)."""
    days = FIRST + np.arange(values.shape[1])
    field = np.ascontiguousarray(values.astype("f4").T).reshape(-1, lat.size, lon.size)
    xr.Dataset(
        {"sm": (("time", "lat", "lon"), field, SOIL_MOISTURE)},
        coords={
            "time": days.astype("M8[ns]"), "lat": ("lat", lat, {"standard_name": "latitude"}),
            "lon": ("lon", lon, {"standard_name": "longitude"}),
        },
    ).to_netcdf(path, engine="netcdf4")  # fmt: skip
    return path
