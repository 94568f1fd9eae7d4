"""A small version that is built, completed and passes the gate; tests change copies of it."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

import pytest

from vadose.common import silent, write_json
from vadose.producer.build import build
from vadose.producer.release.checks import read_context
from vadose.producer.release.complete import complete
from vadose.producer.release.folder import Folder

# The seventh day of the small world lacks rain in a fifth of the cells.
WAIVER = {"check": "day_outlier", "reason": "the rain of two days is missing", "expires": "9.0.0"}


def write_run(folder: Path, version: Path, *, passed: bool = True) -> Path:
    """A finished run of the granules of a version, as `vadose validate` leaves it."""
    found = [*version.rglob("*-DAILY-*.nc"), *version.rglob("*-MONTHLY-*.nc")]
    granules = sorted(found, key=lambda path: path.name)
    lines = "".join(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in granules)
    content = f"files {hashlib.sha256(lines.encode()).hexdigest()}"
    described = {"name": "vadose", "files": len(granules), "content": content}
    write_json(folder / "run.json", {"products": {"vadose": described}, "roles": {"product": "vadose"}})
    gate = {"name": "complete", "level": "required", "figure": 1.0, "limit": 1.0, "passed": passed, "proved": True,
            "applicable": True, "reason": "planted"}  # fmt: skip
    write_json(folder / "verdict.json", {"passed": passed, "gates": [gate]})
    (folder / "scores.parquet").write_bytes(b"not read here")
    return folder


def sign_off(version: Path) -> None:
    """The note of a person who has looked at a version."""
    note = {"schema_version": 1, "manifest_sha256": Folder(version).manifest_sha256, "name": "A. Person",
            "date": "2026-01-16", "looked_at": ["quicklook/", "index.html"]}  # fmt: skip
    write_json(version / "signoff.json", note)


def make(worlds, workspace: Path, previous: Path | None = None, **changes):
    """Recipe and folder of a version that is built, on an earlier one if it is named, and completed."""
    recipe, cube, model, models = worlds.small_world(workspace, **{"waivers": [WAIVER], **changes})
    version = worlds.version_folder(workspace, recipe)
    base = Folder(previous) if previous else None
    build(recipe, cube, model, models, version, 10**9, silent, previous=base)
    run = write_run(workspace / "runs" / recipe.product.version, version)
    return recipe, version, complete(recipe, version, run, silent)


@pytest.fixture(scope="session")
def made(worlds, tmp_path_factory):
    """Workspace, recipe, version folder and result; not to be changed."""
    workspace = tmp_path_factory.mktemp("made")
    return workspace, *make(worlds, workspace)


@pytest.fixture
def copied(made, tmp_path):
    """The same in a copy that a test may change."""
    workspace, recipe, version, _ = made
    shutil.copytree(workspace, tmp_path / "ws")
    return tmp_path / "ws", recipe, tmp_path / "ws" / version.relative_to(workspace)


@pytest.fixture
def context(copied):
    _, recipe, version = copied
    return read_context(version, recipe)


@pytest.fixture(scope="session")
def tools():
    """The functions above, for tests that make versions of their own."""
    return type("Tools", (), {"make": staticmethod(make), "write_run": staticmethod(write_run),
                            "sign_off": staticmethod(sign_off)})  # fmt: skip


@pytest.fixture(scope="session")
def served():
    """A small HTTP server over a folder: see the file beside this one."""
    spec = importlib.util.spec_from_file_location("http_server", Path(__file__).with_name("http_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.served
