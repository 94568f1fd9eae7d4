"""Trees with past values of the target, and the random forest."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Inputs, Model
from vadose.producer.methods.choice import method_settings
from vadose.producer.methods.forest import CACHED_NODES, Forest, ForestSettings, parameters
from vadose.producer.methods.trees import Xgboost, XgboostNowcast1, XgboostNowcast3, leaves
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

ROOT = Path(__file__).parents[3]
TARGET = "smap_sm_am"
SMALL = {"maximum_trees": 60, "minimum_child_weight": 5, "depth": 4}


def fitted(chosen: Any, cube: Cube, split: str, *daily: str, **settings: Any) -> Model:
    fold = make_folds(split, cube, TARGET, purge_days=30)[0]
    inputs = Inputs(
        {"main": cube}, TARGET, Predictors(daily=daily, static=("clay",) if "precipitation" in daily else ())
    ).hiding(fold.unseen())
    return chosen.fit(inputs, fold, method_settings(chosen, settings), seed=3)


@pytest.mark.parametrize("chosen", [XgboostNowcast1(), XgboostNowcast3()], ids=lambda m: m.name)
def test_a_nowcast_does_not_see_what_is_newer_than_its_latency(rainy_cube: Cube, chosen: Any) -> None:
    model = fitted(chosen, rainy_cube, chosen.splits[0], "precipitation", **SMALL)
    day, latency = 300, chosen.latency_days
    veil = np.zeros((rainy_cube.days.size, 60), bool)
    veil[day - latency + 1 :] = True
    seen = model.predict(Block(rainy_cube, slice(day, day + 1), slice(0, 60))).mean
    veiled = model.predict(Block(rainy_cube.hiding(TARGET, veil), slice(day, day + 1), slice(0, 60))).mean
    np.testing.assert_array_equal(seen, veiled)
    veil[day - latency] = True
    older = model.predict(Block(rainy_cube.hiding(TARGET, veil), slice(day, day + 1), slice(0, 60))).mean
    assert (older != seen).any()


def test_past_values_help_where_the_weather_says_little(rainy_cube: Cube) -> None:
    """Air temperature is noise in this world, so that only the past knows the level and the state."""
    truth = rainy_cube.read(TARGET, slice(300, 400))
    errors = []
    for chosen, split in ((Xgboost(), "P1-purged"), (XgboostNowcast1(), "P1-nowcast-1")):
        model = fitted(chosen, rainy_cube, split, "air_temperature", **SMALL)
        errors.append(np.nanstd(model.predict(Block(rainy_cube, slice(300, 400), slice(0, 60))).mean - truth))
    assert errors[1] < 0.6 * errors[0]


def test_a_forest_is_deep_trees_side_by_side(rainy_cube: Cube) -> None:
    model = fitted(Forest(), rainy_cube, "P1", "precipitation", "air_temperature", trees=40)
    assert model.booster.num_boosted_rounds() == 1  # type: ignore[attr-defined]
    assert len(model.booster.get_dump()) == 40  # type: ignore[attr-defined]
    truth = rainy_cube.read(TARGET, slice(220, 420))
    error = np.nanstd(model.predict(Block(rainy_cube, slice(220, 420), slice(0, 60))).mean - truth)
    assert error < 0.6 * np.nanstd(truth)
    again = fitted(Forest(), rainy_cube, "P1", "precipitation", "air_temperature", trees=40)
    assert again.booster.save_raw("ubj") == model.booster.save_raw("ubj")  # type: ignore[attr-defined]


def noise(rows: int, columns: int) -> xgboost.DMatrix:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, columns))
    return xgboost.DMatrix(features, features[:, 0] + rng.normal(size=rows))


def test_trees_of_a_forest_are_those_that_keep_all_histograms() -> None:
    data, options = noise(20000, 6), parameters(ForestSettings(trees=2), 5)
    ours = xgboost.train(options, data, 1).get_dump()
    del options["max_cached_hist_node"]
    assert ours == xgboost.train(options, data, 1).get_dump()
    # A level has more nodes than are cached.
    assert max(text.count("leaf=") for text in ours) > 2 * CACHED_NODES


def test_deep_trees_of_many_features_fit_into_a_small_memory() -> None:
    """With the library's own cache of histograms these trees take 2 GB."""
    script = (
        "import resource, xgboost; from tests.producer.methods.test_nowcast_trees import noise\n"
        "from vadose.producer.methods.forest import ForestSettings, parameters\n"
        "data = noise(30000, 80); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "xgboost.train(parameters(ForestSettings(trees=4), 5), data, 1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(found.stdout) < 600_000


def test_leaves_are_counted_as_in_the_printed_trees() -> None:
    rng = np.random.default_rng(0)
    data = xgboost.DMatrix(rng.random((3000, 4)), rng.random(3000))
    for options in ({"max_depth": 1}, {"max_depth": 12, "min_child_weight": 1}, {"max_depth": 3}):
        booster = xgboost.train({"nthread": 1, **options}, data, 3)
        assert leaves(booster) == sum(text.count("leaf=") for text in booster.get_dump())
