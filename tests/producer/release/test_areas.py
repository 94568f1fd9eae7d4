"""Areas in degrees, the cells that they cover, and bad polygons: coverage against fine sampling and closed formulas."""

import json
import re

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.common import InputError, UsageError
from vadose.producer.grids import Grid, box, global_grid
from vadose.producer.release.areas import Area, cover, read_areas

GRIDS = {"lat-lon": box("0P25DEG", -60, 40, -50, 50), "ease": box("EASE2M36", -60, 40, -50, 50)}
TRIANGLE = "POLYGON ((-57.3 41.2, -51.9 44.4, -55.1 48.7, -57.3 41.2))"
HOLED = "POLYGON ((-58 42, -52 42, -52 48, -58 48, -58 42), (-56 44, -54 44, -54 46, -56 46, -56 44))"


def area(text):
    return read_areas(text)[0]


def sampled(grid: Grid, shape, per_side=40):
    """Share of every cell whose points lie in the shape, by points at equal steps of longitude and sine of latitude."""
    steps = (np.arange(per_side) + 0.5) / per_side
    lat_edges, lon_edges = np.sin(np.deg2rad(grid.lat_edges)), grid.lon_edges
    lat = np.rad2deg(np.arcsin(lat_edges[:-1, None] + np.diff(lat_edges)[:, None] * steps))
    lon = lon_edges[:-1, None] + np.diff(lon_edges)[:, None] * steps
    inside = shapely.contains_xy(shape, lon.ravel()[None, :], lat.ravel()[:, None])
    return inside.reshape(grid.shape[0], per_side, grid.shape[1], per_side).mean(axis=(1, 3))


@pytest.mark.parametrize("text", [TRIANGLE, HOLED])
@pytest.mark.parametrize("grid", GRIDS)
def test_shares_of_cells_are_those_of_fine_sampling(grid, text):
    window, found = GRIDS[grid], np.zeros(GRIDS[grid].shape)
    covered = cover(window, area(text))
    found[covered.rows, covered.columns] = covered.share
    # A boundary that crosses a cell is seen by 40 x 40 points to about a fortieth of it.
    np.testing.assert_allclose(found, sampled(window, area(text).shape), atol=0.03)
    assert covered.part.sum() == pytest.approx(1.0, abs=1e-9)
    areas = window.cell_areas()[covered.rows] * covered.share
    np.testing.assert_allclose(covered.part, areas / areas.sum(), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.floats(-179, 170), st.floats(-80, 80), st.floats(0.3, 9), st.floats(0.3, 9))
def test_parts_of_a_box_are_the_areas_between_its_parallels(west, south, width, height):
    covered = cover(global_grid("0P36DEG"), Area("box", shapely.box(west, south, west + width, south + height)))
    grid = global_grid("0P36DEG")
    rows = np.unique(covered.rows)
    top = np.minimum(grid.lat_edges[rows], south + height)
    bottom = np.maximum(grid.lat_edges[rows + 1], south)
    per_row = np.array([covered.part[covered.rows == row].sum() for row in rows])
    expected = authalic(top) - authalic(bottom)
    np.testing.assert_allclose(per_row, expected / expected.sum(), rtol=1e-6, atol=1e-9)


def authalic(lat):
    """Area of the ellipsoid from the equator to a latitude, by the integral of the width of its zones."""
    e2 = 0.0066943799901413165
    nodes, weights = np.polynomial.legendre.leggauss(40)
    phi = np.deg2rad(lat)[:, None] * (nodes + 1) / 2
    zone = np.cos(phi) / (1 - e2 * np.sin(phi) ** 2) ** 2
    return (zone * weights).sum(axis=1) * np.deg2rad(lat) / 2


def test_an_area_over_the_antimeridian_is_the_same_in_each_way_of_writing():
    grid = global_grid("0P36DEG")
    ways = (
        "POLYGON ((178 50, 183 50, 183 53, 178 53, 178 50))",
        "POLYGON ((-182 50, -177 50, -177 53, -182 53, -182 50))",
        "MULTIPOLYGON (((178 50, 180 50, 180 53, 178 53, 178 50)), ((-180 50, -177 50, -177 53, -180 53, -180 50)))",
    )
    first, *others = (cover(grid, area(text)) for text in ways)
    expected = dict(zip(zip(first.rows, first.columns, strict=True), first.part, strict=True))
    assert {0, 999} < set(first.columns)
    for other in others:
        found = dict(zip(zip(other.rows, other.columns, strict=True), other.part, strict=True))
        assert found == pytest.approx(expected)


def test_an_area_that_reaches_beyond_the_window_says_how_much_is_in_it():
    covered = cover(GRIDS["lat-lon"], area("POLYGON ((-52 45, -48 45, -48 46, -52 46, -52 45))"))
    assert covered.part.sum() == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("POLYGON EMPTY", "is empty"),
        ("POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))", r"Self-intersection.*make_valid"),
        ("POLYGON ((0 0, 1 1, 2 2, 0 0))", "not a valid polygon"),
        ("LINESTRING (0 0, 1 1)", "a LineString has no area"),
        ("POINT (1 2)", "a Point has no area"),
        ("POLYGON ((47 120, 48 120, 48 121, 47 120))", r"is no place \(are the two swapped\?\)"),
        ("POLYGON ((500000 5200000, 510000 5200000, 510000 5210000, 500000 5200000))", "no place; .*in degrees"),
        ("POLYGON ((170 -20, -170 -20, -170 -10, 170 -10, 170 -20))", "long way round.*190 for -170"),
        ("POLYGON ((0 0, nan 1, 1 1, 0 0))", "not a number|not WKT"),
        ("POLYGON ((0 0, 1 1))", "not WKT"),
        ("POLYGON ((0 0, 1 1, 0 1", "not WKT"),
        ('{"type": "FeatureCollection", "features": []}', "no area in it"),
        ('{"type": "FeatureCollection"}', "not GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1]]]}', "not GeoJSON"),
        ('{"type": "Feature", "geometry": null}', "is empty"),
        ("{", "not GeoJSON"),
    ],
)
def test_a_bad_area_is_named_with_what_to_do(text, message):
    with pytest.raises((InputError, UsageError)) as caught:
        read_areas(text)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_an_area_outside_says_so_and_sees_swapped_coordinates():
    with pytest.raises(UsageError, match=r"lies outside the product's window") as caught:
        cover(GRIDS["lat-lon"], area("POLYGON ((10 45, 11 45, 11 46, 10 45))"))
    assert "swapped" not in str(caught.value)
    with pytest.raises(UsageError, match="with the two swapped it would lie inside"):
        cover(GRIDS["lat-lon"], area("POLYGON ((45 -55, 46 -55, 46 -54, 45 -55))"))


def test_a_collection_gives_areas_with_names_of_their_own(tmp_path):
    def feature(west, **properties):
        ring = [[west, 45.0], [west + 1, 45.0], [west + 1, 46.0], [west, 45.0]]
        return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}

    features = [feature(-55, name="Élbe"), feature(-56, name="Élbe"), feature(-57), feature(-58, id=7)]
    path = tmp_path / "basins.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    assert [one.name for one in read_areas(str(path))] == ["Élbe", "Élbe 2", "3", "7"]
    with pytest.raises(InputError, match="no readable file of areas"):
        read_areas(str(tmp_path / "missing.geojson"))
    lambert = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3035"}}
    with pytest.raises(UsageError, match="EPSG::3035"):
        read_areas(json.dumps({"type": "FeatureCollection", "crs": lambert, "features": features}))
