"""One door for every shape of product: grids, points, gathered cells, projections, groups, and real files."""

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr
import yaml

from vadose.common import InputError, UsageError
from vadose.validation.extraction import extract
from vadose.validation.layout import global_geometry
from vadose.validation.products import open_product

NAMED = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3"}
LAT, LON = np.array([42.0, 41.0, 40.0]), np.array([-100.0, -99.0])
VALUES = np.arange(24.0).reshape(4, 3, 2) / 100
DAYS = np.datetime64("2015-04-01", "ns") + np.arange(4) * np.timedelta64(1, "D")


def at(path: Path, lat: float, lon: float, **options: Any) -> np.ndarray:
    """The series of the cell that contains a place."""
    product = open_product("x", str(path), **options)
    row, column = product.geometry.containing(lat, lon)
    assert row[0] >= 0
    return extract(product, row, column).values[0]


def write(path: Path, dims: tuple[str, ...], values: np.ndarray, **coords: Any) -> Path:
    dataset = xr.Dataset({"sm": (dims, values.astype("f4"), NAMED)}, coords=coords)
    dataset.to_netcdf(path, engine="netcdf4")
    return path


@pytest.mark.parametrize("dims", [("time", "lat", "lon"), ("lon", "lat", "time"), ("lat", "time", "lon")])
def test_dimensions_may_come_in_any_order(tmp_path: Path, dims: tuple[str, ...]) -> None:
    whole = xr.DataArray(VALUES, dims=("time", "lat", "lon")).transpose(*dims).values
    path = write(tmp_path / "x.nc", dims, whole, time=DAYS, lat=LAT, lon=LON)
    np.testing.assert_allclose(at(path, 41.2, -99.3), VALUES[:, 1, 1], atol=1e-7)


@pytest.mark.parametrize("dims", [("station", "time"), ("time", "station")])
def test_time_series_files_are_met_at_the_nearest_point(tmp_path: Path, dims: tuple[str, ...]) -> None:
    flat = VALUES.reshape(4, 6)
    values = flat if dims[0] == "time" else flat.T
    lat, lon = np.repeat(LAT, 2), np.tile(LON, 3)
    path = write(tmp_path / "x.nc", dims, values, time=DAYS, lat=("station", lat), lon=("station", lon))
    np.testing.assert_allclose(at(path, 41.05, -99.05), VALUES[:, 1, 1], atol=1e-7)
    product = open_product("x", str(path))
    assert product.geometry.containing(30.0, -99.0)[0][0] == -1


def test_scattered_points_keep_their_order_whatever_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(30, 50, 500), rng.uniform(-120, -70, 500)
    values = rng.uniform(0.1, 0.4, (500, 4))
    path = write(tmp_path / "x.nc", ("s", "time"), values, time=DAYS, lat=("s", lat), lon=("s", lon))
    product = open_product("x", str(path))
    wanted = np.array([400, 3, 77])
    found = extract(product, np.zeros(3, int), wanted)
    np.testing.assert_allclose(found.values, values[wanted], atol=1e-7)


def test_gathered_cells_of_a_netcdf_file_find_their_grid(tmp_path: Path) -> None:
    kept = np.array([0, 3, 5])
    dataset = xr.Dataset(
        {"sm": (("time", "cell"), VALUES.reshape(4, 6)[:, kept].astype("f4"), NAMED)},
        coords={"time": DAYS, "lat": LAT, "lon": LON, "cell": ("cell", kept, {"compress": "lat lon"})},
    )
    dataset["lat"].attrs["standard_name"], dataset["lon"].attrs["standard_name"] = "latitude", "longitude"
    dataset.to_netcdf(tmp_path / "x.nc")
    np.testing.assert_allclose(at(tmp_path / "x.nc", 41.0, -99.0), VALUES[:, 1, 1], atol=1e-7)
    assert np.isnan(at(tmp_path / "x.nc", 41.0, -100.0)).all()


def test_two_dimensional_coordinates_of_a_regular_grid_are_a_grid(tmp_path: Path) -> None:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    path = write(tmp_path / "x.nc", ("time", "y", "x"), VALUES, time=DAYS, lat=(("y", "x"), lat), lon=(("y", "x"), lon))
    np.testing.assert_allclose(at(path, 41.4, -99.4), VALUES[:, 1, 1], atol=1e-7)
    assert open_product("x", str(path)).geometry.shape == (3, 2)


