"""Cells, days and clusters of match-ups."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import InputError, UsageError
from vadose.validation.audit import Ledger, global_index, ledger_of, seen, station_labels
from vadose.validation.matching import match
from vadose.validation.placing import clusters
from vadose.validation.products import open_product
from vadose.validation.references import cell_reference, station_reference, trimmed
from vadose.validation.stations import open_stations, read_stations

LAT, LON = np.array([42.0, 41.0, 40.0]), np.array([-100.0, -99.0, -98.0])


def field(days: int = 5) -> np.ndarray:
    return (np.arange(days)[:, None, None] + 10.0 * np.arange(3)[None, :, None] + 3.0 * np.arange(3)) / 100 + 0.05


def matched(tmp_path: Path, make: Any, values: np.ndarray, lat: float, lon: float, **changes: Any) -> Any:
    product = open_product("ours", str(make["file"](tmp_path / "p.nc", values, LAT, LON)))
    stations = make["stations"](tmp_path / "s.nc", np.full((1, len(values)), 0.2), np.array([lat]), np.array([lon]))
    dataset = open_stations(stations)
    for name, value in changes.items():
        dataset[name].values[:] = value
    return match(station_reference(dataset, product, "stations"), [product], allow_day_mismatch=True)


def test_a_station_takes_the_cell_that_contains_it(tmp_path: Path, make: Any) -> None:
    found = matched(tmp_path, make, field(), 41.45, -99.45)
    np.testing.assert_allclose(found.values[0, 0], field()[:, 1, 1], atol=1e-7)
    assert found.placed[0].contains[0]


def test_a_masked_cell_gives_way_to_the_nearest_one_with_values(tmp_path: Path, make: Any) -> None:
    values = field()
    values[:, 1, 1] = np.nan
    found = matched(tmp_path, make, values, 41.0, -99.3)
    np.testing.assert_allclose(found.values[0, 0], values[:, 1, 0], atol=1e-7)
    assert not found.placed[0].contains[0]
    assert found.placed[0].distance_km[0] == pytest.approx(58.8, abs=0.2)


def test_a_station_far_from_any_value_has_no_cell(tmp_path: Path, make: Any) -> None:
    with pytest.raises(InputError, match="no station lies in or near"):
        matched(tmp_path, make, field(), 10.0, 10.0)


@pytest.mark.parametrize(("offset", "shift"), [(-6.0, 1), (9.0, -1)])
def test_a_utc_day_meets_a_local_day_as_their_overlap(tmp_path: Path, make: Any, offset: float, shift: int) -> None:
    values = field(6) + 0.02 * np.random.default_rng(0).random((6, 3, 3))
    found = matched(tmp_path, make, values, 41, -99, day_convention="local_standard", utc_offset=offset)
    share = abs(offset) / 24
    expected = (1 - share) * values[2, 1, 1] + share * values[2 + shift, 1, 1]
    assert found.values[0, 0, 2] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found.values[0, 0, -1 if shift > 0 else 0])
    assert not found.mismatch[0]


def test_a_map_is_compared_cell_by_cell_without_neighbours(tmp_path: Path, make: Any) -> None:
    holes = field()
    holes[:, 0, 0] = np.nan
    ours = open_product("ours", str(make["file"](tmp_path / "a.nc", holes, LAT, LON)))
    other = open_product("map", str(make["file"](tmp_path / "b.nc", field(), LAT[::-1], LON + 360)))
    reference = cell_reference(ours, other)
    found = match(reference, [ours])
    assert len(reference.table) == 9
    corner = np.flatnonzero((reference.table["lat"] == 42.0) & (reference.table["lon"] == -100.0))[0]
    assert found.placed[0].row[corner] == -1
    inside = np.flatnonzero((reference.table["lat"] == 40.0) & (reference.table["lon"] == -99.0))[0]
    np.testing.assert_allclose(found.values[0, inside], holes[:, 2, 1], atol=1e-7)


def test_stations_in_one_cell_of_the_coarsest_grid_are_one_cluster(tmp_path: Path, make: Any) -> None:
    product = open_product("ours", str(make["file"](tmp_path / "p.nc", field(), LAT, LON)))
    lat, lon = np.array([41.1, 41.2, 40.2]), np.array([-99.1, -99.2, -98.2])
    stations = open_stations(make["stations"](tmp_path / "s.nc", np.full((3, 5), 0.2), lat, lon))
    number = clusters(station_reference(stations, product, "stations"), [product])
    assert number[0] == number[1] != number[2]


def test_a_reference_without_a_common_day_is_refused(tmp_path: Path, make: Any) -> None:
    product = open_product("ours", str(make["file"](tmp_path / "p.nc", field(), LAT, LON)))
    stations = make["stations"](
        tmp_path / "s.nc", np.full((1, 5), 0.2), np.array([41.0]), np.array([-99.0]), "1999-01-01"
    )
    reference = station_reference(open_stations(stations), product, "stations")
    with pytest.raises(InputError, match="no day in common"):
        trimmed(reference, np.datetime64("2015-04-01"), np.datetime64("2015-04-05"))


def ledger(**changes: Any) -> Ledger:
    index = int(global_index("0P25DEG", np.array([41.1]), np.array([-99.1]))[0])
    values = {
        "split": "P4", "grid": "0P25DEG", "cells": {"fit": [index], "test": []},
        "days": {"fit": [["2015-04-01", "2015-04-02"]]}, "stations": {},
    }  # fmt: skip
    return ledger_of({"ledger": {**values, **changes}}, Path("model.json"))


def test_only_days_and_cells_of_training_are_seen(tmp_path: Path, make: Any) -> None:
    product = open_product("ours", str(make["file"](tmp_path / "p.nc", field(), LAT, LON)))
    reference = cell_reference(product, product)
    index = global_index("0P25DEG", np.array([41.1, 40.0]), np.array([-99.1, -98.0]))
    one = trimmed(reference, np.datetime64("2015-04-01"), np.datetime64("2015-04-05"))
    two = type(one)(
        one.name, one.kind, one.table[:2], one.days, one.values[:2], one.conventions[:2], one.utc_offsets[:2]
    )
    assert seen(ledger(), two, index).tolist() == [[True, True, False, False, False], [False] * 5]


def test_a_station_of_the_training_is_found_by_id_and_by_place(tmp_path: Path, make: Any) -> None:
    product = open_product("ours", str(make["file"](tmp_path / "p.nc", field(), LAT, LON)))
    lat, lon = np.array([41.0, 41.4, 40.0]), np.array([-99.0, -99.0, -99.0])
    table = station_reference(
        open_stations(make["stations"](tmp_path / "s.nc", np.full((3, 5), 0.2), lat, lon)), product, "stations"
    ).table
    used = ledger(stations={"fit": ["net/s0", {"station_id": "other", "lat": 41.4005, "lon": -99.0}]})
    assert station_labels(used, table).tolist() == ["station_seen", "station_seen", "independent"]
    assert set(station_labels(None, table)) == {"unknown"}


def test_cell_numbers_are_those_of_the_global_grid() -> None:
    # Manhattan, Kansas lies in row 74, column 223 of EASE-Grid 2.0 36 km.
    assert global_index("EASE2M36", np.array([39.10]), np.array([-96.61]))[0] == 74 * 964 + 223
    assert global_index("0P25DEG", np.array([89.9]), np.array([-179.9]))[0] == 0


def manhattan_product(data: Path, folder: Path, make: Any) -> Any:
    """The SMAP values of CONUS-412 as a map on its own rows and columns of EASE-Grid 2.0."""
    import xarray as xr

    with xr.open_dataset(data / "conus412" / "conus412_smap_nldas_2015-2018.nc") as cells:
        lat, lon = (np.asarray(cells[name], float) for name in ("lat", "lon"))
        values = np.asarray(cells["SMAP_AM"], np.float32)
    index = global_index("EASE2M36", lat, lon)
    step, rows, columns = 36032.220840584, np.arange(40, 120), np.arange(140, 310)
    import pyproj

    to_degrees = pyproj.Transformer.from_crs(6933, 4326, always_xy=True)
    y, x = (203 - 0.5 - rows) * step, (columns + 0.5 - 482) * step
    grid = np.full((values.shape[1], rows.size, columns.size), np.nan, np.float32)
    grid[:, index // 964 - 40, index % 964 - 140] = values.T
    latitude, longitude = (
        to_degrees.transform(np.zeros(rows.size), y)[1],
        to_degrees.transform(x, np.zeros(columns.size))[0],
    )
    days = np.datetime64("2015-04-01", "ns") + np.arange(values.shape[1]) * np.timedelta64(1, "D")
    named = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3", "long_name": "0-5 cm"}
    xr.Dataset(
        {"sm": (("time", "y", "x"), grid, named)},
        coords={
            "time": days, "y": ("y", y, {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
            "lat": ("y", latitude, {"standard_name": "latitude"}),
            "lon": ("x", longitude, {"standard_name": "longitude"}),
        },
    ).to_netcdf(folder / "smap.nc", encoding={"sm": {"zlib": True}})  # fmt: skip
    return open_product("smap", str(folder / "smap.nc"))


def test_manhattan_meets_the_neighbouring_smap_cell_with_the_published_figures(
    vadose_data: Path, tmp_path: Path, make: Any
) -> None:
    product = manhattan_product(vadose_data, tmp_path, make)
    dataset = read_stations([vadose_data / "uscrn_manhattan"])
    # The published correlation pairs equal dates; the blend of two UTC days is tested above.
    dataset["day_convention"].values[:] = "utc"
    reference = station_reference(dataset, product, "stations")
    found = match(reference, [product])
    placed = found.placed[0]
    assert (int(product.geometry.containing(39.10, -96.61)[0][0]) + 40, placed.row[0] + 40) == (74, 75)
    assert placed.column[0] + 140 == 223
    assert not placed.contains[0]
    assert placed.distance_km[0] == pytest.approx(27.5, abs=0.1)
    common = np.isfinite(found.values[0, 0]) & np.isfinite(reference.values[0])
    assert common.sum() == 329
    assert np.corrcoef(found.values[0, 0][common], reference.values[0][common])[0, 1] == pytest.approx(0.6938, abs=1e-4)


def test_a_rival_on_another_continent_has_no_value_at_any_station(tmp_path: Path, make: Any) -> None:
    ours = open_product("ours", str(make["file"](tmp_path / "p.nc", field(), LAT, LON)))
    rival = open_product("rival", str(make["file"](tmp_path / "q.nc", field(), -LAT, LON + 120.0)))
    stations = make["stations"](tmp_path / "s.nc", np.full((2, 5), 0.2), np.array([41.0, 40.0]), np.array([-99.0, -98]))
    found = match(station_reference(open_stations(stations), ours, "stations"), [ours, rival])
    assert np.isfinite(found.values[0]).all()
    assert np.isnan(found.values[1]).all()
    assert found.placed[1].row.tolist() == [-1, -1]


def test_the_poles_lie_in_the_first_and_the_last_row_of_a_global_grid() -> None:
    found = global_index("0P25DEG", np.array([90.0, -90.0]), np.array([-180.0, 179.9]))
    assert found.tolist() == [0, 720 * 1440 - 1]


def test_a_map_of_another_day_convention_is_refused_unless_it_is_allowed(tmp_path: Path, make: Any) -> None:
    named = {"long_name": "soil moisture at 06:00 local solar time"}
    ours = open_product("ours", str(make["file"](tmp_path / "a.nc", field(), LAT, LON, variable=named)))
    other = open_product("map", str(make["file"](tmp_path / "b.nc", field(), LAT, LON)))
    reference = cell_reference(ours, other)
    with pytest.raises(UsageError, match="ours holds at solar06, map at utc"):
        match(reference, [ours])
    found = match(reference, [ours], allow_day_mismatch=True)
    assert found.mismatch.all()
    np.testing.assert_allclose(found.values[0, 4], field()[:, 1, 1], atol=1e-7)
