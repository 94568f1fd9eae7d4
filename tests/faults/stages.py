"""The stages of a small product in the order of its life, each of which goes on where a killed one stopped."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from vadose.cli.main import report_error, run
from vadose.common import VadoseError, silent
from vadose.common.software import Software

PRODUCER = Path(__file__).parents[1] / "producer"
# The caller's commit may move while a trial runs.
MADE_BY = Software("1.0.0", "0" * 40)
APPENDED = {"product__version": "1.1.0", "product__days": ["2015-12-20", "2016-02-10"]}
EARLY = ("2016-02-11", "2016-02-13")
LATER = ("2016-02-11", "2016-02-16")
EXTRA_DAYS = 12


def module(name: str, path: Path) -> ModuleType:
    """A module of the tests, which are no package."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


worlds = module("small_world", PRODUCER / "small_world.py")
tools = module("release_tools", PRODUCER / "release" / "conftest.py")


def world(workspace: Path, **changes: Any) -> tuple[Any, Any, Any, Path, Path]:
    """Recipe, cube, model, model directory and version folder."""
    recipe, *rest = worlds.small_world(workspace, waivers=[tools.WAIVER], build__cube=True, **changes)
    return recipe, *rest, worlds.version_folder(workspace, recipe)


def begun(workspace: Path) -> int:
    """A cube that reaches beyond the first version, which all stages find there."""
    worlds.small_cube(workspace / "cubes" / "small.zarr", worlds.small_recipe(), extra_days=EXTRA_DAYS)
    return 0


def built(workspace: Path) -> int:
    """Version 1.0.0, from nothing."""
    from vadose.producer.build import build

    recipe, cube, model, models, version = world(workspace)
    build(recipe, cube, model, models, version, 10**9, silent, made_by=MADE_BY)
    return 0


def appended(workspace: Path) -> int:
    """Version 1.1.0: five days more, the others linked from the published one."""
    from vadose.producer.build import build
    from vadose.producer.release.folder import Folder

    recipe, cube, model, models, version = world(workspace, **APPENDED)
    base = Folder(version.with_name("v1.0.0"))
    build(recipe, cube, model, models, version, 10**9, silent, made_by=MADE_BY, previous=base)
    return 0


def released(workspace: Path, **changes: Any) -> int:
    """The other files of a version, and its gate."""
    from vadose.producer.release import complete as completing

    recipe, *_, version = world(workspace, **changes)
    place = tools.write_run(workspace / "runs" / recipe.product.version, version)
    # Packages may be installed while a trial runs.
    with mock.patch.object(completing, "environment_lock", return_value="# the environment of a trial\n"):
        completing.complete(recipe, version, place, silent)
    return 0


def published(workspace: Path, **changes: Any) -> int:
    """Publication into the product, and to another folder."""
    *_, version = world(workspace, **changes)
    words = ["release", "publish", str(version), "--to", str(workspace / "mirror"), "--workspace", str(workspace)]
    return run([*words, "--quiet"])


def extracted(workspace: Path) -> int:
    """The cells of an area."""
    *_, version = world(workspace)
    area = "POLYGON ((-54.6 46.6, -51.3 46.9, -52.2 49.7, -54.6 46.6))"
    words = ["extract", str(version), "--polygon", area, "--cells", "--out", str(workspace / "series.nc")]
    return run([*words, "--format", "netcdf", "--workspace", str(workspace), "--quiet"])


def rolled(workspace: Path, days: tuple[str, str]) -> int:
    """Days of stream NRT, built and listed."""
    from vadose.producer.build import build_rolling
    from vadose.producer.release import rolling

    early = [{**worlds.recipe_values()["inputs"][0], "name": "early rain", "preliminary": True}]
    values = {"product__stream": "NRT", "product__days": list(days), "inputs": early}
    recipe, cube, model, models, version = world(workspace, **values)
    directory = version.with_name("nrt")
    build_rolling(recipe, cube, model, models, directory, 10**9, silent, made_by=MADE_BY)
    rolling.roll(recipe, directory, silent)
    return 0


STAGES: dict[str, Callable[[Path], int]] = {
    "build": built,
    "release": released,
    "publish": published,
    "extract": extracted,
    "linked build": appended,
    "linked release": lambda workspace: released(workspace, **APPENDED),
    "linked publish": lambda workspace: published(workspace, **APPENDED),
    "nrt": lambda workspace: rolled(workspace, EARLY),
    "nrt appended": lambda workspace: rolled(workspace, LATER),
}


def run_stage(stage: str, workspace: Path) -> int:
    """Run one stage in a workspace that holds what the stages before it left; the exit code of the program."""
    try:
        return STAGES[stage](workspace)
    except VadoseError as error:
        return report_error(error, as_json=False, command=stage)
