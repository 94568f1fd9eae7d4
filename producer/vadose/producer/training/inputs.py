"""What the method of a recipe reads: its cubes and station datasets, found in a workspace."""

from __future__ import annotations

from pathlib import Path

from vadose.common import InputError
from vadose.producer.cube import Cube, open_cube
from vadose.producer.methods.base import Inputs
from vadose.producer.recipe import Recipe


def cube_path(workspace: Path, name: str) -> Path:
    """Where a cube lies."""
    return workspace / "cubes" / f"{name}.zarr"


def recipe_inputs(recipe: Recipe, workspace: Path) -> Inputs:
    """Open all that a recipe names.

    Raises
    ------
    InputError
        Where a cube or a station dataset is not there.
    """
    others = {part: open_cube(cube_path(workspace, name)) for part, name in recipe.other_cubes.items()}
    stations = {part: _stations(workspace, name) for part, name in recipe.stations.items()}
    cubes: dict[str, Cube] = {"main": open_cube(cube_path(workspace, recipe.cube)), **others}
    return Inputs(cubes, recipe.target, recipe.predictors, stations)


def _stations(workspace: Path, name: str) -> Path:
    path = workspace / "stations" / f"{name}.nc"
    if not path.is_file():
        raise InputError(
            "no such station dataset", where=str(path), next=f"vadose ingest stations SOURCE --name {name}"
        )
    return path
