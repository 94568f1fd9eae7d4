"""What the tests of granules, build and release share."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def worlds() -> ModuleType:
    """The module `small_world.py` beside this file."""
    spec = importlib.util.spec_from_file_location("small_world", Path(__file__).with_name("small_world.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def program():
    """Path of an installed program; a missing one skips the test by name, in CI it fails."""

    def find(name: str, package: str) -> str:
        path = shutil.which(name)
        if path is None:
            message = f"{name} is not installed (Debian package {package})"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.fixture(scope="session")
def rainy_cube(tmp_path_factory: pytest.TempPathFactory):
    """A cube whose soil moisture remembers rain for about ten days, with a level that follows from clay."""
    import numpy as np

    from vadose.producer.cube import new_cube, open_cube
    from vadose.producer.grids import box

    generator = np.random.default_rng(0)
    grid = box("0P25DEG", 0, 40, 15, 50)
    cells, days = 60, np.arange("2015-04-01", "2016-05-25", dtype="datetime64[D]")
    index = np.sort(generator.permutation(grid.shape[0] * grid.shape[1])[:cells])
    rain = generator.gamma(0.3, 8.0, (days.size, cells)) * (generator.random((days.size, cells)) < 0.5)
    store = np.zeros_like(rain)
    for t in range(1, days.size):
        store[t] = 0.9 * store[t - 1] + rain[t]
    clay = generator.uniform(5, 45, cells)
    moisture = 0.05 + 0.003 * clay + 0.15 * np.tanh(store / 40) + generator.normal(0, 0.01, rain.shape)
    moisture[generator.random(rain.shape) < 0.5] = np.nan
    warm = 288 + generator.normal(0, 2, rain.shape)
    warm[generator.random(rain.shape) < 0.05] = np.nan
    # Two more products of the same soil moisture, without gaps.
    clean = 0.05 + 0.003 * clay + 0.15 * np.tanh(store / 40)
    others = {name: clean + generator.normal(0, 0.02, rain.shape) for name in ("cci_sm", "land_model_a_sm")}
    path = tmp_path_factory.mktemp("rainy") / "rainy.zarr"
    with new_cube(path, grid, index, days, title="rainy") as writer:
        for name, values in {"precipitation": rain, "air_temperature": warm, "smap_sm_am": moisture, **others}.items():
            writer.add(name, values.astype(np.float32))
        writer.add("clay", clay.astype(np.float32))
        writer.add("land_cover", (clay > 25).astype(np.float32) + 1)
    return open_cube(path)
