"""Features made of past values of the target."""

import numpy as np
import pytest

from vadose.producer.cube import Cube
from vadose.producer.features.antecedent import PAST_DAYS
from vadose.producer.features.past import MEAN_DAYS, NEWEST, past_features, past_names

TARGET = "smap_sm_am"


@pytest.mark.parametrize("latency", [1, 3])
def test_the_newest_values_and_means_are_those_of_a_plain_search(rainy_cube: Cube, latency: int) -> None:
    target = rainy_cube.read(TARGET)
    found = past_features(rainy_cube, TARGET, latency, slice(120, 123), slice(10, 13))
    assert found.shape == (3, 3, len(past_names(TARGET)))
    for t in range(3):
        for cell in range(3):
            ages = np.arange(latency, PAST_DAYS + 1)
            series = target[120 + t - ages, 10 + cell]
            known = np.flatnonzero(np.isfinite(series))[:NEWEST]
            np.testing.assert_array_equal(found[t, cell, 0 : 2 * NEWEST : 2], series[known])
            np.testing.assert_array_equal(found[t, cell, 1 : 2 * NEWEST : 2], ages[known])
            means = [np.nanmean(series[ages < days + latency], dtype=np.float64) for days in MEAN_DAYS]
            np.testing.assert_allclose(found[t, cell, 2 * NEWEST :], means, rtol=1e-6)


def test_at_the_beginning_of_a_cube_nothing_is_known(rainy_cube: Cube) -> None:
    assert np.isnan(past_features(rainy_cube, TARGET, 1, slice(0, 1), slice(0, 60))).all()
    few = past_features(rainy_cube, TARGET, 1, slice(0, 4), slice(0, 60))
    np.testing.assert_array_equal(np.isfinite(few[1, :, 0]), np.isfinite(rainy_cube.read(TARGET)[0]))


def test_features_of_a_day_do_not_depend_on_the_days_beside_it(rainy_cube: Cube) -> None:
    whole = past_features(rainy_cube, TARGET, 3, slice(50, 200), slice(0, 60))
    part = past_features(rainy_cube, TARGET, 3, slice(190, 200), slice(7, 9))
    np.testing.assert_array_equal(whole[140:, 7:9], part)
