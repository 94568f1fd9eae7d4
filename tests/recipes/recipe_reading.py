"""The recipes for GDAL, CDO and R as they stand in the user guide and in a version's README: `nox -s recipes`."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

from vadose.common import silent
from vadose.producer.build import build
from vadose.producer.release.readme import readme

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "site" / "docs" / "user-guide.md").read_text(encoding="utf-8")
# The guide's place and box lie outside the small world.
PLACES = (("8.5", "-52.6"), ("47.3", "47.1"), ("-projwin 5 48 11 45", "-projwin -54 48 -52 47"))
LAT, LON = 47.1, -52.6
PACKAGES = {"gdallocationinfo": "gdal-bin", "gdal_translate": "gdal-bin", "cdo": "cdo", "Rscript": "r-cran-ncdf4"}


def block(title: str) -> str:
    """The first block of code below a heading of the guide, for the small world."""
    section = GUIDE.split(f"### {title}\n", 1)[1]
    text = re.search(r"```\w+\n(.*?)```", section, re.DOTALL)[1]
    for guide, small in PLACES:
        text = text.replace(guide, small)
    return text


def lines(command: list[str], folder: Path) -> list[str]:
    """What a program prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def small_world() -> ModuleType:
    """The module of the small world."""
    spec = importlib.util.spec_from_file_location("small_world", ROOT / "tests" / "producer" / "small_world.py")
    worlds = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worlds)
    return worlds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten granules of January, and one of them as `granule.nc`."""
    missing = {f"{name} ({package})" for name, package in PACKAGES.items() if shutil.which(name) is None}
    assert not missing, f"not installed: {', '.join(sorted(missing))}"
    worlds = small_world()
    made, place = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("granules")
    # Frozen cells keep their values, so that the recommended use leaves some out.
    recipe, cube, model, models = worlds.small_world(made, build__covers_frozen=True)
    days = np.arange("2016-01-10", "2016-01-20", dtype="datetime64[D]")
    build(recipe, cube, model, models, made / "v1.0.0", 10**9, silent, days)
    for path in made.rglob("*-DAILY-*.nc"):
        shutil.copy(path, place)
    shutil.copy(next(place.glob("*20160112*")), place / "granule.nc")
    return place


@pytest.fixture(scope="module")
def granule(folder: Path) -> xr.Dataset:
    """The granule as xarray reads it."""
    return xr.load_dataset(folder / "granule.nc")


def near(granule: xr.Dataset, name: str) -> float:
    """A value at the place."""
    return float(granule[name].sel(lat=LAT, lon=LON, method="nearest")[0])


def test_gdal_gives_the_value_the_flag_and_the_box(folder: Path, granule: xr.Dataset) -> None:
    first, second, *_ = [line for line in lines(["bash", "-ec", block("GDAL and QGIS")], folder) if line.strip()]
    assert float(first) == pytest.approx(near(granule, "sm"), abs=1e-7)
    assert int(second) == int(near(granule, "flag"))
    import rasterio

    with rasterio.open(folder / "box.tif") as box:
        assert tuple(box.bounds) == (-54.0, 47.0, -52.0, 48.0)
        values = np.where(box.read(1) == box.nodata, np.nan, box.read(1))
    expected = granule.sm[0].sel(lat=slice(48, 47), lon=slice(-54, -52)).values
    np.testing.assert_array_equal(values, expected)


def test_cdo_gives_the_place_the_recommended_use_and_the_mean(folder: Path, granule: xr.Dataset) -> None:
    table = lines(["bash", "-ec", block("CDO")], folder)
    day, lat, lon, value = next(line for line in table if line.strip() and "#" not in line).split()
    assert (day, float(lat), float(lon)) == ("2016-01-12", LAT, LON)
    assert float(value) == pytest.approx(near(granule, "sm"), abs=1e-6)
    with xr.open_dataset(folder / "good.nc") as found:
        expected = granule.sm.where((granule.flag & 399) == 0).values
        np.testing.assert_array_equal(found.good.values, expected)
    days = [xr.load_dataset(path).sm for path in sorted(folder.glob("*-DAILY-*.nc"))]
    with xr.open_dataset(folder / "mean.nc") as found:
        assert len(days) == 10
        np.testing.assert_allclose(found.sm.values[0], xr.concat(days, "time").mean("time").values, rtol=1e-6)


def test_r_gives_the_place_and_the_mean_of_the_recommended_use(folder: Path, granule: xr.Dataset) -> None:
    (folder / "read.R").write_text(block("R"))
    place, mean = [line.split()[1] for line in lines(["Rscript", "read.R"], folder) if line.startswith("[1]")]
    good = granule.sm.where((granule.flag & 399) == 0)
    assert float(place) == pytest.approx(float(good.sel(lat=LAT, lon=LON, method="nearest")[0]), abs=1e-6)
    assert float(mean) == pytest.approx(float(good.mean(dtype="f8")), rel=1e-6)


@pytest.mark.parametrize("grid", [None, {"token": "EASE2M36", "rows": [47, 67], "columns": [400, 420]}])
def test_a_readme_gives_the_value_of_its_place_in_every_tool(folder: Path, tmp_path: Path, grid: dict | None) -> None:
    worlds = small_world()
    changes = {"product__grid": grid} if grid else {}
    recipe, cube, model, models = worlds.small_world(tmp_path / "made", build__covers_frozen=True, **changes)
    version = tmp_path / "v1.0.0"
    build(recipe, cube, model, models, version, 10**9, silent, np.arange("2016-01-12", "2016-01-13", dtype="M8[D]"))
    path = next(version.rglob("*-DAILY-*.nc")).relative_to(version)
    text = readme(recipe, path.as_posix())
    rows, columns = recipe.product.grid.grid().dims
    with xr.open_dataset(version / path) as ds:
        cell = ds.isel({rows: ds[rows].size // 2, columns: ds[columns].size // 2, "time": 0}).load()
    shells = [block for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if "vadose" not in block]
    value, flag = lines(["bash", "-ec", shells[0]], version)[:2]
    assert (float(value), int(flag)) == (pytest.approx(float(cell.sm.fillna(-9999)), abs=1e-6), int(cell.flag))
    (version / "read.R").write_text(re.search(r"```r\n(.*?)```", text, re.DOTALL)[1])
    said = lines(["Rscript", "read.R"], version)[0].split()[1]
    expected = float(cell.sm.where((cell.flag & 399) == 0))
    assert (said == "NA") if np.isnan(expected) else float(said) == pytest.approx(expected, abs=1e-6)
    assert len(shells) == (1 if grid else 2)
    if grid is None:
        table = lines(["bash", "-ec", shells[1]], version)
        found = next(line for line in table if line.strip() and "#" not in line).split()[3]
        assert float(found) == pytest.approx(float(cell.sm.fillna(float(found))), abs=1e-6)
        assert (version / "good.nc").stat().st_size > 0
