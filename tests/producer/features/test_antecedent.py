"""Features of a day come from that day and the days before it."""

import numpy as np
import pytest

from vadose.producer.cube import Cube
from vadose.producer.features.antecedent import PAST_DAYS, feature_names, features, trailing_mean
from vadose.producer.recipe import Predictors
from vadose.producer.recipefile import load_recipe

PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))


def test_seven_forcings_and_twelve_statics_make_64_features() -> None:
    predictors = load_recipe("conus412-atlstm").predictors
    twelve = Predictors(daily=predictors.daily, static=predictors.static[:12])
    assert len(feature_names(twelve)) == 64
    assert len(set(feature_names(predictors))) == 52 + len(predictors.static)


def test_features_are_those_of_a_slow_calculation(rainy_cube: Cube) -> None:
    names = feature_names(PREDICTORS)
    table = features(rainy_cube, PREDICTORS, slice(120, 123), slice(4, 6))
    rain = rainy_cube.read("precipitation", cells=slice(4, 6)).astype(float)
    found = dict(zip(names, np.moveaxis(table, -1, 0), strict=True))
    np.testing.assert_allclose(found["precipitation_lag2"], rain[118:121], rtol=1e-6)
    np.testing.assert_allclose(found["precipitation_mean30"][1], rain[92:122].mean(axis=0), rtol=1e-5)
    warm = rainy_cube.read("air_temperature", cells=slice(4, 6)).astype(float)
    np.testing.assert_allclose(found["air_temperature_mean7"][2], np.nanmean(warm[116:123], axis=0), rtol=1e-6)
    api = sum(rain[122 - k] * 0.9**k for k in range(PAST_DAYS + 3))
    np.testing.assert_allclose(found["antecedent_precipitation"][2], api, rtol=1e-5)
    np.testing.assert_allclose(found["clay"][0], rainy_cube.read_static("clay")[4:6])
    np.testing.assert_allclose(found["day_of_year_sine"] ** 2 + found["day_of_year_cosine"] ** 2, 1.0, rtol=1e-6)


def test_features_do_not_see_later_days(rainy_cube: Cube) -> None:
    whole = features(rainy_cube, PREDICTORS, slice(100, 130), slice(0, 60))
    part = features(rainy_cube, PREDICTORS, slice(100, 110), slice(20, 30))
    np.testing.assert_array_equal(whole[:10, 20:30], part)


@pytest.mark.parametrize("length", [1, 7, 30])
def test_trailing_mean_skips_gaps_and_is_missing_where_all_is(length: int) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(50, 3)).astype(np.float32)
    values[generator.random((50, 3)) < 0.4] = np.nan
    values[10:20, 0] = np.nan
    for t in range(50):
        window = values[max(t - length + 1, 0) : t + 1]
        expected = [
            np.mean(column[np.isfinite(column)]) if np.isfinite(column).any() else np.nan for column in window.T
        ]
        np.testing.assert_allclose(trailing_mean(values, length)[t], expected, rtol=1e-4, atol=1e-6)
