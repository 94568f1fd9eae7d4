"""GLDAS-Noah: the real files, and look-alikes of a whole day."""

import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from vadose.common import InputError, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.ingest import Order, gldas

FIRST = "GLDAS_NOAH025_3H.A20150101.0000.021.nc4"


def ingest(paths: list[Path], folder: Path, **more: object) -> Cube:
    order = Order(files=tuple(paths), cube=folder / "c.zarr", title="test", origin=gldas.ORIGIN, **more)  # type: ignore[arg-type]
    gldas.ingest(order, silent)
    return open_cube(order.cube)


@pytest.fixture(scope="module")
def real(vadose_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return ingest([vadose_data / "gldas" / FIRST], tmp_path_factory.mktemp("gldas"), options={"steps": 1})


def make_file(folder: Path, hours: int, **fields: np.ndarray | float) -> Path:
    """A look-alike of 4 x 5 cells, `hours` after 2020-01-01 00 UTC."""
    units = {"SoilMoi0_10cm_inst": "kg m-2", "Rainf_f_tavg": "kg m-2 s-1", "Albedo_inst": "%"}
    path = folder / f"GLDAS_NOAH025_3H.A2020010{1 + hours // 24}.{hours % 24:02d}00.021.nc4"
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in {"lon": 5, "lat": 4, "time": 1}.items():
            dataset.createDimension(name, size)
        for name, values in {"lat": 10.125 + 0.25 * np.arange(4), "lon": 20.125 + 0.25 * np.arange(5)}.items():
            dataset.createVariable(name, "f4", (name,), fill_value=np.float32(-9999))[:] = values
        time = dataset.createVariable("time", "f8", ("time",))
        time.units = " minutes since 2020-01-01 00:00:00"
        time[:] = hours * 60
        for name, values in fields.items():
            item = dataset.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=np.float32(-9999))
            item.units = units[name]
            item[:] = np.broadcast_to(values, (1, 4, 5))
        dataset.setncattr("conventions", "CF-1.6")
        dataset.setncattr("tavg definision:", "past 3-hour average")
    return path


def test_land_cells_and_their_mean_are_those_of_the_data_page(real: Cube) -> None:
    soil = real.read("noah_sm")[real.day_index(np.datetime64("2015-01-01"))].astype(np.float64)
    assert real.index.size == int(np.isfinite(soil).sum()) == 243_883
    assert soil.mean() * 100 == pytest.approx(25.274, abs=1e-3)
    assert (soil.min() * 100, soil.max() * 100) == pytest.approx((2.0, 47.6), abs=1e-4)


def test_cells_are_those_of_the_land_mask(real: Cube, vadose_data: Path) -> None:
    with netCDF4.Dataset(vadose_data / "statics/GLDASp4_landmask_025d.nc4") as dataset:
        mask = np.asarray(dataset["GLDAS_mask"][0])[::-1] == 1
    assert real.grid.shape == (600, 1440)
    assert np.array_equal(real.index, np.flatnonzero(mask))


def test_what_looks_back_belongs_to_the_day_before(real: Cube) -> None:
    assert [str(day) for day in real.days] == ["2014-12-31", "2015-01-01"]
    for name, days in {"precipitation": [True, False], "noah_sm": [False, True], "albedo": [False, True]}.items():
        assert np.isfinite(real.read(name)).any(axis=1).tolist() == days


def test_units_are_converted_by_declared_rules(real: Cube, vadose_data: Path) -> None:
    with netCDF4.Dataset(vadose_data / "gldas" / FIRST) as dataset:
        stored = {
            name: dataset[name][0][::-1]
            for name in ("Rainf_f_tavg", "Albedo_inst", "SoilMoi10_40cm_inst", "AvgSurfT_inst")
        }
    native = {name: np.ma.filled(values, np.nan).ravel()[real.index] for name, values in stored.items()}
    np.testing.assert_allclose(real.read("precipitation")[0], native["Rainf_f_tavg"] * 86400, rtol=1e-6)
    np.testing.assert_allclose(real.read("albedo")[1], native["Albedo_inst"] / 100, rtol=1e-6)
    np.testing.assert_allclose(real.read("noah_sm_layer2")[1], native["SoilMoi10_40cm_inst"] / 300, rtol=1e-6)
    surface = real.read("land_surface_temperature_all_weather")[1]
    assert (surface.min(), surface.max()) == pytest.approx((211.84, 322.09), abs=0.01)


def test_negative_humidity_is_missing_and_counted(real: Cube, vadose_data: Path) -> None:
    with netCDF4.Dataset(vadose_data / "gldas" / FIRST) as dataset:
        negative = int((dataset["Qair_f_inst"][:] < 0).sum())
    assert 0 < negative == real.counts["specific_humidity"]["outside_range"]


