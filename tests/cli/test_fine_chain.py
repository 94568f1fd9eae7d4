"""The chain at 0.05 degree: world, inputs, cube, model and granules by the program alone."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml

from vadose.cli.main import run
from vadose.producer.cube import open_cube
from vadose.producer.ingest.simulated import ALWAYS
from vadose.producer.recipefile import load_recipe
from vadose.producer.simulate import FINE

WINDOW = (-40.5, 42.0, -40.0, 42.5)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """The packaged recipe on ten by ten cells and nineteen months, with a small network."""
    world = FINE.model_dump(mode="json") | {"name": "window", "box": list(WINDOW), "end": "2016-10-31"}
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(world))
    values = load_recipe("simulated-glass-avhrr").model_dump(mode="json")
    values["product"]["grid"] = {"token": "0P05DEG", "rows": [950, 960], "columns": [2790, 2800]}
    values["product"]["days"] = ["2015-04-01", "2016-10-31"]
    values["inputs"][0]["options"] = {"world": "window"}
    values["method"]["settings"] |= {"hidden": 8, "training": {"steps": 40, "batch": 64}}
    values["method"]["ensemble"] = 1
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    return str(tmp_path / "r.yaml")


def test_product_from_albedo_and_temperature_is_made_at_five_kilometres(recipe: str, tmp_path: Path) -> None:
    options = ["--workspace", str(tmp_path), "--quiet"]
    check = ["build", recipe, "--check-inputs", *options]
    assert run(check) == 3
    products = ",".join(["smap_sm_am", *load_recipe(recipe).predictors.daily, *ALWAYS, "static"])
    world = ["fetch", "simulated", "--world", str(tmp_path / "world.yaml"), "--products", products]
    assert run([*world, *options]) == 0
    assert run(check) == 0
    for words in (["ingest", recipe], ["train", recipe], ["build", recipe, "--days", "2016-07-01..2016-07-02"]):
        assert run([*words, *options]) == 0
    granules = sorted((tmp_path / "releases" / "demoavhrr-0p05deg" / "v1.0.0" / "ICDR").rglob("*.nc"))
    assert len(granules) == 2
    with netCDF4.Dataset(granules[0]) as granule:
        steps = np.diff(granule["lat"][:]), np.diff(granule["lon"][:])
        moisture = granule["sm"][0].compressed()
    for step in steps:
        np.testing.assert_allclose(np.abs(step), 0.05, atol=1e-4)
    cells = open_cube(tmp_path / "cubes" / "simulated-fine.zarr").index.size
    assert moisture.size == cells > 50
    assert 0.02 <= moisture.min() < moisture.max() <= 0.6
