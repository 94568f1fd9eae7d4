"""What signatures rest on: the methods that are said to look back only do so, and a stop loses nothing."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from vadose.producer.build import building
from vadose.producer.build.signatures import BACKWARD, day_hashes
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))
RECURRENT = {"hidden": 8, "past_days": 30, "training": {"steps": 5, "batch": 16, "window_days": 45}}
WINDOWS = {"sequence_days": 6, "training": {"steps": 5, "batch": 64}}
SMALL = {
    "atlstm": RECURRENT, "lstm": RECURRENT, "bilstm": {"hidden": 8, **WINDOWS}, "transformer": {"width": 8, **WINDOWS},
    "xgboost": {"maximum_trees": 10, "minimum_child_weight": 5}, "forest": {"trees": 3}, "ridge": {},
}  # fmt: skip
LAST = 250


def without_later_days(cube):
    """The same cube with every daily value after a day missing."""
    mask = np.zeros((cube.days.size, cube.index.size), bool)
    mask[LAST + 1 :] = True
    for name in (*PREDICTORS.daily, TARGET):
        cube = cube.hiding(name, mask)
    return cube


@pytest.mark.parametrize("name", sorted(BACKWARD))
def test_a_prediction_of_a_backward_method_reads_no_later_day(rainy_cube, name):
    chosen = method(name)
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    settings = method_settings(chosen, SMALL[name])
    model = chosen.fit(Inputs({"main": rainy_cube}, TARGET, PREDICTORS), fold, settings, seed=1)
    whole = model.predict(Block(rainy_cube, slice(200, 300), slice(0, 60)))
    cut = model.predict(Block(without_later_days(rainy_cube), slice(200, 300), slice(0, 60)))
    days = LAST + 1 - 200
    np.testing.assert_array_equal(whole.mean[:days], cut.mean[:days])
    np.testing.assert_array_equal(whole.uncertainty[:days], cut.uncertainty[:days])
    assert np.isfinite(whole.mean[:days]).any()
    assert not np.array_equal(whole.mean[days:], cut.mean[days:], equal_nan=True)


def test_a_hash_of_a_day_changes_with_any_of_its_values_alone(rainy_cube):
    before = day_hashes(rainy_cube)
    mask = np.zeros((rainy_cube.days.size, rainy_cube.index.size), bool)
    mask[100, 7] = True
    after = day_hashes(rainy_cube.hiding("precipitation", mask))
    assert list(before) == [str(day) for day in rainy_cube.days]
    assert [day for day in before if before[day] != after[day]] == [str(rainy_cube.days[100])]


@pytest.mark.parametrize("stop_at", [1, 7, 40])
def test_a_stop_among_the_links_loses_and_doubles_no_day(worlds, tmp_path, monkeypatch, stop_at):
    previous = _helpers(worlds)
    previous.make(worlds, tmp_path, "1.0.0")
    root = tmp_path / "releases/demosmall-0p25deg"
    previous.publish(root / "v1.0.0")
    calls = []

    def stopping(real):
        def call(*words):
            calls.append(1)
            if len(calls) == stop_at:
                raise KeyboardInterrupt
            return real(*words)

        return call

    with monkeypatch.context() as patch:
        for name in ("link", "same_values"):
            patch.setattr(building, name, stopping(getattr(building, name)))
        previous.change_cube(tmp_path / "cubes/small.zarr", greener)
        with pytest.raises(KeyboardInterrupt):
            previous.make(worlds, tmp_path, "1.1.0", "1.0.0", product__days=previous.LONGER)
    assert not list((root / "v1.1.0").rglob(".*.nc.part"))
    previous.make(worlds, tmp_path, "1.1.0", "1.0.0", product__days=previous.LONGER)
    found = previous.granules(root / "v1.1.0")
    assert len(found) == len({name.split("-")[5] for name in found}) == 37
    assert previous.granules(root / "v1.0.0").items() <= found.items()


def greener(name, values):
    """Other vegetation on one day, below every limit of a flag."""
    if name == "ndvi":
        values[20] -= 0.01 * (values[20] < 0.7)


def _helpers(worlds):
    """The builders of the tests of builds on a published version."""
    spec = importlib.util.spec_from_file_location("previous_helpers", Path(__file__).with_name("test_previous.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
