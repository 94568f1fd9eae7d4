"""Products of all shapes come in by one door."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
import yaml
import zarr

from vadose.common import InputError, UsageError
from vadose.validation.cards import load_card
from vadose.validation.extraction import extract
from vadose.validation.geometry import Geometry, distance_km, edges
from vadose.validation.products import NOT_RECOMMENDED, RECOMMENDED_MASK, open_product
from vadose.validation.sources import spill

LAT, LON = np.array([42.0, 41.0, 40.0]), np.array([-100.0, -99.0])
VALUES = np.arange(24.0).reshape(4, 3, 2) / 100


def series(path: Path, lat: float, lon: float, **options: Any) -> np.ndarray:
    product = open_product("x", str(path), **options)
    row, column = product.geometry.containing(lat, lon)
    return extract(product, row, column).values[0]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("east", [0.0, 360.0])
def test_direction_and_longitude_convention_do_not_matter(tmp_path: Path, make: Any, flip: bool, east: float) -> None:
    lat, values = (LAT[::-1], VALUES[:, ::-1]) if flip else (LAT, VALUES)
    path = make["file"](tmp_path / "x.nc", values, lat, LON + east)
    np.testing.assert_allclose(series(path, 41.2, -99.3), VALUES[:, 1, 1], atol=1e-7)


def test_packed_percent_is_brought_to_fractions_by_a_rule(tmp_path: Path) -> None:
    dataset = xr.Dataset(
        {"sm": (("time", "lat", "lon"), VALUES * 100, {"standard_name": "volume_fraction_of_condensed_water_in_soil",
                                                       "units": "%"})},
        coords={"time": np.datetime64("2015-04-01") + np.arange(4).astype("m8[D]"), "lat": LAT, "lon": LON},
    )  # fmt: skip
    packed = {"sm": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 5.0, "_FillValue": -32768}}
    dataset.to_netcdf(tmp_path / "x.nc", encoding=packed)
    np.testing.assert_allclose(series(tmp_path / "x.nc", 41, -99), VALUES[:, 1, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("units", "message"), [("kg m-2", "bounds of its layer"), ("furlong", "furlong"), (None, "''")]
)
def test_units_without_a_rule_are_never_guessed(tmp_path: Path, make: Any, units: str | None, message: str) -> None:
    path = make["file"](tmp_path / "x.nc", VALUES, LAT, LON, variable={"units": units})
    with pytest.raises(InputError, match=message):
        open_product("x", str(path))


def test_percent_declared_as_a_fraction_is_refused(tmp_path: Path, make: Any) -> None:
    path = make["file"](tmp_path / "x.nc", 20 + VALUES, LAT, LON)
    with pytest.raises(InputError, match="contradict the units"):
        series(path, 41, -99)


def write_card(path: Path, **entry: Any) -> Path:
    variable = {"name": "noah_sm", **entry}
    card = {"product": "GLDAS", "producer": "NASA", "version": "2.1", "licence": "free", "variables": {"sm": variable}}
    path.write_text(yaml.safe_dump(card))
    return path


def test_a_card_beside_the_file_wins_and_the_difference_is_kept(tmp_path: Path, make: Any) -> None:
    bare = {"units": "1", "standard_name": None}
    path = make["file"](tmp_path / "x.nc", VALUES * 100, LAT, LON, variable=bare)
    write_card(tmp_path / "x.nc.card.yaml", units="kg m-2", layer_m=[0.0, 0.1], day="daily_mean")
    product = open_product("x", str(path))
    assert product.differs == ("units: file '1', card 'kg m-2'",)
    assert product.depth_class == "shallow"
    np.testing.assert_allclose(series(path, 41, -99), VALUES[:, 1, 1], atol=1e-6)


def test_a_typo_in_a_card_names_the_nearest_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="layer_m"):
        load_card(write_card(tmp_path / "card.yaml", layer=[0.0, 0.1]))


def test_two_variables_are_asked_about_and_one_can_be_named(tmp_path: Path, make: Any) -> None:
    path = make["file"](tmp_path / "x.nc", VALUES, LAT, LON)
    with xr.open_dataset(path) as opened:
        dataset = opened.load()
    dataset["other"] = dataset["sm"] + 0.1
    dataset["other"].attrs = dataset["sm"].attrs
    dataset.to_netcdf(tmp_path / "two.nc")
    with pytest.raises(UsageError, match="other, sm"):
        open_product("x", str(tmp_path / "two.nc"))
    assert open_product("x", f"{tmp_path / 'two.nc'}::other").variable == "other"
    assert open_product("x", str(tmp_path / "two.nc"), prefer="other").variable == "other"


def test_a_file_without_soil_moisture_names_its_variables(tmp_path: Path, make: Any) -> None:
    path = make["file"](tmp_path / "x.nc", VALUES, LAT, LON, variable={"standard_name": "soil_temperature"})
    with pytest.raises(InputError, match="variables: sm"):
        open_product("x", str(path))


def test_a_truncated_granule_is_named(tmp_path: Path, make: Any) -> None:
    folder = make["granules"](tmp_path / "v1.0.0", VALUES, LAT, LON)
    victim = sorted(folder.rglob("*.nc"))[2]
    victim.write_bytes(victim.read_bytes()[:3000])
    with pytest.raises(InputError, match=victim.name):
        series(folder, 41, -99)


def test_granules_are_read_under_the_recommended_mask(tmp_path: Path, make: Any) -> None:
    flags = np.zeros(VALUES.shape, int)
    flags[1], flags[2] = 4, 512
    folder = make["granules"](tmp_path / "v1.0.0", VALUES, LAT, LON, flags)
    product = open_product("x", str(folder))
    found = extract(product, np.array([1]), np.array([1]))
    expected = VALUES[:, 1, 1].copy()
    expected[1] = np.nan
    np.testing.assert_allclose(found.values[0], expected, atol=1e-7)
    assert (product.version, int(found.flagged[0]), product.quality.clear) == ("1.0.0", 1, RECOMMENDED_MASK)


def test_the_recommended_mask_follows_from_the_names() -> None:
    names = [
        "outside_domain",
        "permanent_ice",
        "frozen_soil",
        "snow_cover",
        "dense_vegetation",
        "complex_topography",
        "wetland_or_open_water",
        "radio_frequency_interference",
        "no_valid_input",
    ]
    assert sum(1 << names.index(name) for name in NOT_RECOMMENDED) == RECOMMENDED_MASK == 399


def test_the_day_convention_is_read_from_the_text(tmp_path: Path, make: Any) -> None:
    comment = "Values hold at 06:00 local mean solar time, that is (6 - longitude/15) modulo 24 h UTC of this UTC day."
    folder = make["granules"](tmp_path / "six", VALUES, LAT, LON, comment=comment)
    assert open_product("x", str(folder)).day_convention == "solar06"
    assert open_product("x", str(make["file"](tmp_path / "x.nc", VALUES, LAT, LON))).day_convention == "utc"


def test_two_files_of_one_day_are_refused(tmp_path: Path, make: Any) -> None:
    for name in ("a", "b"):
        make["file"](tmp_path / f"{name}.nc", VALUES, LAT, LON)
    with pytest.raises(InputError, match="2015-04-01 comes 2 times"):
        series(tmp_path, 41, -99)


def test_unsorted_daily_files_become_consecutive_days(tmp_path: Path, make: Any) -> None:
    for name, day, value in (("a", "2015-04-03", 2), ("b", "2015-04-01", 0)):
        make["file"](tmp_path / f"{name}.nc", VALUES[value : value + 1], LAT, LON, first=day)
    found = series(tmp_path, 41, -99)
    np.testing.assert_allclose(found, [VALUES[0, 1, 1], np.nan, VALUES[2, 1, 1]], atol=1e-7)


def make_cube(path: Path) -> Path:
    group = zarr.create_group(str(path), zarr_format=3)

    def add(name: str, values: np.ndarray, dims: tuple[str, ...], **attributes: Any) -> None:
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=dims)
        array[...] = values
        array.attrs.update(attributes)

    add("time", np.array([16526.5, 16527.5]), ("time",), units="days since 1970-01-01 00:00:00")
    add("cell", np.array([1, 4]), ("cell",), compress="lat lon")
    add("lat", LAT, ("lat",))
    add("lon", LON, ("lon",))
    text = "SMAP radiometer soil moisture, 0-5 cm, at 06:00 local solar time"
    add("smap_sm_am", np.array([[0.1, 0.2], [0.3, 0.4]], "f4"), ("time", "cell"),
        standard_name="volume_fraction_of_condensed_water_in_soil", units="m3 m-3", long_name=text)  # fmt: skip
    return path


def test_a_gathered_cube_is_a_product(tmp_path: Path) -> None:
    product = open_product("x", str(make_cube(tmp_path / "c.zarr")))
    assert (product.day_convention, product.depth_class) == ("solar06", "surface")
    found = extract(product, np.array([0, 2, 1]), np.array([1, 0, 0]))
    np.testing.assert_allclose(found.values, [[0.1, 0.3], [0.2, 0.4], [np.nan, np.nan]])
    assert str(found.days[0]) == "2015-04-01"


def test_a_point_on_the_edge_belongs_to_one_cell() -> None:
    grid = Geometry(LAT, LON, edges(LAT), edges(LON))
    rows, columns = grid.containing([41.5, 42.5, 39.5, 41.0], [-99.5, -100.5, -99.0, -98.5])
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(1, 1), (0, 0), (-1, -1), (-1, -1)]


def test_distances_are_those_on_the_globe() -> None:
    assert float(distance_km(0, 0, 0, 1)) == pytest.approx(111.2, abs=0.1)
    assert float(distance_km(89.99, 0, 89.99, 180)) == pytest.approx(2.22, abs=0.01)


def test_nearby_cells_come_nearest_first_also_across_the_date_line() -> None:
    lon = np.arange(-179.5, 180, 1.0)
    grid = Geometry(LAT, lon, edges(LAT), edges(lon))
    rows, columns, apart = grid.nearby(41.1, 179.8)
    assert (rows[0], columns[0]) == (1, 359)
    assert 0 in columns
    assert (np.diff(apart) >= 0).all()
    assert (apart <= grid.size_km(rows, columns)).all()


@pytest.mark.parametrize("name", ["scale_factor", "add_offset", "missing_value"])
def test_packing_that_is_no_number_is_named(tmp_path: Path, make: Any, name: str) -> None:
    path = make["file"](tmp_path / "x.nc", VALUES, LAT, LON)
    with h5py.File(path, "r+") as file:
        next(item for item in file.values() if item.ndim == 3).attrs[name] = "[[[]]]"
    with pytest.raises(InputError, match="is no number.*variable"):
        open_product("x", str(path))


def test_a_later_file_without_the_variable_is_named(tmp_path: Path, make: Any) -> None:
    make["file"](tmp_path / "a.nc", VALUES, LAT, LON)
    with xr.open_dataset(make["file"](tmp_path / "b.nc", VALUES, LAT, LON, "2015-05-01")) as opened:
        opened.rename(sm="other").load().to_netcdf(tmp_path / "c.nc")
    (tmp_path / "b.nc").unlink()
    with pytest.raises(InputError, match=r"no variable 'sm'; the file holds .*other"):
        series(tmp_path, 41, -99)


def test_a_product_copied_for_blocks_keeps_uncertainty_and_fill_flags(tmp_path: Path, make: Any) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.4, (6, 3, 2))
    values[2, 1, 1] = np.nan
    flags = np.where(np.arange(36).reshape(6, 3, 2) % 5 == 0, 1 << 9, 0)
    product = open_product("ours", str(make["granules"](tmp_path / "v", values, LAT, LON, flags)))
    cells = np.array([1, 3, 5])
    copied, whole = spill(product, tmp_path / "work").take(cells), extract(product, cells // 2, cells % 2)
    assert whole.filled is not None
    assert whole.filled.any()
    for name in ("values", "uncertainty", "filled"):
        np.testing.assert_array_equal(getattr(copied, name), getattr(whole, name), err_msg=name)
