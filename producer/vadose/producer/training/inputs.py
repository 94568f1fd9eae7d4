"""What the method of a recipe reads: its cubes and station datasets, found in a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vadose.common import InputError
from vadose.producer.cube import Cube, open_cube
from vadose.producer.methods.base import Inputs
from vadose.producer.recipe import Recipe
from vadose.producer.training.stations import Day, read_stations
from vadose.producer.vocabulary import IN_SITU


def cube_path(workspace: Path, name: str) -> Path:
    """Where a cube lies."""
    return workspace / "cubes" / f"{name}.zarr"


def recipe_inputs(recipe: Recipe, workspace: Path) -> Inputs:
    """Open all that a recipe names; where it learns from stations, they are put on the grid of the main cube.

    Raises
    ------
    InputError
        Where a cube or a station dataset is not there, or no station has a value in the cube.
    """
    others = {part: open_cube(cube_path(workspace, name)) for part, name in recipe.other_cubes.items()}
    stations = station_files(recipe, workspace)
    cube = open_cube(cube_path(workspace, recipe.cube))
    if recipe.target == IN_SITU:
        cube = with_stations(cube, stations, recipe.product.day)
    cubes: dict[str, Cube] = {"main": cube, **others}
    return Inputs(cubes, recipe.target, recipe.predictors, stations, day=recipe.product.day)


def station_files(recipe: Recipe, workspace: Path) -> dict[str, Path]:
    """The station datasets of a recipe, by the part that they play."""
    return {part: _stations(workspace, name) for part, name in recipe.stations.items()}


def with_stations(cube: Cube, stations: Mapping[str, Path], day: Day) -> Cube:
    """The cube with the mean of the good stations of each cell as the variable `in_situ_sm`."""
    return cube.having(IN_SITU, read_stations(stations.values(), cube, day).on_grid(cube.index.size)[0])


def _stations(workspace: Path, name: str) -> Path:
    path = workspace / "stations" / f"{name}.nc"
    if not path.is_file():
        raise InputError(
            "no such station dataset", where=str(path), next=f"vadose ingest stations SOURCE --name {name}"
        )
    return path
