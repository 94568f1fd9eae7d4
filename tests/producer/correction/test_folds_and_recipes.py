"""The split by time keeps days between its parts; the recipes of the correction hold together."""

import numpy as np
import pytest

from vadose.common import UsageError
from vadose.producer.correction.folds import chronological
from vadose.producer.methods import Inputs, method, method_settings
from vadose.producer.methods.mlstm import COMBINATIONS, MlstmSettings
from vadose.producer.recipefile import load_recipe


def test_parts_of_the_split_by_time_follow_one_another_with_days_between(land: Inputs) -> None:
    fold = chronological(land.cube, land.target, 30)
    fit, tune, test = (np.flatnonzero(fold.dates[role]) for role in ("fit", "tune", "test"))
    days = land.cube.days.size
    assert (fit[0], fit[-1] + 1) == (0, round(days * 0.7))
    assert tune[0] - fit[-1] == 31
    assert test[0] - tune[-1] == 31
    assert test[-1] == days - 1
    np.testing.assert_array_equal(fold.dates["train"], fold.dates["fit"] | fold.dates["tune"])
    assert not fold.unseen()[fit].any()
    assert fold.unseen()[test].all()


def test_record_shorter_than_the_days_left_out_is_refused(land: Inputs) -> None:
    with pytest.raises(UsageError, match="too few for a split by time with 90 days"):
        chronological(land.cube, land.target, 90)


@pytest.mark.parametrize("name", ["mlstm-correction", "mlstm-correction-cci", "simulated-mlstm"])
def test_recipe_predicts_from_what_its_method_reads(name: str) -> None:
    recipe = load_recipe(name)
    several = [(recipe.method.name, recipe.method.settings)]
    several += [(one.method, one.settings) for one in recipe.method.variants.values()]
    assert recipe.target == "in_situ_sm"
    assert recipe.stations
    for chosen, values in several:
        settings = method_settings(method(chosen), values)
        assert settings.product in recipe.predictors.daily  # type: ignore[attr-defined]
        if isinstance(settings, MlstmSettings):
            assert set(settings.drivers.values()) <= set(recipe.predictors.daily)


def test_recipes_of_the_paper_hold_its_products_and_combinations() -> None:
    recipes = [load_recipe(name) for name in ("mlstm-correction", "mlstm-correction-cci")]
    grids = {recipe.product.grid.token: set(recipe.predictors.daily) for recipe in recipes}
    assert {"smap_sm_am", "ascat_ssm"} <= grids["0P10DEG"]
    assert "cci_sm" in grids["0P25DEG"]
    for recipe in recipes:
        tried = {one.settings.get("combination") for one in recipe.method.variants.values()}
        assert set(COMBINATIONS) <= tried
        assert recipe.method.settings["preset"] == "paper"
        assert not recipe.product.publish