def test_every_real_file_has_the_same_land(vadose_data: Path, tmp_path: Path) -> None:
    names = ("noah_sm", "noah_sm_layer2")
    cube = ingest([vadose_data / "gldas"], tmp_path, options={"steps": 2}, names=names)
    assert [str(day) for day in cube.days] == ["2016-01-01"]
    assert cube.index.size == 243_883
    # Two steps, whose means are 25.575 and 25.568 kg m-2.
    assert cube.read("noah_sm").astype(np.float64).mean() * 100 == pytest.approx((25.575 + 25.568) / 2, abs=1e-3)


def test_too_few_steps_name_the_day_and_the_option(vadose_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no day with 8 steps; 2016-01-01 has 2.*--steps 2"):
        ingest([vadose_data / "gldas"], tmp_path, names=("noah_sm",))


def test_a_day_of_means_runs_from_three_to_twenty_four(tmp_path: Path) -> None:
    for hours in range(0, 27, 3):
        make_file(tmp_path, hours, SoilMoi0_10cm_inst=10.0 + hours, Rainf_f_tavg=hours * 1e-6)
    cube = ingest([tmp_path], tmp_path)
    assert [str(day) for day in cube.days] == ["2020-01-01"]
    assert cube.read("noah_sm")[0] == pytest.approx(np.mean(10.0 + np.arange(0, 24, 3)) / 100)
    assert cube.read("precipitation")[0] == pytest.approx(np.mean(np.arange(3, 27, 3)) * 1e-6 * 86400)


def test_a_cell_without_one_of_the_steps_has_no_mean(tmp_path: Path) -> None:
    for hours in range(0, 24, 3):
        soil = np.full((4, 5), 20.0)
        soil[1, 2] = np.nan if hours == 9 else 20.0
        make_file(tmp_path, hours, SoilMoi0_10cm_inst=np.where(np.isnan(soil), -9999, soil))
    cube = ingest([tmp_path], tmp_path)
    # Row 1 from the south is row 2 from the north.
    assert np.flatnonzero(np.isnan(cube.read("noah_sm")[0])).tolist() == [2 * 5 + 2]


def test_coordinates_that_hold_the_fill_value_are_restored(tmp_path: Path) -> None:
    path = make_file(tmp_path, 0, SoilMoi0_10cm_inst=np.arange(20.0).reshape(4, 5) + 5)
    whole = ingest([path], tmp_path / "a", options={"steps": 1})
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["lat"][1:3] = -9999.0
        dataset["lon"][0] = -9999.0
    restored = ingest([path], tmp_path / "b", options={"steps": 1})
    assert np.array_equal(restored.index, whole.index)
    assert np.array_equal(restored.read("noah_sm"), whole.read("noah_sm"))
    assert np.array_equal(restored.lat, whole.lat)


def test_coordinates_that_cannot_be_restored_are_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path, 0, SoilMoi0_10cm_inst=20.0)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["lat"][1:] = -9999.0
    with pytest.raises(InputError, match="fewer than two coordinates.*latitude"):
        ingest([path], tmp_path, options={"steps": 1})


def test_two_files_of_one_time_are_named(tmp_path: Path) -> None:
    path = make_file(tmp_path, 3, SoilMoi0_10cm_inst=20.0)
    shutil.copy(path, tmp_path / "copy.nc4")
    with pytest.raises(InputError, match=r"2020-01-01T03:00 appears twice.*0300.*copy\.nc4|copy\.nc4.*0300"):
        ingest([tmp_path], tmp_path, options={"steps": 1})


def test_a_variable_missing_in_one_file_is_named(tmp_path: Path) -> None:
    make_file(tmp_path, 0, SoilMoi0_10cm_inst=20.0, Albedo_inst=20.0)
    make_file(tmp_path, 3, SoilMoi0_10cm_inst=20.0)
    with pytest.raises(InputError, match=r"no variable 'Albedo_inst'.*\.0300\.021\.nc4"):
        ingest([tmp_path], tmp_path, options={"steps": 2})


def test_units_that_change_between_files_are_refused(tmp_path: Path) -> None:
    make_file(tmp_path, 0, SoilMoi0_10cm_inst=20.0)
    with netCDF4.Dataset(make_file(tmp_path, 3, SoilMoi0_10cm_inst=0.2), "a") as dataset:
        dataset["SoilMoi0_10cm_inst"].units = "m3 m-3"
    with pytest.raises(InputError, match="'m3 m-3' here and 'kg m-2' in another file"):
        ingest([tmp_path], tmp_path, options={"steps": 2})


def test_another_grid_in_one_file_is_refused(tmp_path: Path) -> None:
    make_file(tmp_path, 0, SoilMoi0_10cm_inst=20.0)
    with netCDF4.Dataset(make_file(tmp_path, 3, SoilMoi0_10cm_inst=20.0), "a") as dataset:
        dataset["lat"][:] = dataset["lat"][:][::-1]
    with pytest.raises(InputError, match="differ from those of the first file"):
        ingest([tmp_path], tmp_path, options={"steps": 2})