def test_a_curvilinear_grid_is_met_at_its_nearest_centre(tmp_path: Path) -> None:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    lat, lon = lat + 0.1 * (lon + 99.5), lon + 0.2 * (lat - 41)
    path = write(tmp_path / "x.nc", ("time", "y", "x"), VALUES, time=DAYS, lat=(("y", "x"), lat), lon=(("y", "x"), lon))
    np.testing.assert_allclose(at(path, lat[1, 1] + 0.02, lon[1, 1]), VALUES[:, 1, 1], atol=1e-7)


def ease2(path: Path, mapping: dict[str, Any] | None) -> Path:
    """Rows 70..73 and columns 220..222 of EASE-Grid 2.0 36 km with projection coordinates only."""
    step = 36032.220840584
    y, x = (203 - 0.5 - np.arange(70, 74)) * step, (np.arange(220, 223) + 0.5 - 482) * step
    values = np.arange(12.0).reshape(1, 4, 3) / 40
    dataset = xr.Dataset({"sm": (("time", "y", "x"), values.astype("f4"), NAMED)}, coords={"time": DAYS[:1]})
    dataset["y"] = ("y", y, {"standard_name": "projection_y_coordinate", "units": "m"})
    dataset["x"] = ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"})
    if mapping is not None:
        dataset["crs"] = ((), 0, mapping)
        dataset["sm"].attrs["grid_mapping"] = "crs"
    dataset.to_netcdf(path)
    return path


def test_projection_coordinates_and_a_grid_mapping_are_enough(tmp_path: Path) -> None:
    path = ease2(tmp_path / "x.nc", {"crs_wkt": "EPSG:6933"})
    product = open_product("x", str(path))
    whole = global_geometry("EASE2M36")
    np.testing.assert_allclose(product.geometry.lat_edges, whole.lat_edges[70:75], atol=1e-9)
    # Manhattan, Kansas lies in row 74, column 223: one to the south-east of this window.
    assert product.geometry.containing(39.10, -96.61)[0][0] == -1
    row, column = whole.lat[73], whole.lon[222]
    assert at(path, float(row), float(column))[0] == pytest.approx(11 / 40)


def test_a_product_without_coordinates_or_crs_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no grid mapping"):
        open_product("x", str(ease2(tmp_path / "x.nc", None)))


def test_a_level_is_chosen_by_the_layer_of_the_card_and_other_dimensions_are_refused(tmp_path: Path) -> None:
    stacked = np.stack([VALUES, VALUES + 0.1], axis=1)
    depth = ("depth", [0.25, 0.025], {"standard_name": "depth", "units": "m"})
    path = write(tmp_path / "x.nc", ("time", "depth", "lat", "lon"), stacked, time=DAYS, lat=LAT, lon=LON, depth=depth)
    np.testing.assert_allclose(at(path, 41, -99), VALUES[:, 1, 1] + 0.1, atol=1e-7)
    other = write(tmp_path / "y.nc", ("time", "member", "lat", "lon"), stacked, time=DAYS, lat=LAT, lon=LON)
    with pytest.raises(InputError, match="member of length 2"):
        open_product("x", str(other))


