"""The station files of a simulated world, as the producer writes them, read in one go."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from vadose.producer import grids, simulate
from vadose.producer.simulate import Network, Settings
from vadose.validation.stations import read_stations, station_days

WORLD = Settings(
    name="tiny", box=(-44.0, 39.0, -42.0, 41.0), start=date(2016, 4, 1), end=date(2016, 7, 31), seed=11,
    spin_up_days=60,
    network=Network(stations=4, clusters=1, cluster_stations=8, cosmic_ray=1),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world") / "tiny"
    simulate.write_world(WORLD, place, products=())
    return place / "stations"


@pytest.fixture(scope="module")
def dataset(folder: Path) -> xr.Dataset:
    return read_stations([folder / "ismn", folder / "cosmos", folder / "core_sites"])


def test_points_a_probe_and_a_core_site_come_out_of_one_world(dataset: xr.Dataset, funnel: Any) -> None:
    kinds = dataset["footprint_kind"].values.tolist()
    assert [kinds.count(kind) for kind in ("cosmic-ray", "core-site")] == [1, 1]
    points = dataset["station_name"].values[np.array(kinds) == "point"]
    assert len(set(points.tolist())) == 4
    assert dataset.attrs["files_unreadable"] == 0
    site = dataset.isel(station=kinds.index("core-site"))
    assert [str(site[name].values) for name in ("site_class", "status")] == ["core", "ok"]
    assert float(np.nanmedian(site["standard_error"])) > 0
    funnel.check(dataset, single=False)


def test_the_core_site_lies_in_the_cell_that_its_file_names(dataset: xr.Dataset, folder: Path) -> None:
    site = dataset.isel(station=dataset["footprint_kind"].values.tolist().index("core-site"))
    stations = np.genfromtxt(folder / "core_sites" / "SIM01_stations.csv", delimiter=",", skip_header=1, usecols=(3, 4))
    row, column = grids.global_grid("EASE2M09").locate(*stations[0])
    centre = grids.global_grid("EASE2M09").locate(float(site["lat"]), float(site["lon"]))
    assert (int(row), int(column)) == tuple(map(int, centre))


def test_the_series_of_a_site_is_the_mean_of_its_stations(folder: Path, dataset: xr.Dataset) -> None:
    site = dataset.isel(station=dataset["footprint_kind"].values.tolist().index("core-site"))
    points = read_stations([folder / "ismn"])
    members = points.isel(station=points["network"].values == "SIMCORE")["soil_moisture"].values
    complete = np.isfinite(members).all(axis=0)
    days = station_days(points)[complete]
    at = np.searchsorted(station_days(dataset), days)
    assert complete.sum() > 30
    np.testing.assert_allclose(site["soil_moisture"].values[at], members[:, complete].mean(axis=0), atol=1e-6)


def test_weights_of_the_file_are_read_where_the_site_asks_for_them(folder: Path, tmp_path: Path) -> None:
    for name in ("SIM01.yaml", "SIM01_stations.csv"):
        text = (folder / "core_sites" / name).read_text()
        (tmp_path / name).write_text(text.replace("weighting: arithmetic", "weighting: file"))
    one, two = (read_stations([folder / "ismn", place]) for place in (folder / "core_sites", tmp_path))
    np.testing.assert_allclose(one["soil_moisture"], two["soil_moisture"], atol=1e-6)
