"""Grids against the published cell centres and against pyproj."""

from pathlib import Path

import netCDF4
import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.common import UsageError
from vadose.producer.grids import (
    EASE2,
    Grid,
    box,
    conservative_weights,
    ease2_lat,
    ease2_y,
    global_grid,
    nearest_cells,
    regrid,
)


def test_ease2_centres_equal_those_of_nsidc(vadose_data: Path) -> None:
    with netCDF4.Dataset(vadose_data / "statics" / "NSIDC0772_LatLon_EASE2_M36km_v1.0.nc") as published:
        latitude, longitude = np.asarray(published["latitude"][:, 0]), np.asarray(published["longitude"][0])
    grid = global_grid("EASE2M36")
    # The published vectors carry seven decimals.
    np.testing.assert_allclose(grid.lat, latitude, atol=2e-7)
    np.testing.assert_allclose(grid.lon, longitude, atol=2e-7)


def test_manhattan_lies_in_its_known_smap_cell() -> None:
    row, column = global_grid("EASE2M36").locate(39.10, -96.61)
    assert (int(row), int(column)) == (74, 223)


@pytest.mark.parametrize("token", EASE2)
def test_projection_agrees_with_pyproj(token: str) -> None:
    grid = Grid(token, 10, 20, 30, 35)
    lon, lat = pyproj.Transformer.from_crs(6933, 4326, always_xy=True).transform(np.repeat(grid.x[:1], 10), grid.y)
    np.testing.assert_allclose(grid.lat, lat, atol=1e-7)
    np.testing.assert_allclose(grid.lon[0], lon[0], atol=1e-7)


@given(st.floats(-89.9, 89.9))
def test_latitude_survives_the_projection(lat: float) -> None:
    assert abs(float(ease2_lat(ease2_y(lat))) - lat) < 1e-8


@given(st.sampled_from(["0P25DEG", "EASE2M36"]), st.floats(-84.9, 84.9), st.floats(-180, 179.99))
def test_a_point_lies_inside_the_bounds_of_its_cell(token: str, lat: float, lon: float) -> None:
    grid = global_grid(token)
    row, column = (int(value) for value in grid.locate(lat, lon))
    assert grid.lat_edges[row] + 1e-7 >= lat >= grid.lat_edges[row + 1] - 1e-7
    assert grid.lon_edges[column] - 1e-7 <= lon <= grid.lon_edges[column + 1] + 1e-7


def test_quarter_degree_centres_follow_the_formula() -> None:
    grid = box("0P25DEG", -10.0, 40.0, -9.0, 41.0)
    assert grid.shape == (4, 4)
    assert grid.lat.tolist() == [40.875, 40.625, 40.375, 40.125]
    assert grid.lon.tolist() == [-9.875, -9.625, -9.375, -9.125]


def test_points_outside_the_window_have_no_cell() -> None:
    row, column = box("0P25DEG", -10, 40, -9, 41).locate([45.0, 40.6], [-9.5, 350.5])
    assert row.tolist() == [-1, 1]
    assert column.tolist() == [-1, 2]


def test_conservative_regridding_keeps_the_area_weighted_mean() -> None:
    source, target = box("0P25DEG", -12, 40, 0, 46), box("EASE2M36", -10, 41, -2, 45)
    weights = conservative_weights(source, target)
    field = np.random.default_rng(1).random(source.shape)
    coarse = regrid(weights, field.ravel()[None], 0.5)[0].reshape(target.shape)
    fine = 40
    # A brute-force mean over sub-samples of one cell, uniform in longitude and in the sine-like authalic latitude.
    row, column = 3, 5
    y = np.linspace(target.y_edges[row], target.y_edges[row + 1], 2 * fine + 1)[1::2]
    lon = np.linspace(target.lon_edges[column], target.lon_edges[column + 1], 2 * fine + 1)[1::2]
    lat, lon = np.meshgrid(ease2_lat(y), lon, indexing="ij")
    rows, columns = source.locate(lat, lon)
    assert abs(field[rows, columns].mean() - coarse[row, column]) < 0.02


def test_mostly_missing_cells_stay_missing() -> None:
    grid = box("0P25DEG", 0, 0, 1, 1)
    weights = conservative_weights(grid, box("0P50DEG", 0, 0, 1, 1))
    values = np.full(16, np.nan)
    values[0] = 1.0
    assert np.isnan(regrid(weights, values[None])).all()
    values[1] = values[4] = values[5] = 3.0
    assert regrid(weights, values[None])[0, 0] == pytest.approx(2.5, abs=1e-3)


def test_nearest_cell_crosses_the_date_line() -> None:
    rows, columns = nearest_cells(np.array([10.0, 0.0]), np.array([0.5, 120.0, 359.5]), 1.0, -0.4)
    assert (rows[0], columns[0]) == (1, 2)


def test_window_outside_the_globe_is_refused() -> None:
    with pytest.raises(UsageError, match="406 x 964"):
        Grid("EASE2M36", 400, 407, 0, 10)
    with pytest.raises(UsageError, match="no grid named"):
        global_grid("EASE2M25")
