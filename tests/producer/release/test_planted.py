"""Defects planted for the checks of the set and of other readers, and for the projection of an EASE grid."""

import netCDF4
import numpy as np
import pytest

from vadose.common import silent
from vadose.producer.build import build
from vadose.producer.granules.reading import read_granule
from vadose.producer.release import readers
from vadose.producer.release.checks import problems, read_context
from vadose.producer.release.folder import Folder
from vadose.producer.release.gate import equal_headers, expected_periods
from vadose.producer.release.survey import survey

GRANULE = "ICDR/DAILY/2016/01/VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-ICDR-v1.0.0.nc"
NEXT = GRANULE.replace("20160110", "20160111")
EASE = {"token": "EASE2M36", "rows": [47, 67], "columns": [400, 420]}


def changed(path, plant):
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        plant(file)


def test_a_header_unlike_the_others_is_found(copied, context):
    _, _, version = copied
    paths = [GRANULE, NEXT]
    assert list(equal_headers(survey(context, paths, silent))) == []
    changed(version / NEXT, lambda file: file.setncattr("title", "another"))
    found = list(equal_headers(survey(context, paths, silent)))
    assert found == [f"{NEXT.rpartition('/')[2]} has another header than {GRANULE.rpartition('/')[2]}"]


def test_the_closed_list_alone_may_differ_between_headers(copied, context):
    _, _, version = copied
    changed(version / NEXT, lambda file: file.setncattr("history", "another"))
    assert list(equal_headers(survey(context, [GRANULE, NEXT], silent))) == []


@pytest.mark.parametrize(("name", "message"), [
    (GRANULE.replace("v1.0.0", "v0.9.0"), "are of the same period"),
    (GRANULE.replace("20160110", "20170110"), "is not expected"),
    (GRANULE.replace("DEMOSMALL", "DEMOOTHER"), "is not expected"),
])  # fmt: skip
def test_a_day_twice_and_a_day_too_many_are_found(copied, name, message):
    _, recipe, version = copied
    manifest = Folder(version).manifest()
    assert list(expected_periods(recipe, manifest)) == []
    entry = next(entry for entry in manifest["files"] if entry["path"] == GRANULE)
    manifest["files"].append({**entry, "path": name})
    assert [reason for reason in expected_periods(recipe, manifest) if message in reason]


def upside_down(file):
    file["sm"][:] = file["sm"][:, ::-1]
    file["lat"][:] = file["lat"][::-1]
    del file["crs"].GeoTransform


@pytest.mark.parametrize(("plant", "message"), [
    (lambda file: file["crs"].setncattr("crs_wkt", 'LOCAL_CS["x",UNIT["m",1]]'), "GDAL reads the CRS"),
    (lambda file: [file["crs"].setncattr("GeoTransform", "-46.0 0.25 0.0 49.0 0.0 -0.25"),
                   file["lat"].__setitem__(slice(None), file["lat"][:] - 1.0)], "GDAL puts row"),
    (upside_down, "GDAL"),
])  # fmt: skip
def test_a_place_that_gdal_sees_elsewhere_is_found(copied, plant, message):
    _, recipe, version = copied
    assert list(readers.check(version, recipe, [GRANULE])) == []
    changed(version / GRANULE, plant)
    assert any(message in reason for reason in readers.check(version, recipe, [GRANULE]))


def test_granules_that_do_not_open_as_one_are_found(copied):
    _, recipe, version = copied
    changed(version / NEXT, lambda file: file["lon"].__setitem__(slice(None), file["lon"][:] + 1e-5))
    found = list(readers.check(version, recipe, [GRANULE, NEXT]))
    assert any("does not open 2 granules as one dataset" in reason for reason in found)


@pytest.fixture(scope="module")
def projected(worlds, tmp_path_factory):
    """A granule on an EASE grid, with what it is compared with."""
    folder = tmp_path_factory.mktemp("ease")
    recipe, cube, model, models = worlds.small_world(folder, product__grid=EASE)
    version = worlds.version_folder(folder, recipe)
    build(recipe, cube, model, models, version, 10**9, silent, np.array(["2016-01-10"], "M8[D]"))
    return read_context(version, recipe), next(version.rglob("*-20160110-*.nc"))


@pytest.mark.parametrize(("name", "value"), [
    ("standard_parallel", 0.0), ("longitude_of_central_meridian", 90.0), ("false_easting", 1.0),
    ("grid_mapping_name", "latitude_longitude"), ("GeoTransform", "0 1 0 0 0 -1"), ("semi_major_axis", 6371228.0),
])  # fmt: skip
def test_a_wrong_word_of_the_projection_is_found(projected, name, value):
    context, path = projected
    right = path.read_bytes()
    assert not list(problems(context, read_granule(path), 1))
    try:
        changed(path, lambda file: file["crs"].setncattr(name, value))
        assert "grid_mapping" in {check for check, _ in problems(context, read_granule(path), 1)}
    finally:
        path.write_bytes(right)


def test_a_defect_in_one_granule_reaches_the_result_of_its_check(copied, context):
    _, _, version = copied
    changed(version / GRANULE, lambda file: file["sm"].setncattr("units", "cm3/cm3"))
    [item] = survey(context, [GRANULE], silent)
    assert {"units", "header"} <= {check for check, _ in item.problems}
