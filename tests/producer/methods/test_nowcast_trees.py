"""Trees with past values of the target, and the random forest."""

from typing import Any

import numpy as np
import pytest
import xgboost

from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Inputs, Model
from vadose.producer.methods.choice import method_settings
from vadose.producer.methods.forest import Forest
from vadose.producer.methods.trees import Xgboost, XgboostNowcast1, XgboostNowcast3, leaves
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

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


def test_leaves_are_counted_as_in_the_printed_trees() -> None:
    rng = np.random.default_rng(0)
    data = xgboost.DMatrix(rng.random((3000, 4)), rng.random(3000))
    for options in ({"max_depth": 1}, {"max_depth": 12, "min_child_weight": 1}, {"max_depth": 3}):
        booster = xgboost.train({"nthread": 1, **options}, data, 3)
        assert leaves(booster) == sum(text.count("leaf=") for text in booster.get_dump())
