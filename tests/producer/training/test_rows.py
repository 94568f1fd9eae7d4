"""Rows of a cell and day: the same features for every block, fitted inside the fold; the packaged reconstruction."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from vadose.producer import simulate
from vadose.producer.cube import Cube, open_cube
from vadose.producer.features import tvdi
from vadose.producer.features.cells import random_names
from vadose.producer.features.descriptors import NAMES
from vadose.producer.ingest import simulated
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.recipe import Predictors, Recipe
from vadose.producer.recipefile import load_recipe, packaged_recipes
from vadose.producer.simulate import Network, Settings
from vadose.producer.training.rows import RowSet, RowSettings, row_set
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
LITTLE = Settings(
    name="little",
    box=(-43.0, 40.0, -40.0, 43.0),
    start=date(2016, 3, 1),
    end=date(2016, 10, 31),
    seed=5,
    spin_up_days=60,
    network=Network(stations=0, clusters=0, cosmic_ray=0),
)
PRODUCTS = ("smap_sm_am", "land_surface_temperature_all_weather", "evi", "ndvi", "soil_temperature",
            "snow_water_equivalent", "static")  # fmt: skip


def little_recipe(**settings: Any) -> Recipe:
    """The packaged reconstruction of the simulated land, on a corner of it."""
    values = load_recipe("simulated-tssmnet").model_dump(mode="json")
    grid = LITTLE.grid
    values["product"]["grid"] = {
        "token": grid.token, "rows": [grid.row0, grid.row1], "columns": [grid.col0, grid.col1],
    }  # fmt: skip
    values["inputs"][0]["options"] = {"world": "little"}
    values["method"]["settings"] |= settings
    return Recipe.model_validate(values)


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """Eight months of 144 cells with all that the recipe needs."""
    native = tmp_path_factory.mktemp("native")
    simulate.write_world(LITTLE, native / "little", products=PRODUCTS)
    path = tmp_path_factory.mktemp("cubes") / "little.zarr"
    simulated.ingest(little_recipe(), native, path)
    return open_cube(path)


WINDOWS = tvdi.TvdiSettings(window_degrees=10, minimum_cells=3, minimum_bins=3)


def rows(cube: Cube, predictors: Predictors, **settings: Any) -> RowSet:
    fold = make_folds("P6-15d", cube, TARGET)[0]
    return row_set(cube, predictors, TARGET, fold, RowSettings(**settings), maximum_rows=5000, seed=0)


def test_dryness_is_that_of_the_whole_field_whatever_block_is_asked_for(little: Cube) -> None:
    encoder = rows(little, little_recipe().predictors, tvdi=WINDOWS, collinear="keep").encoder
    place = tvdi.windows(little.lat, little.lon, 10.0)
    column = encoder.daily_names.index("tvdi")
    found = encoder.raw_daily(little, slice(60, 130), slice(5, 25))[0][..., column]
    for day in (60, 91, 129):
        today = slice(day, day + 1)
        lst = tvdi.sea_level(little.read("land_surface_temperature_all_weather", today)[0],
                             little.read_static("elevation"))  # fmt: skip
        ndvi = little.read("ndvi", today)[0]
        fitted = tvdi.edges(lst, ndvi, place.own, place.count, WINDOWS)
        expected = tvdi.dryness(lst, ndvi, fitted, place)[0]
        np.testing.assert_array_equal(found[day - 60], expected[5:25])
    assert np.isfinite(found).mean() > 0.5


def test_packaged_reconstruction_trains_predicts_and_keeps_observations(little: Cube) -> None:
    recipe = little_recipe(training={"steps": 10, "batch": 64})
    chosen, fold = method(recipe.method.name), make_folds(recipe.method.split, little, TARGET)[0]
    inputs = Inputs({"main": little}, TARGET, recipe.predictors).hiding(fold.unseen())
    model = chosen.fit(inputs, fold, method_settings(chosen, recipe.method.settings), seed=0)
    block = Block(inputs.cube, slice(100, 130), slice(0, little.index.size))
    found, observed = model.predict(block).mean, inputs.cube.read(TARGET, block.days)
    np.testing.assert_array_equal(found[np.isfinite(observed)], observed[np.isfinite(observed)])
    described = np.isfinite(model.encoder.table.values).any(axis=1)
    assert np.isfinite(found[:, described]).all()
    assert np.isfinite(observed[:, described]).mean() < 0.8
    assert (~described).any()
    assert np.isnan(found[:, ~described][np.isnan(observed[:, ~described])]).all()


@pytest.mark.parametrize("name", ["tssmnet-smap", "simulated-tssmnet"])
def test_settings_of_packaged_recipes_and_their_variants_are_valid(name: str) -> None:
    recipe = load_recipe(str(packaged_recipes()[name]))
    method_settings(method(recipe.method.name), recipe.method.settings)
    for variant in recipe.method.variants.values():
        method_settings(method(variant.method), variant.settings)


def test_paper_has_fourteen_features_beside_the_descriptors() -> None:
    predictors = load_recipe("tssmnet-smap").predictors
    # Aspect counts once, the dryness index is made of others.
    assert len(predictors.daily) + 1 + len(predictors.static) - 1 + len(NAMES) == 45


def test_random_names_belong_to_the_cell_and_not_to_its_place_in_a_block(rainy_cube: Cube) -> None:
    everything, some = random_names(rainy_cube, slice(0, 60)), random_names(rainy_cube, slice(20, 30))
    np.testing.assert_array_equal(everything[20:30], some)
    assert np.unique(everything).size > 0.99 * everything.size
    assert abs(float(everything.mean()) - 0.5) < 0.03
    assert np.abs(np.corrcoef(everything.T) - np.eye(31)).max() < 0.6


def test_a_class_unseen_in_training_is_none_of_the_known_ones(rainy_cube: Cube) -> None:
    predictors = Predictors(daily=("precipitation",), static=("land_cover",))
    found = rows(rainy_cube, predictors, descriptors="none", collinear="keep").encoder
    assert found.static_names == ["land_cover=1", "land_cover=2"]

    class Elsewhere(Cube):
        def read_static(self, name: str, cells: slice = slice(None)) -> np.ndarray:
            return np.full_like(super().read_static(name, cells), 7.0)

    other = found.raw_static(Elsewhere(rainy_cube.path, rainy_cube.group), slice(0, 5))
    assert (other == 0).all()


def test_a_predictor_that_is_constant_in_training_is_left_out(rainy_cube: Cube) -> None:
    class Flat(Cube):
        def read_static(self, name: str, cells: slice = slice(None)) -> np.ndarray:
            values = super().read_static(name, cells)
            return np.full_like(values, 0.3) if name == "clay" else values

    predictors = Predictors(daily=("precipitation",), static=("clay", "land_cover"))
    found = rows(Flat(rainy_cube.path, rainy_cube.group), predictors, descriptors="none", collinear="keep")
    assert [(drop.name, drop.reason) for drop in found.selection.dropped] == [("clay", "constant")]
    assert "clay" not in found.encoder.names
    assert np.isfinite(found.fit.features).all()


def test_scalers_do_not_see_hidden_days(rainy_cube: Cube) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    predictors = Predictors(daily=("precipitation", "air_temperature"))

    class Later(Cube):
        def read(self, name: str, days: slice = slice(None), cells: slice = slice(None)) -> np.ndarray:
            values = super().read(name, days, cells).copy()
            positions = np.arange(self.days.size)[days]
            values[~fold.dates["train"][positions]] *= 2
            return values

    kept = [
        row_set(cube, predictors, TARGET, fold, RowSettings(), maximum_rows=5000, seed=0).encoder
        for cube in (rainy_cube, Later(rainy_cube.path, rainy_cube.group))
    ]
    np.testing.assert_array_equal(kept[0].center, kept[1].center)
    np.testing.assert_array_equal(kept[0].scale, kept[1].scale)
