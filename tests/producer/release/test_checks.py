"""Each check finds the defect that is planted for it, and nothing in a right granule."""

import h5py
import netCDF4
import numpy as np
import pytest

from vadose.producer.granules.reading import read_granule
from vadose.producer.release.checks import area_types, problems

GRANULE = "ICDR/DAILY/2016/01/VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-ICDR-v1.0.0.nc"


def found(context, path=None):
    path = path or context.folder / GRANULE
    return {name for name, _ in problems(context, read_granule(path), path.stat().st_size)}


def attribute(variable, name, value):
    def plant(file):
        (file[variable] if variable else file).setncattr(name, value)

    return plant


def without(variable, name):
    return lambda file: (file[variable] if variable else file).delncattr(name)


def stored(name, row, column, value):
    def plant(file):
        file.set_auto_maskandscale(False)
        file[name][0, row, column] = value

    return plant


def upside_down(*names):
    """Rows of coordinates or fields flipped."""

    def plant(file):
        file.set_auto_maskandscale(False)
        for name in names:
            axis = file[name].dimensions.index("lat")
            file[name][:] = np.flip(file[name][:], axis)

    return plant


def in_cell(flag_is, name, value):
    """A value planted in the first cell that has, or lacks, a value."""

    def plant(file):
        file.set_auto_maskandscale(False)
        missing = (file["flag"][0] & 259) != 0
        row, column = np.argwhere(missing if flag_is == "missing" else ~missing)[0]
        file[name][0, row, column] = value

    return plant


DEFECTS = {
    "no grid mapping": (without("sm", "grid_mapping"), "grid_mapping"),
    "grid mapping of another name": (attribute("flag", "grid_mapping", "projection"), "grid_mapping"),
    "WKT of another projection": (attribute("crs", "crs_wkt", 'GEOGCRS["x"]'), "grid_mapping"),
    "no WKT": (without("crs", "crs_wkt"), "grid_mapping"),
    "another GeoTransform": (attribute("crs", "GeoTransform", "0 1 0 0 0 -1"), "grid_mapping"),
    "units spelled otherwise": (attribute("sm", "units", "m**3/m**3"), "units"),
    "units of time with UTC": (attribute("time", "units", "days since 1970-01-01 00:00:00 UTC"), "units"),
    "unknown area type": (attribute("sm", "cell_methods", "time: point area: mean where soil"), "area_type"),
    "depth upwards": (attribute("depth", "positive", "up"), "depth"),
    "depth outside its bounds": (lambda file: file["depth"].__setitem__(..., 0.5), "depth"),
    "bounds of another layer": (lambda file: file["depth_bnds"].__setitem__(..., [0.0, 0.1]), "depth"),
    "no axis": (without("lat", "axis"), "axis"),
    "value above the range": (in_cell("given", "sm", 1.5), "values"),
    "NaN": (in_cell("given", "sm", np.nan), "values"),
    "value against the flag": (in_cell("missing", "sm", 0.25), "values"),
    "missing against the flag": (in_cell("given", "sm_uncertainty", -9999.0), "values"),
    "unknown bit": (in_cell("given", "flag", 8192), "values"),
    "cell outside the domain": (in_cell("given", "flag", 1), "values"),
    "data upside down": (upside_down("sm", "sm_uncertainty", "flag"), "values"),
    "all upside down": (upside_down("sm", "sm_uncertainty", "flag", "lat", "lat_bnds"), "extents"),
    "date without a time": (attribute(None, "date_issued", "2026-01-15"), "dates"),
    "date in local time": (attribute(None, "time_coverage_start", "2016-01-10T00:00:00+01:00"), "dates"),
    "id of another day": (attribute(None, "id", "VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160111-ICDR-v1.0.0"), "name"),
    "tracking id": (attribute(None, "tracking_id", "0"), "name"),
    "another version": (attribute(None, "product_version", "1.0.1"), "name"),
    "extent of centres": (attribute(None, "geospatial_lat_max", 49.875), "extents"),
    "coverage of the record": (attribute(None, "time_coverage_end", "2020-01-01T00:00:00Z"), "extents"),
    "time at midnight": (lambda file: file["time"].__setitem__(..., 16810.0), "extents"),
    "shifted longitudes": (lambda file: file["lon"].__setitem__(..., file["lon"][:] + 0.25), "extents"),
    "a daily mean": (attribute("sm", "cell_methods", "time: mean depth: mean area: mean where land"), "target"),
    "long name of another layer": (attribute("sm", "long_name", "soil moisture"), "target"),
    "not rounded": (in_cell("given", "sm", 0.123456789), "rounding"),
    "quantization names nothing": (attribute("sm", "quantization", "rounding"), "rounding"),
    "global coordinates": (attribute(None, "coordinates", "depth"), "header"),
    "attribute of a converter": (attribute("flag", "units", "m3 m-3"), "header"),
    "masks as integers": (attribute("flag", "flag_masks", np.arange(13, dtype="i4")), "header"),
    "clock in history": (attribute(None, "history", "2026-01-15T10:11:12Z made"), "origin"),
}  # fmt: skip


def test_a_right_granule_has_no_problem(context):
    assert found(context) == set()


@pytest.mark.parametrize("defect", DEFECTS)
def test_planted_defect_is_found(context, defect):
    plant, check = DEFECTS[defect]
    with netCDF4.Dataset(context.folder / GRANULE, "r+") as file:
        plant(file)
    assert check in found(context)


def test_another_place_is_found(context):
    path = context.folder / GRANULE
    moved = context.folder / "ICDR" / path.name
    path.rename(moved)
    assert found(context, moved) == {"name"}


def test_other_storage_is_found(context, worlds):
    path = context.folder / GRANULE
    with h5py.File(path, "r+") as file:
        values = file["flag"][...]
        attributes = dict(file["flag"].attrs)
        del file["flag"]
        made = file.create_dataset("flag", data=values.astype("i4"), chunks=(1, 8, 8))
        made.attrs["DIMENSION_LIST"] = attributes["DIMENSION_LIST"]
    assert "storage" in found(context)


def test_too_large_a_granule_is_found(context):
    granule = read_granule(context.folder / GRANULE)
    assert {name for name, _ in problems(context, granule, 18_000_000)} == {"size"}


def test_land_is_an_area_type_and_soil_is_not():
    assert "land" in area_types()
    assert "soil" not in area_types()
