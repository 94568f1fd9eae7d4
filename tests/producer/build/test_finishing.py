import numpy as np
import pytest

from vadose.common import InputError
from vadose.producer.finishing import check_rules, finish
from vadose.producer.granules.flags import MASK, WITHOUT_VALUE
from vadose.producer.methods.base import Prediction

EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def world(worlds, tmp_path_factory):
    recipe = worlds.small_recipe()
    return recipe, worlds.small_cube(tmp_path_factory.mktemp("cube") / "small.zarr", recipe)


def predicted(cube, mean=0.25, flags=0):
    shape = (cube.days.size, cube.index.size)
    return Prediction(np.full(shape, mean, "f4"), np.full(shape, 0.03, "f4"), np.full(shape, flags, "i2"))


def test_every_bit_follows_its_rule(world):
    recipe, cube = world
    finished = finish(recipe, cube, predicted(cube), EVERYTHING, EVERYTHING)
    expected = {
        "frozen_soil": cube.read("soil_temperature") < 274.15,
        "dense_vegetation": cube.read("ndvi") > 0.8,
        "urban_area": np.broadcast_to(cube.read_static("urban_fraction") > 0.5, finished.flag.shape),
        "gap_filled": np.isnan(cube.read("smap_sm_am")),
    }
    for name, on in expected.items():
        assert np.array_equal((finished.flag & MASK[name]) != 0, on)
    assert np.array_equal((finished.flag & 256) != 0, expected["frozen_soil"])


def test_values_are_missing_exactly_where_the_flag_says(world):
    recipe, cube = world
    prediction = predicted(cube)
    prediction.mean[3, ::2] = np.nan
    prediction.uncertainty[4, ::3] = np.nan
    finished = finish(recipe, cube, prediction, EVERYTHING, EVERYTHING)
    missing = (finished.flag & WITHOUT_VALUE) != 0
    assert np.array_equal(np.isnan(finished.sm), missing)
    assert np.array_equal(np.isnan(finished.sm_uncertainty), missing)
    assert missing[3, ::2].all()


def test_a_method_that_covers_frozen_soil_keeps_value_and_flag(world, worlds):
    _, cube = world
    finished = finish(worlds.small_recipe(build__covers_frozen=True), cube, predicted(cube), EVERYTHING, EVERYTHING)
    frozen = (finished.flag & 4) != 0
    assert frozen.any()
    assert np.isfinite(finished.sm[frozen]).all()


@pytest.mark.parametrize(("mean", "limit"), [(-0.1, "minimum"), (0.9, "porosity")])
def test_predictions_outside_the_limits_are_clipped_and_flagged(world, mean, limit):
    recipe, cube = world
    finished = finish(recipe, cube, predicted(cube, mean), EVERYTHING, EVERYTHING)
    given = np.isfinite(finished.sm)
    wanted = (
        np.float32(0.02) if limit == "minimum" else np.broadcast_to(cube.read_static("porosity"), given.shape)[given]
    )
    assert (finished.sm[given] == wanted).all()
    assert (((finished.flag & 1024) != 0) == given).all()


def test_the_model_sets_only_its_own_bits(world):
    recipe, cube = world
    finished = finish(recipe, cube, predicted(cube, flags=2048 | 2 | 16), EVERYTHING, EVERYTHING)
    assert not (finished.flag & 2).any()
    assert np.array_equal((finished.flag & 2048) != 0, np.isfinite(finished.sm))


def test_a_flag_variable_that_the_cube_lacks_is_named(world, worlds):
    _, cube = world
    with pytest.raises(InputError, match="snow_water_equivalent"):
        rule = {"flag": "snow_cover", "variable": "snow_water_equivalent", "above": 1.0}
        check_rules(worlds.small_recipe(build__flags=[rule]), cube)
