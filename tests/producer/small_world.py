"""A small cube, a recipe for it and a model that needs no training; run as a program it builds the product."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import silent, write_json
from vadose.common.software import Software
from vadose.producer.build import build
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.methods.base import Block, Prediction
from vadose.producer.recipe import Recipe

AGENT = {"name": "Example group", "institution": "Example Institute", "email": "data@example.org",
         "url": "https://vadose.example.org/"}  # fmt: skip
DAYS = ("2015-12-20", "2016-02-05")


def recipe_values(**changes: Any) -> dict[str, Any]:
    """The values of a recipe; keys with a dot in `changes` (as `product__version`) replace nested ones."""
    values: dict[str, Any] = {
        "recipe": "small-world",
        "product": {
            "token": "DEMOSMALL", "grid": {"token": "0P25DEG", "rows": [160, 176], "columns": [500, 520]},
            "day": "solar06", "depth_m": [0.0, 0.05], "days": list(DAYS), "version": "1.0.0",
            "issued": "2026-01-15T00:00:00Z", "stream": "ICDR", "target": "simulated radiometer soil moisture",
            "title": "Vadose daily surface soil moisture of a small world, 0.25 degree",
            "summary": "Volumetric soil moisture of an invented land. One UTC day per file.", "source": "invented",
            "licence": "CC0-1.0", "institution": "Example Institute", "naming_authority": "org.example.vadose",
            "landing_url": "https://vadose.example.org/small/", "references": "https://vadose.example.org/",
            "acknowledgement": "None needed.", "creator": AGENT, "publisher": AGENT, "project": "Vadose",
            "program": "Open soil moisture", "platform": "NONE", "instrument": "NONE",
        },
        "inputs": [{"name": "small world", "reader": "simulated", "producer": "Example", "version": "1",
                    "licence": "CC0-1.0", "passing_on": True, "commercial_use": True}],
        "cube": "small", "target": "smap_sm_am", "predictors": {"daily": ["precipitation"], "static": ["sand"]},
        "method": {"name": "linear"},
        "build": {
            "slab_days": 20, "porosity_variable": "porosity", "observing_input": "smap_sm_am",
            "flags": [
                {"flag": "frozen_soil", "variable": "soil_temperature", "below": 274.15},
                {"flag": "dense_vegetation", "variable": "ndvi", "above": 0.8},
                {"flag": "urban_area", "variable": "urban_fraction", "above": 0.5},
            ],
        },
    }  # fmt: skip
    for key, value in changes.items():
        place = values
        *path, last = key.split("__")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return values


def small_recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate(recipe_values(**changes))


def small_cube(path: Path, recipe: Recipe, *, seed: int = 0, extra_days: int = 0) -> Cube:
    """A cube of about 60 % of the window's cells with every variable that the recipe needs."""
    rng = np.random.default_rng(seed)
    grid = recipe.product.grid.grid()
    size = grid.shape[0] * grid.shape[1]
    index = np.flatnonzero(rng.random(size) < 0.6)
    first = np.datetime64(recipe.product.days[0], "D")
    days = first + np.arange((recipe.product.days[1] - recipe.product.days[0]).days + 1 + extra_days)
    shape = (days.size, index.size)
    rain = rng.gamma(0.3, 12.0, shape).astype("f4")
    rain[7, ::5] = np.nan
    retrieval = rng.uniform(0.05, 0.5, shape).astype("f4")
    retrieval[rng.random(shape) < 0.4] = np.nan
    with new_cube(path, grid, index, days, title="a small world") as cube:
        cube.add("precipitation", rain)
        cube.add("smap_sm_am", retrieval)
        cube.add("soil_temperature", (276.0 + rng.normal(0, 2.0, shape)).astype("f4"))
        cube.add("ndvi", rng.uniform(0.1, 0.85, shape).astype("f4"))
        cube.add("sand", rng.uniform(20, 80, index.size).astype("f4"))
        cube.add("porosity", rng.uniform(0.3, 0.5, index.size).astype("f4"))
        cube.add("urban_fraction", rng.uniform(0.0, 0.6, index.size).astype("f4"))
        cube.source(name="small.nc", bytes=1, sha256="0" * 64, producer="Example", version="1", licence="CC0-1.0")
    return open_cube(path)


@dataclass(frozen=True)
class RainModel:
    """Soil moisture from the rain of today and yesterday; deterministic, and sometimes out of the physical range."""

    past_days: int = 1

    def predict(self, block: Block) -> Prediction:
        start = max(block.days.start - self.past_days, 0)
        rain = block.cube.read("precipitation", slice(start, block.days.stop), block.cells)
        wet = np.vstack([rain[:1], rain])[-(block.days.stop - block.days.start) - 1 :]
        mean = (0.05 + 0.008 * wet[1:] + 0.004 * wet[:-1] - block.cube.read_static("sand", block.cells) / 2000).astype(
            "f4"
        )
        flags = np.where(wet[1:] > 60, 2048, 0).astype("i2")
        return Prediction(mean, (0.02 + 0.1 * np.abs(mean)).astype("f4"), flags)

    def save(self, directory: Path) -> None:
        write_json(
            directory / "model.json", {"method": "rain", "seeds": [0], "ledger": {}, "versions": {}, "metrics": {}}
        )


def small_world(folder: Path, **changes: Any) -> tuple[Recipe, Cube, RainModel, Path]:
    """Recipe, cube, model and model directory."""
    recipe = small_recipe(**changes)
    path = folder / "cubes" / "small.zarr"
    cube = open_cube(path) if path.exists() else small_cube(path, recipe)
    model = RainModel()
    directory = folder / "models" / recipe.recipe
    model.save(directory)
    return recipe, cube, model, directory


def version_folder(folder: Path, recipe: Recipe) -> Path:
    return folder / "releases" / recipe.product.id / f"v{recipe.product.version}"


if __name__ == "__main__":
    # The caller names version and commit, since the checkout's commit may move while a test runs.
    workspace = Path(sys.argv[1])
    recipe, cube, model, directory = small_world(workspace)
    target = version_folder(workspace, recipe)
    build(recipe, cube, model, directory, target, 10**9, silent, made_by=Software(sys.argv[2], sys.argv[3]))
