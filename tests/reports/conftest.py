"""What the tests of reports share: the builders of a small site, a built site, a browser."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
]


def load(name: str) -> ModuleType:
    """A module beside this file, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load_module() -> Callable[[str], ModuleType]:
    """Loads a module beside the tests by its name."""
    return load


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The builders in `small_site.py`."""
    return load("small_site")


@pytest.fixture(scope="session")
def built(small: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    """A rendered and built small site on a running server, under its own policy header."""
    return small.built_site(tmp_path_factory.mktemp("site") / "workspace")


@pytest.fixture(scope="session")
def pairs() -> ModuleType:
    """The builders in `paired_site.py`."""
    return load("paired_site")


@pytest.fixture(scope="session")
def paired(small: ModuleType, pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    """A built and served site of three versions that were compared with each other and with rivals."""
    return pairs.built_site(small, tmp_path_factory.mktemp("paired") / "workspace")


@pytest.fixture(scope="session")
def visits() -> ModuleType:
    """Pages in the browser with everything that went wrong in them: `visits.py`."""
    return load("visits")


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium; where it is missing the test is skipped by name, in CI it fails."""
    path = os.environ.get("VADOSE_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(path).exists():
        if os.environ.get("CI"):
            pytest.fail(f"no chromium at {path}; .ci/run installs it")
        pytest.skip(f"no chromium at {path}; VADOSE_CHROMIUM names another browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()
