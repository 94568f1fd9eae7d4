"""Whole workspaces, made once by the program itself, as a user makes them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "producer" / "vadose" / "producer" / "recipes"


def vadose(*words: str, workspace: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own and expect its exit code."""
    command = [sys.executable, "-m", "vadose.cli", *words, "--workspace", str(workspace), "--progress", "plain"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace that `vadose demo` leaves behind; `VADOSE_DEMO_WORKSPACE` names one that is there already."""
    given = os.environ.get("VADOSE_DEMO_WORKSPACE")
    if given:
        return Path(given)
    workspace = tmp_path_factory.mktemp("demo") / "workspace"
    vadose("demo", workspace=workspace)
    return workspace


@pytest.fixture
def own_demo(demo_workspace: Path, tmp_path: Path) -> Path:
    """A copy of the demo's cubes, stations, models and releases (writable), for tests that change something."""
    for name in ("cubes", "stations", "models", "releases"):
        shutil.copytree(demo_workspace / name, tmp_path / name)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)
    return tmp_path
