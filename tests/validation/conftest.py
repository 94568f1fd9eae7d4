"""Builders of small products, stations and runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
FLAGS = (
    "outside_domain permanent_ice frozen_soil snow_cover dense_vegetation complex_topography wetland_or_open_water "
    "radio_frequency_interference no_valid_input gap_filled value_clipped_to_physical_range outside_training_support "
    "urban_area"
)


def truth(days: int, cells: int, seed: int = 0, start: int = 0) -> np.ndarray:
    """A seasonal soil moisture with weather, (day, cell), m3 m-3."""
    rng = np.random.default_rng(seed)
    weather = np.zeros((days, cells))
    noise = rng.standard_normal((days, cells))
    for day in range(1, days):
        weather[day] = 0.85 * weather[day - 1] + noise[day]
    season = np.sin((np.arange(days) + start) * 2 * np.pi / 365.25)[:, None]
    return 0.25 + 0.03 * season + 0.015 * weather


def make_file(
    path: Path, values: np.ndarray, lat: np.ndarray, lon: np.ndarray, first: str = "2015-04-01",
    variable: dict[str, Any] | None = None, **attributes: Any,
) -> Path:  # fmt: skip
    """One CF file with (time, lat, lon)."""
    days = np.datetime64(first) + np.arange(len(values))
    named = {"standard_name": SOIL_MOISTURE, "units": "m3 m-3", **(variable or {})}
    xr.Dataset(
        {"sm": (("time", "lat", "lon"), values.astype("f4"), {k: v for k, v in named.items() if v is not None})},
        coords={
            "time": days.astype("M8[ns]"), "lat": ("lat", lat, {"standard_name": "latitude"}),
            "lon": ("lon", lon, {"standard_name": "longitude"}),
        },
        attrs=attributes,
    ).to_netcdf(path, engine="netcdf4")  # fmt: skip
    return path


def make_granules(
    folder: Path, values: np.ndarray, lat: np.ndarray, lon: np.ndarray, flags: np.ndarray | None = None,
    first: str = "2015-04-01", uncertainty: float = 0.02, comment: str = "",
) -> Path:  # fmt: skip
    """A version folder with a granule a day, (day, lat, lon)."""
    for number, field in enumerate(values):
        day = np.datetime64(first) + number
        digits = str(day).replace("-", "")
        target = folder / "CDR" / digits[:4]
        target.mkdir(parents=True, exist_ok=True)
        with netCDF4.Dataset(target / f"VADOSE-TEST-L4-0P25DEG-DAILY-{digits}-CDR-v1.0.0.nc", "w") as file:
            file.product_version = "1.0.0"
            for name, size in (("time", 1), ("lat", lat.size), ("lon", lon.size)):
                file.createDimension(name, size)
            time = file.createVariable("time", "f8", ("time",))
            time.units, time.standard_name, time.comment = "days since 1970-01-01 00:00:00", "time", comment
            time[:] = (day - np.datetime64("1970-01-01")).astype(float) + 0.5
            for name, axis, standard in (("lat", lat, "latitude"), ("lon", lon, "longitude")):
                file.createVariable(name, "f8", (name,)).standard_name = standard
                file[name][:] = axis
            shape = ("time", "lat", "lon")
            file.createVariable("sm", "f4", shape, fill_value=-9999.0)[0] = np.nan_to_num(field, nan=-9999.0)
            file["sm"].setncatts(
                {"standard_name": SOIL_MOISTURE, "units": "m3 m-3", "long_name": "soil moisture, 0-5 cm"}
            )
            file.createVariable("sm_uncertainty", "f4", shape, fill_value=-9999.0)[0] = uncertainty
            file["sm_uncertainty"].standard_name = f"{SOIL_MOISTURE} standard_error"
            file.createVariable("flag", "i2", shape)[0] = 0 if flags is None else flags[number]
            file["flag"].setncatts(
                {"flag_masks": np.array([1 << bit for bit in range(13)], "i2"), "flag_meanings": FLAGS}
            )
    return folder


def make_stations(path: Path, values: np.ndarray, lat: np.ndarray, lon: np.ndarray, first: str = "2015-04-01") -> Path:
    """A CF timeSeries file as xarray writes it, values (station, time)."""
    days = np.datetime64(first) + np.arange(values.shape[1])
    xr.Dataset(
        {"soil_moisture": (("station", "time"), values, {"standard_name": SOIL_MOISTURE, "units": "m3 m-3"})},
        coords={
            "time": days.astype("M8[ns]"), "lat": ("station", lat, {"standard_name": "latitude"}),
            "lon": ("station", lon, {"standard_name": "longitude"}),
            "id": ("station", np.array([f"net/s{k}" for k in range(len(lat))], object), {"cf_role": "timeseries_id"}),
        },
        attrs={"featureType": "timeSeries"},
    ).to_netcdf(path, engine="netcdf4")  # fmt: skip
    return path


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[..., Any]]:
    """The builders by name: truth, file, granules, stations."""
    return {"truth": truth, "file": make_file, "granules": make_granules, "stations": make_stations}


GRID = np.arange(40.125, 43, 0.25)[::-1], np.arange(-100.125, -97, 0.25)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our granules of 2.2 years, a worse rival, a gridded reference with gaps, and stations."""
    folder = tmp_path_factory.mktemp("small")
    lat, lon = GRID
    days, cells = 800, lat.size * lon.size
    field = truth(days, cells).reshape(days, lat.size, lon.size)
    rng = np.random.default_rng(1)
    flags = np.where(rng.random(field.shape) < 0.05, 4, 0)
    make_granules(folder / "ours", field + 0.008 * rng.standard_normal(field.shape) + 0.01, lat, lon, flags)
    make_file(folder / "rival.nc", field + 0.03 * rng.standard_normal(field.shape), lat, lon)
    sparse = np.where(rng.random(field.shape) < 0.5, field + 0.01 * rng.standard_normal(field.shape), np.nan)
    make_file(folder / "reference.nc", sparse, lat, lon)
    rows, columns = rng.integers(0, lat.size, 12), rng.integers(0, lon.size, 12)
    series = field[:, rows, columns].T + 0.02 * rng.standard_normal((12, days)) + 0.02 * rng.standard_normal((12, 1))
    make_stations(folder / "stations.nc", series, lat[rows] + 0.05, lon[columns] - 0.05)
    return folder
