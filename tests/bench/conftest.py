"""A world large enough to measure on: 4,096 cells, 500 days, an ensemble of five networks of 128 hidden states."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.methods import Inputs
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import load_recipe, packaged_recipes
from vadose.producer.training import fit_recipe, load_model
from vadose.producer.vocabulary import variable

SIDE = 64
DAYS = np.arange("2015-01-01", "2016-05-15", dtype="datetime64[D]")


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The simulated recipe, with the network of the real one."""
    values = yaml.safe_load(packaged_recipes()["simulated-atlstm"].read_text())
    values["product"] |= {"days": ["2015-06-01", "2016-05-14"], "token": "DEMOBENCH"}
    values["product"]["grid"] = {"token": "0P25DEG", "rows": [160, 160 + SIDE], "columns": [500, 500 + SIDE]}
    values["method"] |= {"ensemble": 5, "settings": {"hidden": 128, "training": {"steps": 2}}}
    path = tmp_path_factory.mktemp("recipe") / "bench.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_recipe(str(path))


@pytest.fixture(scope="session")
def cube(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """Random values inside the physical ranges; a speed does not depend on them."""
    path = tmp_path_factory.mktemp("cube") / "bench.zarr"
    flags = {rule.variable for rule in recipe.build.flags}
    names = {*recipe.predictors.daily, *recipe.predictors.static, *flags, recipe.target, "porosity", "land_cover"}
    typical = {
        "porosity": (0.4, 0.5),
        "soil_temperature": (280.0, 290.0),
        "land_cover": (1.0, 4.0),
        "slope": (0.0, 1.0),
    }
    generator = np.random.default_rng(0)
    with new_cube(path, recipe.product.grid.grid(), np.arange(SIDE * SIDE), DAYS, title="bench") as writer:
        for name in sorted(names):
            spec = variable(name)
            bottom, top = spec.valid_range
            low, high = typical.get(name, (0.6 * bottom + 0.4 * top, 0.4 * bottom + 0.6 * top))
            shape = (SIDE * SIDE,) if spec.static else (DAYS.size, SIDE * SIDE)
            values = generator.uniform(low, high, shape).astype(np.float32)
            writer.add(name, np.floor(values) if name == "land_cover" else values)
    return open_cube(path)


@pytest.fixture(scope="session")
def model_directory(recipe: Recipe, cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory as `vadose train` writes it."""
    directory = tmp_path_factory.mktemp("models") / "bench"
    fit_recipe(recipe, Inputs({"main": cube}, recipe.target, recipe.predictors), directory)
    return directory


@pytest.fixture(scope="session")
def model(model_directory: Path):
    """The loaded ensemble."""
    return load_model(model_directory)
