import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from vadose.common import InputError, silent
from vadose.producer import simulate
from vadose.producer.cube import Cube, open_cube
from vadose.producer.ingest import simulated
from vadose.producer.ingest.base import Order
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import load_recipe
from vadose.producer.simulate import DEMO, DEMO_PRODUCTS, Network, Settings
from vadose.producer.vocabulary import VOCABULARY

SMALL = Settings(
    name="little",
    box=(-43.0, 40.0, -41.0, 42.0),
    start=date(2016, 5, 20),
    end=date(2016, 7, 20),
    seed=5,
    spin_up_days=60,
    network=Network(stations=1, clusters=0, cosmic_ray=0),
)


def recipe(**options: Any) -> Recipe:
    """The packaged recipe on the window of the small world."""
    packaged = load_recipe("simulated-atlstm").model_dump(mode="json")
    grid = SMALL.grid
    packaged["product"]["grid"] = {
        "token": grid.token,
        "rows": [grid.row0, grid.row1],
        "columns": [grid.col0, grid.col1],
    }
    packaged["inputs"][0]["options"] = {"world": "little", **options}
    return Recipe.model_validate(packaged)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    simulate.write_world(SMALL, folder / "little", products=DEMO_PRODUCTS)
    return folder


@pytest.fixture(scope="module")
def cube(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    path = tmp_path_factory.mktemp("cubes") / "little.zarr"
    simulated.ingest(recipe(), native, path)
    return open_cube(path)


@pytest.fixture
def own(native: Path, tmp_path: Path) -> Path:
    """A copy of the native files to damage."""
    shutil.copytree(native / "little", tmp_path / "little")
    return tmp_path


def refuse(own: Path, match: str) -> None:
    with pytest.raises(InputError, match=match):
        simulated.ingest(recipe(), own, own / "out.zarr")
    assert not (own / "out.zarr").exists()


def test_cube_holds_all_that_the_recipe_names(cube: Cube) -> None:
    wanted = recipe()
    names = {
        wanted.target,
        *wanted.predictors.daily,
        *wanted.predictors.static,
        *simulated.ALWAYS,
        *(rule.variable for rule in wanted.build.flags),
    }
    assert names <= set(cube.names)
    assert (cube.days[0], cube.days[-1]) == (np.datetime64(SMALL.start), np.datetime64(SMALL.end))


def test_cells_are_the_land_of_the_world(cube: Cube) -> None:
    world = simulate.world(SMALL)
    np.testing.assert_array_equal(cube.index, world.index)
    assert cube.grid == world.grid


def test_daily_values_are_those_of_the_files(cube: Cube, native: Path) -> None:
    with xr.open_dataset(native / "little" / "precipitation" / "2016" / "precipitation_20160610.nc") as data:
        expected = data["precipitation"].values.ravel()[cube.index]
    np.testing.assert_array_equal(cube.read("precipitation")[cube.day_index(np.datetime64("2016-06-10"))], expected)


def test_radiometer_is_taken_from_the_footprint_of_the_cell_and_screened(cube: Cube, native: Path) -> None:
    for day in ("2016-06-10", "2016-06-11"):
        path = native / "little" / "smap_sm_am" / "2016" / f"smap_sm_am_{day.replace('-', '')}.nc"
        with xr.open_dataset(path, mask_and_scale=True) as data:
            good = (
                data["soil_moisture"]
                .where((data["retrieval_qual_flag"].fillna(7).astype(int) & 1) == 0)
                .isel(time=0)
                .swap_dims(y="lat", x="lon")
            )
            points = {name: xr.DataArray(getattr(cube, name), dims="cell") for name in ("lat", "lon")}
            expected = good.sel(**points, method="nearest").values
        np.testing.assert_array_equal(cube.read("smap_sm_am")[cube.day_index(np.datetime64(day))], expected)


def test_composites_become_days_without_gaps(cube: Cube) -> None:
    assert np.isfinite(cube.read("ndvi")).mean() > 0.97


def test_every_value_read_ends_in_one_counter(cube: Cube) -> None:
    for name, funnel in cube.counts.items():
        assert funnel["read"] == sum(funnel[reason] for reason in ("missing", "flagged", "outside_range", "kept")), name
    assert cube.counts["smap_sm_am"]["flagged"] > 0
    assert cube.counts["smap_sm_am"]["kept"] == np.isfinite(cube.read("smap_sm_am")).sum()


def test_provenance_has_one_entry_a_product_and_none_of_the_truth(cube: Cube) -> None:
    entries = {entry["name"]: entry for entry in cube.provenance}
    assert "simulated/little/precipitation" in entries
    assert not any("truth" in name or "stations" in name for name in entries)
    entry = entries["simulated/little/precipitation"]
    assert (entry["files"], entry["licence"], len(entry["sha256"])) == (62, "CC0-1.0", 64)


def test_truth_is_never_opened(own: Path) -> None:
    shutil.rmtree(own / "little" / "truth")
    shutil.rmtree(own / "little" / "stations")
    simulated.ingest(recipe(), own, own / "out.zarr")
    assert (own / "out.zarr").exists()


def test_further_variables_are_read_on_demand(native: Path, tmp_path: Path) -> None:
    simulated.ingest(recipe(also=["cci_sm"]), native, tmp_path / "out.zarr")
    assert "cci_sm" in open_cube(tmp_path / "out.zarr").names


def test_files_in_another_format_are_read_alike(own: Path, cube: Cube) -> None:
    path = own / "little" / "albedo" / "2016" / "albedo_20160601.nc"
    with netCDF4.Dataset(path) as old, netCDF4.Dataset(own / "new.nc", "w", format="NETCDF4") as new:
        for name, dimension in old.dimensions.items():
            new.createDimension(name, dimension.size)
        for name, variable in old.variables.items():
            fill = getattr(variable, "_FillValue", None)
            copy = new.createVariable(
                name, variable.dtype, variable.dimensions, fill_value=fill, zlib=bool(variable.ndim)
            )
            copy.setncatts({key: variable.getncattr(key) for key in variable.ncattrs() if key != "_FillValue"})
            copy[...] = variable[...]
    (own / "new.nc").replace(path)
    simulated.ingest(recipe(), own, own / "out.zarr")
    np.testing.assert_array_equal(open_cube(own / "out.zarr").read("albedo"), cube.read("albedo"))


@pytest.mark.parametrize("slab", [7, 92])
def test_days_asked_for_are_those_of_the_whole_cube_whatever_is_read_at_once(
    native: Path, cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slab: int
) -> None:
    monkeypatch.setattr(simulated, "CHUNK_DAYS", slab)
    monkeypatch.setattr(simulated, "CHUNK_CELLS", 5)
    first, last = cube.days[20], cube.days[-10]
    order = Order(
        files=(native / "little",), cube=tmp_path / "part.zarr", title="part", origin=simulated.INGESTER.origin,
        grid=cube.grid, days=(first, last), recipe=recipe(),
    )  # fmt: skip
    simulated.write(order, silent)
    part = open_cube(tmp_path / "part.zarr")
    assert (part.days[0], part.days[-1]) == (first, last)
    for name in part.names:
        if not VOCABULARY[name].static:
            np.testing.assert_array_equal(part.read(name), cube.read(name)[20:-9])


def test_missing_day_becomes_missing_values(own: Path, cube: Cube) -> None:
    (own / "little" / "albedo" / "2016" / "albedo_20160601.nc").unlink()
    simulated.ingest(recipe(), own, own / "out.zarr")
    again = open_cube(own / "out.zarr")
    assert np.isnan(again.read("albedo")[again.day_index(np.datetime64("2016-06-01"))]).all()


def rewrite(path: Path, change: Callable[[netCDF4.Dataset], None]) -> None:
    with netCDF4.Dataset(path, "a") as file:
        change(file)


def test_cut_file_is_named(own: Path) -> None:
    path = own / "little" / "albedo" / "2016" / "albedo_20160601.nc"
    path.write_bytes(path.read_bytes()[:-100])
    refuse(own, "cut off.*albedo_20160601.nc")


def test_file_cut_in_its_header_is_named(own: Path) -> None:
    path = own / "little" / "albedo" / "2016" / "albedo_20160601.nc"
    path.write_bytes(path.read_bytes()[:700])
    refuse(own, "albedo_20160601.nc")


def test_file_of_another_day_is_refused(own: Path) -> None:
    folder = own / "little" / "albedo" / "2016"
    shutil.copy(folder / "albedo_20160601.nc", folder / "albedo_20160602.nc")
    refuse(own, "begins on 2016-06-01, its name says 2016-06-02")


def test_two_files_of_one_day_are_refused(own: Path) -> None:
    folder = own / "little" / "albedo"
    (folder / "copy").mkdir()
    shutil.copy(folder / "2016" / "albedo_20160601.nc", folder / "copy" / "albedo_20160601.nc")
    refuse(own, "two files hold 2016-06-01")


def test_predictor_without_any_value_is_refused(own: Path) -> None:
    for path in (own / "little" / "albedo").glob("*/*.nc"):
        rewrite(path, lambda file: file["albedo"].__setitem__(slice(None), np.ma.masked_all(file["albedo"].shape)))
    refuse(own, "no value of the predictor albedo is left")


def test_missing_variable_is_named(own: Path) -> None:
    for path in (own / "little" / "albedo").glob("*/*.nc"):
        rewrite(path, lambda file: file.renameVariable("albedo", "bedo"))
    refuse(own, "no variable 'albedo'")


def test_percent_declared_as_fraction_is_refused(own: Path) -> None:
    for path in (own / "little" / "albedo").glob("*/*.nc"):
        rewrite(path, lambda file: file["albedo"].__setitem__(slice(None), file["albedo"][:] * 100.0))
    refuse(own, "values contradict the units")


def test_unfinished_world_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished simulated world.*vadose fetch simulated"):
        simulated.ingest(recipe(), tmp_path, tmp_path / "out.zarr")


def test_lacking_product_is_named(own: Path) -> None:
    shutil.rmtree(own / "little" / "albedo")
    refuse(own, "lacks albedo")


def test_packaged_recipe_fits_the_demo_world() -> None:
    packaged = load_recipe("simulated-atlstm")
    assert packaged.product.grid.grid() == DEMO.grid
    assert packaged.product.days == (DEMO.start, DEMO.end)
    daily = {packaged.target, *packaged.predictors.daily, *simulated.ALWAYS}
    assert daily <= set(DEMO_PRODUCTS)
