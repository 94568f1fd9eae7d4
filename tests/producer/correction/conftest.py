"""A small land with stations: a cube whose product errs with temperature, and a station dataset."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import box
from vadose.producer.methods.base import Inputs
from vadose.producer.recipe import Predictors
from vadose.producer.training.inputs import with_stations

DAYS = np.arange("2016-01-01", "2017-06-01", dtype="datetime64[D]")
CELLS = 36
DRIVERS = {"fvc": 0.5, "precipitation": 0.0, "land_surface_temperature_all_weather": 290.0, "evapotranspiration": 2.0}
PREDICTORS = Predictors(daily=("cci_sm", *DRIVERS), static=("porosity",))


def write_station_file(path: Path, cube: Cube, series: dict[int, Any], **changes: Any) -> Path:
    """A canonical station dataset with one station in the middle of each cell of `series`, {cell: (time,)}."""
    cells = np.array(list(series))
    columns = {
        "station_id": [f"net/s{cell}/0.05-0.05/probe" for cell in cells],
        "network": ["NORTH" if cube.lat[cell] > 21 else "SOUTH" for cell in cells],
        "status": ["ok"] * cells.size, "depth_class": ["surface"] * cells.size,
        "lat": cube.lat[cells], "lon": cube.lon[cells], "station_weight": np.ones(cells.size),
        "station_name": [f"s{cell}" for cell in cells],
        "days": cube.days, **changes,
    }  # fmt: skip
    days = columns.pop("days")
    with netCDF4.Dataset(path, "w") as file:
        file.vadose_stations = 2
        file.createDimension("station", cells.size)
        file.createDimension("time", days.size)
        file.createVariable("time", "f8", ("time",))[:] = days.astype(float) + 0.5
        for name, values in columns.items():
            kind = str if isinstance(values[0], str) else "f8"
            file.createVariable(name, kind, ("station",))[:] = np.array(values, object if kind is str else float)
        for name in ("soil_moisture", "soil_moisture_solar06"):
            variable = file.createVariable(name, "f4", ("station", "time"), fill_value=np.float32(np.nan))
            variable[:] = np.array([series[cell] for cell in cells], np.float32)
    return path


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """The cube without stations: `cci_sm` is too dry by a factor and drifts with temperature."""
    generator = np.random.default_rng(3)
    grid = box("0P25DEG", 0, 20, 1.5, 21.5)
    shape = (DAYS.size, CELLS)
    rain = generator.gamma(0.3, 8.0, shape) * (generator.random(shape) < 0.5)
    store = np.zeros(shape)
    for t in range(1, DAYS.size):
        store[t] = 0.9 * store[t - 1] + rain[t]
    warm = 290 + 8 * np.sin(np.arange(DAYS.size) / 58.0)[:, None] + generator.normal(0, 1, shape)
    truth = 0.08 + 0.2 * np.tanh(store / 40)
    product = 0.6 * truth + 0.05 + 0.004 * (warm - 290) + generator.normal(0, 0.01, shape)
    product[generator.random(shape) < 0.4] = np.nan
    cover = np.clip(0.5 + 0.3 * np.sin(np.arange(DAYS.size) / 60.0)[:, None] + 0 * rain, 0, 1)
    path = tmp_path_factory.mktemp("correction") / "land.zarr"
    with new_cube(path, grid, np.arange(CELLS), DAYS, title="land") as writer:
        for name, values in {
            "cci_sm": product, "era5_sm": truth, "precipitation": rain, "fvc": cover,
            "land_surface_temperature_all_weather": warm, "evapotranspiration": 2 + 0.1 * (warm - 290),
            "ascat_ssm": np.clip(product / 0.5 * 100, 0, 100),
        }.items():  # fmt: skip
            writer.add(name, values.astype(np.float32))
        writer.add("porosity", np.full(CELLS, 0.5, np.float32))
    return open_cube(path)


@pytest.fixture(scope="session")
def station_file(bare: Cube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stations in every third cell, near the truth."""
    generator = np.random.default_rng(4)
    truth = bare.read("era5_sm")
    series = {}
    for cell in range(0, CELLS, 3):
        values = truth[:, cell] + generator.normal(0, 0.01, DAYS.size)
        values[generator.random(DAYS.size) < 0.2] = np.nan
        series[cell] = values
    return write_station_file(tmp_path_factory.mktemp("stations") / "land.nc", bare, series)


@pytest.fixture(scope="session")
def land(bare: Cube, station_file: Path) -> Inputs:
    """What a method reads of the land."""
    stations = {"insitu": station_file}
    return Inputs({"main": with_stations(bare, stations, "solar06")}, "in_situ_sm", PREDICTORS, stations)


@pytest.fixture(scope="session")
def station_files():
    """The writer of station datasets."""
    return write_station_file
