"""What a recipe needs is listed, there or missing; day files of users become the cube that it names."""

import shutil
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml

from vadose.cli.main import run
from vadose.common import InputError, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.ingest import ingester, make_cube, recipe_orders
from vadose.producer.ingest.readiness import InputState, input_states, needed
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import load_recipe, packaged_recipes
from vadose.producer.vocabulary import VOCABULARY

ROWS, COLUMNS = (900, 903), (3600, 3604)
FIRST, DAYS, COMPOSITE = np.datetime64("2001-03-01"), 12, 4
COMPOSITES = ("albedo", "albedo_visible", "albedo_near_infrared")


def little(**product: object) -> Recipe:
    """The packaged recipe of the product from AVHRR on twelve cells and days."""
    values = load_recipe("glass-avhrr-sm").model_dump(mode="json")
    values["product"]["grid"] = {"token": "0P05DEG", "rows": ROWS, "columns": COLUMNS}
    values["product"] |= {"days": [str(FIRST), str(FIRST + DAYS - 1)]} | product
    return Recipe.model_validate(values)


def field(name: str, period: int) -> np.ndarray:
    """Different, valid values of a variable, (row, column); land surface temperature in degree Celsius."""
    low, high = VOCABULARY[name].valid_range
    steps = (np.arange(12).reshape(3, 4) + period) / 100.0
    return 10.0 + steps if name == "land_surface_temperature" else max(low, 0.0) + steps * min(high - low, 1.0)


