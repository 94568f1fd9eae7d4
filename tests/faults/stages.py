"""The stages of a small release, each as a program: `python stages.py STAGE WORKSPACE`.

Every stage goes on where a killed one stopped; its exit code is that of the program.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

from vadose.common import VadoseError, silent
from vadose.common.software import Software

PRODUCER = Path(__file__).parents[1] / "producer"
STAGES = ("build", "release", "publish", "extract")
# The caller's commit may move while a trial runs.
MADE_BY = Software("1.0.0", "0" * 40)
VERSION = "releases/demosmall-0p25deg/v1.0.0"


def module(name: str, path: Path) -> ModuleType:
    """A module of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


def run_stage(stage: str, workspace: Path) -> int:
    """Run one stage in a workspace that holds what the stages before it left."""
    from vadose.cli.main import run

    worlds = module("small_world", PRODUCER / "small_world.py")
    tools = module("release_tools", PRODUCER / "release" / "conftest.py")
    recipe, cube, model, models = worlds.small_world(workspace, waivers=[tools.WAIVER], build__cube=True)
    version = worlds.version_folder(workspace, recipe)
    if stage == "build":
        from vadose.producer.build import build

        build(recipe, cube, model, models, version, 10**9, silent, made_by=MADE_BY)
        return 0
    if stage == "release":
        from vadose.producer.release import complete as completing

        # Packages may be installed while a trial runs.
        with mock.patch.object(completing, "environment_lock", return_value="# the environment of a trial\n"):
            completing.complete(recipe, version, tools.write_run(workspace / "runs" / "1.0.0", version), silent)
        return 0
    if stage == "publish":
        return run(["release", "publish", str(version), "--to", str(workspace / "mirror"), "--workspace",
                    str(workspace), "--quiet"])  # fmt: skip
    place = [
        "--polygon",
        "POLYGON ((-54.6 46.6, -51.3 46.9, -52.2 49.7, -54.6 46.6))",
        "--cells",
        "--out",
        str(workspace / "series.nc"),
        "--format",
        "netcdf",
    ]
    return run(["extract", str(version), *place, "--workspace", str(workspace), "--quiet"])


if __name__ == "__main__":
    try:
        sys.exit(run_stage(sys.argv[1], Path(sys.argv[2])))
    except VadoseError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
