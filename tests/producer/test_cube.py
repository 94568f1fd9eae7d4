"""The cube is a CF dataset, appears whole, and reads back what was written."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from vadose.common import InputError
from vadose.producer.cube import new_cube, open_cube
from vadose.producer.grids import box

DAYS = np.arange("2020-01-01", "2020-01-11", dtype="datetime64[D]")
GRID = box("0P25DEG", 0, 50, 1, 51)
INDEX = np.array([0, 5, 6, 15])


def write(path: Path, rain: np.ndarray) -> None:
    with new_cube(path, GRID, INDEX, DAYS, title="test") as writer:
        writer.add("precipitation", rain)
        writer.add("clay", np.arange(4.0))
        writer.count("precipitation", read=40, kept=39)
        writer.source(name="a.nc", bytes=3, sha256="00", producer="p", version="1", licence="CC0-1.0")


def test_cube_reads_back_what_was_written(tmp_path: Path) -> None:
    rain = np.random.default_rng(0).random((10, 4)).astype(np.float32)
    write(tmp_path / "c.zarr", rain)
    cube = open_cube(tmp_path / "c.zarr")
    np.testing.assert_array_equal(cube.read("precipitation"), rain)
    np.testing.assert_array_equal(cube.read("precipitation", slice(2, 4), slice(1, 3)), rain[2:4, 1:3])
    assert (cube.days == DAYS).all()
    assert cube.lat[1] == GRID.lat[1]
    assert cube.lon[1] == GRID.lon[1]
    assert cube.counts == {"precipitation": {"read": 40, "kept": 39}}
    assert cube.provenance[0]["sha256"] == "00"


def test_hidden_values_are_missing_for_whoever_reads(tmp_path: Path) -> None:
    rain = np.random.default_rng(0).random((10, 4)).astype(np.float32)
    write(tmp_path / "c.zarr", rain)
    cube = open_cube(tmp_path / "c.zarr")
    first, second = np.zeros((2, 10, 4), bool)
    first[3, 1] = second[5] = True
    veiled = cube.hiding("precipitation", first).hiding("precipitation", second)
    np.testing.assert_array_equal(np.isnan(veiled.read("precipitation")), first | second)
    assert np.isnan(veiled.read("precipitation", slice(3, 6), slice(1, 2)))[:, 0].tolist() == [True, False, True]
    np.testing.assert_array_equal(cube.read("precipitation"), rain)
    with pytest.raises(ValueError, match="a mask of"):
        cube.hiding("precipitation", first[:3])


def test_cube_is_a_cf_dataset_gathered_over_land(tmp_path: Path) -> None:
    write(tmp_path / "c.zarr", np.zeros((10, 4), np.float32))
    with xr.open_zarr(tmp_path / "c.zarr") as dataset:
        assert dataset["cell"].attrs["compress"] == "lat lon"
        assert dataset["precipitation"].attrs["standard_name"] == "lwe_precipitation_rate"
        assert str(dataset["time"].values[0]) == "2020-01-01T12:00:00.000000000"


def test_failed_ingest_leaves_no_cube(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_cube(tmp_path / "c.zarr", GRID, INDEX, DAYS, title="t"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_missing_variable_says_what_the_cube_holds(tmp_path: Path) -> None:
    write(tmp_path / "c.zarr", np.zeros((10, 4), np.float32))
    with pytest.raises(InputError, match=r"no variable 'albedo'.*precipitation, clay"):
        open_cube(tmp_path / "c.zarr").read("albedo")


def test_a_folder_that_is_no_cube_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a vadose cube"):
        open_cube(tmp_path)
    with pytest.raises(InputError, match="no such cube"):
        open_cube(tmp_path / "none.zarr")


def test_equal_inputs_give_equal_content_hashes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.zarr", np.zeros((10, 4), np.float32))
    assert open_cube(tmp_path / "a.zarr").content_hash == open_cube(tmp_path / "b.zarr").content_hash