def test_a_mean_over_a_day_stamped_at_its_end_belongs_to_that_day(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nc", ("time", "lat", "lon"), VALUES, time=np.arange(4.0) + 1, lat=LAT, lon=LON)
    with xr.open_dataset(path, decode_times=False) as opened:
        dataset = opened.load()
    dataset["time"].attrs = {"units": "days since 2015-04-01", "bounds": "time_bnds"}
    dataset["time_bnds"] = (("time", "bnds"), np.stack([np.arange(4.0), np.arange(4.0) + 1], axis=1))
    dataset.to_netcdf(tmp_path / "end.nc")
    product = open_product("x", str(tmp_path / "end.nc"))
    assert extract(product, np.array([1]), np.array([1])).days[0] == np.datetime64("2015-04-01")


def test_several_values_a_day_are_averaged_only_where_a_card_says_daily_mean(tmp_path: Path, make: Any) -> None:
    for hour in (0, 12):
        path = write(
            tmp_path / f"p{hour:02d}.nc", ("time", "lat", "lon"), VALUES[hour // 12 : hour // 12 + 1],
            time=DAYS[:1] + np.timedelta64(hour, "h"), lat=LAT, lon=LON,
        )  # fmt: skip
        assert path.exists()
    with pytest.raises(InputError, match="comes 2 times"):
        at(tmp_path, 41, -99)
    card = {
        "product": "x",
        "producer": "y",
        "version": "1",
        "licence": "free",
        "variables": {"sm": {"name": "s", "day": "daily_mean"}},
    }
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(card))
    assert at(tmp_path, 41, -99)[0] == pytest.approx((VALUES[0, 1, 1] + VALUES[1, 1, 1]) / 2)


CARDS: dict[str, dict[str, Any]] = {
    "smap": {
        "grid": "EASE2M36",
        "variables": {"Soil_Moisture_Retrieval_Data/soil_moisture": {
            "name": "smap_sm_am", "layer_m": [0.0, 0.05], "day": "solar06",
            "flags": {"variable": "retrieval_qual_flag", "clear_bits": [0]},
        }},
    },
    "gldas": {"variables": {"SoilMoi0_10cm_inst": {"name": "gldas", "layer_m": [0.0, 0.1], "day": "daily_mean"}}},
    "era5": {"variables": {"swvl1": {"name": "era5", "layer_m": [0.0, 0.07], "day": "daily_mean"}}},
}  # fmt: skip


def with_card(folder: Path, name: str) -> dict[str, Any]:
    from vadose.validation.cards import load_card

    head = {"product": name, "producer": "x", "version": "1", "licence": "free"}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**head, **CARDS[name]}))
    return {"cards": {name: load_card(path)}}


def whole(name: str, path: Path, folder: Path) -> Any:
    product = open_product(name, str(path), **with_card(folder, name))
    rows, columns = product.geometry.shape
    grid = np.indices((rows, columns)).reshape(2, -1)
    return product, extract(product, grid[0], grid[1])


def test_a_native_smap_granule_comes_in_by_its_card(vadose_data: Path, tmp_path: Path) -> None:
    product, series = whole("smap", vadose_data / "smap_l3" / "SMAP_L3_SM_P_20150401_R13080_001.h5", tmp_path)
    assert np.isfinite(series.values).sum() == 20878
    assert series.flagged.sum() == 35278 - 20878
    assert series.days.tolist() == [np.datetime64("2015-04-01").item()]
    assert (product.day_convention, product.depth_class) == ("solar06", "surface")
    row, column = product.geometry.containing(39.10, -96.61)
    assert (int(row[0]), int(column[0])) == (74, 223)


def test_gldas_files_of_a_day_come_in_by_their_card(vadose_data: Path, tmp_path: Path) -> None:
    product, series = whole("gldas", vadose_data / "gldas" / "GLDAS_NOAH025_3H.A20150101.0000.021.nc4", tmp_path)
    values = series.values[np.isfinite(series.values)]
    assert values.size == 243_883
    assert values.mean() == pytest.approx(0.25274, abs=1e-5)
    assert product.depth_class == "shallow"
    assert str(series.days[0]) == "2015-01-01"


def test_era5_wraps_its_longitudes_and_keeps_small_negatives(vadose_data: Path, tmp_path: Path) -> None:
    product, series = whole("era5", vadose_data / "era5" / "ERA5_AN_20100101_0000.nc", tmp_path)
    assert int((series.values < 0).sum()) == 292
    assert product.geometry.wraps
    _, column = product.geometry.containing(39.74, -104.99)
    assert product.geometry.lon[column[0]] == pytest.approx(255.0)
    assert product.depth_class == "surface"


def test_a_named_grid_of_another_shape_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    given = with_card(tmp_path, "smap")
    wrong = given["cards"]["smap"].model_copy(update={"grid": "EASE2M09"})
    with pytest.raises(InputError, match="1624"):
        open_product(
            "smap", str(vadose_data / "smap_l3" / "SMAP_L3_SM_P_20150401_R13080_001.h5"), cards={"smap": wrong}
        )


def test_a_variable_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nc", ("time", "lat", "lon"), VALUES, time=DAYS, lat=LAT, lon=LON)
    with pytest.raises(UsageError, match="no variable 'swvl1'"):
        open_product("x", f"{path}::swvl1")


