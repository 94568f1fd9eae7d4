"""The user guide of a version runs as it stands, from the folder that holds it."""

import re
import subprocess

import cf_xarray  # noqa: F401
import numpy as np
import pytest
import xarray as xr

from vadose.producer.granules.flags import FLAGS
from vadose.producer.release.readme import MEANINGS, readme

EASE = {"token": "EASE2M36", "rows": [47, 67], "columns": [400, 420]}


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def guide(made, monkeypatch):
    """The text, with the folder that holds it as the working directory."""
    monkeypatch.chdir(made[2])
    return (made[2] / "README.md").read_text()


def test_the_lines_of_python_give_what_they_say(guide):
    names = {}
    for text in blocks(guide, "python"):
        exec(text, names)
    first = names["ds"]
    with_value = ~np.isnan(first.sm.values)
    excluded = sum(flag.mask for flag in FLAGS if flag.excluded)
    np.testing.assert_array_equal(names["good"].notnull(), with_value & ((first.flag.values & excluded) == 0))
    bits = excluded + 16 + 512
    np.testing.assert_array_equal(names["strict"].notnull(), with_value & ((first.flag.values & bits) == 0))
    lat, lon = (first[name].values[first[name].size // 2] for name in ("lat", "lon"))
    assert (names["place"].lat, names["place"].lon) == (lat, lon)
    assert names["some"].sizes["time"] == 12
    np.testing.assert_array_equal(names["series"].sm.values[:12], names["some"].sm.values)
    assert names["series"].sizes["time"] == 48


def test_an_ease_version_is_read_by_latitude_and_longitude(worlds, tmp_path):
    recipe = worlds.small_recipe(product__grid=EASE)
    text = readme(recipe, "granule.nc")
    grid = recipe.product.grid.grid()
    assert f'.swap_dims(y="lat", x="lon").sel(lat={grid.lat[10]:.4f}, lon={grid.lon[10]:.4f}' in text
    assert "cdo" not in text


@pytest.mark.program
def test_the_lines_of_gdal_give_the_values_that_xarray_reads(guide, program, tmp_path):
    program("gdallocationinfo", "gdal-bin")
    shell = next(text for text in blocks(guide, "bash") if "gdallocationinfo" in text)
    shell = shell.replace("sm.tif", str(tmp_path / "sm.tif"))
    done = subprocess.run(["bash", "-ec", shell], capture_output=True, text=True, check=True)
    assert (tmp_path / "sm.tif").stat().st_size > 0
    value, flag = (float(line) for line in done.stdout.split())
    with xr.open_dataset(re.search(r'xr.open_dataset\("(.*)"\)', guide)[1]) as ds:
        cell = ds.isel(lat=ds.lat.size // 2, lon=ds.lon.size // 2, time=0)
        assert int(flag) == int(cell.flag)
        assert value == pytest.approx(float(cell.sm.fillna(-9999.0)), abs=1e-6)


def test_every_flag_has_a_row_with_its_mask_and_what_the_recommended_use_does(guide):
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", guide, re.MULTILINE))
    assert rows == {str(flag.mask): flag.name for flag in FLAGS}
    assert set(MEANINGS) == set(rows.values())
    assert sum(int(bit) for bit in re.findall(r"^\| (\d+) .*left out \|$", guide, re.MULTILINE)) == 399


def test_every_name_in_the_table_of_the_folder_is_there(made, guide):
    table = guide.split("## What is in this folder")[1].split("## Cite it")[0]
    named = [word for line in table.splitlines() if line.startswith("|") for word in re.findall(r"`([^`]+)`", line)]
    assert len(named) > 12
    assert [name for name in named if not (made[2] / name).exists()] == []