def write(path: Path, fields: dict[str, np.ndarray], units: dict[str, str], noon: float | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = little().product.grid.grid()
    with netCDF4.Dataset(path, "w") as file:
        for name, values in (("lat", grid.lat), ("lon", grid.lon)):
            file.createDimension(name, values.size)
            file.createVariable(name, "f8", (name,))[:] = values
        dims: tuple[str, ...] = ("lat", "lon")
        if noon is not None:
            file.createDimension("time", 1)
            file.createVariable("time", "f8", ("time",))[:] = noon
            dims = ("time", *dims)
        for name, values in fields.items():
            variable = file.createVariable(name, "f4", dims, fill_value=-9999.0)
            variable.units = units.get(name, VOCABULARY[name].units)
            variable[:] = values[None] if noon is not None else values


def card(folder: Path, *names: str) -> None:
    values = {"product": folder.name, "producer": "p", "version": "1", "licence": "l",
              "variables": {name: {"name": name} for name in names}}  # fmt: skip
    (folder / "card.yaml").write_text(yaml.safe_dump(values))


def write_days(folder: Path, name: str) -> None:
    length = COMPOSITE if name in COMPOSITES else 1
    for period in range(DAYS // length):
        start = FIRST + period * length
        path = folder / name / str(start)[:4] / f"GLASS_{name}_{str(start).replace('-', '')}.nc"
        noon = start.astype(int) + length / 2
        write(path, {name: field(name, period)}, {"land_surface_temperature": "degC"}, noon)
        if length > 1:
            with netCDF4.Dataset(path, "a") as file:
                file.createDimension("bound", 2)
                file.createVariable("time_bnds", "f8", ("time", "bound"))[:] = [[noon - length / 2, noon + length / 2]]
    card(folder / name, name)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Day files and maps of all that the recipe needs, as a user prepares them."""
    native, names = tmp_path_factory.mktemp("prepared"), needed(little())
    maps = [name for name in names if VOCABULARY[name].static] + ["land_fraction"]
    for name in names:
        if not VOCABULARY[name].static:
            write_days(native, name)
    write(native / "static" / "static_maps.nc", {name: field(name, 1) for name in maps}, {}, None)
    card(native / "static", *maps)
    return native


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path) -> Path:
    """A workspace with its own copy of them."""
    shutil.copytree(prepared, tmp_path / "native" / "dayfiles")
    return tmp_path


def states(workspace: Path, recipe: Recipe | None = None) -> dict[str, InputState]:
    return {state.name: state for state in input_states(recipe or little(), ingester, workspace)}


def missing(workspace: Path, recipe: Recipe | None = None) -> dict[str, str]:
    return {name: state.missing for name, state in states(workspace, recipe).items() if state.missing}


def ingest(workspace: Path) -> Cube:
    cube = workspace / "cubes" / "glass-avhrr.zarr"
    make_cube(recipe_orders(little(), ingester, lambda name: workspace / "native" / name, cube), silent)
    return open_cube(cube)


@pytest.mark.parametrize("name", packaged_recipes())
def test_an_empty_workspace_misses_all_that_a_packaged_recipe_needs(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    found = input_states(recipe, ingester, tmp_path)
    assert found
    assert all(state.missing for state in found)
    assert set(needed(recipe)) <= {state.name for state in found}


def test_recipe_from_avhrr_reads_the_eleven_features_of_the_paper() -> None:
    predictors = load_recipe("glass-avhrr-sm").predictors
    # Aspect is one feature, in two parts.
    assert len([*predictors.daily, *predictors.static]) == 11 + 1
    assert {"albedo_visible", "albedo_near_infrared", "albedo", "era5_sm", "aspect_sine"} < set(
        predictors.daily + predictors.static
    )
    product = load_recipe("glass-avhrr-sm").product
    assert product.grid.grid().shape == (3600, 7200)
    assert [day.year for day in product.days] == [1982, 2021]


def test_complete_day_files_miss_nothing(workspace: Path) -> None:
    assert missing(workspace) == {}
    found = states(workspace)
    assert found["albedo"].files == DAYS // COMPOSITE
    assert found["albedo"].days == "2001-03-01..2001-03-09, 12 of 12 days"
    assert found["land_surface_temperature"].units == "K (files: degC)"
    assert found["sand"].days == "static"


def test_day_files_become_the_cube_of_the_recipe(workspace: Path) -> None:
    cube = ingest(workspace)
    assert set(needed(little())) <= set(cube.names)
    assert cube.index.size == 12
    np.testing.assert_allclose(cube.read("era5_sm")[5], field("era5_sm", 5).ravel(), rtol=1e-6)
    np.testing.assert_allclose(
        cube.read("land_surface_temperature")[2], field("land_surface_temperature", 2).ravel() + 273.15, rtol=1e-6
    )
    # The middle of the second composite lies between its second and third day.
    albedo = cube.read("albedo")
    np.testing.assert_allclose((albedo[5] + albedo[6]) / 2, field("albedo", 1).ravel(), rtol=1e-5)
    np.testing.assert_allclose(cube.read_static("slope"), field("slope", 1).ravel(), rtol=1e-6)
    assert {entry["name"].split("/")[0] for entry in cube.provenance} == {"dayfiles"}


def lose_a_day(native: Path) -> None:
    next((native / "era5_sm").glob("*/*20010304.nc")).unlink()


def lose_a_card(native: Path) -> None:
    (native / "albedo" / "card.yaml").unlink()


def cut_a_file(native: Path) -> None:
    path = next((native / "albedo_visible").glob("*/*20010301.nc"))
    path.write_bytes(path.read_bytes()[:300])


def change_units(native: Path) -> None:
    with netCDF4.Dataset(next((native / "soil_temperature").glob("*/*20010301.nc")), "a") as file:
        file["soil_temperature"].units = "furlong"


def rename(native: Path) -> None:
    with netCDF4.Dataset(next((native / "glass_sm").glob("*/*20010301.nc")), "a") as file:
        file.renameVariable("glass_sm", "sm")


def lose_a_map(native: Path) -> None:
    with netCDF4.Dataset(native / "static" / "static_maps.nc", "a") as file:
        file.renameVariable("porosity", "pores")


@pytest.mark.parametrize(
    ("harm", "name", "words"),
    [
        (lose_a_day, "era5_sm", "1 days, the first is 2001-03-04"),
        (lose_a_card, "albedo", "no card.yaml"),
        (cut_a_file, "albedo_visible", "cannot be read"),
        (change_units, "soil_temperature", "furlong"),
        (rename, "glass_sm", "no variable 'glass_sm'"),
        (lose_a_map, "porosity", "no variable 'porosity'"),
    ],
)
def test_each_fault_is_told_of_its_variable_alone(
    workspace: Path, harm: Callable[[Path], None], name: str, words: str
) -> None:
    harm(workspace / "native" / "dayfiles")
    found = missing(workspace)
    assert list(found) == [name]
    assert words in found[name]


def test_target_may_cover_a_part_of_the_days(workspace: Path) -> None:
    for path in (workspace / "native" / "dayfiles" / "glass_sm").glob("*/*2001031*.nc"):
        path.unlink()
    assert missing(workspace) == {}
    assert states(workspace)["glass_sm"].days == "2001-03-01..2001-03-09, 9 of 12 days"


def test_days_before_the_target_are_in_the_cube(workspace: Path) -> None:
    for day in range(1, 6):
        next((workspace / "native" / "dayfiles" / "glass_sm").glob(f"*/*2001030{day}.nc")).unlink()
    cube = ingest(workspace)
    assert (cube.days[0], cube.days.size) == (FIRST, DAYS)
    np.testing.assert_array_equal(np.isfinite(cube.read("glass_sm")).all(axis=1), np.arange(DAYS) >= 5)


def test_days_beyond_the_files_are_counted(workspace: Path) -> None:
    later = little(days=[str(FIRST), "2001-03-31"])
    assert missing(workspace, later)["era5_sm"] == "19 days, the first is 2001-03-13"


def test_ingest_of_day_files_names_the_folder_that_lacks(workspace: Path) -> None:
    lose_a_card(workspace / "native" / "dayfiles")
    with pytest.raises(InputError, match="lacks albedo.*--check-inputs"):
        ingest(workspace)
    assert not list((workspace / "cubes").glob("*.zarr"))


def test_unknown_reader_is_told_and_the_others_are_still_looked_at(workspace: Path) -> None:
    values = little().model_dump(mode="json")
    values["inputs"].append(values["inputs"][0] | {"name": "far data", "reader": "modis"})
    found = missing(workspace, Recipe.model_validate(values))
    assert list(found) == ["far data"]
    assert "dayfiles" in found["far data"]


def test_native_files_tell_their_days(vadose_data: Path, tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "smap").symlink_to(vadose_data / "smap_l3")
    found = states(tmp_path, load_recipe("stsg-sm"))
    assert found["smap_sm_am"].files == len(list((vadose_data / "smap_l3").glob("*")))
    assert not found["smap_sm_am"].missing
    assert found["smap_sm_am"].days.startswith("2015-")
    assert found["noah_sm"].missing == "no such file or folder"


def test_tables_of_conus412_lack_what_only_its_netcdf_file_holds(tmp_path: Path) -> None:
    folder = tmp_path / "native" / "conus412"
    folder.mkdir(parents=True)
    (folder / "README.txt").touch()
    assert "no CONUS-412 data" in missing(tmp_path, load_recipe("conus412-csv-atlstm"))["precipitation"]
    (folder / "crd.csv").touch()
    assert missing(tmp_path, load_recipe("conus412-csv-atlstm")) == {}
    assert set(missing(tmp_path, load_recipe("conus412-atlstm"))) == {"elevation", "slope", "land_cover"}


def test_program_exits_with_3_while_anything_is_missing(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(little().model_dump(mode="json")))
    words = ["build", str(path), "--check-inputs", "--workspace", str(workspace)]
    assert run(words) == 0
    assert "0 of 19 inputs are missing or incomplete" in capsys.readouterr().out
    lose_a_day(workspace / "native" / "dayfiles")
    assert run(words) == 3
    seen = capsys.readouterr()
    assert "1 days, the first is 2001-03-04" in seen.out
    assert "1 of 19 inputs" in seen.out
    assert not seen.err
