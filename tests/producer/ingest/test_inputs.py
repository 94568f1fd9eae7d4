"""Recipes and cubes: what is read, and when a cube is left alone."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from vadose.common import InputError, UsageError, silent
from vadose.producer.cube import open_cube
from vadose.producer.ingest import INGESTERS, ingester, make_cube, recipe_orders
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import load_recipe, packaged_recipes

CONUS = "conus412/conus412_smap_nldas_2015-2018.nc"


def orders(recipe: Recipe, native: Path, cube: Path, **more: object) -> list:
    return recipe_orders(recipe, ingester, lambda _: native, cube, **more)  # type: ignore[arg-type]


def changed(tmp_path: Path, **changes: object) -> Recipe:
    values = yaml.safe_load(packaged_recipes()["conus412-atlstm"].read_text()) | changes
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    return load_recipe(str(tmp_path / "r.yaml"))


@pytest.fixture
def native(vadose_data: Path, tmp_path: Path) -> Path:
    (tmp_path / "native").mkdir()
    shutil.copy(vadose_data / CONUS, tmp_path / "native" / "c.nc")
    (tmp_path / "native" / "c.nc").chmod(0o644)
    return tmp_path / "native"


def test_every_ingester_has_its_own_name_and_summary() -> None:
    assert len({reader.name for reader in INGESTERS}) == len(INGESTERS)
    assert all(reader.summary for reader in INGESTERS)
    with pytest.raises(UsageError, match="unknown reader 'smapp'; did you mean 'smap'"):
        ingester("smapp")


@pytest.mark.parametrize("name", packaged_recipes())
def test_every_packaged_recipe_names_known_readers_and_options(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    made = orders(recipe, tmp_path, tmp_path / "c.zarr")
    assert {reader.name for reader, _ in made} == {item.reader for item in recipe.inputs}


def test_the_recipe_makes_the_cube_that_it_needs(native: Path, tmp_path: Path) -> None:
    recipe = load_recipe("conus412-atlstm")
    assert make_cube(orders(recipe, native, tmp_path / "cubes/c.zarr"), silent)
    cube = open_cube(tmp_path / "cubes/c.zarr")
    assert {recipe.target, *recipe.predictors.daily, *recipe.predictors.static} <= set(cube.names)
    assert cube.grid == recipe.product.grid.grid()
    assert str(cube.days[0]) <= str(recipe.product.days[0]) < str(recipe.product.days[1]) <= str(cube.days[-1])
    assert cube.provenance[0]["licence"].startswith("Penn State non-commercial")
    assert cube.provenance[0]["commercial_use"] is False


def test_the_same_inputs_leave_the_cube_alone(native: Path, tmp_path: Path) -> None:
    made = orders(load_recipe("conus412-atlstm"), native, tmp_path / "cubes/c.zarr")
    assert make_cube(made, silent)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cubes/c.zarr").rglob("*")}
    assert not make_cube(made, silent)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cubes/c.zarr").rglob("*")} == before


def test_a_changed_file_or_order_makes_the_cube_anew(native: Path, tmp_path: Path) -> None:
    recipe, cube = load_recipe("conus412-atlstm"), tmp_path / "cubes/c.zarr"
    make_cube(orders(recipe, native, cube), silent)
    days = (np.datetime64("2015-04-01"), np.datetime64("2015-12-31"))
    assert make_cube(orders(recipe, native, cube, days=days), silent)
    assert open_cube(cube).days.size == 275
    with h5py.File(native / "c.nc", "a") as file:
        file["TMP_2_FORA"][0, 0] = 280.0
    assert make_cube(orders(recipe, native, cube, days=days), silent)


def test_a_damaged_cube_is_made_anew(native: Path, tmp_path: Path) -> None:
    made = orders(load_recipe("conus412-atlstm"), native, tmp_path / "cubes/c.zarr")
    make_cube(made, silent)
    (tmp_path / "cubes/c.zarr/zarr.json").write_text("{")
    assert make_cube(made, silent)
    assert open_cube(tmp_path / "cubes/c.zarr").index.size == 412


def test_equal_inputs_make_equal_bytes(native: Path, tmp_path: Path) -> None:
    for name in "ab":
        make_cube(orders(load_recipe("conus412-atlstm"), native, tmp_path / name / "c.zarr"), silent)
    files = [sorted((tmp_path / name / "c.zarr").rglob("*")) for name in "ab"]
    assert [path.relative_to(tmp_path / "a") for path in files[0]] == [
        path.relative_to(tmp_path / "b") for path in files[1]
    ]
    for one, other in zip(*files, strict=True):
        assert one.is_dir() or one.read_bytes() == other.read_bytes()


def test_unknown_options_name_the_nearest(tmp_path: Path) -> None:
    source = {
        "name": "s",
        "reader": "smap",
        "producer": "p",
        "version": "1",
        "licence": "l",
        "options": {"permisive": True},
    }
    with pytest.raises(UsageError, match="unknown option of reader smap 'permisive'; did you mean 'permissive'"):
        orders(changed(tmp_path, inputs=[source]), tmp_path, tmp_path / "c.zarr")


def test_a_reader_of_whole_cubes_shares_none(tmp_path: Path) -> None:
    inputs = [{"name": r, "reader": r, "producer": "p", "version": "1", "licence": "l"} for r in ("smap", "conus412")]
    with pytest.raises(UsageError, match="reader conus412 makes whole cubes"):
        orders(changed(tmp_path, inputs=inputs), tmp_path, tmp_path / "c.zarr")


def test_readers_share_a_cube_on_the_grid_of_the_recipe(vadose_data: Path, tmp_path: Path) -> None:
    inputs = [
        {"name": "SMAP", "reader": "smap", "producer": "NSIDC", "version": "R13", "licence": "free"},
        {"name": "ERA5", "reader": "era5", "producer": "ECMWF", "version": "1", "licence": "CC-BY-4.0"},
    ]
    recipe = changed(tmp_path, inputs=inputs, predictors={"daily": ["era5_sm"]})
    native = {"smap": vadose_data / "smap_l3", "era5": vadose_data / "era5"}
    days = (np.datetime64("2010-01-01"), np.datetime64("2015-04-02"))
    made = recipe_orders(recipe, ingester, native.__getitem__, tmp_path / "c.zarr", days=days)
    assert make_cube(made, silent)
    cube = open_cube(tmp_path / "c.zarr")
    assert cube.names == ["smap_sm_am", "era5_sm"]
    assert cube.grid == recipe.product.grid.grid()
    assert np.isfinite(cube.read("era5_sm")[0]).mean() > 0.9
    assert {item["licence"] for item in cube.provenance} == {"free", "CC-BY-4.0"}


def test_no_native_files_say_what_to_do(tmp_path: Path) -> None:
    made = orders(load_recipe("conus412-atlstm"), tmp_path / "nowhere", tmp_path / "c.zarr")
    with pytest.raises(InputError, match=r"no such file or folder.*nowhere.*vadose fetch"):
        make_cube(made, silent)