def test_packed_cells_that_a_gathered_file_does_not_store_are_missing(tmp_path: Path) -> None:
    stored = np.array([[100, 200], [300, 400]], "i2")
    coords = {"time": DAYS[:2], "cell": ("cell", [1, 4], {"compress": "lat lon"}), "lat": LAT, "lon": LON}
    xr.Dataset(
        {"sm": (("time", "cell"), stored, {**NAMED, "scale_factor": 0.001})}, coords=coords
    ).to_netcdf(tmp_path / "x.nc", engine="netcdf4")  # fmt: skip
    product = open_product("x", str(tmp_path / "x.nc"))
    found = extract(product, np.array([0, 2, 1]), np.array([1, 0, 0])).values
    np.testing.assert_allclose(found, [[0.1, 0.3], [0.2, 0.4], [np.nan, np.nan]], rtol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_bounds_of_rows_from_north_to_south_are_their_edges(tmp_path: Path, turned: bool) -> None:
    bounds = np.array([[41.2, 43.0], [40.1, 41.2], [39.0, 40.1]])
    lat = ("lat", LAT, {"bounds": "lat_bnds", "standard_name": "latitude"})
    path = write(tmp_path / "x.nc", ("time", "lat", "lon"), VALUES, time=DAYS, lat=lat, lon=LON,
                 lat_bnds=(("lat", "n"), bounds[:, ::-1] if turned else bounds))  # fmt: skip
    geometry = open_product("x", str(path)).geometry
    assert geometry.containing([41.3, 41.1, 40.2], [-100.0] * 3)[0].tolist() == [0, 1, 1]


def test_rows_of_ease_grid_without_bounds_meet_half_way_in_the_projection(tmp_path: Path) -> None:
    step, rows = 36032.220840584, np.arange(20, 60)
    to_degrees = pyproj.Transformer.from_crs(6933, 4326, always_xy=True)
    lat, edge = (to_degrees.transform(np.zeros(one.size), (203 - one) * step)[1]
                 for one in (rows + 0.5, np.arange(20, 61.0)))  # fmt: skip
    path = write(tmp_path / "x.nc", ("time", "lat", "lon"), np.full((4, 40, 2), 0.2), time=DAYS, lat=lat, lon=LON)
    geometry = open_product("x", str(path)).geometry
    assert geometry.containing(edge[1:-1] - 1e-4, np.full(39, -99.0))[0].tolist() == list(range(1, 40))
    assert geometry.containing(edge[1:-1] + 1e-4, np.full(39, -99.0))[0].tolist() == list(range(39))


def test_only_points_within_the_reach_of_a_place_are_nearby(tmp_path: Path) -> None:
    lat, lon = np.arange(40.0, 42.0, 0.1), np.full(20, -99.0)
    path = write(tmp_path / "x.nc", ("s", "time"), np.full((20, 4), 0.2), time=DAYS, lat=("s", lat), lon=("s", lon))
    geometry = open_product("x", str(path)).geometry
    rows, columns, apart = geometry.nearby(41.02, -99.0)
    # The points lie 11.1 km apart, which is how far each reaches.
    assert (rows.tolist(), columns.tolist()) == ([0, 0], [10, 11])
    np.testing.assert_allclose(apart, [2.2, 8.9], atol=0.1)


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4"])
def test_packed_values_of_any_netcdf_are_unpacked_once(tmp_path: Path, kind: str) -> None:
    coords = {"time": DAYS, "lat": LAT, "lon": LON}
    packed = {"scale_factor": 0.001, "add_offset": 0.1, "_FillValue": np.int16(-1), "dtype": "i2"}
    values = VALUES.copy()
    values[2, 1, 1] = np.nan
    xr.Dataset({"sm": (("time", "lat", "lon"), values, NAMED)}, coords=coords).to_netcdf(
        tmp_path / "x.nc",
        engine="netcdf4",
        format=kind,
        encoding={"sm": packed},  # type: ignore[call-overload]
    )
    np.testing.assert_allclose(at(tmp_path / "x.nc", 41.0, -99.0), values[:, 1, 1], atol=1e-6)


def test_a_grid_whose_latitude_and_longitude_are_swapped_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nc", ("time", "lat", "lon"), VALUES.transpose(0, 2, 1), time=DAYS, lat=LON, lon=LAT)
    with pytest.raises(InputError, match="latitudes from -100 to -99, expected -90 to 90.*swapped"):
        open_product("x", str(path))
